"""Hosts of their own on one machine: each in a network namespace, joined by wires that delay, lose, and can be cut (Linux).

The process that joins them is in a fresh namespace itself (`enclosed`), so nothing of the machine's own network is touched, and
no right is needed but to make user namespaces. Every packet between hosts goes through a TUN device and this process.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import selectors
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

ENCLOSED = "GARDESH_ENCLOSED"
TUN, TUNSETIFF, IFF_TUN_NO_PI = "/dev/net/tun", 0x400454CA, 0x1001
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8913, 0x8914, 0x8916, 0x891C
UP = 1
MASK = "255.255.255.0"
PACKET = 65_536
HOLD = "from gardesh.hosts import hold; hold()"


def allowed() -> bool:
    """Whether a process may have namespaces of its own here, with TUN devices in them."""
    if not shutil.which("unshare") or not shutil.which("nsenter") or not os.path.exists(TUN):
        return False
    tried = [*enclosed([sys.executable, "-c", "from gardesh.hosts import tun; tun('10.77.0.1')"])]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0  # noqa: S603


def enclosed(command: Sequence[str]) -> list[str]:
    """The command that runs `command` in a network namespace of its own, where it may do as it likes."""
    return ["unshare", "--map-root-user", "--net", "--", *command]


def tun(address: str) -> int:
    """A TUN device with that address, in the namespace of this thread; gives its descriptor. Raises OSError."""
    made = os.open(TUN, os.O_RDWR)
    try:
        fcntl.ioctl(made, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN_NO_PI))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_:
            for name, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, MASK)):
                place = struct.pack("16sHH4s8x", b"tun0", socket.AF_INET, 0, socket.inet_aton(value))
                fcntl.ioctl(any_, name, place)
            for device in (b"lo", b"tun0"):
                told = fcntl.ioctl(any_, SIOCGIFFLAGS, struct.pack("16sH22x", device, 0))
                (flags,) = struct.unpack_from("H", told, 16)
                fcntl.ioctl(any_, SIOCSIFFLAGS, struct.pack("16sH22x", device, flags | UP))
    except OSError:
        os.close(made)
        raise
    return made


def hold() -> None:
    """In the namespace of a new host: make its device, hand it over, and keep the namespace until that side ends."""
    address, number = sys.argv[1:]
    with socket.socket(fileno=int(number)) as line:
        device = tun(address)
        socket.send_fds(line, [b"tun"], [device])
        os.close(device)
        line.recv(1)


@dataclass(frozen=True, slots=True)
class Wire:
    """How packets go from one host to another. `loss`: of how many one is lost, from 0 to 1; `delay`: seconds, one way."""

    delay: float = 0.0
    loss: float = 0.0
    cut: bool = False


@dataclass(slots=True, eq=False)
class Host:
    """A host: its address, and the process that keeps its namespace (None: this process itself)."""

    address: str
    device: int
    keeper: subprocess.Popen[bytes] | None = None
    line: socket.socket | None = None
    packed: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.packed = socket.inet_aton(self.address)

    def command(self, words: Sequence[str]) -> list[str]:
        """The command that runs these words on the host."""
        if self.keeper is None:
            return list(words)
        return ["nsenter", "--net", "--target", str(self.keeper.pid), "--", *words]


class Network:
    """The hosts and the wires between them; for one process that is `enclosed`. `here` is the host of this process."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311 it loses packets, no more
        self.usual = Wire()
        self.wires: dict[tuple[Host, Host], Wire] = {}
        self.hosts: list[Host] = []
        self.views: dict[tuple[Host, bytes], Host] = {}
        """Whom a host reaches under an address, where that is another than everybody else reaches."""
        self._selector = selectors.DefaultSelector()
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._numbers = count()
        self._stopping = threading.Event()
        self.here = self._joined(Host("10.77.0.1", tun("10.77.0.1")))
        self._thread = threading.Thread(target=self._carry, name="wires", daemon=True)
        self._thread.start()

    def host(self, address: str | None = None) -> Host:
        """A new host. With the address of another, it is reached by whom `views` says."""
        ours, theirs = socket.socketpair()
        given = address or f"10.77.0.{len(self.hosts) + 1}"
        with theirs:
            words = ["unshare", "--net", "--", sys.executable, "-c", HOLD, given, str(theirs.fileno())]
            keeper = subprocess.Popen(words, pass_fds=[theirs.fileno()])  # noqa: S603
        _, descriptors, _, _ = socket.recv_fds(ours, 16, 1)
        return self._joined(Host(given, descriptors[0], keeper, ours))

    def _joined(self, host: Host) -> Host:
        os.set_blocking(host.device, False)
        self.hosts.append(host)
        self._selector.register(host.device, selectors.EVENT_READ, host)
        return host

    def between(self, one: Host, other: Host, wire: Wire | None) -> None:
        """Both ways; None: as usual again."""
        for pair in ((one, other), (other, one)):
            if wire is None:
                self.wires.pop(pair, None)
            else:
                self.wires[pair] = wire

    def _carry(self) -> None:
        while not self._stopping.is_set():
            wait = self._waiting[0][0] - time.monotonic() if self._waiting else 0.1
            for key, _ in self._selector.select(max(0.0, min(wait, 0.1))):
                self._take(key.data)
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, _, device, packet = heapq.heappop(self._waiting)
                _send(device, packet)

    def _take(self, source: Host) -> None:
        try:
            packet = os.read(source.device, PACKET)
        except (BlockingIOError, OSError):
            return
        target = self._target(source, packet)
        if target is None:
            return
        wire = self.wires.get((source, target), self.usual)
        if wire.cut or self._random.random() < wire.loss:
            return
        if wire.delay:
            due = time.monotonic() + wire.delay
            heapq.heappush(self._waiting, (due, next(self._numbers), target.device, packet))
        else:
            _send(target.device, packet)

    def _target(self, source: Host, packet: bytes) -> Host | None:
        if packet[0] >> 4 != 4:
            return None
        address = packet[16:20]
        seen = self.views.get((source, address))
        return seen or next((h for h in self.hosts if h.packed == address), None)

    def close(self) -> None:
        """The hosts end, with everything that runs on them."""
        self._stopping.set()
        self._thread.join()
        for host in self.hosts:
            os.close(host.device)
            if host.line is not None and host.keeper is not None:
                host.line.close()
                host.keeper.wait()

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _send(device: int, packet: bytes) -> None:
    try:
        os.write(device, packet)
    except OSError:  # the host is going down, or its queue is full: as on any wire, the packet is lost
        return
