"""Attachments: named by their digest, streamed, whole or not there at all."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effort import tries
from gardesh.model.problem import Problem
from gardesh.record.blobs import INCOMING, Blobs

MIB = 1 << 20


class Zeros(io.RawIOBase):
    """A file of so many zero bytes that nobody holds in memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        count = self.left if size < 0 else min(size, self.left)
        self.left -= count
        return bytes(count)


def files(blobs: Blobs) -> list[Path]:
    return [p for p in blobs.folder.rglob("*") if p.is_file() and ".by-" not in p.name]


@given(st.binary(max_size=3000))
@tries(50)
def test_what_is_kept_is_given_back_under_its_digest(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        blobs = Blobs(Path(folder) / "blobs")
        digest, size = blobs.put(io.BytesIO(data))
        assert (digest, size) == (hashlib.sha256(data).digest(), len(data))
        assert blobs.size_of(digest) == len(data)
        assert b"".join(blobs.read(digest)) == data


def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    assert blobs.put(io.BytesIO(b"scan")) == blobs.put(io.BytesIO(b"scan"))
    assert len(files(blobs)) == 1
    assert files(blobs)[0].stat().st_mode & 0o077 == 0


def test_a_large_file_goes_in_and_out_with_flat_memory(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    tracemalloc.start()
    digest, size = blobs.put(Zeros(96 * MIB))  # type: ignore[arg-type]
    assert sum(len(piece) for piece in blobs.read(digest)) == size == 96 * MIB
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * MIB


def test_what_is_too_large_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs", limit=10)
    with pytest.raises(Problem) as found:
        blobs.put(io.BytesIO(b"eleven bytes"))
    assert (found.value.code, found.value.params["limit"]) == ("blob-too-large", 10)
    assert files(blobs) == []
    assert blobs.put(io.BytesIO(b"ten bytes."))[1] == 10


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    assert blobs.size_of(bytes(32)) is None
    with pytest.raises(Problem) as found:
        list(blobs.read(bytes(32)))
    assert found.value.code == "no-such-blob"


@pytest.mark.parametrize("size", [1, 100, 3 * MIB])
def test_of_a_file_that_was_changed_the_last_piece_never_comes(tmp_path: Path, size: int) -> None:
    blobs = Blobs(tmp_path / "blobs")
    digest, _ = blobs.put(io.BytesIO(b"x" * size))
    files(blobs)[0].write_bytes(b"x" * (size - 1) + b"y")
    pieces = blobs.read(digest)
    got = list(islice(pieces, (size - 1) // MIB))
    with pytest.raises(Problem) as found:
        next(pieces)
    assert found.value.code == "blob-broken"
    assert sum(map(len, got)) < size


def test_a_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    class Failing(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("the line is cut")

    blobs = Blobs(tmp_path / "blobs")
    with pytest.raises(OSError, match="cut"):
        blobs.put(Failing())  # type: ignore[arg-type]
    assert files(blobs) == []


SLOW = """
import sys, time
from pathlib import Path
from gardesh.record.blobs import Blobs
class Slow:
    def read(self, size):
        print("piece", flush=True)
        time.sleep(0.02)
        return b"z" * 1000
Blobs(Path(sys.argv[1])).put(Slow())
"""


def test_what_a_killed_upload_leaves_is_no_blob_and_is_cleaned_away(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    with subprocess.Popen([sys.executable, "-c", SLOW, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    blobs = Blobs(folder)
    left = list(folder.glob(f"{INCOMING}*"))
    assert len(left) == 1
    assert blobs.clean() == 0
    os.utime(left[0], (time.time() - 90_000,) * 2)
    assert blobs.clean() == 1
    assert files(blobs) == []
