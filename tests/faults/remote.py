"""A node on a host of its own: `remote FOLDER ORIGIN ADDRESS SKEW CONFIGURATION` serves it at port 8420, with a clock that is
`SKEW` ms off; it is made where the folder has none yet."""

from __future__ import annotations

import sys
from pathlib import Path

from gardesh.node import Node
from gardesh.record.blobs import Blobs
from gardesh.record.store import Store
from gardesh.web.configuration import read
from gardesh.web.desk import now
from gardesh.web.report import Report
from gardesh.web.serve import Server
from market import Market, record_keys, signers_of
from two_nodes import PACKS, clock_of


def main(folder: str, origin: str, address: str, skew: str, configuration: str) -> None:
    place, ahead = Path(folder), int(skew)
    file = place / "node.sqlite"
    if not file.exists():
        place.mkdir(exist_ok=True)
        Market(Store(str(file), create=True), PACKS, origin, clock_of(origin)).node.close()
    node = Node.open(
        Store(str(file)),
        signers=signers_of(origin),
        clock=("clock", clock_of(origin)),
        record_keys=record_keys,
    )
    made = read(f'[listen]\nhost = "{address}"\nport = 8420\n{configuration}'.encode())
    blobs = Blobs(place / "blobs")
    node.blobs = node.intake.attachments = blobs
    with (place / "log").open("a", buffering=1) as log:
        server = Server(lambda: node, blobs, made, Report("faults", log), lambda: now() + ahead, place)
        server.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
