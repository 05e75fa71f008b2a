"""What of documents can be erased: nothing that a fold still reads (rule 23).

A fold reads contents by the expressions of its procedure: what applies, who plays a role, what is entered in registers. Rules
and schemas were judged once, when a document was accepted; parts that others rely on are compared, and only that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from gardesh.model.expression import Expression
from gardesh.model.library import Library, compile_expression
from gardesh.model.problem import Problem
from gardesh.model.procedure import Procedure, Step

NO_FIELDS = frozenset(("outcome", "meta"))
"""What expressions see beside the fields of the subject."""


def fields_needed(
    library: Library, labels: Collection[str], procedure: Procedure, type_name: str, *, closed: bool
) -> frozenset[str] | None:
    """The fields of a type that folds read, in any procedure of the packs `labels`; None: all of them.

    `procedure` is that of the document's case: while that is not `closed`, its steps still need and check more.
    """
    found: set[str] = set()
    for read in _reads(library, labels, procedure, type_name, closed):
        if read is None:
            return None
        found |= read
    return frozenset(found) - NO_FIELDS


def _reads(
    library: Library, labels: Collection[str], own: Procedure, type_name: str, closed: bool
) -> Iterator[frozenset[str] | None]:
    for label in sorted(labels):
        yield from _by_type(library, label, type_name)
        for procedure in _compiled(library, label):
            for step in procedure.steps:
                if _holds(library, procedure, step, type_name):
                    yield from _by_procedure(procedure, step)
                if step.type == type_name and step.spec.opens is not None:
                    opened = _named(library, procedure, step.spec.opens)
                    yield from _by_procedure(opened, opened.opening)
    if not closed:
        for step in own.steps:
            if _holds(library, own, step, type_name):
                yield from _while_open(own, step)


def _compiled(library: Library, label: str) -> Iterator[Procedure]:
    """The procedures of a pack; of those that cannot be compiled there are no cases."""
    for name in library.get(label).procedures:
        with suppress(Problem):
            yield library.procedure(label, name)


def _by_type(library: Library, label: str, type_name: str) -> Iterator[frozenset[str] | None]:
    """Whom a document is about, and by which keys it is found."""
    owner, _, name = type_name.partition("/")
    pack = library.get(label)
    declared = pack.documents.get(name) if pack.name == owner else None
    if declared is not None:
        for source in (declared.about, *declared.identifiers.values()):
            if source is not None:
                yield compile_expression(library, pack, source).fields_of("this")


def _holds(library: Library, procedure: Procedure, step: Step, type_name: str) -> bool:
    """Whether documents of the type stand in slots of the step: made there, or in a linked case."""
    if step.type == type_name:
        return True
    if step.spec.from_ is None:
        return False
    return any(goal.type == type_name for goal in _named(library, procedure, step.spec.from_).goal)


def _named(library: Library, asking: Procedure, name: str) -> Procedure:
    owner, _, own = library.qualify(asking.pack, name).partition("/")
    return library.procedure(library.pack_named(asking.pack, owner).label, own)


def _by_procedure(procedure: Procedure, step: Step) -> Iterator[frozenset[str] | None]:
    for other in procedure.steps:
        for made in (other.when, other.each, other.until, other.reuse_about):
            if made is not None:
                yield made.fields_of(step.var)
        names = (step.var, "this", "previous") if other is step else (step.var,)
        yield from (e.fields_of(name) for e in _entering(other) for name in names)
    if any(entry.value is None and entry.amount is None for entry in step.enters):
        yield None
    for bind in procedure.binds.values():
        if bind.org is not None:
            yield bind.org.fields_of(step.var)


def _entering(step: Step) -> Iterator[Expression]:
    for entry in step.enters:
        for made in (entry.key, entry.amount, entry.value, entry.when, entry.since, entry.until, entry.each):
            if made is not None:
                yield made


def _while_open(procedure: Procedure, step: Step) -> Iterator[frozenset[str] | None]:
    """What those who still have to act need to see, and what they will be checked against."""
    for other in procedure.steps:
        for need in other.needs:
            for ref in need.refs:
                if ref.step == step.index:
                    yield frozenset(ref.parts) if ref.parts else None
        for rule in other.rules:
            yield rule.check.fields_of(step.var)
            if other is step:
                yield rule.check.fields_of("previous")
