"""Waiting for what comes true by itself."""

from __future__ import annotations

import time
from typing import Any


def until(happened: Any, seconds: float = 60) -> None:
    """Wait for something to come true; fail when it does not."""
    begun = time.monotonic()
    while not happened():
        assert time.monotonic() - begun < seconds
        time.sleep(0.01)
