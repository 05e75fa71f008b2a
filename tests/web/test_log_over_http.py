"""The public log over HTTP: a stranger with the log's keys checks all of it from static files."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

import httpx
import pytest
from served import Served

from gardesh.model import tile
from gardesh.model.entry import decode_bundle, encode, entry_hash
from gardesh.model.merkle import leaf_hash
from market import Market


@dataclass
class Web:
    """A tile reader over HTTP (C2SP tlog-tiles)."""

    http: httpx.Client

    def read(self, level: int, index: int, width: int) -> bytes:
        answer = self.http.get(f"/log/{tile.tile_path(level, index, width)}")
        assert answer.status_code == 200
        return answer.content


def grown(market: Market) -> None:
    """700 documents: two full tiles and a part of a third."""
    made = [market.admission(f"o{n}", ["member"]) for n in range(700 - market.node.sequencer.size)]
    for answer in market.node.intake.submit_all(made, market.now):
        assert not isinstance(answer, Exception), answer


def test_the_root_follows_from_the_tiles_and_the_tiles_from_the_entries(served: Served) -> None:
    served.do(grown)
    http = served.nobody
    head = served.market.policy.verify(http.get("/log/checkpoint").content).head
    assert head.size == 700
    assert tile.root(700, Web(http)) == head.root
    entries = []
    for index in range(3):
        width = min(256, 700 - 256 * index)
        bundle = http.get(f"/log/{tile.entries_path(index, width)}").content
        entries += decode_bundle(bundle)
        hashes = b"".join(entry_hash(e.digest, e.recorded_at) for e in entries[256 * index :])
        assert Web(http).read(0, index, width) == hashes
    assert leaf_hash(encode(*entries[0])) == Web(http).read(0, 0, 1)
    assert [e.recorded_at for e in entries] == sorted(e.recorded_at for e in entries)


def test_what_never_changes_says_so(served: Served) -> None:
    served.do(grown)
    full = served.nobody.get("/log/tile/0/001")
    assert "immutable" in full.headers["cache-control"]
    assert "immutable" not in served.nobody.get("/log/tile/0/002.p/188").headers["cache-control"]
    again = served.nobody.get("/log/tile/0/001", headers={"if-none-match": full.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    checkpoint = served.nobody.get("/log/checkpoint")
    same = served.nobody.get("/log/checkpoint", headers={"if-none-match": f"W/{checkpoint.headers['etag']}"})
    assert same.status_code == 304


@pytest.mark.parametrize(
    "path",
    ["0/003", "0/002", "0/002.p/189", "1/001", "9/000", "0/0", "0/000.p/0", "0/000.p/256", "x/000", "entries/003",
     "entries/002.p/189", "0/x001/000", "-1/000", "0/000/..", "63/000.p/1", "8/000.p/1", "0/999999"],
)  # fmt: skip
def test_what_the_log_has_not_is_not_there(served: Served, path: str) -> None:
    served.do(grown)
    answer = served.nobody.get(f"/log/tile/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "tile-path-unknown")


def test_a_checkpoint_that_was_cosigned_elsewhere_is_shown_with_its_cosignatures(served: Served) -> None:
    """`gardesh log cosign` is another process; the service has no policy of its own."""
    served.do(grown)
    log = served.market.node.log
    plain = served.nobody.get("/log/checkpoint").content
    cosigned = plain + b"\xe2\x80\x94 guild.example/w " + b64encode(bytes(76)) + b"\n"

    def elsewhere(market: Market) -> None:
        log.keep_checkpoint()
        with market.store.writing():
            market.store.run("UPDATE checkpoints SET note = ? WHERE size = ?", cosigned, log.size)

    served.do(elsewhere)
    assert served.nobody.get("/log/checkpoint").content == cosigned
    served.do(lambda market: market.apply())
    assert served.nobody.get("/log/checkpoint").content.startswith(plain.split(b"\n")[0] + b"\n701\n")
