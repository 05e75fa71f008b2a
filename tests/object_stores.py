"""A real object store that speaks S3 (SeaweedFS), on free ports of this machine, for as long as a module of tests needs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from nats_servers import free_port

PROGRAM = Path(sys.executable).parent / "weed"
KEY, SECRET = "gardesh-key", "a-secret-that-is-never-told"
BUCKET, PUBLIC = "offices", "public"
"""What is in the second one, anybody may read."""


@cache
def unusable() -> str | None:
    """Why the server cannot be run on this machine."""
    try:
        subprocess.run([PROGRAM, "version"], check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        return getattr(error, "strerror", None) or type(error).__name__
    return None


class ObjectStore:
    """One server with two buckets. `environment` is what a process needs to use it."""

    def __init__(self, folder: Path) -> None:
        if (reason := unusable()) is not None:
            pytest.skip(f"SeaweedFS cannot be run: {reason}")
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1",
        }  # fmt: skip
        may = [
            {"name": "node", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]},
            {
                "name": "other",
                "credentials": [{"accessKey": "reader", "secretKey": SECRET}],
                "actions": ["Read", "List"],
            },
            {"name": "anonymous", "actions": [f"Read:{PUBLIC}"]},
        ]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "s3.json").write_text(json.dumps({"identities": may}), encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None
        self._ports = {name: (free_port(), free_port()) for name in ("master", "volume", "filer")}
        self._ports["s3"] = (self.port, free_port())

    def start(self) -> None:
        ports = [
            f"-{n}.port{k}={p}"
            for n, both in self._ports.items()
            for k, p in zip(("", ".grpc"), both, strict=True)
        ]
        words = [
            PROGRAM, "server", f"-dir={self.folder}", "-ip=127.0.0.1", "-filer", "-s3", *ports, "-volume.max=20",
            f"-s3.config={self.folder}/s3.json", "-master.volumeSizeLimitMB=256", "-master.telemetry=false",
            "-s3.port.iceberg=0", "-s3.port.lance=0",
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log)
        begun = time.monotonic()
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() - begun < 120
            time.sleep(0.1)

    def _answers(self) -> bool:
        """Whether it takes an object: the parts of the server find each other a while after they listen."""
        from gardesh.model.problem import Problem
        from gardesh.record.object_store import opened

        try:
            urllib.request.urlopen(self.url, timeout=5)
        except urllib.error.HTTPError:
            with environment(self.environment):
                try:
                    for bucket in (BUCKET, PUBLIC):
                        opened(f"s3://{bucket}/begun", lasting=False).replace("ready", b"1")
                except Problem:
                    return False
            return True
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """A server, and an environment in which `s3://` means it."""
    made = ObjectStore(folder)
    try:
        made.start()
        with environment(made.environment):
            yield made
    finally:
        made.stop()
