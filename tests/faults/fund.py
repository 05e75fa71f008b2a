"""A pack of one balance and of documents that are replaced, beside the market's; and papers of it that need no asking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gardesh.model.document import compose, sign
from gardesh.model.pack import Pack
from gardesh.record.clock import salt
from market import START, key_of, packs
from tiny_pack import tiny

ENTRY = "register: purse, key: this.who"
PROCEDURES = {
    "deposit": f"""
procedure: deposit
title: {{fa: واریز, en: Deposit}}
opens_with: deposit
closes_with: deposit
steps:
  deposit: {{by: market-office, enters: [{{{ENTRY}, adds: this.amount}}]}}
""",
    "withdrawal": f"""
procedure: withdrawal
title: {{fa: برداشت, en: Withdrawal}}
opens_with: withdrawal
closes_with: withdrawal
steps:
  withdrawal: {{by: market-office, enters: [{{{ENTRY}, takes: this.amount}}]}}
""",
    "sheet": """
procedure: sheet
title: {fa: برگ, en: Sheet}
opens_with: sheet
closes_with: seal
steps:
  sheet: {by: market-office}
  seal: {by: market-office, needs: [sheet]}
""",
}
ORG, WHO = "city", "fund"


def both_packs() -> Sequence[Pack]:
    """The market's and the one of these procedures."""
    return [*packs(), tiny(PROCEDURES, [*PROCEDURES, "seal"])[0]]


def paper(step: str, subject: dict[str, Any], **more: Any) -> bytes:
    claims = compose(
        type=f"tiny/{step}",
        issuer=ORG,
        valid_from_ms=START,
        pack="tiny@1.0.0",
        procedure=step,
        step=step,
        **more,
    )
    return sign(claims, subject, key_of(ORG), salt=salt)
