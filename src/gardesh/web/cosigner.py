"""Has the witnesses of a policy cosign the newest checkpoint, beside the service, as the log grows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from gardesh.exchange.cosigning import collect
from gardesh.model.os_reason import of_os
from gardesh.model.policy import Policy, shown
from gardesh.model.policy_file import parse
from gardesh.model.problem import Problem, Wording, define
from gardesh.model.signer import Verifier
from gardesh.node import Node
from gardesh.record.log import Log, stored_tiles
from gardesh.web.desk import STOPPING, TOO_BUSY, Desk
from gardesh.web.report import Report
from gardesh.web.service import Service

POLICY_WRONG = define(
    "witness-policy-wrong",
    400,
    en="The policy {file}, which the configuration names at witnesses.policy, cannot be used: {reason}.",
    fa="خط‌مشی {file} که پیکربندی در witnesses.policy نام می‌برد قابل استفاده نیست: {reason}.",
)


class DeskTiles:
    """The tiles of a node's log, for another thread than the node's."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def read(self, level: int, index: int, width: int) -> bytes:
        return self.desk.wait(lambda node: stored_tiles(node.store).read(level, index, width))


class Cosigner:
    """Runs from `start` to `stop` on the service's event loop. What has the quorum is stored before it is used."""

    def __init__(self, service: Service, policy: Policy, report: Report) -> None:
        self.service, self.policy, self.report = service, policy, report
        self.settings = service.configuration.witnesses
        self._task: asyncio.Task[None] | None = None
        self._told: dict[str, str] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._round()
            except Problem as problem:
                if problem.code not in (STOPPING, TOO_BUSY):
                    self.report.event("cosigning-failed", code=problem.code)
            except Exception as fault:  # noqa: BLE001 the next round may go better, and requests are answered meanwhile
                self.report.fault(fault)
            await asyncio.sleep(self.settings.every_seconds)

    async def _round(self) -> None:
        size, note, have = await self.service.desk.ask(self._newest)
        if have == size:
            return
        tiles = DeskTiles(self.service.desk)
        done = await asyncio.to_thread(
            collect, note, tiles, self.policy, seconds=self.settings.timeout_seconds
        )
        missing = {shown(name): problem.code for name, problem in done.missing.items()}
        if missing != self._told:
            self.report.event("witnesses", missing=missing, quorum=done.satisfied)
            self._told = missing
        if done.satisfied:
            await self.service.desk.ask(lambda node: node.log.keep_cosigned(size, done.note))
            self.service.counts.cosigned.set(size)

    def _newest(self, node: Node) -> tuple[int, bytes, int | None]:
        """The size and the checkpoint of the log, and the size up to which the quorum has cosigned it."""
        log = node.log
        return log.size, log.checkpoint(node.sequencer.last_at), cosigned(log, self.policy)


def cosigned(log: Log, policy: Policy) -> int | None:
    """The size of the newest checkpoint that witnesses cosigned, if they are enough for this policy."""
    if log.cosigned is None:
        return None
    size, note = log.cosigned
    return size if policy.satisfied(policy.judge(note).witnessed) else None


def policy_of(file: str, folder: Path, origin: str, keys: Sequence[Verifier]) -> Policy | None:
    """The policy in the configured file, for the log of this origin and these keys; None where none is configured. Raises
    `witness-policy-wrong`."""
    if not file:
        return None
    place = folder / file
    try:
        made = parse(place.read_bytes()).for_log(origin, keys)
    except OSError as error:
        raise Problem(POLICY_WRONG, file=str(place), reason=of_os(error)) from None
    except Problem as error:
        raise Problem(POLICY_WRONG, file=str(place), reason=error.reason()) from None
    without = [shown(w.name) for w in made.witnesses if not w.url.startswith(("http://", "https://"))]
    if without or not made.witnesses:
        names = ", ".join(without)
        reason = Wording(
            en=f"it gives no address for {names or 'any witness'}",
            fa=f"نشانی {names or 'هیچ گواهی'} را نمی‌گوید",
        )
        raise Problem(POLICY_WRONG, file=str(place), reason=reason)
    return made
