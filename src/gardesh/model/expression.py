"""Expressions of packs: a subset of CEL with exact decimals and three values.

An expression reads variables (documents, by the names of their steps) and calls functions; it never reads a
clock or the network, and is bounded in length, depth and steps. What sets it apart from CEL: a number is an
integer or an exact decimal (there is no double, and `7 / 2` is 3.5); a missing field is null and not an error;
`!=`, `<`, `<=`, `>` and `>=` are false if one side is null; `has` asks whether a field is not null; a failing
condition does not matter where both branches of `? :` are the same; and a document that could still come is
*unknown*. Replacing the unknown by any value never changes a result that is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from gardesh.model import expression_parser as parser
from gardesh.model.expression_calls import called
from gardesh.model.expression_collections import BUILT_IN
from gardesh.model.expression_compiler import Compiler
from gardesh.model.expression_functions import Function as Function
from gardesh.model.expression_logic import Code
from gardesh.model.expression_parser import Node
from gardesh.model.expression_tokens import SYNTAX as SYNTAX
from gardesh.model.expression_tokens import refuse
from gardesh.model.expression_values import UNKNOWN as UNKNOWN
from gardesh.model.expression_values import Failure as Failure
from gardesh.model.expression_values import Frame, TooCostly, described
from gardesh.model.expression_values import Unknown as Unknown
from gardesh.model.problem import Problem, define

FAILED = define(
    "expression-failed",
    422,
    en="The expression “{source}” has no value: {reason_en}.",
    fa="عبارت «{source}» مقداری ندارد: {reason_fa}.",
)
TOO_COSTLY = define(
    "expression-too-costly",
    422,
    en="The expression “{source}” needs more than the {budget} steps that one evaluation may take.",
    fa="عبارت «{source}» به بیش از {budget} گام، یعنی سقف مجاز یک ارزیابی، نیاز دارد.",
)
RECURSIVE = define(
    "expression-recursive",
    422,
    en="These functions call each other in a circle: {functions}.",
    fa="این تابع‌ها یکدیگر را حلقه‌وار فرا می‌خوانند: {functions}.",
)

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

BUDGET: Final = 1_000_000
"""Steps of one evaluation. An element that a macro visits costs one step and one more for each four constructs of
its body; texts and lists that are made, compared or given to a function cost by their length."""

MAX_TOTAL_DEPTH: Final = 160
"""How deep an expression may nest with the functions it calls; well below what Python's stack holds."""


class Expression:
    """A compiled expression. It may be evaluated by several threads at once.

    `reads` are the paths it reads, each from a variable as far down as field names are written out, up to the
    first list; `variables` their roots; `calls` the functions it uses, directly or through others; `names` the
    pairs of a function and the text that is its first argument, as in `lookup('permits', …)`.
    """

    __slots__ = (
        "_blank",
        "_code",
        "_functions",
        "_guard",
        "_guard_blank",
        "_tree",
        "calls",
        "names",
        "reads",
        "source",
        "variables",
    )

    def __init__(self, source: str, tree: Node, functions: Mapping[str, Function]) -> None:
        compiler = Compiler(source, functions)
        self.source = source
        self._tree = tree
        self._functions = functions
        self._code = compiler.result(tree)
        self._blank = compiler.blank(BUDGET)
        self._guard: Code | None = None
        self._guard_blank: Frame = []
        _check_depth(source, tree, compiler)
        self.reads = frozenset(_paths(tree, frozenset()))
        self.variables = frozenset(path[0] for path in self.reads)
        self.calls = frozenset(compiler.calls)
        self.names = frozenset(compiler.names)

    def fields_of(self, variable: str) -> frozenset[str] | None:
        """The fields that it reads of the document that a variable stands for, or of any of a list of them; None: all."""
        found = set(_fields(self._tree, frozenset((variable,))))
        return None if None in found else frozenset(f for f in found if f is not None)

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"

    def evaluate(self, env: Mapping[str, Any], context: Any = None) -> Any:
        """The value over `env`: a value, None (absent) for each variable, or UNKNOWN.

        `context` is handed to the functions. Raises `expression-failed` and `expression-too-costly`.
        """
        frame = self._blank.copy()
        frame[1] = context
        try:
            return self._code(env, frame)
        except Failure as failure:
            raise self._failed(failure) from None
        except TooCostly:
            raise self._too_costly() from None

    def guard(self, env: Mapping[str, Any], context: Any = None) -> Any:
        """The value as a condition: True, False or UNKNOWN. Null is False."""
        code = self._guard or self._compile_guard()
        frame = self._guard_blank.copy()
        frame[1] = context
        try:
            return code(env, frame)
        except Failure as failure:
            raise self._failed(failure) from None
        except TooCostly:
            raise self._too_costly() from None

    def items(self, env: Mapping[str, Any], context: Any = None) -> Any:
        """The value as a list, or UNKNOWN. Null is an empty list."""
        value = self.evaluate(env, context)
        if type(value) is list or type(value) is Unknown:
            return value
        if value is None:
            return []
        en, fa = described(value)
        raise self._failed(Failure(f"a list is needed, not {en}", f"باید فهرست باشد، نه {fa}"))

    def _compile_guard(self) -> Code:
        compiler = Compiler(self.source, self._functions)
        code = compiler.truth(self._tree, {})
        self._guard_blank = compiler.blank(BUDGET)
        self._guard = code
        return code

    def _failed(self, failure: Failure) -> Problem:
        return Problem(FAILED, source=self.source, reason_en=failure.en, reason_fa=failure.fa)

    def _too_costly(self) -> Problem:
        return Problem(TOO_COSTLY, source=self.source, budget=BUDGET)


def compile(source: str, functions: Mapping[str, Function] | None = None) -> Expression:
    """Compiles an expression over the built-in functions and those given. Raises `expression-syntax`."""
    return Expression(source, parser.parse(source), BUILT_IN if not functions else {**BUILT_IN, **functions})


@lru_cache(maxsize=4096)
def _root(name: str) -> Unknown:
    return Unknown(frozenset((name,)))


def decided_by(
    expression: Expression, env: Mapping[str, Any], context: Any = None, *, guard: bool = False
) -> frozenset[str]:
    """The unknown variables of `env` on which the value (or the guard) still depends; empty when it is known.

    Where `? :` waits for its condition, only what the condition waits for is named. Raises as `evaluate`.
    """
    marked = {name: _root(name) if type(value) is Unknown else value for name, value in env.items()}
    value = expression.guard(marked, context) if guard else expression.evaluate(marked, context)
    return value.roots if type(value) is Unknown else frozenset()


def define_function(
    name: str, params: Sequence[str], source: str, functions: Mapping[str, Function] | None = None
) -> Function:
    """A function that a pack defines: an expression over its parameters, calling functions already there.

    Raises `expression-syntax`, also where it reads a variable that is no parameter.
    """
    tree = parser.parse(source)
    for part in _nodes(tree):
        if part.kind == "call" and part.name == name:
            raise Problem(RECURSIVE, functions=name)
    return _defined(name, params, source, tree, {**BUILT_IN, **(functions or {})})


def define_functions(
    definitions: Mapping[str, tuple[Sequence[str], str]], functions: Mapping[str, Function] | None = None
) -> dict[str, Function]:
    """The functions of a pack, by name from parameters and source, in whatever order they call each other.

    Raises `expression-syntax`, and `expression-recursive` if they call each other in a circle.
    """
    trees = {name: parser.parse(source) for name, (_, source) in definitions.items()}
    waiting = {
        name: {part.name for part in _nodes(tree) if part.kind == "call" and part.name in definitions}
        for name, tree in trees.items()
    }
    known = {**BUILT_IN, **(functions or {})}
    found: dict[str, Function] = {}
    while waiting:
        ready = [name for name, needed in waiting.items() if needed <= found.keys()]
        if not ready:
            raise Problem(RECURSIVE, functions=", ".join(sorted(waiting)))
        for name in ready:
            del waiting[name]
            params, source = definitions[name]
            found[name] = known[name] = _defined(name, params, source, trees[name], known)
    return {name: found[name] for name in definitions}


def _defined(
    name: str, params: Sequence[str], source: str, tree: Node, functions: Mapping[str, Function]
) -> Function:
    words = (name, *params)
    if any(not _WORD.fullmatch(word) or word in parser.TAKEN for word in words) or len(set(params)) < len(
        params
    ):
        refuse(
            source,
            0,
            f"{name} and its parameters need plain names",
            f"{name} و پارامترهایش نام ساده می‌خواهند",
        )
    if name in functions:
        refuse(source, 0, f"there is already a function “{name}”", f"تابع «{name}» از پیش وجود دارد")
    compiler = Compiler(source, functions)
    scope = {param: compiler.cell() for param in params}
    code = compiler.value(tree, scope)
    depth = _check_depth(source, tree, compiler)
    for path in _paths(tree, frozenset(params)):
        at = next(part.at for part in _nodes(tree) if part.kind == "name" and part.name == path[0])
        refuse(
            source, at, f"“{path[0]}” is not a parameter of {name}", f"«{path[0]}» از پارامترهای {name} نیست"
        )
    impl = called(compiler.blank(0), code, len(params), 1 + tree.size // 4)
    return Function(
        name,
        (len(params), len(params)),
        impl,
        strict=False,
        metered=True,
        calls=frozenset(compiler.calls),
        names=frozenset(compiler.names),
        depth=depth,
        builds=compiler.builds,
    )


def _check_depth(source: str, tree: Node, compiler: Compiler) -> int:
    depth = tree.depth + compiler.depth
    if depth > MAX_TOTAL_DEPTH:
        refuse(
            source,
            tree.at,
            f"with the functions it calls it nests more than {MAX_TOTAL_DEPTH} levels deep",
            f"همراه با تابع‌هایی که فرا می‌خواند بیش از {MAX_TOTAL_DEPTH} لایه تودرتو دارد",
        )
    return depth


def _nodes(tree: Node) -> Iterator[Node]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.parts)


def _paths(node: Node, local: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """The paths that a tree reads from variables that are not local names."""
    path = _path(node, local)
    if path is not None:
        if path[0]:
            yield path[0]
        return
    inner = local | {node.variable} if node.variable else local
    for place, part in enumerate(node.parts):
        yield from _paths(part, inner if place else local)


def _fields(node: Node, docs: frozenset[str]) -> Iterator[str | None]:
    """The fields that are read of the documents that the names `docs` stand for, or of elements of lists of them; None: all.

    How many there are, and whether there is one, reads none.
    """
    if _is_documents(node, docs):
        yield None
        return
    held = node.parts[0] if node.parts else None
    if node.kind in ("select", "has", "index") and held is not None and _is_documents(held, docs):
        key = node.parts[1].value if node.kind == "index" and node.parts[1].kind == "literal" else None
        yield node.name if node.kind != "index" else key if isinstance(key, str) else None
        yield from _inside(held, docs)
        return
    null = node.kind == "binary" and any(p.kind == "literal" and p.value is None for p in node.parts)
    counted = null or (node.kind == "call" and node.name == "size" and len(node.parts) == 1)
    for place, part in enumerate(node.parts):
        if _is_documents(part, docs) and (counted or (place == 0 and node.kind in ("macro", "bind"))):
            yield from _inside(part, docs)
        else:
            yield from _fields(part, _named(node, docs) if place else docs)


def _inside(node: Node, docs: frozenset[str]) -> Iterator[str | None]:
    """What choosing among documents reads of them."""
    if node.kind == "macro":
        yield from _inside(node.parts[0], docs)
        for part in node.parts[1:]:
            yield from _fields(part, _named(node, docs))
    elif node.kind == "index":
        yield from _inside(node.parts[0], docs)
        yield from _fields(node.parts[1], docs)


def _is_documents(node: Node, docs: frozenset[str]) -> bool:
    if node.kind == "name":
        return node.name in docs
    if node.kind == "index" and node.parts[1].kind == "literal" and type(node.parts[1].value) is int:
        return _is_documents(node.parts[0], docs)
    return node.kind == "macro" and node.name == "filter" and _is_documents(node.parts[0], docs)


def _named(node: Node, docs: frozenset[str]) -> frozenset[str]:
    """The names that stand for documents within a macro or a binding."""
    if not node.variable:
        return docs
    return docs | {node.variable} if _is_documents(node.parts[0], docs) else docs - {node.variable}


def _path(node: Node, local: frozenset[str]) -> tuple[tuple[str, ...], bool] | None:
    """A path by itself: the names, and whether a field may lengthen it. A local name has none: its range has."""
    if node.kind == "name":
        return ((), False) if node.name in local else ((node.name,), True)
    if node.kind not in ("select", "has", "index"):
        return None
    base = _path(node.parts[0], local)
    if base is None or node.kind != "index":
        return base and (((*base[0], node.name), True) if base[1] else base)
    key = node.parts[1]
    if key.kind != "literal":
        return None
    return ((*base[0], key.value), True) if base[1] and type(key.value) is str else (base[0], False)
