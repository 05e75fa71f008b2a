"""Access tokens over HTTP: client credentials (RFC 6749 §4.4), the client proven by its key (RFC 7523 §2.2)."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs

from litestar import Response, get, post
from litestar.openapi.spec import OpenAPIType, Schema

from gardesh import wire
from gardesh.intake import KEY_NOT_IN_FORCE, KEY_UNKNOWN
from gardesh.model.problem import Problem
from gardesh.node import Node
from gardesh.web import answer
from gardesh.web.authentication import CREDENTIAL_WRONG, SCOPE_TOO_WIDE, in_force
from gardesh.web.description import OPEN, TAKES, WRITES, Tagged, gives, refuses, takes
from gardesh.web.service import Asked, address, service_of
from gardesh.web.token import SKEW, Assertion, Grant, read_assertion

GRANT = "client_credentials"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM = "application/x-www-form-urlencoded"
MOST = 20_000
REFUSED = {
    "error": "invalid_client",
    "error_description": "No organisation has registered the key …",
    "code": "key-unknown",
}
OAUTH = {KEY_UNKNOWN: "invalid_client", KEY_NOT_IN_FORCE: "invalid_client", SCOPE_TOO_WIDE: "invalid_scope"}


@post(
    "/token",
    status_code=200,
    summary="Get an access token",
    operation_class=takes(
        FORM,
        Schema(type=OpenAPIType.OBJECT),
        {
            "grant_type": GRANT,
            "client_assertion_type": ASSERTION,
            "client_assertion": "eyJ…",
            "scope": "customs",
        },
        "grant_type, client_assertion_type, client_assertion (a JWT signed with the organisation's key), scope (roles).",
    ),
    responses={
        **gives(
            wire.Token,
            {"access_token": "eyJ…", "token_type": "Bearer", "expires_in": 300, "scope": "customs"},
            says="A token for the roles asked for, or for all that are held.",
        ),
        **refuses(*TAKES, WRITES),
        **gives(
            dict[str, Any],
            REFUSED,
            status=400,
            says="As RFC 6749 §5.2 has it, with the problem's code beside.",
        ),
        **gives(dict[str, Any], REFUSED, status=401, says="The client is not who it says."),
    },
    security=OPEN,
)
async def token(request: Asked) -> Response[bytes]:
    """The assertion's `aud` is the node's URL or this endpoint's; its `jti` counts once. The token is bound to the key that
    signed: when that is retired or revoked, the token is void at once."""
    service = service_of(request)
    service.rate.take(address(request), time.monotonic())
    try:
        form = parse_qs((await answer.body_of(request, MOST)).decode("ascii"), max_num_fields=20)
    except ValueError:
        return refused("invalid_request", Problem("request-malformed", where="the form", reason="not ASCII"))
    if form.get("grant_type") != [GRANT]:
        return refused("unsupported_grant_type", wrong("grant_type"))
    if form.get("client_assertion_type") != [ASSERTION] or len(form.get("client_assertion", [])) != 1:
        return refused("invalid_client", wrong("client_assertion"))
    asked = frozenset(" ".join(form.get("scope", [])).split())
    seconds = service.configuration.tokens.seconds

    def question(node: Node) -> tuple[Grant, str]:
        at = service.desk.clock()
        audience = frozenset((service.url, f"{service.url}/", f"{service.url}/token"))
        assertion = read_assertion(form["client_assertion"][0], audience, at // 1000)
        grant = granted(node, assertion, asked, at, seconds)
        service.assertions.use(assertion.name, assertion.expires + SKEW, at // 1000, assertion.org)
        return grant, service.tokens.mint(grant, at // 1000)

    try:
        grant, made = await service.desk.ask(question)
    except Problem as problem:
        if problem.kind.status >= 500 or problem.kind.status == 429:
            raise
        return refused(OAUTH.get(problem.code, "invalid_client"), problem)
    told = wire.Token(made, "Bearer", seconds, " ".join(sorted(grant.roles)))
    return answer.json(told, cache_control="no-store")


def wrong(where: str) -> Problem:
    return Problem("request-malformed", where=where, reason="missing, twice, or not what is taken here")


def granted(node: Node, assertion: Assertion, asked: frozenset[str], at: int, seconds: int) -> Grant:
    """What an assertion buys: the roles asked for, or all that are held. In the node's thread."""
    org, key = in_force(node, assertion.kid, at)
    if org != assertion.org:
        raise Problem(KEY_UNKNOWN, kid=assertion.kid[:100])
    try:
        assertion.verify(key)
    except Problem as problem:
        if problem.code == "signature-wrong":
            raise Problem(CREDENTIAL_WRONG, kid=assertion.kid[:100]) from None
        raise
    held = node.sequencer.registers.roles(org, at)
    if beyond := sorted(asked - held):
        raise Problem(SCOPE_TOO_WIDE, org=org, role=beyond[0][:100])
    return Grant(org, assertion.kid, asked or held, at // 1000 + seconds)


def refused(error: str, problem: Problem) -> Response[bytes]:
    """A refusal as RFC 6749 §5.2 has it."""
    status = 401 if error == "invalid_client" else 400
    told = {
        "error": error,
        "error_description": problem.sentence("en"),
        "code": problem.code,
        "sentences": {"en": problem.sentence("en"), "fa": problem.sentence("fa")},
    }
    return answer.json(told, status, cache_control="no-store")


@get(
    "/.well-known/oauth-authorization-server",
    summary="What the token endpoint can do",
    operation_class=Tagged,
    responses=gives(
        dict[str, Any],
        {"issuer": "https://node.example", "token_endpoint": "https://node.example/token"},
        says="Metadata (RFC 8414).",
    ),
    security=OPEN,
)
async def metadata(request: Asked) -> Response[bytes]:
    """As RFC 8414 has it."""
    service = service_of(request)
    url = service.replica_of or service.url
    told = {
        "issuer": url,
        "token_endpoint": f"{url}/token",
        "grant_types_supported": [GRANT],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA"],
        "response_types_supported": [],
    }
    return answer.tagged(request, told, "public, max-age=3600")
