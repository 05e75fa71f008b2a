"""Pages whose commands are run as they stand: the ```sh blocks of one, in one shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from test_serve import PASSPHRASE

DOCS = Path(__file__).parents[2] / "docs"
BETWEEN = "--- next block ---"


def blocks(page: str) -> list[str]:
    """The blocks of a page below `docs`, in order."""
    return re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.S)


def run(home: Path, url: str, parts: list[str], **more: str) -> tuple[list[str], str]:
    """Runs the parts in the folder `home`; a command that fails fails all. Returns what each printed, and the errors."""
    environment = {
        **os.environ, "URL": url, "GARDESH_HOME": str(home), "GARDESH_PASSPHRASE": PASSPHRASE, **more,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", "set -eu -o pipefail\n" + f"\necho; echo '{BETWEEN}'\n".join(parts)],
        cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return [part.strip() for part in done.stdout.split(BETWEEN)], done.stderr
