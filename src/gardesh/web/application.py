"""The HTTP application over one node: its routes, its description (OpenAPI 3.1), and what surrounds every request."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Protocol

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.openapi.spec.oauth_flow import OAuthFlow
from litestar.openapi.spec.oauth_flows import OAuthFlows
from litestar.types import ASGIApp

from gardesh.model.problem import Problem
from gardesh.web import (
    attachments,
    cases,
    documents,
    inbox,
    log,
    nodes,
    operations,
    registers,
    scitt,
    tokens,
    webhooks,
)
from gardesh.web.answer import on_deep, on_fault, on_http, on_problem
from gardesh.web.description import finished
from gardesh.web.problem_examples import filled
from gardesh.web.report import Report
from gardesh.web.request_form import Check, taken
from gardesh.web.service import Service
from gardesh.web.surrounding import Surrounding

V1 = (
    documents.submit, documents.submit_bundle, documents.read, documents.receipt, documents.readers,
    attachments.download, attachments.begin, attachments.offset, attachments.append, attachments.cancel,
    cases.cases, cases.case, cases.file, cases.documents, cases.plan, cases.why, cases.worklist, cases.draft,
    registers.register_entry, registers.register_entries, registers.search,
    operations.node, nodes.bring, nodes.relay, inbox.inbox, inbox.ack, inbox.stream,
    webhooks.make, webhooks.listed, webhooks.remove, webhooks.resume, webhooks.deliveries,
)  # fmt: skip
DESCRIPTION = """Documents circulate: submit them signed, read what your steps need, ask what waits on whom.

Who asks is known by a signature of the request with the organisation's key (RFC 9421; `@method` and `@target-uri`, or
`@authority`, `@path` and `@query`, and `content-digest` where there is a body; `created`, `keyid`, and a `nonce` that
makes each signature another), by an access token from `/token`, or by one (RFC 9068) of another authority that the node's
configuration names. Documents themselves need none: their issuer's signature is in them. Submitting is idempotent by
digest, so there is no Idempotency-Key. Refusals are problems (RFC 9457) with a stable `code`, a JSON pointer, and a
sentence in Persian and in English. Lists are paged by `cursor`; answers have entity tags, and If-None-Match gives 304. HEAD
gives the head of what GET gives."""
SMALL = 1 << 20
"""The largest body of a request that is neither a document nor an attachment."""


class Beside(Protocol):
    """What runs on the service's event loop beside the requests."""

    def start(self) -> None: ...

    async def stop(self) -> None: ...


def application(service: Service, beside: Sequence[Beside], report: Report) -> ASGIApp:
    """The application, with what runs beside it. It neither opens nor closes the service."""
    check = Check(service.replica_of)
    made = Litestar(
        routes(),
        state=State({"service": service}),
        exception_handlers={
            Problem: on_problem,
            HTTPException: on_http,
            RecursionError: on_deep,
            Exception: on_fault,
        },
        openapi_config=description(service.url),
        before_request=check,
        on_startup=[each.start for each in beside],
        on_shutdown=[each.stop for each in beside],
        request_max_body_size=SMALL,
        logging_config=None,
        debug=False,
    )
    check.known = taken(made)
    return Surrounding(made, service, report)


def routes() -> list[Any]:
    """Everything that is served, by its path."""
    return [
        Router("/v1", route_handlers=list(V1)),
        Router("/log", route_handlers=[log.checkpoint, log.tile]),
        tokens.token,
        tokens.metadata,
        operations.healthz,
        operations.readyz,
        operations.metrics,
        operations.openapi,
        scitt.register,
        scitt.entry,
        scitt.keys,
        scitt.key,
    ]


def described(url: str = "https://node.example") -> Any:
    """The OpenAPI document of a node that clients call `url`."""
    made = Litestar(routes(), openapi_config=description(url), logging_config=None)
    return filled(finished(made.openapi_schema.to_schema()))


def description(url: str) -> OpenAPIConfig:
    signature = SecurityScheme(
        type="apiKey",
        name="Signature",
        security_scheme_in="header",
        description="HTTP message signature (RFC 9421) with the organisation's key, beside Signature-Input.",
    )
    flow = OAuthFlow(token_url=f"{url}/token", scopes={})
    token = SecurityScheme(
        type="oauth2", flows=OAuthFlows(client_credentials=flow), description="A token from /token."
    )
    authority = SecurityScheme(
        type="http",
        scheme="bearer",
        bearer_format="JWT",
        description="An access token (RFC 9068) of another authority that this node's configuration names. It gives no role"
        " that the organisation does not hold on the log.",
    )
    return OpenAPIConfig(
        title="Gardesh",
        version=version("gardesh"),
        description=DESCRIPTION,
        components=Components(
            security_schemes={"signature": signature, "token": token, "authority": authority}
        ),
        render_plugins=[],
        use_handler_docstrings=True,
        operation_id_creator=lambda handler, method, _: (
            f"{handler.handler_name}_{HttpMethod(method).value.lower()}"
        ),
    )
