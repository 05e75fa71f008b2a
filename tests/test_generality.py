"""The engine knows documents, steps, registers and terms; what they are about is said by packs alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gardesh

SOURCE = Path(gardesh.__file__).parent
ENGINE = [
    *sorted((SOURCE / "model").rglob("*.py")),
    *sorted((SOURCE / "record").rglob("*.py")),
    SOURCE / "intake.py",
]
WORDS = re.compile(
    r"tariff|\bvot(e|es|ed|ing)\b|ballot|quorum|tranche|consultation|working.group|tender|subsid|ministr|customs|guild"
    r"|veterinar|cargo|shipment|consignment|importer|exporter|phytosanit|chamber|proposal|clinic|patient|pupil|farmer"
    r"|تعرفه|رأی‌گیری|حد نصاب|گمرک|کارگروه|دغدغه|واردات",
    re.IGNORECASE,
)
KNOWN = {
    # The formats of identifiers are a library of check digits and patterns; they name what they identify.
    "model/identifiers.py": {"customs", "tariff", "تعرفه", "گمرک"},
    "model/check_digits.py": {"tariff", "تعرفه"},
    # C2SP tlog-policy: how many witnesses must have co-signed.
    "model/policy.py": {"quorum", "حد نصاب"},
    "model/policy_file.py": {"quorum"},
    "model/fork.py": {"quorum"},
}


@pytest.mark.parametrize("file", ENGINE, ids=lambda f: str(f.relative_to(SOURCE)))
def test_the_engine_mentions_no_domain(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    found = {match[0].lower() for match in WORDS.finditer(text)}
    assert found <= KNOWN.get(str(file.relative_to(SOURCE)), set())


def test_the_words_are_those_of_the_packs() -> None:
    """The list can fail: each word is one that a shipped pack uses, or would."""
    packs = SOURCE.parents[1] / "packs"
    said = " ".join(f.read_text(encoding="utf-8") for f in sorted(packs.rglob("*.yaml")))
    for word in ("tariff", "vote", "quorum", "tranche", "customs", "guild", "تعرفه", "گمرک", "کارگروه"):
        assert WORDS.search(word)
        assert word in said.lower()
