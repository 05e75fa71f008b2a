"""Registers against a model that keeps everything in one list: as of any position, in force, taken back, and balances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stores
from effort import tries
from gardesh.model.problem import Problem
from gardesh.model.register import Effect
from gardesh.record import registers as module
from gardesh.record.registers import NOWHERE, Registers
from gardesh.record.store import Store

pytestmark = pytest.mark.store

DIGEST = b"\7" * 32
VALUES: list[Any] = [
    None,
    True,
    0,
    7,
    "x",
    "",
    {"state": "in-force"},
    {"a": [1, {"b": None}]},
    Decimal("1.50"),
]
TIMES = st.none() | st.integers(0, 9)


@dataclass
class Entered:
    """One entry as the model keeps it: from position `begins` on, until it was taken back at `ends`."""

    effect: Effect
    begins: int
    ends: int = NOWHERE


@dataclass
class Model:
    """The plain model: every entry that was ever made, in one list."""

    entered: list[Entered] = field(default_factory=list)
    sums: list[tuple[int, str, Decimal]] = field(default_factory=list)

    def enter(self, effect: Effect, sign: int, position: int) -> None:
        if effect.amount is not None:
            self.sums.append((position, effect.key, sign * effect.amount))
        elif sign > 0:
            self.entered.append(Entered(effect, position))
        else:
            for each in reversed(self.entered):
                if each.ends == NOWHERE and each.effect == effect:
                    each.ends = position
                    return

    def value(self, key: str, position: int, at: int) -> Any:
        for each in reversed(self.entered):
            e = each.effect
            counts = each.begins < position <= each.ends and e.key == key
            if counts and (e.since is None or e.since <= at) and (e.until is None or at < e.until):
                return e.value
        return None

    def balance(self, key: str, position: int) -> Decimal:
        return sum((a for p, k, a in self.sums if p < position and k == key), Decimal(0))


keys = st.sampled_from(["a", "b", "a/b"])
values = st.builds(
    Effect, st.just("t/latest"), keys, st.sampled_from(VALUES), st.none(), since=TIMES, until=TIMES
)
amounts = st.builds(
    Effect,
    st.just("t/sum"),
    keys,
    st.none(),
    st.decimals(-20, 20, places=2, allow_nan=False) | st.integers(-20, 20).map(Decimal),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["enter"] * 6 + ["undo"] * 3 + ["flush", "cold", "commit", "reopen"]),
        st.lists(values | amounts, min_size=1, max_size=3),
        st.integers(0, 9),
    ),
    max_size=30,
)


@pytest.fixture(params=[(32, 32), (1, 2)], ids=["long tails", "short tails"], scope="module")
def tails(request: pytest.FixtureRequest) -> Iterator[None]:
    """How much of each key is in memory; the rest is read page by page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TAIL", request.param[0])
        patch.setattr(module, "PAGE", request.param[1])
        yield


@pytest.mark.usefixtures("tails")
@given(steps)
@tries(150)
def test_registers_say_what_a_plain_list_says_as_of_every_position(
    plan: list[tuple[str, list[Effect], int]],
) -> None:
    store, model = stores.fresh(), Model()
    registers, position = Registers(store), 0
    with store.writing():
        for kind, effects, number in plan:
            if kind == "enter":
                changes = [(effect, 1) for effect in effects]
            elif kind == "undo" and model.entered:
                changes = [(model.entered[number % len(model.entered)].effect, -1)]
            else:
                changes = []
                registers = again(kind, registers, store)
            try:
                registers.check(changes)
            except Problem as problem:
                assert problem.code == "balance-exceeded"
                assert overdrawn(model, changes)
                continue
            assert not overdrawn(model, changes)
            registers.enter(changes, position, DIGEST)
            for effect, sign in changes:
                model.enter(effect, sign, position)
            position += 1
        for held in (registers, again("cold", registers, store), again("reopen", registers, store)):
            compare(held, model, position)


def again(kind: str, registers: Registers, store: Store) -> Registers:
    if kind == "reopen":
        registers.flush()
        return Registers(store)
    if kind == "cold":
        registers._kept.clear()
    elif kind == "flush":
        registers.flush()
    return registers


def overdrawn(model: Model, changes: list[tuple[Effect, int]]) -> bool:
    for key in {e.key for e, _ in changes if e.amount is not None}:
        change = sum((s * e.amount for e, s in changes if e.key == key and e.amount is not None), Decimal(0))
        if change < 0 and model.balance(key, NOWHERE) + change < 0:
            return True
    return False


def compare(registers: Registers, model: Model, position: int) -> None:
    for key in ("a", "b", "a/b", "c"):
        for p in (*range(position + 1), NOWHERE):
            assert registers.balance("t/sum", key, p) == model.balance(key, p) >= 0
            for at in (0, 4, 9):
                assert registers.value("t/latest", key, p, at) == model.value(key, p, at)


def test_a_key_of_one_register_is_not_a_key_of_another() -> None:
    store = stores.fresh()
    registers = Registers(store)
    with store.writing():
        registers.enter([(Effect("t/one", "k", 1), 1), (Effect("t/two", "k", 2), 1)], 0, DIGEST)
    assert [registers.value(f"t/{r}", "k", NOWHERE, 0) for r in ("one", "two", "three")] == [1, 2, None]


def test_takes_of_one_document_count_together() -> None:
    """Each of the two alone would leave something; both do not."""
    registers = Registers(stores.fresh())
    with registers.store.writing():
        registers.enter([(Effect("t/sum", "k", None, Decimal(10)), 1)], 0, DIGEST)
    takes = [(Effect("t/sum", "k", None, Decimal(-6)), 1)] * 2
    with pytest.raises(Problem) as refusal:
        registers.check(takes)
    assert refusal.value.code == "balance-exceeded"
    assert (refusal.value.params["balance"], refusal.value.params["amount"]) == ("10", "12")
    registers.check([*takes, (Effect("t/sum", "k", None, Decimal(2)), 1)])


def test_what_is_given_back_first_may_be_taken_again() -> None:
    """A correction takes back what the old document took, and takes what the new one says, as one change."""
    registers = Registers(stores.fresh())
    old, new = (Effect("t/sum", "k", None, Decimal(-n)) for n in (8, 10))
    with registers.store.writing():
        registers.enter([(Effect("t/sum", "k", None, Decimal(10)), 1), (old, 1)], 0, DIGEST)
    registers.check([(old, -1), (new, 1)])
    with pytest.raises(Problem):
        registers.check([(new, 1)])


def test_after_a_rollback_memory_holds_no_more_than_the_store() -> None:
    store = stores.fresh()
    registers = Registers(store)
    kept = Effect("t/latest", "k", "kept")
    with store.writing():
        registers.enter([(kept, 1), (Effect("t/sum", "k", None, Decimal(5)), 1)], 0, DIGEST)
        registers.flush()

    def enter_and_fail() -> None:
        with store.writing():
            registers.enter([(kept, -1), (Effect("t/latest", "k", "lost"), 1)], 1, DIGEST)
            registers.enter([(Effect("t/sum", "k", None, Decimal(-5)), 1)], 1, DIGEST)
            registers.flush()
            raise KeyError

    with pytest.raises(KeyError):
        enter_and_fail()
    registers.forget()
    assert registers.value("t/latest", "k", NOWHERE, 0) == "kept"
    assert registers.balance("t/sum", "k", NOWHERE) == 5
    with store.writing():
        registers.enter([(Effect("t/latest", "k", "next"), 1)], 1, DIGEST)
        registers.flush()
    assert [row[0] for row in store.rows("SELECT id FROM entries ORDER BY id")] == [0, 1, 2]


def test_more_keys_than_memory_keeps_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    registers = Registers(stores.fresh())
    with registers.store.writing():
        for n in range(50):
            registers.enter([(Effect("t/latest", f"k{n % 10}", n), 1)], n, DIGEST)
        for n in range(10):
            assert registers.value("t/latest", f"k{n}", NOWHERE, 0) == 40 + n
    assert len(registers._kept) <= 3


def test_an_organisation_holds_the_roles_in_force_and_no_others_of_a_similar_name() -> None:
    registers = Registers(stores.fresh())

    def grant(org: str, role: str, state: str, until: int | None = None) -> tuple[Effect, int]:
        return Effect("core/accreditations", f"{org}/{role}", {"state": state}, until=until), 1

    with registers.store.writing():
        registers.enter(
            [grant("bank", "member", "in-force"), grant("bank", "insurer", "in-force", 5)], 0, DIGEST
        )
        registers.enter(
            [grant("bank-2", "carrier", "in-force"), grant("bank.x", "port", "in-force")], 1, DIGEST
        )
        registers.enter([grant("bank", "member", "ended")], 2, DIGEST)
        registers.flush()
    assert registers.roles("bank", 4) == {"insurer"}
    assert registers.roles("bank", 5) == frozenset()
    assert registers.roles("bank-2", 5) == {"carrier"}
    assert (registers.held("bank", "member", 2, 0), registers.held("bank", "member", 3, 0)) == (True, False)


def test_who_is_accredited_for_a_role_that_is_recognised_for_another_holds_both() -> None:
    registers = Registers(stores.fresh())
    grant = Effect("core/accreditations", "lab/health-laboratory", {"state": "in-force"}, until=9)
    accepts = {"role": "laboratory", "accepts": ["health-laboratory", "port-laboratory"]}
    with registers.store.writing():
        registers.enter([(grant, 1)], 0, DIGEST)
        registers.enter([(Effect("core/recognitions", "laboratory", accepts), 1)], 1, DIGEST)
        registers.flush()
    assert registers.roles("lab", 0) == {"laboratory", "health-laboratory"}
    assert (registers.held("lab", "laboratory", 1, 0), registers.held("lab", "laboratory", 2, 0)) == (
        False,
        True,
    )
    assert not registers.holds("lab", "laboratory", 9)
    assert not registers.holds("other", "laboratory", 0)


def test_a_look_over_keys_gives_what_is_in_force_of_those_with_the_same_beginning() -> None:
    registers = Registers(stores.fresh())
    with registers.store.writing():
        for n, key in enumerate(["b/2", "a/1", "a/2", "a0", "a/3"]):
            registers.enter(
                [(Effect("t/latest", key, {"n": n}, until=5 if key == "a/3" else None), 1)], n, DIGEST
            )
        registers.enter([(Effect("t/latest", "a/1", {"n": 1}), -1)], 5, DIGEST)
        assert registers.values("t/latest", "a/", 5, 0) == [{"n": 1}, {"n": 2}, {"n": 4}]
        assert registers.values("t/latest", "a/", NOWHERE, 6) == [{"n": 2}]
        assert registers.values("t/latest", "c", NOWHERE, 6) == []


def test_a_document_takes_back_its_own_entry_and_no_other_of_the_same_value() -> None:
    registers = Registers(stores.fresh())
    first, second = (Effect("t/latest", "k", "same", by=bytes([n]) * 32) for n in (1, 2))
    with registers.store.writing():
        registers.enter([(first, 1)], 0, b"\1" * 32)
        registers.enter([(Effect("t/latest", "k", "other", by=b"\3" * 32), 1)], 1, b"\3" * 32)
        registers.enter([(second, 1)], 2, b"\2" * 32)
        registers.enter([(first, -1)], 3, b"\4" * 32)
        for held in (registers, again("reopen", registers, registers.store)):
            assert held.value("t/latest", "k", NOWHERE, 0) == "same"
            found = held.entry("t/latest", "k", NOWHERE, 0)
            assert found is not None
            assert found.digest == b"\2" * 32


def test_what_has_ended_does_not_count_towards_the_most_that_a_look_over_keys_gives() -> None:
    """More keys that ended than a look may give do not hide the one in force, which is last of them all."""
    registers = Registers(stores.fresh())
    with registers.store.writing():
        ended = [(Effect("t/latest", f"a/{n:04}", None), 1) for n in range(module.MOST_VALUES + 1)]
        registers.enter([*ended, (Effect("t/latest", "a/9999", "here"), 1)], 0, DIGEST)
        assert registers.values("t/latest", "a/", NOWHERE, 0) == ["here"]
