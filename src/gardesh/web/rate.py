"""How often one client may ask, and what was seen once already."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from math import ceil

from gardesh.model.problem import Problem, define

TOO_MANY_REQUESTS = define(
    "too-many-requests",
    429,
    en="This is more than {rate} requests a second; ask again in {wait} s.",
    fa="این بیش از {rate} درخواست در ثانیه است؛ {wait} ثانیه‌ی دیگر دوباره بفرستید.",
)
REPLAYED = define(
    "request-replayed",
    401,
    en="This signature was used before. Each request is signed with a nonce of its own.",
    fa="این امضا پیش‌تر به‌کار رفته است. هر درخواست با nonce خودش امضا می‌شود.",
)
REMEMBERED = 100_000
"""How many clients, or uses, are remembered at most; the oldest are forgotten first."""


class Rate:
    """A bucket of tokens for each client: `burst` at once, `rate` a second after that. In this process's memory."""

    def __init__(self, rate: float, burst: int) -> None:
        """`rate` 0: no limit."""
        self.rate, self.burst = rate, float(burst)
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, client: Hashable, now: float) -> None:
        """One request of `client` at `now` (s, never going back). Raises `too-many-requests`."""
        if not self.rate:
            return
        left, since = self._buckets.pop(client, (self.burst, now))
        left = min(self.burst, left + (now - since) * self.rate)
        enough = left >= 1
        self._buckets[client] = (left - 1 if enough else left, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        if not enough:
            raise Problem(TOO_MANY_REQUESTS, rate=self.rate, wait=ceil((1 - left) / self.rate))


class Once:
    """What may be used once, until it expires. In this process's memory; when it is full, nothing new is let in."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self.most = most
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def use(self, name: bytes, expires: int, now: int) -> None:
        """Raises `request-replayed` for what was used before, and `too-many-requests` when too much is remembered."""
        for old in [n for n, _ in zip(self._seen, range(8), strict=False)]:
            if self._seen[old] < now:
                del self._seen[old]
        if name in self._seen:
            raise Problem(REPLAYED)
        if len(self._seen) >= self.most:
            raise Problem(TOO_MANY_REQUESTS, rate=self.most // 600, wait=60)
        self._seen[name] = expires
