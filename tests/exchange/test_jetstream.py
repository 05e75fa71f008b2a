"""The stream of notices on real NATS servers: each notice once and in order, whatever becomes of servers and publishers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gardesh.exchange.jetstream import Publisher
from gardesh.exchange.stream_cursor import Held, StreamCursor
from gardesh.exchange.stream_message import subject
from gardesh.exchange.stream_settings import Jetstream
from gardesh.model.problem import Problem
from nats_servers import (
    ORIGIN,
    NatsServer,
    Record,
    all_of,
    cluster,
    connect,
    eventually,
    ids,
    messages,
    server,
    taken,
)  # fmt: skip

pytestmark = pytest.mark.store


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with server(tmp_path) as made:
        yield made


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path)


def to(*servers: NatsServer, **more: Any) -> Jetstream:
    return Jetstream(servers=[s.url for s in servers], **more)


def cursor(record: Record) -> Held:
    return StreamCursor("GARDESH", "").read(record.store)


def asked(nats: NatsServer, what: Any) -> Any:
    """What a coroutine over a JetStream context of the test gives."""

    async def ask() -> Any:
        line = await connect([nats.url])
        try:
            return await what(line.jetstream())
        finally:
            await line.close()

    return asyncio.run(ask())


def code_of(record: Record, settings: Jetstream) -> str:
    with pytest.raises(Problem) as caught:
        record.publish(settings)
    assert caught.value.sentence("fa") != caught.value.sentence("en")
    return caught.value.code


def test_each_notice_is_published_once_and_in_order(nats: NatsServer, record: Record) -> None:
    record.add(1300)
    assert record.publish(to(nats)) == 1300
    found = messages([nats.url])
    assert ids(found) == list(range(1300))
    assert found[8].subject == "gardesh.org.office-2"
    assert json.loads(found[8].data)["slot"] == "step:8"
    assert (cursor(record).upto, cursor(record).holder) == (1299, "")
    assert record.publish(to(nats)) == 0
    record.add(5)
    assert record.publish(to(nats)) == 5
    assert ids(messages([nats.url])) == list(range(1305))


def test_the_stream_is_made_as_the_configuration_says(nats: NatsServer, record: Record) -> None:
    record.publish(to(nats, stream="N-1", prefix="a.b", max_age_days=2, duplicates_seconds=77))
    made = asked(nats, lambda js: js.stream_info("N-1")).config
    assert (made.subjects, made.storage, made.num_replicas) == (["a.b.>"], "file", 1)
    assert (made.max_age, made.duplicate_window) == (2 * 86_400, 77)


def test_who_a_document_is_about_is_published_only_when_asked(nats: NatsServer, record: Record) -> None:
    record.add(9, lambda n: ("about", f"049937089{n}") if n % 3 else ("role", "office"))
    assert record.publish(to(nats)) == 3
    assert cursor(record).upto == 8
    assert record.publish(to(nats, stream="ALL", prefix="all", include_about=True)) == 9
    found = messages([nats.url], "all.>", "ALL")
    assert ids(found) == list(range(9))
    assert not [m for m in found if b"049937089" in m.data or "049937089" in m.subject + str(m.headers)]


def test_names_of_any_kind_are_each_a_subject_of_their_own(nats: NatsServer, record: Record) -> None:
    names = ["اداره‌ی بهداشت", "a.b", "a b", "*", ">", "", "a", "_YQ", "-", "x" * 2000, "$SYS", "a\tb"]
    record.add(3 * len(names), lambda n: ("org", names[n % len(names)]))
    record.publish(to(nats))

    async def each(_: Any) -> list[list[int]]:
        line = await connect([nats.url])
        return [ids(await taken(line, subject("gardesh", ORIGIN, "org", name))) for name in names]

    assert asked(nats, each) == [[n, n + len(names), n + 2 * len(names)] for n in range(len(names))]


def test_a_stream_that_is_otherwise_is_said_and_left_alone(nats: NatsServer, record: Record) -> None:
    record.add(3)
    record.publish(to(nats))
    with pytest.raises(Problem) as caught:
        record.publish(to(nats, max_age_days=1, replicas=3, duplicates_seconds=5))
    assert caught.value.code == "jetstream-stream-differs"
    said = caught.value.params["what"]
    assert said == "num_replicas is 1, not 3; max_age is 7776000, not 86400; duplicate_window is 600, not 5"
    assert code_of(record, to(nats, prefix="other")) == "jetstream-stream-differs"
    assert code_of(record, to(nats, stream="SECOND")) == "jetstream-away"  # the subjects are taken
    assert ids(messages([nats.url])) == [0, 1, 2]


def test_a_stream_of_another_log_or_of_a_later_record_is_refused(nats: NatsServer, tmp_path: Path) -> None:
    for name in ("first", "second", "older"):
        (tmp_path / name).mkdir()
    first = Record(tmp_path / "first")
    first.add(3)
    first.publish(to(nats))
    second = Record(tmp_path / "second", "another.example/log")
    second.add(9)
    assert code_of(second, to(nats)) == "jetstream-stream-foreign"
    older = Record(tmp_path / "older")
    older.add(2)
    assert code_of(older, to(nats)) == "jetstream-stream-ahead"


def test_a_stray_message_stops_nothing(nats: NatsServer, record: Record) -> None:
    record.add(3)
    record.publish(to(nats))
    asked(nats, lambda js: js.publish("gardesh.org.x", b"stray"))
    record.add(600)
    assert record.publish(to(nats)) == 600
    found = [m for m in messages([nats.url]) if m.data != b"stray"]
    assert ids(found) == list(range(603))


def test_what_the_stream_lost_is_published_again(nats: NatsServer, record: Record) -> None:
    """The stream says where to go on; the cursor does only when the stream's last message is gone."""
    record.add(40)
    record.publish(to(nats))
    asked(nats, lambda js: js.delete_stream("GARDESH"))
    record.add(2)
    assert record.publish(to(nats)) == 42
    asked(nats, lambda js: js.purge_stream("GARDESH"))
    record.add(3)
    assert record.publish(to(nats)) == 3
    assert ids(messages([nats.url])) == [42, 43, 44]


def test_the_cursor_says_where_to_go_on_when_the_stream_cannot(nats: NatsServer, record: Record) -> None:
    """The stream is empty, and the server has forgotten the ids."""
    short = to(nats, duplicates_seconds=1)
    record.add(40)
    record.publish(short)
    asked(nats, lambda js: js.purge_stream("GARDESH"))
    time.sleep(1.5)
    record.add(3)
    assert record.publish(short) == 3
    assert ids(messages([nats.url])) == [40, 41, 42]


def test_nothing_overtakes_what_the_server_refuses(nats: NatsServer, record: Record) -> None:
    """One message is too large for the stream, as its operator set it for a while: those behind it, which were under way
    too, are not taken before it."""
    record.add(5)
    record.publish(to(nats))

    async def limit(js: Any, size: int) -> None:
        config = (await js.stream_info("GARDESH")).config
        await js.update_stream(config, max_msg_size=size)

    asked(nats, lambda js: limit(js, 1000))
    record.add(400, lambda n: ("org", "x" * 900 if n == 100 else "office"))
    assert code_of(record, to(nats)) == "jetstream-away"
    assert ids(messages([nats.url])) == list(range(100))
    asked(nats, lambda js: limit(js, -1))
    assert record.publish(to(nats)) == 305
    assert ids(messages([nats.url])) == list(range(405))


def test_a_publisher_ends_whenever_it_is_told_to(nats: NatsServer, record: Record) -> None:
    record.add(3000)

    async def told(publisher: Publisher, after: float) -> None:
        task = asyncio.create_task(publisher.run())
        await asyncio.sleep(after)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=20)
        assert done

    for n in range(40):
        with record.publisher(to(nats), once=False) as publisher:
            asyncio.run(told(publisher, n / 1000))
    record.publish(to(nats))
    assert ids(messages([nats.url])) == list(range(3000))


def test_the_server_knows_what_comes_a_second_time(nats: NatsServer, record: Record) -> None:
    """Neither the stream's last message nor the cursor is there: the messages' ids alone keep a notice from coming twice."""
    record.add(700)
    record.publish(to(nats))

    async def consume(js: Any) -> list[int]:
        sub = await js.pull_subscribe("gardesh.>", durable="office", stream="GARDESH")
        return ids(await all_of(sub))

    assert asked(nats, consume) == list(range(700))
    asked(nats, lambda js: js.delete_msg("GARDESH", 700))
    record.store.set("jetstream:GARDESH", b"{}")
    record.add(300)
    assert record.publish(to(nats)) == 300
    assert asked(nats, consume) == list(range(700, 1000))


def test_two_publishers_do_no_harm(nats: NatsServer, record: Record) -> None:
    """The lease lets one publish; where both do, because each has a lease of its own, the stream takes each notice once."""
    record.add(4000)

    async def both(first: Publisher, second: Publisher) -> tuple[int, int]:
        second.cursor = StreamCursor("another-lease", "second")
        tasks = [asyncio.create_task(p.run()) for p in (first, second)]
        line = await connect([nats.url])

        async def whole() -> bool:
            with suppress(Exception):
                return (await line.jetstream().stream_info("GARDESH")).state.messages == 4000
            return False

        await eventually(whole)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await line.close()
        return first.figures.published, second.figures.published

    with record.publisher(to(nats), once=False) as first, record.publisher(to(nats), once=False) as second:
        assert sum(asyncio.run(both(first, second))) <= 4000
    assert ids(messages([nats.url])) == list(range(4000))


def test_one_stands_by_until_the_other_goes(nats: NatsServer, record: Record) -> None:
    record.add(3)

    async def relay(first: Publisher, second: Publisher) -> None:
        async def active(publisher: Publisher) -> bool:
            return publisher.figures.active

        one = asyncio.create_task(first.run())
        await eventually(lambda: active(first))
        two = asyncio.create_task(second.run())
        with pytest.raises(Problem) as caught, record.publisher(to(nats)) as third:
            await third.run()
        assert caught.value.code == "jetstream-stream-held"
        assert not second.figures.active
        one.cancel()
        await asyncio.wait([one])
        record.add(2)
        await eventually(lambda: active(second))

        async def whole() -> bool:
            return second.figures.published == 2

        await eventually(whole)
        two.cancel()
        await asyncio.wait([two])

    with record.publisher(to(nats), once=False) as first, record.publisher(to(nats), once=False) as second:
        asyncio.run(relay(first, second))
    assert ids(messages([nats.url])) == list(range(5))


def test_nats_may_be_away_at_the_start_and_go_away_later(tmp_path: Path, record: Record) -> None:
    nats = NatsServer(tmp_path)
    record.add(10)
    assert code_of(record, to(nats)) == "jetstream-away"

    async def days(publisher: Publisher) -> None:
        async def published() -> bool:
            return publisher.figures.published == record.count

        task = asyncio.create_task(publisher.run())
        await asyncio.sleep(0.5)
        assert publisher.figures.lag == 10
        nats.start()
        await eventually(published)
        assert publisher.figures.active
        nats.kill()
        record.add(10)
        await asyncio.sleep(0.5)
        nats.start()
        await eventually(published)
        assert publisher.figures.reconnects == 1
        task.cancel()
        await asyncio.wait([task])

    try:
        with record.publisher(to(nats), once=False) as publisher:
            asyncio.run(days(publisher))
        assert ids(messages([nats.url])) == list(range(20))
    finally:
        nats.kill()


def test_a_consumer_that_was_away_for_a_month_catches_up(nats: NatsServer, record: Record) -> None:
    record.add(20)
    record.publish(to(nats))

    async def some(js: Any) -> list[int]:
        sub = await js.pull_subscribe("gardesh.org.office-1", durable="office-1", stream="GARDESH")
        return ids(await all_of(sub))

    before = asked(nats, some)
    record.add(6000)
    assert record.publish(to(nats)) == 6000
    assert before + asked(nats, some) == [n for n in range(6020) if n % 3 == 1]


def test_a_server_of_three_is_killed_and_nothing_is_lost(tmp_path: Path, record: Record) -> None:
    """The leader of the stream is killed with messages under way; what it held comes from the others."""
    record.add(500)

    async def days(publisher: Publisher, servers: list[NatsServer]) -> None:
        task = asyncio.create_task(publisher.run())
        line = await connect([s.url for s in servers])

        async def leader() -> str | None:
            with suppress(Exception):
                made = await line.jetstream(timeout=1).stream_info("GARDESH")
                return made.cluster.leader if made.state.messages else None
            return None

        killed = await eventually(leader)
        record.add(5500)

        async def midway() -> bool:
            return publisher.figures.published > 1500

        await eventually(midway)
        next(s for s in servers if s.name == killed).kill()

        async def whole() -> bool:
            with suppress(Exception):
                made = await line.jetstream(timeout=1).stream_info("GARDESH")
                return made.state.messages >= 6000 and publisher.figures.lag == 0
            return False

        await eventually(whole, 60)
        task.cancel()
        await asyncio.wait([task])
        await line.close()

    with cluster(tmp_path) as servers:
        settings = to(*servers, replicas=3)
        with record.publisher(settings, once=False) as publisher:
            asyncio.run(days(publisher, servers))
        assert ids(messages([s.url for s in servers])) == list(range(6000))
