"""Cases over HTTP: lists, plan, why, the worklist, and the drafts of what can be issued."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from litestar import Response, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter

from gardesh import draft as drafting
from gardesh import wire
from gardesh.access import Access
from gardesh.exchange.case_file_selection import for_reader
from gardesh.expectation import returned_to
from gardesh.model.calendar import iso, parse_instant
from gardesh.model.document import attachment
from gardesh.model.judgement import WRONG_OUTCOME
from gardesh.model.path import critical_path
from gardesh.model.problem import Problem
from gardesh.record.views import CaseRow
from gardesh.web import answer, paging
from gardesh.web.description import CASE, HEX, SIGNED, TAKES, Tagged, gives, refuses, sent, shown
from gardesh.web.documents import Cursor
from gardesh.web.malformed import ONE_OF_THEM, Malformed
from gardesh.web.service import Asked, service_of

Name = Annotated[
    str,
    PathParameter(description="The case: the digest of the document that opened it.", examples=shown(CASE)),
]
Part = Annotated[
    Literal["opened", "worked"],
    QueryParameter(
        description="Cases that the caller opened, or issued a document in.", examples=shown("worked")
    ),
]
Limit = Annotated[
    int,
    QueryParameter(
        ge=1, le=1000, description="How many at most; the node may give fewer.", examples=shown(50)
    ),
]
WAIT = {
    "slot": "permit:standards", "step": "permit", "key": "standards", "state": "due", "role": "agency", "by": "isiri",
    "since": "2026-01-05T09:00:00Z", "deadline": "2026-01-14T13:00:00Z", "waits_on": [],
}  # fmt: skip
ROW = {
    "case": CASE, "procedure": "trade/import", "opener": "ali", "opened_at": "2026-01-05T09:00:00Z",
    "closed_at": None, "status": "open",
}  # fmt: skip
DESCRIBED = {
    "digest": HEX, "position": 41, "recorded_at": "2026-01-05T09:00:00Z", "case": CASE, "type": "trade/permit",
    "issuer": "isiri", "step": "permit", "key": "standards", "act": "issue", "fields": ["number"],
}  # fmt: skip


def when(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def row(found: CaseRow) -> dict[str, Any]:
    return {
        "case": found.id,
        "procedure": f"{found.pack.partition('@')[0]}/{found.procedure}",
        "opener": found.opener,
        "opened_at": iso(found.opened_at),
        "closed_at": when(found.closed_at),
        "status": found.status,
    }


def page(request: Asked, limit: int) -> int:
    return min(limit, service_of(request).configuration.limits.page)


@get(
    "/cases",
    summary="The caller's cases",
    responses={
        **gives(wire.Cases, {"cases": [ROW], "next": None}, says="A page of cases."),
        **refuses(401),
    },
    operation_class=Tagged,
    security=SIGNED,
)
async def cases(
    request: Asked,
    part: Part = "opened",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response[bytes]:
    """Those the caller opened, the newest first; or (`part=worked`) those it issued a document in, by name."""
    most = page(request, limit)
    after = paging.read(cursor, tuple[int, str] if part == "opened" else tuple[str])

    def question(access: Access) -> dict[str, Any]:
        if part == "opened":
            found = access.opened(after, most)
            following = paging.write(found[-1].opened_at, found[-1].id) if len(found) == most else None
        else:
            found = access.worked(after[0] if after else "", most)
            following = paging.write(found[-1].id) if len(found) == most else None
        return {"cases": [row(r) for r in found], "next": following}

    return answer.tagged(request, await service_of(request).ask(request, question))


@get(
    "/cases/{name:str}",
    summary="A case",
    responses={
        **gives(
            wire.Case,
            {
                **ROW, "pack": "trade@1.0.0", "at": "2026-01-05T09:00:00Z",
                "slots": [{"step": "permit", "key": "standards", "state": "issued", "head": HEX, "at": "2026-01-05T09:00:00Z"}],
            },
            says="The case and the state of its slots.",
        ),
        **refuses(401, 404),
    },
    operation_class=Tagged,
    security=SIGNED,
)  # fmt: skip
async def case(request: Asked, name: Name) -> Response[bytes]:
    """For those who have a part in it. To all others it is as if it were not there."""

    def question(access: Access) -> dict[str, Any]:
        access.case(name)
        found = access.views.case(name)
        slots = [{**s, "at": when(s["at"])} for s in access.views.slots(name)]
        return {**row(found), "pack": found.pack, "at": iso(found.at), "slots": slots}

    return answer.tagged(request, await service_of(request).ask(request, question))


@get(
    "/cases/{name:str}/documents",
    summary="The documents of a case",
    responses={
        **gives(wire.Documents, {"documents": [DESCRIBED], "next": None}, says="A page, in log order."),
        **refuses(401, 404),
    },
    operation_class=Tagged,
    security=SIGNED,
)
async def documents(request: Asked, name: Name, cursor: Cursor = None, limit: Limit = 50) -> Response[bytes]:
    """Those that the caller may read, without their contents."""
    most = page(request, limit)
    after = paging.read(cursor, tuple[int])

    def question(access: Access) -> dict[str, Any]:
        found, following = access.documents(name, after[0] if after else -1, most)
        return {"documents": found, "next": paging.write(following) if following is not None else None}

    return answer.tagged(request, await service_of(request).ask(request, question))


@get(
    "/cases/{name:str}/file",
    summary="The case file",
    responses={
        **gives(bytes, "…", says="A ZIP that anyone can check offline.", kind="application/zip"),
        **refuses(401, 403, 404),
    },
    security=SIGNED,
)
async def file(request: Asked, name: Name) -> Response[bytes]:
    """What the caller may read of the case, whole or in part, with all proofs: one file that needs no node and no network to
    be checked (`gardesh case verify`). Of what it may not read, there is the place on the log alone. Each read is on record.
    Attachments come along up to 64 MiB."""
    made = await service_of(request).ask(request, lambda access: for_reader(access.node, name, access))
    headers = {
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="{name[:16]}.case.zip"',
    }
    return Response(made, media_type="application/zip", headers=headers)


def told(wait: dict[str, Any], access: Access, name: str) -> dict[str, Any]:
    """A wait as the API gives it, with those below it."""
    made = {**wait, "since": iso(wait["since"]), "deadline": when(wait["deadline"])}
    if "deficiencies" in made:
        made["returned_to"] = returned_to(access.case(name), made["deficiencies"] or ())
    made["waits_on"] = [told(w, access, name) if isinstance(w, dict) else w for w in wait["waits_on"]]
    return made


@get(
    "/cases/{name:str}/plan",
    summary="What can be done in a case now",
    responses={
        **gives(
            wire.Plan,
            {
                "case": CASE, "status": "open", "at": "2026-01-05T09:00:00Z", "due": [WAIT], "returned": [],
                "unknown": [], "more": {},
            },
            says="What can be issued now, and by whom.",
        ),
        **refuses(401, 404),
    },
    operation_class=Tagged,
    security=SIGNED,
)  # fmt: skip
async def plan(request: Asked, name: Name) -> Response[bytes]:
    """What can be issued now, by whom and until when; what was returned; what is not known yet, and what would tell."""

    def question(access: Access) -> dict[str, Any]:
        access.case(name)
        found = access.views.plan(name, access.now)
        parts = {
            part: [told(w, access, name) for w in found[part]] for part in ("due", "returned", "unknown")
        }
        return {**found, "at": iso(found["at"]), **parts}

    return answer.tagged(request, await service_of(request).ask(request, question))


@get(
    "/cases/{name:str}/why",
    summary="What holds a case back",
    responses={
        **gives(
            wire.Why,
            {
                "case": CASE, "status": "open", "at": "2026-01-05T09:00:00Z",
                "goal": [{**WAIT, "slot": "gate-exit", "step": "gate-exit", "key": "", "state": "blocked", "waits_on": [WAIT]}],
                "more": {}, "critical_path": None,
            },
            says="The chain of waits; of a closed case, its critical path.",
        ),
        **refuses(401, 404),
    },
    operation_class=Tagged,
    security=SIGNED,
)  # fmt: skip
async def why(request: Asked, name: Name) -> Response[bytes]:
    """From the goal down to where something can be done; of a closed case, whose its time was."""

    def question(access: Access) -> dict[str, Any]:
        live = access.case(name)
        found = access.views.why(name, access.now)
        path = list(pieces(live)) if found["status"] == "closed" else None
        goal = [told(w, access, name) for w in found["goal"]]
        return {**found, "at": iso(found["at"]), "goal": goal, "critical_path": path}

    return answer.tagged(request, await service_of(request).ask(request, question))


def pieces(live: Any) -> Iterator[dict[str, Any]]:
    for piece in critical_path(live):
        yield {
            "since": iso(piece.since), "until": iso(piece.until), "office": piece.office, "slot": piece.slot,
            "act": piece.act, "kind": piece.kind, "working_ms": piece.working_ms, "resting_ms": piece.resting_ms,
        }  # fmt: skip


@get(
    "/worklist",
    summary="What waits on the caller",
    responses={
        **gives(
            wire.Worklist,
            {
                "work": [
                    {
                        "case": CASE, "slot": "permit:standards", "state": "due", "role": "agency", "by": "isiri",
                        "since": "2026-01-05T09:00:00Z", "deadline": "2026-01-14T13:00:00Z", "procedure": "trade/import",
                    }
                ],
                "next": None,
            },
            says="A page of work, by deadline.",
        ),
        **refuses(401),
    },
    operation_class=Tagged,
    security=SIGNED,
)  # fmt: skip
async def worklist(request: Asked, cursor: Cursor = None, limit: Limit = 50) -> Response[bytes]:
    """In all cases, by deadline; what has none comes last."""
    most = page(request, limit)
    after = paging.read(cursor, tuple[int | None, str, str])

    def question(access: Access) -> dict[str, Any]:
        found = access.views.worklist(access.org, access.roles, access.now, most, after)
        last = found[-1] if len(found) == most else None
        following = paging.write(last["deadline"], last["case"], last["slot"]) if last else None
        work = [{**w, "since": iso(w["since"]), "deadline": when(w["deadline"])} for w in found]
        return {"work": work, "next": following}

    return answer.tagged(request, await service_of(request).ask(request, question))


@post(
    "/drafts",
    status_code=200,
    summary="Draft a document",
    operation_class=sent({"case": CASE, "step": "permit", "key": "standards", "outcome": "approved"}),
    responses={
        **gives(
            wire.Draft,
            {
                "claims": {"issuer": "urn:gardesh:org:isiri"},
                "disclosable": None,
                "schema": {"type": "object"},
            },
            says="The claims, for the caller to look at and sign.",
        ),
        **refuses(*TAKES, 401, 404, 422),
    },
    security=SIGNED,
    reads=True,
)
async def draft(request: Asked, data: JSONBody[wire.DraftWanted]) -> Response[bytes]:
    """The claims of a document that the caller can issue now, resting on the case as it stands. Nothing is recorded, and
    nothing is signed: the key never leaves its owner."""
    if (data.case is None) == (data.procedure is None):
        raise Malformed("case, procedure", ONE_OF_THEM)
    until = parse_instant(data.valid_until) if data.valid_until is not None else None

    def question(access: Access) -> dict[str, Any]:
        live = access.case(data.case) if data.case is not None else None
        library, moment = access.node.library, max(access.now, access.node.sequencer.last_at)
        if live is not None:
            procedure = live.procedure
        else:
            pack, _, name = str(data.procedure).partition("/")
            procedure = library.procedure(access.node.label_in_force(pack, moment), name)
        step = procedure.by_name.get(data.step)
        allowed = step.outcomes if step is not None else ()
        if data.act in ("issue", "correct") and allowed and data.outcome not in allowed:
            given = "none" if data.outcome is None else data.outcome
            raise Problem(
                WRONG_OUTCOME, "/outcome", step=data.step, outcome=given, allowed=", ".join(allowed)
            )
        claims = drafting.draft(
            procedure,
            live,
            data.step,
            issuer=access.org,
            at=moment,
            key=data.key,
            act=data.act,
            outcome=data.outcome,
            reach=data.reach,
            deficiencies=[deficiency(d) for d in data.deficiencies] if data.deficiencies else None,
            valid_until_ms=until,
            for_slot=slot_of(data.for_slot),
            attachments=[
                attachment(bytes.fromhex(a.digest), a.media_type, a.size, a.name) for a in data.attachments
            ]
            if data.attachments
            else None,
        )
        declared = library.document_type(procedure.pack, procedure.by_name[data.step].type)
        shown = declared is not None and data.act in ("issue", "correct")
        return {
            "claims": claims,
            "disclosable": list(declared.disclosable or ()) if declared is not None and shown else None,
            "schema": declared.schema if declared is not None else None,
        }

    return answer.json(await service_of(request).ask(request, question, await request.body()))


def slot_of(said: wire.SlotName | None) -> tuple[str, ...] | None:
    return None if said is None else (said.case, said.step, said.key, said.log)


def deficiency(said: wire.Deficiency) -> dict[str, Any]:
    made: dict[str, Any] = {"step": said.step, "field": said.field, "reason": said.reason or {}}
    return made if said.key is None else {**made, "key": said.key}
