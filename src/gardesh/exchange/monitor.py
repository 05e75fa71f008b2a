"""A monitor follows a log: is every checkpoint it signs a continuation of all before, and do its entries keep the rules?

It reads the entries again, so it knows the tree of every size that it has passed: a checkpoint of any of them that says
otherwise proves a fork.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gardesh.exchange import log_source
from gardesh.exchange.log_source import LogSource, ServedTiles
from gardesh.exchange.monitor_state import DIGEST_TWICE, TIME_BACK, MonitorState
from gardesh.model.checkpoint import OTHER_LOG
from gardesh.model.entry import Entry, decode_bundle, entry_hash
from gardesh.model.fork import Fork
from gardesh.model.merkle import Tree, verify_consistency
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem, define
from gardesh.model.tile import WIDTH, TileNodes, TileReader, entries_path
from gardesh.model.treehead import TreeHead

FORKED = define(
    "log-forked",
    409,
    en="The log {origin} has signed two histories: one of {first} entries, one of {second}.",
    fa="دفتر {origin} دو تاریخ را امضا کرده است: یکی با {first} مدخل و دیگری با {second} مدخل.",
    hint_en="Keep both checkpoints and show them to others: together they are the proof.",
    hint_fa="هر دو نقطهٔ وارسی را نگه دارید و به دیگران نشان دهید: این دو با هم مدرک‌اند.",
)
SMALLER = define(
    "log-head-smaller",
    409,
    en="The log shows a checkpoint of {size} entries, though it has signed one of {seen}.",
    fa="دفتر نقطهٔ وارسی با {size} مدخل را نشان می‌دهد، حال آن که پیش‌تر {seen} مدخل را امضا کرده است.",
    hint_en="A cache that is behind does this; so does a log that takes entries back. Look again in a while.",
    hint_fa="حافظهٔ نهان عقب‌مانده چنین می‌کند؛ دفتری هم که مدخل‌ها را پس می‌گیرد. کمی بعد دوباره نگاه کنید.",
)
TILES_WRONG = define(
    "log-tiles-wrong",
    502,
    en="{path} is not what the log's checkpoint of {size} entries signs.",
    fa="{path} آن نیست که نقطهٔ وارسی دفتر با {size} مدخل امضا کرده است.",
)
AT_ONCE = 32
"""How many bundles are read, checked and stored together."""


class ForkFound(Problem):
    """The log forked; `fork` proves it."""

    def __init__(self, fork: Fork, first: TreeHead, second: TreeHead) -> None:
        super().__init__(FORKED, origin=first.origin, first=first.size, second=second.size)
        self.fork = fork


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at the log gave: its head, how many entries are new, which rules any of its entries ever broke."""

    head: TreeHead
    new: int
    findings: tuple[Problem, ...]


class Monitor:
    """Follows the log at `source`, trusting its checkpoints by `policy`; `state` is a file, or `MEMORY`."""

    def __init__(self, source: LogSource, policy: Policy, state: Path) -> None:
        self.source, self.policy = source, policy
        self.state = MonitorState(state)

    def look(self) -> Seen:
        """Look at the log once. What is seen is durable before it is told.

        Raises :class:`ForkFound` (`log-forked`), now and whenever it looks again; `log-head-smaller`; `log-tiles-wrong`
        and `tile-broken`; `log-file-unavailable`; for the checkpoint itself as `Policy.verify`; `monitor-state-busy`,
        `store-unusable`.
        """
        known = self.state.fork()
        if known is not None:
            raise self._forked(known)
        raw = log_source.checkpoint(self.source)
        head = self.policy.verify(raw).head
        self._same_log(head)
        nodes = TileNodes(head.size, ServedTiles(self.source))
        self._compare(head, raw, Tree(head.size, nodes), nodes)
        before, _ = self.state.progress
        while self.state.progress[0] < head.size:
            self._read_on(head, nodes)
        return Seen(head, head.size - before, tuple(self.state.findings()))

    def hear(self, raw: bytes) -> None:
        """Hold a checkpoint that came another way, with a receipt or a case file, against what the log serves; after a look.

        Raises as `look`, but `log-head-smaller`: an older checkpoint that the log did pass is right.
        """
        known = self.state.fork()
        if known is not None:
            raise self._forked(known)
        head = self.policy.verify(raw).head
        self._same_log(head)
        nodes = TileNodes(head.size, ServedTiles(self.source))
        try:
            self._compare(head, raw, Tree(head.size, nodes), nodes)
        except Problem as problem:
            if problem.code != SMALLER:
                raise

    def _same_log(self, head: TreeHead) -> None:
        origin = self.state.origin
        if origin is None:
            self.state.begin(head.origin)
        elif origin != head.origin:
            raise Problem(OTHER_LOG, found=head.origin, expected=origin)

    # -- heads ----------------------------------------------------------------------------------------------

    def _compare(self, head: TreeHead, raw: bytes, tree: Tree, nodes: TileNodes) -> None:
        """Hold a head against those seen; afterwards it is one of them."""
        same, newest = self.state.head_of(head.size), self.state.newest()
        if same is not None and same[0].root != head.root:
            raise self._keep(Fork(same[1], raw, head.root))
        if newest is not None and head.size < newest[0].size:
            self._look_back(head, raw, *newest)
            raise Problem(SMALLER, size=head.size, seen=newest[0].size)
        if same is not None:
            return
        if tree.root() != head.root:
            raise self._wrong("tile/", head)
        if newest is not None:
            self._look_ahead(head, raw, *newest, tree, nodes)
        self.state.keep_head(head, raw)

    def _look_ahead(
        self, head: TreeHead, raw: bytes, old: TreeHead, old_raw: bytes, tree: Tree, nodes: TileNodes
    ) -> None:
        """Does the new tree begin with the old one? Its own tiles say with which root it does begin."""
        begins, proof = Tree(old.size, nodes).root(), tuple(tree.consistency(old.size))
        try:
            verify_consistency(old.size, begins, head.size, head.root, proof)
        except Problem:
            raise self._wrong("tile/", head) from None
        if begins != old.root:
            raise self._keep(Fork(old_raw, raw, begins, proof))

    def _look_back(self, head: TreeHead, raw: bytes, newest: TreeHead, newest_raw: bytes) -> None:
        """Was the smaller head ever a state of the log? Known from the entries read; else its tiles are asked."""
        whole = self.state.progress[0] >= newest.size
        tiles: TileReader = self.state if whole else ServedTiles(self.source)
        nodes = TileNodes(newest.size, tiles)
        try:
            begins = Tree(head.size, nodes).root()
            proof = tuple(Tree(newest.size, nodes).consistency(head.size))
            verify_consistency(head.size, begins, newest.size, newest.root, proof)
        except Problem:
            return  # the log does not serve the larger tree any more: nothing is proved
        if begins != head.root:
            raise self._keep(Fork(raw, newest_raw, begins, proof))

    def _keep(self, fork: Fork) -> ForkFound:
        self.state.keep_fork(fork)
        return self._forked(fork)

    def _forked(self, fork: Fork) -> ForkFound:
        return ForkFound(fork, self.policy.judge(fork.first).head, self.policy.judge(fork.second).head)

    def _wrong(self, path: str, head: TreeHead) -> Problem:
        return Problem(TILES_WRONG, path=path, size=head.size)

    # -- entries --------------------------------------------------------------------------------------------

    def _read_on(self, head: TreeHead, nodes: TileNodes) -> None:
        """Read the next entries; keep them if the head signs them, with what they do against the rules."""
        begun, at = self.state.progress
        entries: list[Entry] = []
        for index in range(begun // WIDTH, begun // WIDTH + AT_ONCE):
            if index * WIDTH < head.size:
                entries += self._bundle(index, head)[max(0, begun - index * WIDTH) :]
        edge = self.state.edge()
        tiles = edge.append(entry_hash(*entry) for entry in entries)
        proof = Tree(head.size, nodes).consistency(edge.size)
        try:
            verify_consistency(edge.size, edge.root(), head.size, head.root, proof)
        except Problem:
            raise self._wrong(self._where(begun, entries, nodes), head) from None
        self.state.keep_entries(begun, entries, edge, tiles, self._broken_rules(begun, at, entries))

    def _bundle(self, index: int, head: TreeHead) -> list[Entry]:
        width = min(WIDTH, head.size - index * WIDTH)
        data = log_source.bundle(self.source, index, width)
        try:
            entries = decode_bundle(data)
        except Problem:
            entries = []
        if len(entries) not in (width, WIDTH):
            raise self._wrong(entries_path(index, width), head)
        return entries[:width]

    def _where(self, begun: int, entries: list[Entry], nodes: TileNodes) -> str:
        """The bundle in which an entry is not what its tile says, or the tiles in all."""
        for position, entry in enumerate(entries, begun):
            if nodes.node(0, position) != entry_hash(*entry):
                return entries_path(position // WIDTH)
        return "tile/"

    def _broken_rules(self, begun: int, at: int, entries: list[Entry]) -> list[Problem]:
        found, fresh = [], dict[bytes, int]()
        for position, (digest, recorded_at) in enumerate(entries, begun):
            if recorded_at < at:
                found.append(Problem(TIME_BACK, position=position, at=recorded_at))
            at = recorded_at
            first = fresh.setdefault(digest, position)
            earlier = self.state.first_of(digest)
            first = first if earlier is None else earlier
            if first != position:
                found.append(Problem(DIGEST_TWICE, position=position, first=first))
        return found

    def close(self) -> None:
        self.source.close()
        self.state.close()
