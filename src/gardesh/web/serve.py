"""A service in one process: the node, its thread, and the HTTP server before it; from start to graceful stop."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvicorn

from gardesh.listening import listen, url_of
from gardesh.node import Node
from gardesh.record.blobs import Blobs
from gardesh.web.application import Beside, application
from gardesh.web.attachments import upkeep
from gardesh.web.configuration import Configuration
from gardesh.web.cosigner import Cosigner, policy_of
from gardesh.web.desk import Desk, now
from gardesh.web.peers import Peers
from gardesh.web.protocol import protocol
from gardesh.web.report import Report
from gardesh.web.sender import Sender
from gardesh.web.service import Service
from gardesh.web.token import Tokens


class Http(uvicorn.Server):
    """The HTTP server, and what runs in its event loop beside it: from before the first request until after the last."""

    def __init__(self, config: uvicorn.Config, service: Service, report: Report) -> None:
        super().__init__(config)
        self.service, self.report = service, report

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        async with AsyncExitStack() as beside:
            await beside.enter_async_context(upkeep(self.service))
            if self.service.configuration.jetstream.servers:
                from gardesh.web import stream

                await beside.enter_async_context(stream.beside(self.service, self.report))
            await super().serve(sockets)


class Server:
    """A service that runs until it is told to stop: by SIGINT or SIGTERM in the main thread, or by `stop`."""

    def __init__(
        self,
        open_node: Callable[[], Node],
        blobs: Blobs,
        configuration: Configuration,
        report: Report | None = None,
        clock: Callable[[], int] = now,
        folder: Path | None = None,
    ) -> None:
        """Binds the address and opens the node. `folder`: where files of the configuration are, and what is remembered of
        other nodes; default: beside the attachments. Raises `address-unusable`, `witness-policy-wrong`, and whatever
        `open_node` raises."""
        self.folder = folder or blobs.folder.parent
        self.configuration = configuration
        self.report = report or Report(configuration.operations.log)
        self.report.take_over("uvicorn.error", "asyncio")
        self.bound = listen(configuration.listen.host, configuration.listen.port)
        self.url = configuration.listen.url.rstrip("/") or url_of(self.bound)
        held: list[Node] = []

        def opening() -> Node:
            held.append(open_node())
            return held[0]

        try:
            self.desk = Desk(opening, most=configuration.limits.waiting, clock=clock)
        except BaseException:
            self.bound.close()
            raise
        self.desk.faults = self.report.fault
        try:
            self.http = self._server(held[0], blobs)
            self.service.stopping = lambda: self.http.should_exit
            self.service.authorities.hear(self._heard)
        except BaseException:
            self.desk.close()
            self.bound.close()
            raise

    def _server(self, node: Node, blobs: Blobs) -> uvicorn.Server:
        configuration = self.configuration
        # Who reads at a replica brings a token of the service that it is a replica of.
        tokens = Tokens(node.sequencer.clock.key, configuration.replica.of.rstrip("/") or self.url)
        self.service = Service(self.desk, blobs, tokens, configuration, self.url)
        proxies = ",".join(configuration.listen.trusted_proxies)
        settings: dict[str, Any] = {
            "http": protocol(configuration),
            "ws": "none",
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "date_header": True,
            "lifespan": "on",
            "timeout_graceful_shutdown": configuration.operations.stop_seconds,
            "proxy_headers": bool(proxies),
            "forwarded_allow_ips": proxies or None,
            "limit_concurrency": configuration.limits.connections,
            "timeout_keep_alive": 15,
        }
        self.service.peers = Peers(self.service, self.report, self.folder / "peers")
        sender = Sender(self.service)
        self.service.outward = sender.outward
        beside: list[Beside] = [sender, self.service.peers]
        policy = policy_of(
            configuration.witnesses.policy,
            self.folder,
            node.log.origin,
            [s.verifier for s in node.log.signers],
        )
        if policy is not None:
            beside.append(Cosigner(self.service, policy, self.report))
        app = application(self.service, [] if self.service.replica_of else beside, self.report)
        return Http(uvicorn.Config(app, **settings), self.service, self.report)

    def _heard(self, issuer: str, fault: Exception | None) -> None:
        self.service.counts.authorities.labels(issuer, "failed" if fault else "answered").inc()
        if fault is not None:
            self.report.event("authority-away", issuer=issuer, reason=str(fault) or type(fault).__name__)

    def run(self) -> None:
        """Serve until told to stop; then answer what is under way, keep the checkpoint, and close the node."""
        if threading.current_thread() is threading.main_thread():
            for sign in (signal.SIGTERM, signal.SIGINT):  # the server raises them again when it has stopped
                signal.signal(sign, lambda *_: None)
        self.report.event("started", url=self.url)
        try:
            self.http.run(sockets=[self.bound])
        finally:
            self.desk.close()
            self.bound.close()
            self.service.traces.close()
            self.report.event("stopped")

    def stop(self) -> None:
        """May be called from another thread."""
        self.http.should_exit = True
