"""Requests to addresses that others name: only where they may go, and to the very address that was checked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import httpx

from gardesh.model.problem import Problem, define

ADDRESS_MALFORMED = define(
    "address-malformed",
    422,
    en="{url} is not an address that can be sent to: {reason}.",
    fa="{url} نشانی‌ای نیست که بتوان به آن فرستاد: {reason}.",
)
ADDRESS_PRIVATE = define(
    "address-private",
    422,
    en="{host} is not at a public address; whoever runs the node can allow its network.",
    fa="{host} نشانی عمومی ندارد؛ گرداننده‌ی گره می‌تواند شبکه‌ی آن را مجاز کند.",
)
ADDRESS_UNKNOWN = define(
    "address-unknown",
    422,
    en="The name {host} is not known.",
    fa="نام {host} شناخته نیست.",
)
READ = 65_536
"""How many bytes of an answer are read at most."""
Address = IPv4Address | IPv6Address


NAT64 = IPv6Network("64:ff9b::/96")


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it does: mapped, 6to4, Teredo, NAT64; else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo is not None else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


class Outward:
    """Sends to https addresses of public networks, and of those in `networks`; `http` allows what has no TLS."""

    def __init__(self, *, http: bool, networks: Sequence[str], timeout: float) -> None:
        self.http = http
        self.networks = [ip_network(n) for n in networks]
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.AsyncClient(
            timeout=timeout, limits=limits, follow_redirects=False, trust_env=False
        )
        self._timeout = timeout

    async def close(self) -> None:
        await self._client.aclose()

    def host_of(self, url: str) -> tuple[str, int]:
        """The host and port of an address, if it is of a form that can be sent to. Raises `address-malformed`."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise Problem(ADDRESS_MALFORMED, url=url[:200], reason="it is no URL") from None
        if parts.scheme not in (("https", "http") if self.http else ("https",)):
            raise Problem(ADDRESS_MALFORMED, url=url[:200], reason="it does not begin with https://")
        if (
            not host
            or "@" in parts.netloc
            or parts.fragment
            or len(url) > 2000
            or not url.isascii()
            or " " in url
        ):
            raise Problem(
                ADDRESS_MALFORMED, url=url[:200], reason="it has no plain host, or a user, or a fragment"
            )
        return host, port or (443 if parts.scheme == "https" else 80)

    async def resolved(self, url: str) -> Address:
        """Where an address is, if it may be sent to. Raises `address-malformed`, `address-unknown`, `address-private`.

        Every address of the name has to be allowed: which one would be taken is not ours to guess.
        """
        host, port = self.host_of(url)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Problem(ADDRESS_UNKNOWN, host=host) from None
        addresses = [ip_address(str(place[4][0]).partition("%")[0]) for place in found]
        if not addresses or not all(self.allowed(a) for a in addresses):
            raise Problem(ADDRESS_PRIVATE, host=host)
        return addresses[0]

    def allowed(self, address: Address) -> bool:
        """Whether an address is public, or in a network that is allowed."""
        inner = embedded(address)
        if any(inner.version == n.version and inner in n for n in self.networks):
            return True
        return bool(inner.is_global) and not inner.is_multicast and not address.is_reserved

    async def post(self, url: str, content: bytes, headers: dict[str, str]) -> int:
        """The status of the answer. Redirects are not followed. Raises as `resolved`, and httpx.HTTPError, TimeoutError."""
        address = await self.resolved(url)
        parts = urlsplit(url)
        host, port = self.host_of(url)
        place = f"[{address}]" if address.version == 6 else str(address)
        target = f"{parts.scheme}://{place}:{port}{parts.path or '/'}" + (
            f"?{parts.query}" if parts.query else ""
        )
        request = self._client.build_request(
            "POST",
            target,
            content=content,
            headers={**headers, "host": parts.netloc},
            extensions={"sni_hostname": host},
        )
        async with asyncio.timeout(self._timeout):
            response = await self._client.send(request, stream=True)
            try:
                size = 0
                async for chunk in response.aiter_raw():
                    size += len(chunk)
                    if size > READ:
                        break
            finally:
                await response.aclose()
        return response.status_code
