"""What is looked at of every request before its operation: its query, its coding, and whether it is for here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from litestar import Litestar, Request
from litestar.routes import HTTPRoute

from gardesh.model.problem import Problem
from gardesh.record.following import READ_ONLY
from gardesh.web.answer import CODED
from gardesh.web.malformed import NOT_KNOWN, TWICE, Malformed

READS = ("GET", "HEAD", "OPTIONS")
API = "/v1/"


class Check:
    """Refuses a query that says one thing twice or, within the API, one that says what the operation does not take: a word
    that is wrong by a letter would be passed over in silence. And whatever a service that only reads cannot do; `writes_at`:
    the one that can, for such a service.

    Raises `request-malformed`, `body-coded`, `read-only`.
    """

    def __init__(self, writes_at: str) -> None:
        self.writes_at = writes_at
        self.known: Mapping[Any, frozenset[str]] = {}

    def __call__(self, request: Request[Any, Any, Any]) -> None:
        if self.writes_at and request.method not in READS and not request.route_handler.opt.get("reads"):
            raise Problem(READ_ONLY, url=self.writes_at)
        if query := request.scope["query_string"]:
            self._query(request, query.decode("latin-1"))
        coding = request.headers.get("content-encoding", "identity")
        if coding.strip().lower() != "identity":
            raise Problem(CODED, coding=coding[:40])

    def _query(self, request: Request[Any, Any, Any], query: str) -> None:
        names = [unquote_plus(part.partition("=")[0]) for part in query.split("&") if part]
        known = self.known.get(request.route_handler) if request.url.path.startswith(API) else None
        seen: set[str] = set()  # a head has room for many thousands of names
        for name in names:
            if name in seen:
                raise Malformed(name, TWICE)
            if known is not None and name not in known:
                raise Malformed(name, NOT_KNOWN)
            seen.add(name)


def taken(app: Litestar) -> dict[Any, frozenset[str]]:
    """What each operation takes in its query."""
    return {
        handler: frozenset(parameter.field_alias for parameter in model.expected_query_params)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler, model in route.route_handler_map.values()
    }
