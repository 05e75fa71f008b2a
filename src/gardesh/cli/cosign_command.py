"""`gardesh log cosign`: have the witnesses of a policy cosign the newest checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gardesh.cli import output
from gardesh.cli.files import read_file
from gardesh.cli.home import now as clock
from gardesh.cli.home import open_node
from gardesh.exchange.cosigning import SECONDS, Cosigned, collect
from gardesh.model.policy import Policy, shown
from gardesh.model.policy_file import parse
from gardesh.record.log import stored_tiles


def cosign(
    policy: Annotated[Path, typer.Option("--policy", help="The policy file, with the witnesses' addresses.")],
    out: Annotated[Path | None, typer.Option("--out", help="Also write the checkpoint here.")] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", help="How long each witness may take.", min=0.1)
    ] = SECONDS,
) -> None:
    """Ask witnesses to cosign the newest checkpoint, and keep it with their cosignatures; exit code 1 without a quorum."""
    asked = parse(read_file(policy))
    node = open_node()
    log = node.log
    judge = asked.for_log(log.origin, [s.verifier for s in log.signers])
    size = log.size
    done = collect(log.checkpoint(clock()), stored_tiles(node.store), judge, seconds=seconds)
    log.keep_cosigned(size, done.note)
    node.close()
    if out is not None:
        out.write_bytes(done.note)
    tell(done, judge, size)
    if not done.satisfied:
        raise typer.Exit(1)


def tell(done: Cosigned, policy: Policy, size: int) -> None:
    if output.as_json():
        signed = {shown(name): at for name, at in done.signed.items()}
        missing = {shown(name): problem.as_dict() for name, problem in done.missing.items()}
        output.emit(
            {
                "size": size, "satisfied": done.satisfied, "quorum": policy.rule(), "signed": signed,
                "missing": missing, "checkpoint": done.note.decode(),
            }
        )  # fmt: skip
        return
    for name, at in done.signed.items():
        output.say("✓ {n}, {t}", "✓ {n}، {t}", n=output.ltr(shown(name)), t=output.when(at * 1000))
    for problem in done.missing.values():
        output.show_problem(problem)
    values = {"s": size, "n": len(done.signed), "q": output.ltr(policy.rule())}
    if done.satisfied:
        output.say(
            "The checkpoint of {s} entries has {n} cosignatures; quorum {q} is met.",
            "نقطه‌ی وارسیِ {s} مدخل {n} امضای گواه دارد؛ حد نصاب {q} برآورده است.",
            **values,
        )
    else:
        output.say(
            "The checkpoint of {s} entries has {n} cosignatures; quorum {q} is not met.",
            "نقطه‌ی وارسیِ {s} مدخل {n} امضای گواه دارد؛ حد نصاب {q} برآورده نیست.",
            **values,
        )
