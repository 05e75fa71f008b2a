"""The file of a policy (C2SP tlog-policy): lines `log`, `witness`, `group` and `quorum`, read strictly.

Stricter than the standard in one thing: a public key that serves a log may not serve a witness too.

Names are octets to the standard. Here they are text in which an octet that is no UTF-8 is a lone surrogate
(:func:`gardesh.model.policy.shown` makes them fit to print).
"""

from __future__ import annotations

import re

from gardesh.model.c2sp import read_decimal
from gardesh.model.policy import Group, Policy, TrustedLog, Witness, shown
from gardesh.model.problem import Problem, define
from gardesh.model.signer import Verifier

MAX_POLICY_BYTES = 1 << 20
MAX_LINES_OF_A_KIND = 256
"""C2SP asks for 32 logs, 32 witnesses and 32 groups at least."""
MAX_DEPTH = 64
MAX_WORD_BYTES = 2304
"""A verifier key of ML-DSA-44 has 2,017 bytes at most."""
NONE = "none"

TOO_LARGE = define(
    "policy-too-large",
    413,
    en="A policy has {bytes} bytes, words of {word}, {lines} lines of a kind and groups {depth} deep at most.",
    fa="خط‌مشی حداکثر {bytes} بایت، واژه‌های {word} بایتی، {lines} سطر از هر گونه و {depth} گروه تودرتو دارد.",
)
LINE_MALFORMED = define(
    "policy-line-malformed",
    400,
    en="Line {line} of the policy is no log, witness, group or quorum line of C2SP tlog-policy.",
    fa="سطر {line} خط‌مشی هیچ یک از سطرهای log، witness، group یا quorum در C2SP tlog-policy نیست.",
)
KEY_UNFIT = define(
    "policy-key-unfit",
    400,
    en="Line {line} of the policy has no verifier key that serves a {role}.",
    fa="سطر {line} خط‌مشی کلید وارسیِ درخور {role} ندارد.",
)
KEY_TWICE = define(
    "policy-key-twice",
    400,
    en="The key in line {line} of the policy is there already.",
    fa="کلید سطر {line} خط‌مشی پیش‌تر در آن آمده است.",
)
NAME_TAKEN = define(
    "policy-name-taken",
    400,
    en="Line {line} of the policy gives the name {name} a second time.",
    fa="سطر {line} خط‌مشی نام {name} را بار دوم به کار می‌برد.",
    hint_en="Every witness and group has a name of its own, and is a member once at most.",
    hint_fa="هر گواه و هر گروه نام خود را دارد و حداکثر یک بار عضو گروه می‌شود.",
)
NAME_UNKNOWN = define(
    "policy-name-unknown",
    400,
    en="Line {line} of the policy names {name}, which no line before it defines.",
    fa="سطر {line} خط‌مشی از {name} نام می‌برد که هیچ سطری پیش از آن تعریفش نکرده است.",
)
THRESHOLD_OUT = define(
    "policy-threshold-out-of-range",
    400,
    en="Line {line} of the policy asks for {least} of {members} members.",
    fa="سطر {line} خط‌مشی {least} عضو از {members} عضو را می‌خواهد.",
)
QUORUM_NOT_ONE = define(
    "policy-quorum-not-one",
    400,
    en="A policy has one quorum line; line {line} is where that fails.",
    fa="هر خط‌مشی یک سطر quorum دارد؛ این شرط در سطر {line} برقرار نیست.",
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


def parse(raw: bytes) -> Policy:
    """The policy in this file. Refusals name the line: `policy-line-malformed`, `policy-key-unfit`,
    `policy-key-twice`, `policy-name-taken`, `policy-name-unknown`, `policy-threshold-out-of-range`,
    `policy-quorum-not-one`; and `policy-too-large`."""
    if len(raw) > MAX_POLICY_BYTES:
        raise too_large()
    *lines, end = raw.split(b"\n")
    if end:
        raise Problem(LINE_MALFORMED, line=len(lines) + 1)
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        if _CONTROL.search(line):
            raise Problem(LINE_MALFORMED, line=number)
        # Only space and tab are left of what `bytes.split` takes for white space.
        words = [] if line.lstrip().startswith(b"#") else line.split()
        if any(len(word) > MAX_WORD_BYTES for word in words):
            raise too_large()
        if words:
            reader.line(number, [word.decode("utf-8", "surrogateescape") for word in words])
    if not reader.quorums:
        raise Problem(QUORUM_NOT_ONE, line=len(lines) + 1)
    return Policy(tuple(reader.logs), tuple(reader.witnesses), reader.quorums[0])


def too_large() -> Problem:
    bounds = (MAX_POLICY_BYTES, MAX_WORD_BYTES, MAX_LINES_OF_A_KIND, MAX_DEPTH)
    return Problem(TOO_LARGE, "", **dict(zip(("bytes", "word", "lines", "depth"), bounds, strict=True)))


class _Reader:
    """What the lines up to here have defined."""

    def __init__(self) -> None:
        self.logs: list[TrustedLog] = []
        self.witnesses: list[Witness] = []
        self.quorums: list[Witness | Group | None] = []
        self.named: dict[str, Witness | Group] = {}
        self.depth: dict[str, int] = {}
        self.members: set[str] = set()
        self.keys: set[bytes] = set()

    def line(self, number: int, words: list[str]) -> None:
        match words:
            case ["log", vkey, *url] if len(url) < 2:
                self.logs.append(TrustedLog((self.key(number, vkey, "log"),), "".join(url)))
            case ["witness", name, vkey, *url] if len(url) < 2:
                self.free(number, name)
                made = Witness(name, (self.key(number, vkey, "witness"),), "".join(url))
                self.witnesses.append(made)
                self.named[name], self.depth[name] = made, 0
            case ["group", name, least, *members] if members:
                self.free(number, name)
                self.group(number, name, least, members)
            case ["quorum", name]:
                if self.quorums:
                    raise Problem(QUORUM_NOT_ONE, line=number)
                self.quorums.append(None if name == NONE else self.known(number, name))
            case _:
                raise Problem(LINE_MALFORMED, line=number)
        if max(len(self.logs), len(self.witnesses), len(self.named)) > MAX_LINES_OF_A_KIND:
            raise too_large()

    def key(self, number: int, vkey: str, role: str) -> Verifier:
        try:
            key = Verifier.parse(vkey)
        except Problem:
            raise Problem(KEY_UNFIT, line=number, role=role) from None
        if role == "witness" and not key.cosigns:
            raise Problem(KEY_UNFIT, line=number, role=role)
        if key.public in self.keys:
            raise Problem(KEY_TWICE, line=number)
        self.keys.add(key.public)
        return key

    def group(self, number: int, name: str, word: str, members: list[str]) -> None:
        count = len(members)
        least = {"all": count, "any": 1}.get(word, read_decimal(word))
        if least is None:
            raise Problem(LINE_MALFORMED, line=number)
        if not 1 <= least <= count:
            raise Problem(THRESHOLD_OUT, line=number, least=least, members=count)
        found = []
        for member in members:
            found.append(self.known(number, member))
            if member in self.members:
                raise Problem(NAME_TAKEN, line=number, name=shown(member))
            self.members.add(member)
        self.named[name] = Group(name, least, tuple(found))
        self.depth[name] = 1 + max(self.depth[member] for member in members)
        if self.depth[name] > MAX_DEPTH:
            raise too_large()

    def free(self, number: int, name: str) -> None:
        if name in self.named or name == NONE:
            raise Problem(NAME_TAKEN, line=number, name=shown(name))

    def known(self, number: int, name: str) -> Witness | Group:
        if name not in self.named:
            raise Problem(NAME_UNKNOWN, line=number, name=shown(name))
        return self.named[name]
