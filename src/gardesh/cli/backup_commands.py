"""Keeping a node: backup, restore, and whether a backup can be restored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from gardesh.cli import output
from gardesh.cli.home import LOG_KEY, blobs, home, keys, open_store, passphrases
from gardesh.cli.home import now as clock
from gardesh.cli.proof_commands import bar
from gardesh.model.problem import Problem
from gardesh.node import NOT_A_NODE, begun
from gardesh.record import backup as keeping
from gardesh.record.backup_contents import opened
from gardesh.record.backup_place import place_of
from gardesh.record.backup_rows import Progress
from gardesh.record.blobs import NO_SUCH_BLOB
from gardesh.record.database import STORE_UNUSABLE, is_server, without_password
from gardesh.record.keys import KeyStore
from gardesh.record.node_folder import KEYS
from gardesh.record.passphrase import Passphrases
from gardesh.record.sealing import RecordKey
from gardesh.study.restoration import Restored
from gardesh.study.restoration import restore as made_again
from gardesh.study.restoration_check import Checked
from gardesh.study.restoration_check import check as tried

SHOWN = 20
Size = Annotated[
    int | None,
    typer.Option("--size", help="Not the newest backup, but the one of a log of so many documents.", min=1),
]
RecordKeysFrom = Annotated[
    Path | None,
    typer.Option(
        "--record-keys",
        help="The folder of the node's keys, where the backup has none; contents are sealed under its record key.",
        exists=True,
        file_okay=False,
    ),
]
STEPS = {"documents": "سندها", "attachments": "پیوست‌ها", "audit": "حسابرسی"}


def backup(
    to: Annotated[str, typer.Argument(metavar="TO", help="A folder for the backups of this node alone.")],
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="Leave the files of keys out; keep them elsewhere.")
    ] = False,
) -> None:
    """Write to a folder what is new since the last backup there, while the node goes on; exit code 1 if attachments are missing.

    The passphrase is asked for only if no checkpoint of the log, as it is now, is stored.
    """
    store = open_store()
    if not begun(store):
        raise Problem(NOT_A_NODE, url=store.url)
    origin = (store.setting("origin") or b"").decode()
    with told() as progress:
        done = keeping.back_up(
            store,
            place_of(to),
            blobs=blobs(),
            keys=None if without_keys else home() / KEYS,
            signers=lambda: keys().load_log(LOG_KEY).signers(origin),
            now=clock(),
            progress=progress,
        )
    store.close()
    if output.as_json():
        output.emit({name: getattr(done, name) for name in done.__slots__})
    else:
        tell_made(done)
    if done.missing:
        raise typer.Exit(1)


def tell_made(done: keeping.Made) -> None:
    values = {"n": done.number, "s": done.size, "r": output.ltr(done.root[:16])}
    if done.new:
        output.say(
            "Backup {n}: {d} new documents, {a} new attachments, {b} bytes in {f} files; the log has {s}, root {r}.",
            "پشتیبان {n}: {d} سند تازه، {a} پیوست تازه، {b} بایت در {f} پرونده؛ دفتر {s} سند دارد، ریشه {r}.",
            d=done.documents,
            a=done.attachments,
            b=done.written,
            f=done.files,
            **values,
        )
    else:
        output.say(
            "Nothing is new since backup {n}; the log has {s}, root {r}.",
            "از پشتیبان {n} چیز تازه‌ای نیست؛ دفتر {s} سند دارد، ریشه {r}.",
            **values,
        )
    if done.keys_changed:
        output.say(
            "{k} files of keys were put in the place of old ones: what was erased cannot be opened here any more.",
            "{k} پرونده‌ی کلید جایگزین پرونده‌های پیشین شد: آنچه پاک شده بود در اینجا نیز دیگر باز نمی‌شود.",
            k=done.keys_changed,
        )
    if done.in_the_clear:
        output.say(
            "[yellow]Earlier backups in this folder hold contents in the clear.[/yellow] Back up to another folder, try"
            " `gardesh verify-restore` there, and delete this one.",
            "[yellow]پشتیبان‌های پیشین این پوشه محتوا را بی‌رمز نگه داشته‌اند.[/yellow] در پوشه‌ی دیگری پشتیبان بگیرید، آن را با"
            " «gardesh verify-restore» بیازمایید و این پوشه را پاک کنید.",
        )
    tell_missing(done.missing)


def tell_missing(missing: list[str]) -> None:
    for digest in missing[:SHOWN]:
        output.show_problem(Problem(NO_SUCH_BLOB, digest=digest))
    if len(missing) > SHOWN:
        output.say("… and {n} more", "… و {n} پیوست دیگر", n=len(missing) - SHOWN)


def restore(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The folder of the backups.")],
    to: Annotated[
        Path | None,
        typer.Option(
            "--home",
            help="An empty folder for the node; without, that of all commands (`gardesh --home`).",
            file_okay=False,
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="URL", help="Put the record into this empty PostgreSQL database."),
    ] = None,
    size: Size = None,
    record_keys: RecordKeysFrom = None,
) -> None:
    """Make the node of the newest backup again: every file checked, every decision derived again, the root compared.

    An older one has to be asked for by --size: a log that goes on from there forks, for others have seen more of it.
    """
    if store is not None and not is_server(store):
        raise Problem(STORE_UNUSABLE, url=without_password(store), reason="it is no PostgreSQL database")
    contents = opened(place_of(source), size)
    place = to if to is not None else home()
    with told() as progress:
        done = made_again(contents, place, store, progress, record_keys=loaded(record_keys))
    if output.as_json():
        members = {name: getattr(done, name) for name in done.__slots__}
        output.emit({"home": str(place), **members, "older": done.older})
    else:
        tell_restored(done, place)


def loaded(given: Path | None) -> Callable[[Path], list[RecordKey]]:
    """The record keys out of a folder that was named, or the backup's own; the passphrase is asked for once."""
    asked: list[Passphrases] = []

    def load(folder: Path) -> list[RecordKey]:
        if not asked:
            asked.append(passphrases())
        return KeyStore(given or folder, asked[0]).load_records()

    return load


def tell_restored(done: Restored, place: Path) -> None:
    output.say(
        "The node is in {h}: {s} documents, {c} cases, {a} attachments, as of {t}; root {r}.",
        "گره در {h} است: {s} سند، {c} پرونده، {a} پیوست، به تاریخ {t}؛ ریشه {r}.",
        h=output.ltr(str(place)),
        s=done.size,
        c=done.cases,
        a=done.attachments,
        t=output.when(done.made_at),
        r=output.ltr(done.root[:16]),
    )
    tell_missing(done.missing)
    if not done.keys:
        output.say(
            "The backup has no keys: put them into {k} before the node writes.",
            "پشتیبان کلیدی ندارد: پیش از نوشتن گره، کلیدها را در {k} بگذارید.",
            k=output.ltr(str(place / KEYS)),
        )
    if done.older:
        output.say(
            "[red]This is an older state:[/red] there is a backup of {n} documents. If this node writes, its log forks.",
            "[red]این حالتی قدیمی‌تر است:[/red] پشتیبانی با {n} سند هست. اگر این گره بنویسد، دفترش دوشاخه می‌شود.",
            n=done.newest,
        )
    output.say(
        "Before it writes, look for a checkpoint of more than {s} documents: with witnesses (`gardesh log cosign` says"
        " witness-ahead), in monitors, at the published log, in receipts that were given out. If there is one, stop: what it"
        " covers is lost here, and going on would fork the log. Look for a later backup instead.",
        "پیش از آنکه بنویسد، به‌دنبال نقطه‌ی وارسی با بیش از {s} سند بگردید: نزد گواهان («gardesh log cosign» می‌گوید"
        " witness-ahead)، در پایشگرها، در دفتر منتشرشده و در رسیدهای داده‌شده. اگر هست، دست نگه دارید: آنچه در بر دارد اینجا از دست رفته"
        " و ادامه‌دادن دفتر را دوشاخه می‌کند. در عوض پشتیبان تازه‌تری بیابید.",
        s=done.size,
    )


def verify_restore(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The folder of the backups.")],
    size: Size = None,
    scratch: Annotated[
        Path | None,
        typer.Option(
            "--scratch",
            help="Where there is room for all of it; default: where temporary files go.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    record_keys: RecordKeysFrom = None,
) -> None:
    """Restore a backup in a scratch folder, audit it there, compare it with what the backup says; exit code 1 if it differs.

    Nothing of it stays.
    """
    place = place_of(source)
    with told() as progress:
        done = tried(lambda: opened(place, size), scratch, progress, record_keys=loaded(record_keys))
    if output.as_json():
        output.emit(told_of(done))
    else:
        tell_checked(done)
    if done.problems:
        raise typer.Exit(1)


def told_of(done: Checked) -> dict[str, Any]:
    restored = (
        {} if done.restored is None else {n: getattr(done.restored, n) for n in done.restored.__slots__}
    )
    return {
        "whole": not done.problems,
        **restored,
        "documents": done.audit.documents if done.audit else 0,
        "by_clock": done.audit.by_clock if done.audit else 0,
        "named_attachments": done.named,
        "registers": done.registers,
        "problems": [p.as_dict() for p in done.problems],
    }


def tell_checked(done: Checked) -> None:
    if done.restored is not None and done.audit is not None:
        output.say(
            "Backup {n} restored and audited: {d} documents ({b} by the clock), {c} cases, {e} entries of registers, {k}"
            " checkpoints, {a} attachments; root {r}",
            "پشتیبان {n} بازگردانده و حسابرسی شد: {d} سند ({b} از ساعت گره)، {c} پرونده، {e} درایه‌ی دفترها، {k}"
            " نقطه‌ی وارسی، {a} پیوست؛ ریشه {r}",
            n=done.restored.number,
            d=done.audit.documents,
            b=done.audit.by_clock,
            c=done.restored.cases,
            e=done.restored.entries,
            k=done.restored.checkpoints,
            a=done.restored.attachments,
            r=output.ltr(done.audit.root[:16]),
        )
    for problem in done.problems:
        output.show_problem(problem)
    if not done.problems:
        output.say("The backup restores to a whole node. ✓", "از این پشتیبان گرهی سالم بازمی‌گردد. ✓")


@contextmanager
def told() -> Iterator[Progress]:
    """A bar for each kind of work, while it lasts."""
    with bar() as shown:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(output.t(what, STEPS[what]), total=total)
            shown.update(tasks[what], completed=done)

        yield progress
