"""What a document says in the clear: the claims of a W3C Verifiable Credential 2.0 as Gardesh uses them.

`@context`, `type`, `issuer`, `validFrom`, `validUntil`, `relatedResource` are as in the VC Data Model 2.0;
`circulation` says which slot of which case the document is for. Everything is checked here, and nothing is let
through that is not known: what no one reads must not be signed for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from gardesh.model.claim_elsewhere import (
    Origin,
    SlotName,
    Standing,
    read_for,
    read_origin,
    read_standing,
    write_elsewhere,
)
from gardesh.model.claim_forms import (
    BLOB_URN,
    CLAIM_MALFORMED,
    CLAIM_MISSING,
    HEX,
    ORG_URN,
    TYPE_URN,
    match_hex,
    match_issuer,
    match_media_type,
    match_name,
    match_pack,
    match_procedure,
    match_type,
    only,
    read_form,
    read_key,
    read_slot_urn,
    read_sri,
    read_time,
    write_slot_urn,
    write_sri,
    write_time,
)
from gardesh.model.problem import Problem, define

VALIDITY_REVERSED = define(
    "validity-reversed",
    400,
    en="The document ends to be valid before it begins.",
    fa="پایان اعتبار سند پیش از آغاز آن است.",
)
SLOT_TWICE = define(
    "basis-slot-twice",
    400,
    en="The basis names the slot {slot} twice.",
    fa="مبنای سند جایگاه {slot} را دو بار نام می‌برد.",
)

CONTEXT = ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/undefined-terms/v2"]


class Statement(TypedDict):
    """The claims, read. Digests in hexadecimal but for the basis, which has 32 bytes; times in ms since 1970 UTC.

    `type` is "trade/permit", `pack` "trade@1.0.0". `basis` has slot ids ("permit", "permit:standards"). `reach` is
    the claim `from` of a revocation: "start" or "now". `deficiencies` and `attachments` are as they are written.
    """

    issuer: str
    type: str
    valid_from_ms: int
    valid_until_ms: int | None
    pack: str
    procedure: str
    case: str | None
    step: str
    key: str | None
    act: str
    outcome: str | None
    reach: str | None
    replaces: str | None
    names: str | None
    for_slot: SlotName | None
    standing: Standing | None
    origin: Origin | None
    basis: tuple[tuple[str, bytes], ...]
    deficiencies: tuple[dict[str, Any], ...]
    attachments: tuple[dict[str, Any], ...]


_CLAIMS = frozenset(
    (
        *("@context", "type", "issuer", "validFrom", "validUntil", "credentialSubject", "_sd_alg"),
        *("relatedResource", "attachments", "circulation", "id", "iat"),
    )
)
_CIRCULATION = frozenset(
    (
        *("pack", "procedure", "case", "step", "key", "act", "outcome", "deficiencies", "replaces", "from"),
        *("for", "names", "standing", "origin"),
    )
)


def read(claims: dict[str, Any]) -> Statement:
    """The claims of a document, each of its form. Raises `claim-missing`, `claim-malformed`, `claim-unknown`,
    `validity-reversed` and `basis-slot-twice`. `credentialSubject` is not looked at."""
    only(claims, _CLAIMS, "")
    if claims.get("@context") != CONTEXT:
        raise Problem(CLAIM_MALFORMED, "/@context", expected=" ".join(CONTEXT))
    types = claims.get("type")
    if type(types) is not list or len(types) != 2 or types[0] != "VerifiableCredential":
        raise Problem(
            CLAIM_MALFORMED, "/type", expected="VerifiableCredential, urn:gardesh:type:<pack>:<type>"
        )
    kind = read_form(types[1], match_type, "/type/1", f"{TYPE_URN}<pack>:<type>")
    start = read_time(claims.get("validFrom"), "/validFrom")
    until = read_time(claims["validUntil"], "/validUntil") if "validUntil" in claims else None
    if until is not None and until < start:
        raise Problem(VALIDITY_REVERSED, "/validUntil")
    if "id" in claims and (type(claims["id"]) is not str or ":" not in claims["id"]):
        raise Problem(CLAIM_MALFORMED, "/id", expected="<URL>")
    if "iat" in claims and type(claims["iat"]) is not int:
        raise Problem(CLAIM_MALFORMED, "/iat", expected="<seconds>")
    circulation = claims.get("circulation")
    if circulation is None:
        raise Problem(CLAIM_MISSING, "/circulation", name="circulation")
    if type(circulation) is not dict:
        raise Problem(CLAIM_MALFORMED, "/circulation", expected="{pack, procedure, case, step, key, act}")
    only(circulation, _CIRCULATION, "/circulation")
    outcome = _one_of(circulation, "outcome", ("approved", "deficient", "rejected"))
    return {
        "issuer": read_form(claims.get("issuer"), match_issuer, "/issuer", f"{ORG_URN}<name>"),
        "type": kind.replace(":", "/"),
        "valid_from_ms": start,
        "valid_until_ms": until,
        "pack": read_form(circulation.get("pack"), match_pack, "/circulation/pack", "<name>@1.0.0"),
        "procedure": read_form(
            circulation.get("procedure"), match_procedure, "/circulation/procedure", "<name>"
        ),
        "case": _hex(circulation, "case"),
        "step": read_form(circulation.get("step"), match_name, "/circulation/step", "<name>"),
        "key": read_key(circulation["key"], "/circulation/key") if "key" in circulation else None,
        "act": read_form(circulation.get("act"), match_name, "/circulation/act", "<name>"),
        "outcome": outcome,
        "reach": _one_of(circulation, "from", ("start", "now")),
        "replaces": _hex(circulation, "replaces"),
        "names": _hex(circulation, "names"),
        "for_slot": read_for(circulation["for"]) if "for" in circulation else None,
        "standing": read_standing(circulation["standing"]) if "standing" in circulation else None,
        "origin": read_origin(circulation["origin"]) if "origin" in circulation else None,
        "basis": _basis(claims["relatedResource"]) if "relatedResource" in claims else (),
        "deficiencies": _deficiencies(circulation["deficiencies"], outcome)
        if "deficiencies" in circulation
        else (),
        "attachments": _attachments(claims["attachments"]) if "attachments" in claims else (),
    }


def _one_of(circulation: dict[str, Any], name: str, values: tuple[str, ...]) -> str | None:
    if name not in circulation:
        return None
    value = circulation[name]
    if type(value) is not str or value not in values:
        raise Problem(CLAIM_MALFORMED, f"/circulation/{name}", expected=", ".join(values))
    return value


def _hex(circulation: dict[str, Any], name: str) -> str | None:
    return (
        read_form(circulation[name], match_hex, f"/circulation/{name}", HEX) if name in circulation else None
    )


def _basis(resources: Any) -> tuple[tuple[str, bytes], ...]:
    if type(resources) is not list:
        raise Problem(CLAIM_MALFORMED, "/relatedResource", expected="[{id, digestSRI}]")
    basis: dict[str, bytes] = {}
    for n, resource in enumerate(resources):
        place = f"/relatedResource/{n}"
        if type(resource) is not dict or resource.keys() != {"id", "digestSRI"}:
            raise Problem(CLAIM_MALFORMED, place, expected="{id, digestSRI}")
        slot = read_slot_urn(resource["id"], place + "/id")
        if slot in basis:
            raise Problem(SLOT_TWICE, place, slot=slot)
        basis[slot] = read_sri(resource["digestSRI"], place + "/digestSRI")
    return tuple(basis.items())


def _deficiencies(value: Any, outcome: str | None) -> tuple[dict[str, Any], ...]:
    place = "/circulation/deficiencies"
    if type(value) is not list or outcome != "deficient":
        raise Problem(
            CLAIM_MALFORMED, place, expected='"outcome": "deficient", "deficiencies": [{step, field, reason}]'
        )
    for n, one in enumerate(value):
        at = f"{place}/{n}"
        if type(one) is not dict:
            raise Problem(CLAIM_MALFORMED, at, expected="{step, field, reason}")
        only(one, frozenset(("step", "key", "field", "reason")), at)
        read_form(one.get("step"), match_name, at + "/step", "<name>")
        if "key" in one:
            read_key(one["key"], at + "/key")
        field, reason = one.get("field"), one.get("reason")
        if type(field) is not str or not (field == "" or field.startswith("/")):
            raise Problem(CLAIM_MALFORMED, at + "/field", expected="/goods/0/hs")
        if (
            type(reason) is not dict
            or reason.keys() != {"fa", "en"}
            or not all(type(r) is str for r in reason.values())
        ):
            raise Problem(CLAIM_MALFORMED, at + "/reason", expected="{fa, en}")
    return tuple(value)


def _attachments(value: Any) -> tuple[dict[str, Any], ...]:
    if type(value) is not list:
        raise Problem(CLAIM_MALFORMED, "/attachments", expected="[{id, digestSRI, mediaType, size, name}]")
    for n, one in enumerate(value):
        at = f"/attachments/{n}"
        if type(one) is not dict:
            raise Problem(CLAIM_MALFORMED, at, expected="{id, digestSRI, mediaType, size, name}")
        only(one, frozenset(("id", "digestSRI", "mediaType", "size", "name")), at)
        if one.get("id") != BLOB_URN + read_sri(one.get("digestSRI"), at + "/digestSRI").hex():
            raise Problem(CLAIM_MALFORMED, at + "/id", expected=f"{BLOB_URN}{HEX}")
        read_form(one.get("mediaType"), match_media_type, at + "/mediaType", "application/pdf")
        if type(one.get("size")) is not int or one["size"] < 0:
            raise Problem(CLAIM_MALFORMED, at + "/size", expected="<bytes>")
        if "name" in one:
            read_key(one["name"], at + "/name")
    return tuple(value)


def attachment(digest: bytes, media_type: str, size: int, name: str | None = None) -> dict[str, Any]:
    """The claim for a blob of this SHA-256 digest and size in bytes."""
    entry: dict[str, Any] = {"id": BLOB_URN + digest.hex(), "digestSRI": write_sri(digest)}
    entry |= {"mediaType": media_type, "size": size}
    return entry if name is None else {**entry, "name": name}


def compose(
    *,
    type: str,
    issuer: str,
    valid_from_ms: int,
    pack: str,
    procedure: str,
    step: str,
    act: str = "issue",
    valid_until_ms: int | None = None,
    case: str | None = None,
    key: str | None = None,
    outcome: str | None = None,
    deficiencies: Sequence[Mapping[str, Any]] | None = None,
    replaces: str | None = None,
    reach: str | None = None,
    names: str | None = None,
    for_slot: tuple[str, ...] | None = None,
    standing: Standing | None = None,
    origin: Origin | None = None,
    basis: Sequence[tuple[str, bytes]] = (),
    attachments: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The claims of a document, named and in units as in :class:`Statement`. Raises as `read`."""
    circulation: dict[str, Any] = {"pack": pack, "procedure": procedure, "step": step, "act": act}
    optional = {
        "case": case,
        "key": key,
        "outcome": outcome,
        "replaces": replaces,
        "from": reach,
        "names": names,
    }
    circulation |= {name: value for name, value in optional.items() if value is not None}
    if deficiencies:
        circulation["deficiencies"] = [dict(d) for d in deficiencies]
    circulation |= write_elsewhere(for_slot, standing, origin)
    claims: dict[str, Any] = {
        "@context": list(CONTEXT),
        "type": ["VerifiableCredential", TYPE_URN + type.replace("/", ":")],
        "issuer": ORG_URN + issuer,
        "validFrom": write_time(valid_from_ms),
        "circulation": circulation,
    }
    if valid_until_ms is not None:
        claims["validUntil"] = write_time(valid_until_ms)
    if basis:
        claims["relatedResource"] = [
            {"id": write_slot_urn(slot), "digestSRI": write_sri(of)} for slot, of in basis
        ]
    if attachments:
        claims["attachments"] = [dict(a) for a in attachments]
    read(claims)
    return claims
