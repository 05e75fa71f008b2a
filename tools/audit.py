"""Ask which locked packages have known vulnerabilities: `make audit`. Needs the network.

pip-audit asks OSV, and where that cannot be reached, PyPI. Ends with 1 where a package has a known vulnerability, or where a service
answered but knew not all of them; where no service could be asked, says so and ends with 0.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
VENV = Path(os.environ.get("VENV", ROOT / ".venv")).absolute()
TOOL = "pip-audit==2.10.1"


def tool() -> Path:
    """pip-audit, in an environment of its own: what it needs is nothing of ours."""
    place = VENV / "audit-tool"
    if not (place / "bin" / "pip-audit").exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([place / "bin" / "python", "-m", "pip", "install", *quiet, TOOL], check=True)
    return place / "bin" / "pip-audit"


def report(lock: Path, service: str) -> dict[str, Any] | None:
    """What a service says of a lock, as pip-audit has it; None where it could not be asked."""
    words: list[str | Path] = [
        "--requirement",
        lock,
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner",
        "off",
    ]
    told = subprocess.run(
        [tool(), *words, "--vulnerability-service", service, "--format", "json", "--timeout", "20"],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        made: dict[str, Any] = json.loads(told.stdout)
    except ValueError:
        return None
    return made if any("vulns" in each for each in made["dependencies"]) else None


def found(made: dict[str, Any]) -> list[str]:
    """What keeps a report from being clean, a line each."""
    out = []
    for each in made["dependencies"]:
        if "vulns" not in each:
            out.append(f"{each['name']}: not audited: {each.get('skip_reason', '')}")
        for vulnerability in each.get("vulns", ()):
            fixed = ", ".join(vulnerability["fix_versions"]) or "none"
            out.append(f"{each['name']} {each['version']}: {vulnerability['id']}, mended in {fixed}")
    return out


def main() -> int:
    wrong = 0
    for lock in (ROOT / "requirements.lock", ROOT / "requirements-dev.lock"):
        made = report(lock, "osv") or report(lock, "pypi")
        if made is None:
            print(f"{lock.name}: skipped: neither OSV nor PyPI's advisories can be asked from here")
            continue
        lines = found(made)
        print(f"{lock.name}: {len(made['dependencies'])} packages, {len(lines)} findings")
        for line in lines:
            print(f"  {line}")
        wrong += len(lines)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
