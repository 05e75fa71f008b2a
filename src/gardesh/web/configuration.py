"""The configuration of a service: a TOML file, every key with a default, checked when it is read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct, field

from gardesh.exchange.authority_settings import Authority
from gardesh.exchange.stream_settings import Jetstream
from gardesh.model.form_reason import worded
from gardesh.model.problem import Problem, Wording, define

CONFIGURATION_WRONG = define(
    "configuration-wrong",
    400,
    en="The configuration {file} is not right at {place}: {reason}.",
    fa="پیکربندی {file} در {place} درست نیست: {reason}.",
    hint_en="`gardesh serve --print-config` prints every key with what it means and its default.",
    hint_fa="«gardesh serve --print-config» همه‌ی کلیدها را با معنا و مقدار پیش‌فرضشان چاپ می‌کند.",
)


class Listen(Struct, forbid_unknown_fields=True, frozen=True):
    """Where the service is reached."""

    host: Annotated[str, Meta(description="The address to listen at.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The port; 0 takes a free one and prints it.")] = (
        8420
    )
    url: Annotated[
        str,
        Meta(
            description="The address that clients use, as https://node.example; signatures and tokens are bound to it. "
            "Empty: http:// and the address listened at."
        ),
    ] = ""
    trusted_proxies: Annotated[
        list[str],
        Meta(description="Addresses of proxies whose X-Forwarded-For is believed; of others it is ignored."),
    ] = field(default_factory=list)


class Limits(Struct, forbid_unknown_fields=True, frozen=True):
    """How much one request, one client and all together may ask for."""

    document_bytes: Annotated[
        int,
        Meta(ge=1024, le=1 << 20, description="The largest document, in bytes; none is larger than 1 MiB."),
    ] = 1 << 20
    bundle_bytes: Annotated[int, Meta(ge=1024, description="The largest bundle, in bytes.")] = 16 << 20
    bundle_documents: Annotated[int, Meta(ge=1, le=10_000, description="Documents in a bundle, at most.")] = (
        500
    )
    evidence_bytes: Annotated[
        int, Meta(ge=1024, le=64 << 20, description="The largest case file of another node, in bytes.")
    ] = 64 << 20
    attachment_bytes: Annotated[int, Meta(ge=0, description="The largest attachment, in bytes.")] = 8 << 30
    uploads: Annotated[int, Meta(ge=1, description="Unfinished uploads of one organisation, at most.")] = 16
    uploads_bytes: Annotated[
        int, Meta(ge=0, description="Bytes of the unfinished uploads of one organisation together, at most.")
    ] = 16 << 30
    uploads_seconds: Annotated[
        int,
        Meta(ge=60, le=31_536_000, description="After how long without a byte an upload is removed."),
    ] = 86_400
    streams: Annotated[int, Meta(ge=0, description="Event streams of one organisation at once, at most.")] = 8
    page: Annotated[int, Meta(ge=1, le=1000, description="Items of one page, at most.")] = 200
    waiting: Annotated[
        int, Meta(ge=1, description="Requests that may wait for the record; beyond, 503 is the answer.")
    ] = 2000
    connections: Annotated[
        int, Meta(ge=1, description="Connections at once, at most; beyond, 503 is the answer.")
    ] = 1000
    connections_per_client: Annotated[
        int, Meta(ge=1, description="Connections of one address at once, at most; of trusted proxies, any.")
    ] = 200
    idle_seconds: Annotated[
        float, Meta(gt=0, le=600, description="How long the next piece of a body may take to come.")
    ] = 30.0
    slowest_bytes: Annotated[
        float,
        Meta(
            ge=0,
            description="Bytes a second at which a body has to come on the average, beyond that pause; 0: any.",
        ),
    ] = 500.0
    rate: Annotated[
        float,
        Meta(ge=0, description="Requests a second of one organisation or address, on the average; 0: any."),
    ] = 200.0
    burst: Annotated[int, Meta(ge=1, description="Requests that may come at once, beyond the average.")] = (
        1000
    )


class Attachments(Struct, forbid_unknown_fields=True, frozen=True):
    """Where attachments are kept."""

    store: Annotated[
        str,
        Meta(
            pattern="^(s3://[^/@?#]+(/[^?#]*)?)?$",
            description="A bucket, as s3://bucket/prefix, with the credentials of the environment; empty: the node's folder.",
        ),
    ] = ""


class Replica(Struct, forbid_unknown_fields=True, frozen=True):
    """Reading on a standby of the database."""

    of: Annotated[
        str,
        Meta(
            description="The address of the service that takes documents, as https://node.example: this one then only reads, "
            "where its database is a standby from there, and sends who would write to that one. Empty: it takes them itself."
        ),
    ] = ""


class Tokens(Struct, forbid_unknown_fields=True, frozen=True):
    """Access tokens."""

    seconds: Annotated[int, Meta(ge=30, le=3600, description="How long an access token lives.")] = 300


class Webhooks(Struct, forbid_unknown_fields=True, frozen=True):
    """Notices that the service sends to addresses that organisations name."""

    most: Annotated[
        int, Meta(ge=0, description="Webhooks of one organisation, at most; 0 turns them off.")
    ] = 10
    allow_http: Annotated[bool, Meta(description="Whether an address may be http:// without TLS.")] = False
    allow_networks: Annotated[
        list[str],
        Meta(description="Private networks that may be sent to; without, public addresses alone."),
    ] = field(default_factory=list)
    timeout_seconds: Annotated[float, Meta(gt=0, le=120, description="How long an answer may take.")] = 15.0
    parallel: Annotated[int, Meta(ge=1, le=1000, description="Addresses that are sent to at once.")] = 16


class Witnesses(Struct, forbid_unknown_fields=True, frozen=True):
    """Who cosigns the checkpoints of this node, so that it cannot show two histories."""

    policy: Annotated[
        str,
        Meta(
            description="A file in the form of C2SP tlog-policy with the witnesses, their addresses and the quorum; a relative "
            "name is in the node's folder. Empty: nobody is asked."
        ),
    ] = ""
    every_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="How often they are asked, when the log has grown.")
    ] = 5.0
    timeout_seconds: Annotated[float, Meta(gt=0, le=120, description="How long a witness may take.")] = 20.0


class Nodes(Struct, forbid_unknown_fields=True, frozen=True):
    """Other nodes, as the register core/nodes recognises them."""

    follow: Annotated[
        bool,
        Meta(
            description="Whether nodes with an address are followed: their inbox is read, and proven reports are mirrored."
        ),
    ] = False
    monitor: Annotated[
        bool, Meta(description="Whether the logs of followed nodes are read along, to find a second history.")
    ] = True
    every_seconds: Annotated[float, Meta(gt=0, le=3600, description="How often they are looked at.")] = 5.0
    timeout_seconds: Annotated[float, Meta(gt=0, le=600, description="How long an answer may take.")] = 30.0
    allow_http: Annotated[bool, Meta(description="Whether an address may be http:// without TLS.")] = False
    relay: Annotated[
        bool, Meta(description="Whether documents for cases on recognised nodes are sent on to them.")
    ] = True


class Operations(Struct, forbid_unknown_fields=True, frozen=True):
    """For those who run the service."""

    operators: Annotated[
        list[str], Meta(description="Networks that may read /metrics and the details of /readyz.")
    ] = field(default_factory=lambda: ["127.0.0.0/8", "::1/128"])
    log: Annotated[
        Literal["requests", "faults", "none"],
        Meta(description="What is logged, one JSON object a line, on standard error."),
    ] = "requests"
    stop_seconds: Annotated[
        int, Meta(ge=1, le=600, description="How long a stop waits for requests under way.")
    ] = 20


class Telemetry(Struct, forbid_unknown_fields=True, frozen=True):
    """Traces for a collector of OpenTelemetry."""

    endpoint: Annotated[
        str, Meta(description="OTLP over HTTP, as http://collector:4318/v1/traces; empty: no traces.")
    ] = ""
    share: Annotated[float, Meta(ge=0, le=1, description="Of requests, how many begin a trace.")] = 1.0


class Configuration(Struct, forbid_unknown_fields=True, frozen=True):
    """All of it."""

    listen: Listen = field(default_factory=Listen)
    limits: Limits = field(default_factory=Limits)
    attachments: Attachments = field(default_factory=Attachments)
    tokens: Tokens = field(default_factory=Tokens)
    webhooks: Webhooks = field(default_factory=Webhooks)
    witnesses: Witnesses = field(default_factory=Witnesses)
    nodes: Nodes = field(default_factory=Nodes)
    operations: Operations = field(default_factory=Operations)
    telemetry: Telemetry = field(default_factory=Telemetry)
    jetstream: Jetstream = field(default_factory=Jetstream)
    authorities: list[Authority] = field(default_factory=list)
    replica: Replica = field(default_factory=Replica)


def load(file: Path) -> Configuration:
    """The configuration in a file. Raises `configuration-wrong`, and OSError where it cannot be read."""
    return read(file.read_bytes(), str(file))


def read(data: bytes, file: str = "") -> Configuration:
    """The configuration in these bytes of TOML. Raises `configuration-wrong`, naming the key."""
    try:
        made = msgspec.convert(tomllib.loads(data.decode()), Configuration)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = Wording(str(error), f"TOML درست نیست: {error}")
        raise Problem(CONFIGURATION_WRONG, file=file, place="TOML", reason=reason) from None
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$.")
        place = place.rstrip("`")
        reason = worded(said)
        if said.startswith("Invalid enum value") and (known := _known(place)):
            reason = Wording(f"{reason.en}; it is {known}", f"{reason.fa}؛ یکی از این‌هاست: {known}")
        raise Problem(CONFIGURATION_WRONG, file=file, place=place or "/", reason=reason) from None
    return checked(made, file)


def checked(made: Configuration, file: str) -> Configuration:
    """The same, once what its types do not say is looked at. Raises `configuration-wrong`."""
    _check(made, file)
    return made


def _check(made: Configuration, file: str) -> None:
    for proxy in made.listen.trusted_proxies:
        try:
            ip_address(proxy)
        except ValueError as error:
            place, reason = "listen.trusted_proxies", Wording(str(error), f"{proxy!r} نشانی IP نیست")
            raise Problem(CONFIGURATION_WRONG, file=file, place=place, reason=reason) from None
    for place, networks in (
        ("operations.operators", made.operations.operators),
        ("webhooks.allow_networks", made.webhooks.allow_networks),
    ):
        for network in networks:
            try:
                ip_network(network)
            except ValueError as error:
                reason = Wording(str(error), f"{network!r} شبکه نیست")
                raise Problem(CONFIGURATION_WRONG, file=file, place=place, reason=reason) from None
    for key, reason in made.jetstream.faults():
        raise Problem(CONFIGURATION_WRONG, file=file, place=f"jetstream.{key}", reason=reason)
    for n, authority in enumerate(made.authorities):
        for key, reason in authority.faults():
            raise Problem(CONFIGURATION_WRONG, file=file, place=f"authorities[{n}].{key}", reason=reason)
        if authority.issuer in (a.issuer for a in made.authorities[:n]):
            place = f"authorities[{n}].issuer"
            reason = Wording("another section has the same", "بخش دیگری همان را دارد")
            raise Problem(CONFIGURATION_WRONG, file=file, place=place, reason=reason)
    if made.limits.uploads_bytes < made.limits.attachment_bytes:
        most = made.limits.attachment_bytes
        reason = Wording(
            f"it is less than attachment_bytes ({most})", f"کمتر از attachment_bytes ({most}) است"
        )
        raise Problem(CONFIGURATION_WRONG, file=file, place="limits.uploads_bytes", reason=reason)
    if made.telemetry.endpoint and not is_http(made.telemetry.endpoint):
        example = "http://collector:4318/v1/traces"
        reason = Wording(f"it is an http address, as {example}", f"نشانی http است، مانند {example}")
        raise Problem(CONFIGURATION_WRONG, file=file, place="telemetry.endpoint", reason=reason)
    for place, url in (("listen.url", made.listen.url), ("replica.of", made.replica.of)):
        if url:
            _check_url(url, file, place)
    if made.replica.of and made.jetstream.servers:
        reason = Wording(
            "one that only reads publishes nothing; the service that takes documents does, or `gardesh worker`",
            "خدمتی که فقط می‌خواند چیزی منتشر نمی‌کند؛ خدمتی که سند می‌گیرد منتشر می‌کند، یا «gardesh worker»",
        )
        raise Problem(CONFIGURATION_WRONG, file=file, place="jetstream.servers", reason=reason)


def _check_url(url: str, file: str, place: str) -> None:
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.netloc)
    except ValueError:
        whole = False
    if not whole or parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        reason = Wording(
            "it is scheme and authority alone, as https://node.example",
            "فقط پروتکل و میزبان است، مانند https://node.example",
        )
        raise Problem(CONFIGURATION_WRONG, file=file, place=place, reason=reason)
    plain = parts.netloc.lower().removesuffix(":443" if parts.scheme == "https" else ":80")
    if url.rstrip("/") != f"{parts.scheme}://{plain}":
        signed = f"{parts.scheme}://{plain}"
        reason = Wording(
            f"clients would sign for {signed}; write it so",
            f"کاربران برای {signed} امضا می‌کنند؛ همان را بنویسید",
        )
        raise Problem(CONFIGURATION_WRONG, file=file, place=place, reason=reason)


def is_http(url: str) -> bool:
    """Whether it is an address that is spoken to by HTTP."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def settings() -> Iterator[tuple[str, str, str, Any, str]]:
    """Every key: section (in brackets where there may be several), name, type, default, what it means."""
    for section, kind in get_type_hints(Configuration).items():
        if get_origin(kind) is list:
            (kind,), section = get_args(kind), f"[{section}]"
        empty = kind()
        for name, hint in get_type_hints(kind, include_extras=True).items():
            plain, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
            said = next((n.description for n in notes if isinstance(n, Meta) and n.description), "")
            yield section, name, _written(plain), getattr(empty, name), said


def _known(place: str) -> str:
    """What a key takes, where it takes one of several words: `operations.log`, `authorities[0].algorithms[0]`."""
    plain = re.sub(r"\[[^]]*\]", "", place)
    found = (kind for section, name, kind, _, _ in settings() if f"{section.strip('[]')}.{name}" == plain)
    return next(found, "").removeprefix("list[").removesuffix("]")


def _written(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " | ".join(get_args(kind))
    if get_origin(kind) is list:
        return f"list[{_written(get_args(kind)[0])}]"
    return str(kind) if get_origin(kind) else str(kind.__name__)


def printed() -> str:
    """The defaults as a TOML file with comments. A section of which there may be several, or none, is a comment itself."""
    lines: list[str] = []
    last = ""
    for section, name, _, default, said in settings():
        comment = "# " if section.startswith("[") else ""
        if section != last:
            lines += ["", f"{comment}[{section}]"] if lines else [f"[{section}]"]
            last = section
        value = "{}" if default == {} else msgspec.json.encode(default).decode()
        lines += [f"{comment}# {said}", f"{comment}{name} = {value}"]
    return "\n".join(lines) + "\n"
