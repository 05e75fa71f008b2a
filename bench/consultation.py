"""A consultation with very many comments, each of which is answered: what one case costs as it grows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.table import Table, memory_mb
from gardesh import draft as drafting
from gardesh import worked_file
from gardesh.model.problem import Problem
from gardesh.play import Player
from gardesh.record import folder
from gardesh.record.store import Store
from gardesh.record.views import Views

ALIKE = 5_000
"""How many comments one joint answer takes up; the field allows 20,000."""
DAY = 86_400_000
AUTHORS = ("ali", "fanavar", "guild")
REVISED = {
    "in_force_from": "2026-05-01",
    "changes": [],
    "tariffs": [
        {
            "item": "joint-inspection",
            "amount": {"amount": "2000000", "currency": "IRR"},
            "parts": [{"org": "customs", "amount": {"amount": "2000000", "currency": "IRR"}}],
        }
    ],
}


class Consultation:
    """A draft that was given notice of, in the pack `governance`: the worked case `tariff-answered` up to there."""

    def __init__(self, store: Store) -> None:
        path = folder.shipped() / "governance" / "cases" / "tariff-answered.yaml"
        made = worked_file.load(path)
        made.acts = [a for a in made.acts if not a.refused]
        made.acts = made.acts[: next(i for i, a in enumerate(made.acts) if a.issues == "notice") + 1]
        self.player = Player(worked_file.packs(path, made), made, store)
        if any(played.failures for played in self.player.run()):
            raise SystemExit("the material cannot be made")
        self.node, self.case = self.player.node, self.player.cases["main"]

    def paper(self, step: str, by: str, key: str, subject: dict[str, Any]) -> bytes:
        case = self.node.sequencer.cases.get(self.case)
        claims = drafting.draft(case.procedure, case, step, issuer=by, at=self.player.now, key=key)
        return drafting.issue(claims, subject, self.player.keys[by], case.procedure)

    def send(self, papers: list[bytes]) -> float:
        """Seconds to accept all papers, a hundred at a time."""
        begun = time.perf_counter()
        for first in range(0, len(papers), 100):
            for answer in self.node.intake.submit_all(papers[first : first + 100], self.player.now):
                if isinstance(answer, Problem):
                    raise SystemExit(answer.sentence("en"))
        return time.perf_counter() - begun

    def days_pass(self, days: int) -> None:
        self.player.now += days * DAY
        self.node.intake.pass_time(self.player.now)


def measure(table: Table, place: Path, count: int) -> None:
    """`count` comments; every third is answered by itself, the others jointly; then the revised draft."""
    made = Consultation(Store(str(place / "consultation.sqlite"), create=True))
    before, begun = memory_mb(), time.perf_counter()
    spent, slowest = 0.0, 0.0
    views = Views(made.node.store, made.node.library)

    def send(papers: list[bytes]) -> None:
        nonlocal spent
        spent += made.send(papers)

    def plan() -> None:
        nonlocal slowest
        at = time.perf_counter()
        views.plan(made.case, made.node.sequencer.last_at)
        slowest = max(slowest, time.perf_counter() - at)

    for first in range(0, count, ALIKE):
        numbers = range(first, min(first + ALIKE, count))
        send([made.paper("comment", author(i), key(i), {"text": f"Comment {i}: too much."}) for i in numbers])
        plan()
    made.days_pass(9)
    joint = [i for i in range(count) if i % 3]
    for first in range(0, len(joint), ALIKE):
        part = [{"comment": key(i), "author": author(i)} for i in joint[first : first + ALIKE]]
        subject = {"comments": part, "accepted": False, "reason": "It was measured."}
        send([made.paper("joint-answer", "ict-regulator", f"j{first}", subject)])
        plan()
    made.days_pass(3)
    plan()
    alone = range(0, count, 3)
    for first in range(0, len(alone), ALIKE):
        part_ = alone[first : first + ALIKE]
        answers = [({"author": author(i), "accepted": False, "reason": "It was measured."}, i) for i in part_]
        send([made.paper("answer", "ict-regulator", key(i), subject) for subject, i in answers])
        plan()
    send([made.paper("revised-draft", "ict-regulator", "", REVISED)])
    documents = made.node.store.one("SELECT count(*) FROM documents WHERE case_id = ?", made.case)[0]
    name = f"a consultation with {count:,} comments"
    table.add(f"{name}: accepted, all of it", documents / spent, "documents/s")
    table.add(f"{name}: its slowest plan", slowest * 1e3, "ms", None, "≤ 20")
    table.add(f"{name}: memory for each document", (memory_mb() - before) * 1024 / documents, "KB")
    table.add(f"{name}: signing and all", time.perf_counter() - begun, "s")
    made.node.close()


def author(number: int) -> str:
    return AUTHORS[number % len(AUTHORS)]


def key(number: int) -> str:
    return f"c{number:06}"
