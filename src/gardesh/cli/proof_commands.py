"""Checking without trust: audit, rebuild, the log's checkpoints and proofs, offline verification."""

from __future__ import annotations

import base64
from itertools import groupby
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gardesh.cli import output
from gardesh.cli.home import CLOCK_KEY, open_node, open_store
from gardesh.cli.home import now as clock
from gardesh.exchange import static_log
from gardesh.exchange.static_site import site
from gardesh.model.merkle import verify_consistency
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem, define
from gardesh.model.signer import Verifier
from gardesh.model.tile import consistency_proof, root
from gardesh.record import folder
from gardesh.record.log import stored_tiles
from gardesh.record.store import Store
from gardesh.study.audit import Auditor
from gardesh.study.erasure_check import ErasedDocument
from gardesh.study.rebuilding import rebuild as rebuilt
from gardesh.study.rebuilding import views_differ

log_app = typer.Typer(no_args_is_help=True, help="Checkpoints, proofs and tiles of the log.")
VIEWS_DIFFER = define(
    "views-differ",
    409,
    en="These views are not what the documents make: {tables}.",
    fa="این نماها آن نیست که از اسناد به دست می‌آید: {tables}.",
    hint_en="`gardesh rebuild` derives them again.",
    hint_fa="«gardesh rebuild» آن‌ها را از نو می‌سازد.",
)
BEYOND_THE_LOG = define(
    "beyond-the-log",
    404,
    en="The log has {size} entries; {asked} is beyond it.",
    fa="دفتر {size} درایه دارد؛ {asked} فراتر از آن است.",
)

ERASED_SHOWN = 20


def audit() -> None:
    """Derive every decision again from the documents alone, and compare the root with the signed checkpoint."""
    store = open_store()
    (total,) = store.one("SELECT count(*) FROM documents")
    auditor = Auditor(store, folder.stored(store), CLOCK_KEY)
    with bar() as progress, store.reading():
        task = progress.add_task(output.t("audit", "حسابرسی"), total=total)
        found = auditor.run(lambda n: progress.update(task, completed=n))
        progress.update(task, completed=total)
        differ = views_differ(store, auditor.scratch) if found.whole else []
    if differ:
        found.problems.append(Problem(VIEWS_DIFFER, tables=", ".join(differ)))
    if output.as_json():
        output.emit(
            {
                "documents": found.documents,
                "by_clock": found.by_clock,
                "cases": found.cases,
                "root": found.root,
                "whole": found.whole,
                "erased": [{name: getattr(e, name) for name in e.__slots__} for e in found.erased],
                "problems": [p.as_dict() for p in found.problems],
            }  # fmt: skip
        )
    else:
        output.say(
            "{d} documents ({c} by the clock), {n} cases; root {r}",
            "{d} سند ({c} از ساعت گره)، {n} پرونده؛ ریشه {r}",
            d=found.documents,
            c=found.by_clock,
            n=found.cases,
            r=found.root[:16],
        )
        tell_erased(found.erased)
        for problem in found.problems:
            output.show_problem(problem)
        if found.whole:
            output.say("Every decision follows from the documents. ✓", "هر تصمیم از اسناد به دست می‌آید. ✓")
    if not found.whole:
        raise typer.Exit(1)


def tell_erased(erased: list[ErasedDocument]) -> None:
    for by, some in groupby(erased, key=lambda e: (e.by, e.decision)):
        documents = list(some)
        shown = ", ".join(f"{e.position} ({', '.join(e.fields)})" for e in documents[:ERASED_SHOWN])
        output.say(
            "Erased by decision {b}, {d}, of {n} documents: {s}",
            "پاک‌شده به تصمیم {b}، {d}، از {n} سند: {s}",
            b=by[0],
            d=(by[1] or "—")[:16],
            n=len(documents),
            s=shown + (" …" if len(documents) > ERASED_SHOWN else ""),
        )


def bar() -> Progress:
    """A progress bar on standard error, shown only to people who watch."""
    quiet = output.as_json() or not output.errors.is_terminal
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=output.errors, disable=quiet, transient=True)


def rebuild() -> None:
    """Derive all views again from the documents, and put them in place; they come out the same, byte for byte. Services may go
    on meanwhile; they wait while the views are compared and put in place."""
    store = open_store()
    (total,) = store.one("SELECT count(*) FROM documents")
    with bar() as progress:
        task = progress.add_task(output.t("rebuild", "بازسازی"), total=total)
        found, differ = rebuilt(
            store, folder.stored(store), CLOCK_KEY, lambda n: progress.update(task, completed=n)
        )
    if not found.whole:
        raise found.problems[0]
    if output.as_json():
        output.emit({"documents": found.documents, "differed": differ})
    elif differ:
        output.say("Mended: {t}", "بازسازی شد: {t}", t=", ".join(differ))
    else:
        output.say(
            "{d} documents; every view was right already.", "{d} سند؛ همه‌ی نماها درست بود.", d=found.documents
        )


@log_app.command("key")
def log_key() -> None:
    """The keys of this node's log (C2SP verifier keys), a line each: what `--log-key` and `witness add-log` take."""
    store = open_store()
    keys = msgspec.json.decode(store.setting("log_keys") or b"[]", type=list[str])
    store.close()
    if output.as_json():
        output.emit(keys)
        return
    for line in keys:
        typer.echo(line)


@log_app.command()
def checkpoint() -> None:
    """Print the newest checkpoint: a C2SP signed note."""
    node = open_node()
    typer.echo(node.log.checkpoint(clock()).decode(), nl=False)
    node.close()


@log_app.command()
def prove(
    position: Annotated[int, typer.Argument(help="The position of a document.", min=0)],
    out: Annotated[Path | None, typer.Option("--out")] = None,
    cose: Annotated[
        bool, typer.Option("--cose", help="A COSE receipt (RFC 9942) instead, for verifiers of SCITT.")
    ] = False,
) -> None:
    """Print the receipt of a document: a C2SP tlog-proof under the newest checkpoint."""
    node = open_node()
    row = node.store.one("SELECT digest, recorded_at FROM documents WHERE position = ?", position)
    if row is None:
        raise Problem(BEYOND_THE_LOG, size=node.log.size, asked=position)
    if cose:
        receipt = node.log.cose_receipt(position, bytes(row[0]), row[1])
    else:
        receipt = node.log.receipts([(position, row[1])], node.log.checkpoint(clock()))[0].encode()
    if out is None:
        typer.echo(receipt if cose else receipt.decode(), nl=False)
    else:
        out.write_bytes(receipt)
    node.close()


@log_app.command()
def consistency(
    old: Annotated[int, typer.Argument(help="The size of an earlier tree.", min=1)],
    new: Annotated[int | None, typer.Argument(help="The size of a later one; default: the newest.")] = None,
) -> None:
    """Prove that a later tree extends an earlier one."""
    store = open_store()
    (size,) = store.one("SELECT count(*) FROM documents")
    later = new if new is not None else size
    if not old <= later <= size:
        raise Problem(BEYOND_THE_LOG, size=size, asked=max(old, later))
    tiles = stored_tiles(store)
    proof = consistency_proof(old, later, tiles)
    roots = root(old, tiles), root(later, tiles)
    verify_consistency(old, roots[0], later, roots[1], proof)
    told = {
        "old": old, "old_root": base64.b64encode(roots[0]).decode(), "new": later,
        "new_root": base64.b64encode(roots[1]).decode(), "proof": [base64.b64encode(h).decode() for h in proof],
    }  # fmt: skip
    if output.as_json():
        output.emit(told)
        return
    for name, value in told.items():
        output.console.print(
            f"{name:>9}  {value if not isinstance(value, list) else chr(10).join(value)}", markup=False
        )


@log_app.command()
def publish(
    to: Annotated[
        str,
        typer.Argument(help="A folder, or s3://bucket/prefix; any web server or object store can serve it."),
    ],
) -> None:
    """Write the log as static files: C2SP tlog-tiles, entry bundles and the checkpoint; again, only what is new."""
    node = open_node()
    done = static_log.publish(node.store, node.log.checkpoint(clock()), site(to))
    output.say(
        "{n} files written for {s} entries", "{n} پرونده برای {s} درایه نوشته شد", n=done.written, s=done.size
    )
    if output.as_json():
        output.emit({"written": done.written, "size": done.size})
    node.close()


def trust(keys: list[str], witnesses: list[str], quorum: int) -> Policy | None:
    """A policy from verifier keys given as options; None when none was given."""
    if not keys:
        return None
    log = tuple(Verifier.parse(k) for k in keys)
    return Policy.of_log(log[0].name, log, tuple(Verifier.parse(w) for w in witnesses), quorum)


def log_policy(store: Store) -> Policy:
    """The policy of this node's own log."""
    names = msgspec.json.decode(store.setting("log_keys") or b"[]", type=list[str])
    log = tuple(Verifier.parse(k) for k in names)
    return Policy.of_log((store.setting("origin") or b"").decode(), log)
