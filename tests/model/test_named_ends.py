"""Ends that documents name (`until`), documents as elements of a list, and who plays a role by a register."""

from __future__ import annotations

from typing import Any

import pytest
from histories import START, Play, compiled

from gardesh.model import fold
from gardesh.model.calendar import HOUR, iso
from gardesh.model.problem import Problem

DAY = 24 * HOUR


def call(steps: dict[str, Any], **subject: Any) -> Play:
    steps = {"call": {"by": "trader"}, **steps, "end": {"by": "bank", "needs": [list(steps)[-1]]}}
    play = Play(compiled({"opens_with": "call", "closes_with": "end", "steps": steps}))
    play.begin(subject)
    return play


OFFERS: dict[str, Any] = {"offer": {"by": "bank", "many": True, "until": "call.ends", "needs": ["call"]}}


def window(play: Play, name: str = "offer") -> Any:
    return play.case.steps[play.step(name).index].window


def test_a_window_is_open_until_the_instant_that_a_document_names() -> None:
    play = call(OFFERS, ends=iso(START + 5 * HOUR))
    assert (window(play).state, window(play).deadline) == ("due", START + 5 * HOUR)
    play.wait(4)
    play.must("offer")
    play.wait(1)
    assert window(play).state == "issued"
    assert play.submit(play.compose("offer", digest=b"late")) == "window-closed"
    play.must("end")


def test_a_day_alone_ends_with_it() -> None:
    assert window(call(OFFERS, ends="2026-01-03")).deadline == START + 3 * DAY


def test_an_end_that_lies_behind_is_now() -> None:
    assert window(call(OFFERS, ends="2025-12-01")).state == "issued"


def test_a_window_whose_end_is_moved_opens_anew() -> None:
    play = call(OFFERS, ends=iso(START + 2 * HOUR))
    play.wait(3)
    assert window(play).state == "issued"
    play.must("call", "correct", subject={"ends": iso(START + 9 * HOUR)})
    assert (window(play).state, window(play).deadline) == ("due", START + 9 * HOUR)


def test_a_document_that_names_no_instant_is_refused() -> None:
    play = Play(
        compiled(
            {"opens_with": "call", "closes_with": "offer", "steps": {"call": {"by": "trader"}, **OFFERS}}
        )
    )
    assert play.case.closed_at is None
    with pytest.raises(AssertionError, match="instant-malformed"):
        play.begin({"ends": "soon"})


def test_silence_may_have_a_named_end_too() -> None:
    steps = {
        "answer": {
            "by": "bank",
            "until": "call.ends",
            "needs": ["call"],
            "on_silence": {"deemed": "approved"},
        }
    }
    play = call(steps, ends=iso(START + 3 * HOUR))
    play.wait(4)
    assert play.state("answer") == "issued"


def test_a_term_and_a_named_end_exclude_each_other() -> None:
    steps = {
        "call": {"by": "trader"},
        "end": {"by": "bank", "needs": ["call"], "within": "2h", "until": "call.ends"},
    }
    with pytest.raises(Problem, match="not both"):
        compiled({"opens_with": "call", "closes_with": "end", "steps": steps})


def test_each_document_of_a_window_is_an_element_named_as_its_slot() -> None:
    answer = {"by": "bank", "each": "offer", "needs": [{"offer": {"key": "each"}}], "rules": [RULE]}
    play = call({**OFFERS, "answer": answer}, ends=iso(START + 2 * HOUR))
    play.must("offer", key="x", subject={"price": 7})
    play.must("offer", key="y", subject={"price": 8})
    play.wait(2)
    assert sorted(play.case.steps[play.step("answer").index].slots) == ["x", "y"]
    with pytest.raises(Problem, match="another-price"):
        fold.accept(play.case, play.compose("answer", key="x", subject={"price": 8}), play.t, 3)
    play.must("answer", key="x", subject={"price": 7})
    play.must("answer", key="y", subject={"price": 8})
    play.must("end")


RULE = {
    "code": "another-price",
    "check": "this.price == offer.price",
    "message": {"fa": "قیمت", "en": "price"},
}


def test_a_role_may_be_played_by_whom_a_register_names() -> None:
    steps = {"call": {"by": "trader"}, "end": {"by": "bank", "needs": ["call"]}}
    procedure = {"opens_with": "call", "closes_with": "end", "steps": steps}
    procedure["binds"] = {"bank": {"org": "register('posts', call.post).holder"}}
    register = {"register": "posts", "title": {"fa": "سمت‌ها", "en": "Posts"}}
    play = Play(compiled(procedure, **{"registers/posts.yaml": register}))
    play.world.values_[("play/posts", "chair")] = [(-1, {"holder": "bank-2"})]
    play.begin({"post": "chair"})
    assert play.case.procedure.binds["bank"].timely
    with pytest.raises(Problem, match="bank-2"):
        fold.accept(play.case, play.compose("end"), play.t, 1)
