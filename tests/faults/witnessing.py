"""A witness that is killed by its own hand: `witnessing FILE PORT-FILE [after]` serves until, at the request of that number,
what it cosigned is on the disk and the answer has not been sent."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from gardesh.exchange.witness import Witness
from gardesh.exchange.witness_server import WitnessServer
from growing import cosigners

NAME = "w.example/killed"


class Killed(Witness):
    """Dies between the commit and the answer."""

    left = 0

    def add_checkpoint(self, body: bytes) -> bytes:
        lines = super().add_checkpoint(body)
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return lines


def main(path: str, port_file: str, after: str = "0") -> None:
    witness = Killed(Path(path), cosigners(NAME))
    witness.left = int(after)
    listening = socket.create_server(("127.0.0.1", 0))
    aside = Path(port_file + ".aside")
    aside.write_text(str(listening.getsockname()[1]), encoding="ascii")
    aside.rename(port_file)
    config = uvicorn.Config(WitnessServer(witness), lifespan="off", log_level="critical")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
