"""What another node proves of a case that was opened there for a slot here: its case file, checked, and brought in.

The file is an ordinary case file, made there for whoever brings it; nobody has to be trusted on the way. The log there
has to be recognised here (register `core/nodes`): its keys and its witnesses are those that the register names. A report
of the clock there, on the log there, says how the case stands; the closing document is under its issuer's signature.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from gardesh.exchange.case_file import CHECKPOINT, DOCUMENTS, Part
from gardesh.exchange.case_file_check import Verification, verify
from gardesh.exchange.case_file_container import read
from gardesh.exchange.case_file_reduction import reduced
from gardesh.intake import Accepted
from gardesh.model import note
from gardesh.model.claim_elsewhere import Origin
from gardesh.model.document import Envelope
from gardesh.model.elsewhere import NODE_UNKNOWN, NODES
from gardesh.model.policy import Policy
from gardesh.model.policy_file import parse as parse_policy
from gardesh.model.problem import Problem, define
from gardesh.model.signer import Verifier
from gardesh.model.treehead import TreeHead
from gardesh.node import Node
from gardesh.record.clock import Evidence
from gardesh.record.registers import NOWHERE

ANOTHER_NODE = define(
    "evidence-another-node",
    422,
    en="The log {log} begins with another genesis than the one that is recognised here.",
    fa="دفتر {log} با سند آغازینی جز آنچه در اینجا به رسمیت شناخته شده آغاز می‌شود.",
)
NO_REPORT = define(
    "evidence-no-report",
    422,
    en="The file has no report by the clock of its node for a case of this node.",
    fa="در این پرونده گزارشی از ساعت گره آن برای پرونده‌ای از این گره نیست.",
    hint_en="The document that opens the case there names the case here: `for`, with the origin of the log here.",
    hint_fa="سندی که پرونده را در آنجا می‌گشاید پرونده‌ی اینجا را نام می‌برد: for همراه مبدأ دفتر اینجا.",
)
CLOSING_MISSING = define(
    "evidence-closing",
    422,
    en="The document {digest}, by which the case is closed, is not in the file, or is shown in part only.",
    fa="سند {digest} که پرونده را می‌بندد در این پرونده نیست یا تنها بخشی از آن افشا شده است.",
    hint_en="Bring the file as whoever opened the case gets it, or as the node here gets it.",
    hint_fa="پرونده را همان‌گونه بیاورید که گشاینده‌ی آن یا گره اینجا دریافت می‌کند.",
)
OPENING_MISSING = define(
    "evidence-opening",
    422,
    en="The document that opens the case is not in the file.",
    fa="سندی که پرونده را می‌گشاید در این پرونده نیست.",
)
OF_THE_CASE = frozenset(
    ("not-asked", "wrong-procedure", "no-such-case", "node-procedure", "evidence-backdated", "evidence-ahead", "evidence-pack")
)  # fmt: skip
"""Refusals that tell of the case here."""
MOST_BYTES = 64 << 20
"""How large a file may be."""
TOO_LARGE = define(
    "evidence-too-large",
    413,
    en="The file has more than {limit} bytes.",
    fa="این پرونده بیش از {limit} بایت دارد.",
)


def bring(node: Node, data: bytes, now: int) -> Accepted:
    """Check a case file from another node and mirror its newest report in the slot here that asked for it.

    Durable when it returns; of the file, what proves it is kept as an attachment of the mirror, so it shows no more than
    the mirror does. What is known already, or older than what is known, gives the place of that. Raises as `check` and
    `Intake.bring`.
    """
    return keep(node, *check(node, data, now), now)


def keep(node: Node, proven: Evidence, kept: bytes, now: int) -> Accepted:
    """Mirror what `check` gave. As `bring`."""
    if node.blobs is not None:
        digest, _ = node.blobs.put(io.BytesIO(kept), node.sequencer.clock.name)
        assert digest == proven.file
    return node.intake.bring(proven, now)


def check(node: Node, data: bytes, now: int) -> tuple[Evidence, bytes]:
    """What the file proves, and that file reduced to what proves it. Changes nothing.

    Raises Problem: `evidence-too-large`, `node-unknown`, `evidence-…`, and the first problem that the check of the case
    file finds (`case-file-…`, `checkpoint-…`).
    """
    log = origin_of(data)
    value = recognised(node, log, now)
    return proven(node, verified(data, log, value), value, now)


def recognised(node: Node, log: str, now: int) -> dict[str, Any]:
    """What the register of nodes says of a log now. Raises `node-unknown`."""
    value = node.sequencer.registers.value(NODES, log, NOWHERE, now)
    if value is None:
        raise Problem(NODE_UNKNOWN, log=log)
    return dict(value)


def verified(data: bytes, log: str, value: Mapping[str, Any]) -> Verification:
    """The case file, checked by the keys and the witnesses of a recognised log; in any thread. Raises what is wrong."""
    found = verify(data, policy_of(log, value))
    if found.problems:
        raise found.problems[0]
    return found


def origin_of(data: bytes) -> str:
    """The log that a case file says it is of; nothing of it is checked. Raises `evidence-too-large`, and what is wrong."""
    if len(data) > MOST_BYTES:
        raise Problem(TOO_LARGE, limit=MOST_BYTES)
    files, problems, _ = read(data)
    if problems:
        raise problems[0]
    try:
        return TreeHead.parse(note.parse(files.get(CHECKPOINT, b"")).text).origin
    except Problem as problem:
        raise problem.at("/" + CHECKPOINT) from None


def log_policy(log: str, value: Mapping[str, Any]) -> Policy:
    """That a recognised log has signed, whoever witnessed it: for what it serves, and receipts that come at once."""
    return Policy.of_log(log, [Verifier.parse(key) for key in value["keys"]])


def policy_of(log: str, value: Mapping[str, Any]) -> Policy:
    """Whose signatures make a checkpoint of a recognised log trusted: all its keys, and the witnesses that the register
    names. Raises as `policy_file.parse` and `Policy`."""
    said = str(value.get("witnesses") or "")
    if not said:
        return log_policy(log, value)
    return parse_policy(said.encode()).for_log(log, [Verifier.parse(key) for key in value["keys"]])


def proven(node: Node, found: Verification, value: dict[str, Any], now: int) -> tuple[Evidence, bytes]:
    """What a checked file proves here, and what is kept of it. Raises `evidence-…`."""
    parts = found.parts
    genesis = parts[0].paper
    if genesis.digest.hex() != value["genesis"]:
        raise Problem(ANOTHER_NODE, log=found.origin)
    clock = genesis.subject["clock"]["org"]
    opening = next((p.paper for p in parts if p.paper.digest.hex() == found.case), None)
    report = _newest(parts, found.case, clock)
    if report is None or report.paper.for_slot is None or report.paper.standing is None:
        raise Problem(NO_REPORT)
    if report.paper.for_slot.log != node.log.origin:
        raise Problem(NO_REPORT)
    if opening is None or opening.for_slot != report.paper.for_slot:
        raise Problem(OPENING_MISSING)
    names, closing = report.paper.names, None
    if names is not None:
        closing = next((p.paper for p in parts if p.paper.digest.hex() == names and p.paper.complete), None)
        if closing is None:
            raise Problem(CLOSING_MISSING, digest=names)
    issuer = known_here(node, closing, value, now) if closing is not None else ""
    opener = known_here(node, opening, value, now)
    origin = Origin(found.origin, found.case, opener, issuer, report.position, report.recorded_at)
    shown = {opening.digest: opening.show(()), report.paper.digest: report.paper.data}
    shown |= {closing.digest: closing.data} if closing is not None else {}
    kept = reduced(found, found.reader or str(value["known_as"] or value["org"]), shown)
    return Evidence(
        recognised=value,
        slot=report.paper.for_slot,
        procedure=found.procedure,
        pack=found.pack,
        pack_digest=found.pack_digest,
        origin=origin,
        standing=report.paper.standing,
        outcome=report.paper.outcome,
        closing=closing,
        file=sha256(kept).digest() if node.blobs is not None else None,
        size=len(kept),
    ), kept


def known_here(node: Node, paper: Envelope, value: Mapping[str, Any], now: int) -> str:
    """Who signed a document there, as known here: the organisation that has registered the same key. Two nodes may give
    one name to two organisations; of those that are not known here, the node there stands for all."""
    key = node.sequencer.registers.value("core/keys", paper.kid, NOWHERE, now)
    return str(value["org"] if key is None or key.get("state") == "revoked" else key["org"])


def _newest(parts: list[Part], case: str, clock: str) -> Part | None:
    """The newest report of the case by the clock of its node."""
    reports = [
        p for p in parts
        if p.folder == DOCUMENTS and p.paper.act == "report" and p.paper.case == case and p.paper.issuer == clock
    ]  # fmt: skip
    return reports[-1] if reports else None
