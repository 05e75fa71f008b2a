"""Each refusal of the one way in: its code, the place it points at, its sentences; and that nothing is stored."""

from __future__ import annotations

import re

import pytest

from gardesh.model.problem import Problem
from gardesh.record.registers import NOWHERE
from gardesh.record.views import Views
from market import Market, application, explains_itself, refused
from wrong_papers import REFUSALS, visit

pytestmark = pytest.mark.store


def understandable(problem: Problem) -> None:
    english, persian = problem.sentence("en"), problem.sentence("fa")
    assert re.search("[a-zA-Z]{3}", english)
    assert not re.search("[\u0600-\u06ff]", english)
    assert re.search("[\u0600-\u06ff]{2}", persian)
    assert "{" not in english + persian
    assert bool(problem.hint("en")) == bool(problem.hint("fa"))
    assert problem.as_dict()["detail"] == {"en": english, "fa": persian}


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_refusal_has_its_code_and_place_and_sentences_and_leaves_nothing(fault: str) -> None:
    make, code, pointer = REFUSALS[fault]
    market = Market()
    problem = refused(market, make(market))
    assert (problem.code, problem.pointer) == (code, pointer)
    understandable(problem)


def test_the_refusal_of_a_taken_slot_names_the_document_that_took_it() -> None:
    market = Market()
    case = market.apply(sites=["north"])
    papers = [visit(market, case, "north", "north") for _ in range(2)]
    first = market.submit(papers[0])
    assert refused(market, papers[1]).params["first"] == first.digest.hex()


def test_the_longest_texts_that_can_be_searched_by_are_found() -> None:
    market = Market()
    name = "".join(chr(0x1F000 + 7 * n % 1_500) for n in range(500))
    market.area(name, seats=3)
    assert market.node.sequencer.registers.balance("market/seats", name, NOWHERE) == 3
    case = market.do("ali", "application", application(name, area=name, reference=name))
    assert Views(market.store, market.node.library).find_case(f"application={name}") == case
    explains_itself(market.node)
