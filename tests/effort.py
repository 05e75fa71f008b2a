"""How many examples a property test tries: so many in the short mode, twenty times as many in the long one."""

from __future__ import annotations

from hypothesis import settings

import stores

SHORT = 100
"""Hypothesis's own default, which the profile of the short mode leaves as it is."""


def tries(count: int) -> settings:
    """On PostgreSQL a quarter: what is random in them was tried on SQLite, what is not is the same."""
    times = max(1, settings().max_examples // SHORT)
    return settings(max_examples=max(1, count * times // (1 if stores.kind == "sqlite" else 4)))
