"""The stream of notices: each notice of the record once, in order, on NATS JetStream, for any number of consumers.

Whatever becomes of NATS, of this process or of another like it, a notice is published at least once, and none before one
that precedes it: each message says which message of the stream it follows, and the server takes no other. Where to go on
is read from the stream's last message; the cursor in the record is for a stream whose last message is gone, or is nobody's.
A stream that has never had a message begins with the first notice.

Nothing of this is waited for by anybody who submits.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from nats.js.errors import NotFoundError

from gardesh.exchange import stream_message
from gardesh.exchange.nats_line import AWAY, Ack, NatsLine, Refused, connected
from gardesh.exchange.stream_cursor import LEASE, Standing, StreamCursor, newest_notice
from gardesh.exchange.stream_settings import Jetstream
from gardesh.exchange.stream_upkeep import made
from gardesh.model.problem import Problem, define
from gardesh.record.store import Store

T = TypeVar("T")
FOREIGN = define(
    "jetstream-stream-foreign",
    409,
    en="The stream {stream} carries the notices of another log, {origin}. Each node has a stream and a prefix of its own.",
    fa="جریان {stream} اعلان‌های دفتر دیگری، {origin}، را دارد. هر گره جریان و پیشوند خودش را دارد.",
)
AHEAD = define(
    "jetstream-stream-ahead",
    409,
    en="The stream {stream} holds notice {seen} of this log, but the record ends with {newest}: it was restored from an older copy.",
    fa="جریان {stream} اعلان {seen} این دفتر را دارد، ولی دفتر به {newest} پایان می‌یابد: از نسخه‌ای کهنه‌تر بازگردانده شده است.",
)
HELD = define(
    "jetstream-stream-held",
    409,
    en="Another process publishes to the stream {stream} now.",
    fa="اکنون فرایند دیگری در جریان {stream} منتشر می‌کند.",
)
PAGE, WINDOW = 500, 256
"""How many notices are read at once, and how many messages are under way at most."""
ACK_SECONDS, LOOK_SECONDS, KEEP_SECONDS, STANDBY_SECONDS = 5.0, 1.0, 1.0, 2.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
WRONG_LAST_SEQUENCE = 10071


class Source(Protocol):
    """The record, as the publisher reaches it."""

    def read(self, question: Callable[[Store], T]) -> Awaitable[T]:
        """What a question that reads gives."""

    def write(self, act: Callable[[Store], T]) -> Awaitable[T]:
        """What an act that writes gives."""

    def news(self) -> AbstractContextManager[asyncio.Event]:
        """An event that is set when there may be new notices; one is not missed for good if it never is."""


@dataclass(slots=True)
class Figures:
    """How it goes. `lag`: notices of the record that are not published yet; `active`: this process publishes."""

    published: int = 0
    reconnects: int = 0
    lag: int = 0
    active: bool = False


class Publisher:
    """Publishes the notices of one record to one stream. `event` is told of what happens to it, by name and members."""

    def __init__(
        self,
        source: Source,
        origin: str,
        settings: Jetstream,
        event: Callable[..., None],
        *,
        once: bool = False,
    ) -> None:
        """`once`: stop when everything is published, and raise what goes wrong instead of trying again."""
        self.source, self.origin, self.settings, self.event, self.once = source, origin, settings, event, once
        self.cursor = StreamCursor(settings.stream, uuid4().hex)
        self.figures = Figures()
        self._position: int | None = None
        self._kept: tuple[int | None, float] = (None, 0.0)
        self._connections = 0
        self._faults = 0
        self._told: object = None

    async def run(self) -> None:
        """Publish until cancelled. Whatever goes wrong is told, and tried again after a pause that grows."""
        working = asyncio.create_task(self._work())
        try:
            await asyncio.wait([working])
            working.result()
        finally:
            await ended(working)
            self.figures.active = False
            with suppress(Problem):  # the record cannot be written: the lease runs out
                await self.source.write(partial(self.cursor.give_back, upto=self._position))

    async def _work(self) -> None:
        while True:
            try:
                await self._turn()
                return
            except Problem as problem:
                if self.once:
                    raise
                self._tell("stopped", code=problem.code, reason=problem.sentence("en"))
            except Exception as fault:  # a fault of ours must not end the stream
                if self.once:
                    raise
                self._tell("stopped", code="internal-fault", reason=f"{type(fault).__name__}: {fault}")
            self.figures.active = False
            self._faults += 1
            most = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._faults, 10))
            await asyncio.sleep(random.uniform(FIRST_PAUSE / 2, most))  # noqa: S311

    def _tell(self, what: str, **members: Any) -> None:
        """Once for each thing that is new."""
        if self._told != (what, members):
            self._told = (what, members)
            self.event(f"jetstream-{what}", stream=self.settings.stream, **members)

    async def _turn(self) -> None:
        """Wait for the lease, then publish as long as it goes well; with `once`, until nothing is left."""
        self._position = None
        while not (standing := await self._keep()).held:
            if self.once:
                raise Problem(HELD, stream=self.settings.stream)
            self._tell("standby")
            await asyncio.sleep(STANDBY_SECONDS)
        async with connected(self.settings) as line:
            position, last = await self._agree(line, standing)
            self._connections += 1
            self.figures.reconnects = self._connections - 1
            self.figures.active = True
            self._tell("publishing", server=line.server, behind=position)
            await self._follow(line, position, last)

    async def _keep(self) -> Standing:
        self._kept = (self._position, time.monotonic())
        now, upto = time.time_ns() // 1_000_000, self._position
        found = await self.source.write(partial(self.cursor.hold, now=now, upto=upto))
        self.figures.lag = max(0, found.newest - found.upto)
        return found

    async def _agree(self, line: NatsLine, standing: Standing) -> tuple[int, int]:
        """Up to which notice the stream is published, and its last sequence; the stream is made where it is not there."""
        stream = self.settings.stream
        info = await made(line, self.settings)
        last = info.state.last_seq
        if not last:
            return -1, 0
        try:
            headers = (await line.streams.get_msg(stream, last)).headers or {}
        except NotFoundError:
            return standing.upto, last
        origin, seen = headers.get(stream_message.ORIGIN), headers.get(stream_message.ID, "")
        if origin is None or not seen.isdecimal():
            self._tell("stray", sequence=last)
            return standing.upto, last
        if origin != self.origin:
            raise Problem(FOREIGN, stream=stream, origin=origin)
        newest = await self.source.read(newest_notice)
        if int(seen) > newest:
            raise Problem(AHEAD, stream=stream, seen=int(seen), newest=newest)
        return int(seen), last

    async def _follow(self, line: NatsLine, position: int, last: int) -> None:
        """Publish what is behind `position`. The first message goes alone: it shows whether `last` is still so, and whether
        the stream's end was known."""
        rows: deque[Any] = deque()
        window: deque[tuple[int, asyncio.Future[Ack]]] = deque()
        width, more, sent = 1, True, position
        self._position = position
        with self.source.news() as news:
            while True:
                while len(window) < width and (rows or more):
                    if not rows:
                        news.clear()
                        rows.extend(await self.source.read(partial(page, after=sent)))
                        more = len(rows) == PAGE
                        continue
                    row = rows.popleft()
                    sent = row[0]
                    if self._published(row):
                        window.append((sent, await self._send(line, row, last)))
                        last += 1
                    elif not window:
                        self._position = sent
                await self._kept_lately()
                if window:
                    ack = await self._acknowledged(window)
                    self._position = self._position if window else sent
                    if not ack.duplicate:
                        width, self._faults = WINDOW, 0
                    elif width == 1:
                        last -= 1
                    else:
                        raise Problem(AWAY, reason="a message was there already, out of its turn")
                elif self.once and not more:
                    return
                elif not more:
                    await heard(news, LOOK_SECONDS)
                    more = True

    def _published(self, row: Any) -> bool:
        return self.settings.include_about or row[3] != stream_message.ABOUT

    async def _send(self, line: NatsLine, row: Any, last: int) -> asyncio.Future[Ack]:
        subject, payload, headers = stream_message.message(self.settings.prefix, self.origin, row)
        headers |= {stream_message.EXPECTED: str(last), "Nats-Expected-Stream": self.settings.stream}
        return await line.publish(subject, payload, headers)

    async def _acknowledged(self, window: deque[tuple[int, asyncio.Future[Ack]]]) -> Ack:
        """The acknowledgement of the oldest message under way. Raises `jetstream-away` where it is refused."""
        future = window[0][1]
        try:
            if not future.done():
                async with asyncio.timeout(ACK_SECONDS):
                    await asyncio.wait([future])
            ack = future.result()
        except Refused as refused:
            moved = refused.code == WRONG_LAST_SEQUENCE
            raise Problem(AWAY, reason="the stream ends elsewhere now" if moved else str(refused)) from None
        self._position, _ = window.popleft()
        self.figures.published += not ack.duplicate
        return ack

    async def _kept_lately(self) -> None:
        """Move the cursor, at most once a second, and hold the lease. Raises `jetstream-stream-held` when another has it."""
        position, at = self._kept
        since = time.monotonic() - at
        if since < KEEP_SECONDS or (position == self._position and since < LEASE / 3000):
            return
        if not (await self._keep()).held:
            raise Problem(HELD, stream=self.settings.stream)


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel a task until it is over: the client of NATS swallows a cancellation now and then."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.5)


async def heard(news: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()


def page(store: Store, after: int) -> list[Any]:
    """The notices behind the one with the id `after`, with `COLUMNS`."""
    sql = f"SELECT {stream_message.COLUMNS} FROM notices WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608
    return store.rows(sql, after, PAGE)
