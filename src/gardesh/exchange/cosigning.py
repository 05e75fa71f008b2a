"""A log asks its witnesses to cosign a checkpoint (C2SP tlog-witness, the client's side), all at once.

Nothing a witness answers is trusted: a cosignature is kept only if it verifies by a key that the policy has for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from gardesh.model import note
from gardesh.model.checkpoint import attach
from gardesh.model.note import MAX_NOTE_BYTES, Note, Signature
from gardesh.model.policy import Policy, Witness, shown
from gardesh.model.problem import Problem, define
from gardesh.model.tile import TileReader, consistency_proof
from gardesh.model.treehead import TreeHead
from gardesh.model.witness import Request, read_size

NO_ADDRESS = define(
    "witness-without-address",
    400,
    en="The policy gives no http or https address for the witness {witness}.",
    fa="خط‌مشی برای گواه {witness} نشانی http یا https ندارد.",
)
UNREACHABLE = define(
    "witness-unreachable",
    502,
    en="The witness {witness} cannot be reached: {reason}.",
    fa="گواه {witness} در دسترس نیست: {reason}.",
)
TOO_SLOW = define(
    "witness-too-slow",
    504,
    en="The witness {witness} did not answer within {seconds} seconds.",
    fa="گواه {witness} در {seconds} ثانیه پاسخ نداد.",
)
REFUSED = define(
    "witness-refused",
    502,
    en="The witness {witness} refused with HTTP status {status}: {said}",
    fa="گواه {witness} با وضعیت HTTP {status} نپذیرفت: {said}",
)
ANSWER_MALFORMED = define(
    "witness-answer-malformed",
    502,
    en="What the witness {witness} answered is not as C2SP tlog-witness has it.",
    fa="پاسخ گواه {witness} با قالب C2SP tlog-witness سازگار نیست.",
)
NOT_COSIGNED = define(
    "witness-cosignature-missing",
    502,
    en="The witness {witness} answered, but with no cosignature by the key that the policy has for it.",
    fa="گواه {witness} پاسخ داد، اما با امضایی که از کلیدِ او در خط‌مشی نیست.",
)
COSIGNATURE_WRONG = define(
    "witness-cosignature-wrong",
    502,
    en="The witness {witness} answered with a cosignature that is wrong or gives no time.",
    fa="گواه {witness} با امضایی نادرست یا بی‌زمان پاسخ داد.",
)
AHEAD = define(
    "witness-ahead",
    409,
    en="The witness {witness} has cosigned {seen} entries of this log, which has {size} here.",
    fa="گواه {witness} تا {seen} مدخل از این دفتر را امضا کرده است که در اینجا {size} مدخل دارد.",
    hint_en="If this log was restored from an old copy, entries are lost: find the newer copy before anything else.",
    hint_fa="اگر این دفتر از نسخه‌ای کهنه بازگردانده شده، مدخل‌هایی گم شده است: پیش از هر کار نسخهٔ تازه‌تر را بیابید.",
)
MOST_ASKED = 4
"""How often one witness is asked for one checkpoint: others may ask it for the same log at the same time."""
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint with all cosignatures that it has; `satisfied`: they meet the policy's quorum.

    `signed` has the time of each witness (POSIX s); `missing` why each of the others did not sign.
    """

    note: bytes
    signed: Mapping[str, int]
    missing: Mapping[str, Problem]
    satisfied: bool


def collect(checkpoint: bytes, tiles: TileReader, policy: Policy, *, seconds: float = SECONDS) -> Cosigned:
    """Ask every witness of the policy to cosign `checkpoint`, each for `seconds` at most; `tiles` are the log's.

    Why one did not sign is in the answer. Raises only as `Policy.judge`, for the checkpoint itself, and `tile-broken`.
    """
    return asyncio.run(collect_async(checkpoint, tiles, policy, seconds=seconds))


async def collect_async(
    checkpoint: bytes, tiles: TileReader, policy: Policy, *, seconds: float = SECONDS
) -> Cosigned:
    """As `collect`, within an event loop. `tiles` are read in that loop's thread."""
    judged = policy.judge(checkpoint)
    head, bare = judged.head, without_witnesses(judged.note, policy)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=seconds, limits=limits, follow_redirects=False) as client:
        asking = [_Asking(client, witness, bare, head, tiles, seconds) for witness in policy.witnesses]
        answers = await asyncio.gather(*(each.cosignatures() for each in asking))
    missing: dict[str, Problem] = {}
    lines: list[Signature] = []
    for witness, answer in zip(policy.witnesses, answers, strict=True):
        if isinstance(answer, Problem):
            missing[witness.name] = answer
        else:
            lines += answer
    keys = [key for witness in policy.witnesses for key in witness.keys]
    made = attach(checkpoint, lines, keys)
    judged = policy.judge(made)
    left = {name: problem for name, problem in missing.items() if name not in judged.witnessed}
    return Cosigned(made, judged.witnessed, left, policy.satisfied(judged.witnessed))


def without_witnesses(signed: Note, policy: Policy) -> bytes:
    """The checkpoint with the log's own signatures alone: a witness needs no others, and some take 10 kB at most."""
    keys = [key for log in policy.logs for key in log.keys]
    return Note(signed.text, tuple(s for s in signed.signatures if any(key.made(s) for key in keys))).encode()


@dataclass(frozen=True, slots=True)
class _Asking:
    """One witness, one checkpoint."""

    client: httpx.AsyncClient
    witness: Witness
    checkpoint: bytes
    head: TreeHead
    tiles: TileReader
    seconds: float

    async def cosignatures(self) -> Sequence[Signature] | Problem:
        try:
            async with asyncio.timeout(self.seconds):
                return await self._ask()
        except TimeoutError:
            return self._problem(TOO_SLOW, seconds=self.seconds)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict) as error:
            if isinstance(error, httpx.TimeoutException):
                return self._problem(TOO_SLOW, seconds=self.seconds)
            return self._problem(UNREACHABLE, reason=str(error) or type(error).__name__)
        except Problem as problem:
            return problem

    async def _ask(self) -> Sequence[Signature]:
        if not self.witness.url.startswith(("https://", "http://")):
            raise self._problem(NO_ADDRESS)
        old = 0
        for _ in range(MOST_ASKED):
            request = Request(old, tuple(consistency_proof(old, self.head.size, self.tiles)), self.checkpoint)
            status, body = await self._post(request.encode())
            if status == 200:
                return self._checked(body)
            if status != 409:
                break
            seen = read_size(body)
            if seen is None and old == self.head.size:
                break  # it has cosigned another tree of this size
            if seen is None:
                raise self._problem(ANSWER_MALFORMED)
            if seen > self.head.size:
                raise self._problem(AHEAD, seen=seen, size=self.head.size)
            old = seen
        said = body[:200].decode("utf-8", "replace").strip()
        raise self._problem(REFUSED, status=status, said=said)

    async def _post(self, request: bytes) -> tuple[int, bytes]:
        """Raises `witness-answer-malformed` for an answer that is longer than a note may be, or compressed: none is asked for."""
        url = self.witness.url.rstrip("/") + "/add-checkpoint"
        plain = {"accept-encoding": "identity"}
        async with self.client.stream("POST", url, content=request, headers=plain) as response:
            body = b""
            if response.headers.get("content-encoding", "identity") != "identity":
                raise self._problem(ANSWER_MALFORMED)
            async for part in response.aiter_raw():
                body += part
                if len(body) > MAX_NOTE_BYTES:
                    raise self._problem(ANSWER_MALFORMED)
            return response.status_code, body

    def _checked(self, body: bytes) -> Sequence[Signature]:
        """The lines by this witness's keys, all of them verified; lines by other keys are ignored."""
        try:
            lines = note.parse_signatures(body)
        except Problem:
            raise self._problem(ANSWER_MALFORMED) from None
        mine = [(key, line) for line in lines for key in self.witness.keys if key.made(line)]
        if not mine:
            raise self._problem(NOT_COSIGNED)
        for key, line in mine:
            try:
                at = key.check(self.head.text(), line)
            except Problem:
                at = 0
            if not at:  # a cosignature by a witness says when it was made
                raise self._problem(COSIGNATURE_WRONG)
        return [line for _, line in mine]

    def _problem(self, code: str, **params: Any) -> Problem:
        return Problem(code, witness=shown(self.witness.name), **params)
