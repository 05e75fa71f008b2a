"""The client for programs on an event loop: as `gardesh.client.synchronous`, awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from hashlib import sha256
from types import TracebackType
from typing import Any, BinaryIO, TypeVar

import httpx

from gardesh import wire
from gardesh.client import call as calls
from gardesh.client.call import Call, Unexpected, problem_of
from gardesh.client.retrying import ATTEMPTS, pause
from gardesh.client.signing import Signature, Tokens
from gardesh.model.document import sign
from gardesh.model.jose import SigningKey
from gardesh.model.policy import Policy
from gardesh.model.tile import WIDTH
from gardesh.record.clock import salt

T = TypeVar("T")
STREAM = httpx.Timeout(10, read=60)
"""A stream says at least every 15 seconds that it is alive."""
PART = 8 << 20
"""Bytes of one part of an upload."""


class AsyncClient:
    """A connection to one node. For one event loop.

    `who`: a `Token`, `ClientCredentials` or a `Signature`; without, only what is open to all can be asked. `policy`: every
    receipt is verified by it. What was lost on the way is sent again a few times, where that cannot do a thing twice.
    """

    def __init__(
        self, url: str, who: Signature | Tokens | None = None, *, policy: Policy | None = None, lang: str = "en",
        timeout: float = 30,
        clock: Callable[[], float] = time.time, transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:  # fmt: skip
        self.policy, self.clock = policy, clock
        self._http = httpx.AsyncClient(
            base_url=url,
            auth=who,
            timeout=timeout,
            transport=transport,
            headers={"accept-language": lang, "accept-encoding": "identity"},
        )

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def run(self, asked: Call[T]) -> T:
        """Ask, and read the answer. Raises `Refused`, `Unexpected`, and what httpx raises when no answer comes."""
        lost = False
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1 or not asked.repeatable
            try:
                response = await self._http.request(
                    asked.method,
                    asked.path,
                    params=dict(asked.params),
                    content=asked.content,
                    headers=dict(asked.headers),
                )
            except httpx.TransportError:
                if last:
                    raise
                lost = True
                await asyncio.sleep(pause(attempt, None))
                continue
            if calls.settled(asked, response, lost):
                return asked.read(response)
            if last or response.status_code not in (429, 503):
                break
            await asyncio.sleep(pause(attempt, response.headers.get("retry-after")))
        raise problem_of(response)

    # -- documents ----------------------------------------------------------------------------------------

    async def submit(self, document: bytes) -> wire.Accepted:
        """Submit a signed document. Sending it again gives the same position."""
        return await self.run(calls.submit(document, self.policy))

    async def submit_all(self, documents: Sequence[bytes]) -> wire.BundleAnswer:
        """Submit documents in one transaction; each has its own answer."""
        return await self.run(calls.submit_all(documents, self.policy))

    async def draft(self, wanted: wire.DraftWanted, org: str) -> wire.Draft:
        """What could be signed; checked to be what was asked for."""
        made = await self.run(calls.draft(wanted))
        calls.checked(made, wanted, org, int(self.clock() * 1000))
        return made

    async def issue(
        self, wanted: wire.DraftWanted, subject: Mapping[str, Any], org: str, key: SigningKey
    ) -> wire.Accepted:
        """Draft, sign with the key here, and submit."""
        made = await self.draft(wanted, org)
        return await self.submit(
            sign(made.claims, dict(subject), key, salt=salt, disclosable=made.disclosable)
        )

    async def read(self, document: str, purpose: str) -> bytes:
        """A document, with what may be read of it. The read is recorded, with what it is for."""
        return await self.run(calls.read_document(document, purpose))

    async def receipt(self, document: str) -> bytes:
        """The C2SP tlog-proof of a document."""
        return await self.run(calls.receipt(document, self.policy))

    async def readers(self, document: str) -> AsyncIterator[wire.Read]:
        """Who read a document, the oldest first."""
        cursor: str | None = None
        while True:
            page = await self.run(calls.get(f"/v1/documents/{document}/readers", wire.Readers, cursor=cursor))
            for each in page.readers:
                yield each
            if (cursor := calls.further(cursor, page.next)) is None:
                return

    async def search(self, kind: str, value: str) -> AsyncIterator[wire.Described]:
        """Documents by a business key, the newest first."""
        cursor: str | None = None
        while True:
            page = await self.run(
                calls.get("/v1/search", wire.Documents, kind=kind, value=value, cursor=cursor)
            )
            for each in page.documents:
                yield each
            if (cursor := calls.further(cursor, page.next)) is None:
                return

    # -- cases --------------------------------------------------------------------------------------------

    async def case(self, case: str) -> wire.Case:
        return await self.run(calls.get(f"/v1/cases/{case}", wire.Case))

    async def case_file(self, case: str) -> bytes:
        """What may be read of a case, with all proofs: one ZIP that is checked offline. The reads are recorded."""
        return await self.run(calls.case_file(case))

    async def bring(self, file: bytes) -> wire.Accepted:
        """Bring the case file of a case on another node that was opened for a slot here: the mirror of what it proves."""
        return await self.run(calls.bring(file))

    async def relay(self, document: bytes, log: str, policy: Policy | None = None) -> wire.Accepted:
        """Submit a document to the node with that log, by way of this one; with `policy`, its receipt is verified."""
        return await self.run(calls.relay(document, log, policy))

    async def plan(self, case: str) -> wire.Plan:
        """What can be issued now, and by whom."""
        return await self.run(calls.get(f"/v1/cases/{case}/plan", wire.Plan))

    async def why(self, case: str) -> wire.Why:
        """The chain of waits that holds the case."""
        return await self.run(calls.get(f"/v1/cases/{case}/why", wire.Why))

    async def documents(self, case: str) -> AsyncIterator[wire.Described]:
        """The documents of a case that may be read, page after page."""
        cursor: str | None = None
        while True:
            page = await self.run(calls.get(f"/v1/cases/{case}/documents", wire.Documents, cursor=cursor))
            for each in page.documents:
                yield each
            if (cursor := calls.further(cursor, page.next)) is None:
                return

    async def cases(self, part: str = "opened") -> AsyncIterator[wire.CaseRow]:
        """The caller's cases: those it `opened`, or those it `worked` in."""
        cursor: str | None = None
        while True:
            page = await self.run(calls.get("/v1/cases", wire.Cases, part=part, cursor=cursor))
            for each in page.cases:
                yield each
            if (cursor := calls.further(cursor, page.next)) is None:
                return

    async def worklist(self) -> AsyncIterator[wire.Work]:
        """What waits on the caller, by deadline."""
        cursor: str | None = None
        while True:
            page = await self.run(calls.get("/v1/worklist", wire.Worklist, cursor=cursor))
            for each in page.work:
                yield each
            if (cursor := calls.further(cursor, page.next)) is None:
                return

    # -- notices ------------------------------------------------------------------------------------------

    async def inbox(self, consumer: str = "default", after: int | None = None) -> wire.Notices:
        """A page of notices, from where the consumer left off; they come again until they are acknowledged."""
        return await self.run(calls.get("/v1/inbox", wire.Notices, consumer=consumer, after=after))

    async def ack(self, upto: int, consumer: str = "default") -> wire.Acked:
        """All notices up to this one were dealt with."""
        return await self.run(calls.ack(upto, consumer))

    async def notices(
        self, consumer: str = "default", after: int | None = None
    ) -> AsyncIterator[wire.Notice]:
        """Notices as they come, for ever: taken up again where a line was cut. Acknowledge what was dealt with."""
        while True:
            headers = {} if after is None else {"last-event-id": str(after)}
            ask = self._http.stream(
                "GET", "/v1/inbox/stream", params={"consumer": consumer}, headers=headers, timeout=STREAM
            )
            try:
                async with ask as response:
                    if not response.is_success:
                        await response.aread()
                        raise problem_of(response)
                    async for data in calls.aevents(response):
                        notice = calls.notice(data)
                        after = notice.id
                        yield notice
            except httpx.TransportError:
                await asyncio.sleep(pause(3, None))

    # -- webhooks -----------------------------------------------------------------------------------------

    async def make_webhook(self, url: str, roles: Sequence[str] | None = None) -> wire.NewWebhook:
        """Have notices sent to a URL, from now on: of these roles, or of all that are held. The secret is told this once."""
        return await self.run(calls.make_webhook(url, roles))

    async def webhooks(self) -> list[wire.Webhook]:
        """The caller's webhooks, and how the last attempt of each went."""
        return (await self.run(calls.get("/v1/webhooks", wire.Webhooks))).webhooks

    async def remove_webhook(self, webhook: str) -> None:
        """Have notices sent there no more."""
        await self.run(calls.remove_webhook(webhook))

    async def resume_webhook(self, webhook: str, after: int | None = None) -> wire.Webhook:
        """A paused webhook goes on; with `after`, everything behind that notice is sent again."""
        return await self.run(calls.resume_webhook(webhook, after))

    async def deliveries(self, webhook: str) -> AsyncIterator[wire.Delivery]:
        """What was sent to a webhook, the newest attempt first."""
        cursor: str | None = None
        while True:
            page = await self.run(
                calls.get(f"/v1/webhooks/{webhook}/deliveries", wire.Deliveries, cursor=cursor)
            )
            for each in page.deliveries:
                yield each
            if (cursor := calls.further(cursor, page.next)) is None:
                return

    # -- registers, log, attachments ----------------------------------------------------------------------

    async def entry(self, register: str, key: str, as_of: str | None = None) -> wire.Entry:
        """What a register (pack/register) holds under a key, now or as of an instant."""
        return await self.run(calls.entry(register, key, as_of))

    async def entries(self, register: str, as_of: str | None = None) -> AsyncIterator[wire.Entry]:
        """What a register (pack/register) holds in force, now or as of an instant, in the order of the keys."""
        path, cursor = f"/v1/registers/{register}", None
        while True:
            page = await self.run(calls.get(path, wire.Entries, as_of=as_of, cursor=cursor))
            for each in page.entries:
                yield each
            if (cursor := calls.further(cursor, page.next)) is None:
                return

    async def node(self) -> wire.NodeInfo:
        return await self.run(calls.get("/v1/node", wire.NodeInfo))

    async def checkpoint(self) -> bytes:
        """The newest signed checkpoint."""
        return await self.run(calls.checkpoint())

    async def tile(self, level: int, index: int, width: int = WIDTH) -> bytes:
        """The hashes of a tile of the log (C2SP tlog-tiles), `width` of them: full ones have 256 and never change."""
        return await self.run(calls.tile(level, index, width))

    async def entry_bundle(self, index: int, width: int = WIDTH) -> bytes:
        """A bundle of the log's entries: those below tile `index` of level 0. `entry.decode_bundle` reads it."""
        return await self.run(calls.entry_bundle(index, width))

    async def register_statement(self, statement: bytes) -> bytes:
        """Register a COSE Signed Statement (SCITT): the document in it is submitted as any other. Returns a COSE receipt;
        none has witnesses, so one is refused under a policy that asks for some: `cose-receipt-unwitnessed`."""
        return await self.run(calls.register(statement, self.policy))

    async def begin_upload(self) -> wire.Upload:
        """A new upload: what to give to `upload`, and to give again if that was cut off."""
        return await self.run(calls.begin_upload())

    async def upload(self, stream: BinaryIO, upload: wire.Upload | None = None) -> wire.Upload:
        """Send an attachment, a part at a time. `upload`: one that was begun and cut off; the stream is then read on from
        where it ended, and begins with what was sent. Returns its digest and size; only then name it in a document."""
        offset, seen = 0, sha256()
        if upload is None:
            upload = await self.begin_upload()
        else:
            offset = await self.run(calls.offset_of(upload.id))
            for piece in calls.before(stream, offset, PART):
                seen.update(piece)
        part = await asyncio.to_thread(stream.read, PART)
        while True:
            following = await asyncio.to_thread(stream.read, PART)
            seen.update(part)
            told = await self.run(calls.append(upload.id, offset, part, not following))
            if not following:
                if told.digest != seen.hexdigest():
                    raise Unexpected("the node has taken something else than was sent")
                return told
            offset, part = offset + len(part), following

    async def cancel_upload(self, upload: wire.Upload) -> None:
        """Have what was sent of an upload removed, if it is not whole yet."""
        await self.run(calls.cancel(upload.id))

    async def download(
        self, document: str, digest: str, purpose: str, first: int = 0
    ) -> AsyncIterator[bytes]:
        """An attachment, a piece at a time, from byte `first` on. Compare the whole with its digest."""
        headers = {"accept-encoding": "identity", **({"range": f"bytes={first}-"} if first else {})}
        url = f"/v1/documents/{document}/attachments/{digest}"
        async with self._http.stream("GET", url, params={"purpose": purpose}, headers=headers) as response:
            if not response.is_success:
                await response.aread()
                raise problem_of(response)
            async for piece in response.aiter_raw():
                yield piece
