"""What a service writes of its work: one JSON object a line. Routes are named by their form, never by what was asked for,
so that no name of a person, a case or a document is in it."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from typing import Any, TextIO

import msgspec

from gardesh.model.calendar import iso

REQUESTS, FAULTS, NONE = "requests", "faults", "none"


class Report:
    """Lines to `out`, by default standard error. `level`: requests, faults or none."""

    def __init__(self, level: str, out: TextIO | None = None) -> None:
        self.level, self.out = level, out or sys.stderr
        self._lock = threading.Lock()

    def request(
        self,
        name: str,
        method: str,
        route: str,
        status: int,
        seconds: float,
        size: int,
        state: dict[str, Any],
    ) -> None:
        """One request, answered. Of a fault, where it happened; never with values of variables."""
        fault = state.get("fault")
        if self.level == NONE or (self.level == FAULTS and status < 500):
            return
        line: dict[str, Any] = {
            "event": "request", "id": name, "method": method, "route": route, "status": status,
            "ms": round(seconds * 1000, 2), "bytes": size, "by": state.get("by", "nobody"),
        }  # fmt: skip
        line |= {member: state[member] for member in ("code", "reason", "trace") if member in state}
        if isinstance(fault, BaseException):
            line |= where(fault)
        self.line("error" if status >= 500 else "info", line)

    def fault(self, fault: BaseException) -> None:
        """A fault of ours that no request was there to be told of."""
        if self.level != NONE:
            self.line("error", {"event": "fault", **where(fault)})

    def take_over(self, *loggers: str) -> None:
        """What these loggers of libraries have to say becomes lines of ours, without the text of requests."""
        for name in loggers:
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [_Lines(self)], False
            logger.setLevel(logging.WARNING)

    def event(self, event: str, **members: Any) -> None:
        """Something that happened to the service itself."""
        if self.level != NONE:
            self.line("info", {"event": event, **members})

    def line(self, level: str, members: dict[str, Any]) -> None:
        at = iso(time.time_ns() // 1_000_000)
        text = msgspec.json.encode({"at": at, "level": level, **members}).decode()
        with self._lock:
            self.out.write(text + "\n")
            self.out.flush()


def where(fault: BaseException) -> dict[str, Any]:
    """What a fault is and where it happened, without any value."""
    frames = traceback.extract_tb(fault.__traceback__)
    return {"fault": type(fault).__name__, "where": [f"{f.filename}:{f.lineno} {f.name}" for f in frames]}


class _Lines(logging.Handler):
    """A logger's records as lines of a report: where they come from, and what they say; of values, numbers alone are put in."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report

    def emit(self, record: logging.LogRecord) -> None:
        values = record.args if isinstance(record.args, tuple) else ()
        numbers = bool(values) and all(type(value) in (int, float) for value in values)
        said = record.getMessage() if numbers else str(record.msg)
        line: dict[str, Any] = {"event": "library", "by": record.name, "says": said[:200]}
        if record.exc_info and record.exc_info[1] is not None:
            line |= where(record.exc_info[1])
        if self.report.level != NONE:
            self.report.line(record.levelname.lower(), line)
