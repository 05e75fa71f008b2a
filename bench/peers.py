"""Other people's programs on the like of our work, where they can be installed (`bench/programs`), in an environment of their own.

Nothing of Gardesh depends on them. Where one cannot be had, the table says so. Each does less than a node; what it does is
said in the table, and what of ours stands beside it.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from bench.clients import carry, single
from bench.material import Material
from bench.over_http import CLIENTS
from bench.table import Table, seconds
from gardesh.model.document import parse, sign, verify
from gardesh.model.jose import PrivateKey
from gardesh.record.clock import salt

PROGRAMS = Path(__file__).parent / "programs"
PLACE = Path("build/peers")
PYTHON = (
    "pyas2lib==1.4.4",
    "SpiffWorkflow==3.2.0",
    "litestar==2.25.0",
    "psycopg[binary,pool]==3.3.9",
    "uvicorn==0.54.0",
    "uvloop==0.23.0",
    "httptools==0.9.0",
)
NODE = "@trustvc/trustvc@2.11.0"
ROUNDS = 3
ENTRIES = 256
"""Under way at once in Tessera, which answers with the next checkpoint, every tenth of a second."""
PATIENCE = 300


class Missing(Exception):
    """What one needs is not here, or cannot be had."""


def measure(table: Table, made: Material, url: str) -> None:
    """`url`: a PostgreSQL database."""
    PLACE.mkdir(parents=True, exist_ok=True)
    papers = [p for case in made.cases for p in case]
    file, subjects = PLACE / "papers", PLACE / "subjects"
    file.write_bytes(b"\n".join(papers) + b"\n")
    subjects.write_bytes(b"\n".join(msgspec.json.encode(parse(p).subject) for p in papers[:30]) + b"\n")
    table.add("sign a document, and verify it (ours)", [signed(papers) for _ in range(ROUNDS)], "documents/s")
    steps = len(made.cases[0])
    works: list[tuple[str, str, Callable[[], list[float]]]] = [
        ("pyas2lib: sign, verify, signed MDN, verify it", "documents/s", lambda: as2(file)),
        ("@trustvc/trustvc: issue, show all, verify", "documents/s", lambda: credentials(subjects)),
        (f"SpiffWorkflow: {steps} steps in memory", "cases/s", lambda: workflow(steps)),
        (
            f"Litestar, one INSERT in PostgreSQL, {CLIENTS} clients, nothing verified",
            "documents/s",
            lambda: inserted(made, url),
        ),
        (f"Tessera POSIX, {ENTRIES} at once, nothing verified", "documents/s", lambda: appended(file)),
    ]
    for what, unit, work in works:
        try:
            table.add(what, work(), unit)
        except Missing as missing:
            table.tell(what, "—", str(missing))


def signed(papers: list[bytes]) -> float:
    """How many a second in one process, without a node."""
    key = PrivateKey(ec.generate_private_key(ec.SECP256R1()))
    work = []
    for envelope in map(parse, papers[:300]):
        claims = {k: v for k, v in envelope.claims.items() if k not in ("credentialSubject", "_sd_alg")}
        work.append((claims, envelope.subject))

    def all_of_them() -> None:
        for claims, subject in work:
            verify(parse(sign(claims, subject, key, salt=salt)), key.public)

    return len(work) / seconds(all_of_them, 1)


def as2(file: Path) -> list[float]:
    return told(python(), PROGRAMS / "as2.py", file, 100, ROUNDS)


def workflow(steps: int) -> list[float]:
    return told(python(), PROGRAMS / "cases.py", steps, 30, ROUNDS)


def credentials(subjects: Path) -> list[float]:
    if not (PLACE / "node_modules").is_dir():
        quiet("npm", "install", "--prefix", PLACE, "--no-audit", "--no-fund", "--ignore-scripts", NODE)
    return told("node", PROGRAMS / "credentials.mjs", subjects.resolve(), ROUNDS, folder=PLACE)


def appended(file: Path) -> list[float]:
    made = PLACE.resolve() / "log"
    if not made.is_file():
        quiet("go", "build", "-o", made, ".", folder=PROGRAMS / "log")
    return told(made, file, ROUNDS, ENTRIES)


def inserted(made: Material, url: str) -> list[float]:
    rates = []
    for _ in range(ROUNDS):
        with serving(python(), PROGRAMS / "inserting.py", url) as address:
            spent = asyncio.run(carry([address], made.cases, single, CLIENTS))
        rates.append(made.documents / spent)
    return rates


@contextmanager
def serving(*words: object) -> Iterator[str]:
    process = subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def python() -> Path:
    """An interpreter that has the programs of Python."""
    found = PLACE / "python" / "bin" / "python"
    if not found.is_file():
        venv.create(PLACE / "python", with_pip=True)
    if not (PLACE / "python" / ".ready").is_file():
        quiet(found, "-m", "pip", "install", "-q", *PYTHON)
        (PLACE / "python" / ".ready").touch()
    return found


def told(*words: object, folder: Path | None = None) -> list[float]:
    """The rates that a program prints."""
    rates: list[float] = json.loads(quiet(*words, folder=folder))
    return rates


def quiet(*words: object, folder: Path | None = None) -> str:
    """What it prints. Raises Missing where it is not there, fails, or takes too long."""
    name = Path(str(words[0])).name
    if shutil.which(str(words[0])) is None:
        raise Missing(f"{name} is not here")
    try:
        done = subprocess.run(
            [*map(str, words)], cwd=folder, capture_output=True, text=True, check=True, timeout=PATIENCE
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout or "").strip().splitlines()[-1:]
        raise Missing(f"{name} failed: {''.join(last)[:80]}") from None
    except subprocess.TimeoutExpired:
        raise Missing(f"{name} took more than {PATIENCE} s") from None
    return done.stdout
