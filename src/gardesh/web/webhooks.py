"""Webhooks over HTTP: where an organisation wants its notices sent."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, delete, get, post
from litestar.params import JSONBody, PathParameter

from gardesh import wire
from gardesh.access import Access
from gardesh.node import Node
from gardesh.subscriptions import Subscriptions
from gardesh.web import answer, paging
from gardesh.web.cases import Limit, page
from gardesh.web.description import SIGNED, TAKES, WRITES, gives, refuses, sent, shown
from gardesh.web.documents import Cursor
from gardesh.web.service import Asked, service_of

ID = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
EXAMPLE = {
    "id": ID, "url": "https://office.example/gardesh", "roles": None, "created_at": "2026-01-05T09:00:00Z", "acked": 117,
    "state": "active", "attempts": 0, "next_at": None, "said": "200",
}  # fmt: skip
Id = Annotated[str, PathParameter(description="The webhook.", examples=shown(EXAMPLE["id"]))]


@post(
    "/webhooks",
    status_code=201,
    summary="Have notices sent",
    operation_class=sent({"url": EXAMPLE["url"], "roles": ["agency"]}),
    responses={
        **gives(
            wire.NewWebhook, {**EXAMPLE, "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}, status=201,
            says="The secret is shown this once.",
        ),
        **refuses(*TAKES, 401, WRITES, 422),
    },
    security=SIGNED,
)  # fmt: skip
async def make(request: Asked, data: JSONBody[wire.WebhookWanted]) -> Response[bytes]:
    """From the newest notice on, signed as Standard Webhooks has it, in order, each under the same `webhook-id` however often
    it is sent. Tried again for about three days; then given up and told in `deliveries`. Answer with 2xx to take a notice,
    with 410 to have no more."""
    service = service_of(request)
    credential = await service.credential(request, await request.body())
    org = await service.ask_as(credential, lambda access: access.org)
    await service.outward.resolved(data.url)

    def question(node: Node) -> tuple[Any, str]:
        access = credential.again(node, org, service.desk.clock())
        return Subscriptions(node).make(access, data.url, data.roles, service.configuration.webhooks.most)

    made, secret = await service.desk.ask(question)
    return answer.json(
        {**made.told(), "secret": secret}, 201, cache_control="no-store", location=f"/v1/webhooks/{made.id}"
    )


@get(
    "/webhooks",
    summary="Where notices are sent",
    responses={
        **gives(wire.Webhooks, {"webhooks": [EXAMPLE]}, says="The caller's webhooks."),
        **refuses(401),
    },
    security=SIGNED,
)
async def listed(request: Asked) -> Response[bytes]:
    """And how the last attempt of each went."""

    def question(access: Access) -> list[dict[str, Any]]:
        return [hook.told() for hook in Subscriptions(access.node).of(access.org)]

    return answer.json(
        {"webhooks": await service_of(request).ask(request, question)}, cache_control="no-store"
    )


@delete(
    "/webhooks/{name:str}",
    status_code=204,
    summary="Have notices sent no more",
    responses={**gives(None, None, status=204, says="Gone."), **refuses(401, 404, WRITES)},
    security=SIGNED,
)
async def remove(request: Asked, name: Id) -> None:
    """What is being sent in this moment may still come."""
    await service_of(request).ask(request, lambda access: Subscriptions(access.node).remove(access.org, name))


@post(
    "/webhooks/{name:str}/resume",
    status_code=200,
    summary="Send on, or again",
    operation_class=sent({"after": 116}),
    responses={**gives(wire.Webhook, EXAMPLE, says="As it stands now."), **refuses(*TAKES, 401, 404, WRITES)},
    security=SIGNED,
)
async def resume(request: Asked, name: Id, data: JSONBody[wire.Resume]) -> Response[bytes]:
    """A paused webhook goes on; with `after`, everything behind that notice is sent again."""

    def question(access: Access) -> dict[str, Any]:
        return Subscriptions(access.node).resume(access, name, data.after).told()

    found = await service_of(request).ask(request, question, await request.body())
    return answer.json(found, cache_control="no-store")


@get(
    "/webhooks/{name:str}/deliveries",
    summary="What was sent",
    responses={
        **gives(
            wire.Deliveries,
            {
                "deliveries": [
                    {
                        "at": "2026-01-05T09:00:07Z",
                        "first": 117,
                        "last": 117,
                        "outcome": "taken",
                        "said": "204",
                    },
                    {
                        "at": "2026-01-05T09:00:01Z",
                        "first": 117,
                        "last": 117,
                        "outcome": "failed",
                        "said": "answered 500",
                    },
                ],
                "next": None,
            },
            says="The newest first: taken, failed, dead, gone.",
        ),
        **refuses(401, 404),
    },
    security=SIGNED,
)
async def deliveries(request: Asked, name: Id, cursor: Cursor = None, limit: Limit = 50) -> Response[bytes]:
    """Every attempt is on record."""
    before = paging.read(cursor, tuple[int])

    def question(access: Access) -> dict[str, Any]:
        found, following = Subscriptions(access.node).deliveries(
            access.org, name, page(request, limit), before[0] if before else None
        )
        return {
            "deliveries": found,
            "next": paging.write(following) if following is not None else None,
        }

    return answer.json(await service_of(request).ask(request, question), cache_control="no-store")
