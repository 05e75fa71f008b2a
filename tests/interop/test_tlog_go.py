"""Gardesh's transparency log against Go's implementations of the same standards (`tests/interop/go`)."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from gardesh.model import note
from gardesh.model.checkpoint import attach, sign
from gardesh.model.edge import TileEdge
from gardesh.model.entry import encode, entry_hash
from gardesh.model.policy import Policy
from gardesh.model.receipt import Receipt, verify
from gardesh.model.signer import Signer, Verifier
from gardesh.model.tile import consistency_proof, inclusion_proof, root, tile_path, tile_width
from gardesh.model.treehead import TreeHead

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="the Go toolchain is not installed")

Judge = Callable[[str, dict[str, Any]], dict[str, str]]

ORIGIN = "log.example/gardesh"
SEED = sha256(b"seed").digest()
AT = 1_790_000_000
START = 1_790_000_000_000
COUNT = 70_000
SIZES = [1, 2, 3, 7, 8, 255, 256, 257, 300, 511, 512, 513, 1000, 65_535, 65_536, 65_537, COUNT]
DIGESTS = [sha256(b"document %d" % i).digest() for i in range(COUNT)]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Gives a request to the Go program and returns its answer; `error` is there when a check failed."""
    program = tmp_path_factory.mktemp("go") / "interop"
    build = ["go", "build", "-o", str(program), "."]
    subprocess.run(build, cwd=Path(__file__).parent / "go", check=True, timeout=300)

    def ask(op: str, request: dict[str, Any]) -> dict[str, str]:
        given = json.dumps({"op": op, "with": request}, default=lambda raw: b64encode(raw).decode())
        done = subprocess.run([program], input=given, capture_output=True, text=True, check=True, timeout=120)
        answer: dict[str, str] = json.loads(done.stdout)
        return answer

    return ask


class Tiles:
    """The tiles of a log, from a `TileEdge` that has grown to it."""

    def __init__(self, count: int) -> None:
        self.edge = TileEdge()
        leaves = (entry_hash(digest, START + i) for i, digest in enumerate(DIGESTS[:count]))
        self.full = {(level, index): tile for level, index, tile in self.edge.append(leaves)}

    def read(self, level: int, index: int, width: int) -> bytes:
        return self.edge.reader(lambda at, i: self.full[at, i]).read(level, index, width)


@pytest.fixture(scope="module")
def tiles() -> Tiles:
    return Tiles(COUNT)


def claims(tiles: Tiles) -> dict[str, Any]:
    """What is said of the tree at several sizes, for the other side to check."""
    spots = {
        size: sorted({0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size))) for size in SIZES
    }
    named = [
        (0, 0, 256),
        (0, 0, 1),
        (0, 200, 256),
        (0, 273, 112),
        (1, 0, 256),
        (1, 0, 3),
        (1, 1, 17),
        (2, 0, 1),
    ]
    assert all(width <= tile_width(COUNT, level, index) for level, index, width in named)
    return {
        "entries": [encode(digest, START + i) for i, digest in enumerate(DIGESTS)],
        "roots": {size: root(size, tiles) for size in SIZES},
        "inclusions": [
            {"index": index, "size": size, "proof": inclusion_proof(index, size, tiles)}
            for size in SIZES
            for index in spots[size]
        ],
        "consistencies": [
            {"old": old, "new": new, "proof": consistency_proof(old, new, tiles)}
            for new in SIZES
            for old in SIZES
            if old <= new
        ],
        "tiles": [
            {"level": level, "index": index, "width": width, "path": tile_path(level, index, width)}
            | {"data": tiles.read(level, index, width)}
            for level, index, width in named
        ],
    }


def flipped(raw: bytes) -> bytes:
    return bytes([raw[0] ^ 1]) + raw[1:]


def test_roots_proofs_tiles_and_paths_are_those_of_go(judge: Judge, tiles: Tiles) -> None:
    assert judge("tree", claims(tiles)) == {}


def test_go_refuses_what_is_changed_in_them(judge: Judge, tiles: Tiles) -> None:
    wrong = claims(tiles)
    wrong["roots"] = {7: flipped(wrong["roots"][7])}
    for kind in ("inclusions", "consistencies"):
        claim = next(c for c in wrong[kind] if c["proof"])
        wrong[kind] = [claim | {"proof": [flipped(claim["proof"][0]), *claim["proof"][1:]]}]
    wrong["tiles"] = [wrong["tiles"][0] | {"data": flipped(wrong["tiles"][0]["data"])}]
    faults = judge("tree", wrong)["error"].splitlines()
    assert [fault.split()[0] for fault in faults] == ["root", "inclusion", "consistency", "tile"]


def log_signers() -> tuple[Signer, Signer]:
    return (
        Signer.of_notes(ORIGIN, Ed25519PrivateKey.from_private_bytes(SEED)),
        Signer.of_checkpoints(ORIGIN, MLDSA44PrivateKey.from_seed_bytes(SEED)),
    )


def test_go_opens_our_checkpoint_and_passes_over_its_other_signatures(judge: Judge, tiles: Tiles) -> None:
    signers = log_signers()
    raw = sign(TreeHead(ORIGIN, COUNT, root(COUNT, tiles)), signers, AT)
    vkeys = [signers[0].verifier.vkey()]
    assert judge("open", {"vkeys": vkeys, "note": raw})["text"].encode() == raw.partition(b"\n\n")[0] + b"\n"
    assert "error" in judge("open", {"vkeys": vkeys, "note": raw.replace(b"70000", b"70001")})


def test_we_open_a_checkpoint_that_go_signed(judge: Judge, tiles: Tiles) -> None:
    head = TreeHead(ORIGIN, COUNT, root(COUNT, tiles))
    answer = judge("sign", {"name": ORIGIN, "seed": SEED, "text": head.text()})
    policy = Policy.of_log(ORIGIN, (Verifier.parse(answer["vkey"]),))
    assert policy.logs[0].keys == (log_signers()[0].verifier,)
    assert policy.verify(answer["note"].encode()).head == head


def cosigner(kind: int) -> Signer:
    key = Ed25519PrivateKey.from_private_bytes(SEED) if kind == 4 else MLDSA44PrivateKey.from_seed_bytes(SEED)
    return Signer.of_checkpoints("witness.example/w1", key)


@pytest.mark.parametrize("kind", [4, 6])
def test_go_verifies_our_cosignature(judge: Judge, kind: int) -> None:
    signer, text = cosigner(kind), TreeHead(ORIGIN, 5, SEED).text()
    signature = signer.sign(text, AT)
    request = {
        "type": kind,
        "name": signature.name,
        "public": signer.verifier.public,
        "text": text,
        "blob": signature.key_id + signature.blob,
    }
    assert judge("cosigned", request) == {}
    assert "error" in judge("cosigned", request | {"text": text.replace("\n5\n", "\n6\n")})


@pytest.mark.parametrize("kind", [4, 6])
def test_we_verify_a_cosignature_of_go(judge: Judge, kind: int) -> None:
    head = TreeHead(ORIGIN, 5, SEED)
    request = {"type": kind, "name": "witness.example/w1", "seed": SEED, "at": AT, "text": head.text()}
    answer = judge("cosign", request)
    witness = Verifier.parse(answer["vkey"])
    assert witness == cosigner(kind).verifier
    line = note.parse_signatures(answer["note"].encode())
    log = Signer.of_notes(ORIGIN, Ed25519PrivateKey.from_private_bytes(sha256(b"log").digest()))
    raw = attach(sign(head, [log], AT), line, [witness])
    assert Policy.of_log(ORIGIN, (log.verifier,), (witness,), 1).verify(raw).witnessed == {witness.name: AT}


def test_go_verifies_our_receipt(judge: Judge, tiles: Tiles) -> None:
    signers = log_signers()
    checkpoint = sign(TreeHead(ORIGIN, COUNT, root(COUNT, tiles)), signers, AT)
    for position in (0, 65_536, COUNT - 1):
        proof = tuple(inclusion_proof(position, COUNT, tiles))
        receipt = Receipt(position, START + position, proof, checkpoint)
        policy = Policy.of_log(ORIGIN, tuple(s.verifier for s in signers))
        assert verify(receipt, DIGESTS[position], policy) == (position, START + position)
        request = {
            "vkey": signers[0].verifier.vkey(),
            "digest": DIGESTS[position],
            "receipt": receipt.encode(),
        }
        assert "error" not in judge("receipt", request)
        assert "error" in judge("receipt", request | {"digest": DIGESTS[position - 1]})
