"""One run: a node, documents that circulate, something that breaks, and whether everything that was acknowledged is there."""

from __future__ import annotations

import json
import random
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from circulation import Circulation, heard_of, post
from lane import CLOCK, Lane
from nursery import Command, Serving
from services import Heard, keep_their_word

from gardesh.client import Client, Token
from gardesh.model.document import parse
from gardesh.record.store import Store
from market import Market, explains_itself, key_of


@dataclass
class Counts:
    """`notices`: told, or offered again, to consumers; `lost` and `doubled` are of documents and of notices."""

    documents: int = 0
    notices: int = 0
    lost: int = 0
    doubled: int = 0


class Run:
    """`store`: sqlite or postgresql. `disk`: the node's folder is on the lane's disk. All chance is from `seed`. `times`: what
    every service of it is told, as in `Command`."""

    def __init__(
        self, lane: Lane, store: str, seed: int, *, disk: bool = False, times: Mapping[str, Any] | None = None
    ) -> None:
        self.lane, self.store, self.dice = lane, store, random.Random(seed)
        self.logs = lane.folder / f"run-{lane.number()}"
        self.logs.mkdir()
        self.home, self.url = lane.node(store, lane.disk.path if disk else self.logs)
        self.heard, self.counts, self.notes = Heard(), Counts(), list[object]()
        self.service: Serving | None = None
        self.times = dict(times or {})
        self._commands: list[Command] = []

    # -- processes -----------------------------------------------------------------------------------------

    def serve(self, times: Mapping[str, Any] | None = None, name: str = "site-serve") -> Serving:
        """The service, begun or begun again."""
        made = Serving(self.home, log=self._log("serve"), name=name, times=self.times | dict(times or {}))
        self._commands.append(made)
        self.service = made.listens()
        return made

    def command(
        self, *words: str, home: Path | None = None, times: Mapping[str, Any] | None = None
    ) -> Command:
        made = Command(
            home or self.home, *words, log=self._log(words[-2 if len(words) > 1 else 0]), times=times
        )
        self._commands.append(made)
        return made

    def _log(self, name: str) -> Path:
        return self.logs / f"{len(self._commands):02}-{Path(name).name}"

    def where(self) -> str:
        assert self.service is not None
        return self.service.url

    def circulation(self, cases: int = 12, **more: Any) -> Circulation:
        """Clients with other cases in each run; otherwise as `Circulation`."""
        return Circulation(self.heard, self.dice.sample(self.lane.cases, cases), self.where, **more)

    def client(self, org: str) -> Client:
        return Client(self.where(), Token(org, key_of(org)), timeout=20)

    def moment(self, circulation: Circulation, least: int = 2, most: int = 25, seconds: float = 0.03) -> None:
        """Wait until some moment in the midst of it."""
        circulation.more(self.dice.randrange(least, most))
        time.sleep(self.dice.random() * seconds)

    # -- the reckoning -------------------------------------------------------------------------------------

    def market(self) -> Market:
        """The node as another process reads it."""
        return Market.opened(Store(self.url), CLOCK)

    def reckon(self) -> None:
        """All that was acknowledged is there once, under receipts of one log; it is sent again and gets its place; and the
        audit derives every decision and every view again, byte for byte."""
        again = self.dice.sample(sorted(self.heard.accepted), min(5, len(self.heard.accepted)))
        if self.service is not None and not self.service.ended:
            papers = {d: p for p in self._papers() if (d := parse(p).digest) in again}
            with httpx.Client(timeout=20) as line:
                for digest in papers:
                    answer = post(line, self.where(), papers[digest])
                    assert heard_of(answer, papers[digest], self.heard)
        market = self.market()
        try:
            self._count(market.store)
            if not (self.counts.lost or self.counts.doubled):
                keep_their_word(market.store, self.heard)
            explains_itself(market.node)
        finally:
            market.node.log.close()
            market.store.close()

    def _papers(self) -> list[bytes]:
        return [paper for case in self.lane.cases for paper in case]

    def _count(self, store: Store) -> None:
        rows = [
            (p, bytes(d), bytes(s))
            for p, d, s in store.rows("SELECT position, digest, statement FROM documents")
        ]
        places = {digest: position for position, digest, _ in rows}
        told = {digest: {p for p, _ in said} for digest, said in self.heard.accepted.items()}
        self.counts.documents += len(told)
        self.counts.lost += sum(places.get(digest) not in said for digest, said in told.items())
        twice = [n for column in (1, 2) for n in Counter(row[column] for row in rows).values()]
        self.counts.doubled += sum(n - 1 for n in twice) + sum(len(said) - 1 for said in told.values())

    def end(self) -> None:
        """Nothing of it runs any more."""
        for command in self._commands:
            command.kill()

    def keep(self, folder: Path, why: str) -> None:
        """What there is to see of a run that failed."""
        self.end()
        shutil.copytree(self.logs, folder, dirs_exist_ok=True)
        if self.home.exists() and self.logs not in self.home.parents:
            shutil.copytree(self.home, folder / "node", dirs_exist_ok=True)
        if self.store == "postgresql":
            shutil.copy(self.lane.schemas.server.sockets / "log", folder / "postgresql.log")
            self._dump(folder / "documents.txt")
        (folder / "failure.txt").write_text(why, encoding="utf-8")
        (folder / "notes.txt").write_text("\n".join(map(repr, self.notes)), encoding="utf-8")
        told = {digest.hex(): sorted({p for p, _ in said}) for digest, said in self.heard.accepted.items()}
        (folder / "heard.json").write_text(json.dumps({"accepted": told, "refused": self.heard.refused}))

    def _dump(self, file: Path) -> None:
        try:
            rows = Store(self.url).rows(
                "SELECT position, digest, recorded_at, act, issuer FROM documents ORDER BY 1"
            )
        except Exception as error:  # noqa: BLE001 (it may be what failed)
            file.write_text(repr(error))
            return
        file.write_text("\n".join(f"{p} {bytes(d).hex()} {at} {act} {by}" for p, d, at, act, by in rows))

    def clean(self) -> None:
        self.end()
        self.lane.mend()
        for folder in (self.home, self.logs):
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Fault:
    """A kind of fault. `act` breaks something in a run and mends it; `share` of a thousand runs are of it, by store.
    `disk`: it needs a disk of its own, for the node's folder or the database's."""

    name: str
    act: Any
    share: Mapping[str, int]
    disk: bool = False
    stores: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stores", tuple(self.share))


@dataclass(frozen=True)
class Outcome:
    """What became of a run. `failure`: why it failed, if it did, and where what there is to see of it was kept."""

    counts: Counts
    failure: str = ""


def one(
    lane: Lane, fault: Fault, store: str, seed: int, evidence: Path, times: Mapping[str, Any] | None = None
) -> Outcome:
    """One run of a fault."""
    made = Run(lane, store, seed, disk=fault.disk and store == "sqlite", times=times)
    failure = ""
    try:
        fault.act(made)
        made.reckon()
        assert (made.counts.lost, made.counts.doubled) == (0, 0), made.counts
    except Exception:  # noqa: BLE001 (whatever it is, it is told)
        kept = evidence / f"{fault.name.replace(' ', '-')}-{store}-{seed}"
        failure = f"{traceback.format_exc()}\nkept in {kept}"
        made.keep(kept, failure)
    made.clean()
    return Outcome(made.counts, failure)
