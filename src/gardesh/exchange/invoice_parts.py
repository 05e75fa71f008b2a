"""The parts of a commercial invoice and where their fields stand in UBL 2.1: parties, addresses, taxes, payment."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any, Final

from gardesh.exchange.xml_layout import (
    MONEY,
    NUMBER,
    Field,
    Group,
    Reading,
    Text,
    Truth,
    formatted,
    one_of,
)
from gardesh.exchange.xml_tree import Leaf, Node
from gardesh.model import check_digits
from gardesh.model.check_digits import Flaw
from gardesh.model.claim_forms import write_sri

INCOTERMS: Final = (
    "EXW",
    "FCA",
    "FAS",
    "FOB",
    "CFR",
    "CIF",
    "CPT",
    "CIP",
    "DAP",
    "DPU",
    "DDP",
    "DAT",
    "DAF",
    "DES",
    "DEQ",
    "DDU",
)
"""Incoterms 2020, and the codes of the 2000 and 2010 editions that contracts still name."""

_NOT_INCOTERM = Flaw("It is not a code of Incoterms.", "از نشان‌های اینکوترمز نیست.")
_NOT_BASE64 = Flaw("It is not base64.", "کدگذاری base64 آن درست نیست.")


class Embedded:
    """A file inside the invoice. The subject names it by digest; its bytes go to `Reading.attachments`."""

    def read(self, node: Node, leaf: Leaf, reading: Reading) -> dict[str, Any] | None:
        if not leaf.text or leaf.taken:
            return None
        try:
            data = base64.b64decode("".join(leaf.text.split()), validate=True)
        except (binascii.Error, ValueError):
            leaf.flaw = _NOT_BASE64
            return None
        digest = write_sri(hashlib.sha256(data).digest())
        out: dict[str, Any] = {"digest": digest, "size": len(data)}
        taken = [leaf]
        for attribute, name in (("mimeCode", "media_type"), ("filename", "name")):
            held = node.attributes.get(attribute)
            if held is not None and held.text:
                out[name] = held.text
                taken.append(held)
        reading.take(*taken)
        reading.attachments.append((leaf, digest, data))
        return out

    def schema(self, language: str | None) -> dict[str, Any]:
        return {
            "type": "object",
            "additionalProperties": False,
            "required": ["digest", "size"],
            "properties": {
                "digest": {"type": "string", "pattern": "^sha256-[A-Za-z0-9+/]{43}=$"},
                "size": {"type": "integer", "minimum": 0},
                "media_type": {"type": "string"},
                "name": {"type": "string"},
            },
        }


def _compact(text: str) -> str:
    return "".join(text.split()).upper()


TEXT = Text()
DATE = formatted("date", check_digits.iso_date)
COUNTRY = formatted("country", check_digits.country)
CURRENCY = formatted("currency", check_digits.currency)
IBAN = formatted("iban", check_digits.iban, _compact)
UNIT = formatted("unit", check_digits.unit)
GTIN = formatted("gtin", check_digits.gtin)
HS = formatted("hs-code", check_digits.hs_code, lambda text: text.replace(".", "").replace(" ", ""))
TRUTH = Truth()
INCOTERM = one_of(INCOTERMS, _NOT_INCOTERM)


def identifier(id_fa: str, id_en: str) -> Group:
    """A text with its `schemeID`."""
    return Group(
        (
            Field("id", ".", TEXT, id_fa, id_en),
            Field("scheme", "@schemeID", TEXT, "طرح شناسه", "Identifier scheme"),
        ),
        key=("id",),
    )


ADDRESS = Group((
    Field("street", "cbc:StreetName", TEXT, "خیابان", "Street"),
    Field("additional_street", "cbc:AdditionalStreetName", TEXT, "ادامه نشانی", "Additional street"),
    Field("building", "cbc:BuildingNumber", TEXT, "پلاک", "Building number"),
    Field("post_box", "cbc:Postbox", TEXT, "صندوق پستی", "Post box"),
    Field("lines", "cac:AddressLine/cbc:Line", TEXT, "سطرهای نشانی", "Address lines", many=True),
    Field("city", "cbc:CityName", TEXT, "شهر", "City"),
    Field("postal_code", "cbc:PostalZone", TEXT, "کد پستی", "Postal code"),
    Field("region", "cbc:CountrySubentity", TEXT, "استان", "Region"),
    Field("country", "cac:Country/cbc:IdentificationCode", COUNTRY, "کشور", "Country"),
    Field("country_name", "cac:Country/cbc:Name", TEXT, "نام کشور", "Name of the country"),
))  # fmt: skip

CONTACT = Group((
    Field("name", "cbc:Name", TEXT, "نام", "Name"),
    Field("phone", "cbc:Telephone", TEXT, "تلفن", "Telephone"),
    Field("fax", "cbc:Telefax", TEXT, "نمابر", "Fax"),
    Field("email", "cbc:ElectronicMail", TEXT, "رایانامه", "E-mail"),
))  # fmt: skip

PARTY = Group((
    Field("name", "cac:PartyLegalEntity/cbc:RegistrationName or cac:PartyName/cbc:Name", TEXT, "نام", "Name"),
    Field("trade_name", "cac:PartyName/cbc:Name", TEXT, "نام تجاری", "Trading name"),
    Field("", "cac:PartyIdentification/cbc:ID", identifier("شناسه", "Identifier")),
    Field("other_ids", "cac:PartyIdentification/cbc:ID", identifier("شناسه", "Identifier"),
          "شناسه‌های دیگر", "Other identifiers", many=True),
    Field("tax_id", "cac:PartyTaxScheme", TEXT, "شناسه مالیاتی (ارزش افزوده)", "VAT identifier",
          given=(("cac:TaxScheme/cbc:ID", "VAT"),), below="cbc:CompanyID"),
    Field("tax_registrations", "cac:PartyTaxScheme", Group((
        Field("id", "cbc:CompanyID", TEXT, "شناسه", "Identifier"),
        Field("scheme", "cac:TaxScheme/cbc:ID", TEXT, "نوع مالیات", "Tax scheme"),
    ), key=("id",)), "ثبت‌های مالیاتی دیگر", "Other tax registrations", many=True),
    Field("registration", "cac:PartyLegalEntity/cbc:CompanyID", identifier("شماره ثبت", "Registration number"),
          "ثبت حقوقی", "Legal registration"),
    Field("legal_form", "cac:PartyLegalEntity/cbc:CompanyLegalForm", TEXT, "نوع شخصیت حقوقی", "Legal form"),
    Field("endpoint", "cbc:EndpointID", identifier("نشانی الکترونیکی", "Electronic address"),
          "نشانی الکترونیکی", "Electronic address"),
    Field("address", "cac:PostalAddress", ADDRESS, "نشانی", "Address"),
    Field("contact", "cac:Contact", CONTACT, "تماس", "Contact"),
    Field("website", "cbc:WebsiteURI", TEXT, "وبگاه", "Web site"),
), required=("name",))  # fmt: skip

PERIOD = Group((
    Field("start", "cbc:StartDate", DATE, "آغاز", "Start"),
    Field("end", "cbc:EndDate", DATE, "پایان", "End"),
    Field("described_by", "cbc:DescriptionCode", TEXT, "کد توصیف", "Description code"),
    Field("description", "cbc:Description", TEXT, "توصیف", "Description"),
))  # fmt: skip

REFERENCE = Group((
    Field("number", "cbc:ID", TEXT, "شماره", "Number"),
    Field("scheme", "cbc:ID/@schemeID", TEXT, "طرح شناسه", "Identifier scheme"),
    Field("date", "cbc:IssueDate", DATE, "تاریخ", "Date"),
    Field("type", "cbc:DocumentTypeCode", TEXT, "کد نوع سند", "Document type code"),
    Field("type_name", "cbc:DocumentType", TEXT, "نوع سند", "Document type"),
    Field("descriptions", "cbc:DocumentDescription", TEXT, "شرح", "Descriptions", many=True),
    Field("file", "cac:Attachment/cbc:EmbeddedDocumentBinaryObject", Embedded(), "پرونده پیوست", "Attached file"),
    Field("address", "cac:Attachment/cac:ExternalReference/cbc:URI", TEXT, "نشانی اینترنتی", "Internet address"),
), key=("number",))  # fmt: skip

TAX_CATEGORY = Group((
    Field("category", "cbc:ID", TEXT, "کد طبقه مالیاتی", "Category code"),
    Field("rate", "cbc:Percent", NUMBER, "نرخ (درصد)", "Rate (percent)"),
    Field("scheme", "cac:TaxScheme/cbc:ID", TEXT, "نوع مالیات", "Tax scheme"),
    Field("exemption_code", "cbc:TaxExemptionReasonCode", TEXT, "کد علت معافیت", "Exemption reason code"),
    Field("exemption_reasons", "cbc:TaxExemptionReason", TEXT, "علت معافیت", "Exemption reasons", many=True),
))  # fmt: skip

TAX_TOTAL = Group((
    Field("amount", "cbc:TaxAmount", MONEY, "مبلغ مالیات", "Tax amount"),
    Field("subtotals", "cac:TaxSubtotal", Group((
        Field("taxable", "cbc:TaxableAmount", MONEY, "مأخذ مالیات", "Taxable amount"),
        Field("amount", "cbc:TaxAmount", MONEY, "مبلغ مالیات", "Tax amount"),
        Field("", "cac:TaxCategory", TAX_CATEGORY),
    ), key=("amount",)), "تفکیک مالیات", "Tax breakdown", many=True),
), key=("amount",))  # fmt: skip

ALLOWANCE_CHARGE = Group((
    Field("charge", "cbc:ChargeIndicator", TRUTH, "هزینه است (وگرنه تخفیف)", "It is a charge (else an allowance)"),
    Field("amount", "cbc:Amount", MONEY, "مبلغ", "Amount"),
    Field("base", "cbc:BaseAmount", MONEY, "مبلغ پایه", "Base amount"),
    Field("factor", "cbc:MultiplierFactorNumeric", NUMBER, "ضریب", "Factor"),
    Field("reason_code", "cbc:AllowanceChargeReasonCode", TEXT, "کد علت", "Reason code"),
    Field("reasons", "cbc:AllowanceChargeReason", TEXT, "علت", "Reasons", many=True),
    Field("tax", "cac:TaxCategory", TAX_CATEGORY, "مالیات", "Tax"),
), key=("charge", "amount"))  # fmt: skip

LOCATION = Group((
    Field("", "cbc:ID", identifier("شناسه مکان", "Location identifier")),
    Field("name", "cbc:Name", TEXT, "نام", "Name"),
    Field("description", "cbc:Description", TEXT, "شرح", "Description"),
    Field("address", "cac:Address", ADDRESS, "نشانی", "Address"),
))  # fmt: skip

DELIVERY_TERMS = Group((
    Field("code", "cbc:ID", TEXT, "کد شرط تحویل", "Code of the terms"),
    Field("terms", "cbc:SpecialTerms", TEXT, "شرایط ویژه", "Special terms", many=True),
    Field("risk", "cbc:LossRiskResponsibilityCode", TEXT, "کد مسئولیت خطر", "Responsibility for loss, code"),
    Field("place", "cac:DeliveryLocation", LOCATION, "محل تحویل", "Named place"),
))  # fmt: skip

DELIVERY = Group((
    Field("date", "cbc:ActualDeliveryDate", DATE, "تاریخ تحویل", "Date of delivery"),
    Field("latest_date", "cbc:LatestDeliveryDate", DATE, "آخرین تاریخ تحویل", "Latest date of delivery"),
    Field("tracking", "cbc:TrackingID", TEXT, "شماره رهگیری", "Tracking number"),
    Field("location", "cac:DeliveryLocation", LOCATION, "محل تحویل", "Place of delivery"),
    Field("address", "cac:DeliveryAddress", ADDRESS, "نشانی تحویل", "Address of delivery"),
    Field("party", "cac:DeliveryParty", PARTY, "تحویل‌گیرنده", "Receiver"),
))  # fmt: skip

PAYMENT = Group((
    Field("code", "cbc:PaymentMeansCode", TEXT, "کد روش پرداخت", "Code of the means"),
    Field("means", "cbc:PaymentMeansCode/@name", TEXT, "روش پرداخت", "Means"),
    Field("due_date", "cbc:PaymentDueDate", DATE, "سررسید", "Due date"),
    Field("instructions", "cbc:InstructionNote", TEXT, "دستور پرداخت", "Instructions", many=True),
    Field("references", "cbc:PaymentID", TEXT, "شناسه پرداخت", "Remittance information", many=True),
    Field("iban", "cac:PayeeFinancialAccount/cbc:ID", IBAN, "شماره شبا / IBAN", "IBAN"),
    Field("account", "cac:PayeeFinancialAccount/cbc:ID", TEXT, "شماره حساب", "Account"),
    Field("account_name", "cac:PayeeFinancialAccount/cbc:Name", TEXT, "نام حساب", "Account name"),
    Field("bank", "cac:PayeeFinancialAccount/cac:FinancialInstitutionBranch/cbc:ID", TEXT, "شناسه بانک (BIC)",
          "Bank identifier (BIC)"),
    Field("card", "cac:CardAccount", Group((
        Field("number", "cbc:PrimaryAccountNumberID", TEXT, "شماره کارت", "Card number"),
        Field("network", "cbc:NetworkID", TEXT, "شبکه کارت", "Card network"),
        Field("holder", "cbc:HolderName", TEXT, "دارنده کارت", "Card holder"),
    ), key=("number",)), "کارت", "Card"),
    Field("mandate", "cac:PaymentMandate", Group((
        Field("id", "cbc:ID", TEXT, "شماره مجوز برداشت", "Mandate"),
        Field("payer_account", "cac:PayerFinancialAccount/cbc:ID", TEXT, "حساب پرداخت‌کننده", "Account of the payer"),
    )), "مجوز برداشت", "Direct debit mandate"),
))  # fmt: skip

EXCHANGE_RATE = Group((
    Field("source", "cbc:SourceCurrencyCode", CURRENCY, "ارز مبدأ", "Source currency"),
    Field("target", "cbc:TargetCurrencyCode", CURRENCY, "ارز مقصد", "Target currency"),
    Field("rate", "cbc:CalculationRate", NUMBER, "نرخ", "Rate"),
    Field("operator", "cbc:MathematicOperatorCode", TEXT, "عمل", "Operator"),
    Field("date", "cbc:Date", DATE, "تاریخ", "Date"),
), key=("source", "target", "rate"))  # fmt: skip

TOTALS = Group((
    Field("lines", "cbc:LineExtensionAmount", MONEY, "جمع ردیف‌ها", "Sum of the lines"),
    Field("allowances", "cbc:AllowanceTotalAmount", MONEY, "جمع تخفیف‌ها", "Allowances"),
    Field("charges", "cbc:ChargeTotalAmount", MONEY, "جمع هزینه‌ها", "Charges"),
    Field("tax_exclusive", "cbc:TaxExclusiveAmount", MONEY, "جمع بدون مالیات", "Total without tax"),
    Field("tax_inclusive", "cbc:TaxInclusiveAmount", MONEY, "جمع با مالیات", "Total with tax"),
    Field("prepaid", "cbc:PrepaidAmount", MONEY, "پیش‌پرداخت", "Prepaid"),
    Field("rounding", "cbc:PayableRoundingAmount", MONEY, "گرد کردن", "Rounding"),
    Field("payable", "cbc:PayableAmount", MONEY, "مبلغ قابل پرداخت", "Payable amount"),
), required=("payable",))  # fmt: skip
