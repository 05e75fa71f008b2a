"""Selective disclosure: members and elements that are signed by digest and shown one by one (RFC 9901).

A disclosure is base64url of the JSON array [salt, name, value] for a member of an object, [salt, value] for an
element of an array. Where it belongs stands its SHA-256 digest: in the array `_sd` of the object, or as the
element {"...": digest}. A disclosure's value can hold digests again (recursive disclosure, §4.2.6).
"""

from __future__ import annotations

from binascii import b2a_base64
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gardesh.model.canonical import (
    DEFAULT,
    NOT_JSON,
    TOO_DEEP,
    Limits,
    base64url_decode,
    base64url_encode,
    check_depth,
    decode_each,
    encode,
)
from gardesh.model.problem import Problem, define, pointer

MALFORMED = define(
    "disclosure-malformed",
    400,
    en="Disclosure {number} is not a JSON array of a salt, a name (for a member only) and a value.",
    fa="افشای شمارهٔ {number} آرایه‌ای از نمک، نام (تنها برای عضو شیء) و مقدار نیست.",
)
TOO_MANY = define(
    "disclosures-too-many",
    413,
    en="A document has {limit} disclosures at most; this one has {count}.",
    fa="سند حداکثر {limit} افشا می‌تواند داشته باشد؛ این سند {count} افشا دارد.",
)
GIVEN_TWICE = define(
    "disclosure-given-twice",
    400,
    en="Disclosure {number} is given twice.",
    fa="افشای شمارهٔ {number} دو بار آمده است.",
)
UNREFERENCED = define(
    "disclosure-unreferenced",
    422,
    en="Disclosure {number} belongs nowhere: what is signed does not hold its digest.",
    fa="افشای شمارهٔ {number} به جایی تعلق ندارد: چکیدهٔ آن در بخش امضاشده نیست.",
    hint_en="It was changed after the issuer made it, or the disclosure that it lies in is missing.",
    hint_fa="این افشا پس از صدور تغییر کرده، یا افشایی که در بر دارندهٔ آن است فرستاده نشده است.",
)
WRONG_PLACE = define(
    "disclosure-of-other-form",
    422,
    en="Disclosure {number} is of an element where a member belongs, or the other way round.",
    fa="افشای شمارهٔ {number} از عنصر آرایه است ولی جای عضو شیء نشسته، یا برعکس.",
)
NAME_RESERVED = define(
    "disclosure-name-reserved",
    422,
    en="The name {name} is reserved by RFC 9901 and cannot be a member.",
    fa="نام {name} را RFC 9901 برای خود نگه داشته است و نمی‌تواند نام عضو باشد.",
)
NAME_TAKEN = define(
    "disclosure-name-taken",
    422,
    en="The member {name} is disclosed where one of that name already stands.",
    fa="عضو {name} در جایی افشا شده که عضوی به همین نام هست.",
)
MARKER = define(
    "digest-malformed",
    422,
    en="`_sd` is an array of SHA-256 digests in base64url, and `...` the only member of an array's element.",
    fa="«_sd» باید آرایه‌ای از چکیده‌های SHA-256 به شکل base64url و «...» تنها عضو یک عنصر آرایه باشد.",
)
DIGEST_TWICE = define(
    "digest-twice",
    422,
    en="The digest {digest} appears twice.",
    fa="چکیدهٔ {digest} دو بار آمده است.",
)
POINTER = define(
    "pointer-malformed",
    400,
    en="{given} is not a JSON pointer (RFC 6901).",
    fa="{given} یک نشانی JSON Pointer (RFC 6901) نیست.",
)

RESERVED = frozenset(("_sd", "...", "_sd_alg"))
SALT_BYTES = 16

Place = tuple[str, ...]
"""Where a value stands: the unescaped tokens of its JSON pointer."""


@dataclass(frozen=True, slots=True)
class Revealed:
    """An object with its disclosures in place. `missing` counts the digests that no disclosure was given for."""

    value: dict[str, Any]
    places: tuple[Place, ...]
    missing: int


def reveal(node: dict[str, Any], disclosures: Sequence[bytes], limits: Limits = DEFAULT) -> Revealed:
    """Puts disclosures in their places and drops what is left of digests (RFC 9901 §7.1, step 3 to 5).

    `node` itself is not changed. Array elements that are not disclosed are left out, so that places count the
    elements that are there. Raises Problem for whatever §7.1 rejects.
    """
    if len(disclosures) > limits.disclosures:
        raise Problem(TOO_MANY, count=len(disclosures), limit=limits.disclosures)
    filling = _Filling(_by_digest(disclosures, limits), limits.depth)
    value = filling.object(node, (), 1)
    if len(filling.places) != len(disclosures):
        number = next(n for n in range(len(disclosures)) if n not in filling.places)
        raise Problem(UNREFERENCED, number=number + 1)
    places = filling.places
    return Revealed(value, tuple(places[n] for n in range(len(places))), len(filling.seen) - len(places))


def _by_digest(disclosures: Sequence[bytes], limits: Limits) -> dict[str, tuple[int, list[Any]]]:
    if not disclosures:
        return {}
    contents = decode_each([base64url_decode(d) for d in disclosures], limits)
    for number, content in enumerate(contents, 1):
        if type(content) is not list or not 2 <= len(content) <= 3 or type(content[0]) is not str:
            raise Problem(MALFORMED, number=number)
    found = dict(zip(_digests(disclosures), enumerate(contents), strict=True))
    if len(found) != len(disclosures):
        times = Counter(disclosures)
        raise Problem(GIVEN_TWICE, number=next(n for n, d in enumerate(disclosures, 1) if times[d] > 1))
    return found


def _digests(disclosures: Iterable[bytes]) -> list[str]:
    """The base64url of each one's digest, made in one go: 32 bytes and a zero byte are 44 characters, the last
    of which is the zero's alone."""
    raw = b"".join([sha256(d).digest() + b"\0" for d in disclosures])
    text = b2a_base64(raw, newline=False).decode().replace("+", "-").replace("/", "_")
    return [text[at : at + 43] for at in range(0, len(text), 44)]


class _Filling:
    """One pass over what is signed. `seen` holds the digests met, `places` where each used disclosure went."""

    __slots__ = ("found", "limit", "places", "seen")

    def __init__(self, found: dict[str, tuple[int, list[Any]]], limit: int) -> None:
        self.found = found
        self.limit = limit
        self.seen: set[str] = set()
        self.places: dict[int, Place] = {}

    def object(self, node: dict[str, Any], place: Place, depth: int) -> dict[str, Any]:
        if depth > self.limit:
            raise Problem(TOO_DEEP, limit=self.limit)
        out: dict[str, Any] = {}
        for name, value in node.items():
            if name in RESERVED:
                if name != "_sd":
                    raise Problem(MARKER, pointer(*place, name))
                continue
            kind = type(value)
            if kind is dict:
                value = self.object(value, (*place, name), depth + 1)
            elif kind is list:
                value = self.array(value, (*place, name), depth + 1)
            out[name] = value
        if "_sd" in node:
            self._members(node["_sd"], out, place, depth)
        return out

    def _members(self, digests: Any, out: dict[str, Any], place: Place, depth: int) -> None:
        if type(digests) is not list:
            raise Problem(MARKER, pointer(*place, "_sd"))
        for digest in digests:
            found = self._take(digest, place)
            if found is None:
                continue
            number, content = found
            if len(content) != 3 or type(content[1]) is not str:
                raise Problem(WRONG_PLACE, pointer(*place), number=number + 1)
            name, value = content[1], content[2]
            if name in RESERVED:
                raise Problem(NAME_RESERVED, pointer(*place), name=name)
            if name in out:
                raise Problem(NAME_TAKEN, pointer(*place, name), name=name)
            self.places[number] = inner = (*place, name)
            kind = type(value)
            if kind is dict:
                value = self.object(value, inner, depth + 1)
            elif kind is list:
                value = self.array(value, inner, depth + 1)
            out[name] = value

    def array(self, node: list[Any], place: Place, depth: int) -> list[Any]:
        if depth > self.limit:
            raise Problem(TOO_DEEP, limit=self.limit)
        out: list[Any] = []
        for value in node:
            if type(value) is dict and "..." in value:
                if len(value) != 1:
                    raise Problem(MARKER, pointer(*place, len(out)))
                found = self._take(value["..."], place)
                if found is None:
                    continue
                number, content = found
                if len(content) != 2:
                    raise Problem(WRONG_PLACE, pointer(*place), number=number + 1)
                value = content[1]
                self.places[number] = (*place, str(len(out)))
            kind = type(value)
            if kind is dict:
                value = self.object(value, (*place, str(len(out))), depth + 1)
            elif kind is list:
                value = self.array(value, (*place, str(len(out))), depth + 1)
            out.append(value)
        return out

    def _take(self, digest: Any, place: Place) -> tuple[int, list[Any]] | None:
        if type(digest) is not str:
            raise Problem(MARKER, pointer(*place))
        if digest in self.seen:
            raise Problem(DIGEST_TWICE, pointer(*place), digest=digest)
        self.seen.add(digest)
        found = self.found.get(digest)
        if found is None and not _is_digest(digest):
            raise Problem(MARKER, pointer(*place))
        return found


def _is_digest(text: str) -> bool:
    try:
        return len(text) == 43 and text.isascii() and len(base64url_decode(text.encode())) == 32
    except Problem:
        return False


def tokens(given: str) -> Place:
    """The tokens of a JSON pointer. Raises `pointer-malformed`."""
    if given and (given[0] != "/" or given.count("~") != given.count("~0") + given.count("~1")):
        raise Problem(POINTER, given=given)
    return tuple(t.replace("~1", "/").replace("~0", "~") for t in given.split("/")[1:])


def conceal(
    subject: Mapping[str, Any],
    patterns: Iterable[str],
    salt: Callable[[], bytes],
    decoys: int = 0,
) -> tuple[dict[str, Any], list[str]]:
    """What is signed for an object, and the disclosures for the rest: one for each member, and one for each value
    further down that one of the `patterns` names (JSON pointers, in which `*` stands for any member or element).

    `salt` gives 16 random bytes, others each time. `decoys` digests of nothing are added to the object's own.
    """
    check_depth(subject, Limits(depth=DEFAULT.depth - 2))
    concealing = _Concealing(salt)
    node = concealing.hide(subject, [("*",), *map(tokens, patterns)], ())
    if decoys:
        node["_sd"] = sorted([*node.get("_sd", ()), *(concealing.decoy() for _ in range(decoys))])
    return node, concealing.disclosures


class _Concealing:
    __slots__ = ("disclosures", "salt", "salts")

    def __init__(self, salt: Callable[[], bytes]) -> None:
        self.salt = salt
        self.salts: set[bytes] = set()
        self.disclosures: list[str] = []

    def fresh(self) -> bytes:
        salt = self.salt()
        if len(salt) != SALT_BYTES or salt in self.salts:
            raise ValueError(f"a salt is {SALT_BYTES} random bytes, others each time (RFC 9901 §9.3)")
        self.salts.add(salt)
        return salt

    def decoy(self) -> str:
        return base64url_encode(sha256(self.fresh()).digest())

    def disclose(self, *content: Any) -> str:
        text = base64url_encode(encode([base64url_encode(self.fresh()), *content]))
        self.disclosures.append(text)
        return base64url_encode(sha256(text.encode()).digest())

    def hide(self, value: Any, patterns: Sequence[Place], place: Place) -> Any:
        """The value with digests in the place of whatever a pattern names. Inner values are hidden first."""
        if isinstance(value, Mapping):
            clear: dict[str, Any] = {}
            digests: list[str] = []
            for name, member in value.items():
                if not isinstance(name, str):
                    raise Problem(
                        NOT_JSON, pointer(*place), kind=f"{type(name).__name__} (as a member's name)"
                    )
                if name in RESERVED:
                    raise Problem(NAME_RESERVED, pointer(*place), name=name)
                inner = [p[1:] for p in patterns if p and p[0] in (name, "*")]
                hidden = self.hide(member, inner, (*place, name))
                if () in inner:
                    digests.append(self.disclose(name, hidden))
                else:
                    clear[name] = hidden
            return {**clear, "_sd": sorted(digests)} if digests else clear
        if isinstance(value, list | tuple):
            elements: list[Any] = []
            for n, element in enumerate(value):
                inner = [p[1:] for p in patterns if p and p[0] in (str(n), "*")]
                hidden = self.hide(element, inner, (*place, str(n)))
                elements.append({"...": self.disclose(hidden)} if () in inner else hidden)
            return elements
        return value


def needed(value: dict[str, Any], places: Sequence[Place], pointers: Iterable[str]) -> list[int]:
    """The numbers (from 0) of the disclosures without which what `pointers` name cannot be shown whole: those that
    it lies in and those that lie in it. `value` and `places` are of what `reveal` gave. `*` stands for any member
    or element; what is not there needs none.
    """
    shown = {place for given in pointers for place in _existing(value, tokens(given), ())}
    above = {place[:n] for place in shown for n in range(len(place))}
    return [
        number
        for number, place in enumerate(places)
        if place in above or any(place[:n] in shown for n in range(len(place) + 1))
    ]


def names_something(value: Any, pointer: str) -> bool:
    """Whether a path, as `needed` takes them, leads to anything."""
    return any(True for _ in _existing(value, tokens(pointer), ()))


def _existing(value: Any, wanted: Place, place: Place) -> Iterator[Place]:
    if not wanted:
        yield place
    elif type(value) is dict:
        for name in value if wanted[0] == "*" else wanted[:1]:
            if name in value:
                yield from _existing(value[name], wanted[1:], (*place, name))
    elif type(value) is list:
        for n, element in enumerate(value):
            if wanted[0] in ("*", str(n)):
                yield from _existing(element, wanted[1:], (*place, str(n)))
