"""Publishing a node's notices to NATS as a process of its own: worker."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from prometheus_client import CollectorRegistry, start_http_server

from gardesh.cli import output
from gardesh.cli.home import open_store
from gardesh.cli.serve_command import configured
from gardesh.listening import ADDRESS_UNUSABLE
from gardesh.model.os_reason import of_os
from gardesh.model.problem import Problem, define
from gardesh.web.report import Report

if TYPE_CHECKING:
    from gardesh.exchange.jetstream import Publisher

OFF = define(
    "jetstream-off",
    400,
    en="The configuration names no NATS server; there is nothing to publish to.",
    fa="پیکربندی هیچ کارساز NATS نام نمی‌برد؛ جایی برای انتشار نیست.",
    hint_en="Name one in `servers` of the section [jetstream].",
    hint_fa="یکی را در «servers» بخش [jetstream] نام ببرید.",
)


def worker(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="The configuration (TOML); default: serve.toml in the node's folder, if there."
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Publish what is there, and stop; what goes wrong is the end.")
    ] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option("--metrics-port", min=1, max=65535, help="Give counts for Prometheus at this port."),
    ] = None,
    metrics_host: Annotated[
        str, typer.Option("--metrics-host", help="The address for --metrics-port.")
    ] = "127.0.0.1",
) -> None:
    """Publish the node's notices to NATS JetStream until it is interrupted; it needs the record, and no key. Beside `gardesh
    serve` or another worker it stands by: one of them publishes at a time."""
    made = configured(config)
    if not made.jetstream.servers:
        raise Problem(OFF)
    from gardesh.web.stream import StoreSource, StreamCounts, publisher_of

    source = StoreSource(open_store)
    try:
        publisher = publisher_of(source, made.jetstream, Report(made.operations.log), once=once)
        if metrics_port is not None:
            registry = CollectorRegistry()
            StreamCounts(publisher.figures, registry)
            try:
                start_http_server(metrics_port, metrics_host, registry)
            except OSError as error:
                why = of_os(error)
                raise Problem(ADDRESS_UNUSABLE, host=metrics_host, port=metrics_port, reason=why) from None
        if output.as_json():
            output.emit_line({"stream": made.jetstream.stream, "servers": made.jetstream.servers})
        output.say(
            "Publishing notices to the stream {s}. Stop with Ctrl-C.",
            "انتشار اعلان‌ها در جریان {s}. توقف با Ctrl-C.",
            s=output.ltr(made.jetstream.stream),
        )
        asyncio.run(until_told(publisher))
    finally:
        source.close()
    if output.as_json():
        output.emit_line({"published": publisher.figures.published})
    output.say(
        "Stopped; {n} notices were published.", "متوقف شد؛ {n} اعلان منتشر شد.", n=publisher.figures.published
    )


async def until_told(publisher: Publisher) -> None:
    """Run it until it ends, or SIGTERM or SIGINT comes."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(publisher.run())
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return
