"""A witness that lasts: the logs it knows, what it cosigned last of each, its cosignatures (C2SP tlog-witness).

What it cosigned is on the disk before the cosignature leaves it, and the look at what it cosigned before is in the same
transaction; so two requests cannot make it cosign two histories, nor can being killed between them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from gardesh.model import witness
from gardesh.model.merkle import EMPTY_ROOT
from gardesh.model.note import Note, is_key_name
from gardesh.model.problem import Problem, define
from gardesh.model.signer import Signer, Verifier
from gardesh.model.witness import Known, Submitted
from gardesh.record.notebook import Notebook

WITNESS_NAME = define(
    "witness-name-malformed",
    400,
    en="A witness is named like a web address without a scheme, in 255 bytes at most: {name}",
    fa="نام گواه مانند نشانی وب بدون طرح‌واره و حداکثر ۲۵۵ بایت است: {name}",
)
ALREADY_A_WITNESS = define(
    "already-a-witness",
    409,
    en="{file} is a witness already. What it has cosigned is never forgotten.",
    fa="{file} از پیش یک گواه است. آنچه امضا کرده هرگز فراموش نمی‌شود.",
)
NOT_A_WITNESS = define(
    "not-a-witness",
    404,
    en="There is no witness in {file}.",
    fa="گواهی در {file} نیست.",
    hint_en="gardesh witness init --name NAME makes one.",
    hint_fa="«gardesh witness init --name NAME» یکی می‌سازد.",
)
LOG_KEYS_APART = define(
    "witness-log-keys-apart",
    400,
    en="These keys are of several logs: {origins}. Add one log at a time.",
    fa="این کلیدها از چند دفترند: {origins}. هر بار یک دفتر را بیفزایید.",
)
NOTHING_COSIGNED = define(
    "witness-nothing-cosigned",
    404,
    en="This witness has cosigned no checkpoint of this log.",
    fa="این گواه هیچ نقطهٔ وارسی از این دفتر را امضا نکرده است.",
)
MOST_CONFLICTS = 16
"""How many contradicting checkpoints of one log are kept as evidence; one would do."""

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS logs (origin TEXT PRIMARY KEY, keys TEXT NOT NULL, size INTEGER NOT NULL,"
    " root BLOB NOT NULL, at INTEGER NOT NULL, note BLOB NOT NULL, hash TEXT NOT NULL UNIQUE) STRICT",
    "CREATE TABLE IF NOT EXISTS conflicts (origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL,"
    " cosigned BLOB NOT NULL, submitted BLOB NOT NULL, PRIMARY KEY (origin, size, root)) STRICT",
)


@dataclass(frozen=True, slots=True)
class Watched:
    """A log that the witness knows. `at` is when it last cosigned (POSIX s, 0: never), `note` what.

    `conflicts` are pairs of checkpoints that this log signed for one size with different roots: the one cosigned, and
    the one refused.
    """

    known: Known
    at: int
    note: bytes
    conflicts: tuple[tuple[bytes, bytes], ...]


def clock() -> int:
    return int(time.time())


class Witness:
    """The witness in the file `path`, which signs with `cosigners`: those of its name, or none to look only.

    Any number of threads may call it, and any number of processes may open it.
    """

    def __init__(self, path: Path, cosigners: Sequence[Signer] = (), now: Callable[[], int] = clock) -> None:
        if not path.is_file():
            raise Problem(NOT_A_WITNESS, file=str(path))
        self.book = Notebook(path, SCHEMA, create=False)
        self.cosigners, self.now = tuple(cosigners), now
        name = self.book.run("SELECT value FROM settings WHERE name = 'name'")
        if not name:
            raise Problem(NOT_A_WITNESS, file=str(path))
        self.name = str(name[0][0])

    @classmethod
    def create(cls, path: Path, name: str, keys: Sequence[Verifier]) -> None:
        """Make a witness of that name and public keys, which knows no log. Raises `already-a-witness`,
        `witness-name-malformed`."""
        check_name(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            raise Problem(ALREADY_A_WITNESS, file=str(path))
        book = Notebook(path, SCHEMA, create=True)
        with book.writing():
            if book.run("SELECT 1 FROM settings"):
                raise Problem(ALREADY_A_WITNESS, file=str(path))
            rows = [("name", name), ("keys", "\n".join(key.vkey() for key in keys))]
            book.run_many("INSERT INTO settings VALUES (?, ?)", rows)
        book.close()

    @property
    def keys(self) -> tuple[Verifier, ...]:
        """Its public keys, as they were when it was made."""
        [(text,)] = self.book.run("SELECT value FROM settings WHERE name = 'keys'")
        return _read_keys(text)

    def add_log(self, keys: Sequence[Verifier]) -> str:
        """Know a log by these keys from now on, in place of any that it was known by; gives its origin.

        What was cosigned of it stays. A witness that is being served knows at once. Raises `witness-log-keys-apart`.
        """
        origins = sorted({key.name for key in keys})
        if len(origins) != 1:
            raise Problem(LOG_KEYS_APART, origins=", ".join(origins))
        (origin,) = origins
        digest = sha256(origin.encode()).hexdigest()
        text = "\n".join(key.vkey() for key in dict.fromkeys(keys))
        with self.book.writing():
            self.book.run(
                "INSERT INTO logs VALUES (?, ?, 0, ?, 0, x'', ?) ON CONFLICT (origin) DO UPDATE SET keys = excluded.keys",
                origin,
                text,
                EMPTY_ROOT,
                digest,
            )
        return origin

    def known(self, origin: str) -> Known | None:
        rows = self.book.run("SELECT keys, size, root FROM logs WHERE origin = ?", origin)
        return Known(origin, _read_keys(rows[0][0]), rows[0][1], rows[0][2]) if rows else None

    def logs(self) -> list[Watched]:
        """All logs that it knows, by origin."""
        found = []
        for origin, text, size, root, at, note in self.book.run(
            "SELECT origin, keys, size, root, at, note FROM logs ORDER BY origin"
        ):
            pairs = self.book.run("SELECT cosigned, submitted FROM conflicts WHERE origin = ?", origin)
            known = Known(origin, _read_keys(text), size, root)
            found.append(Watched(known, at, note, tuple((a, b) for a, b in pairs)))
        return found

    def add_checkpoint(self, body: bytes) -> bytes:
        """The cosignature lines for a request, or its refusal: as `witness.parse`, `witness.signed_by`,
        `witness.extends`, `witness.cosign`; and `store-unusable` (503), when nothing was cosigned."""
        request = witness.parse(body)
        submitted = witness.signed_by(self.known(witness.origin_of(request.checkpoint)), request.checkpoint)
        head = submitted.head
        with self.book.writing():
            known = self.known(head.origin)
            assert known is not None
            if head.size != known.size or head.root == known.root:
                return self._cosign(witness.extends(known, request, head), submitted)
            self._keep_conflict(submitted)
        witness.extends(known, request, head)
        raise AssertionError("two roots of one size never extend each other")

    def _cosign(self, after: Known, submitted: Submitted) -> bytes:
        """Within the transaction that read what was cosigned before, and that ends before anybody sees the lines."""
        [(before,)] = self.book.run("SELECT at FROM logs WHERE origin = ?", after.origin)
        at = max(
            self.now(), before, 1
        )  # a clock that was set back must not date a larger tree before a smaller one
        lines = witness.cosign(submitted.head, self.cosigners, at)
        note = Note(submitted.note.text, (*submitted.note.signatures, *lines)).encode()
        [_] = self.book.run(
            "UPDATE logs SET size = ?, root = ?, at = ?, note = ? WHERE origin = ? AND size <= ? RETURNING 1",
            after.size,
            after.root,
            at,
            note,
            after.origin,
            after.size,
        )
        return "".join(line.line() for line in lines).encode()

    def _keep_conflict(self, submitted: Submitted) -> None:
        """Two signed roots of one size prove that the log forked, and perhaps nobody else sees both."""
        head = submitted.head
        self.book.run(
            "INSERT INTO conflicts SELECT ?, ?, ?, note, ? FROM logs WHERE origin = ? AND at > 0"
            " AND (SELECT count(*) FROM conflicts WHERE origin = ?) < ? ON CONFLICT DO NOTHING",
            head.origin,
            head.size,
            head.root,
            submitted.note.encode(),
            head.origin,
            head.origin,
            MOST_CONFLICTS,
        )

    def newest(self, digest: str) -> bytes:
        """The checkpoint cosigned last of the log whose origin has this SHA-256 (hex), with the signatures of the log that
        were checked and the cosignatures given. Raises `witness-nothing-cosigned`."""
        rows = self.book.run("SELECT note FROM logs WHERE hash = ? AND at > 0", digest)
        if not rows:
            raise Problem(NOTHING_COSIGNED)
        return bytes(rows[0][0])

    def check(self) -> None:
        """Whether its file can be read now. Raises `store-unusable`."""
        self.book.run("SELECT count(*) FROM logs")

    def close(self) -> None:
        self.book.close()


def check_name(name: str) -> None:
    """Raises `witness-name-malformed`."""
    if not is_key_name(name) or len(name.encode()) > 255:
        raise Problem(WITNESS_NAME, name=name[:255])


def _read_keys(text: str) -> tuple[Verifier, ...]:
    return tuple(Verifier.parse(vkey) for vkey in text.split("\n"))
