"""What a process that is Gardesh's own sets for itself."""

from __future__ import annotations

import gc


def seldom_collect() -> None:
    """Let the collector of cycles run seldom.

    Each full run looks at every live object: of a node, at all cases in memory, again and again. What a document leaves
    behind is freed by counting references; the few cycles that arise can wait.
    """
    gc.set_threshold(50_000, 20, 100)
