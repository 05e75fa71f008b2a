"""Several nodes on hosts of their own, in network namespaces: what `apart.py` holds, run where that is possible."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gardesh.hosts import allowed, enclosed

HERE = Path(__file__).parent


def test_nodes_apart_and_nodes_that_lie(tmp_path: Path) -> None:
    if not allowed():
        pytest.skip("network namespaces with TUN devices cannot be made here")
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(HERE / "apart.py")]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(
        enclosed([*words, f"--basetemp={tmp_path / 'apart'}"]),
        capture_output=True,
        text=True,
        env=environment,
        cwd=HERE.parent.parent,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
