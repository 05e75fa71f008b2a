"""`gardesh witness`: cosign the checkpoints of other logs, for those who want to know that a log shows all one history."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from gardesh.cli import output
from gardesh.cli.home import home, keys
from gardesh.exchange.witness import ALREADY_A_WITNESS, Watched, Witness, check_name
from gardesh.exchange.witness_server import WitnessServer
from gardesh.listening import listen, url_of
from gardesh.model.problem import Problem
from gardesh.model.signer import SignatureType, Verifier
from gardesh.record.keys import KEY_EXISTS
from gardesh.web.protocol import limited

app = typer.Typer(no_args_is_help=True, help="A witness: cosigns the checkpoints of logs that it knows.")
WITNESS_KEY = "witness"


def witness_path() -> Path:
    return home() / "witness.sqlite"


@app.command()
def init(
    name: Annotated[
        str, typer.Option("--name", help="Its name in cosignatures, like a web address without a scheme.")
    ],
) -> None:
    """Make a witness: its two keys (ML-DSA-44 and Ed25519), and the file of what it cosigned."""
    check_name(name)
    if witness_path().exists():
        raise Problem(ALREADY_A_WITNESS, file=str(witness_path()))
    held = keys(fresh=True)
    try:
        made = held.create_log(WITNESS_KEY)
    except Problem as problem:
        if problem.code != KEY_EXISTS:
            raise
        made = held.load_log(WITNESS_KEY)  # an earlier `init` got no further
    Witness.create(witness_path(), name, [c.verifier for c in made.cosigners(name)])
    key()


@app.command("add-log")
def add_log(
    vkey: Annotated[list[str], typer.Argument(help="All verifier keys of the log (NAME+ID+KEY).")],
) -> None:
    """Know a log by these keys alone; given again, they take the place of the earlier ones."""
    witness = Witness(witness_path())
    origin = witness.add_log([Verifier.parse(v) for v in vkey])
    if output.as_json():
        output.emit({"origin": origin, "keys": vkey})
    output.say("The log {o} is known now.", "دفتر {o} از این پس شناخته است.", o=output.ltr(origin))


@app.command()
def key(
    url: Annotated[str, typer.Option("--url", help="Where the witness is served, for the policy line.")] = "",
) -> None:
    """Print the witness's public keys, as lines for a policy file (C2SP tlog-policy)."""
    witness = Witness(witness_path())
    lines = [f"witness {witness.name} {k.vkey()} {url}".strip() for k in witness.keys]
    if output.as_json():
        told = {"name": witness.name, "keys": [k.vkey() for k in witness.keys], "policy": lines}
        output.emit(told)
        return
    for verifier, line in zip(witness.keys, lines, strict=True):
        old = verifier.type == SignatureType.COSIGNATURE_ED25519
        typer.echo(("# Ed25519, for who has no ML-DSA-44: " if old else "") + line)


@app.command("list")
def list_logs() -> None:
    """The logs that the witness knows, how far it has cosigned them, and contradictions they signed."""
    rows = Witness(witness_path()).logs()
    if output.as_json():
        output.emit([told(row) for row in rows])
        return
    if not rows:
        output.say("It knows no log yet.", "هنوز دفتری نمی‌شناسد.")
        return
    output.table(
        [("log", "دفتر"), ("entries", "مدخل"), ("cosigned", "آخرین امضا"), ("forks", "انشعاب")],
        [
            [
                output.ltr(row.known.origin), output.number(row.known.size),
                output.when(row.at * 1000 if row.at else None), output.number(len(row.conflicts)),
            ]
            for row in rows
        ],
    )  # fmt: skip


def told(row: Watched) -> dict[str, object]:
    return {
        "origin": row.known.origin, "keys": [k.vkey() for k in row.known.keys], "size": row.known.size,
        "cosigned_at": row.at, "checkpoint": row.note.decode(),
        "conflicts": [{"cosigned": a.decode(), "refused": b.decode()} for a, b in row.conflicts],
    }  # fmt: skip


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="The address to serve at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="The port; 0 takes a free one.", min=0, max=65535)
    ] = 7380,
) -> None:
    """Serve the witness over HTTP (C2SP tlog-witness) until it is stopped; put TLS in front of it."""
    if not witness_path().is_file():
        Witness(witness_path())
    held = keys().load_log(WITNESS_KEY)
    witness = Witness(witness_path())
    witness.cosigners = tuple(held.cosigners(witness.name))
    listening = listen(host, port)
    where = url_of(listening) + "/"
    if output.as_json():
        output.emit_line({"serving": where, "name": witness.name})
    output.say(
        "The witness {n} is at {w}", "گواه {n} در {w} است", n=output.ltr(witness.name), w=output.ltr(where)
    )
    uvicorn.Server(configured(witness)).run(sockets=[listening])
    witness.close()


def configured(witness: Witness) -> uvicorn.Config:
    """How a witness is served: as a node is, so that one client does not keep the others out."""
    return uvicorn.Config(
        WitnessServer(witness), lifespan="off", log_level="warning", access_log=False, server_header=False,
        limit_concurrency=256, timeout_graceful_shutdown=10, http=limited(64, ("127.0.0.1", "::1")), ws="none",
    )  # fmt: skip
