"""Whether a backup can be restored: by restoring it, in a place that is removed again, and auditing what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gardesh.model.document import parse
from gardesh.model.problem import Problem, define
from gardesh.record import folder
from gardesh.record.backup_contents import Contents
from gardesh.record.backup_rows import Progress
from gardesh.record.blobs import NO_SUCH_BLOB, Blobs
from gardesh.record.node_folder import BLOBS, KEYS, RECORD
from gardesh.record.sealing import RecordKey
from gardesh.record.store import Store
from gardesh.study.audit import Audit, Auditor
from gardesh.study.rebuilding import views_differ
from gardesh.study.record import Stored, stored_documents
from gardesh.study.restoration import Restored, clock_of, restore

COUNT_DIFFERS = define(
    "restored-count-differs",
    409,
    en="What was restored has {found} {what}; the node that was backed up counted {expected}.",
    fa="آنچه بازگردانده شد {found} {what} دارد؛ گرهی که از آن پشتیبان گرفته شد {expected} شمرده بود.",
)
ROOT_DIFFERS = define(
    "restored-root-differs",
    409,
    en="The audit of what was restored finds the root {found}; the backup says {expected}.",
    fa="حسابرسیِ آنچه بازگردانده شد ریشه‌ی {found} را می‌یابد؛ پشتیبان {expected} می‌گوید.",
)
VIEWS_WRONG = define(
    "restored-views-differ",
    409,
    en="What was restored has views that its documents do not make: {tables}.",
    fa="آنچه بازگردانده شد نماهایی دارد که از اسنادش به دست نمی‌آید: {tables}.",
)
SHOWN = 100


@dataclass(slots=True)
class Checked:
    """What a trial restore found. `problems` is empty when the backup restores to a whole node, attachments included."""

    restored: Restored | None = None
    audit: Audit | None = None
    named: int = 0
    """How often documents name an attachment."""
    registers: dict[str, int] = field(default_factory=dict)
    """How many entries each register has."""
    problems: list[Problem] = field(default_factory=list)


def check(
    contents: Callable[[], Contents],
    beside: Path | None = None,
    progress: Progress = lambda what, done, total: None,
    *,
    record_keys: Callable[[Path], Sequence[RecordKey]],
) -> Checked:
    """Restore into a folder made in `beside` (by default where temporary files go), audit the record there, and compare
    it with what the backup says. Nothing of it stays. What is wrong with the backup is among the `problems`.

    `record_keys` as in `restore`. Raises `store-unusable`, `backup-place-unusable`.
    """
    done = Checked()
    with TemporaryDirectory(prefix="gardesh-restore-", dir=beside) as scratch:
        try:
            _check(contents(), Path(scratch), done, progress, record_keys)
        except Problem as problem:
            if problem.kind.status == 503:
                raise
            done.problems.append(problem)
    return done


def _check(
    contents: Contents,
    scratch: Path,
    done: Checked,
    progress: Progress,
    record_keys: Callable[[Path], Sequence[RecordKey]],
) -> None:
    home = scratch / "node"
    done.restored = restore(contents, home, None, progress, record_keys=record_keys)
    store, other = Store(str(home / RECORD)), Store(str(scratch / "audit.sqlite"), create=True)
    store.unlock(lambda: record_keys(home / KEYS))
    try:
        source = Stored(store, older=contents.older)
        auditor = Auditor(source, folder.stored(store), clock_of(source), other)
        total = contents.manifest.size
        done.audit = auditor.run(lambda n: progress("audit", n, total))
        done.problems += done.audit.problems
        _compare(contents, done, done.restored, done.audit)
        if differ := views_differ(store, other) if done.audit.whole else []:
            done.problems.append(Problem(VIEWS_WRONG, tables=", ".join(differ)))
        done.registers = dict(
            store.rows("SELECT register, count(*) FROM entries GROUP BY register ORDER BY register")
        )
        _attachments(store, Blobs(home / BLOBS), done)
    finally:
        store.close()
        other.close()


def _compare(contents: Contents, done: Checked, restored: Restored, audit: Audit) -> None:
    expected = contents.manifest
    if audit.root != expected.root:
        done.problems.append(Problem(ROOT_DIFFERS, found=audit.root, expected=expected.root))
    plus = 1 if expected.size > expected.last_checkpoint else 0  # the checkpoint of the backup itself
    pairs: list[tuple[str, Any, Any]] = [
        ("documents", audit.documents, expected.size),
        ("cases", restored.cases, expected.counts.cases),
        ("entries of registers", restored.entries, expected.counts.entries),
        ("checkpoints", restored.checkpoints, expected.counts.checkpoints + plus),
        ("reads", restored.reads, expected.counts.reads),
    ]
    done.problems += [Problem(COUNT_DIFFERS, what=w, found=f, expected=e) for w, f, e in pairs if f != e]


def _attachments(store: Store, blobs: Blobs, done: Checked) -> None:
    """Each that a document names is there; that it is whole was seen when it was put there, under its digest."""
    absent: set[str] = set()
    for _, _, data in stored_documents(store):
        for named in parse(data).attachments:
            digest = named["id"][-64:]
            done.named += 1
            if blobs.size_of(bytes.fromhex(digest)) != named["size"]:
                absent.add(digest)
    done.problems += [Problem(NO_SUCH_BLOB, digest=digest) for digest in sorted(absent)[:SHOWN]]
