"""What many runs share: a node as each begins, disks, a PostgreSQL and a NATS server, papers signed beforehand."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import volume
from circulation import papers_of_a_case
from database import Schemas, durable
from fund import both_packs
from services import PASSPHRASE
from volume import Volume

from gardesh.cli.home import CLOCK_KEY as CLOCK
from gardesh.cli.home import LOG_KEY
from gardesh.record.keys import RECORD_KEY, KeyStore
from gardesh.record.passphrase import OnePassphrase
from gardesh.record.pkcs8 import Cost
from gardesh.record.store import Store
from market import CLOCK_KEY, ORIGIN, RECORD_SECRET, ROLES, Market, key_of, log_keys_of
from nats_servers import NatsServer

SERVE = '[limits]\nrate = 0.0\n[webhooks]\nallow_http = true\nallow_networks = ["127.0.0.0/8"]\n'
UNHURRIED = "%20-cidle_in_transaction_session_timeout%3D0"
CASES = 40


class Lane:
    """Runs are made in it one after the other."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gardesh-faults-", dir=folder))
        self.folder.chmod(0o777)
        self.packs = both_packs()
        self._numbers, self._ends = itertools.count(), list[Callable[[], None]]()

    def number(self) -> int:
        return next(self._numbers)

    # -- what it has ---------------------------------------------------------------------------------------

    @cached_property
    def cases(self) -> list[list[bytes]]:
        """The papers of cases, which any node of this lane takes."""
        market = Market(made=self.packs, name=CLOCK)
        return [papers_of_a_case(market, number) for number in range(CASES)]

    @cached_property
    def disk(self) -> Volume:
        """Where the folders of nodes are in runs in which it breaks."""
        return self._volume("disk", 64)

    @cached_property
    def database_disk(self) -> Volume | None:
        """Where the database server's is, if there can be such a disk."""
        return None if volume.impossible() else self._volume("database", 640)

    def _volume(self, name: str, megabytes: int) -> Volume:
        made = Volume(self.folder, name, megabytes)
        self._ends.append(made.unmount)
        return made

    @cached_property
    def schemas(self) -> Schemas:
        disk = self.database_disk
        server = durable((disk.path if disk else self.folder) / "data", self.folder / "sockets")
        self._ends.append(server.halt)
        return Schemas(server)

    @cached_property
    def nats(self) -> NatsServer:
        made = NatsServer(self.folder)
        self._ends.append(made.kill)
        made.start()
        return made

    def mend(self) -> None:
        """Whatever a run left broken is whole for the next."""
        for name in ("disk", "database_disk"):
            disk = self.__dict__.get(name)
            if disk is None:
                continue
            disk.free()
            if not disk.written():  # the run failed before it mended that
                self.mend_disk(disk, name == "database_disk")
        if "schemas" in self.__dict__:
            self.schemas.server.up()

    def mend_disk(self, disk: Volume, of_the_database: bool) -> None:
        """Whoever else has files open there was killed."""
        server = self.schemas.server if of_the_database else None
        if server is not None:
            server.halt()
        disk.mend()
        if server is not None:
            server.clear()
            server.start()

    def close(self) -> None:
        while self._ends:
            self._ends.pop()()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- nodes ---------------------------------------------------------------------------------------------

    @cached_property
    def _sqlite(self) -> Path:
        home = self._home("template-sqlite")
        Market(Store(str(home / "node.sqlite"), create=True), self.packs, name=CLOCK).node.close()
        return home

    @cached_property
    def _postgresql(self) -> Path:
        home, schemas = self._home("template-postgresql"), self.schemas
        Store(schemas.url(Schemas.SITE, UNHURRIED), create=True).close()
        Market(
            Store(schemas.url(Schemas.TEMPLATE, UNHURRIED), create=True), self.packs, name=CLOCK
        ).node.close()
        (home / "store-url").write_text(schemas.url(Schemas.SITE), encoding="utf-8")
        return home

    def _home(self, name: str) -> Path:
        """A node's folder with its keys, which are quick to read."""
        home = self.folder / name
        home.mkdir()
        held = KeyStore(home / "keys", OnePassphrase(PASSPHRASE), Cost(n=16, p=1))
        held.add(CLOCK, CLOCK_KEY)
        held._store(LOG_KEY, list(log_keys_of(ORIGIN)))
        held._store(RECORD_KEY, [RECORD_SECRET])
        for org in ROLES:
            held.add(org, key_of(org))
        (home / "serve.toml").write_text(SERVE, encoding="utf-8")
        return home

    def node(self, store: str, folder: Path) -> tuple[Path, str]:
        """A node as all are at first, in `folder`: its home, and where its record is."""
        home = folder / f"node-{self.number()}"
        template = self._sqlite if store == "sqlite" else self._postgresql
        shutil.copytree(template, home)
        volume.sync(home)
        if store == "sqlite":
            return home, str(home / "node.sqlite")
        self.schemas.renew()
        return home, self.schemas.url(Schemas.SITE)
