"""The docs check: links resolve, generated pages are up to date, nothing names this machine, and the console blocks of
the README and the tutorial run in a fresh copy of the tracked files. `--write` makes the generated pages anew.

In a ```console block each line that begins with `$ ` is a command (its exit code must be 0, or N with ```console exit=N);
a block fenced ```yaml file=path is written to that path first. `make …` commands are only checked to be targets, except
`make demo`, which runs as `gardesh demo`.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import command_line_page
import http_page

ROOT = Path(__file__).parents[1]
RUN = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs" / "tutorial").glob("*.md"))]
MACHINE = re.compile(
    r"(?<![\w.])/(?:work|root|farm)/|/tmp/s/|(?:registry\.npmjs|files\.pythonhosted|pypi\.org)"
)


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [n for n in done.stdout.splitlines() if (ROOT / n).is_file()]


def problems_page() -> str:
    """docs/reference/problems.md, from the catalogue."""
    package = importlib.import_module("gardesh")
    for found in pkgutil.walk_packages(package.__path__, "gardesh."):
        if "migrations" not in found.name:
            importlib.import_module(found.name)
    catalogue = importlib.import_module("gardesh.model.problem").CATALOGUE
    lines = [
        "# Problem codes",
        "",
        "A refusal is an RFC 9457 problem with one of these codes, or with a pack's own rule code.",
        "",
    ]
    lines += ["| code | status | English | فارسی |", "|---|---|---|---|"]
    for code, kind in sorted(catalogue.items()):
        lines.append(f"| `{code}` | {kind.status} | {kind.en} | {kind.fa} |".replace("\n", " "))
    return "\n".join(lines) + "\n"


def formats_page() -> str:
    """docs/reference/formats.md, from the registry of formats."""
    formats = importlib.import_module("gardesh.model.identifiers").FORMATS
    lines = [
        "# Formats",
        "",
        "Formats that a schema may ask of a string.",
        "",
        "| format | English | فارسی | example | source |",
    ]
    lines.append("|---|---|---|---|---|")
    for name, said in sorted(formats.items()):
        en, fa = said.en, said.fa
        lines.append(f"| `{name}` | {en} | {fa} | `{said.example}` | {said.source} |")
    return "\n".join(lines) + "\n"


def schema_page(kind: str) -> str:
    """docs/reference/schema/<kind>.schema.json, from the code."""
    made = importlib.import_module("gardesh.study.pack_schema").published()[kind]
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


KINDS = ("pack", "document", "procedure", "register", "case")
GENERATED: dict[str, Callable[[], str]] = {
    "docs/reference/problems.md": problems_page,
    "docs/reference/formats.md": formats_page,
    "docs/reference/command-line.md": command_line_page.page,
    "docs/reference/http.md": http_page.page,
    "docs/reference/configuration.md": http_page.configuration_page,
    **{f"docs/reference/schema/{kind}.schema.json": partial(schema_page, kind) for kind in KINDS},
}


def check_generated(write: bool) -> list[str]:
    wrong = []
    for path, make in GENERATED.items():
        text = make()
        if write:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(text, encoding="utf-8")
        elif not (ROOT / path).is_file() or (ROOT / path).read_text(encoding="utf-8") != text:
            wrong.append(f"{path} is not up to date: tools/check_docs.py --write")
    return wrong


def check_links(names: list[str]) -> list[str]:
    wrong = []
    for name in names:
        if name.endswith(".md"):
            text = re.sub(r"```.*?```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.S)
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
                if "://" not in target and not target.startswith("mailto:"):
                    if not ((ROOT / name).parent / target).exists():
                        wrong.append(f"{name}: {target} is not there")
    return wrong


def check_machine(names: list[str]) -> list[str]:
    wrong: list[str] = []
    for name in names:
        data = (ROOT / name).read_bytes()
        if name != "tools/check_docs.py" and b"\0" not in data:
            found = MACHINE.finditer(data.decode("utf-8", "replace"))
            wrong.extend(f"{name}: names {match.group(0)!r}" for match in found)
    return wrong


def blocks(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^```([^\n]*)\n(.*?)^```", text, flags=re.S | re.M)


def run_page(name: str, folder: Path) -> list[str]:
    """Run the blocks of a page in order, in one shell."""
    script = ["set -u"]
    for kind, body in blocks((ROOT / name).read_text(encoding="utf-8")):
        file = re.search(r"file=(\S+)", kind)
        if file:
            place = folder / file.group(1)
            script.append(f"mkdir -p '{place.parent}' && cat > '{place}' <<'END_OF_FILE'\n{body}END_OF_FILE")
        elif kind.startswith("console"):
            code = re.search(r"exit=(\d+)", kind)
            want = code.group(1) if code else "0"
            for line in body.splitlines():
                if line.startswith("$ "):
                    command = line[2:]
                    said = shlex.quote(f"exit code of: {command}")
                    script.append(
                        f"{command}\ncode=$?; [ $code = {want} ] || {{ echo $code {said} >&2; exit 9; }}"
                    )
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    return [] if done.returncode == 0 else [f"{name}: {done.stderr[-1500:]}"]


def main() -> int:
    write = "--write" in sys.argv
    names = tracked()
    wrong = check_generated(write) + check_links(names) + check_machine(names)
    for name in RUN if not write else []:
        with tempfile.TemporaryDirectory(prefix="gardesh-docs-") as place:
            done = subprocess.run(["git", "checkout-index", "-a", f"--prefix={place}/"], cwd=ROOT, check=True)
            assert done.returncode == 0
            wrong += run_page(name, Path(place))
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"docs: {len(wrong)} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
