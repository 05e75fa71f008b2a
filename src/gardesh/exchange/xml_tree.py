"""XML from strangers, read into a plain tree that knows what was taken from it.

No document type, no entities, nothing external; bounded in bytes, elements and depth. What a reader does not
take (an element's text, an attribute, text between elements) can be listed afterwards with its path, so that
nothing is lost silently. Comments and processing instructions say nothing and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from gardesh.model.check_digits import Flaw
from gardesh.model.problem import Problem, define

NOT_XML: Final = define(
    "xml-malformed",
    422,
    en="This is not well-formed XML: {reason}",
    fa="این پرونده XML درستی نیست: {reason}",
)
FORBIDDEN: Final = define(
    "xml-forbidden",
    422,
    en="The file declares a document type or entities; such XML is not read.",
    fa="این پرونده نوع سند یا موجودیت تعریف می‌کند؛ چنین XMLی خوانده نمی‌شود.",
    hint_en="Business documents need neither; export the file again without <!DOCTYPE>.",
    hint_fa="اسناد تجاری به هیچ‌یک نیاز ندارند؛ پرونده را بدون <!DOCTYPE> دوباره تهیه کنید.",
)
TOO_LARGE: Final = define(
    "xml-too-large",
    413,
    en="The file exceeds the limit of {limit} {what}.",
    fa="پرونده از سقف {limit} {what_fa} بیشتر است.",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read at most. An element costs about 500 bytes of memory."""

    bytes: int = 64 << 20
    elements: int = 400_000
    depth: int = 64


class Leaf:
    """A text that may be taken: that of an element or of an attribute. `flaw` says why it was not."""

    __slots__ = ("flaw", "taken", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.taken = False
        self.flaw: Flaw | None = None


class Node:
    """An element: its name with the usual prefix, its own text, attributes, children and stray text."""

    __slots__ = ("attributes", "children", "leaf", "name", "parts", "stray")

    def __init__(self, name: str, attributes: dict[str, Leaf]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Node] = []
        self.parts: list[str] = []
        self.leaf = Leaf("")
        self.stray = ""

    def all(self, name: str) -> list[Node]:
        return [child for child in self.children if child.name == name]


@dataclass(frozen=True, slots=True)
class Leftover:
    """A value that nobody took, by its path (`/Invoice/cac:InvoiceLine[2]/cbc:Note`)."""

    path: str
    value: str
    flaw: Flaw | None = None


class _Builder:
    """Target of the parser: makes nodes, counts them, and stops at the limits."""

    def __init__(self, prefixes: Mapping[str, str], limits: Limits) -> None:
        self.prefixes = prefixes
        self.limits = limits
        self.count = 0
        self.open: list[Node] = []
        self.root: Node | None = None

    def name(self, tag: str) -> str:
        if not tag.startswith("{"):
            return tag
        space, _, local = tag[1:].partition("}")
        prefix = self.prefixes.get(space)
        return tag if prefix is None else f"{prefix}:{local}" if prefix else local

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > self.limits.elements:
            raise Problem(TOO_LARGE, limit=self.limits.elements, what="elements", what_fa="عنصر")
        if len(self.open) >= self.limits.depth:
            raise Problem(TOO_LARGE, limit=self.limits.depth, what="levels", what_fa="سطح")
        node = Node(self.name(tag), {self.name(k): Leaf(v.strip()) for k, v in attributes.items()})
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        self.open.append(node)

    def data(self, text: str) -> None:
        self.open[-1].parts.append(text)

    def end(self, _tag: str) -> None:
        node = self.open.pop()
        text = "".join(node.parts).strip()
        node.parts = []
        if node.children:
            node.stray = text
        else:
            node.leaf.text = text

    def close(self) -> None:
        pass


def parse(data: bytes, prefixes: Mapping[str, str], limits: Limits | None = None) -> Node:
    """The root of an XML document. `prefixes`: namespace to the prefix shown in names ("" for none).

    Raises `xml-malformed`, `xml-forbidden`, `xml-too-large`.
    """
    limits = limits or Limits()
    if len(data) > limits.bytes:
        raise Problem(TOO_LARGE, limit=limits.bytes, what="bytes", what_fa="بایت")
    builder = _Builder(prefixes, limits)
    parser = DefusedXMLParser(target=builder, forbid_dtd=True)
    try:
        parser.feed(data)
        parser.close()
    except DefusedXmlException:
        raise Problem(FORBIDDEN) from None
    except (ParseError, ValueError, LookupError) as error:
        raise Problem(NOT_XML, reason=str(error)) from None
    if builder.root is None:
        raise Problem(NOT_XML, reason="no element found")
    return builder.root


def leftovers(root: Node) -> Iterator[Leftover]:
    """What nobody took, in document order."""
    pending: list[tuple[Node, str]] = [(root, f"/{root.name}")]
    while pending:
        node, path = pending.pop()
        if node.leaf.text and not node.leaf.taken:
            yield Leftover(path, node.leaf.text, node.leaf.flaw)
        for name, leaf in node.attributes.items():
            if leaf.text and not leaf.taken:
                yield Leftover(f"{path}/@{name}", leaf.text, leaf.flaw)
        if node.stray:
            yield Leftover(f"{path}/text()", node.stray)
        pending.extend(reversed(list(_children(node, path))))


def _children(node: Node, path: str) -> Iterator[tuple[Node, str]]:
    totals: dict[str, int] = {}
    for child in node.children:
        totals[child.name] = totals.get(child.name, 0) + 1
    seen: dict[str, int] = {}
    for child in node.children:
        seen[child.name] = seen.get(child.name, 0) + 1
        place = f"[{seen[child.name]}]" if totals[child.name] > 1 else ""
        yield child, f"{path}/{child.name}{place}"
