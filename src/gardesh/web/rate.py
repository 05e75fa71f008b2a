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

    def take(self, client: Hashable, now: float, cost: float = 1.0) -> None:
        """One request of `client` at `now` (s, never going back); a large one costs as several. Raises `too-many-requests`."""
        if not self.rate:
            return
        left, since = self._buckets.pop(client, (self.burst, now))
        left = min(self.burst, left + (now - since) * self.rate)
        cost = min(cost, self.burst)
        enough = left >= cost
        self._buckets[client] = (left - cost if enough else left, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        if not enough:
            raise Problem(TOO_MANY_REQUESTS, rate=self.rate, wait=ceil((cost - left) / self.rate))


class Once:
    """What may be used once, until it expires: of each owner so many at most, so that none crowds out another. In this
    process's memory; what expires after it began cannot be known from before, so nothing older than that is let in."""

    def __init__(self, most: int = 10_000, since: int = 0) -> None:
        """`most`: of one owner. `since`: when this memory began (s)."""
        self.most, self.since = most, since
        self._seen: dict[str, OrderedDict[bytes, int]] = {}
        self._swept = 0

    def use(self, name: bytes, expires: int, now: int, owner: str = "") -> None:
        """Raises `request-replayed` for what was used before, and `too-many-requests` when an owner uses too much."""
        self._sweep(now)
        seen = self._seen.setdefault(owner, OrderedDict())
        for old in [n for n, _ in zip(seen, range(8), strict=False)]:
            if seen[old] < now:
                del seen[old]
        if seen.get(name, -1) >= now:
            raise Problem(REPLAYED)
        if len(seen) >= self.most:
            raise Problem(TOO_MANY_REQUESTS, rate=self.most // 300, wait=60)
        seen.pop(name, None)
        seen[name] = expires

    def began(self, created: int) -> None:
        """Raises `request-replayed` for what was made before this memory began: it may have been used then."""
        if created < self.since:
            raise Problem(REPLAYED)

    def _sweep(self, now: int) -> None:
        """Now and then, forget owners of whom nothing is remembered any more."""
        if now - self._swept < 60:
            return
        self._swept = now
        for owner in [o for o, seen in self._seen.items() if all(e < now for e in seen.values())]:
            del self._seen[owner]
