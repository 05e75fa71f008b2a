"""How often one client may ask, what counts once, and where a page begins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh.model.problem import Problem
from gardesh.web import paging, rate
from gardesh.web.rate import Once, Rate


def test_a_bucket_fills_again() -> None:
    made = Rate(2.0, 3)
    for _ in range(3):
        made.take("a", 100.0)
    with pytest.raises(Problem) as caught:
        made.take("a", 100.0)
    assert caught.value.params["wait"] == 1
    made.take("b", 100.0)
    made.take("a", 100.5)
    with pytest.raises(Problem):
        made.take("a", 100.6)
    for _ in range(3):
        made.take("a", 200.0)


@given(st.lists(st.floats(0, 0.5), max_size=200), st.floats(0.5, 50), st.integers(1, 20))
def test_nobody_gets_more_than_the_rate_and_the_burst(
    steps: list[float], per_second: float, burst: int
) -> None:
    made, now, taken = Rate(per_second, burst), 0.0, 0
    for step in steps:
        now += step
        try:
            made.take("a", now)
            taken += 1
        except Problem:
            pass
        assert taken <= burst + per_second * now + 1e-6


def test_no_rate_is_no_limit() -> None:
    made = Rate(0, 1)
    for _ in range(1000):
        made.take("a", 1.0)


def test_clients_are_forgotten_in_the_order_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "REMEMBERED", 10)
    made = Rate(1.0, 1)
    for n in range(1000):
        made.take(n, 1.0)
    assert len(made._buckets) == 10


def test_what_was_used_is_not_used_again_until_it_is_void_anyway() -> None:
    once = Once()
    once.use(b"a", 100, 50)
    for now in (50, 100):
        with pytest.raises(Problem) as caught:
            once.use(b"a", 100, now)
        assert caught.value.code == "request-replayed"
    once.use(b"b", 200, 101)
    once.use(b"a", 300, 101)


def test_a_full_memory_lets_nothing_new_in_rather_than_forget() -> None:
    once = Once(most=2)
    once.use(b"a", 100, 1)
    once.use(b"b", 100, 1)
    with pytest.raises(Problem) as caught:
        once.use(b"c", 100, 1)
    assert caught.value.code == "too-many-requests"
    with pytest.raises(Problem) as caught:
        once.use(b"a", 100, 1)
    assert caught.value.code == "request-replayed"
    once.use(b"c", 200, 101)


@given(st.integers(0, 2**62), st.text(st.characters(codec="utf-8"), max_size=30))
def test_a_cursor_says_where_the_page_ended(number: int, name: str) -> None:
    assert paging.read(paging.write(number, name), tuple[int, str]) == (number, name)
    assert paging.read(paging.write(None, name), tuple[int | None, str]) == (None, name)


@given(st.text(max_size=60))
def test_no_text_is_a_cursor_by_accident(text: str) -> None:
    try:
        found = paging.read(text, tuple[int | None, str, str])
    except Problem as problem:
        assert problem.code == "cursor-malformed"
    else:
        assert len(found) == 3


def test_no_cursor_is_the_beginning() -> None:
    assert paging.read(None, tuple[int]) is None
    with pytest.raises(Problem):
        paging.read(paging.write(-1), tuple[int])
    with pytest.raises(Problem):
        paging.read(paging.write(2**63), tuple[int])
