"""Services to measure: processes over one record, each with its own connections, and two witnesses beside when asked for."""

from __future__ import annotations

import gc
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import material
from bench.material import Material
from gardesh.exchange.cosigning import collect
from gardesh.exchange.witness import Witness
from gardesh.exchange.witness_server import WitnessServer
from gardesh.listening import listen, url_of
from gardesh.model import policy
from gardesh.model.signer import Signer
from gardesh.process import seldom_collect
from gardesh.record.blobs import Blobs
from gardesh.record.log import Log, stored_tiles
from gardesh.record.store import Store
from gardesh.web.configuration import Configuration, Limits, Listen, Operations
from gardesh.web.serve import Server

UNLIMITED = Configuration(
    listen=Listen(port=0), limits=Limits(rate=0.0, bundle_documents=10_000), operations=Operations(log="none")
)
EVERY = 1.0
"""After how many seconds the witnesses are asked again."""
PROCESSES = multiprocessing.get_context("fork")


@contextmanager
def services(
    made: Material, url: str, count: int = 1, *, witnessed: bool = False, fresh: bool = True
) -> Iterator[list[str]]:
    """The addresses of so many services over the record at `url`, which is made if `fresh`; they end with the block.

    `witnessed`: each second two witnesses cosign the newest checkpoint, as `gardesh log cosign` has it.
    """
    with ExitStack() as running, tempfile.TemporaryDirectory(prefix="gardesh-bench-") as folder:
        addresses = [
            running.enter_context(_process(_serve, made, url, fresh and n == 0, Path(folder)))
            for n in range(count)
        ]
        if witnessed:
            found = [running.enter_context(_witness(made, Path(folder), name)) for name in ("one", "two")]
            running.enter_context(_process(_cosign, made, url, found))
        yield addresses


@contextmanager
def _process(work: Any, *arguments: Any) -> Iterator[Any]:
    """What the process tells first; it is ended with the block."""
    here, there = PROCESSES.Pipe()
    process = PROCESSES.Process(target=work, args=(*arguments, there))
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def _serve(made: Material, url: str, first: bool, folder: Path, told: Any) -> None:
    seldom_collect()
    store = Store(url, create=first)
    fresh = material.node(store, made) if first else material.again(store, made)
    at = made.at
    gc.collect()
    gc.freeze()
    server = Server(lambda: fresh, Blobs(folder / "blobs"), UNLIMITED, clock=lambda: at)
    told.send(server.url)
    server.run()


@contextmanager
def _witness(made: Material, folder: Path, name: str) -> Iterator[policy.Witness]:
    key = Ed25519PrivateKey.generate()
    signer = Signer.of_checkpoints(f"{name}.example/witness", key)
    path = folder / f"{name}.sqlite"
    Witness.create(path, signer.verifier.name, [signer.verifier])
    knows = Witness(path)
    knows.add_log([s.verifier for s in made.signers])
    knows.close()
    with _process(_serve_witness, path, signer) as url:
        yield policy.Witness(name, (signer.verifier,), url)


def _serve_witness(path: Path, signer: Signer, told: Any) -> None:
    bound = listen("127.0.0.1", 0)
    settings: Any = {"lifespan": "off", "log_level": "error", "access_log": False}
    told.send(url_of(bound) + "/")
    uvicorn.Server(uvicorn.Config(WitnessServer(Witness(path, (signer,))), **settings)).run(sockets=[bound])


def _cosign(made: Material, url: str, witnesses: list[policy.Witness], told: Any) -> None:
    log = policy.TrustedLog(tuple(s.verifier for s in made.signers))
    asked = policy.Policy((log,), tuple(witnesses), policy.Group("both", 2, tuple(witnesses)))
    store = Store(url)
    told.send(True)
    while True:
        record = Log(store, material.ORIGIN, made.signers)
        done = collect(record.checkpoint(made.at), stored_tiles(store), asked)
        if not done.satisfied:
            raise SystemExit(str(list(done.missing.values())))
        record.keep_cosigned(record.size, done.note)
        time.sleep(EVERY)
