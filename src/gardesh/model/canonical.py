"""JSON read strictly and written one way, and base64url (RFC 8259, RFC 8785, RFC 4648 §5).

Reading refuses whatever two readers could understand differently: members that appear twice, lone surrogates,
NaN and Infinity, bytes that are not UTF-8. Fractions are `decimal.Decimal`, never binary floats.

The canonical form is that of RFC 8785 (members in UTF-16 order, no spaces) but for numbers, which RFC 8785
rounds to binary doubles: here they are exact, and written plainly. 1.50, 15E-1 and 1.5 are all `1.5`.
"""

from __future__ import annotations

import json
from binascii import Error as _Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from json.encoder import encode_basestring as _quote
from typing import Any, NoReturn

import msgspec

from gardesh.model.problem import Problem, define

TOO_LONG = define(
    "input-too-long",
    413,
    en="This is {length} bytes long; at most {limit} are read.",
    fa="طول این ورودی {length} بایت است؛ بیش از {limit} بایت خوانده نمی‌شود.",
    hint_en="Send large files as attachments, which a document names by digest.",
    hint_fa="پرونده‌های بزرگ را به صورت پیوست بفرستید؛ سند، پیوست را با چکیده‌اش نام می‌برد.",
)
NOT_UTF8 = define(
    "json-not-utf8",
    400,
    en="JSON is written in UTF-8; byte {at} is not.",
    fa="متن JSON باید به UTF-8 باشد؛ بایت {at} چنین نیست.",
)
MALFORMED = define(
    "json-malformed",
    400,
    en="This is not JSON: it fails at character {at}.",
    fa="این متن JSON نیست: در نویسهٔ {at} خطا دارد.",
)
MEMBER_TWICE = define(
    "json-member-twice",
    400,
    en="The member {member} appears twice in one object.",
    fa="عضو {member} در یک شیء دو بار آمده است.",
)
TOO_DEEP = define(
    "json-too-deep",
    400,
    en="The structure is nested more than {limit} levels deep.",
    fa="ساختار بیش از {limit} سطح تودرتو است.",
)
NUMBER = define(
    "json-number",
    400,
    en="{number} is not a number that can be kept exactly: at most {limit} digits, no NaN, no Infinity.",
    fa="{number} عددی نیست که بتوان دقیق نگه داشت: حداکثر {limit} رقم، بدون NaN و Infinity.",
)
SURROGATE = define(
    "json-lone-surrogate",
    400,
    en="A string holds half of a surrogate pair, which is no character.",
    fa="در یک رشته نیمهٔ یک جفت جانشین (surrogate) آمده است که نویسه نیست.",
)
NOT_JSON = define(
    "json-value",
    400,
    en="A value of type {kind} has no exact form in JSON.",
    fa="مقداری از نوع {kind} در JSON شکل دقیقی ندارد.",
    hint_en="Write amounts as integers or as Decimal; floats lose digits.",
    hint_fa="مبلغ‌ها را به صورت عدد صحیح یا Decimal بنویسید؛ float رقم‌ها را از دست می‌دهد.",
)
BASE64URL = define(
    "base64url-malformed",
    400,
    en="This is not base64url without padding.",
    fa="این متن base64url بدون نویسه‌های پرکننده نیست.",
)

NUMBER_DIGITS = 64
"""A number has at most so many digits, before and after its point together, when it is written plainly."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read at most: bytes of the whole input, levels of nesting, disclosures of a document."""

    size: int = 1 << 20
    depth: int = 32
    disclosures: int = 2000


DEFAULT = Limits()


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Problem(NUMBER, number=text[:40], limit=NUMBER_DIGITS) from None
    _check_digits(value, text)
    return value


def _check_digits(value: Decimal, text: str) -> None:
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or max(len(digits) + exponent, 1) - min(exponent, 0) > NUMBER_DIGITS:
        raise Problem(NUMBER, number=text[:40], limit=NUMBER_DIGITS)


def _integer(text: str) -> int:
    if len(text) > NUMBER_DIGITS and len(text.lstrip("-")) > NUMBER_DIGITS:
        raise Problem(NUMBER, number=text[:40], limit=NUMBER_DIGITS)
    return int(text)


def _constant(text: str) -> NoReturn:
    raise Problem(NUMBER, number=text, limit=NUMBER_DIGITS)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise Problem(MEMBER_TWICE, member=name)
            seen.add(name)
    return members


_fast_decoder = msgspec.json.Decoder(float_hook=_decimal)
_fast_encoder = msgspec.json.Encoder(decimal_format="number")
_fast_decode, _fast_decode_lines = _fast_decoder.decode, _fast_decoder.decode_lines
_fast_encode, _fast_encode_lines = _fast_encoder.encode, _fast_encoder.encode_lines
_strict_decode = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=_decimal, parse_int=_integer, parse_constant=_constant
).decode
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_TOO_MANY_DIGITS = b"0" * (NUMBER_DIGITS + 1)


def decode(data: bytes, limits: Limits = DEFAULT) -> Any:
    """The JSON value in `data`. Raises Problem for anything else, and beyond `limits.size` and `.depth`.

    The fast decoder keeps the last of two members of one name. A text that comes back unchanged when it is
    written again has lost none, so only other texts (with spaces, say) need the slower decoder that looks.
    """
    if len(data) > limits.size:
        raise Problem(TOO_LONG, length=len(data), limit=limits.size)
    try:
        value = _fast_decode(data)
        same = _fast_encode(value) == data and data.translate(_ZEROS).find(_TOO_MANY_DIGITS) < 0
    except (ValueError, Problem, RecursionError):
        same = False
    if not same:
        value = _decode_slowly(data, limits)
    if data.count(b"[") + data.count(b"{") > limits.depth:
        check_depth(value, limits)
    return value


def decode_each(texts: Sequence[bytes], limits: Limits = DEFAULT) -> list[Any]:
    """`[decode(text, limits) for text in texts]`, faster. `limits.size` holds for each text.

    A line of JSON Lines that comes back unchanged holds no line break, so as many lines as texts means that each
    line is one text: no text can lend its brackets to the next.
    """
    joined = b"\n".join(texts) + b"\n"
    if len(joined) <= limits.size:
        try:
            values = _fast_decode_lines(joined)
            if (
                len(values) == len(texts)
                and _fast_encode_lines(values) == joined
                and joined.translate(_ZEROS).find(_TOO_MANY_DIGITS) < 0
            ):
                if joined.count(b"[") + joined.count(b"{") > limits.depth:
                    for value in values:
                        check_depth(value, limits)
                return values
        except (ValueError, Problem, RecursionError):
            pass
    return [decode(text, limits) for text in texts]


def _decode_slowly(data: bytes, limits: Limits) -> Any:
    try:
        value = _strict_decode(data.decode())
        _fast_encode(value)
    except UnicodeDecodeError as e:
        raise Problem(NOT_UTF8, at=e.start) from None
    except json.JSONDecodeError as e:
        raise Problem(MALFORMED, at=e.pos) from None
    except UnicodeEncodeError:
        raise Problem(SURROGATE) from None
    except RecursionError:
        raise Problem(TOO_DEEP, limit=limits.depth) from None
    return value


def check_depth(value: Any, limits: Limits = DEFAULT) -> None:
    """Raises `json-too-deep` when objects and arrays are nested more than `limits.depth` levels."""
    level = [value] if type(value) is dict or type(value) is list else []
    for _ in range(limits.depth):
        if not level:
            return
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
    if level:
        raise Problem(TOO_DEEP, limit=limits.depth)


def encode(value: Any) -> bytes:
    """The canonical JSON of a value of dict, list, tuple, str, int, Decimal, bool and None.

    Raises `json-value` for anything else (floats among them), `json-number` and `json-lone-surrogate`.
    """
    parts: list[str] = []
    try:
        _write(value, parts)
        return "".join(parts).encode()
    except UnicodeEncodeError:
        raise Problem(SURROGATE) from None
    except RecursionError:
        raise Problem(TOO_DEEP, limit=DEFAULT.depth) from None


def digest(value: Any) -> bytes:
    """SHA-256 of the canonical JSON. Raises as `encode`."""
    return sha256(encode(value)).digest()


def _write(value: Any, parts: list[str]) -> None:
    kind = type(value)
    if kind is str:
        parts.append(_quote(value))
    elif kind is dict or isinstance(value, Mapping):
        separator = "{"
        for name in _in_order(value):
            parts.append(separator)
            parts.append(_quote(name))
            parts.append(":")
            _write(value[name], parts)
            separator = ","
        parts.append("}" if value else "{}")
    elif kind is list or kind is tuple:
        separator = "["
        for element in value:
            parts.append(separator)
            _write(element, parts)
            separator = ","
        parts.append("]" if value else "[]")
    else:
        parts.append(_scalar(value))


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if type(value) is int:
        if not -(10**NUMBER_DIGITS) < value < 10**NUMBER_DIGITS:
            raise Problem(NUMBER, number=hex(value)[:40], limit=NUMBER_DIGITS)
        return str(value)
    if isinstance(value, Decimal):
        _check_digits(value, str(value))
        text = format(value, "f")
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    if isinstance(value, str):
        return _quote(str(value))
    raise Problem(NOT_JSON, kind=type(value).__name__)


def _in_order(names: Iterable[Any]) -> list[str]:
    """UTF-16 order (RFC 8785 §3.2.3), which differs from that of code points beyond the basic plane only."""
    found = list(names)
    try:
        ascii_only = "".join(found).isascii()
    except TypeError:
        alien = next(name for name in found if not isinstance(name, str))
        raise Problem(NOT_JSON, kind=f"{type(alien).__name__} (as a member's name)") from None
    if ascii_only:
        return sorted(found)
    return sorted(found, key=lambda name: name.encode("utf-16-be"))


_STANDARD = bytes.maketrans(b"-_+/=\n", b"+/\0\0\0\0")
_URL = bytes.maketrans(b"+/", b"-_")
_PADDING = (b"", None, b"==", b"=")
_LAST = (None, None, frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))
"""By length modulo 4: what the last character can be when the bits beyond the last byte are zero."""


def base64url_decode(text: bytes) -> bytes:
    """The bytes in base64url. Raises `base64url-malformed` for padding, alien characters and surplus bits."""
    rest = len(text) & 3
    padding, last = _PADDING[rest], _LAST[rest]
    if padding is None or (last is not None and text[-1] not in last):
        raise Problem(BASE64URL)
    try:
        return a2b_base64(text.translate(_STANDARD) + padding, strict_mode=True)
    except _Base64Error:
        raise Problem(BASE64URL) from None


def base64url_encode(data: bytes) -> str:
    """Base64url without padding."""
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_URL).decode()
