"""The log as objects of a real store: the same files as in a folder, followed from there over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gardesh.exchange import static_site
from gardesh.exchange.static_log import publish
from gardesh.exchange.static_site import CHECKPOINT, Folder, site
from gardesh.model.problem import Problem
from gardesh.record.object_store import Bucket, opened
from growing import GrowingLog, forked
from object_stores import PUBLIC, SECRET, ObjectStore, environment, object_store
from served_log import Served, files

pytestmark = pytest.mark.sqlite


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("weed")) as made:
        yield made


@pytest.fixture
def prefix(store: ObjectStore, request: pytest.FixtureRequest) -> str:
    return f"s3://{PUBLIC}/{request.node.originalname}"


def objects(bucket: Bucket, above: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name in bucket.list(above):
        if bucket.size_of(name) is None:
            found |= objects(bucket, f"{name}/")
        else:
            found[name] = b"".join(bucket.pieces(name))
    return found


def test_what_is_published_is_what_a_folder_holds_and_is_followed_over_http(
    prefix: str, store: ObjectStore, tmp_path: Path
) -> None:
    log, folder, bucket = GrowingLog(), tmp_path / "folder", opened(prefix)
    served = Served(tmp_path, f"{store.url}/{PUBLIC}/{prefix.rpartition('/')[2]}")
    before = 0
    for size in (1, 255, 256, 257, 700):
        note = log.grow(size).note()
        done = publish(log.store, note, Folder(folder))
        assert publish(log.store, note, site(prefix)) == done
        assert objects(bucket) == {
            p.relative_to(folder).as_posix(): p.read_bytes() for p in files(folder, ".")
        }
        assert served.look() == (size, size - before, [])
        before = size
    assert publish(log.store, objects(bucket)[CHECKPOINT], site(prefix)).written == 0


def test_another_history_is_not_written_over(prefix: str) -> None:
    log, bucket = GrowingLog(30), opened(prefix)
    publish(log.store, log.note(), site(prefix))
    before = objects(bucket)
    for other in (forked(7, 40), GrowingLog(20), GrowingLog(40, "other.example/log")):
        with pytest.raises(Problem, match="published-log-differs") as found:
            publish(other.store, other.note(), site(prefix))
        assert found.value.params["folder"] == prefix
    assert objects(bucket) == before


def test_of_two_that_publish_at_once_the_checkpoint_of_one_stands(prefix: str) -> None:
    log = GrowingLog(300)
    publish(log.store, log.note(), site(prefix))
    early, late = site(prefix), site(prefix)
    early.checkpoint()
    newest = log.grow(900).note()
    publish(log.store, newest, late)
    with pytest.raises(Problem, match="published-log-overtaken"):
        early.finish(log.note(600))
    early.close()
    assert objects(opened(prefix))[CHECKPOINT] == newest


def test_a_store_that_fails_in_between_leaves_the_checkpoint_before(
    prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, bucket = GrowingLog(10), opened(prefix)
    publish(log.store, log.note(), site(prefix))
    before = objects(bucket)[CHECKPOINT]
    monkeypatch.setattr(static_site, "AT_ONCE", 2)
    with (
        environment({"AWS_ACCESS_KEY_ID": "reader"}),
        pytest.raises(Problem, match="object-store-unusable") as found,
    ):
        publish(log.grow(5_000).store, log.note(), site(prefix))
    assert SECRET not in str(found.value)
    assert objects(bucket)[CHECKPOINT] == before
    newest = log.note()
    publish(log.store, newest, site(prefix))
    assert objects(bucket)[CHECKPOINT] == newest
