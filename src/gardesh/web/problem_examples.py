"""An example of each refusal in the description of the API: a problem that the operation can really answer with."""

from __future__ import annotations

from typing import Any

import msgspec

from gardesh.model.problem import Problem
from gardesh.web.answer import PROBLEM, details

NAME = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
CASE = "9b74c9897bac770ffc029102a200c5de8a5c1a0fd1f9e6f1f2a4e3a0f0bb2c31"
UPLOAD = "0f3cf4f4a1d84ac2ba9d3c4a6d0c2a11"
INSTANCE = "urn:uuid:8d6e1f40-3c1d-4d8f-9a35-1f4a9d1c7f10"
Said = tuple[str, str, dict[str, Any]]
ANYWHERE: dict[int, Said] = {
    400: ("request-malformed", "", {"where": "limit", "reason": "Expected `int` <= 1000"}),
    401: ("not-authenticated", "", {}),
    403: ("organisation-without-rights", "", {"org": "customs"}),
    404: ("no-such-document", "", {"name": NAME}),
    408: ("request-slow", "", {"seconds": 30}),
    409: ("basis-changed", "/relatedResource", {"slots": "invoice"}),
    413: ("body-too-large", "", {"limit": 1 << 20}),
    415: ("media-type-unknown", "", {"given": "text/plain", "wanted": "application/vc+sd-jwt"}),
    416: ("range-not-satisfiable", "", {"size": 1_048_576}),
    421: ("read-only", "", {"url": "https://node.example"}),
    422: ("schema-violated", "/credentialSubject/amount", {"reason": '"amount" is a required property'}),
    429: ("too-many-requests", "", {"rate": 200, "wait": 1}),
    500: ("node-fault", "", {}),
    502: ("node-silent", "", {"log": "other.example/log", "reason": "ConnectTimeout"}),
    503: ("too-busy", "", {"waiting": 2000}),
    507: ("storage-full", "", {"reason": "No space left on device"}),
}
"""By status, where nothing else is said: code, pointer, parameters."""
HERE: dict[tuple[str, int], Said] = {
    ("/v1/documents", 403): (
        "not-accredited",
        "/issuer",
        {"issuer": "aftab", "role": "importer"},
    ),
    ("/v1/documents/{name}", 403): ANYWHERE[403],
    ("/v1/documents/bundle", 413): ("bundle-too-many", "", {"count": 600, "limit": 500}),
    ("/v1/documents/{name}/readers", 403): ("not-about-you", "", {}),
    ("/v1/documents/{name}/attachments/{digest}", 403): (
        "not-readable",
        "",
        {"org": "bank", "document": NAME},
    ),
    ("/v1/uploads", 404): ("no-such-upload", "", {"id": UPLOAD}),
    ("/v1/uploads", 409): ("upload-offset-wrong", "", {"offset": 65_536, "given": 0}),
    ("/v1/uploads", 413): ("blob-too-large", "", {"limit": 8 << 30}),
    ("/v1/cases", 404): ("no-such-case", "", {"case": CASE}),
    ("/v1/drafts", 404): ("no-such-case", "", {"case": CASE}),
    ("/v1/evidence", 403): ("node-unknown", "", {"log": "other.example/log"}),
    ("/v1/evidence", 409): ("node-changed", "", {"log": "other.example/log"}),
    ("/v1/relay", 403): ("not-relayed", "", {"log": "other.example/log"}),
    ("/v1/webhooks", 404): ("no-such-webhook", "", {"id": "7c9e6679"}),
    ("/log/tile", 404): ("tile-path-unknown", "", {}),
}
"""Of a path and those below it; the longest that fits counts."""


def filled(described: dict[str, Any]) -> dict[str, Any]:
    """The description, with an example of its own for each refusal."""
    for path, operations in described["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                media = response.get("content", {}).get(PROBLEM)
                if media is not None:
                    media["examples"] = {"example": {"value": example(path, int(status))}}
    return described


def example(path: str, status: int) -> Any:
    """What the operations of a path can be refused with at this status, as the API gives it."""
    above = [place for place, s in HERE if s == status and (path == place or path.startswith(place + "/"))]
    code, pointer, params = HERE[max(above, key=len), status] if above else ANYWHERE[status]
    problem = Problem(code, pointer, **params)
    return msgspec.json.decode(msgspec.json.encode(details(problem, "en", INSTANCE)))
