"""A node behind an event loop: one thread owns it, and submissions that come together share a transaction."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from gardesh.intake import KEY_UNKNOWN, Answer
from gardesh.model.canonical import base64url_decode
from gardesh.model.jose import PublicKey, read_header
from gardesh.model.problem import Problem, define
from gardesh.node import Node
from gardesh.record.registers import NOWHERE
from gardesh.web.masking import masked

T = TypeVar("T")
TOO_BUSY = define(
    "too-busy",
    503,
    en="The node has {waiting} requests before yours; try again in a moment.",
    fa="گره {waiting} درخواست پیش از درخواست شما دارد؛ اندکی بعد دوباره بفرستید.",
)
STOPPING = define(
    "stopping",
    503,
    en="The node is stopping; nothing of this request was done.",
    fa="گره در حال توقف است؛ از این درخواست چیزی انجام نشد.",
)
MOST_BYTES = 64 << 20
"""How many bytes of documents may wait, unless one submission alone is larger."""
LARGE = 65_536
"""From this size on, a document's signature is looked at before anything else of it."""
BATCH = 200
"""How many documents share a transaction at most, with the questions that came meanwhile; a bundle counts whole."""
TICK = 1.0
"""After how many seconds the clock is looked at again: what fell due is recorded, whether there is other work or not."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of the documents of a submission. `before`: how many the log held before it."""

    answers: list[Answer]
    before: int


def now() -> int:
    """The clock of this machine, in ms."""
    return time.time_ns() // 1_000_000


class Submission:
    __slots__ = ("answer", "documents", "size")

    def __init__(self, documents: Sequence[bytes]) -> None:
        self.documents = documents
        self.size = sum(map(len, documents))
        self.answer: asyncio.Future[Settled] = asyncio.get_running_loop().create_future()


class Question:
    __slots__ = ("answer", "ask", "asked", "changes")

    def __init__(self, ask: Callable[[Node], Any], *, changes: bool = False) -> None:
        self.ask, self.changes = ask, changes
        self.asked = time.monotonic()
        self.answer: Future[Any] = Future()


class Desk:
    """Everything that touches the node runs in its thread: some of what has come, then some more. `most`: how many may wait."""

    def __init__(
        self, open_node: Callable[[], Node], *, most: int = 10_000, clock: Callable[[], int] = now
    ) -> None:
        """Opens the node, in its own thread. `clock`: ms since the epoch. Raises whatever `open_node` raises."""
        self.most, self._clock = most, clock
        self._latest = 0
        self._looked = 0.0
        """When it was last looked at what other processes wrote."""
        self.trouble: Problem | None = None
        """What the record could not do when it was last written to, if it could not."""
        self._bytes = 0
        self._queue: queue.SimpleQueue[Submission | Question | None] = queue.SimpleQueue()
        self._listeners: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self.faults: Callable[[Exception], None] = lambda fault: None
        """Told of faults that no request is there to be told of."""
        self.notices = 0
        """How many notices the node has, as this process knows it."""
        self._stopping = False
        self._guard = threading.Lock()
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(open_node, opened), name="node")
        self._thread.start()
        opened.result()

    def clock(self) -> int:
        """The time of the node in ms. It does not go back, whatever the machine's clock does."""
        self._latest = max(self._latest, self._clock())
        return self._latest

    @property
    def waiting(self) -> int:
        """How many requests wait for the node's thread."""
        return self._queue.qsize()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and not self._stopping

    async def submit(self, documents: Sequence[bytes]) -> Settled:
        """Each document's own answer, in order. Those accepted are durable, and under a signed checkpoint. A refusal tells
        nothing of a case in which the issuer has no part.

        Raises `too-busy`, `stopping`; then nothing was done.
        """
        made = Submission(documents)
        self._put(made)
        return await made.answer

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever the record may have grown, for who waits on this loop for something new."""
        heard = (asyncio.get_running_loop(), asyncio.Event())
        self._listeners.append(heard)
        try:
            yield heard[1]
        finally:
            self._listeners.remove(heard)

    def _announce(self, node: Node) -> None:
        self.notices = node.sequencer.cases.notices.next
        for loop, event in list(self._listeners):
            with suppress(RuntimeError):  # that loop is closed
                loop.call_soon_threadsafe(event.set)

    async def ask(self, question: Callable[[Node], T]) -> T:
        """What `question` gives of the node, in its thread: with all in it that any process was told of before it was asked.
        Raises what it raises, `too-busy`, `stopping`."""
        made = Question(question)
        self._put(made)
        answer: T = await asyncio.wrap_future(made.answer)
        return answer

    async def change(self, question: Callable[[Node], T]) -> T:
        """As `ask`, of something that lets the record grow: who waits for news is told."""
        made = Question(question, changes=True)
        self._put(made)
        answer: T = await asyncio.wrap_future(made.answer)
        return answer

    def wait(self, question: Callable[[Node], T]) -> T:
        """As `ask`, for a thread that is neither the node's nor an event loop's."""
        made = Question(question)
        self._put(made)
        answer: T = made.answer.result()
        return answer

    def _put(self, work: Submission | Question) -> None:
        with self._guard:
            if self._stopping:
                raise Problem(STOPPING)
            size = work.size if isinstance(work, Submission) else 0
            if self.waiting >= self.most or (self._bytes and self._bytes + size > MOST_BYTES):
                raise Problem(TOO_BUSY, waiting=self.waiting)
            self._bytes += size
            self._queue.put(work)

    def close(self) -> None:
        """Finish what waits, then close the node. Harmless when done twice."""
        with self._guard:
            if not self._stopping:
                self._stopping = True
                self._queue.put(None)
        self._thread.join()

    # -- the node's thread --------------------------------------------------------------------------------

    def _run(self, open_node: Callable[[], Node], opened: Future[None]) -> None:
        try:
            node = open_node()
        except BaseException as error:  # noqa: BLE001 it is raised where the desk is made
            opened.set_exception(error)
            return
        opened.set_result(None)
        try:
            self._serve(node)
        finally:
            with self._guard:
                self._stopping = True
            self._turn_away()
            node.close()

    def _turn_away(self) -> None:
        """Whatever still waits when the thread ends is told so."""
        while not self._queue.empty():
            left = self._queue.get()
            if isinstance(left, Submission):
                _tell([(left.answer, None, Problem(STOPPING))])
            elif left is not None and left.answer.set_running_or_notify_cancel():
                left.answer.set_exception(Problem(STOPPING))

    def _serve(self, node: Node) -> None:
        ticked = 0.0
        while True:
            if time.monotonic() - ticked >= TICK:
                self._tick(node)
                self._announce(node)
                ticked = time.monotonic()
            submissions, questions, last = self._gathered()
            for question in questions:
                self._answer(question, node)
                if question.changes:
                    self._announce(node)
            if submissions:
                self._accept(submissions, node)
            if last:
                return

    def _gathered(self) -> tuple[list[Submission], list[Question], bool]:
        """Some of what waits, in the order in which it came, and whether nothing comes after. The questions are answered first:
        none of these submissions is acknowledged yet, and so they share one transaction however many questions lie between."""
        submissions: list[Submission] = []
        questions: list[Question] = []
        count = 0
        while count < BATCH:
            try:
                work = self._queue.get(timeout=TICK) if not count else self._queue.get_nowait()
            except queue.Empty:
                break
            if work is None:
                return submissions, questions, True
            if isinstance(work, Submission):
                submissions.append(work)
                count += max(1, len(work.documents))
            else:
                questions.append(work)
                count += 1
        return submissions, questions, False

    def _answer(self, work: Question, node: Node) -> None:
        if not work.answer.set_running_or_notify_cancel():
            return
        try:
            if work.asked >= self._looked:
                self._looked, before = time.monotonic(), self._looked
                try:
                    node.sequencer.look()
                except BaseException:
                    self._looked = before
                    raise
            work.answer.set_result(work.ask(node))
        except BaseException as error:  # noqa: BLE001 it is raised where the answer is waited for
            work.answer.set_exception(error)

    def _tick(self, node: Node) -> None:
        try:
            node.pass_time(self.clock())
        except Problem as problem:
            self.trouble = problem  # it is met again, and said, by the next submission
        except Exception as fault:  # noqa: BLE001 a fault of ours in one case must not stop all the others
            self.faults(fault)
        else:
            self.trouble = None

    def _accept(self, together: list[Submission], node: Node) -> None:
        waiting = [s for s in together if not s.answer.cancelled()]
        with self._guard:
            self._bytes -= sum(s.size for s in together)
        if not waiting:
            return
        before = node.sequencer.size
        try:
            papers = [d for s in waiting for d in s.documents]
            refused = {
                n: problem
                for n, d in enumerate(papers)
                if (problem := foreign(node, d, self.clock())) is not None
            }
            kept = [d for n, d in enumerate(papers) if n not in refused]
            accepted = iter(node.intake.submit_all(kept, self.clock()))
            told = [refused[n] if n in refused else next(accepted) for n in range(len(papers))]
            answers = iter(told)
            _tell([_outcome(node, s, [next(answers) for _ in s.documents], before) for s in waiting])
            self.trouble = None
            self._announce(node)
        except BaseException as error:  # noqa: BLE001 it is raised where the answers are waited for
            self.trouble = error if isinstance(error, Problem) else self.trouble
            _tell([(s.answer, None, error) for s in waiting])


def foreign(node: Node, document: bytes, at: int) -> Problem | None:
    """Why a large document is not even read: nobody who is registered signed it. Reading costs; a signature does not."""
    if len(document) < LARGE:
        return None
    signed = document.partition(b"~")[0]
    data, _, last = signed.rpartition(b".")
    try:
        kid = read_header(data.partition(b".")[0]).kid
        value = node.sequencer.registers.value("core/keys", kid, NOWHERE, at)
        if value is None:
            return Problem(KEY_UNKNOWN, kid=kid)
        PublicKey.from_jwk(value["jwk"]).verify(data, base64url_decode(last))
    except Problem as problem:
        return problem
    return None


Outcome = tuple[asyncio.Future[Any], Any, BaseException | None]


def _outcome(node: Node, submission: Submission, answers: list[Answer], before: int) -> Outcome:
    try:
        return submission.answer, Settled(masked(node, submission.documents, answers), before), None
    except Exception as fault:  # noqa: BLE001 it is raised where the answers are waited for, and nowhere else
        return submission.answer, None, fault


def _tell(outcomes: Sequence[Outcome]) -> None:
    """Answers to those who wait for them, in their own loops; each loop is woken once for all of its own."""
    loops: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        loops.setdefault(outcome[0].get_loop(), []).append(outcome)
    for loop, told in loops.items():
        with suppress(RuntimeError):  # that loop is closed
            loop.call_soon_threadsafe(_settle, told)


def _settle(told: list[Outcome]) -> None:
    for waiting, found, error in told:
        if waiting.done():
            continue
        if error is not None:
            waiting.set_exception(error)
        else:
            waiting.set_result(found)
