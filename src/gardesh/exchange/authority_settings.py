"""What a configuration says of another authority whose access tokens are taken: whose they are, and for what they count."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from gardesh.model.jwk_set import read_key_set
from gardesh.model.os_reason import of_os
from gardesh.model.problem import Problem, Wording

Algorithm = Literal[
    "EdDSA", "Ed25519", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"
]
ORGANISATION = re.compile("[a-z0-9][a-z0-9-]{0,62}")


class Authority(Struct, forbid_unknown_fields=True, frozen=True):
    """An authority elsewhere (an OpenID provider) whose access tokens are taken. One section for each."""

    issuer: Annotated[
        str, Meta(description="Its issuer, as its tokens name it: https://login.ministry.example.")
    ] = ""
    audience: Annotated[
        str, Meta(description="The audience that its tokens have to name; empty: this service's URL.")
    ] = ""
    jwks: Annotated[
        str,
        Meta(
            description="Its keys: a file, or an https address; empty: by discovery, from the issuer's own host."
        ),
    ] = ""
    algorithms: Annotated[
        list[Algorithm], Meta(min_length=1, description="What its tokens may be signed with.")
    ] = field(default_factory=lambda: ["EdDSA", "ES256", "PS256", "RS256"])
    organisation_claim: Annotated[
        str, Meta(min_length=1, description="Which claim names the organisation.")
    ] = "client_id"
    organisations: Annotated[
        dict[str, str],
        Meta(description="What that claim says, and which organisation on the log it stands for."),
    ] = field(default_factory=dict)
    by_name: Annotated[
        bool,
        Meta(description="Whether what is not in `organisations` is the name of an organisation itself."),
    ] = False
    roles_claim: Annotated[str, Meta(min_length=1, description="Which claim lists roles to act in.")] = (
        "scope"
    )
    role_prefix: Annotated[
        str,
        Meta(description="What comes before a role in that claim, as `gardesh:`; others are passed over."),
    ] = ""
    without_roles: Annotated[
        Literal["none", "held"],
        Meta(description="Where that claim is not there: no role, or all that the organisation holds."),
    ] = "none"
    longest_seconds: Annotated[
        int, Meta(ge=30, le=86_400, description="How long its tokens may live, at most.")
    ] = 3600
    skew_seconds: Annotated[
        int, Meta(ge=0, le=300, description="How far its clock and this one may be apart.")
    ] = 30
    refresh_seconds: Annotated[
        int, Meta(ge=1, description="After how long its keys are asked for again.")
    ] = 3600
    refetch_seconds: Annotated[
        int,
        Meta(ge=1, description="How often at most they are asked for, whatever keys tokens name."),
    ] = 30
    keep_seconds: Annotated[
        int, Meta(ge=1, description="How long keys go on to count while it cannot be reached.")
    ] = 86_400
    timeout_seconds: Annotated[float, Meta(gt=0, le=60, description="How long its answer may take.")] = 5.0
    ca: Annotated[
        str, Meta(description="A file of authorities (PEM) that vouch for its host; empty: the system's.")
    ] = ""
    allow_http: Annotated[
        bool, Meta(description="Whether its address may be http:// without TLS: for trials.")
    ] = False

    def faults(self) -> Iterator[tuple[str, Wording]]:
        """What is wrong that a type does not say, or in the files that are named: which key, and why."""
        if not self.is_address(self.issuer):
            yield (
                "issuer",
                Wording(
                    "it is an https address without a query, as https://login.ministry.example",
                    "نشانی https بدون پرسمان است، مانند https://login.ministry.example",
                ),
            )
        if "://" in self.jwks and not self.is_address(self.jwks):
            yield "jwks", Wording("it is a file, or an https address", "پرونده یا نشانی https است")
        for name in self.organisations.values():
            if ORGANISATION.fullmatch(name) is None:
                yield (
                    "organisations",
                    Wording(f"{name!r} is not the name of an organisation", f"{name!r} نام سازمان نیست"),
                )
        if not self.organisations and not self.by_name:
            yield (
                "organisations",
                Wording(
                    "it names none, and by_name is false: no token would count",
                    "سازمانی نام نمی‌برد و by_name نادرست است: هیچ توکنی به حساب نمی‌آید",
                ),
            )
        if self.keep_seconds < self.refresh_seconds:
            yield (
                "keep_seconds",
                Wording("it is shorter than refresh_seconds", "از refresh_seconds کوتاه‌تر است"),
            )
        if self.ca:
            try:
                ssl.create_default_context(cafile=self.ca)
            except OSError as error:  # ssl.SSLError is one
                why = of_os(error)
                yield (
                    "ca",
                    Wording(f"{self.ca} cannot be used: {why}", f"{self.ca} قابل استفاده نیست: {why.fa}"),
                )
        if self.jwks and "://" not in self.jwks:
            try:
                whole = bool(read_key_set(Path(self.jwks).read_bytes()))
            except OSError as error:
                why = of_os(error)
                yield (
                    "jwks",
                    Wording(f"{self.jwks} cannot be read: {why}", f"{self.jwks} خوانده نشد: {why.fa}"),
                )
            except Problem as problem:
                yield "jwks", problem.reason()
            else:
                if not whole:
                    yield (
                        "jwks",
                        Wording(
                            f"{self.jwks} has no public key with a kid",
                            f"{self.jwks} کلید عمومی با kid ندارد",
                        ),
                    )

    def is_address(self, url: str) -> bool:
        """Whether it is an address that this authority may have."""
        try:
            parts = urlsplit(url)
            whole = bool(parts.hostname) and parts.port != 0 and url.isascii() and " " not in url
        except ValueError:
            return False
        schemes = ("https", "http") if self.allow_http else ("https",)
        return (
            whole
            and parts.scheme in schemes
            and "@" not in parts.netloc
            and not (parts.query or parts.fragment)
        )
