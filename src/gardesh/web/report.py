"""What a service writes of its work: one JSON object a line. Routes are named by their form, never by what was asked for,
so that no name of a person, a case or a document is in it."""

from __future__ import annotations

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
        line |= {member: state[member] for member in ("code", "trace") if member in state}
        if isinstance(fault, BaseException):
            line["fault"] = type(fault).__name__
            line["where"] = [
                f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(fault.__traceback__)
            ]
        self.line("error" if status >= 500 else "info", line)

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
