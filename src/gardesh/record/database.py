"""What the store asks of a database, the same of SQLite and of PostgreSQL; and which of the two a URL names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Protocol

from sqlalchemy import Engine

from gardesh.model.problem import Problem, define

STORE_UNUSABLE = define(
    "store-unusable",
    503,
    en="The store {url} cannot be used: {reason}.",
    fa="انباره‌ی {url} قابل استفاده نیست: {reason}.",
)
SERVERS = ("postgresql+psycopg", "postgresql", "postgres")
_PASSWORD = re.compile(r"(?<=://)([^/:@]*):[^/]*@|(?<=[?&])(password=)[^&]*")
PAGE = 1_000
Row = tuple[Any, ...]


class Database(Protocol):
    """One connection to one database, made with it."""

    shown: str
    """The URL as it may be told: without a password."""
    errors: ClassVar[tuple[type[Exception], ...]]
    """What its driver raises."""

    def __init__(self, where: str) -> None: ...

    def run(self, sql: str, values: Sequence[Any]) -> Any:
        """A cursor over what the statement gives; `?` stands for a value."""

    def pages(self, sql: str, values: Sequence[Any]) -> Iterator[list[Row]]:
        """What the statement gives, so many rows at a time."""

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """The statement once for each row, in their order."""

    def begin(self) -> None:
        """Begin a write: wait until no other process writes, and then see all that was committed."""

    def begin_reading(self) -> None:
        """Begin to read one state, the newest committed one; nobody waits for it. It ends with `commit` or `rollback`."""

    def commit(self) -> None:
        """End the write; when this returns, it is durable."""

    def rollback(self) -> None:
        """End the write without a trace, whatever has become of it."""

    def number_on(self, table: str, column: str) -> None:
        """Within a write: the numbers that the database gives go on after the highest that is there."""

    def wipe(self, tables: Sequence[str]) -> None:
        """Outside a write: what was changed or deleted in these tables is in their files no more. Others wait meanwhile."""

    def let_go(self) -> None:
        """Outside a write: what was written over does not stay beside the database, as far as that can be asked for."""

    def engine(self) -> Engine:
        """For migrations alone: an engine whose transactions are writes as those of `begin`."""

    def fault(self, error: Exception) -> str | None:
        """Why the database failed, when it did; None when it was asked for what it may not do."""

    def close(self) -> None: ...


def opened(url: str) -> Database:
    """The database of a URL; a plain path means an SQLite file. Nothing is read of it yet. Raises `store-unusable`."""
    scheme, sign, rest = url.partition("://")
    kind: type[Database]
    if is_server(url):
        from gardesh.record.postgresql import Postgresql as kind

        where = f"postgresql://{rest}"
    elif not sign or scheme == "sqlite":
        from gardesh.record.sqlite import Sqlite as kind

        where = (rest[1:] if sign else url) or ":memory:"
    else:
        reason = "it is neither an SQLite file nor a PostgreSQL database"
        raise Problem(STORE_UNUSABLE, url=without_password(url), reason=reason)
    try:
        return kind(where)
    except kind.errors as error:
        raise Problem(STORE_UNUSABLE, url=without_password(url), reason=first_line(error)) from error


def first_line(error: Exception) -> str:
    """What a driver says, in short."""
    return str(error).strip().partition("\n")[0]


def is_server(url: str) -> bool:
    """Whether the URL names a PostgreSQL database."""
    return url.partition("://")[0] in SERVERS and "://" in url


def with_parameter(url: str, name: str, value: str) -> str:
    """The URL of a server with a parameter of libpq in the place of what it says of it, if it does."""
    plain, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith(f"{name}=")]
    return f"{plain}?{'&'.join([*kept, f'{name}={value}'])}"


def without_password(url: str) -> str:
    """The URL with `***` in the place of a password."""
    return _PASSWORD.sub(lambda found: f"{found[1]}:***@" if found[2] is None else f"{found[2]}***", url)
