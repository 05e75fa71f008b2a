"""What a document says of a case elsewhere: the slot it opens a case for, how that case stands, where that is on record.

Members of `circulation`, each with its reader and one writer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gardesh.model.claim_forms import (
    CLAIM_MALFORMED,
    HEX,
    ORG_URN,
    match_hex,
    match_issuer,
    match_name,
    match_origin,
    only,
    read_form,
    read_key,
    read_time,
    write_time,
)
from gardesh.model.problem import Problem


class SlotName(NamedTuple):
    """A slot of a case. `key` is empty for the only slot of a step; `log` for a case of the log itself, else it is the
    origin of the log on which the case lives."""

    case: str
    step: str
    key: str
    log: str = ""


class Standing(NamedTuple):
    """How that which closes a case stands, as the clock of its node reports it to another. `number` counts the reports
    of a case from 1; `ended` says that the case was withdrawn; `expires` is in ms."""

    number: int
    sound: bool
    ended: bool
    expires: int | None


class Origin(NamedTuple):
    """Where the report stands that a node mirrors: the log, the case, its position there and when it was recorded there,
    in ms. `opener` opened the case, `issuer` issued what closes it; empty while nothing does."""

    log: str
    case: str
    opener: str
    issuer: str
    position: int
    at: int


def read_for(value: Any) -> SlotName:
    if type(value) is not dict:
        raise Problem(CLAIM_MALFORMED, "/circulation/for", expected="{case, step, key}")
    only(value, frozenset(("case", "step", "key", "log")), "/circulation/for")
    return SlotName(
        read_form(value.get("case"), match_hex, "/circulation/for/case", HEX),
        read_form(value.get("step"), match_name, "/circulation/for/step", "<name>"),
        read_key(value["key"], "/circulation/for/key") if "key" in value else "",
        read_form(value["log"], match_origin, "/circulation/for/log", "<origin>") if "log" in value else "",
    )


def read_standing(value: Any) -> Standing:
    place, shape = "/circulation/standing", "{number, sound, ended?, expires?}"
    if type(value) is not dict:
        raise Problem(CLAIM_MALFORMED, place, expected=shape)
    only(value, frozenset(("number", "sound", "ended", "expires")), place)
    number, sound, ended = value.get("number"), value.get("sound"), value.get("ended", False)
    if type(number) is not int or not 0 < number < 1 << 53:
        raise Problem(CLAIM_MALFORMED, place + "/number", expected="1, 2, …")
    for name, said in (("sound", sound), ("ended", ended)):
        if type(said) is not bool:
            raise Problem(CLAIM_MALFORMED, f"{place}/{name}", expected="true, false")
    expires = read_time(value["expires"], place + "/expires") if "expires" in value else None
    return Standing(number, bool(sound), bool(ended), expires)


def read_origin(value: Any) -> Origin:
    place, shape = "/circulation/origin", "{log, case, opener, issuer?, position, recordedAt}"
    if type(value) is not dict:
        raise Problem(CLAIM_MALFORMED, place, expected=shape)
    only(value, frozenset(("log", "case", "opener", "issuer", "position", "recordedAt")), place)
    position = value.get("position")
    if type(position) is not int or not 0 <= position < 1 << 53:
        raise Problem(CLAIM_MALFORMED, place + "/position", expected="<number>")
    org = f"{ORG_URN}<name>"
    return Origin(
        read_form(value.get("log"), match_origin, place + "/log", "<origin>"),
        read_form(value.get("case"), match_hex, place + "/case", HEX),
        read_form(value.get("opener"), match_issuer, place + "/opener", org),
        read_form(value["issuer"], match_issuer, place + "/issuer", org) if "issuer" in value else "",
        position,
        read_time(value.get("recordedAt"), place + "/recordedAt"),
    )


def write_elsewhere(
    for_slot: tuple[str, ...] | None, standing: Standing | None, origin: Origin | None
) -> dict[str, Any]:
    """The members of `circulation` that say this."""
    said: dict[str, Any] = {}
    if for_slot is not None:
        case, step, key, log = SlotName(*for_slot)
        said["for"] = {"case": case, "step": step}
        said["for"] |= {"key": key} if key else {}
        said["for"] |= {"log": log} if log else {}
    if standing is not None:
        said["standing"] = {"number": standing.number, "sound": standing.sound}
        said["standing"] |= {"ended": True} if standing.ended else {}
        if standing.expires is not None:
            said["standing"]["expires"] = write_time(standing.expires)
    if origin is not None:
        said["origin"] = {"log": origin.log, "case": origin.case, "opener": ORG_URN + origin.opener}
        said["origin"] |= {"issuer": ORG_URN + origin.issuer} if origin.issuer else {}
        said["origin"] |= {"position": origin.position, "recordedAt": write_time(origin.at)}
    return said
