"""Material to measure with: whole imports of the trade pack, signed beforehand by real keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gardesh import worked
from gardesh.model.fold import CLOCK_ACTS
from gardesh.model.jose import SigningKey
from gardesh.model.pack import Pack
from gardesh.model.signer import Signer
from gardesh.node import Node
from gardesh.play import Player
from gardesh.record import folder
from gardesh.record.clock import Clock
from gardesh.record.founding import new_clock_key, new_record_key
from gardesh.record.log import Log
from gardesh.record.sealing import RecordKey
from gardesh.record.store import Store
from gardesh.record.yaml_values import parse_yaml
from gardesh.study.record import stored_documents

ORDER, KOTAJ = "71640215", "50318264"
ORIGIN = "gardesh.example/play"


@dataclass
class Material:
    """`setup`: genesis, admissions and base data in log order; `cases`: the documents of each import, in order."""

    packs: list[Pack]
    setup: list[bytes]
    cases: list[list[bytes]]
    at: int
    signers: list[Signer]
    keys: dict[str, SigningKey] = field(default_factory=dict)
    """Of the organisations."""
    clock: SigningKey = field(default_factory=new_clock_key)
    record_key: RecordKey = field(default_factory=new_record_key)

    @property
    def documents(self) -> int:
        return sum(len(c) for c in self.cases)


def imports(count: int) -> Material:
    """`count` imports (the worked case `straight-import`, with order numbers and kotajs of their own)."""
    root = folder.shipped() / "trade"
    packs = folder.gather(root)
    path = root / "cases" / "straight-import.yaml"
    text = path.read_text(encoding="utf-8")
    player = Player(packs, read(path.name, text))
    for played in player.run():
        if played.code is not None:
            raise SystemExit(f"the material cannot be made: act {played.number}: {played.code}")
    first = player.cases["main"]
    ends = [player.node.sequencer.size]
    for i in range(1, count):
        own = text.replace(ORDER, str(10_000_000 + i)).replace(KOTAJ, str(20_000_000 + i))
        player.worked = read(path.name, own)
        player.worked.acts = [a for a in player.worked.acts if a.case == "main"]
        player.cases.pop("main")
        for played in player.run():
            if played.code is not None:
                raise SystemExit(
                    f"the material cannot be made: case {i}, act {played.number}: {played.code} {played.problem}"
                )
        ends.append(player.node.sequencer.size)
    rows = [(p, paper) for p, _, paper in stored_documents(player.node.store)]
    by_case: dict[int, str] = {
        row[0]: row[1] for row in player.node.store.rows("SELECT position, case_id FROM documents")
    }
    clock = {
        p
        for (p,) in player.node.store.rows(
            "SELECT position FROM documents WHERE act IN ('" + "','".join(sorted(CLOCK_ACTS)) + "')"
        )
    }
    start = next(p for p, _ in rows if by_case[p] == first)
    setup = [paper for p, paper in rows if p < start]
    cases, begin = [], start
    for end in ends:
        cases.append([paper for p, paper in rows if begin <= p < end and p not in clock])
        begin = end
    return Material(packs, setup, cases, player.now, list(player.node.log.signers), player.keys)


def read(name: str, text: str) -> worked.WorkedCase:
    """The worked case without its looks and waits: every act at once, so that no term passes."""
    value: Any = parse_yaml(name, text.encode())
    for act in value["acts"]:
        for member in ("after", "at", "then"):
            act.pop(member, None)
    value["acts"] = [a for a in value["acts"] if not a.get("looks") and not a.get("waits")]
    return worked.read(name, value)


def node(store: Store, material: Material, sealed: bool = True) -> Node:
    """A fresh node that has accepted the set-up. `sealed`: whether what documents say is sealed at rest."""
    if sealed:
        store.unlock(lambda: [material.record_key])
    with store.writing():
        for made in material.packs:
            folder.keep(store, made)
        store.set("origin", ORIGIN.encode())
    made_node = _opened(store, material)
    for paper in material.setup:
        made_node.intake.submit(paper, material.at)
    return made_node


def again(store: Store, material: Material) -> Node:
    """Another over the same record, which is sealed."""
    store.unlock(lambda: [material.record_key])
    return _opened(store, material)


def _opened(store: Store, material: Material) -> Node:
    log = Log(store, ORIGIN, material.signers)
    return Node(store, folder.stored(store), log, Clock("clock", material.clock))
