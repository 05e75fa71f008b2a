"""Attachments and backups in a bucket of a real object store, by services that share nothing else."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backed_up import Kept
from gardesh.model.claims import attachment
from gardesh.model.problem import Problem
from gardesh.record import object_blobs
from gardesh.record.backup_bucket import BucketPlace
from gardesh.record.backup_contents import opened as contents_of
from gardesh.record.backup_place import place_of
from gardesh.record.blobs import Blobs
from gardesh.record.object_blobs import ObjectBlobs
from gardesh.record.object_store import opened
from gardesh.record.uploads import Uploads
from gardesh.study.restoration_check import check
from market import application, record_keys
from object_stores import BUCKET, ObjectStore, object_store

MIB = 1 << 20


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("weed")) as made:
        yield made


@pytest.fixture
def prefix(store: ObjectStore, request: pytest.FixtureRequest) -> str:
    return f"s3://{BUCKET}/{request.node.originalname}"


def blobs(folder: Path, prefix: str, limit: int = 64 * MIB) -> ObjectBlobs:
    return ObjectBlobs(folder, limit, opened(prefix, lasting=False))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.sqlite
def test_what_one_machine_keeps_another_gives_back(prefix: str, tmp_path: Path) -> None:
    one, two = blobs(tmp_path / "one", prefix), blobs(tmp_path / "two", prefix)
    data = os.urandom(9 * MIB + 5)
    digest, size = one.put(io.BytesIO(data), "ali")
    assert (size, two.size_of(digest)) == (len(data), len(data))
    assert b"".join(two.read(digest)) == data
    assert b"".join(two.read_part(digest, 8 * MIB, 7)) == data[8 * MIB : 8 * MIB + 7]
    assert two.held_by(digest, "ali")
    assert not two.held_by(digest, "sara")
    two.give(digest, "sara")
    assert one.held_by(digest, "sara")
    assert two.put(io.BytesIO(data), "city") == (digest, size)
    assert files(tmp_path) == []
    with pytest.raises(Problem, match="no-such-blob"):
        list(two.read(bytes(32)))
    with pytest.raises(Problem, match="blob-too-large"):
        blobs(tmp_path / "one", prefix, 10).put(io.BytesIO(b"eleven bytes"))


@pytest.mark.sqlite
def test_what_is_broken_in_the_bucket_is_not_given_and_can_be_brought_again(
    prefix: str, tmp_path: Path
) -> None:
    one = blobs(tmp_path / "one", prefix)
    digest, _ = one.put(io.BytesIO(b"a scan"), "ali")
    for wrong in (b"another", b"A scan"):
        opened(prefix).replace(f"{digest.hex()[:2]}/{digest.hex()[2:]}", wrong)
        with pytest.raises(Problem, match="blob-broken"):
            list(blobs(tmp_path / "two", prefix).read(digest))
        if len(wrong) == 7:
            blobs(tmp_path / "two", prefix).put(io.BytesIO(b"a scan"), "ali")
            assert b"".join(one.read(digest)) == b"a scan"


@pytest.mark.sqlite
def test_an_upload_is_whole_here_before_it_is_sent(prefix: str, tmp_path: Path) -> None:
    kept = blobs(tmp_path / "one", prefix)
    uploads = Uploads(kept, 3, 1 << 30)
    name = uploads.start("ali")
    with uploads.writing("ali", name, 0) as growing:
        growing.write(b"half ")
        growing.keep = True
    with uploads.writing("ali", name, 5) as growing:
        growing.write(b"whole")
        digest, size = growing.finish()
    assert (size, b"".join(blobs(tmp_path / "two", prefix).read(digest))) == (10, b"half whole")
    assert uploads.done("ali", name) == (digest, 10)


@pytest.mark.sqlite
def test_while_the_store_is_away_documents_with_attachments_wait_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with object_store(tmp_path / "weed") as store:
        prefix = f"s3://{BUCKET}/away"
        kept = Kept(tmp_path)
        kept.blobs = blobs(tmp_path / "one", prefix)
        kept.market.node.intake.attachments = kept.blobs
        kept.market.area()
        kept.attach(b"a plan")
        digest, size = kept.blobs.put(io.BytesIO(b"another plan"), "ali")
        named = [attachment(digest, "text/plain", size)]
        other = blobs(tmp_path / "another process", prefix)
        kept.market.node.intake.attachments = other
        asked, ask = [], other.bucket.size_of

        def counted(name: str) -> int | None:
            asked.append(name)
            return ask(name)

        monkeypatch.setattr(other.bucket, "size_of", counted)
        store.stop()
        for _ in range(3):
            with pytest.raises(Problem, match="object-store-unusable"):
                kept.market.do("ali", "application", application(), attachments=named)
        assert len(asked) == 1
        kept.market.do("ali", "application", application())
        store.start()
        monkeypatch.setattr(object_blobs, "DOWN", 0)
        until = time.monotonic() + 60
        while True:
            try:
                kept.market.do("ali", "application", application(), attachments=named)
                break
            except Problem as problem:
                assert problem.code == "object-store-unusable"
                assert time.monotonic() < until
                time.sleep(0.2)


@pytest.mark.store
def test_a_backup_in_a_bucket_is_one_in_a_folder(prefix: str, tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.a_history()
    kept.back_up()
    folder = kept.place
    kept.place = place_of(prefix)  # type: ignore[assignment]
    first = kept.back_up()
    assert (first.number, first.new, first.attachments, first.missing) == (1, True, 2, [])
    assert kept.back_up().files == 0
    kept.attach(b"a third")
    assert kept.back_up().attachments == 1
    done = check(
        lambda: contents_of(place_of(prefix)), tmp_path, lambda *_: None, record_keys=lambda _: record_keys()
    )
    assert done.problems == []
    assert done.audit is not None
    assert done.audit.documents == kept.market.node.log.size
    both = {path.relative_to(folder.folder).as_posix() for path in files(folder.folder)}
    assert {name for name in both if not name.startswith("manifests/")} < set(everything(kept.place))


def everything(place: object, above: str = "") -> Iterator[str]:
    assert isinstance(place, BucketPlace)
    for name in place.list(above):
        if place.bucket.size_of(name) is not None:
            yield name
        else:
            yield from everything(place, f"{name}/")


@pytest.mark.sqlite
def test_a_backup_that_another_overtook_says_so(prefix: str, tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.a_history()
    kept.place = place_of(prefix)  # type: ignore[assignment]
    kept.back_up()
    kept.attach(b"new")

    class Slow(Blobs):
        """Another backup is made while this one copies an attachment."""

        def read(self, digest: bytes) -> Iterator[bytes]:
            kept.back_up()
            return super().read(digest)

    with pytest.raises(Problem, match="backup-overtaken"):
        kept.back_up(blobs=Slow(kept.blobs.folder))
    assert contents_of(place_of(prefix)).manifest.number == 2


@pytest.mark.sqlite
def test_a_file_that_is_damaged_in_the_bucket_is_named(prefix: str, tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.a_history()
    kept.place = place_of(prefix)  # type: ignore[assignment]
    kept.back_up()
    bucket = opened(prefix)
    victim = contents_of(place_of(prefix)).manifest.documents[0].name
    data = bytearray(b"".join(bucket.pieces(victim)))
    data[len(data) // 2] ^= 1
    bucket.replace(victim, bytes(data))
    found = check(
        lambda: contents_of(place_of(prefix)), tmp_path, lambda *_: None, record_keys=lambda _: record_keys()
    ).problems
    assert [p.params.get("file") for p in found] == [victim]
    bucket.delete(victim)
    found = check(
        lambda: contents_of(place_of(prefix)), tmp_path, lambda *_: None, record_keys=lambda _: record_keys()
    ).problems
    assert [(p.code, p.params.get("file")) for p in found] == [("backup-file-missing", victim)]
