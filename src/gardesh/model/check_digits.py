"""Whether an identifier can exist: its shape and its check digits, never whether it was issued.

Every check takes any text and returns None or the :class:`Flaw`; it never raises. Digits are Latin ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from gardesh.model import code_lists, units
from gardesh.model.digits import persian_digits


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a text is not such an identifier."""

    en: str
    fa: str


Check = Callable[[str], Flaw | None]


CHECK_DIGIT: Final = Flaw(
    "The check digit does not fit: a digit may be wrong or two may be exchanged.",
    "رقم کنترل درست نیست؛ شاید رقمی اشتباه است یا جای دو رقم عوض شده است.",
)
NOT_ISSUED: Final = Flaw(
    "This number has the right form but is never issued.",
    "این شماره ظاهر درستی دارد، ولی هرگز صادر نمی‌شود.",
)


def _digits(count: int) -> tuple[re.Pattern[str], Flaw]:
    """The pattern of `count` ASCII digits and the flaw of what does not match it."""
    flaw = Flaw(
        f"It must be exactly {count} Latin digits.",
        f"باید دقیقاً {persian_digits(str(count))} رقم لاتین باشد.",
    )
    return re.compile(rf"[0-9]{{{count}}}"), flaw


_TEN, _ELEVEN, _THIRTEEN = (_digits(n) for n in (10, 11, 13))


def only_digits(count: int) -> Check:
    """The check of an identifier of so many digits that has no check digit."""
    shape, flaw = _digits(count)
    return lambda value: None if shape.fullmatch(value) else flaw


def national_code(value: str) -> Flaw | None:
    """کد ملی of a natural person: ten digits, the last a check digit modulo 11."""
    if not _TEN[0].fullmatch(value):
        return _TEN[1]
    if value == value[0] * 10 or value[3:9] == "000000":
        return NOT_ISSUED
    rest = sum(int(d) * w for d, w in zip(value, range(10, 1, -1), strict=False)) % 11
    return None if int(value[9]) == (rest if rest < 2 else 11 - rest) else CHECK_DIGIT


_LEGAL_WEIGHTS = (29, 27, 23, 19, 17, 29, 27, 23, 19, 17)


def legal_id(value: str) -> Flaw | None:
    """شناسه ملی of a legal person: eleven digits, the last a check digit modulo 11."""
    if not _ELEVEN[0].fullmatch(value):
        return _ELEVEN[1]
    shift = int(value[9]) + 2
    rest = sum((int(d) + shift) * w for d, w in zip(value, _LEGAL_WEIGHTS, strict=False)) % 11 % 10
    return None if int(value[10]) == rest else CHECK_DIGIT


_ECONOMIC = re.compile("[0-9]{11}|[0-9]{14}")
_ECONOMIC_FLAW = Flaw("It must be 11 or 14 Latin digits.", "باید ۱۱ یا ۱۴ رقم لاتین باشد.")


def economic_code(value: str) -> Flaw | None:
    """کد اقتصادی: eleven or fourteen digits; no check digit is published."""
    return None if _ECONOMIC.fullmatch(value) else _ECONOMIC_FLAW


_POSTAL = re.compile(r"(?!([0-9])\1{3})[13-9]{4}[1346-9][013-9]{5}")
_POSTAL_FLAW = Flaw(
    "These ten digits cannot be a postal code: the first five never hold 0 or 2, nor four equal digits at the start.",
    "این ده رقم کد پستی نیست: در پنج رقم نخست ۰ و ۲ نمی‌آید و چهار رقم نخست یکسان نیستند.",
)


def postal_code(value: str) -> Flaw | None:
    """کد پستی: ten digits of which some are never used; no check digit."""
    if not _TEN[0].fullmatch(value):
        return _TEN[1]
    return None if _POSTAL.fullmatch(value) else _POSTAL_FLAW


_IBAN = re.compile("[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_IBAN_FLAW = Flaw(
    "An IBAN is a country, two check digits and 11 to 30 capital letters and digits, without spaces.",
    "شماره‌ی IBAN نشان کشور، دو رقم کنترل و ۱۱ تا ۳۰ حرف بزرگ و رقم، بدون فاصله است.",
)
_SHEBA = re.compile("IR[0-9]{24}")
_SHEBA_FLAW = Flaw("A Sheba is IR and 24 Latin digits.", "شبا از IR و ۲۴ رقم لاتین ساخته می‌شود.")


def iban(value: str) -> Flaw | None:
    """An IBAN in its electronic form (ISO 13616-1): check digits 02 to 98 by ISO 7064 modulo 97-10."""
    if not _IBAN.fullmatch(value):
        return _IBAN_FLAW
    number = "".join([str(int(c, 36)) for c in value[4:] + value[:4]])
    return None if int(number) % 97 == 1 and 2 <= int(value[2:4]) <= 98 else CHECK_DIGIT


def sheba(value: str) -> Flaw | None:
    """شبا: the IBAN of Iran, 26 characters."""
    return iban(value) if _SHEBA.fullmatch(value) else _SHEBA_FLAW


_HS = re.compile("(?!00)[0-9]{6}(?:[0-9]{2})?")
_HS_FLAW = Flaw(
    "A tariff code is six digits of the Harmonized System, or eight with the two national ones.",
    "کد تعرفه شش رقم نظام هماهنگ شده است، یا هشت رقم با دو رقم ملی.",
)
_HS_LEVEL = re.compile("(?!00)(?:[0-9]{2}){1,4}")
_HS_LEVEL_FLAW = Flaw(
    "It must be a chapter, heading, subheading or national line: 2, 4, 6 or 8 digits.",
    "باید فصل، شماره، شماره‌ی فرعی یا ردیف ملی باشد: ۲، ۴، ۶ یا ۸ رقم.",
)


def hs_code(value: str) -> Flaw | None:
    """Goods by the Harmonized System: six digits, or eight as Iran's tariff divides them."""
    return None if _HS.fullmatch(value) else _HS_FLAW


def hs_level(value: str) -> Flaw | None:
    """A chapter (2), heading (4), subheading (6) or national line (8) of the Harmonized System."""
    return None if _HS_LEVEL.fullmatch(value) else _HS_LEVEL_FLAW


_GTIN = re.compile("[0-9]{8}|[0-9]{12,14}")
_GTIN_FLAW = Flaw("A GTIN is 8, 12, 13 or 14 Latin digits.", "شماره‌ی GTIN ۸، ۱۲، ۱۳ یا ۱۴ رقم لاتین است.")


def _gs1(value: str) -> Flaw | None:
    ones, threes = sum(map(int, value[-1::-2])), sum(map(int, value[-2::-2]))
    return None if (ones + 3 * threes) % 10 == 0 else CHECK_DIGIT


def gtin(value: str) -> Flaw | None:
    """A GS1 trade item number, GTIN-8, -12, -13 or -14, with its modulo 10 check digit."""
    return _gs1(value) if _GTIN.fullmatch(value) else _GTIN_FLAW


def goods_id(value: str) -> Flaw | None:
    """شناسه کالا / خدمت: a GTIN-13."""
    return _gs1(value) if _THIRTEEN[0].fullmatch(value) else _THIRTEEN[1]


_MEMORY = re.compile("[A-Z0-9]{6}")
_MEMORY_FLAW = Flaw("It must be six capital letters or digits.", "باید شش حرف بزرگ لاتین یا رقم باشد.")


def fiscal_memory_id(value: str) -> Flaw | None:
    """شناسه حافظه مالیاتی: six letters and digits."""
    return None if _MEMORY.fullmatch(value) else _MEMORY_FLAW


_TAX_INVOICE = re.compile("[A-Za-z0-9]{6}[A-Fa-f0-9]{15}[0-9]")
_TAX_INVOICE_FLAW = Flaw(
    "It must be 22 characters: the fiscal memory (6), the day (5) and serial (10) in hexadecimal, a check digit.",
    "باید ۲۲ نویسه باشد: شناسه‌ی حافظه‌ی مالیاتی (۶)، روز (۵) و سریال (۱۰) به مبنای شانزده و یک رقم کنترل.",
)
_TURNS = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _dihedral(a: int, b: int) -> int:
    """Composition in the group of the ten symmetries of a pentagon: 0-4 turn it, 5-9 flip it too."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def _permutations() -> tuple[tuple[int, ...], ...]:
    rows = [tuple(range(10))]
    for _ in range(7):
        rows.append(tuple(_TURNS[d] for d in rows[-1]))
    return tuple(rows)


_COMPOSED = tuple(tuple(_dihedral(a, b) for b in range(10)) for a in range(10))
_PERMUTED = _permutations()


def _verhoeff(digits: str) -> int:
    """The check digit of Verhoeff for these digits."""
    state = 0
    for place, digit in enumerate(reversed(digits), start=1):
        state = _COMPOSED[state][_PERMUTED[place % 8][int(digit)]]
    return _COMPOSED[state].index(0)


def compose_tax_invoice_number(memory: str, day: int, serial: int) -> str:
    """The number of the invoice `serial` of a fiscal memory; `day` counts from 1970-01-01.

    The check digit is reckoned over decimals: each letter of the memory as its ASCII code, the day with six
    digits, the serial with twelve. (One public library differs; the tax organisation's own paper was not seen.)
    """
    letters = "".join(c if c.isdigit() else str(ord(c)) for c in memory)
    return f"{memory}{day:05X}{serial:010X}{_verhoeff(f'{letters}{day:06d}{serial:012d}')}"


def tax_invoice_number(value: str) -> Flaw | None:
    """شماره منحصربه‌فرد مالیاتی: 22 characters, the last a Verhoeff check digit."""
    if not _TAX_INVOICE.fullmatch(value):
        return _TAX_INVOICE_FLAW
    upper = value.upper()
    made = compose_tax_invoice_number(upper[:6], int(upper[6:11], 16), int(upper[11:21], 16))
    return None if made == upper else CHECK_DIGIT


_CONTAINER = re.compile("[A-Z]{3}[UJZ][0-9]{7}")
_CONTAINER_FLAW = Flaw(
    "A container number is three letters of its owner, U, J or Z, and seven digits.",
    "شماره‌ی کانتینر سه حرف مالک، یکی از U، J یا Z و هفت رقم است.",
)
_CONTAINER_VALUES = dict(
    zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", [n for n in range(39) if n == 0 or n % 11], strict=True)
)


def container_number(value: str) -> Flaw | None:
    """A freight container by ISO 6346: owner, category, serial, check digit modulo 11 and 10."""
    if not _CONTAINER.fullmatch(value):
        return _CONTAINER_FLAW
    total = sum(_CONTAINER_VALUES[c] << place for place, c in enumerate(value[:10]))
    return None if total % 11 % 10 == int(value[10]) else CHECK_DIGIT


_LOCODE = re.compile("[A-Z]{2}[A-Z2-9]{3}")
_LOCODE_FLAW = Flaw(
    "A UN/LOCODE is the two letters of a country and three letters or digits 2 to 9.",
    "شناسه‌ی UN/LOCODE دو حرف کشور و سه حرف یا رقم ۲ تا ۹ است.",
)


def un_locode(value: str) -> Flaw | None:
    """A place by UN/LOCODE (UN/ECE Recommendation 16); `XZ` stands for international waters."""
    if not _LOCODE.fullmatch(value) or not (value[:2] in code_lists.COUNTRIES or value[:2] == "XZ"):
        return _LOCODE_FLAW
    return None


_COUNTRY_FLAW = Flaw("It is not a country code of ISO 3166-1 alpha-2.", "کد دوحرفی کشور در ISO 3166-1 نیست.")
_CURRENCY_FLAW = Flaw("It is not a currency code of ISO 4217.", "کد ارز در ISO 4217 نیست.")
_UNIT_FLAW = Flaw("It is not a unit code of UN/ECE Rec 20.", "کد یکا در توصیه‌ی ۲۰ یونس (UN/ECE Rec 20) نیست.")
_DATE_FLAW = Flaw(
    "A date is written YYYY-MM-DD, in the Gregorian calendar.",
    "تاریخ به میلادی و به شکل YYYY-MM-DD نوشته می‌شود.",
)
_DECIMAL_FLAW = Flaw(
    "A decimal is written like -1250.75: at most 20 digits, then at most 10 after the point.",
    "عدد اعشاری مانند ‎-1250.75 نوشته می‌شود: حداکثر ۲۰ رقم و حداکثر ۱۰ رقم پس از ممیز.",
)
DECIMAL_PATTERN: Final = r"^-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,10})?$"
_DECIMAL = re.compile(DECIMAL_PATTERN.removeprefix("^").removesuffix("$"))
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def country(value: str) -> Flaw | None:
    return None if value in code_lists.COUNTRIES else _COUNTRY_FLAW


def currency(value: str) -> Flaw | None:
    return None if value in code_lists.CURRENCIES else _CURRENCY_FLAW


def unit(value: str) -> Flaw | None:
    return None if units.known(value) else _UNIT_FLAW


def decimal(value: str) -> Flaw | None:
    """A decimal number as documents write it: no exponent, no plus sign, no leading zeros."""
    return None if _DECIMAL.fullmatch(value) else _DECIMAL_FLAW


def iso_date(value: str) -> Flaw | None:
    """A day of the Gregorian calendar in the extended form of ISO 8601."""
    if not _DATE.fullmatch(value):
        return _DATE_FLAW
    try:
        date.fromisoformat(value)
    except ValueError:
        return _DATE_FLAW
    return None
