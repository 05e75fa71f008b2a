"""What lint finds in packs whose parts do not fit each other. Each fault is put into a pack that has none."""

from __future__ import annotations

from typing import Any

import pytest

from gardesh.model.library import Library
from gardesh.record import folder
from gardesh.study.lint import lint

PACKS = folder.gather(folder.shipped() / "governance")


def found(changes: dict[str, Any]) -> set[tuple[str, str]]:
    """(code, place) of what lint finds when these merge patches are made to the governance pack."""
    library = Library()
    made = folder.changed(PACKS[0], "9.0.0", changes)
    for each in (*PACKS[1:], made):
        library.add(each)
    return {(f.code, f.place) for f in lint(library, made)}


def test_the_shipped_packs_have_no_fault() -> None:
    for path in sorted(folder.shipped().iterdir()):
        library = Library()
        packs = folder.gather(path)
        for each in packs:
            library.add(each)
        assert lint(library, packs[0]) == [], path.name


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a clause that nobody can issue": (
        {"procedures/surveillance.yaml": {"steps": {"surveillance": {"by": "provider"}}}},
        "nobody-can-issue",
        "/procedures/surveillance.yaml/steps/surveillance",
    ),
    "what the role's naming waits for, by the role itself": (
        {"procedures/concern.yaml": {"steps": {"concern": {"by": "owner"}}}},
        "nobody-can-issue",
        "/procedures/concern.yaml/steps/concern",
    ),
    "a pattern that is not matched in linear time": (
        {"documents/concern.yaml": {"schema": {"properties": {"text": {"pattern": r"^(a|aa)+\1$"}}}}},
        "broken",
        "/documents/concern.yaml/schema",
    ),
    "a name's pattern that is not matched in linear time": (
        {"documents/concern.yaml": {"schema": {"patternProperties": {"^(a+)+(?=b)$": True}}}},
        "broken",
        "/documents/concern.yaml/schema",
    ),
    "a balance that nothing credits": (
        {"procedures/fund-allocation.yaml": {"steps": {"fund-allocation": {"enters": []}}}},
        "never-credited",
        "/registers/funds.yaml",
    ),
    "a comment period shorter than the minimum": (
        {"pack.yaml": {"settings": {"comment-days": {"values": [{"since": "2025-01-01", "value": 6}]}}}},
        "check-failed",
        "/pack.yaml/checks/comments-shorter-than-the-law",
    ),
    "a later value that breaks a check": (
        {
            "pack.yaml": {
                "settings": {
                    "urgent-comment-days": {
                        "values": [{"since": "2025-01-01", "value": 2}, {"since": "2027-01-01", "value": 8}]
                    }
                }
            }
        },
        "check-failed",
        "/pack.yaml/checks/urgent-longer-than-usual",
    ),
    "a check over what is no setting": (
        {"pack.yaml": {"checks": [{"code": "x", "check": "setting('nothing') > 1", "assumed": "x", "message": {"fa": "x", "en": "x"}}]}},
        "check-broken",
        "/pack.yaml/checks/x",
    ),
    "a quorum larger than the seats": (
        {"documents/founding-act.yaml": {"schema": {"properties": {"quorum": {"properties": {"seats": {"maximum": 1}}}}}}},
        "no-value-possible",
        "/documents/founding-act.yaml/schema/properties/quorum/properties/seats",
    ),
    "a required field that a closed object does not know": (
        {"documents/notice.yaml": {"schema": {"required": ["closes_on", "nothing"]}}},
        "no-value-possible",
        "/documents/notice.yaml/schema",
    ),
    "a deadline past the term": (
        {"documents/provider-application.yaml": {"valid_for": "10d"}},
        "term-outlives-need",
        "/procedures/provider-accreditation.yaml/steps/assessment/within",
    ),
    "a private field in a public register": (
        {"documents/concern.yaml": {"schema": {"properties": {"title": {"private": True}}}}},
        "private-in-public",
        "/procedures/concern.yaml/steps/concern/enters/0",
    ),
    "a private field in a public register that takes the whole subject": (
        {"documents/commitment.yaml": {"schema": {"properties": {"owner": {"private": True}}}}},
        "private-in-public",
        "/procedures/commitment.yaml/steps/commitment/enters/0",
    ),
    "a mark that keeps nothing out": (
        {"documents/call.yaml": {"schema": {"properties": {"agenda": {"items": {"properties": {"title": {"private": True}}}}}}}},
        "private-too-deep",
        "/documents/call.yaml/schema/properties/agenda/items/properties/title",
    ),
    "a text that revises no step": (
        {"procedures/tariff-decision.yaml": {"steps": {"revised-draft": {"revises": "nothing"}}}},
        "no-such-step",
        "/procedures/tariff-decision.yaml/steps/revised-draft/revises",
    ),
    "a fee whose receipt of any sum would do": (
        {
            "procedures/provider-accreditation.yaml": {
                "steps": {
                    "fee": {"document": "core/payment-receipt", "by": "treasury", "needs": ["provider-application"]},
                    "assessment": {"fee": {"item": "assessment", "prepaid": "fee"}},
                }
            }
        },
        "fee-unchecked",
        "/procedures/provider-accreditation.yaml/steps/assessment/fee",
    ),
    "a silence without a term": (
        {"procedures/concern.yaml": {"steps": {"assignment": {"within": None}}}},
        "silence-without-term",
        "/procedures/concern.yaml/steps/assignment",
    ),
    "a paper that nobody reads": (
        {"procedures/tariff-decision.yaml": {"steps": {"memo": {"document": "comment", "by": "regulator", "needs": ["draft"]}}}},
        "unneeded-step",
        "/procedures/tariff-decision.yaml/steps/memo",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(name: str) -> None:
    changes, code, place = FAULTS[name]
    assert (code, place) in found(changes)
