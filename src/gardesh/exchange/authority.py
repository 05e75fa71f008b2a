"""Another authority and its keys: fetched when they are needed, seldom, and from its own host alone.

Keys at hand go on to count for a bounded time while the authority cannot be reached. However many tokens name keys that
nobody knows, it is asked once in a while.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from gardesh.exchange.authority_settings import ORGANISATION
from gardesh.exchange.authority_settings import Authority as Settings
from gardesh.model import authority_token
from gardesh.model.authority_token import AUTHORITY_TOKEN_WRONG
from gardesh.model.canonical import Limits, decode
from gardesh.model.jwk_set import MOST_BYTES, KeySet, TokenKey, read_key_set
from gardesh.model.problem import Problem, define

AUTHORITY_AWAY = define(
    "authority-away",
    503,
    en="The authority {issuer} gives no keys now, and those known from before do not say whether the token is its own.",
    fa="مرجع {issuer} اکنون کلیدی نمی‌دهد و با کلیدهای پیشین نیز معلوم نمی‌شود که توکن از آنِ اوست.",
    hint_en="Try again later, or sign the request with the organisation's own key.",
    hint_fa="بعداً دوباره بفرستید یا درخواست را با کلید خود سازمان امضا کنید.",
)
CLIENT_NOT_NAMED = define(
    "client-not-named",
    403,
    en="Whoever runs this node has named no organisation for what {claim} says in the token.",
    fa="گرداننده‌ی این گره برای آنچه {claim} در توکن می‌گوید سازمانی نام نبرده است.",
)
DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Vouched:
    """What a token of another authority says, verified: who, in which roles at most (None: any), until when (s)."""

    issuer: str
    org: str
    roles: frozenset[str] | None
    expires: int


class Authorities:
    """All authorities that a configuration names, by their issuer."""

    def __init__(self, settings: Sequence[Settings], url: str) -> None:
        """`url`: the audience where none is named."""
        self._by_issuer = {s.issuer: Authority(s, s.audience or url) for s in settings}

    def hear(self, heard: Callable[[str, Exception | None], None]) -> None:
        """From now on, tell of each time that keys were asked for: of which issuer, and what went wrong."""
        for authority in self._by_issuer.values():
            authority.heard = heard

    def __bool__(self) -> bool:
        return bool(self._by_issuer)

    async def read(self, token: str, now: int) -> Vouched:
        """What a token says; `now` in s. Raises `authority-token-wrong`, `authority-away`, `client-not-named`."""
        found = authority_token.read(token)
        authority = self._by_issuer.get(found.issuer)
        if authority is None:
            raise Problem(AUTHORITY_TOKEN_WRONG, member="iss")
        return await authority.vouches(found, now)


class Authority:
    """One authority. On one event loop."""

    def __init__(
        self, settings: Settings, audience: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock`: seconds that only grow."""
        self.settings, self.audience, self._clock = settings, audience, clock
        self._keys = KeySet([])
        self._fetched = self._tried = float("-inf")
        self._failed = False
        self._under_way: asyncio.Task[None] | None = None
        self.fetches = 0
        """How often keys were asked for."""
        self.heard: Callable[[str, Exception | None], None] = lambda issuer, fault: None

    async def vouches(self, token: authority_token.AuthorityToken, now: int) -> Vouched:
        """As `Authorities.read`, for a token that names this issuer."""
        said = self.settings
        if token.alg not in said.algorithms:  # before anything is fetched for it
            raise Problem(AUTHORITY_TOKEN_WRONG, member="alg")
        keys = await self.named(token.kid)
        authority_token.check_signature(token, keys, said.algorithms)
        expires = authority_token.check_claims(
            token, (self.audience,), now, said.skew_seconds, said.longest_seconds
        )
        return Vouched(said.issuer, self.organisation(token.claims), self.roles(token.claims), expires)

    def organisation(self, claims: Mapping[str, object]) -> str:
        """Whom the claims are about. Raises `client-not-named`."""
        said = claims.get(self.settings.organisation_claim)
        if isinstance(said, str):
            if said in self.settings.organisations:
                return self.settings.organisations[said]
            if self.settings.by_name and ORGANISATION.fullmatch(said):
                return said
        raise Problem(CLIENT_NOT_NAMED, claim=self.settings.organisation_claim)

    def roles(self, claims: Mapping[str, object]) -> frozenset[str] | None:
        """The roles that the claims list; None: all that are held."""
        listed = authority_token.words(claims.get(self.settings.roles_claim))
        if listed is None:
            return None if self.settings.without_roles == "held" else frozenset()
        prefix = self.settings.role_prefix
        return frozenset(word.removeprefix(prefix) for word in listed if word.startswith(prefix))

    # -- keys ---------------------------------------------------------------------------------------------

    async def named(self, kid: str) -> list[TokenKey]:
        """The keys of that name. Raises `authority-away`, and `authority-token-wrong` where there is none."""
        found = self._at_hand(kid)
        if self._stale() or not found:
            self._ask_again()
        if not found and self._under_way is not None:
            await asyncio.wait([self._under_way])
            found = self._at_hand(kid)
        if found:
            return found
        if self._failed or self._age() > self.settings.keep_seconds:
            raise Problem(AUTHORITY_AWAY, issuer=self.settings.issuer, wait=self.settings.refetch_seconds)
        raise Problem(AUTHORITY_TOKEN_WRONG, member="kid")

    def _at_hand(self, kid: str) -> list[TokenKey]:
        return self._keys.named(kid) if self._age() <= self.settings.keep_seconds else []

    def _age(self) -> float:
        return self._clock() - self._fetched

    def _stale(self) -> bool:
        return self._age() >= self.settings.refresh_seconds

    def _ask_again(self) -> None:
        """Unless it is being asked, or was a moment ago."""
        now = self._clock()
        if self._under_way is None and now - self._tried >= self.settings.refetch_seconds:
            self._tried = now
            self._under_way = asyncio.get_running_loop().create_task(self._fetch())

    async def _fetch(self) -> None:
        self.fetches += 1
        try:
            found = read_key_set(await self._key_set())
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ValueError, Problem) as fault:
            self._failed = True
            self.heard(self.settings.issuer, fault)
        else:
            self._keys, self._fetched, self._failed = found, self._clock(), False
            self.heard(self.settings.issuer, None)
        finally:
            self._under_way = None

    async def _key_set(self) -> bytes:
        said = self.settings
        if said.jwks and "://" not in said.jwks:
            return await asyncio.to_thread(Path(said.jwks).read_bytes)
        if said.jwks:
            return await self._get(said.jwks)
        told = decode(await self._get(said.issuer.rstrip("/") + DISCOVERY), Limits(size=MOST_BYTES, depth=8))
        place = told.get("jwks_uri") if isinstance(told, dict) else None
        if not isinstance(place, str) or told.get("issuer") != said.issuer or not said.is_address(place):
            raise ValueError("it describes another")
        if origin(place) != origin(said.issuer):
            raise ValueError("its keys are elsewhere")
        return await self._get(place)

    async def _get(self, url: str) -> bytes:
        """What is at an address, without following where it leads. Raises as httpx, TimeoutError, ValueError, OSError."""
        verify = await asyncio.to_thread(trusted, self.settings.ca)
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        async with (
            asyncio.timeout(self.settings.timeout_seconds),
            httpx.AsyncClient(
                verify=verify, follow_redirects=False, trust_env=False, timeout=self.settings.timeout_seconds
            ) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            if response.status_code != 200 or "content-encoding" in response.headers:
                raise ValueError("it is not answered plainly")
            data = b""
            async for chunk in response.aiter_raw():
                data += chunk
                if len(data) > MOST_BYTES:
                    raise ValueError("it is too long")
            return data


def trusted(ca: str) -> ssl.SSLContext:
    """Who vouches for a host: the authorities in a file, or the system's."""
    return ssl.create_default_context(cafile=ca or None)


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return (
        parts.scheme,
        (parts.hostname or "").lower(),
        parts.port or (443 if parts.scheme == "https" else 80),
    )
