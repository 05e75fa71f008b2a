"""What a configuration says of the stream of notices: which servers, which stream, how it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from gardesh.model.problem import Wording

TOKEN = "[A-Za-z0-9_-]+"  # noqa: S105 (a token of a subject)
DAY = 86_400


class Jetstream(Struct, forbid_unknown_fields=True, frozen=True):
    """The stream of notices in NATS JetStream. Off while no server is named."""

    servers: Annotated[
        list[str],
        Meta(
            description="NATS servers, as nats://host:4222 or tls://host:4222; all of one cluster. Empty: off."
        ),
    ] = field(default_factory=list)
    stream: Annotated[
        str,
        Meta(
            pattern=f"^{TOKEN}$",
            max_length=64,
            description="The stream. It is made where it is not there, and carries this node's notices alone.",
        ),
    ] = "GARDESH"
    prefix: Annotated[
        str,
        Meta(
            pattern=rf"^{TOKEN}(\.{TOKEN})*$",
            max_length=64,
            description="What its subjects begin with: PREFIX.KIND.NAME.",
        ),
    ] = "gardesh"
    replicas: Annotated[int, Meta(ge=1, le=5, description="How many servers keep each message.")] = 1
    max_age_days: Annotated[
        int, Meta(ge=0, le=36_500, description="After how many days a message is dropped; 0: never.")
    ] = 90
    duplicates_seconds: Annotated[
        int,
        Meta(ge=1, le=7 * DAY, description="How long the server knows a message that comes a second time."),
    ] = 600
    credentials: Annotated[
        str, Meta(description="A file of credentials as `nsc` writes it (.creds): a JWT and a seed.")
    ] = ""
    token: Annotated[
        str, Meta(description="A file with a token, or with USER:PASSWORD. Not beside credentials.")
    ] = ""
    ca: Annotated[
        str,
        Meta(description="A file of authorities (PEM) that vouch for the servers; empty: the system's."),
    ] = ""
    include_about: Annotated[
        bool,
        Meta(
            description="Publish notices for those whom documents are about too, each under a hash of the identifier."
        ),
    ] = False

    def faults(self) -> Iterator[tuple[str, Wording]]:
        """What is wrong that a type does not say: which key, and why."""
        for server in self.servers:
            if not is_server(server):
                yield (
                    "servers",
                    Wording(
                        f"{server!r} is not scheme, host and port alone, as nats://host:4222",
                        f"{server!r} فقط پروتکل و میزبان و درگاه نیست، مانند nats://host:4222",
                    ),
                )
        if self.max_age_days and self.duplicates_seconds > self.max_age_days * DAY:
            yield (
                "duplicates_seconds",
                Wording("it is longer than messages are kept", "از زمان نگهداری پیام‌ها بیشتر است"),
            )
        if self.credentials and self.token:
            yield "token", Wording("credentials are given too", "credentials هم داده شده است")


def is_server(url: str) -> bool:
    """Whether it is the URL of a NATS server, without a name or a password: those are in files."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("nats", "tls") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return whole and "@" not in parts.netloc and not (parts.path or parts.query or parts.fragment)
