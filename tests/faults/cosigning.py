"""A witness on a host of its own: `cosigning FILE NAME ADDRESS KEY…` serves it at port 7380, for the log with these keys."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import uvicorn

from gardesh.exchange.witness import Witness
from gardesh.exchange.witness_server import WitnessServer
from gardesh.model.signer import Verifier
from growing import cosigners


def main(file: str, name: str, address: str, *keys: str) -> None:
    Witness.create(Path(file), name, [c.verifier for c in cosigners(name)])
    witness = Witness(Path(file), cosigners(name))
    witness.add_log([Verifier.parse(key) for key in keys])
    listening = socket.create_server((address, 7380))
    config = uvicorn.Config(WitnessServer(witness), lifespan="off", log_level="critical")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
