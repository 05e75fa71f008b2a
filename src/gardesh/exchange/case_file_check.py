"""Checking a case file from itself alone: container, manifest, checkpoint, receipts, keys in force, signatures."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gardesh.exchange.case_file import FORMAT, KEY_TYPES, container, decoded
from gardesh.exchange.case_file_page import page, readme
from gardesh.model import canonical
from gardesh.model.checkpoint import Checkpoint, Policy
from gardesh.model.document import Envelope, parse
from gardesh.model.document import verify as verify_signature
from gardesh.model.jose import PublicKey
from gardesh.model.problem import Problem, define
from gardesh.model.receipt import check as check_receipt
from gardesh.model.receipt import parse as parse_receipt
from gardesh.model.signer import Verifier

UNREADABLE = define(
    "case-file-unreadable",
    422,
    en="{part} of the case file cannot be read: it was changed or cut off.",
    fa="{part} از پرونده خوانده نمی‌شود: تغییر یافته یا بریده شده است.",
)
ALTERED = define(
    "case-file-altered",
    422,
    en="{part} is not what was exported.",
    fa="{part} آن نیست که صادر شده است.",
)
INCOMPLETE = define(
    "case-file-incomplete",
    422,
    en="{part} is missing from the case file.",
    fa="{part} در پرونده نیست.",
)
NOT_OF_THE_CASE = define(
    "case-file-foreign",
    422,
    en="{part} does not belong to this case.",
    fa="{part} از این پرونده نیست.",
)
KEY_NOT_PROVEN = define(
    "case-file-key-not-in-force",
    422,
    en="The key of {part} was not in force at its place in the log.",
    fa="کلید {part} در جایگاه آن در دفتر معتبر نبوده است.",
)
MAX_BYTES, MAX_FILES = 1 << 30, 200_000
_ZIP_FAULTS = (
    zipfile.BadZipFile, zlib.error, struct.error, ValueError, KeyError, RuntimeError, OSError, EOFError, OverflowError,
    NotImplementedError,
)  # fmt: skip
_encode = msgspec.json.Encoder(order="deterministic", decimal_format="string").encode


@dataclass(slots=True)
class Verification:
    """What a check found. Whole when there are no problems; each names its part with a pointer."""

    case: str = ""
    origin: str = ""
    size: int = 0
    root: str = ""
    documents: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.problems


def verify(data: bytes, trust: Policy | None = None) -> Verification:
    """Check a case file. Without `trust`, the log's keys are those that its own genesis names.

    Raises nothing: what is wrong is in `problems`.
    """
    found = Verification()
    try:
        _Check(data, trust, found).run()
    except Problem as problem:
        found.problems.append(problem)
    return found


def _problem(code: str, part: str) -> Problem:
    return Problem(code, "/" + part, part=part)


class _Check:
    def __init__(self, data: bytes, trust: Policy | None, found: Verification) -> None:
        self.data, self.trust, self.found = data, trust, found
        self.files: dict[str, bytes] = {}

    def bad(self, code: str, part: str) -> None:
        self.found.problems.append(_problem(code, part))

    def run(self) -> None:
        self.read()
        about = self.manifest()
        papers = self.papers()
        if self.found.problems:
            return
        head = self.checkpoint(papers)
        self.receipts(papers, head)
        self.signatures(papers)
        self.contents(about, papers)
        if not self.found.problems and container(self.files) != self.data:
            self.bad(ALTERED, "container")

    def read(self) -> None:
        if len(self.data) > MAX_BYTES:
            raise _problem(UNREADABLE, "container")
        try:
            with zipfile.ZipFile(io.BytesIO(self.data)) as source:
                entries = source.infolist()
                names = [e.filename for e in entries]
                if len(set(names)) != len(names) or len(names) > MAX_FILES:
                    raise _problem(UNREADABLE, "container")
                if any(e.compress_type != zipfile.ZIP_STORED or e.flag_bits & ~0x800 for e in entries):
                    raise _problem(ALTERED, "container")
                for entry in entries:
                    try:
                        self.files[entry.filename] = source.read(entry)
                    except _ZIP_FAULTS:
                        self.bad(UNREADABLE, entry.filename)
        except _ZIP_FAULTS:
            raise _problem(UNREADABLE, "container") from None

    def manifest(self) -> dict[str, Any]:
        raw = self.files.get("manifest.json")
        if raw is None:
            raise _problem(INCOMPLETE, "manifest.json")
        try:
            about: dict[str, Any] = canonical.decode(raw, canonical.Limits(size=MAX_BYTES))
            listed = about.pop("files")
            if about["format"] != FORMAT or _encode({**about, "files": listed}) != raw:
                raise _problem(ALTERED, "manifest.json")
            for name, said in listed.items():
                if name not in self.files:
                    self.bad(INCOMPLETE, name)
                elif hashlib.sha256(self.files[name]).hexdigest() != said["sha256"]:
                    self.bad(ALTERED, name)
            for name in self.files.keys() - listed.keys() - {"manifest.json"}:
                self.bad(ALTERED, name)
            self.found.case, self.found.origin = str(about["case"]), str(about["origin"])
        except Problem as problem:
            raise (problem if problem.code == ALTERED else _problem(ALTERED, "manifest.json")) from None
        except (KeyError, TypeError, AttributeError):
            raise _problem(ALTERED, "manifest.json") from None
        return about

    def papers(self) -> list[tuple[int, str, Envelope]]:
        """(position, name, document) in log order."""
        out = []
        for name, data in self.files.items():
            folder, _, rest = name.partition("/")
            if folder in ("documents", "keys") and rest[:10].isdigit():
                try:
                    out.append((int(rest[:10]), name, parse(data)))
                except Problem:
                    self.bad(UNREADABLE, name)
        out.sort()
        if not out or out[0][0] != 0 or out[0][2].type != "core/genesis":
            self.bad(INCOMPLETE, "keys/0000000000-genesis.sd-jwt")
        return out

    def checkpoint(self, papers: list[tuple[int, str, Envelope]]) -> Checkpoint:
        policy = self.trust
        if policy is None:
            said = papers[0][2].subject.get("log")
            keys = said.get("keys", []) if isinstance(said, dict) else []
            policy = Policy(self.found.origin, tuple(Verifier.parse(str(k)) for k in keys))
        try:
            made = policy.verify(self.files.get("checkpoint", b""))
        except Problem as problem:
            raise problem.at("/checkpoint") from None
        self.found.size, self.found.root = made.head.size, made.head.root.hex()
        return made

    def receipts(self, papers: list[tuple[int, str, Envelope]], made: Checkpoint) -> None:
        self.times: dict[int, int] = {}
        for position, _, paper in papers:
            name = f"receipts/{position:010d}.tlog-proof"
            try:
                receipt = parse_receipt(self.files.get(name, b""))
                proven = check_receipt(receipt, paper.digest, made.head)
            except Problem:
                self.bad(ALTERED, name)
                continue
            if proven.position != position or receipt.checkpoint != self.files["checkpoint"]:
                self.bad(ALTERED, name)
            self.times[position] = proven.recorded_at

    def signatures(self, papers: list[tuple[int, str, Envelope]]) -> None:
        """Each signature by the key in force at its position, as the documents before it say."""
        keys: dict[str, tuple[str, PublicKey]] = {}
        for position, name, paper in papers:
            if position == 0:
                steward = paper.subject["steward"]
                keys[steward["kid"]] = (steward["org"], PublicKey.from_jwk(steward["key"]))
            known = keys.get(paper.kid)
            if known is None or known[0] != paper.issuer:
                self.bad(KEY_NOT_PROVEN, name)
                continue
            try:
                verify_signature(paper, known[1])
            except Problem:
                self.bad(ALTERED, name)
                continue
            if paper.type in KEY_TYPES:
                register(keys, paper)

    def contents(self, about: dict[str, Any], papers: list[tuple[int, str, Envelope]]) -> None:
        rows = []
        for position, name, paper in papers:
            at = self.times.get(position, 0)
            if name.startswith("documents/"):
                rows.append((position, at, paper))
                self.found.documents += 1
            plain = f"decoded/{position:010d}.json"
            if self.files.get(plain) != decoded(position, at, paper):
                self.bad(ALTERED, plain)
        own = [p for _, _, p in rows if about["case"] in (p.case, p.digest.hex())]
        if not own:
            self.bad(NOT_OF_THE_CASE, "documents")
        if self.files.get("index.html") != page(about, rows):
            self.bad(ALTERED, "index.html")
        if self.files.get("README.txt") != readme():
            self.bad(ALTERED, "README.txt")
        if about.get("genesis") != papers[0][2].digest.hex():
            self.bad(ALTERED, "manifest.json")


def register(keys: dict[str, tuple[str, PublicKey]], paper: Envelope) -> None:
    """What a document of the core pack does to the keys in force."""
    subject, org = paper.subject, paper.subject.get("org", paper.issuer)
    if paper.type == "core/genesis":
        clock = subject["clock"]
        keys[clock["kid"]] = (clock["org"], PublicKey.from_jwk(clock["key"]))
    for each in subject.get("keys", ()) if paper.type in ("core/admission", "core/key-rotation") else ():
        keys[each["kid"]] = (org, PublicKey.from_jwk(each["jwk"]))
    for kid in subject.get("retires", ()):
        keys.pop(kid, None)
    if paper.type == "core/key-revocation":
        keys.pop(subject["kid"], None)
