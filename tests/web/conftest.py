"""One served market for the tests of a module that only ask, and a fresh one for those that change it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served, serving

from market import Market


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(Market(), tmp_path / "blobs") as made:
        yield made
