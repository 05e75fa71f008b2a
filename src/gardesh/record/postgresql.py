"""A record in a PostgreSQL database: one connection, writes one after the other by an advisory lock.

Outside a write each statement is a transaction of its own: nothing stays open between two calls. A connection that was
lost is made again by the next call; inside a write its loss fails the write.

A process that holds the lock and stands still (frozen, paused with its machine, cut off) does not stop the others for long:
between two statements the server ends its connection after `SILENT`; in the middle of sending, the first process that has
waited for the lock in vain has it ended. What was cut off so cannot write: its transaction is gone.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from gardesh.record.database import PAGE, Row, first_line, without_password

OLDEST = 150_000
LOCK = "SELECT pg_advisory_xact_lock(7104731)"
SILENT = "idle_in_transaction_session_timeout"
BEGIN_READING = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL {SILENT} = '10min'"
BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {LOCK}"
SETTINGS = f"""SELECT
    set_config('lock_timeout', coalesce(nullif(current_setting('lock_timeout'), '0'), '30s'), false),
    set_config('{SILENT}', coalesce(nullif(current_setting('{SILENT}'), '0'), '15s'), false),
    set_config('jit', 'off', false),
    set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), false)"""
END_FROZEN = f"""SELECT pg_terminate_backend(a.pid, 5000) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND (l.classid, l.objid, l.objsubid) = (0, 7104731, 1) AND l.granted
    AND a.datname = current_database() AND l.database = a.datid AND a.wait_event_type = 'Client'
    AND a.state_change < clock_timestamp() - current_setting('{SILENT}')::interval"""  # noqa: S608
"""Ends the holder of the lock when the server has waited for it, in whatever state, as long as `SILENT` says."""
NETWORK = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "fallback_application_name": "gardesh",
}
"""Unless the URL says otherwise: a server that vanished is noticed in about a minute."""
NO_CHARACTER = "\uffff"
"""Stands for U+0000 in a value that is looked for: no text in the record has the one or the other."""
MISTAKES = (psycopg.IntegrityError, psycopg.DataError, psycopg.NotSupportedError)
UNREADY = (errors.UndefinedTable, errors.InvalidSchemaName, errors.InsufficientPrivilege)
logging.getLogger("psycopg").addHandler(logging.NullHandler())  # what it logs, it raises too


class Unfit(psycopg.OperationalError):
    """The server is not one that can hold a record."""


class Postgresql:
    """One connection, for all threads of the process, to the database of a libpq URL."""

    errors: ClassVar[tuple[type[Exception], ...]] = (psycopg.Error, DBAPIError)

    def __init__(self, where: str) -> None:
        self.shown = without_password(where)
        self._url = where
        self._inside = False
        self._names = itertools.count()
        self._unsent: list[tuple[bytes, list[Row]]] = []
        self._warned = ""
        self._line = self._connect()

    def _connect(self) -> psycopg.Connection[Row]:
        given = conninfo_to_dict(self._url)
        line = psycopg.connect(**{**NETWORK, **given, "client_encoding": "UTF8"}, autocommit=True)  # type: ignore[arg-type]
        try:
            if line.info.server_version < OLDEST:
                raise Unfit(f"PostgreSQL {OLDEST // 10_000} or later is needed")
            if line.info.parameter_status("server_encoding") != "UTF8":
                raise Unfit("the database is not encoded in UTF8")
            line.adapters.register_dumper(int, Int8Dumper)  # one plan for small and large numbers
            line.execute(SETTINGS)
            line.add_notice_handler(self._note)
        except BaseException:
            line.close()
            raise
        return line

    def _note(self, said: psycopg.errors.Diagnostic) -> None:
        if said.severity_nonlocalized == "WARNING":
            self._warned = str(said.message_primary)

    def _alone(self, act: Callable[[psycopg.Connection[Row]], Any], *, again: bool) -> Any:
        """Outside a write. With `again`, once more on a new connection where the old one turns out to be lost, and where a
        standby ended the statement to go on with what it replays."""
        if self._line.closed:
            self._line, again = self._connect(), False
        try:
            return act(self._line)
        except psycopg.Error as error:
            if not again or not (self._line.closed or isinstance(error, errors.SerializationFailure)):
                raise
        if self._line.closed:
            self._line = self._connect()
        return act(self._line)

    def run(self, sql: str, values: Sequence[Any]) -> Any:
        made = _marked(sql)

        def ask(line: psycopg.Connection[Row]) -> Any:
            return line.execute(made, values, binary=True)

        try:
            return self._after_unsent(ask) if self._inside else self._alone(ask, again=_reads(sql))
        except psycopg.DataError:  # it was not sent: nothing has failed there
            if not any(isinstance(v, str) and "\0" in v for v in values):
                raise
        return self.run(sql, [v.replace("\0", NO_CHARACTER) if isinstance(v, str) else v for v in values])

    def pages(self, sql: str, values: Sequence[Any]) -> Iterator[list[Row]]:
        """By a cursor that the server fills at once: nothing stays open but what it holds."""
        name = f"pages{next(self._names)}"

        def ask(line: psycopg.Connection[Row]) -> psycopg.ServerCursor[Row]:
            return line.cursor(name, binary=True, withhold=True).execute(_marked(sql), values)

        if self._inside:
            self._after_unsent(lambda line: None)
        with ask(self._line) if self._inside else self._alone(ask, again=True) as cursor:
            while rows := cursor.fetchmany(PAGE):
                yield rows

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """Inside a write it is sent with the next statement that has an answer, or the commit: one wait for all."""
        made = _marked(sql)
        if self._inside:
            self._unsent.append((made, list(rows)))
        else:
            self._alone(lambda line: line.cursor().executemany(made, rows), again=False)

    def _after_unsent(self, act: Callable[[psycopg.Connection[Row]], Any]) -> Any:
        unsent, self._unsent = self._unsent, []
        if not unsent:
            return act(self._line)
        with self._line.pipeline():
            for made, rows in unsent:
                self._line.cursor().executemany(made, rows)
            return act(self._line)

    def begin(self) -> None:
        try:
            self._begin(BEGIN)
        except errors.LockNotAvailable:
            if not self._alone(lambda line: line.execute(END_FROZEN).fetchall(), again=True):
                raise
            self._begin(BEGIN)

    def begin_reading(self) -> None:
        self._begin(BEGIN_READING)

    def number_on(self, table: str, column: str) -> None:
        sql = f"SELECT setval(pg_get_serial_sequence(?, ?), max({column})) FROM {table}"  # noqa: S608
        self.run(sql, (table, column))  # of no rows it is set to null, which changes nothing

    def wipe(self, tables: Sequence[str]) -> None:
        """The tables are written anew. What stood in them before stays in the server's log until that is recycled."""
        for table in tables:
            sql = f"VACUUM FULL {table}".encode()
            self._alone(lambda line, sql=sql: line.execute(sql), again=True)  # type: ignore[misc]

    def let_go(self) -> None:
        """Old versions of rows stay until the server vacuums, and in its log until that is recycled."""

    def _begin(self, how: str) -> None:
        try:
            self._alone(lambda line: line.execute(how), again=True)
        except BaseException:
            self.rollback()
            raise
        self._inside = True

    def commit(self) -> None:
        """PostgreSQL answers COMMIT with ROLLBACK when a statement had failed; and with COMMIT and a warning when somebody
        ended the wait for the standby: then it stands on this server alone, and is not acknowledged."""
        self._warned = ""
        done = self._after_unsent(lambda line: line.execute("COMMIT"))
        self._inside = False
        if self._warned:
            self._line.close()
            raise psycopg.OperationalError(self._warned)
        if done.statusmessage != "COMMIT":
            raise errors.InFailedSqlTransaction("a statement of the write had failed")

    def rollback(self) -> None:
        """A line on which a statement failed is given up: of what was on the way behind it, driver and server may not agree
        which statements are prepared."""
        self._inside, self._unsent = False, []
        try:
            if self._line.info.transaction_status == TransactionStatus.INERROR:
                self._line.close()
            elif not self._line.closed and self._line.info.transaction_status != TransactionStatus.IDLE:
                self._line.execute("ROLLBACK")
        except psycopg.Error:  # the server rolls back what nobody holds any more
            self._line.close()

    def engine(self) -> Engine:
        def line() -> psycopg.Connection[Row]:
            made = self._connect()
            made.autocommit = False
            return made

        engine = create_engine(
            "postgresql+psycopg://", creator=line, poolclass=NullPool, use_native_hstore=False
        )
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(LOCK))
        return engine

    def fault(self, error: Exception) -> str | None:
        reason = error.orig if isinstance(error, DBAPIError) else error
        mistaken = isinstance(reason, MISTAKES) or (
            isinstance(reason, psycopg.ProgrammingError) and not isinstance(reason, UNREADY)
        )
        return None if mistaken else first_line(error if reason is None else reason)

    def close(self) -> None:
        self._line.close()


@lru_cache(maxsize=1_000)
def _marked(sql: str) -> bytes:
    """The statement with the marks of this driver; what stands in quotes is no mark."""
    parts = sql.replace("%", "%%").split("'")
    return "'".join(p if n % 2 else p.replace("?", "%s") for n, p in enumerate(parts)).encode()


def _reads(sql: str) -> bool:
    return sql.startswith(("SELECT", "WITH"))
