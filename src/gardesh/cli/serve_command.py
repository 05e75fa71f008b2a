"""Serving a node over HTTP: serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gardesh.cli import output
from gardesh.cli.files import read_file
from gardesh.cli.home import SERVE, blobs_at, home, open_node, open_replica
from gardesh.cli.serve_check import check_machine, port_taken
from gardesh.node import Node
from gardesh.web import configuration
from gardesh.web.application import described
from gardesh.web.configuration import Configuration, Replica
from gardesh.web.serve import Server


def serve(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="The configuration (TOML); default: serve.toml in the node's folder, if there."
        ),
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Instead of the configuration's.")] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Instead of the configuration's; 0: a free one."),
    ] = None,
    replica_of: Annotated[
        str | None,
        typer.Option(
            "--replica-of",
            metavar="URL",
            help="Only read, on a standby of the database; who would write is sent to the service at URL.",
        ),
    ] = None,
    print_config: Annotated[
        bool,
        typer.Option("--print-config", help="Print every key with what it means and its default, and stop."),
    ] = False,
    print_openapi: Annotated[
        bool,
        typer.Option("--print-openapi", help="Print the description of the API (OpenAPI 3.1), and stop."),
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Check the configuration, and what it needs of this machine, and stop."),
    ] = False,
) -> None:
    """Serve the node over HTTP, until it is interrupted. Requests under way are answered first."""
    if print_config:
        typer.echo(configuration.printed(), nl=False)
        return
    if print_openapi:
        typer.echo(msgspec.json.format(msgspec.json.encode(described()), indent=2).decode())
        return
    made = configured(config)
    if replica_of is not None:
        made = configuration.checked(
            msgspec.structs.replace(made, replica=Replica(replica_of)), "--replica-of"
        )
    if check:
        made = serve_at(made, host, port)
        check_machine(made)
        if output.as_json():
            output.emit(msgspec.to_builtins(made))
        if port_taken(made):
            output.say(
                "The configuration is right. At port {p} something listens already: this service, or another program.",
                "پیکربندی درست است. در درگاه {p} هم‌اکنون چیزی گوش می‌دهد: همین خدمت یا برنامه‌ای دیگر.",
                p=made.listen.port,
            )
        else:
            output.say(
                "The configuration is right, and a service could start here.",
                "پیکربندی درست است و خدمت می‌تواند اینجا آغاز شود.",
            )
        return
    made = serve_at(made, host, port)
    node: Node = open_replica(made.replica.of.rstrip("/")) if made.replica.of else open_node()
    blobs = blobs_at(made.attachments.store, made.limits.attachment_bytes)
    node.blobs = blobs
    node.intake.attachments = blobs
    try:
        server = Server(lambda: node, blobs, made, folder=home())
    except BaseException:
        node.close()
        raise
    if output.as_json():
        output.emit_line({"url": server.url})
    output.say(
        "Serving at {url}. Its description: {openapi}. Stop with Ctrl-C.",
        "خدمت در {url}. شرح آن: {openapi}. توقف با Ctrl-C.",
        url=output.ltr(server.url),
        openapi=output.ltr(f"{server.url}/openapi.json"),
    )
    server.run()
    output.say("Stopped.", "متوقف شد.")


def serve_at(made: Configuration, host: str | None, port: int | None) -> Configuration:
    """The configuration with another host or port, where one is named."""
    at = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    return msgspec.structs.replace(made, listen=msgspec.structs.replace(made.listen, **at))


def configured(file: Path | None) -> Configuration:
    """The configuration named, or that in the node's folder, or the defaults."""
    if file is not None:
        return configuration.read(read_file(file), str(file))
    kept = home() / SERVE
    return configuration.load(kept) if kept.is_file() else Configuration()
