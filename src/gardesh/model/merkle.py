"""Merkle trees of RFC 6962 §2.1 over SHA-256: hashes, a streaming root, proofs and their verification.

Hashes are `bytes` of :data:`HASH_SIZE`; sizes and positions are integers below 2**63. A *node* is named by
`(height, index)` and covers the leaves `index << height` up to `(index + 1) << height`, all of them present;
leaves have height 0. How nodes are kept in tiles is :mod:`gardesh.model.tile`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Protocol

from gardesh.model.problem import Problem, define

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
MAX_SIZE = 2**63 - 1

INCLUSION_INVALID = define(
    "inclusion-proof-invalid",
    422,
    en="The inclusion proof does not lead from position {index} to the root of the tree of {size} entries.",
    fa="اثبات شمول، مدخل شمارهٔ {index} را به ریشهٔ درختی با {size} مدخل نمی‌رساند.",
    hint_en="Fetch the receipt again from the log; if it still fails, treat the document as not recorded.",
    hint_fa="رسید را دوباره از دفتر بگیرید؛ اگر باز هم رد شد، سند را ثبت‌نشده بدانید.",
)
CONSISTENCY_INVALID = define(
    "consistency-proof-invalid",
    422,
    en="The tree of {new} entries is not shown to extend the tree of {old} entries.",
    fa="ثابت نشد که درختِ {new} مدخلی ادامهٔ درختِ {old} مدخلی است.",
    hint_en="If a fresh proof fails too, keep both checkpoints: they show that the log was rewritten.",
    hint_fa="اگر اثبات تازه هم رد شد، هر دو نقطهٔ وارسی را نگه دارید: آن‌ها مدرک بازنویسی دفترند.",
)
BEYOND_TREE = define(
    "log-position-beyond-tree",
    404,
    en="The log has {size} entries here; {asked} lies beyond it.",
    fa="دفتر در این نقطه {size} مدخل دارد و {asked} بیرون از آن است.",
)


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a log entry: SHA-256(0x00 || entry)."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 || left || right)."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """The right edge of a tree: enough to append leaves and to give the root, in O(log n) memory.

    For who reads a log in order (an auditor, a mirror) and needs roots but no proofs. `hashes` are those of
    the perfect subtrees that make up the tree, the largest (leftmost) first: one for each 1 bit of `size`.
    """

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Start from a tree of `size`; `ValueError` if `hashes` cannot be the edge of such a tree."""
        if not 0 <= size <= MAX_SIZE or len(hashes) != size.bit_count():
            raise ValueError(f"{len(hashes)} hashes are not the edge of a tree of {size} leaves")
        if any(len(h) != HASH_SIZE for h in hashes):
            raise ValueError(f"a hash has {HASH_SIZE} bytes")
        self.size = size
        self.hashes = list(hashes)

    def append(self, leaf: bytes) -> None:
        """Append one leaf, given by its hash."""
        size, hashes = self.size, self.hashes
        self.size = size + 1
        while size & 1:
            leaf = sha256(b"\1" + hashes.pop() + leaf).digest()
            size >>= 1
        hashes.append(leaf)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaves in order, given by their hashes."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        if not self.hashes:
            return EMPTY_ROOT
        *rest, root = self.hashes
        for left in reversed(rest):
            root = node_hash(left, root)
        return root

    def copy(self) -> Frontier:
        return Frontier(self.size, self.hashes)


class Nodes(Protocol):
    """Where the nodes of a tree are read from."""

    def node(self, height: int, index: int) -> bytes:
        """The hash of that node. Asked only for nodes that the tree it serves has in full."""


class Tree:
    """The tree of the first `size` entries, over its nodes: gives its root and proofs.

    Proofs made from one `Tree` share the work of their common path, so make one for a batch and ask it often.
    It keeps what it has computed; drop it when the batch is answered.
    """

    def __init__(self, size: int, nodes: Nodes) -> None:
        if not 0 <= size <= MAX_SIZE:
            raise ValueError(f"a tree has no size {size}")
        self.size = size
        self._node = nodes.node
        self._tails: list[bytes] = []
        self._upper: dict[int, list[bytes]] = {}

    def root(self) -> bytes:
        return self._tail(self.size.bit_length()) if self.size else EMPTY_ROOT

    def inclusion(self, index: int) -> list[bytes]:
        """PATH(index, D[size]) of RFC 6962 §2.1.1: from the leaf's sibling up to the root's child.

        Raises `log-position-beyond-tree`.
        """
        if not 0 <= index < self.size:
            raise Problem(BEYOND_TREE, size=self.size, asked=index)
        upper = self._upper.get(index >> 8)
        if upper is None:
            upper = self._upper[index >> 8] = self._path(8, index >> 8)
        return self._path(0, index, 8) + upper

    def consistency(self, old: int) -> list[bytes]:
        """PROOF(old, D[size]) of RFC 6962 §2.1.2; empty when `old` is 0 or `size`, as nothing is to be shown.

        Raises `log-position-beyond-tree`.
        """
        if not 0 <= old <= self.size:
            raise Problem(BEYOND_TREE, size=self.size, asked=old)
        if old in (0, self.size):
            return []
        height = (old & -old).bit_length() - 1
        index = (old >> height) - 1
        # The old tree's last perfect subtree; when it is the whole old tree, the verifier has it already.
        seed = [self._node(height, index)] if index else []
        return seed + self._path(height, index)

    def _path(self, height: int, index: int, below: int = 64) -> list[bytes]:
        """The siblings on the way from a node to the root, those lower than `below` only."""
        path: list[bytes] = []
        last = (self.size - 1) >> height
        while last and height < below:
            sibling = index ^ 1
            if sibling < last:
                path.append(self._node(height, sibling))
            elif sibling == last:
                path.append(self._tail(height))
            height += 1
            index >>= 1
            last >>= 1
        return path

    def _tail(self, height: int) -> bytes:
        """The hash over the last, perhaps ragged, subtree of at most 2**height leaves."""
        if not self._tails:
            self._fold_tails()
        return self._tails[height] or self._node(height, (self.size >> height) - 1)

    def _fold_tails(self) -> None:
        tail, self._tails = b"", [b""]
        for height in range(self.size.bit_length()):
            if self.size >> height & 1:
                node = self._node(height, (self.size >> height) - 1)
                tail = node_hash(node, tail) if tail else node
            self._tails.append(tail)


def inclusion_root(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that `proof` leads to from a leaf's hash (RFC 9162 §2.1.3.2).

    Raises `inclusion-proof-invalid` if the proof is not of the shape that this position has in such a tree.
    """
    broken = Problem(INCLUSION_INVALID, index=index, size=size)
    if not 0 <= index < size <= MAX_SIZE or len(leaf) != HASH_SIZE:
        raise broken
    node, at, last = leaf, index, size - 1
    for sibling in proof:
        if not last or len(sibling) != HASH_SIZE:
            raise broken
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        at >>= 1
        last >>= 1
    if last:
        raise broken
    return node


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf's hash stands at `index` of the tree of `size` with `root`.

    Raises `inclusion-proof-invalid`.
    """
    if inclusion_root(leaf, index, size, proof) != root:
        raise Problem(INCLUSION_INVALID, index=index, size=size)


def consistency_root(old: int, old_root: bytes, new: int, proof: Sequence[bytes]) -> bytes:
    """The root of the tree `new` that `proof` leads to from the root of the tree `old`, its beginning
    (RFC 9162 §2.1.4.2). From the empty tree nothing leads to another root.

    Raises `consistency-proof-invalid` if the proof is not of the shape that it has between such trees, or does not
    lead to `old_root`.
    """
    broken = Problem(CONSISTENCY_INVALID, old=old, new=new)
    if not 0 < old <= new <= MAX_SIZE or any(len(h) != HASH_SIZE for h in (old_root, *proof)):
        raise broken
    if old == new:
        if proof:
            raise broken
        return old_root
    at, last = old - 1, new - 1
    while at & 1:
        at >>= 1
        last >>= 1
    hashes = iter(proof)
    # A power of two is one perfect subtree, so the proof leaves out its hash: it is the old root.
    older = newer = next(hashes, b"") if at else old_root
    for sibling in hashes:
        if not last:
            raise broken
        if at & 1 or at == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while at and not at & 1:
                at >>= 1
                last >>= 1
        else:
            newer = node_hash(newer, sibling)
        at >>= 1
        last >>= 1
    if last or older != old_root:
        raise broken
    return newer


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree `new` has the tree `old` as its beginning (RFC 9162 §2.1.4.2).

    The empty tree is consistent with every tree, with an empty proof. Raises `consistency-proof-invalid`.
    """
    broken = Problem(CONSISTENCY_INVALID, old=old, new=new)
    if old == 0 and 0 <= new <= MAX_SIZE:
        if proof or old_root != EMPTY_ROOT or len(new_root) != HASH_SIZE:
            raise broken
        if new == 0 and new_root != EMPTY_ROOT:
            raise broken
    elif consistency_root(old, old_root, new, proof) != new_root:
        raise broken
