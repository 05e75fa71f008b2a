"""Checking a case file from itself alone: container, manifest, checkpoint, receipts, keys in force, signatures.

What it proves: each document in it is on the log at its position and time, was signed with a key that its issuer had
in force there, and belongs to the case or to one it is linked with; everything else in the file follows from these.
What no file can prove of itself: that nothing was left out that no document in it names, a revocation among that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gardesh.exchange.case_file import (
    ATTACHED,
    CHECKPOINT,
    DOCUMENTS,
    FORMAT,
    KEYS,
    LINKED,
    MANIFEST,
    LeftOut,
    Part,
    describe,
    files,
    named_attachments,
    receipt_name,
)
from gardesh.exchange.case_file_container import (
    ALTERED,
    INCOMPLETE,
    MAX_BYTES,
    UNREADABLE,
    first_change,
    flaw,
    read,
    write,
)
from gardesh.exchange.case_file_keys import KeyRing
from gardesh.exchange.case_file_links import belonging
from gardesh.model import canonical
from gardesh.model.checkpoint import Checkpoint
from gardesh.model.document import Envelope, parse
from gardesh.model.key_registration import ADMISSION, GENESIS
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem, define
from gardesh.model.receipt import check as check_receipt
from gardesh.model.receipt import parse as parse_receipt
from gardesh.model.signer import Verifier

UNEXPECTED = define(
    "case-file-unexpected",
    422,
    en="{part} has no place in a case file.",
    fa="{part} در پرونده جایی ندارد.",
)
IN_PART = define(
    "case-file-in-part",
    422,
    en="{part} was disclosed in part only; a case file that is not for one reader holds its documents whole.",
    fa="{part} تنها در بخشی افشا شده است؛ در پرونده‌ای که برای یک خواننده نیست، سندها کامل‌اند.",
)
NOT_PROVEN = define(
    "case-file-not-proven",
    422,
    en="{part} is not what the log holds there: {receipt} does not prove it under the checkpoint.",
    fa="{part} آن نیست که در آن جایگاه دفتر است: {receipt} آن را زیر نقطه‌ی وارسی اثبات نمی‌کند.",
)
SIGNATURE = define(
    "case-file-signature",
    422,
    en="The signature of {part} is not by the key {kid} of {issuer}.",
    fa="امضای {part} با کلید {kid} از {issuer} نیست.",
)
_DOCUMENT = re.compile(rf"({DOCUMENTS}|{LINKED}|{KEYS})/([0-9]{{10}})-[a-z0-9-]{{1,100}}\.sd-jwt")
LATEST = 253_402_300_799_999
"""The end of the year 9999, in ms: no later time can be shown."""


@dataclass(slots=True)
class Verification:
    """What a check found. Whole when there are no problems; each names its part with a pointer.

    `keys` has every registration, retirement and revocation of a key, as `keys.json` has it. Fields are filled as far
    as the check came; where there are problems, nothing in them is proven.
    """

    case: str = ""
    procedure: str = ""
    pack: str = ""
    pack_digest: str = ""
    """As the documents that adopted the pack state it."""
    origin: str = ""
    size: int = 0
    root: str = ""
    documents: int = 0
    verified: int = 0
    """How many documents were verified: those of the case, of linked cases, and those that registered the keys."""
    attachments: int = 0
    reader: str | None = None
    """For whom the file was made, where it is not whole: documents may then be shown in part, and some left out."""
    in_part: int = 0
    """How many documents are shown in part."""
    unshown: list[str] = field(default_factory=list)
    """Documents that are left out for this reader, by their digests: that they are on the log is proven, and no more."""
    left_out: list[str] = field(default_factory=list)
    """Attachments that documents name and that are not in the file, by their SHA-256: no flaw, but not checked."""
    keys: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    """The documents themselves, in log order, with what they were proven by."""
    left: list[LeftOut] = field(default_factory=list)
    """What is `unshown`, with its proofs."""
    checkpoint: bytes = b""

    @property
    def whole(self) -> bool:
        return not self.problems


def verify(data: bytes, trust: Policy | None = None) -> Verification:
    """Check a case file. Without `trust`, the log's keys are those that the file's own genesis names.

    Raises nothing: what is wrong is in `problems`.
    """
    found = Verification()
    try:
        _Check(data, trust, found).run()
    except Problem as problem:
        found.problems.append(problem)
    return found


class _Check:
    def __init__(self, data: bytes, trust: Policy | None, found: Verification) -> None:
        self.data, self.trust, self.found = data, trust, found
        self.files: dict[str, bytes] = {}
        self.ring = KeyRing()
        self.left: list[LeftOut] = []

    def bad(self, problem: Problem) -> None:
        self.found.problems.append(problem)

    def run(self) -> None:
        self.files, problems, exact = read(self.data)
        self.found.problems += problems
        if problems:
            return
        about = self.manifest()
        papers = [] if self.found.problems else self.papers()
        if self.found.problems:
            return
        made = self.checkpoint(papers[0][2])
        parts = self.receipts(papers, made)
        self.unshown(made)
        self.signatures(parts)
        self.found.documents = sum(p.folder != KEYS for p in parts)
        self.found.verified = len(parts)
        self.found.parts = parts
        self.found.in_part = sum(not p.paper.complete for p in parts if p.folder != KEYS)
        left = None if self.found.reader is None else [one.digest for one in self.left]
        self.found.problems += belonging(parts, self.found.case, left)
        if not self.found.problems:
            self.rendered(about, parts)
        if not self.found.problems and not exact and (again := write(self.files)) != self.data:
            self.bad(first_change(again, self.data))

    def manifest(self) -> dict[str, Any]:
        """The manifest but for its files, each of which is as it says."""
        raw = self.files.get(MANIFEST)
        if raw is None:
            raise flaw(INCOMPLETE, MANIFEST)
        try:
            about: Any = canonical.decode(raw, canonical.Limits(size=MAX_BYTES))
        except Problem:
            raise flaw(ALTERED, MANIFEST) from None
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise flaw(ALTERED, MANIFEST)
        listed = about.pop("files", None)
        about.pop("linked_cases", None), about.pop("attachments_left_out", None)
        if not isinstance(listed, dict):
            raise flaw(ALTERED, MANIFEST)
        for name, said in listed.items():
            if name not in self.files:
                self.bad(flaw(INCOMPLETE, name))
            elif type(said) is not dict or hashlib.sha256(self.files[name]).hexdigest() != said.get("sha256"):
                self.bad(flaw(ALTERED, name))
        for name in self.files.keys() - listed.keys() - {MANIFEST}:
            self.bad(flaw(UNEXPECTED, name))
        found = self.found
        found.case, found.procedure, found.pack = (str(about.get(k)) for k in ("case", "procedure", "pack"))
        if "reader" in about or "left_out" in about:
            self.for_one(about)
        return about

    def for_one(self, about: dict[str, Any]) -> None:
        """The file is for one reader: what it leaves out is named."""
        reader, rows = about.get("reader"), about.get("left_out")
        if type(reader) is not str or type(rows) is not list:
            raise flaw(ALTERED, MANIFEST)
        self.found.reader = reader
        for row in rows:
            position, digest = (row.get("position"), row.get("digest")) if type(row) is dict else (None, None)
            if type(position) is not int or not 0 < position < 10**10 or type(digest) is not str:
                raise flaw(ALTERED, MANIFEST)
            if re.fullmatch("[0-9a-f]{64}", digest) is None:
                raise flaw(ALTERED, MANIFEST)
            receipt = self.files.get(receipt_name(position), b"")
            self.left.append(LeftOut(position, bytes.fromhex(digest), receipt))

    def unshown(self, made: Checkpoint) -> None:
        """That what is left out is on the log where the manifest says."""
        for one in self.left:
            name = receipt_name(one.position)
            try:
                receipt = parse_receipt(one.receipt)
                if receipt.position != one.position or receipt.checkpoint != self.files[CHECKPOINT]:
                    raise flaw(ALTERED, name)
                check_receipt(receipt, one.digest, made.head)
            except Problem:
                self.bad(flaw(NOT_PROVEN, MANIFEST, receipt=name))
        self.found.left, self.found.checkpoint = self.left, self.files[CHECKPOINT]
        self.found.unshown = [one.digest.hex() for one in self.left]

    def papers(self) -> list[tuple[int, str, Envelope]]:
        """(position, folder, document) in log order, from the genesis on."""
        out: dict[int, tuple[int, str, Envelope]] = {}
        for name, data in self.files.items():
            match = _DOCUMENT.fullmatch(name)
            if match is None:
                continue
            folder, position = match[1], int(match[2])
            try:
                paper = parse(data)
            except Problem:
                self.bad(flaw(UNREADABLE, name))
                continue
            shown_in_part = folder != KEYS or paper.type == ADMISSION
            if not paper.complete and not (self.found.reader is not None and shown_in_part):
                self.bad(flaw(IN_PART, name))
            if position in out or Part(position, 0, folder, paper, b"").name != name:
                self.bad(flaw(UNEXPECTED, name))
            out[position] = (position, folder, paper)
        if not self.found.problems and (0 not in out or out[0][2].type != GENESIS):
            self.bad(flaw(INCOMPLETE, f"{KEYS}/0000000000-genesis.sd-jwt"))
        return [out[position] for position in sorted(out)]

    def checkpoint(self, genesis: Envelope) -> Checkpoint:
        try:
            policy = self.trust or log_policy(genesis)
            made = policy.verify(self.files.get(CHECKPOINT, b""))
        except Problem as problem:
            raise problem.at("/" + CHECKPOINT) from None
        self.found.origin, self.found.size, self.found.root = (
            made.head.origin,
            made.head.size,
            made.head.root.hex(),
        )
        return made

    def receipts(self, papers: Sequence[tuple[int, str, Envelope]], made: Checkpoint) -> list[Part]:
        """The documents with the times that their receipts prove; times never go back along the log."""
        parts: list[Part] = []
        before = 0
        for position, folder, paper in papers:
            part = Part(
                position, before, folder, paper, self.files.get(f"receipts/{position:010d}.tlog-proof", b"")
            )
            try:
                before = self.proven(part, made)
            except Problem as problem:
                self.bad(problem)
            parts.append(part._replace(recorded_at=before))
        return parts

    def proven(self, part: Part, made: Checkpoint) -> int:
        """When the document was recorded, as its receipt proves under the checkpoint; not before `recorded_at`."""
        name = part.receipt_name
        if name not in self.files:
            raise flaw(INCOMPLETE, name)
        try:
            receipt = parse_receipt(part.receipt)
        except Problem:
            raise flaw(UNREADABLE, name) from None
        if receipt.position != part.position or receipt.checkpoint != self.files[CHECKPOINT]:
            raise flaw(ALTERED, name)
        try:
            check_receipt(receipt, part.paper.digest, made.head)
        except Problem:
            raise flaw(NOT_PROVEN, part.name, receipt=name) from None
        if not part.recorded_at <= receipt.recorded_at <= LATEST:
            raise flaw(ALTERED, name)
        return receipt.recorded_at

    def signatures(self, parts: Sequence[Part]) -> None:
        """Each signature by the key in force at its position, as the documents before it say."""
        for part in parts:
            paper = part.paper
            try:
                if part.position == 0:  # the genesis names its own signer's key
                    self.ring.register(0, part.name, paper)
                    self.ring.check(part.name, paper)
                else:
                    self.ring.check(part.name, paper)
                    self.ring.register(part.position, part.name, paper)
            except Problem as problem:
                own = problem.code.startswith("case-file-")
                wrong = flaw(SIGNATURE, part.name, kid=paper.kid, issuer=paper.issuer)
                self.bad(problem if own else wrong)
        self.found.keys = self.ring.listing()

    def attached(self, parts: Sequence[Part]) -> dict[str, bytes]:
        """The attachments that are here, each what a document names; what none names is left to be unexpected."""
        known = named_attachments(parts)
        here = {n.partition("/")[2]: d for n, d in self.files.items() if n.startswith(f"{ATTACHED}/")}
        for digest, data in here.items():
            said = known.get(digest)
            if said is not None and (said[0] != len(data) or hashlib.sha256(data).hexdigest() != digest):
                self.bad(flaw(ALTERED, f"{ATTACHED}/{digest}"))
        self.found.attachments = len(here)
        self.found.left_out = sorted(known.keys() - here.keys())
        return here

    def rendered(self, about: dict[str, Any], parts: Sequence[Part]) -> None:
        """Everything that follows from the documents is what follows from them."""
        case, procedure, label = self.found.case, self.found.procedure, self.found.pack
        last = next((p.paper for p in reversed(parts) if p.folder == DOCUMENTS), None)
        if last is not None:
            label = last.pack
            procedure = f"{label.partition('@')[0]}/{last.procedure.rpartition('/')[2]}"
        digest = self.found.pack_digest = self.ring.packs.get(label, "")
        try:
            said = describe(case, procedure, label, digest, parts[0].paper, self.found.reader, self.left)
            here = self.attached(parts)
            expected = files(said, self.files[CHECKPOINT], parts, self.ring, here, self.left)
        except (KeyError, TypeError, Problem):
            raise flaw(UNREADABLE, parts[0].name) from None
        except (RecursionError, ValueError, OverflowError):
            raise flaw(UNREADABLE, "index.html") from None
        for name in sorted((self.files.keys() | expected.keys()) - {MANIFEST}):
            if name not in self.files:
                self.bad(flaw(INCOMPLETE, name))
            elif name not in expected:
                self.bad(flaw(UNEXPECTED, name))
            elif self.files[name] != expected[name]:
                self.bad(flaw(ALTERED, name))
        if not self.found.problems and (said != about or self.files[MANIFEST] != expected[MANIFEST]):
            self.bad(flaw(ALTERED, MANIFEST))


def log_policy(genesis: Envelope) -> Policy:
    """What the genesis says of the log. Raises as `Policy` and `Verifier.parse`."""
    said = genesis.subject.get("log")
    log = said if isinstance(said, dict) else {}
    keys = log.get("keys")
    return Policy.of_log(
        str(log.get("origin")), tuple(Verifier.parse(str(k)) for k in keys or () if type(keys) is list)
    )
