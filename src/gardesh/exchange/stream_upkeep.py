"""The stream itself: made as a configuration says where it is not there, and checked, never changed, where it is."""

from __future__ import annotations

from typing import Any

from nats.js.api import RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import NotFoundError

from gardesh.exchange.nats_line import NatsLine
from gardesh.exchange.stream_settings import DAY, Jetstream
from gardesh.model.problem import Problem, define

DIFFERS = define(
    "jetstream-stream-differs",
    409,
    en="The stream {stream} is not as the configuration says: {what}. Nothing is published to it.",
    fa="جریان {stream} آن‌گونه نیست که پیکربندی می‌گوید: {what}. چیزی در آن منتشر نمی‌شود.",
    hint_en="Change the configuration or the stream (`nats stream edit`); publishing then goes on by itself.",
    hint_fa="پیکربندی یا جریان را تغییر دهید («nats stream edit»)؛ انتشار سپس خودبه‌خود ادامه می‌یابد.",
)
CHECKED = ("subjects", "storage", "retention", "num_replicas", "max_age", "duplicate_window", "discard")


async def made(line: NatsLine, settings: Jetstream) -> StreamInfo:
    """The stream as it is, made now where it was not there. Raises `jetstream-stream-differs`."""
    wanted = wish(settings)
    try:
        found = await line.streams.stream_info(settings.stream)
    except NotFoundError:
        found = await line.streams.add_stream(wanted)
    what = differences(found.config, wanted)
    if what:
        raise Problem(DIFFERS, stream=settings.stream, what=what)
    return found


def wish(settings: Jetstream) -> StreamConfig:
    """The stream that a configuration asks for."""
    return StreamConfig(
        name=settings.stream,
        description="Notices of a Gardesh node",
        subjects=[f"{settings.prefix}.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        num_replicas=settings.replicas,
        max_age=settings.max_age_days * DAY,
        duplicate_window=settings.duplicates_seconds,
    )


def differences(found: StreamConfig, wanted: StreamConfig) -> str:
    """In which keys a stream is another than was wished for; empty when in none."""
    pairs = [(name, getattr(found, name), getattr(wanted, name)) for name in CHECKED]
    return "; ".join(f"{name} is {plain(a)}, not {plain(b)}" for name, a, b in pairs if plain(a) != plain(b))


def plain(value: Any) -> str:
    """A value of a stream's configuration as it is written."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(getattr(value, "value", value))
