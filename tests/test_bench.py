"""The measuring commands run: what only makes a page of the documentation breaks unseen otherwise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_plans_of_all_statements_are_made_and_none_looks_at_too_much() -> None:
    code = [sys.executable, "-m", "bench.plans", "--documents", "3000"]
    done = subprocess.run(code, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for store in ("SQLite", "PostgreSQL"):
        assert f"{store}, 3,000: memory of a node" in done.stdout
        assert f"{store}, 3,000: accept, the case not at hand" in done.stdout
    assert " statements, 0 that look at too much" in done.stdout
