"""What a new version of a pack changes is said, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from gardesh.record import folder
from gardesh.study.pack_difference import Difference, differences

TRADE = folder.read_pack(folder.shipped() / "agriculture")
PERMIT = "procedures/import-permit.yaml"


def changes(**patches: Any) -> list[Difference]:
    """The differences that merge patches to files make."""
    named = {name.replace("__", "/").replace("_", "-") + ".yaml": patch for name, patch in patches.items()}
    return differences(TRADE, folder.changed(TRADE, "1.1.0", named))


def said(found: list[Difference]) -> set[tuple[str, str, str]]:
    return {(d.kind, d.topic, d.en) for d in found}


def test_a_pack_does_not_differ_from_itself() -> None:
    for path in sorted(folder.shipped().iterdir()):
        pack = folder.read_pack(path)
        assert differences(pack, pack) == []


def test_a_deadline() -> None:
    found = changes(procedures__import_permit={"steps": {"import-permit": {"within": "3d"}}})
    assert said(found) == {
        ("changed", "deadline", "import-permit/import-permit: within 3d, was setting:permit-term")
    }
    assert found[0].fa.startswith("import-permit/import-permit: مهلت 3d")


def test_a_new_step_is_a_wait_and_a_right_to_read() -> None:
    step = {
        "document": "core/payment-receipt",
        "by": "treasury",
        "needs": [{"import-permit-request": ["goods"]}],
    }
    fee = {"item": "x", "prepaid": "fee"}
    found = said(changes(procedures__import_permit={"steps": {"fee": step, "import-permit": {"fee": fee}}}))
    assert ("added", "step", "import-permit: the step fee is added, by treasury") in found
    assert ("added", "wait", "import-permit/import-permit: it now waits for fee") in found
    assert ("added", "wait", "import-permit/fee: it now waits for import-permit-request") in found
    assert ("added", "reader", "treasury now reads import-permit-request (goods)") in found
    assert ("added", "reader", "Plant Protection Organisation now reads fee") in found


def test_a_step_that_goes() -> None:
    procedure = TRADE.procedures["import-permit"]
    name = next(n for n in procedure.steps if n not in (procedure.opens_with, procedure.closes_with))
    found = said(changes(procedures__import_permit={"steps": {name: None}}))
    assert ("removed", "step", f"import-permit: the step {name} is removed") in found


def test_a_renamed_step_is_not_one_that_goes_and_one_that_comes() -> None:
    made = folder.changed(
        TRADE,
        "1.2.0",
        {
            PERMIT: {
                "steps": {
                    "pest-risk-class": None,
                    "risk": {"document": "pest-risk-class", "by": "plant-protection"},
                },
                "migration": {"renames": {"pest-risk-class": "risk"}},
            }
        },
    )
    found = said(differences(TRADE, made))
    assert ("changed", "step", "import-permit: the step pest-risk-class is now called risk") in found
    assert not any(kind == "removed" and topic == "step" for kind, topic, _ in found)


def test_fields_and_rules() -> None:
    schema = {"properties": {"seal": {"type": "string"}, "origin": None}, "required": ["seal"]}
    found = said(changes(documents__pest_risk_class={"schema": schema}))
    assert ("added", "paper", "pest-risk-class: the field seal is added, required") in found
    rule = {"code": "no-seal", "check": "true", "message": {"fa": "مهر", "en": "No seal."}}
    found = said(changes(documents__pest_risk_class={"rules": [rule]}))
    assert ("added", "rule", "pest-risk-class: new rule no-seal: No seal.") in found


@pytest.mark.parametrize("topic", ["setting"])
def test_a_setting_from_a_day(topic: str) -> None:
    name = next(iter(TRADE.manifest.settings))
    values = [{"since": "2030-01-01", "value": "9d", "assumed": "test"}]
    found = changes(pack={"settings": {name: {"values": values}}})
    assert any(d.topic == topic and "2030-01-01" in d.en and "9d" in d.en for d in found)


def test_every_difference_is_said_in_both_languages() -> None:
    logistics = folder.read_pack(folder.shipped() / "logistics")
    for each in differences(TRADE, logistics):
        assert each.en
        assert each.fa
        assert each.kind in ("added", "removed", "changed")


GOVERNANCE = folder.read_pack(folder.shipped() / "governance")


@pytest.mark.parametrize(
    ("file", "patch", "topic", "words"),
    [
        ("registers/payouts.yaml", {"public": True}, "reader", "payouts: public: yes"),
        ("registers/funds.yaml", {"kind": "latest"}, "register", "funds: its kind is latest, was balance"),
        (
            "documents/reply.yaml",
            {"about": "this.text"},
            "reader",
            "reply: it is about, and read by, this.text",
        ),
        ("documents/reply.yaml", {"valid_for": "9d"}, "deadline", "reply: valid for 9d"),
        ("documents/reply.yaml", {"disclosable": ["/text"]}, "reader", "reply: shown apart: /text"),
        (
            "documents/comment.yaml",
            {"schema": {"properties": {"on_behalf_of": {"private": None}}}},
            "reader",
            "comment: the field on_behalf_of is now shown in the public register",
        ),
        ("pack.yaml", {"checks": []}, "rule", "the check urgent-longer-than-usual is removed"),
        (
            "pack.yaml",
            {"calendar": "core/generic"},
            "deadline",
            "working time by core/generic, was core/iran",
        ),
        (
            "procedures/concern.yaml",
            {"migration": {"drops": ["memo"]}},
            "other",
            "concern: what becomes of open cases is changed",
        ),
    ],
)
def test_whatever_else_a_pack_says(file: str, patch: dict[str, Any], topic: str, words: str) -> None:
    found = differences(GOVERNANCE, folder.changed(GOVERNANCE, "1.1.0", {file: patch}))
    assert (topic, words) in {(d.topic, d.en) for d in found}
