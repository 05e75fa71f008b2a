"""YAML read into plain values, within bounds: whoever wrote it, reading it ends, and takes no more than a known room.

YAML 1.2 in what matters: dates stay text, only true and false are truths, a key said twice is an error. Tags are not
read, so a text makes nothing but maps, lists, texts, numbers, truths and null. Aliases are, but what they stand for is
counted each time: a file of a few lines does not unfold into more than `MOST` values, nor deeper than `DEEPEST`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import yaml

from gardesh.model.pack import MALFORMED
from gardesh.model.problem import Problem

MOST = 1_000_000
"""How many values a file holds at most, with those that its aliases stand for; `TEXT` characters of a text are as one."""
TEXT = 32
DEEPEST = 64
"""How deep lists and maps are nested at most."""


class _Loader(yaml.CSafeLoader):
    """Whose events are read here; it never makes a value of a list or a map itself, nor calls itself on what lies within."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (as the base class has it)
        first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:bool"]
        for first, known in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_TEXTS = {f"tag:yaml.org,2002:{name}" for name in ("str", "timestamp", "merge", "value")}
_NO_KEY = object()
LONGEST_NUMBER = 40
"""How many characters a number is written with at most."""


@dataclass(slots=True)
class _Open:
    """A list or a map that is being read. `count`: of the values in it; `height`: how deep it is nested."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    key: Any = _NO_KEY
    count: int = 1
    height: int = 1


class _Wrong(Exception):
    """What is wrong, and where."""

    def __init__(self, reason: str, mark: Any) -> None:
        super().__init__(reason)
        self.mark = mark


def parse_yaml(path: str, data: bytes) -> Any:
    """Plain values of YAML bytes. Raises `pack-malformed` with the line."""
    try:
        loader = _Loader(data)
    except yaml.YAMLError as error:  # a byte that no text has
        raise _said(path, error) from None
    try:
        return _Reading(loader).document()
    except _Wrong as error:
        reason = f"line {error.mark.line + 1}: {error}"
        raise Problem(MALFORMED, f"/{path}", file=path, reason=reason) from None
    except yaml.YAMLError as error:
        raise _said(path, error) from None
    except (UnicodeDecodeError, ValueError) as error:
        raise Problem(MALFORMED, f"/{path}", file=path, reason=str(error)) from None
    finally:
        loader.dispose()


def _said(path: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark is not None else ""
    return Problem(
        MALFORMED, f"/{path}", file=path, reason=line + str(getattr(error, "problem", None) or error)
    )


class _Reading:
    def __init__(self, loader: _Loader) -> None:
        self.loader = loader
        self.open: list[_Open] = []
        self.known: dict[str | None, tuple[Any, int, int]] = {}
        self.made: Any = None

    def document(self) -> Any:
        """The one document, null where there is none. It does not call itself, however deep the text is nested."""
        begun = False
        while True:
            event = self.loader.get_event()
            if isinstance(event, yaml.ScalarEvent):
                self._put(self._scalar(event), event.anchor, event.start_mark)
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self._begin(event)
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                done = self.open.pop()
                self._put(done.value, done.anchor, event.start_mark, done.count, done.height)
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor not in self.known:
                    raise _Wrong(f"*{event.anchor} stands for nothing that was read", event.start_mark)
                value, count, height = self.known[event.anchor]
                self._place(value, event.start_mark, count, height)
            elif isinstance(event, yaml.DocumentStartEvent):
                if begun:
                    raise _Wrong("there is a second document in it", event.start_mark)
                begun = True
            elif isinstance(event, yaml.StreamEndEvent):
                return self.made

    def _begin(self, event: Any) -> None:
        if event.tag is not None:
            raise _Wrong(f"the tag {event.tag} is not read here", event.start_mark)
        if len(self.open) >= DEEPEST:
            raise _Wrong(f"it is nested more than {DEEPEST} deep", event.start_mark)
        self.known.pop(event.anchor, None)
        self.open.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))

    def _put(self, value: Any, anchor: str | None, mark: Any, count: int = 1, height: int = 0) -> None:
        """A value was read: it has its name, and goes where it stands."""
        if isinstance(value, str):
            count += len(value) // TEXT
        if anchor is not None:
            self.known[anchor] = (value, count, height)
        self._place(value, mark, count, height)

    def _place(self, value: Any, mark: Any, count: int, height: int) -> None:
        if not self.open:
            self.made = value
            return
        into = self.open[-1]
        into.count += count
        into.height = max(into.height, height + 1)
        if into.count > MOST:
            raise _Wrong(f"it holds more than {MOST} values", mark)
        if len(self.open) + height > DEEPEST:
            raise _Wrong(f"it is nested more than {DEEPEST} deep", mark)
        if isinstance(into.value, list):
            into.value.append(value)
        elif into.key is _NO_KEY:
            into.key = _key(value, mark)
            if into.key in into.value:
                raise _Wrong(f"the key {into.key!r} is said twice", mark)
        else:
            into.value[into.key] = value
            into.key = _NO_KEY

    def _scalar(self, event: Any) -> Any:
        if event.tag is not None:
            raise _Wrong(f"the tag {event.tag} is not read here", event.start_mark)
        if not event.implicit[0]:
            return event.value
        tag = self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        if tag in _TEXTS:
            return event.value
        if len(event.value) > LONGEST_NUMBER:
            raise _Wrong(f"a number has at most {LONGEST_NUMBER} characters", event.start_mark)
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        value = self.loader.construct_object(node)
        if isinstance(value, float) and not math.isfinite(value):
            raise _Wrong(f"{event.value} is no number", event.start_mark)
        return value


def _key(value: Any, mark: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    raise _Wrong("a key is a text", mark)
