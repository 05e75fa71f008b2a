"""How many examples a property test tries: so many in the short mode, twenty times as many in the long one."""

from __future__ import annotations

from hypothesis import settings

SHORT = 100
"""Hypothesis's own default, which the profile of the short mode leaves as it is."""


def tries(count: int) -> settings:
    return settings(max_examples=count * max(1, settings().max_examples // SHORT))
