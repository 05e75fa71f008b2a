"""What every request of a service shares: the desk, the keys of its tokens, its limits and its counts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, TypeVar

from litestar import Request

from gardesh.access import Access
from gardesh.exchange.authority import Authorities
from gardesh.model.problem import Problem
from gardesh.node import Node
from gardesh.record.blobs import Blobs
from gardesh.web import authentication
from gardesh.web.authentication import Credential
from gardesh.web.configuration import Configuration
from gardesh.web.counts import Counts
from gardesh.web.desk import Desk, Settled
from gardesh.web.rate import Once, Rate
from gardesh.web.token import Tokens
from gardesh.web.traces import Traces

if TYPE_CHECKING:
    from gardesh.exchange.outward import Outward
    from gardesh.web.peers import Peers

T = TypeVar("T")
Asked = Request[Any, Any, Any]


@dataclass(slots=True)
class Service:
    """One service over one node. `url`: what clients call it, without a slash at the end."""

    desk: Desk
    blobs: Blobs
    tokens: Tokens
    configuration: Configuration
    url: str
    counts: Counts = field(default_factory=Counts)
    once: Once = field(init=False)
    streams: Counter[str] = field(default_factory=Counter)
    stopping: Callable[[], bool] = lambda: False
    assertions: Once = field(default_factory=Once)
    rate: Rate = field(init=False)
    traces: Traces = field(init=False)
    peers: Peers = field(init=False)
    outward: Outward = field(init=False)
    authorities: Authorities = field(init=False)

    def __post_init__(self) -> None:
        self.once = Once(since=self.desk.clock() // 1000)
        self.rate = Rate(self.configuration.limits.rate, self.configuration.limits.burst)
        self.traces = Traces(self.configuration.telemetry.endpoint, self.configuration.telemetry.share)
        self.authorities = Authorities(self.configuration.authorities, self.url)

    @property
    def replica_of(self) -> str:
        """The address of the service that takes documents, if this one only reads; else empty."""
        return self.configuration.replica.of.rstrip("/")

    async def credential(self, request: Asked, body: bytes | None = b"") -> Credential:
        """Who asks, as far as the request says it; counts against the rate. Raises as `authentication.read`, as
        `Authorities.read`, and `too-many-requests`."""
        now = self.desk.clock() // 1000
        token = authentication.bearer(request.headers)
        try:
            if token is not None and self.authorities and not self.tokens.mints(token):
                found = Credential(vouched=await self.authorities.read(token, now))
            else:
                target = self.target(request)
                method = request.scope["state"]["method"]  # as it was signed
                found = authentication.read(method, target, request.headers, body, self.tokens, now)
        except Problem:
            self.anonymous(request)
            raise
        request.scope["state"]["by"] = found.kind
        self.rate.take(found.client or address(request), time.monotonic())
        return found

    def anonymous(self, request: Asked) -> None:
        """Nobody in particular asks; counts against the rate of the address."""
        self.rate.take(address(request), time.monotonic())

    def charge(self, request: Asked, size: int) -> None:
        """A large body counts as several requests."""
        self.rate.take(address(request), time.monotonic(), size / PIECE)

    async def ask(self, request: Asked, question: Callable[[Access], T], body: bytes | None = b"") -> T:
        """What `question` finds for who asks. Raises what it raises, and whatever is wrong with the credential."""
        return await self.ask_as(await self.credential(request, body), question)

    async def ask_as(self, credential: Credential, question: Callable[[Access], T]) -> T:
        """As `ask`, of a credential that was read before: it is used once."""

        def within(node: Node) -> T:
            return question(credential.access(node, self.desk.clock(), self.once))

        with self.traces.within("record.ask", waiting=self.desk.waiting):
            return await self.desk.ask(within)

    async def submit(self, documents: Sequence[bytes]) -> Settled:
        """As `Desk.submit`; what became of each is counted."""
        with self.traces.within("record.submit", documents=len(documents), waiting=self.desk.waiting):
            settled = await self.desk.submit(documents)
        refused = sum(isinstance(a, Problem) for a in settled.answers)
        self.counts.documents.labels("accepted").inc(len(settled.answers) - refused)
        self.counts.documents.labels("refused").inc(refused)
        return settled

    def target(self, request: Asked) -> str:
        """The URI that was asked for, as the client knows it."""
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        query = request.scope.get("query_string") or b""
        path = raw.partition(b"?")[0].decode("latin-1")
        return self.url + path + (f"?{query.decode('latin-1')}" if query else "")

    def operates(self, request: Asked) -> bool:
        """Whether the request comes from a network of those who run the service."""
        try:
            place = ip_address(address(request))
        except ValueError:
            return False
        return any(place in ip_network(n) for n in self.configuration.operations.operators)


PIECE = 65_536


def address(request: Asked) -> str:
    """Where a request comes from; of a trusted proxy, what it says."""
    client = request.scope.get("client")
    return client[0] if client else ""


def service_of(request: Asked) -> Service:
    found: Service = request.app.state["service"]
    return found
