"""Reads the text of an expression: the grammar of CEL (github.com/google/cel-spec, doc/langdef.md, Syntax).

Left out of CEL: messages, bytes, unsigned integers, doubles. A number with a point or an exponent is an
exact decimal. What is read is a tree of :class:`Node`, at most `MAX_DEPTH` deep.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from gardesh.model import expression_tokens
from gardesh.model.expression_tokens import MAX_SOURCE, Token, refuse, tokens

MAX_DEPTH = 64

MACROS = {"all": (2,), "exists": (2,), "exists_one": (2,), "filter": (2,), "map": (2, 3)}
RESERVED = {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop"} | {
    *("package", "namespace", "return", "var", "void", "while")
}
CONSTANTS = {"true": True, "false": False, "null": None}
TAKEN = RESERVED | CONSTANTS.keys() | MACROS.keys() | {"in", "has"}
"""Names that nothing can be called by."""

BINDS = {
    **dict.fromkeys(("||",), 1),
    **dict.fromkeys(("&&",), 2),
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%"), 5),
}


@dataclass(slots=True)
class Node:
    """One construct. `kind` says which; `name` is its variable, field, function, operator or macro.

    Kinds: literal, name, select, has, index, call, list, map (keys and values in turn), not, negate, and,
    or, binary, choose (`? :`), macro (range and bodies; `variable` ranges over it), bind (value and
    body).
    """

    kind: str
    at: int
    parts: tuple[Node, ...] = ()
    name: str = ""
    value: Any = None
    variable: str = ""
    depth: int = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.depth = 1 + max((part.depth for part in self.parts), default=0)
        self.size = 1 + sum(part.size for part in self.parts)


def parse(source: str) -> Node:
    """The tree of an expression. Raises `expression-syntax`."""
    if len(source) > MAX_SOURCE:
        refuse(
            source,
            MAX_SOURCE,
            f"it is longer than {MAX_SOURCE} characters",
            f"از {MAX_SOURCE} نویسه بلندتر است",
        )
    parser = _Parser(source)
    node = parser.expression()
    if parser.token.kind != "end":
        parser.unexpected()
    return node


class _Parser:
    """Recursive descent, with one level of recursion for each level of precedence that is actually used."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokens(source)
        self.index = 0
        self.token = self.tokens[0]
        self.level = 0

    def refuse(self, at: int, en: str, fa: str) -> NoReturn:
        refuse(self.source, at, en, fa)

    def unexpected(self) -> NoReturn:
        if self.token.kind == "end":
            self.refuse(self.token.at, "it ends too early", "عبارت ناتمام است")
        shown = self.token.text[:20]
        self.refuse(self.token.at, f"“{shown}” is not expected here", f"«{shown}» در اینجا انتظار نمی‌رود")

    def next(self) -> Token:
        token = self.token
        if token.kind == "end":
            self.unexpected()
        self.index += 1
        self.token = self.tokens[self.index]
        return token

    def sees(self, text: str) -> bool:
        return self.token.text == text and self.token.kind in ("sign", "name")

    def accept(self, text: str) -> bool:
        if self.sees(text):
            self.next()
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            if self.token.kind == "end":
                self.unexpected()
            self.refuse(self.token.at, f"“{text}” is missing", f"«{text}» جا افتاده است")

    def node(self, kind: str, at: int, *parts: Node, **rest: Any) -> Node:
        made = Node(kind, at, parts, **rest)
        if made.depth > MAX_DEPTH:
            self.too_deep(at)
        return made

    def too_deep(self, at: int) -> NoReturn:
        self.refuse(at, f"it nests more than {MAX_DEPTH} levels deep", f"بیش از {MAX_DEPTH} لایه تودرتو دارد")

    def expression(self) -> Node:
        condition = self.binary(1)
        if not self.sees("?"):
            return condition
        at = self.next().at
        chosen = self.binary(1)
        self.expect(":")
        return self.node("choose", at, condition, chosen, self.expression_below())

    def expression_below(self) -> Node:
        """An expression inside another, so that a chain of `? :` counts as nesting."""
        self.level += 1
        if self.level > MAX_DEPTH:
            self.too_deep(self.token.at)
        node = self.expression()
        self.level -= 1
        return node

    def binary(self, least: int) -> Node:
        self.level += 1
        if self.level > MAX_DEPTH:
            self.too_deep(self.token.at)
        left = self.unary()
        while self.token.kind in ("sign", "name"):
            sign, at = self.token.text, self.token.at
            strength = BINDS.get(sign, 0)
            if strength < least:
                break
            if strength <= 2:
                operands = [left]
                while self.accept(sign):
                    operands.append(self.binary(strength + 1))
                left = self.node("or" if sign == "||" else "and", at, *operands)
            else:
                self.next()
                left = self.node("binary", at, left, self.binary(strength + 1), name=sign)
        self.level -= 1
        return left

    def unary(self) -> Node:
        at = self.token.at
        for sign, kind in (("!", "not"), ("-", "negate")):
            if self.sees(sign):
                count = 0
                while self.accept(sign):
                    count += 1
                node = self.member()
                for _ in range(count):
                    if kind == "negate" and node.kind == "literal" and type(node.value) is int:
                        node = self.node("literal", at, value=-node.value)
                    else:
                        node = self.node(kind, at, node)
                return node
        return self.member()

    def member(self) -> Node:
        node = self.primary()
        while True:
            at = self.token.at
            if self.accept("."):
                token = self.next()
                if token.kind == "quoted":
                    node = self.node("select", at, node, name=token.text[1:-1])
                elif token.kind != "name" or token.text in CONSTANTS or token.text == "in":
                    self.refuse(token.at, "the name of a field is missing", "نام فیلد جا افتاده است")
                elif self.accept("("):
                    node = self.method(token, node)
                else:
                    node = self.node("select", at, node, name=token.text)
            elif self.accept("["):
                node = self.node("index", at, node, self.expression())
                self.expect("]")
            else:
                return node

    def primary(self) -> Node:
        token = self.next()
        if token.kind == "number":
            return self.node("literal", token.at, value=expression_tokens.number(self.source, token))
        if token.kind in ("text", "raw"):
            return self.node("literal", token.at, value=expression_tokens.text(self.source, token))
        if token.kind == "name":
            return self.named(token)
        if token.text == "(":
            inner = self.expression()
            self.expect(")")
            return inner
        if token.text == "[":
            return self.node("list", token.at, *self.items("]"))
        if token.text == "{":
            return self.node("map", token.at, *self.items("}", pairs=True))
        self.index -= 1
        self.token = token
        self.unexpected()

    def named(self, token: Token) -> Node:
        if token.text in CONSTANTS:
            return self.node("literal", token.at, value=CONSTANTS[token.text])
        if token.text in RESERVED or token.text == "in":
            self.refuse(token.at, f"“{token.text}” is a reserved word", f"«{token.text}» واژه‌ی رزروشده است")
        if not self.accept("("):
            return self.node("name", token.at, name=token.text)
        arguments = self.items(")")
        if token.text != "has":
            return self.node("call", token.at, *arguments, name=token.text)
        if len(arguments) != 1 or arguments[0].kind != "select":
            self.refuse(
                token.at,
                "has() asks for one field, as in has(order.number); ask for a whole document with `!= null`",
                "درون has نام یک فیلد می‌آید، مانند «has(order.number)»؛ برای کل سند «!= null» بنویسید",
            )
        return self.node("has", token.at, *arguments[0].parts, name=arguments[0].name)

    def method(self, token: Token, target: Node) -> Node:
        arguments = self.items(")")
        if token.text == "bind" and target.kind == "name" and target.name == "cel" and len(arguments) == 3:
            variable = self.variable(arguments[0])
            return self.node("bind", token.at, *arguments[1:], variable=variable)
        if token.text not in MACROS:
            return self.node("call", token.at, target, *arguments, name=token.text)
        if len(arguments) not in MACROS[token.text]:
            self.refuse(
                token.at,
                f"{token.text}() takes a name and an expression over it",
                f"«{token.text}» یک نام و عبارتی بر پایه‌ی آن می‌گیرد",
            )
        variable = self.variable(arguments[0])
        return self.node("macro", token.at, target, *arguments[1:], name=token.text, variable=variable)

    def variable(self, node: Node) -> str:
        if node.kind != "name":
            self.refuse(node.at, "a plain name is needed here", "در اینجا تنها یک نام ساده می‌آید")
        return node.name

    def items(self, closing: str, pairs: bool = False) -> list[Node]:
        found: list[Node] = []
        while not self.accept(closing):
            if found:
                self.expect(",")
                if closing != ")" and self.accept(closing):
                    break
            found.append(self.expression())
            if pairs:
                self.expect(":")
                found.append(self.expression())
        return found
