"""A process that writes until it is killed: `writer create|write STORE [PAPERS]`.

It says what it was acknowledged as soon as it knows, one line each: `accepted <digest> <position> <receipt>` or
`refused <code>`. Whoever reads these lines may hold the record to them.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gardesh.model.problem import Problem
from gardesh.record.store import Store
from market import Market

HALF_AN_HOUR = 1_800_000
_saying = threading.Lock()


def say(line: str) -> None:
    """Past all buffers: what is in the pipe outlives the process."""
    data = (line + "\n").encode()
    with _saying:
        while data:
            data = data[os.write(1, data) :]


def write(market: Market, papers: Sequence[bytes], clock: itertools.count[int]) -> None:
    for paper in papers:
        try:
            done = market.node.intake.submit(paper, market.now + next(clock) * HALF_AN_HOUR)
        except Problem as problem:
            say(f"refused {problem.code}")
        else:
            receipt = b64encode(done.receipt.encode()).decode()
            say(f"accepted {done.digest.hex()} {done.position} {receipt}")


def main(act: str, path: str, papers: str = "") -> None:
    if act == "create":
        say("ready")
        Market(Store(path, create=True))
        say("created")
        return
    market, clock = Market.opened(Store(path)), itertools.count()
    streams = msgspec.msgpack.decode(Path(papers).read_bytes(), type=list[list[bytes]])
    threads = [threading.Thread(target=write, args=(market, stream, clock)) for stream in streams]
    say("ready")
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
