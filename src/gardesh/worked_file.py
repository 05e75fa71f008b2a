"""Worked cases on disk: a file may go on where another of its folder ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from gardesh import worked
from gardesh.model.pack import Pack
from gardesh.model.problem import Problem
from gardesh.record import folder
from gardesh.record.yaml_values import parse_yaml
from gardesh.worked import CASE_FILE_MALFORMED, Act, WorkedCase


def load(path: Path) -> WorkedCase:
    """The worked case in a file, with the acts of those that it `follows` before its own.

    The parties, registers and versions of all are there. Acts of a followed file that name no case are of a case
    called as that file. Raises `case-file-malformed`.
    """
    return _load(path, ())


def followed(path: Path) -> int:
    """How many of the acts are those of the worked cases that this one follows: they come first."""
    made = worked.read(path.name, parse_yaml(path.name, path.read_bytes()))
    return len(load(path).acts) - len(made.acts)


def packs(path: Path, made: WorkedCase) -> list[Pack]:
    """The pack that the worked case at `path` belongs to, first; those it requires, and those that take part."""
    root = path.parents[1]
    found = {each.name: each for each in folder.gather(root)}
    for name in made.packs:
        for each in folder.gather(folder.find(name, root.resolve().parent)):
            found.setdefault(each.name, each)
    return list(found.values())


def _load(path: Path, seen: tuple[str, ...]) -> WorkedCase:
    made = worked.read(path.name, parse_yaml(path.name, path.read_bytes()))
    if made.follows is None:
        return made
    before = path.with_name(f"{made.follows}.yaml")
    if made.follows in seen or not before.is_file():
        reason = (
            f"there is no file {before.name} beside it" if before.name not in seen else "it follows itself"
        )
        raise Problem(CASE_FILE_MALFORMED, "/follows", file=path.name, reason=reason)
    first = _load(before, (*seen, path.stem))
    for act in first.acts:
        _name(act, first)
    every = {**first.registers, **made.registers}
    return msgspec.structs.replace(
        made,
        acts=[*first.acts, *made.acts],
        parties={**first.parties, **made.parties},
        registers={r: {**first.registers.get(r, {}), **made.registers.get(r, {})} for r in every},
        versions=[*first.versions, *made.versions],
        packs=[*first.packs, *made.packs],
        start=first.start,
    )


def _name(act: Act, of: WorkedCase) -> None:
    """What an act of a followed file calls its main case is called as that file."""
    act.case = of.case if act.case == "main" else act.case
    act.procedure = act.procedure or of.procedure
    if act.for_ is not None and act.for_.case == "main":
        act.for_.case = of.case
    if act.then is not None and act.then.of == "main":
        act.then.of = of.case
    act.subject, act.change = _named(act.subject, of.case), _named(act.change, of.case)


def _named(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_named(each, name) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$of"} and value["$of"].get("case", "main") == "main":
        return {"$of": {**value["$of"], "case": name}}
    if value == {"$case": "main"}:
        return {"$case": name}
    return {field: _named(each, name) for field, each in value.items()}
