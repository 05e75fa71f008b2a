"""Cases at hand: live ones in memory, others folded again from their documents; their views in the tables."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import Any

import msgspec

from gardesh.model import canonical, deadline, demand, fold
from gardesh.model.case import Case
from gardesh.model.document import Envelope, parse
from gardesh.model.elsewhere import asked
from gardesh.model.fold import Change
from gardesh.model.judgement import Verdict, opening_effects
from gardesh.model.library import Library
from gardesh.model.migration import migrate
from gardesh.model.problem import Problem, define
from gardesh.model.procedure import Procedure, Step
from gardesh.model.slot import ISSUED, Head, Link, Place
from gardesh.record import schema
from gardesh.record.erased import as_erased, erased_of, erased_of_case
from gardesh.record.notices import Notices, recall
from gardesh.record.registers import Registers
from gardesh.record.store import Store

NO_SUCH_CASE = define(
    "no-such-case",
    404,
    en="There is no case {case} here.",
    fa="پرونده‌ای به شناسه‌ی {case} در اینجا نیست.",
)
KEPT = 1_000
"""Cases at hand. A whole import is 170 kB in memory: so many of them, and the rest, are within 300 MB."""
Target = tuple[str, str, str]
_encode_numbers = msgspec.json.Encoder(decimal_format="number").encode
_encode = msgspec.json.Encoder(order="deterministic", decimal_format="string").encode


Watch = Callable[[Case, Envelope, int], AbstractContextManager[None]]
"""Told of the case and of each document, at its position, before it is judged and folded in."""


def unwatched(case: Case, paper: Envelope, position: int) -> AbstractContextManager[None]:
    return nullcontext()


class Then:
    """The registers as they stood at a position of the log: a case that is folded again is judged by these."""

    def __init__(self, registers: Registers) -> None:
        self.registers = registers
        self.position = 0

    def value(self, register: str, key: str, position: int, at: int) -> Any:
        return self.registers.value(register, key, position, at)

    def values(self, register: str, prefix: str, position: int, at: int) -> list[Any]:
        return self.registers.values(register, prefix, position, at)

    def balance(self, register: str, key: str, position: int) -> Decimal:
        return self.registers.balance(register, key, position)

    def holds(self, org: str, role: str, at: int) -> bool:
        return self.registers.held(org, role, self.position, at)


class Cases:
    """All cases of a node. Belongs to the one sequencer."""

    def __init__(self, store: Store, library: Library, registers: Registers) -> None:
        self.store, self.library, self.registers = store, library, registers
        self.live: OrderedDict[str, Case] = OrderedDict()
        self.links: dict[str, list[tuple[str, str, Target]]] = {}
        self.unsaved: dict[str, Case] = {}
        self.waking: dict[str, int] = {}
        self.notices = Notices(store)
        self.next_mirror = int(store.one("SELECT coalesce(max(id), -1) FROM mirrors")[0]) + 1
        self.pending_links: list[tuple[Any, ...]] = []
        self.pending_mirrors: list[tuple[Any, ...]] = []
        self.before_load: Callable[[], None] = lambda: None

    def get(self, case_id: str) -> Case:
        """The live case. Raises `no-such-case`."""
        found = self.live.get(case_id)
        if found is None:
            self.before_load()
            found = self._load(case_id)
            self.keep(found)
        else:
            self.live.move_to_end(case_id)
        return found

    def keep(self, case: Case) -> None:
        self.live[case.id] = case
        while len(self.live) > KEPT:
            oldest = next(iter(self.live))
            if oldest in self.unsaved:
                self.live.move_to_end(oldest)
                break
            del self.live[oldest]
            self.links.pop(oldest, None)

    def forget(self) -> None:
        """After a rollback: nothing of what is in memory may be asked or written any more."""
        for held in (self.live, self.links, self.unsaved, self.waking):
            held.clear()
        self.pending_links.clear()
        self.pending_mirrors.clear()

    def let_go(self) -> None:
        """Forget all cases of which everything is written: they are folded again when they are asked for."""
        for case_id in [id_ for id_ in self.live if id_ not in self.unsaved]:
            del self.live[case_id]
            self.links.pop(case_id, None)

    def drop(self, case: Case) -> None:
        """Forget a fold that went wrong. What was accepted of the case in this transaction is folded again."""
        self.live.pop(case.id, None)
        if self.unsaved.pop(case.id, None) is not None:
            self.before_load()
            again = self._fold(case.id, case.first_procedure, case.opener, case.opened_at)
            self.keep(again)
            again.unwritten = all_places(again)
            self.unsaved[case.id] = again

    # -- folding again ------------------------------------------------------------------------------------

    def _load(self, case_id: str) -> Case:
        row = self.store.one(
            "SELECT pack, procedure, opener, opened_at, wakes_at FROM cases WHERE id = ?", case_id
        )
        if row is None:
            raise Problem(NO_SUCH_CASE, "/circulation/case", case=case_id)
        label, name, opener, opened_at, wakes = row
        if wakes is not None:  # not known yet after a `look` that forgot everything
            self.waking.setdefault(case_id, wakes)
        first = self.store.one(
            "SELECT origin FROM migrations WHERE case_id = ? ORDER BY position LIMIT 1", case_id
        )
        return self._fold(
            case_id, self.library.procedure(first[0] if first else label, name), opener, opened_at
        )

    def retrace(self, case_id: str, then: Then, watch: Watch) -> None:
        """Fold a case once more from its documents in the world `then`; each is judged inside `watch`.

        Raises `no-such-case`.
        """
        now = self.get(case_id)
        self._fold(case_id, now.first_procedure, now.opener, now.opened_at, then, watch=watch)

    def _fold(
        self,
        case_id: str,
        procedure: Procedure,
        opener: str,
        opened_at: int,
        then: Then | None = None,
        watch: Watch = unwatched,
    ) -> Case:
        asked, then = then, then or Then(self.registers)
        case = Case(case_id, procedure, then, opener, opened_at)
        erased = erased_of_case(self.store, case_id)
        events: list[tuple[int, int, int, Any]] = []
        for position, at, digest, signed, data, sealed in self.store.rows(
            "SELECT d.position, d.recorded_at, d.digest, d.signed, x.data, x.key FROM documents d"
            " JOIN disclosures x ON x.position = d.position WHERE d.case_id = ? ORDER BY d.position",
            case_id,
        ):
            tail = self.store.tail(position, digest, data, sealed)
            events.append((position, 0, at, as_erased(parse(bytes(signed) + tail), erased.get(position))))
        for id_, position, at, step, key, head in self.store.rows(
            "SELECT id, position, at, step, key, head FROM mirrors WHERE target_case = ? ORDER BY id", case_id
        ):
            events.append((position, 1 + id_, at, (step, key, bytes(head) if head is not None else None)))
        for position, at, label in self.store.rows(
            "SELECT position, at, label FROM migrations WHERE case_id = ? ORDER BY position", case_id
        ):
            events.append((position, 0, at, self.library.procedure(label, procedure.name)))
        for position, _, at, what in sorted(events, key=lambda e: (e[0], e[1])):
            then.position = position
            if isinstance(what, Procedure):
                let_pass(case, at)
                case = migrate(case, what, at).case
            else:
                self._replay(case, position, at, what, watch)
        if asked is not None:
            return case
        case.world = self.registers
        due = self.waking.get(case_id)
        while (
            (instant := deadline.next_instant(case)) is not None
            and case.at < instant
            and (due is None or instant < due)
        ):
            fold.advance(case, instant)
        case.unsaved = set()
        recall(case)
        return case

    def _replay(self, case: Case, position: int, at: int, what: Any, watch: Watch) -> None:
        if isinstance(what, Envelope):
            paper = what
            let_pass(case, at)
            if paper.case is None:
                case.asked = asked(paper.for_slot, case.world, position, at)
            with watch(case, paper, position):
                verdict, _ = fold.accept(case, paper, at, position)
            if paper.act == "mirror":
                self.arrived(case, paper, position, at)
            if verdict is not None:
                if verdict.step.spec.opens is not None and paper.act in ("issue", "correct"):
                    self.opening(case, verdict, position, at)
                verdict.head.about = self.about(case, verdict.step, verdict.head, position, at)
            return
        step, key, raw = what
        let_pass(case, at)
        head = self._mirrored_head(raw) if raw is not None else None
        fold.mirror(case, case.procedure.by_name[step], key, head, at)

    def arrived(self, case: Case, paper: Envelope, position: int, at: int) -> Head | None:
        """The head that a mirror has put in its slot, with whom or what it is about."""
        step = case.procedure.by_name[paper.step]
        head = case.steps[step.index].slots[paper.key or ""].head
        if head is not None:
            head.about = self.about(case, step, head, position, at)
        return head

    def _mirrored_head(self, raw: bytes) -> Head:
        """A head as it was mirrored: its contents are those of the document, and lie nowhere else."""
        head = decode_head(raw)
        signed, data, sealed = self.store.one(
            "SELECT d.signed, x.data, x.key FROM documents d JOIN disclosures x ON x.position = d.position"
            " WHERE d.position = ?",
            head.position,
        )
        tail = self.store.tail(head.position, head.digest, data, sealed)
        head.subject = parse(bytes(signed) + tail).subject
        head.erased = erased_of(self.store, head.position)
        return head

    def opening(self, case: Case, verdict: Verdict, position: int, at: int) -> tuple[Case, list[Change]]:
        """The case of another procedure that the document opens. The rules of that procedure's opening step hold for
        it too, and what that step enters is entered, and taken back, with the document. Raises Problem."""
        head, pack = verdict.head, case.procedure.pack
        assert verdict.step.spec.opens is not None
        owner, _, name = self.library.qualify(pack, verdict.step.spec.opens).partition("/")
        procedure = self.library.procedure(self.library.pack_named(pack, owner).label, name)
        opened = Case(head.digest.hex(), procedure, case.world, head.issuer, at)
        fold.finish(opened, at)
        entered = fold.owned(opening_effects(opened, head, verdict.old, position, at), head.digest)
        if entered:
            head.effects += entered
            head.counting = True
        return opened, [(e, 1) for e in entered]

    def about(self, case: Case, step: Step, head: Head, position: int, at: int) -> tuple[str, ...]:
        """Whom or what the document is about, as its type says: one, several or none."""
        made = self.library.about(case.procedure.pack, step.type)
        if made is None:
            return ()
        value = made.evaluate({"this": head.value}, case.moment(position, at))
        values = value if isinstance(value, list) else [value]
        return tuple(dict.fromkeys(str(v) for v in values if v is not None))

    # -- links --------------------------------------------------------------------------------------------

    def links_of(self, case_id: str) -> list[tuple[str, str, Target]]:
        """Who mirrors slots of this case: (step, key, target)."""
        found = self.links.get(case_id)
        if found is None:
            self._write_links()
            rows = self.store.rows(
                "SELECT source_step, source_key, target_case, target_step, target_key FROM links WHERE source_case = ?"
                " ORDER BY source_step, source_key, target_case, target_step, target_key",
                case_id,
            )
            found = [(s, k, (c, ts, tk)) for s, k, c, ts, tk in rows]
            self.links[case_id] = found
        return found

    def link(self, source: tuple[str, str, str], target: Target) -> None:
        known = self.links_of(source[0])
        if (source[1], source[2], target) not in known:
            known.append((source[1], source[2], target))
            known.sort()
            self.pending_links.append((*source, *target))

    def rename_links(self, case_id: str, steps: Mapping[str, str | None]) -> None:
        """A case was moved: its slots go by the names of the new version; what has none follows nothing any more."""
        self._write_links()
        for old, new in steps.items():
            if new is None:
                self.store.run("DELETE FROM links WHERE target_case = ? AND target_step = ?", case_id, old)
            elif new != old:
                for side in ("source", "target"):
                    sql = f"UPDATE links SET {side}_step = ? WHERE {side}_case = ? AND {side}_step = ?"  # noqa: S608
                    self.store.run(sql, new, case_id, old)
        self.links.clear()

    def source_of(self, target: Target) -> str | None:
        """The case that a slot follows."""
        self._write_links()
        row = self.store.one(
            "SELECT source_case FROM links WHERE target_case = ? AND target_step = ? AND target_key = ?",
            *target,
        )
        return None if row is None else str(row[0])

    def unlink(self, target: Target) -> None:
        """A slot follows one other at a time: what it followed before, it no longer does."""
        self._write_links()
        rows = self.store.rows(
            "SELECT source_case FROM links WHERE target_case = ? AND target_step = ? AND target_key = ?",
            *target,
        )
        self.store.run(
            "DELETE FROM links WHERE target_case = ? AND target_step = ? AND target_key = ?", *target
        )
        for (source,) in rows:
            self.links.pop(source, None)

    def mirrored(self, source: Case, step_name: str, key: str) -> Head | None:
        """What a slot that follows this one shows: the head, and whether it is sound here."""
        step = source.procedure.by_name.get(step_name)
        if step is None:
            return None
        state = source.steps[step.index]
        slot = state.slots.get(key)
        if (
            source.withdrawn
            or slot is None
            or slot.head is None
            or not slot.applies
            or state.applies is False
        ):
            return None
        head = slot.head
        return Head(
            digest=head.digest,
            issuer=head.issuer,
            at=head.at,
            position=head.position,
            key=head.key,
            subject=head.subject,
            outcome=head.outcome,
            decides=head.decides,
            expires=head.expires,
            stands_by=head.stands_by,
            deficiencies=head.deficiencies,
            link=Link(source.id, step_name, key),
            whole=slot.sound or slot.state == ISSUED,
            about=head.about,
            erased=head.erased,
        )

    def note_mirror(self, target: Target, head: Head | None, position: int, at: int) -> None:
        raw = encode_head(head) if head is not None else None
        self.pending_mirrors.append((self.next_mirror, target[0], position, at, target[1], target[2], raw))
        self.next_mirror += 1

    def _write_links(self) -> None:
        links, self.pending_links = self.pending_links, []
        self.store.add(schema.links, links, replace=True)

    # -- views --------------------------------------------------------------------------------------------

    def changed(self, case: Case, at: int) -> int | None:
        """Note that the views of a case are to be written, and whom what changed concerns; returns when it next wakes by
        time alone."""
        self.unsaved[case.id] = case
        places, case.unsaved = case.unsaved, set()
        case.unwritten |= places
        self.notices.of(case, places, at)
        wakes = deadline.next_instant(case)
        if wakes is None:
            self.waking.pop(case.id, None)
        else:
            self.waking[case.id] = wakes
        return wakes

    def flush(self) -> None:
        """Write links, mirrors and the views of changed cases to the open transaction: what changed of them."""
        self._write_links()
        mirrors, self.pending_mirrors = self.pending_mirrors, []
        self.store.add(schema.mirrors, mirrors)
        unsaved, self.unsaved = self.unsaved, {}
        cases, slots, gone, waits = [], [], [], []
        for case in unsaved.values():
            places, case.unwritten = sorted(case.unwritten | case.unsaved), set()
            waits += [wait_row(case, place) for place in places if place in case.demanded]
            slots += [slot_row(case, place) for place in places]
            gone += [(case.id, *place) for place in places if place not in case.demanded]
            cases.append(self._row(case))
        self.store.add(schema.cases, cases, replace=True)
        self.store.add(schema.slots, slots, replace=True)
        self.store.add(schema.waits, waits, replace=True)
        self.store.remove(schema.waits, gone)
        self.notices.flush()

    def _row(self, case: Case) -> tuple[Any, ...]:
        return (
            case.id, case.procedure.pack.label, case.procedure.name, case.opener, case.opened_at, case.closed_at,
            case.withdrawn, case.at, self.waking.get(case.id),
        )  # fmt: skip


def all_places(case: Case) -> set[Place]:
    steps = zip(case.procedure.steps, case.steps, strict=True)
    return {(step.index, key) for step, state in steps for key in demand.places(step, state)}


def slot_row(case: Case, place: Place) -> tuple[Any, ...]:
    """A slot as the view has it. The key WINDOW stands for a step of several slots as a whole."""
    slot = demand.slot_at(case, place)
    head = slot.head
    at = None if head is None else head.at
    name = case.procedure.steps[place[0]].name
    return (case.id, *place, name, slot.state, head and head.digest, at)


def wait_row(case: Case, place: Place) -> tuple[Any, ...]:
    row = demand.row(case, place)
    shown = _encode(row)
    return (
        case.id, *place, row["slot"], row["state"], row["role"], row["by"], row["since"], row["deadline"], shown
    )  # fmt: skip


def let_pass(case: Case, t: int) -> None:
    """Let the case's own time pass up to `t`, instant by instant, as it did when it was live."""
    while (instant := deadline.next_instant(case)) is not None and case.at < instant <= t:
        fold.advance(case, instant)


def encode_head(head: Head) -> bytes:
    """All of it but its contents, which are those of the document at its position."""
    return _encode_numbers(
        {
            "digest": head.digest.hex(), "issuer": head.issuer, "at": head.at, "position": head.position,
            "key": head.key, "outcome": head.outcome, "decides": head.decides,
            "expires": head.expires, "stands_by": head.stands_by.hex(), "deficiencies": head.deficiencies,
            "whole": head.whole, "about": head.about,
            "link": [head.link.case, head.link.step, head.link.key] if head.link else None,
        }
    )  # fmt: skip


def decode_head(raw: bytes) -> Head:
    found: dict[str, Any] = canonical.decode(raw)
    link = found.pop("link")
    return Head(
        subject={},
        digest=bytes.fromhex(found.pop("digest")),
        stands_by=bytes.fromhex(found.pop("stands_by")),
        deficiencies=tuple(found.pop("deficiencies")),
        about=tuple(found.pop("about")),
        link=Link(*link) if link else None,
        **found,
    )
