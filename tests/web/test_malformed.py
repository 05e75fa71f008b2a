"""Requests whose form is wrong: the place, and the reason in both languages."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from served import Served

from gardesh import wire
from gardesh.model.form_reason import in_persian
from gardesh.web.malformed import of_json

ZERO = "0" * 64
WRONG: list[tuple[Any, str, str, str]] = [
    ({"step": 5}, "/step", "step", "باید متن باشد، نه عدد صحیح"),
    ({}, "/step", "body", "فیلد step نیامده است"),
    ({"step": "x", "nope": 1}, "/nope", "body", "فیلد nope شناخته نیست"),
    ({"step": "a", "case": "zz"}, "/case", "case", "با الگوی '^[0-9a-f]{64}$' نمی‌خواند"),
    ({"step": "a", "attachments": [{"digest": ZERO, "size": -1, "media_type": "x"}]}, "/attachments/0/size",
     "attachments[0].size", "دست‌کم 0 است"),
    ({"step": "a", "attachments": [{"digest": ZERO}]}, "/attachments/0/size", "attachments[0]", "فیلد size نیامده است"),
    ({"step": "a", "attachments": 5}, "/attachments", "attachments", "باید فهرست یا null باشد، نه عدد صحیح"),
    ([], "", "body", "باید شیء باشد، نه فهرست"),
    ({"step": "a"}, "", "case, procedure", "باید دقیقاً یکی از این‌ها بیاید"),
    (b'{"step":', "", "body", "ناتمام است"),
    (b'{"step": x}', "", "body", "JSON درست نیست"),
    (b"", "", "body", "نیامده است"),
    (b"[" * 5000, "", "body", ""),
]  # fmt: skip


@pytest.mark.parametrize(("given", "pointer", "where", "reason"), WRONG)
def test_a_body_that_is_wrong_is_told_where_and_why(
    shared: Served, given: Any, pointer: str, where: str, reason: str
) -> None:
    body = given if isinstance(given, bytes) else msgspec.json.encode(given)
    headers = {"content-type": "application/json", "accept-language": "fa"}
    with shared.by("ali") as ali:
        answer = ali.post("/v1/drafts", content=body, headers=headers)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (400, "request-malformed")
    assert told.get("pointer", "") == pointer
    assert told["params"]["where"] == where
    assert told["detail"] == told["sentences"]["fa"]
    assert reason in told["detail"]
    persian = re.sub(r"'.*'|" + re.escape(where), "", told["detail"])
    assert not re.search("Expected|Object|JSON is|missing", persian)
    assert told["params"]["reason"] in told["sentences"]["en"]


@pytest.mark.parametrize(
    ("path", "query", "headers", "where", "reason"),
    [
        ("/v1/cases", {"part": "opened", "limit": "x"}, {}, "limit", "باید عدد صحیح باشد، نه متن"),
        ("/v1/cases", {"part": "opened", "limit": "5000"}, {}, "limit", "حداکثر 1000 است"),
        ("/v1/cases", {"part": "z"}, {}, "part", "مقدار 'z' شناخته نیست"),
        ("/v1/cases", {"cursor": "x" * 600}, {}, "cursor", "درازای آن حداکثر 500 است"),
        (f"/v1/documents/{ZERO}", {}, {}, "purpose", "نیامده است"),
        (f"/v1/documents/{ZERO}", {"purpose": ["a", "b"]}, {}, "purpose", "دو بار آمده است"),
        (f"/v1/documents/{ZERO}", {"purpose": ""}, {}, "purpose", "درازای آن دست‌کم 1 است"),
        ("/v1/inbox/stream", {}, {"last-event-id": "1" * 30}, "last-event-id", "درازای آن حداکثر 20 است"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(
    shared: Served, path: str, query: dict[str, Any], headers: dict[str, str], where: str, reason: str
) -> None:
    with shared.by("ali") as ali:
        told = ali.get(path, params=query, headers=headers).json()
    assert (told["code"], told.get("pointer", "")) == ("request-malformed", "")
    assert told["params"]["where"].lower() == where
    assert reason in told["sentences"]["fa"]


def test_bundles_name_the_place_too(shared: Served) -> None:
    for body, pointer in ((b'["a", 1]', "/1"), (b'{"a": 1}', ""), (b"[", "")):
        told = shared.nobody.post("/v1/documents/bundle", content=body).json()
        assert (told["code"], told.get("pointer", "")) == ("request-malformed", pointer)


def test_what_the_decoder_says_is_known_in_persian() -> None:
    """Each kind of fault that the decoder finds in what clients send, whatever its wording is in this release."""
    shapes: list[tuple[bytes, Any]] = [
        (b"5", wire.Ack), (b"{}", wire.Ack), (b'{"upto": "x"}', wire.Ack), (b'{"upto": -9}', wire.Ack),
        (b'{"upto": 1.5}', wire.Ack), (b'{"upto": 99999999999999999999}', wire.Ack), (b'{"upto": 1, "x": 1}', wire.Ack),
        (b'{"upto": 1, "consumer": "A"}', wire.Ack), (b'{"url": null}', wire.WebhookWanted), (b"nul", wire.Ack),
        (b'{"url": "' + b"x" * 3000 + b'"}', wire.WebhookWanted), (b'{"url": "", "roles": [1]}', wire.WebhookWanted),
        (b"{", wire.Ack), (b"{} x", wire.Ack), (b"\xff", wire.Ack),
    ]  # fmt: skip
    for body, shape in shapes:
        with pytest.raises(msgspec.DecodeError) as caught:
            msgspec.json.decode(body, type=shape)
        reason = of_json(caught.value).params["reason"]
        assert in_persian(reason) != in_persian("something new"), reason
