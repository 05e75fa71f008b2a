"""The kinds of faults, and how many of a thousand runs are of each."""

from __future__ import annotations

from collections.abc import Callable

import breaking
import clocks
import consuming
import contention
import killing
import volume
from run import Fault, Run

BOTH = ("sqlite", "postgresql")


def kind(name: str, act: Callable[[Run], None], sqlite: int, postgresql: int, *, disk: bool = False) -> Fault:
    share = {store: n for store, n in zip(BOTH, (sqlite, postgresql), strict=True) if n}
    return Fault(name, act, share, disk)


FAULTS = [
    kind("serve killed", killing.serve_killed, 140, 140),
    kind("serve frozen beside another", killing.frozen_beside_another, 0, 12),
    kind("sequencer killed, history checked", contention.sequencer_killed, 12, 24),
    kind("worker killed", killing.worker_killed, 20, 20),
    kind("publisher killed", killing.publisher_killed, 20, 20),
    kind("backup killed", killing.backup_killed, 20, 20),
    kind("witness killed", killing.witness_killed, 20, 20),
    kind("database killed", killing.database_killed, 0, 60),
    kind("database restarted", killing.database_restarted, 0, 30),
    kind("JetStream server killed", killing.nats_killed, 20, 20),
    kind("clock jumps", clocks.clock_jumps, 20, 20),
    kind("webhook consumers slow and dead", consuming.webhook_consumers, 12, 12),
    kind("stream consumers slow and dead", consuming.stream_consumers, 12, 12),
    kind("disk full", breaking.disk_full, 30, 25, disk=True),
    kind("file limited", breaking.file_limited, 15, 15),
    kind("disk read-only", breaking.read_only, 25, 20, disk=True),
    kind("power cut", breaking.power_cut, 30, 20, disk=True),
    kind("record torn", breaking.torn_record, 40, 30),
    kind("upload torn", breaking.torn_upload, 15, 15),
    kind("tiles torn", breaking.torn_tiles, 15, 15),
]


def impossible(fault: Fault) -> str:
    """Why runs of it cannot be made on this machine, if so."""
    return volume.impossible() if fault.disk else ""
