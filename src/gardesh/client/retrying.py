"""How long to wait before asking again."""

from __future__ import annotations

import random

ATTEMPTS = 5
LONGEST = 10.0


def pause(attempt: int, said: str | None) -> float:
    """Seconds: what the node said (Retry-After), else longer each time, with jitter so that clients do not come together."""
    if said is not None and said.isdecimal():
        return min(float(said), LONGEST)
    return min(LONGEST, 0.1 * float(2**attempt)) * random.uniform(0.5, 1.0)  # noqa: S311
