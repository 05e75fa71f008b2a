"""Who asks: by the signature of the request (RFC 9421), by an access token that a signature once bought, or by one that
another authority gave.

What a request brings is read on the event loop; whether its key is in force, and which roles it may act in, is looked
up in the node's thread, at the same moment as what it asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gardesh.access import Access
from gardesh.exchange.authority import Vouched
from gardesh.intake import KEY_NOT_IN_FORCE, KEY_UNKNOWN
from gardesh.model import http_signature
from gardesh.model.http_signature import WINDOW, Signature
from gardesh.model.jose import SIGNATURE_WRONG, PublicKey
from gardesh.model.problem import Problem, define
from gardesh.node import Node
from gardesh.record.registers import NOWHERE
from gardesh.web.rate import Once
from gardesh.web.token import TOKEN_INVALID, Grant, Tokens

NOT_AUTHENTICATED = define(
    "not-authenticated",
    401,
    en="This needs to know who asks: sign the request (RFC 9421), or bring an access token.",
    fa="برای این کار باید معلوم باشد که می‌پرسد: درخواست را امضا کنید (RFC 9421) یا توکن دسترسی بیاورید.",
)
CREDENTIAL_WRONG = define(
    "credential-wrong",
    401,
    en="The signature does not verify with the key {kid}.",
    fa="امضا با کلید {kid} درست نیست.",
)
SCOPE_TOO_WIDE = define(
    "scope-too-wide",
    400,
    en="{org} does not hold the role {role}; a token can have roles that are held, and no others.",
    fa="{org} نقش {role} را ندارد؛ توکن تنها نقش‌هایی را می‌گیرد که سازمان دارد.",
)
NO_RIGHTS = define(
    "organisation-without-rights",
    403,
    en="{org} has no key in force on the log, or no accreditation; a token of another authority cannot stand for them.",
    fa="{org} در دفتر رویداد کلید معتبر یا اعتبارنامه‌ی نافذی ندارد؛ توکن مرجعی دیگر جای آن‌ها را نمی‌گیرد.",
)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request brought. Exactly one of `grant`, `vouched` and `signature` is there."""

    grant: Grant | None = None
    vouched: Vouched | None = None
    request: http_signature.Request | None = None
    signature: Signature | None = None

    @property
    def client(self) -> str | None:
        """The organisation, where the token proves it already."""
        by = self.grant or self.vouched
        return by.org if by is not None else None

    @property
    def kind(self) -> str:
        """For the log of requests."""
        return "token" if self.grant is not None else "authority" if self.vouched is not None else "signature"

    def access(self, node: Node, now: int, once: Once) -> Access:
        """The view of who asks; `now` in ms. In the node's thread. Raises `key-unknown`, `key-not-in-force`,
        `organisation-without-rights`, `credential-wrong`, `request-replayed`, and as `http_signature.verify`."""
        if self.vouched is not None:
            return standing(node, self.vouched, now)
        if self.grant is not None:
            org, _ = in_force(node, self.grant.kid, now)
            if org != self.grant.org:
                raise Problem(KEY_UNKNOWN, kid=self.grant.kid)
            return Access(node, org, now, self.grant.roles)
        assert self.request is not None
        assert self.signature is not None
        org, key = in_force(node, self.signature.kid, now)
        check(self.request, self.signature, key, now // 1000)
        # The signature base, not the signature: an ES256 signature can be turned into another that verifies.
        signed = http_signature.base(self.request, self.signature.components, self.signature.text)
        created = int(self.signature.parameters["created"])
        once.began(created)
        once.use(sha256(signed).digest(), created + WINDOW, now // 1000, org)
        return Access(node, org, now)

    def again(self, node: Node, org: str, now: int) -> Access:
        """The view of who asked before and still listens. Raises `key-not-in-force`, `token-invalid`,
        `organisation-without-rights` when that ended."""
        if self.vouched is not None:
            if self.vouched.expires <= now // 1000:
                raise Problem(TOKEN_INVALID)
            return standing(node, self.vouched, now)
        if self.grant is not None:
            if self.grant.expires <= now // 1000:
                raise Problem(TOKEN_INVALID)
            in_force(node, self.grant.kid, now)
            return Access(node, org, now, self.grant.roles)
        assert self.signature is not None
        in_force(node, self.signature.kid, now)
        return Access(node, org, now)


def standing(node: Node, vouched: Vouched, now: int) -> Access:
    """What an organisation may do for which another authority vouches: what the log gives it, and never more; `now` in ms.

    Raises `organisation-without-rights`: with no key in force it could do nothing by itself either."""
    access = Access(node, vouched.org, now, vouched.roles)
    if not access.held or not node.key_owners.has_key(vouched.org, now):
        raise Problem(NO_RIGHTS, org=vouched.org)
    return access


def check(request: http_signature.Request, signature: Signature, key: PublicKey, now: int) -> None:
    """As `http_signature.verify`, with a wrong signature said as what it is here: 401."""
    try:
        http_signature.verify(request, signature, key, now=now)
    except Problem as problem:
        if problem.code == SIGNATURE_WRONG:
            raise Problem(CREDENTIAL_WRONG, kid=signature.kid[:100]) from None
        raise


def in_force(node: Node, kid: str, now: int) -> tuple[str, PublicKey]:
    """Whose key this is, and the key. Raises `key-unknown`, `key-not-in-force`."""
    value: Any = node.sequencer.registers.value("core/keys", kid, NOWHERE, now)
    if value is None:
        raise Problem(KEY_UNKNOWN, kid=kid[:100])
    if value.get("state") != "in-force":
        raise Problem(KEY_NOT_IN_FORCE, kid=kid, org=value["org"])
    return value["org"], PublicKey.from_jwk(value["jwk"])


def bearer(headers: Mapping[str, str]) -> str | None:
    """The access token that a request brings, whoever's it is (RFC 6750 §2.1)."""
    given = headers.get("authorization", "")
    return given[7:].strip() if given[:7].lower() == "bearer " else None


def read(
    method: str, target: str, headers: Mapping[str, str], body: bytes | None, tokens: Tokens, now: int
) -> Credential:
    """What a request brings; `now` in s. `body`: None where it comes as a stream, to be compared with its digest by who
    reads it. Raises `not-authenticated`, `token-invalid`, `http-signature-…`, `content-digest-wrong`."""
    token = bearer(headers)
    if token is not None:
        return Credential(grant=tokens.read(token, now))
    if "signature-input" not in headers:
        raise Problem(NOT_AUTHENTICATED)
    request = http_signature.Request(method, target, headers)
    signature = http_signature.read(request)
    if body is not None and (body or "content-digest" in headers):
        http_signature.check_digest(headers.get("content-digest", ""), body)
    return Credential(request=request, signature=signature)
