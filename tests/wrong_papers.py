"""Documents that are wrong in one thing each, and the code and pointer that they are refused with."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from gardesh.model.canonical import base64url_decode, base64url_encode
from gardesh.model.document import compose, present, sign
from gardesh.model.jose import PrivateKey
from gardesh.record.clock import salt
from market import DAY, Market, application, key_of, licence

Make = Callable[[Market], bytes]
NOBODY = PrivateKey.from_secret("ES256", sha256(b"nobody").digest())
UNKNOWN_CASE = "0" * 64


def claims(market: Market, **changes: Any) -> dict[str, Any]:
    said = {
        "type": "market/application",
        "issuer": "ali",
        "valid_from_ms": market.now,
        "pack": "market@1.0.0",
        "procedure": "licence",
        "step": "application",
        **changes,
    }
    return compose(**said)


def signed(market: Market, subject: dict[str, Any] | None = None, **changes: Any) -> bytes:
    made = claims(market, **changes)
    return sign(
        made, application() if subject is None else subject, key_of(changes.get("issuer", "ali")), salt=salt
    )


def with_payload(paper: bytes, old: bytes, new: bytes) -> bytes:
    """The document with other content under the same signature."""
    header, payload, rest = paper.split(b".", 2)
    content = base64url_decode(payload)
    assert old in content
    return b".".join((header, base64url_encode(content.replace(old, new)).encode(), rest))


def forged(market: Market) -> bytes:
    return with_payload(signed(market), b'"act":"issue"', b'"act":"reissue"')


def of_a_revoked_key(market: Market) -> bytes:
    market.submit(market.core("key-revocation", {"kid": key_of("ali").kid, "reason": "lost"}))
    return signed(market)


def of_an_ended_role(market: Market) -> bytes:
    market.submit(market.accreditation("ali", "vendor", "ended"))
    return signed(market)


def with_decoys(market: Market) -> bytes:
    return sign(claims(market), application(), key_of("ali"), salt=salt, decoys=2)


ENVELOPE: dict[str, tuple[Make, str, str]] = {
    "noise": (lambda m: b"\xff\x00 noise", "document-malformed", ""),
    "nothing": (lambda m: b"", "document-malformed", ""),
    "cut short": (lambda m: signed(m)[:-1], "document-unterminated", ""),
    "an unknown claim": (
        lambda m: with_payload(signed(m), b'"act":"issue"', b'"act":"issue","urgent":"yes"'),
        "claim-unknown",
        "/circulation/urgent",
    ),
    "a key that nobody registered": (
        lambda m: m.paper("ali", "application", application(), signer=NOBODY),
        "key-unknown",
        "",
    ),
    "another organisation's key": (
        lambda m: m.paper("ali", "application", application(), signer=key_of("sara")),
        "issuer-mismatch",
        "/issuer",
    ),
    "changed after signing": (forged, "signature-wrong", ""),
    "a revoked key": (of_a_revoked_key, "key-not-in-force", ""),
    "a disclosure withheld": (
        lambda m: present(signed(m), ["/vendor", "/area"]),
        "document-incomplete",
        "/credentialSubject",
    ),
    "decoys": (with_decoys, "document-incomplete", "/credentialSubject"),
}
PLACE: dict[str, tuple[Make, str, str]] = {
    "an act of the clock": (
        lambda m: signed(m, act="deem", case=m.apply()),
        "not-allowed",
        "/circulation/act",
    ),
    "an act that there is not": (
        lambda m: signed(m, act="bless", case=m.apply()),
        "not-allowed",
        "/circulation/act",
    ),
    "a pack that is not in force": (
        lambda m: signed(m, pack="market@2.0.0"),
        "no-such-pack",
        "/circulation/pack",
    ),
    "a procedure that there is not": (
        lambda m: signed(m, procedure="lease"),
        "wrong-procedure",
        "/circulation/procedure",
    ),
    "a case of another procedure": (
        lambda m: signed(m, {"vendor": "ali"}, case=m.area(), procedure="cover", step="cover-request"),
        "wrong-procedure",
        "/circulation/procedure",
    ),
    "a case that there is not": (lambda m: signed(m, case=UNKNOWN_CASE), "no-such-case", "/circulation/case"),
    "no case, and not the opening step": (
        lambda m: signed(m, {"site": "north"}, step="site-visit", type="market/site-visit", issuer="traffic"),
        "no-such-case",
        "/circulation/case",
    ),
    "a step that there is not": (
        lambda m: signed(m, case=m.apply(), step="parade"),
        "no-such-step",
        "/circulation/step",
    ),
    "another type": (
        lambda m: signed(m, case=m.apply(), step="licence", issuer="city"),
        "wrong-type",
        "/type",
    ),
    "a slot that nobody asked about": (
        lambda m: signed(
            m,
            {"vendor": "ali"},
            procedure="cover",
            step="cover-request",
            type="market/cover-request",
            for_slot=(m.apply(), "insurance", ""),
        ),
        "not-asked",
        "/circulation/for",
    ),
    "for a case that there is not": (
        lambda m: signed(
            m,
            {"vendor": "ali"},
            procedure="cover",
            step="cover-request",
            type="market/cover-request",
            for_slot=(UNKNOWN_CASE, "insurance", ""),
        ),
        "no-such-case",
        "/circulation/for/case",
    ),
}
CONTENT: dict[str, tuple[Make, str, str]] = {
    "a field of another type": (
        lambda m: signed(m, application(seats="two")),
        "schema-violated",
        "/credentialSubject/seats",
    ),
    "a field too many": (
        lambda m: signed(m, application(goods=[{"kind": "toys", "price": 3}])),
        "schema-violated",
        "/credentialSubject/goods/0/price",
    ),
    "a field that is missing": (
        lambda m: signed(m, {k: v for k, v in application().items() if k != "seats"}),
        "schema-violated",
        "/credentialSubject/seats",
    ),
    "a rule of the type": (
        lambda m: signed(m, application(seats=101)),
        "too-many-seats",
        "/credentialSubject/seats",
    ),
    "a role without accreditation": (lambda m: signed(m, issuer="city"), "not-accredited", "/issuer"),
    "an accreditation that ended": (
        of_an_ended_role,
        "not-accredited",
        "/issuer",
    ),
    "its own validity is over": (
        lambda m: signed(m, valid_from_ms=m.now - 2, valid_until_ms=m.now),
        "expired",
        "/validUntil",
    ),
    "an outcome where there is none": (
        lambda m: signed(m, outcome="approved"),
        "wrong-outcome",
        "/circulation/outcome",
    ),
}


def visit(market: Market, case: str, key: str, site: str, **more: Any) -> bytes:
    return market.paper("traffic", "site-visit", {"site": site}, case, key=key, **more)


def second_visit(market: Market) -> bytes:
    case = market.apply(sites=["north"])
    papers = [visit(market, case, "north", "north") for _ in range(2)]
    market.submit(papers[0])
    return papers[1]


def on_an_old_basis(market: Market) -> bytes:
    case = market.apply(sites=["north"])
    paper = visit(market, case, "north", "north")
    market.do("ali", "application", application(area="harbour", sites=["north"]), case, act="correct")
    return paper


def licence_paper(market: Market, number: str = "L-1", short_of: int = 0) -> bytes:
    """A licence that is due, in an area of so few seats, or of as many as there are."""
    if short_of:
        market.area(seats=2 - short_of)
    case = market.apply()
    market.wait(4 * DAY)
    market.do("city", "quiet-note", {"area": "square"}, case)
    return market.paper("city", "licence", licence(number), case, outcome="approved")


def late_objection(market: Market) -> bytes:
    case = market.apply()
    paper = market.paper("neighbour", "objection", {"reason": "noise"}, case)
    market.wait(3 * DAY)
    return paper


def after_withdrawal(market: Market) -> bytes:
    case = market.apply(sites=["north"])
    paper = visit(market, case, "north", "north")
    market.do("ali", "application", {}, case, act="withdraw")
    return paper


def withdrawal_too_late(market: Market) -> bytes:
    market.area()
    return market.paper("ali", "application", {}, market.licensed(), act="withdraw")


def number_given_twice(market: Market) -> bytes:
    market.area()
    market.licensed("L-1")
    return licence_paper(market, "L-1")


def area_in_use(market: Market) -> bytes:
    area = market.area(seats=3)
    market.licensed()
    return market.paper("city", "area", {}, area, procedure="area", act="revoke", reach="start")


def in_a_closed_case(market: Market) -> bytes:
    case = market.area()
    return market.paper("city", "area", {"area": "square", "seats": 9}, case, act="correct")


CASE: dict[str, tuple[Make, str, str]] = {
    "a step that another case fills": (
        lambda m: m.paper("axa", "insurance", {"number": "P-0"}, m.apply(seats=12)),
        "made-elsewhere",
        "/circulation/step",
    ),
    "a slot that there is not": (
        lambda m: visit(m, m.apply(sites=["north"]), "south", "south"),
        "no-such-slot",
        "/circulation/key",
    ),
    "a rule of the step": (
        lambda m: visit(m, m.apply(sites=["north"]), "north", "south"),
        "another-site",
        "/credentialSubject/site",
    ),
    "a slot that is taken": (second_visit, "slot-taken", "/circulation/step"),
    "a basis that changed": (on_an_old_basis, "basis-changed", "/relatedResource"),
    "needs that are not met": (
        lambda m: m.paper(
            "city", "licence", licence(), m.apply(goods=[{"kind": "food"}]), outcome="approved"
        ),
        "needs-not-met",
        "/circulation/step",
    ),
    "a step that does not apply": (
        lambda m: m.paper("health", "health-check", {}, m.apply(), outcome="approved"),
        "not-applicable",
        "/circulation/step",
    ),
    "a step of which it is not known": (
        lambda m: m.paper("city", "quiet-note", {"area": "square"}, m.apply()),
        "not-yet-known",
        "/circulation/step",
    ),
    "a window that closed": (late_objection, "window-closed", "/circulation/step"),
    "nothing there to confirm": (
        lambda m: m.paper(
            "traffic", "site-visit", {}, m.apply(sites=["a"]), key="a", act="confirm", replaces="0" * 64
        ),
        "nothing-to-replace",
        "/circulation/replaces",
    ),
    "a balance that does not suffice": (
        lambda m: licence_paper(m, short_of=1),
        "balance-exceeded",
        "/credentialSubject",
    ),
    "what was added is used": (area_in_use, "balance-exceeded", "/credentialSubject"),
    "a rule of the procedure that it opens": (
        number_given_twice,
        "licence-number-taken",
        "/credentialSubject/number",
    ),
    "a business key that is too long to be found": (
        lambda m: signed(m, application(reference="r" * 2001)),
        "text-unsearchable",
        "/credentialSubject",
    ),
    "somebody whose name has a character that is none": (
        lambda m: signed(m, application("v\0")),
        "text-unsearchable",
        "/credentialSubject",
    ),
    "an entry under a key that is too long": (
        lambda m: m.paper("city", "area", {"area": "😀" * 501, "seats": 1}, procedure="area"),
        "entry-unusable",
        "/credentialSubject",
    ),
    "an entry under a key with a character that is none": (
        lambda m: m.paper("city", "area", {"area": "a\uffff", "seats": 1}, procedure="area"),
        "entry-unusable",
        "/credentialSubject",
    ),
    "a withdrawn case": (after_withdrawal, "case-withdrawn", ""),
    "a withdrawal too late": (withdrawal_too_late, "too-late-to-withdraw", "/circulation/act"),
    "a closed case": (in_a_closed_case, "case-closed", ""),
}


def key_entry(key: PrivateKey = NOBODY, **changes: Any) -> dict[str, Any]:
    return {"kid": changes.pop("kid", key.kid), "jwk": {**key.public.jwk, **changes}}


def registering(*keys: dict[str, Any]) -> Make:
    """ali registers, beside a key that is one, these."""
    return lambda m: m.core("key-rotation", {"keys": [key_entry(key_of("a-next-key")), *keys]}, "ali")


def admitting(org: str, key: PrivateKey) -> Make:
    subject = {"org": org, "name": {"fa": org, "en": org}, "keys": [key_entry(key)], "roles": []}
    return lambda m: m.core("admission", subject)


WEAK = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}
KEYS: dict[str, tuple[Make, str, str]] = {
    "a key that is no point of the curve": (
        registering(key_entry(x=NOBODY.public.jwk["y"])),
        "key-malformed",
        "/credentialSubject/keys/1/jwk/x",
    ),
    "a key of half a point": (
        registering({"kid": "k", "jwk": {"kty": "EC", "crv": "P-256", "x": "A" * 43}}),
        "key-malformed",
        "/credentialSubject/keys/1/jwk/y",
    ),
    "a key that is anybody's": (
        registering({"kid": "A" * 43, "jwk": WEAK}),
        "key-malformed",
        "/credentialSubject/keys/1/jwk/x",
    ),
    "a key under another's name": (
        registering(key_entry(kid=key_of("city").kid[::-1])),
        "key-misnamed",
        "/credentialSubject/keys/1/kid",
    ),
    "a newcomer with a key that is none": (
        lambda m: m.core(
            "admission",
            {
                "org": "new",
                "name": {"fa": "n", "en": "n"},
                "keys": [{"kid": "A" * 43, "jwk": WEAK}],
                "roles": [],
            },
        ),
        "key-malformed",
        "/credentialSubject/keys/0/jwk/x",
    ),
    "a newcomer with another's key": (
        admitting("mallory", key_of("city")),
        "key-of-another",
        "/credentialSubject/keys",
    ),
    "a key of another, taken over": (
        lambda m: m.core("key-rotation", {"keys": [key_entry(key_of("city"))]}, "ali"),
        "key-already-registered",
        "/credentialSubject/keys",
    ),
    "a key of another, retired": (
        lambda m: m.core(
            "key-rotation", {"keys": [key_entry(NOBODY)], "retires": [key_of("city").kid]}, "ali"
        ),
        "not-your-key",
        "/credentialSubject/retires",
    ),
}
REFUSALS = {**ENVELOPE, **PLACE, **CONTENT, **CASE, **KEYS}
