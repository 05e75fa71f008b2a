"""The formats of identifiers, for JSON Schema's `format`: those of trade and of Iran's registers.

A format says only that an identifier can exist; that it was issued is a question to a register. Documents
carry Latin digits: a form turns what a person typed with :func:`latin_digits` before it is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gardesh.model import check_digits as checks
from gardesh.model import code_lists, units
from gardesh.model.check_digits import Check, Flaw
from gardesh.model.digits import latin_digits, persian_digits

__all__ = ["FORMATS", "Check", "Flaw", "Format", "latin_digits", "persian_digits", "schema_formats"]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of identifier. `source` says where the rule was read; `example` passes the check."""

    name: str
    fa: str
    en: str
    check: Check
    example: str
    source: str

    def is_valid(self, value: str) -> bool:
        return self.check(value) is None


FORMATS: Final[dict[str, Format]] = {
    f.name: f
    for f in (
        Format("ir-national-code", "کد ملی", "National code (person)", checks.national_code, "0499370899",
               "persian-tools/py-persian-tools (public vectors); ten equal digits refused: assumed"),
        Format("ir-legal-id", "شناسه ملی اشخاص حقوقی", "National id (legal person)", checks.legal_id, "10380284790",
               "persian-tools/py-persian-tools (public vectors)"),
        Format("ir-economic-code", "کد اقتصادی", "Economic code", checks.economic_code, "10380284790",
               "https://sppcco.com/?p=15191"),
        Format("ir-postal-code", "کد پستی", "Postal code", checks.postal_code, "1619735744",
               "https://khabarkhan.molisy.ir/tag/نشانی-پستی-در-دیجی-کالا-چیست"),
        Format("ir-sheba", "شبا", "Sheba (IBAN of Iran)", checks.sheba, "IR820540102680020817909002", "ISO 13616-1"),
        Format("iban", "شماره بین‌المللی حساب (IBAN)", "IBAN", checks.iban, "IR820540102680020817909002", "ISO 13616-1"),
        Format("ir-order-number", "شماره ثبت سفارش", "Order registration number", checks.only_digits(8),
               "81234567", "https://tabarroki.com/en/obtaining-permission-to-order-goods"),
        Format("kotaj", "کوتاژ", "Kotaj (customs declaration serial)", checks.only_digits(8), "10023456",
               "https://parsan.net/منظور-از-کوتاژ-گمرکی-چیست-و-چه-کاربردی-د/"),
        Format("hs-code", "کد تعرفه (HS)", "Tariff code (HS)", checks.hs_code, "84713000",
               "http://ghoghnoostrading.com/تعرفه-گمرکی-کالا.html"),
        Format("hs-level", "سطح تعرفه (HS)", "Level of the tariff (HS)", checks.hs_level, "8471",
               "http://ghoghnoostrading.com/تعرفه-گمرکی-کالا.html"),
        Format("goods-id", "شناسه کالا / خدمت", "Goods or service identifier", checks.goods_id, "2720000166053",
               "https://limotx.ir/article/145"),
        Format("gtin", "شماره جهانی قلم تجاری (GTIN)", "Global trade item number", checks.gtin, "2720000166053",
               "GS1 General Specifications"),
        Format("ir-tax-invoice-number", "شماره منحصربه‌فرد مالیاتی", "Unique tax invoice number",
               checks.tax_invoice_number, "DEF5GH0481F000000000C2", "https://limotx.ir/short_questions/198"),
        Format("ir-fiscal-memory-id", "شناسه حافظه مالیاتی", "Fiscal memory id", checks.fiscal_memory_id, "DEF5GH",
               "https://dariksoft.com/شماره-منحصر-به-فرد-مالیاتی-صورت-حساب-ها/"),
        Format("ir-foreign-national-code", "کد یکتای اتباع خارجی", "Unique code of a foreign national",
               checks.only_digits(12), "104512345678", "https://eghtesadino.ir/دریافت-کد-یکتا-برای-اتباع/"),
        Format("container-number", "شماره کانتینر", "Container number", checks.container_number, "MSKU6011672",
               "ISO 6346"),
        Format("un-locode", "شناسه مکان (UN/LOCODE)", "UN/LOCODE", checks.un_locode, "IRBND",
               "UN/ECE Recommendation 16"),
        Format("currency", "ارز", "Currency", checks.currency, "IRR", code_lists.CURRENCIES_SOURCE),
        Format("country", "کشور", "Country", checks.country, "IR", code_lists.COUNTRIES_SOURCE),
        Format("unit", "یکای سنجش", "Unit of measure", checks.unit, "KGM", units.UNITS_SOURCE),
        Format("date", "تاریخ", "Date", checks.iso_date, "2026-03-21", "ISO 8601-1"),
        Format("decimal", "عدد اعشاری", "Decimal number", checks.decimal, "-1250.75", "convention of this project"),
    )
}  # fmt: skip


def schema_formats() -> dict[str, Callable[[str], bool]]:
    """The `formats` option of `jsonschema_rs` (with `validate_formats=True`); `date` is ours too, to be strict."""

    def accepts(check: Check) -> Callable[[str], bool]:
        return lambda value: check(value) is None

    return {f.name: accepts(f.check) for f in FORMATS.values()}
