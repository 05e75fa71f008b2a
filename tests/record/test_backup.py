"""Backups: only what is new is written, nothing is written over, and what is not whole is not backed up."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

import stores
from backed_up import Kept
from gardesh.model.problem import Problem
from gardesh.record import backup_manifest, schema
from gardesh.record.backup_place import ASIDE, Folder, place_of
from gardesh.record.backup_rows import DOCUMENTS
from gardesh.record.backup_segment import ROWS, Writer, read
from gardesh.record.store import Store
from growing import cosigners
from market import SIGNERS, application

pytestmark = pytest.mark.store


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    made.a_history()
    return made


def nobody() -> Any:
    raise AssertionError("no signature was needed")


def test_a_backup_names_one_state_and_again_writes_nothing(kept: Kept) -> None:
    done = kept.back_up()
    log = kept.market.node.log
    assert (done.number, done.new, done.size, done.root) == (1, True, log.size, log.edge.root().hex())
    assert (done.documents, done.attachments, done.missing) == (log.size, 2, [])
    files = kept.files
    assert (done.files, done.written) == (len(files), sum(map(len, files.values())))
    again = kept.back_up(signers=nobody)
    assert (again.number, again.new, again.files, again.written) == (1, False, 0, 0)
    assert (again.size, again.root) == (done.size, done.root)
    assert kept.files == files
    for path in (kept.place.folder, *kept.place.folder.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0


def test_a_later_backup_writes_only_what_is_new(kept: Kept) -> None:
    kept.back_up()
    for round_ in range(3):
        before = kept.files
        number = kept.back_up().number
        kept.attach(b"plan %d" % round_, reference=f"A-{round_}")
        kept.market.apply("sara", reference=f"B-{round_}")
        done = kept.back_up()
        after = kept.files
        assert {n: after[n] for n in before} == before
        new = {n: after[n] for n in after.keys() - before.keys()}
        assert (done.number, done.documents, done.attachments) == (number + 1, 2, 1)
        assert (done.files, done.written) == (len(new), sum(map(len, new.values())))
        kinds = sorted(n.partition("/")[0] for n in new)
        assert kinds == ["attachments", "blobs", "case-keys", "checkpoints", "documents", "manifests"]
        (segment,) = backup_manifest.read(kept.place, done.number).manifest.documents
        assert [row[0] for row in read(kept.place, segment, DOCUMENTS)] == [done.size - 2, done.size - 1]


def test_a_read_a_pack_a_key_or_the_clock_alone_make_a_new_backup(kept: Kept, tmp_path: Path) -> None:
    kept.back_up()
    market = kept.market
    market.node.read("ali", "9", "once more", market.now)
    assert kept.back_up(signers=nobody).files == 2
    (kept.keys / "sara.pem").write_bytes(b"a key")
    assert kept.back_up(signers=nobody).files == 2
    with market.store.writing():
        market.store.set("time", b"1800000000000")
    assert kept.back_up(signers=nobody).files == 2
    assert kept.back_up(signers=nobody).files == 0
    done = kept.back_up(keys=None)
    assert (done.files, backup_manifest.read(kept.place, done.number).manifest.keys) == (1, None)


def test_a_checkpoint_that_was_cosigned_after_it_was_backed_up_is_taken_again(kept: Kept) -> None:
    market = kept.market
    market.node.log.keep_checkpoint()
    kept.back_up(signers=nobody)
    log = market.node.log
    size, head = log.size, market.policy.verify(log.note).head
    lines = [s.sign(head.text(), market.now // 1000) for s in cosigners("w.example")]
    note = log.note + "".join(line.line() for line in lines).encode()
    log.keep_cosigned(size, note)
    done = kept.back_up(signers=nobody)
    assert (done.new, done.files) == (True, 2)
    rows = list(kept.opened().checkpoints())
    assert [r for r in rows if r[0] == size][-1] == (size, note)
    assert kept.back_up(signers=nobody).new is False


def test_a_stored_checkpoint_of_the_size_spares_the_signature(kept: Kept) -> None:
    kept.market.node.log.keep_checkpoint()
    done = kept.back_up(signers=nobody)
    note = backup_manifest.read(kept.place, done.number).manifest.checkpoint.encode()
    assert kept.market.policy.verify(note).head.size == done.size


def test_a_signed_checkpoint_stays_that_of_its_size(kept: Kept) -> None:
    first = backup_manifest.read(kept.place, kept.back_up().number).manifest
    assert kept.market.policy.verify(first.checkpoint.encode()).head.root.hex() == first.root
    kept.market.node.read("ali", "9", "once more", kept.market.now)
    assert (
        backup_manifest.read(kept.place, kept.back_up(signers=nobody).number).manifest.checkpoint
        == first.checkpoint
    )


def test_an_attachment_that_the_node_lacks_is_told_and_looked_for_again(kept: Kept) -> None:
    digest, _ = kept.blobs.put(io.BytesIO(b"gone"), "ali")
    case = kept.attach(b"gone")
    place = kept.blobs._path(digest)
    place.write_bytes(b"else")
    assert kept.back_up().missing == [digest.hex()]
    place.unlink()
    assert kept.back_up().missing == [digest.hex()]
    assert digest not in [d for d, _, _ in kept.opened().attachments()]
    kept.blobs.put(io.BytesIO(b"gone"), "ali")
    done = kept.back_up()
    assert (done.new, done.attachments, done.missing) == (True, 1, [])
    assert digest in [d for d, _, _ in kept.opened().attachments()]
    assert case


def test_each_node_has_a_place_of_its_own(kept: Kept, tmp_path: Path) -> None:
    kept.back_up()
    files = kept.files
    other = Kept(tmp_path / "other")
    other.place = kept.place
    with pytest.raises(Problem, match="backup-of-another-node"):
        other.back_up()
    assert kept.files == files


def test_a_log_that_went_back_is_not_backed_up_over_its_other_history(kept: Kept) -> None:
    kept.back_up()
    market, size = kept.market, kept.market.node.log.size
    for table in ("documents", "disclosures"):
        with market.store.writing():
            market.store.run(f"DELETE FROM {table} WHERE position >= ?", size - 2)
    with pytest.raises(Problem, match="backup-of-another-history"):
        kept.back_up()
    again = type(market).opened(market.store)
    for n in range(3):
        again.apply("sara", reference=f"Z-{n}")
    with pytest.raises(Problem, match="backup-of-another-history"):
        kept.back_up()
    assert backup_manifest.numbers(kept.place) == [1]


def changed(kept: Kept, sql: str, *values: Any) -> None:
    with kept.market.store.writing():
        kept.market.store.run(sql, *values)


DEEDS = {
    "signed": ("UPDATE documents SET signed = ? WHERE position = 12", b"{}"),
    "digest": ("UPDATE documents SET digest = ? WHERE position = 12", b"\1" * 32),
    "time": ("UPDATE documents SET recorded_at = recorded_at + ? WHERE position = 13", 1),
    "disclosures": ("DELETE FROM disclosures WHERE position >= ?", 12),
    "tile": ("UPDATE tiles SET data = ?", b"\2" * 8192),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_record_that_is_not_whole_is_not_backed_up(kept: Kept, deed: str) -> None:
    market = kept.market
    market.node.log.keep_checkpoint()
    if deed == "tile":
        market.node.intake.submit_all(
            [
                market.paper("sara", "application", application("sara", reference=f"T-{n}"))
                for n in range(260)
            ],
            market.now,
        )
    changed(kept, *DEEDS[deed])
    with pytest.raises(Problem) as found:
        kept.back_up()
    assert found.value.code == "record-broken"
    assert backup_manifest.numbers(kept.place) == []


def test_of_two_backups_at_once_one_is_in_force(kept: Kept) -> None:
    def meanwhile() -> Any:
        kept.back_up()
        kept.files_of_the_other = kept.files  # type: ignore[attr-defined]
        return SIGNERS

    with pytest.raises(Problem, match="backup-overtaken"):
        kept.back_up(signers=meanwhile, now=kept.market.now + 1)
    assert kept.files == kept.files_of_the_other  # type: ignore[attr-defined]
    assert backup_manifest.numbers(kept.place) == [1]


def test_a_damaged_manifest_in_force_is_not_built_upon(kept: Kept) -> None:
    kept.back_up()
    path = kept.place.folder / backup_manifest.file_of(1)
    path.write_bytes(path.read_bytes().replace(b'"size"', b'"sizf"', 1))
    kept.market.apply("sara")
    with pytest.raises(Problem, match="backup-damaged") as found:
        kept.back_up()
    assert found.value.params["file"] == "manifests/000000001.json"
    raw = msgspec.json.encode({"format": "gardesh-backup/2"})
    path.unlink()
    kept.place.put(path.relative_to(kept.place.folder).as_posix(), [sealed(raw)])
    with pytest.raises(Problem, match="backup-of-another-version"):
        kept.back_up()


def sealed(raw: bytes) -> bytes:
    from hashlib import sha256

    return raw + b"\n" + sha256(raw).hexdigest().encode() + b"\n"


def test_what_others_commit_meanwhile_is_not_of_the_state_that_is_read(tmp_path: Path) -> None:
    url = stores.place(tmp_path)
    one, other = Store(url, create=True), Store(url)
    one.set("a", b"1")
    with one.reading():
        before = one.rows("SELECT name FROM settings")
        other.set("b", b"2")
        assert one.rows("SELECT name FROM settings") == before
        assert list(one.each("SELECT name FROM settings")) == before
    assert len(one.rows("SELECT name FROM settings")) == 2
    with pytest.raises(RuntimeError), one.reading(), one.writing():
        pass
    one.set("c", b"3")
    one.close()
    other.close()


def test_many_rows_are_several_segments(tmp_path: Path) -> None:
    place = Folder(tmp_path / "p")
    writer = Writer(place, "settings", ["number", "text"])
    writer.extend((n, "x" * 5) for n in range(ROWS * 2 + 7))
    writer.extend((n, "y" * (3 << 20)) for n in range(10_000, 10_004))
    segments = writer.end()
    assert [s.rows for s in segments] == [ROWS, ROWS, 9, 2]
    assert [(s.first, s.last) for s in segments][1] == (ROWS, 2 * ROWS - 1)
    found = [row for s in segments for row in read(place, s, ["text", "number"])]
    assert [n for _, n in found] == [*range(ROWS * 2 + 7), *range(10_000, 10_004)]
    with pytest.raises(Problem, match="backup-of-another-version"):
        list(read(place, segments[0], ["number", "colour"]))


@pytest.mark.sqlite
def test_a_name_is_put_once_whole_or_not_at_all(tmp_path: Path) -> None:
    place = Folder(tmp_path / "deep" / "place")
    assert place.put("a/b/c", [b"one", b" two"]) == 7
    asked = count()

    def pieces() -> Iterator[bytes]:
        next(asked)
        yield b"other"

    assert place.put("a/b/c", pieces()) is None
    assert next(asked) == 0
    assert b"".join(place.get("a/b/c")) == b"one two"

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise Problem("blob-broken", digest="00")

    with pytest.raises(Problem, match="blob-broken"):
        place.put("a/d", broken())

    def overtaken() -> Iterator[bytes]:
        yield b"mine"
        place.put("a/e", [b"theirs"])

    assert place.put("a/e", overtaken()) is None
    assert b"".join(place.get("a/e")) == b"theirs"
    assert sorted(place.list("a/")) == ["a/b", "a/e"]
    assert list(place.list("nothing/")) == []
    assert os.listdir(place.folder / ASIDE) == []
    with pytest.raises(Problem, match="backup-file-missing"):
        next(place.get("a/d"))
    with pytest.raises(Problem, match="backup-place-unusable"):
        place.put("a/e/f", [b""])


@pytest.mark.sqlite
def test_what_a_killed_backup_left_half_written_is_removed_a_day_later(tmp_path: Path) -> None:
    place = Folder(tmp_path)
    place.put("a", [b"1"])
    old, young = tmp_path / ASIDE / "old", tmp_path / ASIDE / "young"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 100_000,) * 2)
    Folder(tmp_path).put("b", [b"2"])
    assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "where", ["ftp://bucket/prefix", "s3://", "s3://key:secret@bucket/prefix", "s3://bucket?x=1"]
)
def test_what_is_neither_a_folder_nor_a_bucket_is_no_place(where: str) -> None:
    with pytest.raises(Problem, match="backup-place-unusable") as found:
        place_of(where)
    assert "secret" not in str(found.value)


def test_settings_and_columns_are_those_of_the_schema() -> None:
    assert [*(c.name for c in schema.documents.columns), "data", "sealed_under"] == DOCUMENTS
