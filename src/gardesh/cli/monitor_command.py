"""`gardesh monitor`: follow another's log, and say so when it shows two histories, takes entries back or withholds them."""

from __future__ import annotations

import time
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from gardesh.cli import output
from gardesh.cli.files import read_file
from gardesh.cli.proof_commands import trust
from gardesh.exchange.log_source import CHECKPOINT, UNAVAILABLE, source
from gardesh.exchange.monitor import FORKED, SMALLER, TILES_WRONG, ForkFound, Monitor, Seen
from gardesh.model import fork as forks
from gardesh.model.c2sp import write_base64
from gardesh.model.fork import Fork
from gardesh.model.policy import Policy
from gardesh.model.policy_file import parse
from gardesh.model.problem import Problem, define
from gardesh.model.tile import TILE_BROKEN
from gardesh.record.notebook import MEMORY

NOBODY_TRUSTED = define(
    "log-key-not-given",
    400,
    en="Say whose log it is: --log-key VKEY, once for each of its keys, or --policy FILE.",
    fa="بگویید دفتر از آنِ کیست: --log-key VKEY، یک بار برای هر کلید آن، یا --policy FILE.",
)
RULES_BROKEN = 14
EXIT = {FORKED: 10, SMALLER: 11, UNAVAILABLE: 12, TILES_WRONG: 13, TILE_BROKEN: 13}
LogKeys = Annotated[
    list[str] | None, typer.Option("--log-key", help="A key (vkey) of the log; all given have to sign.")
]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", help="A policy file instead: its logs, and its quorum of witnesses."),
]


def monitor(
    where: Annotated[str, typer.Argument(metavar="URL|FOLDER", help="Where the log is served (tlog-tiles).")],
    log_key: LogKeys = None,
    policy: PolicyFile = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="What was seen is kept here; without it, only until the end."),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option("--proof", help="Where to write the proof of a fork; default: fork-ORIGIN.json."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Look once; else again and again.")] = False,
    every: Annotated[float, typer.Option("--every", help="Seconds between two looks.", min=0.1)] = 60.0,
) -> None:
    """Follow a log: signatures, one history, all entries. Exit codes: 10 the log forked, 11 it shows fewer entries than it
    signed, 12 it withholds a file or, once seen, its checkpoint, 13 a file is not what it signed, 14 entries break the rules,
    1 anything else."""
    watching = Monitor(source(where), trusted(log_key, policy), state or MEMORY)
    told = 0
    try:
        while True:
            code, told = look(watching, proof, told)
            if once or code == EXIT[FORKED]:
                raise typer.Exit(code)
            time.sleep(every)
    finally:
        watching.close()


def trusted(log_key: list[str] | None, policy: Path | None) -> Policy:
    made = parse(read_file(policy)) if policy is not None else trust(log_key or [], [], 0)
    if made is None or not made.logs:
        raise Problem(NOBODY_TRUSTED)
    return made


def look(watching: Monitor, proof: Path | None, told: int) -> tuple[int, int]:
    """Look once and say what is seen; the exit code for it, and how many findings have been told by now."""
    try:
        seen = watching.look()
    except ForkFound as found:
        tell_fork(found, proof)
        return EXIT[FORKED], told
    except Problem as problem:
        output.show_problem(problem)
        # Of a log of which nothing was ever seen nothing is known to be withheld: the address is wrong, or a machine is away.
        unseen = watching.state.progress[0] == 0 and problem.params.get("path") == CHECKPOINT
        silent = problem.code == UNAVAILABLE and unseen
        return 1 if silent else EXIT.get(problem.code, 1), told
    tell_seen(seen, told)
    return (RULES_BROKEN if seen.findings else 0), len(seen.findings)


def tell_seen(seen: Seen, told: int) -> None:
    if output.as_json():
        output.emit_line(
            {
                "origin": seen.head.origin, "size": seen.head.size, "root": write_base64(seen.head.root),
                "new": seen.new, "findings": [p.as_dict() for p in seen.findings],
            }
        )  # fmt: skip
        return
    for problem in seen.findings[told:]:
        output.show_problem(problem)
    output.say(
        "{o}: {s} entries, {n} of them new; one history.",
        "{o}: {s} مدخل، {n} تای آن تازه؛ یک تاریخ.",
        o=output.ltr(seen.head.origin),
        s=seen.head.size,
        n=seen.new,
    )


def tell_fork(found: ForkFound, proof: Path | None) -> None:
    """Both signed heads, on the screen and in a file."""
    origin = str(found.params["origin"])
    place = proof or Path(f"fork-{sha256(origin.encode()).hexdigest()[:16]}.json")
    place.write_bytes(found.fork.encode())
    if output.as_json():
        output.emit_line({**found.as_dict(), "file": str(place), **notes(found.fork)})
        return
    output.show_problem(found)
    for note in (found.fork.first, found.fork.second):
        typer.echo(note.decode())
    output.say("The proof is in {f}", "مدرک در {f} است", f=output.ltr(str(place)))


def notes(fork: Fork) -> dict[str, Any]:
    return {"first_checkpoint": fork.first.decode(), "second_checkpoint": fork.second.decode()}


def check_fork(
    file: Annotated[Path, typer.Argument(help="A proof of a fork; - for standard input.")],
    log_key: LogKeys = None,
    policy: PolicyFile = None,
) -> None:
    """Check a proof that a log forked, against the log's keys; it needs no node and no network."""
    found = forks.parse(read_file(file))
    found.check(trusted(log_key, policy))
    if output.as_json():
        output.emit({"forked": True, **notes(found)})
        return
    output.say(
        "It is proved: this log signed two histories.", "ثابت است: این دفتر دو تاریخ را امضا کرده است."
    )
    for note in (found.first, found.second):
        typer.echo(note.decode())
