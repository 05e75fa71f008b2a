"""The published description: whole, with examples that hold, and true of what the node does."""

from __future__ import annotations

from typing import Any

import cbor2
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks
from served import Served
from test_uploads import attached

from gardesh.model.canonical import base64url_encode
from gardesh.web.application import V1


@pytest.fixture(scope="module")
def description(shared: Served) -> Any:
    return shared.nobody.get("/openapi.json").json()


def operations(description: Any) -> list[tuple[str, str, Any]]:
    return [(path, method, op) for path, ways in description["paths"].items() for method, op in ways.items()]


def test_every_route_is_described(description: Any) -> None:
    assert description["openapi"].startswith("3.1")
    found = operations(description)
    assert len(found) == len(V1) + 11
    names = [op["operationId"] for _, _, op in found]
    assert len(set(names)) == len(names)
    for path, method, op in found:
        assert op["summary"], (path, method)
        assert op["description"], (path, method)
        assert "security" in op, (path, method)
        for parameter in op.get("parameters", []):
            assert parameter.get("description"), (path, parameter["name"])


def test_an_operation_says_what_its_body_and_a_replica_can_refuse(description: Any) -> None:
    for path, method, op in operations(description):
        told = set(op["responses"])
        if "requestBody" in op:
            assert {"408", "413"} <= told, (path, method)
        if method not in ("get", "head") and path != "/v1/drafts":
            assert "421" in told, (path, method)


def test_every_operation_has_examples_that_hold(description: Any) -> None:
    for path, method, op in operations(description):
        success = {s: r for s, r in op["responses"].items() if s.startswith("2")}
        assert success, (path, method)
        for status, response in op["responses"].items():
            for kind, media in (response.get("content") or {}).items():
                assert media.get("examples"), (path, method, status)
                if not kind.endswith("json"):
                    continue
                schema = {**media["schema"], "components": description["components"]}
                for example in media["examples"].values():
                    jsonschema_rs.validate(schema, example["value"])
                    if kind == "application/problem+json":
                        assert example["value"]["status"] == int(status), (path, method)
                        assert "{" not in str(example["value"]["sentences"].values()), (path, method)
        for kind, media in op.get("requestBody", {}).get("content", {}).items():
            assert media.get("examples"), (path, method)
            if kind.endswith("json"):
                schema = {**media["schema"], "components": description["components"]}
                for example in media["examples"].values():
                    jsonschema_rs.validate(schema, example["value"])
        for parameter in op.get("parameters", []):
            assert parameter.get("examples"), (path, parameter["name"])
            for example in parameter["examples"].values():
                jsonschema_rs.validate(parameter["schema"], example["value"])


def test_who_has_to_be_known_may_be_unknown_or_have_no_rights(description: Any) -> None:
    for path, method, op in operations(description):
        if any("signature" in way for way in op["security"]):
            assert {"401", "403"} <= set(op["responses"]), (path, method)


def test_what_has_a_tag_is_not_sent_twice(served: Served) -> None:
    """Exactly the answers of which the description says so have an ETag; with it in If-None-Match they come as 304."""
    document, digest = attached(served, b"a plan of the stall")
    named = {
        "name": document, "digest": digest, "pack": "core", "register": "organisations", "key": "ali",
        "path": "0/000.p/1",
    }  # fmt: skip
    asked = {"purpose": "look", "kind": "application", "value": "none", "part": "opened"}
    conditional = set()
    with served.by("ali") as ali:
        kid = next(iter(cbor_keys(ali.get("/.well-known/scitt-keys").content)))
        described = ali.get("/openapi.json").json()
        for path, method, op in operations(described):
            if method != "get" or path.endswith("/stream") or "/webhooks/{" in path:
                continue
            ways = op["responses"]
            known = {**named, "kid": kid}
            place = path.format(**{k: v for k, v in known.items() if f"{{{k}}}" in path})
            taken = {p["name"] for p in op.get("parameters", []) if p["in"] == "query"}
            query = {k: v for k, v in asked.items() if k in taken}
            first = ali.get(place, params=query)
            assert first.status_code == 200, (place, first.text)
            assert ("etag" in first.headers) == ("304" in ways), place
            head = ali.head(place, params=query)
            assert (head.status_code, head.content) == (200, b""), place
            for name in ("content-type", "content-length", "etag", "cache-control"):
                if name != "content-length" or path not in ("/metrics", "/readyz"):
                    assert head.headers.get(name) == first.headers.get(name), (place, name)
            if "304" not in ways:
                continue
            assert "ETag" in ways["200"]["headers"]
            again = ali.get(place, params=query, headers={"if-none-match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b""), place
            assert again.headers["etag"] == first.headers["etag"]
            other = ali.get(place, params=query, headers={"if-none-match": '"other"'})
            assert (other.status_code, other.content) == (200, first.content), place
            conditional.add(path)
    assert len(conditional) >= 15


def cbor_keys(data: bytes) -> list[str]:
    """The names of the keys of a COSE Key Set, as addresses have them."""
    return [base64url_encode(key[2]) for key in cbor2.loads(data)]


def test_bodies_are_described_where_they_are_taken(description: Any) -> None:
    taking = {(p, m) for p, m, op in operations(description) if "requestBody" in op}
    assert taking == {
        ("/v1/documents", "post"), ("/v1/documents/bundle", "post"), ("/v1/drafts", "post"), ("/token", "post"),
        ("/v1/uploads/{name}", "patch"), ("/entries", "post"), ("/v1/inbox/ack", "post"),
        ("/v1/webhooks", "post"), ("/v1/webhooks/{name}/resume", "post"),
        ("/v1/evidence", "post"), ("/v1/relay", "post"),
    }  # fmt: skip


schemathesis.serializer.alias(["application/vc+sd-jwt", "application/partial-upload"], "text/plain")
schemathesis.serializer.alias(["application/cose", "application/zip"], "application/octet-stream")
CHECKS = [
    checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_schema_conformance,
]  # fmt: skip


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_what_the_node_does_is_what_it_says(shared: Served, mode: GenerationMode) -> None:
    """Requests made from the description, right ones and wrong ones: none is a fault, and each answer is of a status, a
    kind and a form that are described."""
    schema = schemathesis.openapi.from_url(f"{shared.url}/openapi.json")
    tried: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/stream"):
            continue  # it does not end by itself
        cases = operation.as_strategy(generation_mode=mode)

        @given(case=cases)
        @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def run(case: Any) -> None:
            response = case.call(headers={"authorization": f"Bearer {shared.token('ali')}"})
            case.validate_response(response, checks=CHECKS)

        try:
            run()
        except Unsatisfiable:
            continue  # nothing can be wrong in a request without parameters
        tried.append(operation.label)
    assert len(tried) >= (25 if mode == GenerationMode.POSITIVE else 10)
