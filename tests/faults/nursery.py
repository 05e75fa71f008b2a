"""`gardesh` commands as processes of their own. They are forked from one that has read the program already, and so begin in
hundredths of a second."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services import PASSPHRASE, wait_for

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(
    ["gardesh.cli", "gardesh.web.stream", "gardesh.record.postgresql", "gardesh.study.restoration", "uvloop"]
)


class Command:
    """A command of `gardesh` on the node in `home`, begun. What it prints is kept in `log` (.out, .err).

    `name`: by which a database knows it. `times`: what it is told to be quicker with, `module:NAME` to a value.
    """

    def __init__(
        self,
        home: Path,
        *words: str,
        log: Path,
        name: str = "site-command",
        times: Mapping[str, Any] | None = None,
    ) -> None:
        self.out, self.err, self.name = log.with_suffix(".out"), log.with_suffix(".err"), name
        self.out.touch()
        environment = {"GARDESH_HOME": str(home), "GARDESH_PASSPHRASE": PASSPHRASE, "PGAPPNAME": name}
        given = (words, environment, str(self.out), str(self.err), dict(times or {}))
        self._process = _processes.Process(target=_run, args=given, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def ends(self, code: int | None = 0, seconds: float = 60) -> int:
        """Wait for its end; its exit code, which has to be `code` unless that is None."""
        self._process.join(seconds)
        found = self._process.exitcode
        assert found is not None, f"it does not end: {self.said()}"
        assert code is None or found == code, f"exit code {found}: {self.said()}"
        return found

    @property
    def ended(self) -> bool:
        return self._process.exitcode is not None

    def line(self) -> Any:
        """The first line of JSON that it prints."""
        wait_for(lambda: b"\n" in self.out.read_bytes() or self.ended)
        assert self.out.stat().st_size, self.said()
        return json.loads(self.out.read_bytes().partition(b"\n")[0])

    def said(self) -> str:
        return (self.out.read_text() + self.err.read_text())[-3000:]


class Serving(Command):
    """`gardesh serve`, and where it is."""

    url = ""

    def __init__(
        self, home: Path, *, log: Path, name: str = "site-serve", times: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(home, "--json", "serve", "--port", "0", log=log, name=name, times=times)

    def listens(self) -> Serving:
        self.url = self.line()["url"]
        return self


def _run(
    words: tuple[str, ...], environment: dict[str, str], out: str, err: str, times: dict[str, Any]
) -> None:
    os.environ.update(environment)
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
    sys.stdout, sys.stderr = (open(n, "w", encoding="utf-8", buffering=1, closefd=False) for n in (1, 2))  # noqa: SIM115
    for where, value in times.items():
        module, _, name = where.partition(":")
        setattr(importlib.import_module(module), name, value)
    sys.argv = ["gardesh", *words]
    from gardesh.cli import main

    main()
