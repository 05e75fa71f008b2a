"""Objects in a real store that speaks S3: whole or not there, once, and no secret in what is told."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gardesh.model.problem import Problem
from gardesh.record.object_store import PART, Bucket, opened
from object_stores import BUCKET, KEY, SECRET, ObjectStore, environment, object_store

MIB = 1 << 20
pytestmark = pytest.mark.sqlite


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("weed")) as made:
        yield made


@pytest.fixture
def bucket(store: ObjectStore, request: pytest.FixtureRequest) -> Bucket:
    return opened(f"s3://{BUCKET}/{request.node.name}/a folder")


def read(bucket: Bucket, name: str) -> bytes:
    return b"".join(bucket.pieces(name))


def test_what_is_put_is_there_once(bucket: Bucket) -> None:
    assert bucket.size_of("a/b") is None
    with pytest.raises(FileNotFoundError):
        read(bucket, "a/b")
    assert bucket.put("a/b", [b"one", b" two"]) == 7
    assert (read(bucket, "a/b"), bucket.size_of("a/b")) == (b"one two", 7)
    never = iter(lambda: pytest.fail("it was asked for bytes"), b"")
    assert bucket.put("a/b", never) is None
    assert bucket.put("a/b", [b"other"]) is None
    assert read(bucket, "a/b") == b"one two"
    bucket.replace("a/b", b"third")
    assert read(bucket, "a/b") == b"third"
    assert bucket.put("a/empty", []) == 0
    assert (read(bucket, "a/empty"), bucket.size_of("a/empty")) == (b"", 0)


def test_names_are_listed_up_to_the_next_slash(bucket: Bucket) -> None:
    assert list(bucket.list("x/")) == []
    for name in ("top", "x/1.json", "x/10.json", "x/y/z", "xy/1"):
        bucket.put(name, [name.encode()])
    assert sorted(bucket.list("x/")) == ["x/1.json", "x/10.json", "x/y"]
    assert sorted(bucket.list("x/1")) == ["x/1.json", "x/10.json"]
    assert sorted(bucket.list("")) == ["top", "x", "xy"]
    bucket.delete("x/1.json")
    bucket.delete("x/1.json")
    assert sorted(bucket.list("x/")) == ["x/10.json", "x/y"]


def test_a_part_is_read_by_itself(bucket: Bucket) -> None:
    bucket.put("n", [bytes(range(256)) * 20_000])
    assert b"".join(bucket.part("n", 3, 5)) == bytes([3, 4, 5, 6, 7])
    long = b"".join(bucket.part("n", 1, 3 * MIB))
    assert (len(long), long[:2], long[-1]) == (3 * MIB, b"\1\2", 0)


def test_of_many_that_put_one_name_at_once_one_does(bucket: Bucket) -> None:
    with ThreadPoolExecutor(8) as pool:
        for turn in range(10):
            name = f"manifests/{turn}.json"
            told = list(pool.map(lambda n, name=name: bucket.put(name, [b"by %d" % n]), range(8)))
            won = [n for n, size in enumerate(told) if size is not None]
            assert len(won) == 1
            assert read(bucket, name) == b"by %d" % won[0]


def test_a_checkpoint_is_swapped_only_for_the_one_that_was_read(bucket: Bucket) -> None:
    kind = {"Content-Type": "text/plain"}
    assert bucket.tagged("checkpoint") is None
    assert bucket.swap("checkpoint", b"first", None, kind)
    assert not bucket.swap("checkpoint", b"another first", None, kind)
    found = bucket.tagged("checkpoint")
    assert found is not None
    assert found[0] == b"first"
    assert bucket.swap("checkpoint", b"second", found[1], kind)
    assert not bucket.swap("checkpoint", b"late", found[1], kind)
    assert bucket.swap("checkpoint", b"second", found[1], kind)  # the answer was lost, and it is sent again
    assert read(bucket, "checkpoint") == b"second"


def test_a_long_stream_goes_in_and_out_with_flat_memory(bucket: Bucket) -> None:
    tracemalloc.start()
    assert bucket.put("large", (bytes([n]) * MIB for n in range(96))) == 96 * MIB
    seen = sum(len(piece) for piece in bucket.pieces("large"))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen == 96 * MIB
    assert most < 48 * MIB
    assert b"".join(bucket.part("large", 90 * MIB - 1, 2)) == bytes([89, 90])


@pytest.mark.parametrize("count", [1, PART // MIB + 4])
def test_a_stream_that_breaks_leaves_nothing(bucket: Bucket, count: int) -> None:
    def broken() -> Iterator[bytes]:
        for _ in range(count):
            yield bytes(MIB)
        raise Problem("blob-broken", digest="00")

    with pytest.raises(Problem, match="blob-broken"):
        bucket.put("broken", broken())
    assert bucket.size_of("broken") is None
    assert list(bucket.list("")) == []


def test_who_may_not_write_is_told_so_without_the_secret(store: ObjectStore) -> None:
    with environment({"AWS_ACCESS_KEY_ID": "reader"}):
        assert "403" in said(opened(f"s3://{BUCKET}/x"))
    with environment({"AWS_SECRET_ACCESS_KEY": SECRET + "-wrong"}):
        assert "403" in said(opened(f"s3://{BUCKET}/x"))
    with environment({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}):
        assert "127.0.0.1" not in said(opened(f"s3://{BUCKET}/x", lasting=False))


def said(bucket: Bucket) -> str:
    """What is told of a failed put, in all its forms, the chain of exceptions too."""
    with pytest.raises(Problem, match="object-store-unusable") as found:
        bucket.put("name", [b"data"])
    assert found.value.__suppress_context__
    told = "\n".join(found.value.sentence(lang) for lang in ("en", "fa")) + repr(found.value.params)
    assert SECRET not in told
    assert "Signature" not in told.replace("SignatureDoesNotMatch", "")
    return told


def test_credentials_may_be_in_a_file(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    with pytest.raises(Problem, match="No such file"):
        opened(f"s3://{BUCKET}/file")
    file.write_text(f"[other]\naws_access_key_id = x\naws_secret_access_key = {SECRET}%\n")
    with pytest.raises(Problem, match="no section") as found:
        opened(f"s3://{BUCKET}/file")
    assert SECRET not in str(found.value)
    file.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    assert opened(f"s3://{BUCKET}/file").put("x", [b"x"]) == 1
