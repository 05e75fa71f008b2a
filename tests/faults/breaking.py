"""Disks that are full, turn read-only, lose what was not synced, or keep half of it."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import httpx
import psycopg
from database import tear
from killing import published, tree
from run import Run
from services import wait_for
from volume import Volume

from gardesh.client import Unexpected
from gardesh.record.blobs import Blobs
from gardesh.record.store import Store

KIB = 1 << 10


def disk_of(run: Run) -> Volume:
    """The disk of the record."""
    if run.store == "sqlite":
        return run.lane.disk
    assert run.lane.database_disk is not None
    return run.lane.database_disk


def up_again(run: Run) -> None:
    """A database that gave up when its disk was full is begun again by whoever keeps it."""
    if run.store == "postgresql":
        run.lane.schemas.server.up()


def disk_full(run: Run) -> None:
    """Whatever is written is refused with a reason, the service lives, and goes on by itself when there is room."""
    disk = disk_of(run)
    service = run.serve()
    try:
        with run.circulation(20, pause=0.01) as circulation:
            run.moment(circulation)
            disk.fill(run.dice.choice((0, 40, 200, 600)) * KIB)
            if run.store == "postgresql" and run.dice.random() < 0.5:
                with suppress(psycopg.Error):  # its log is what there is no room for then
                    for _ in range(8):
                        run.lane.schemas.server.run(
                            "CREATE TABLE IF NOT EXISTS filler (a text); SELECT pg_switch_wal()"
                        )
            refused, end = len(run.heard.refused), time.monotonic() + 2
            while len(run.heard.refused) < refused + 3 and time.monotonic() < end:
                time.sleep(0.01)
            assert httpx.get(f"{run.where()}/healthz").status_code == 200
            if run.dice.random() < 0.3:
                service.kill()
            disk.free()
            up_again(run)
            if service.ended:
                run.serve()
            circulation.more(5)
        assert set(run.heard.refused) <= {"store-unusable"}
    finally:
        disk.free()
        up_again(run)


def file_limited(run: Run) -> None:
    """A file of the record may not grow (RLIMIT_FSIZE), of a process that runs: no privileges are needed for this."""
    service = run.serve()
    with run.circulation(20, pause=0.01) as circulation:
        run.moment(circulation)
        pid, size = service.pid, run.dice.choice((16, 200)) * KIB
        if run.store == "postgresql":
            sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'site-serve'"
            pid = int(str(run.lane.schemas.server.run(sql)[0][0]))
        limit_files(run, pid, str(size))
        refused, end = len(run.heard.refused), time.monotonic() + 2
        while len(run.heard.refused) < refused + 3 and time.monotonic() < end:
            time.sleep(0.01)
        with suppress(OSError):  # the database ends a process that may not write its log
            limit_files(run, pid, "unlimited")
        up_again(run)
        circulation.more(5)
    assert set(run.heard.refused) <= {"store-unusable"}


def limit_files(run: Run, pid: int, most: str) -> None:
    """As the user that the process runs as: others may not without a privilege."""
    user = run.lane.schemas.server.user if run.store == "postgresql" else None
    words = ["prlimit", f"--fsize={most}:", "--pid", str(pid)]
    done = subprocess.run(words, user=user, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr)


def read_only(run: Run) -> None:
    """From one moment on nothing can be written, as when a disk has failed. The service says so, and answers questions;
    then the disk is mounted again."""
    disk = disk_of(run)
    run.serve()
    with run.circulation(20, pause=0.01) as circulation:
        run.moment(circulation)
        fail_at_rest(run, disk)
        refused, end = len(run.heard.refused), time.monotonic() + 3
        while len(run.heard.refused) < refused + 3 and time.monotonic() < end:
            time.sleep(0.01)
        assert httpx.get(f"{run.where()}/healthz").status_code == 200
        if run.store == "sqlite":
            assert httpx.get(f"{run.where()}/readyz").status_code == 503
            assert httpx.get(f"{run.where()}/log/checkpoint").status_code == 200
        mended(run, disk)
        circulation.more(5)
    assert set(run.heard.refused) <= {"store-unusable"}


def fail_at_rest(run: Run, disk: Volume) -> None:
    """Between two commits: see `Volume.fail`."""
    assert run.service is not None
    run.service.freeze()
    if run.store == "postgresql":
        sql = (
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'site-serve' AND state = 'active'"
            " AND wait_event IS DISTINCT FROM 'ClientRead'"
        )
        wait_for(lambda: not run.lane.schemas.server.run(sql))
    disk.fail()
    run.service.thaw()


def mended(run: Run, disk: Volume) -> None:
    """Who had files open there has to end before the disk can be mounted again."""
    if run.store == "sqlite":
        assert run.service is not None
        run.service.kill()
        disk.mend()
    else:
        run.lane.mend_disk(disk, True)
    assert run.service is not None
    if run.service.ended:
        run.serve()


def power_cut(run: Run) -> None:
    """Everything stops at one moment, and what was not synced is not there afterwards."""
    disk = disk_of(run)
    run.serve()
    with run.circulation(20, pause=0.01) as circulation:
        run.moment(circulation)
        circulation.cut = True
        disk.fail()
        assert run.service is not None
        run.service.kill()
        mended(run, disk)
        circulation.cut = False
        circulation.more(5)


def torn_record(run: Run) -> None:
    """Killed while it writes; of what it had not synced, half is there, or other bytes, or zeros."""
    service = run.serve()
    with run.circulation(20, pause=0.01) as circulation:
        run.moment(circulation)
        service.freeze()
        if run.store == "sqlite":
            service.kill()
            time.sleep(0.05)  # answers that are on the line
            most = max(p for said in run.heard.accepted.values() for p, _ in said)
            tear_sqlite(run.home / "node.sqlite", most, run.logs, run.dice)
        else:
            server = run.lane.schemas.server
            sql = (
                "SELECT f.file_name || ' ' || f.file_offset, (pg_current_wal_insert_lsn() - lsn)::bigint"
                " FROM (SELECT pg_current_wal_flush_lsn() AS lsn) AS l, pg_walfile_name_offset(lsn) AS f"
            )
            flushed, inserted = server.run(sql)[0]
            server.halt()
            service.kill()
            tear(server, str(flushed), int(str(inserted)), run.dice)
            server.clear()
            server.start()
        run.serve()
        circulation.more(5)


def tear_sqlite(path: Path, most: int, folder: Path, dice: Random) -> None:
    """Half-write what follows the commit that holds the document at position `most`, in the write-ahead log; and pages of
    the database that this log has whole, as a checkpoint that was cut off leaves them."""
    wal = path.with_name(f"{path.name}-wal")
    raw = bytearray(wal.read_bytes()) if wal.exists() else bytearray()
    if len(raw) < 32:
        return
    size, salt = int.from_bytes(raw[8:12], "big"), raw[16:24]
    frame = 24 + size
    ends, pages, at = [32], dict[int, int](), 32
    while at + frame <= len(raw) and raw[at + 8 : at + 16] == salt:
        pages[at] = int.from_bytes(raw[at : at + 4], "big")
        at += frame
        if raw[at - frame + 4 : at - frame + 8] != b"\0\0\0\0":
            ends.append(at)
    synced = next(end for end in ends if holds(path, raw[:end], folder) >= most)
    tail = raw[synced:at] or raw[32 : 32 + frame]  # of a commit that had just begun
    cut = dice.randrange(len(tail))
    left = dice.choice(
        (tail[:cut], tail[:cut] + bytes(len(tail) - cut), tail[:cut] + dice.randbytes(len(tail) - cut))
    )
    wal.write_bytes(raw[:synced] + left)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    whole = [page for place, page in pages.items() if place < synced]
    with path.open("r+b") as file:
        for page in dice.sample(whole, min(len(whole), 3)):
            if page != 1 and page * size <= path.stat().st_size:
                file.seek((page - 1) * size + size // 2)
                file.write(dice.randbytes(size // 2))


def holds(path: Path, wal: bytes, folder: Path) -> int:
    """The highest position of a record with this much of its write-ahead log."""
    copy = folder / "copy.sqlite"
    shutil.copy(path, copy)
    copy.with_name("copy.sqlite-shm").unlink(missing_ok=True)
    copy.with_name("copy.sqlite-wal").write_bytes(wal)
    line = sqlite3.connect(copy)
    (found,) = line.execute("SELECT max(position) FROM documents").fetchone()
    line.close()
    return int(found)


def torn_upload(run: Run) -> None:
    """An upload is cut off with its power; it goes on where its file ends, or is begun again, and its blob is whole."""
    disk = run.lane.disk if run.home.is_relative_to(run.lane.folder / "disk") else None
    service = run.serve()
    data = run.dice.randbytes(run.dice.randrange(1, 1_500) * KIB)
    with run.client("ali") as ali, run.circulation(pause=0.01) as circulation:
        upload = ali.begin_upload()
        blobs, first = run.home / "blobs", len(data) // 2
        with suppress(httpx.TransportError):
            ali.run(part(upload.id, 0, data[:first]))
        if run.dice.random() < 0.5:
            with suppress(httpx.TransportError):
                ali.upload(io.BytesIO(data), upload)
        service.kill()
        for file in blobs.glob(".incoming-done-*"):
            os.truncate(file, run.dice.choice((0, 10, file.stat().st_size)))
        if disk is not None:
            disk.fail()
            disk.mend()
        run.serve()
        circulation.more(2)
    with run.client("ali") as ali:
        try:
            told = ali.upload(io.BytesIO(data), upload)
        except (
            Unexpected
        ) as unknown:  # it was cut off as it became a blob, and nothing is known of it any more
            assert ": 404 " in str(unknown)
            told = ali.upload(io.BytesIO(data))
        assert told.digest is not None
    found = Blobs(run.home / "blobs")
    assert b"".join(found.read(bytes.fromhex(told.digest))) == data
    assert found.held_by(bytes.fromhex(told.digest), "ali")


def part(upload: str, offset: int, data: bytes):  # type: ignore[no-untyped-def]
    from gardesh.client import call

    return call.append(upload, offset, data, last=False)


def torn_tiles(run: Run) -> None:
    """`gardesh log publish` is cut off; of the files that no checkpoint there names yet, some are empty or half written."""
    run.serve()
    place = run.logs / "published"
    with run.circulation(20, pause=0.01) as circulation:
        circulation.more(run.dice.randrange(2, 20))
        run.command("log", "publish", str(place)).ends()
        before = tree(place)
        circulation.more(run.dice.randrange(2, 20))
        publishing = run.command("log", "publish", str(place))
        time.sleep(run.dice.random() * 0.3)
        publishing.kill()
        if (place / "checkpoint").read_bytes() == before["checkpoint"]:
            for name in tree(place).keys() - before.keys():
                with (place / name).open("r+b") as file:
                    file.truncate(run.dice.randrange(file.seek(0, os.SEEK_END)))
        circulation.more(3)
    published(run, place)
    Store(run.url).close()
