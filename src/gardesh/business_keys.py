"""The business keys that documents are found by: which kinds there are, and of which fields one is made."""

from __future__ import annotations

from functools import lru_cache

from gardesh.model import reading
from gardesh.model.document import Envelope
from gardesh.model.library import Library, compile_expression
from gardesh.model.problem import define
from gardesh.node import Node

KIND_UNKNOWN = define(
    "identifier-kind-unknown",
    422,
    en="No pack names a business key {kind}; documents can be found by: {known}.",
    fa="هیچ بسته‌ای کلیدی به نام {kind} ندارد؛ سندها را با این‌ها می‌توان یافت: {known}.",
)


def reads_key(library: Library, paper: Envelope, right: reading.Right, kind: str) -> bool:
    """Whether a right covers what a business key is made of: else who guesses it would learn what may not be read."""
    fields = key_fields(library, paper.pack, paper.type, kind)
    return fields is not None and fields <= {*right, "outcome"}


@lru_cache(4096)
def key_fields(library: Library, label: str, type_name: str, kind: str) -> frozenset[str] | None:
    """The fields of a document of a type from which a business key of it is made; None: it may be all of them."""
    asking = library.get(label)
    declared = library.document_type(asking, type_name)
    source = declared.identifiers.get(kind) if declared is not None else None
    if source is None:
        return None
    owner = library.pack_named(asking, type_name.partition("/")[0]) if "/" in type_name else asking
    return compile_expression(library, owner, source).fields_of("this")


def identifier_kinds(node: Node) -> set[str]:
    """The kinds of business keys that the packs declare that were ever adopted: documents under an older version stay."""
    packs = [node.library.get(label) for label in node.adopted()]
    return {kind for pack in packs for made in pack.documents.values() for kind in made.identifiers}
