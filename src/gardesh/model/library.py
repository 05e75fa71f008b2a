"""The packs at hand, by label, and what their expressions may call.

A library never forgets a version: a case goes on under the pack version it opened with, so procedures are
compiled once per label and kept. `requires` in a manifest names exact versions, so that a name means the same
thing today and in an audit ten years from now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from gardesh.model import pack as language
from gardesh.model.calendar import ROUND_THE_CLOCK, Calendar, from_mapping
from gardesh.model.expression import Expression, Failure, Function, define_functions
from gardesh.model.expression import compile as compile_source
from gardesh.model.listing import CodeList
from gardesh.model.pack import MALFORMED, Pack
from gardesh.model.problem import Problem, define

if TYPE_CHECKING:
    from gardesh.model.procedure import Procedure

NO_SUCH_PROCEDURE = define(
    "no-such-procedure",
    404,
    en="There is no procedure {procedure}; the pack has: {known}.",
    fa="رویه‌ای به نام {procedure} نیست؛ رویه‌های این بسته: {known}.",
)
NO_SUCH_PACK = define(
    "no-such-pack",
    422,
    en="The pack {pack} is not in force here.",
    fa="بسته‌ی {pack} در اینجا نافذ نیست.",
)


MOST_VALUES = 1_000
"""How many values one look into a register gives."""


class World(Protocol):
    """What expressions may look up outside the case: registers, as of a position in the log.

    `position` is the number of documents accepted before; `at` the instant in ms. Both calls are pure reads.
    """

    def value(self, register: str, key: str, position: int, at: int) -> Any: ...

    def values(self, register: str, prefix: str, position: int, at: int) -> list[Any]:
        """The values in force of the keys that begin with `prefix`, in key order; some more than MOST_VALUES at most."""
        ...

    def balance(self, register: str, key: str, position: int) -> Decimal: ...

    def holds(self, org: str, role: str, at: int) -> bool:
        """Whether `org` is accredited for `role` now."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """The context of one evaluation: which pack asks, and the point of the log it sees."""

    library: Library
    pack: Pack
    world: World
    position: int
    at: int

    def lookup(self, name: str, code: str) -> Any:
        return self.library.code_list(self.pack, name).lookup(code)

    def covering(self, name: str, code: str) -> Any:
        return self.library.code_list(self.pack, name).covering(code)

    def register(self, name: str, key: str) -> Any:
        return self.world.value(self.library.qualify(self.pack, name), key, self.position, self.at)

    def balance(self, name: str, key: str) -> Decimal:
        return self.world.balance(self.library.qualify(self.pack, name), key, self.position)

    def setting(self, name: str) -> Any:
        return self.library.setting(self.pack, name, self.at)

    def values(self, name: str, prefix: str) -> list[Any]:
        return self.world.values(self.library.qualify(self.pack, name), prefix, self.position, self.at)


def _asked(name: str, *parts: Any) -> None:
    if not all(isinstance(part, str) for part in parts):
        raise Failure(f"{name} is asked with a text", f"{name} با متن پرسیده می‌شود")


def _lookup(moment: Moment, name: Any, code: Any) -> Any:
    _asked("lookup", name, code)
    return moment.lookup(name, code)


def _covering(moment: Moment, name: Any, code: Any) -> Any:
    _asked("covering", name, code)
    return moment.covering(name, code)


def _register(moment: Moment, name: Any, key: Any) -> Any:
    _asked("register", name)
    return moment.register(name, str(key))


def _balance(moment: Moment, name: Any, key: Any) -> Any:
    _asked("balance", name)
    return moment.balance(name, str(key))


def _setting(moment: Moment, name: Any) -> Any:
    _asked("setting", name)
    return moment.setting(name)


def _values(moment: Moment, name: Any, prefix: Any) -> list[Any]:
    _asked("values", name, prefix)
    found = moment.values(name, prefix)
    if len(found) > MOST_VALUES:
        raise Failure(f"values() gives {MOST_VALUES} at most", f"«values» حداکثر {MOST_VALUES} مقدار می‌دهد")
    return found


ENGINE_FUNCTIONS: dict[str, Function] = {
    f.name: f
    for f in (
        Function("lookup", (2, 2), _lookup, skips_null=True),
        Function("covering", (2, 2), _covering, skips_null=True),
        Function("register", (2, 2), _register, skips_null=True),
        Function("balance", (2, 2), _balance, skips_null=True),
        Function("setting", (1, 1), _setting),
        Function("values", (2, 2), _values, skips_null=True),
    )
}
"""What every expression can call beside the language's own: the context is a :class:`Moment`."""


class Library:
    """Packs by label (`trade@1.0.0`). Adding the same label twice with other bytes is refused."""

    def __init__(self) -> None:
        self.packs: dict[str, Pack] = {}
        self._procedures: dict[tuple[str, str], Procedure] = {}
        self._functions: dict[str, Mapping[str, Function]] = {}
        self._calendars: dict[str, Calendar] = {}
        self._abouts: dict[tuple[str, str], Expression | None] = {}
        self._settings: dict[tuple[str, str], list[tuple[int, Any]]] = {}

    def add(self, pack: Pack) -> None:
        known = self.packs.get(pack.label)
        if known is not None and known.digest != pack.digest:
            reason = f"version {pack.label} is already known with other content; give it a new version"
            raise Problem(MALFORMED, "/pack.yaml/version", file="pack.yaml", reason=reason)
        self.packs[pack.label] = pack

    def get(self, label: str) -> Pack:
        if label not in self.packs:
            raise Problem(NO_SUCH_PACK, pack=label)
        return self.packs[label]

    def pack_named(self, asking: Pack, name: str) -> Pack:
        """The version of pack `name` that `asking` was written against."""
        if name == asking.name:
            return asking
        version = asking.manifest.requires.get(name)
        if version is None:
            reason = f"it refers to pack {name!r} but does not list it under `requires`"
            raise Problem(MALFORMED, "/pack.yaml/requires", file=f"{asking.name}/pack.yaml", reason=reason)
        return self.get(f"{name}@{version}")

    def qualify(self, asking: Pack, name: str) -> str:
        """`pack/name` of a name as the pack `asking` says it."""
        return name if "/" in name else f"{asking.name}/{name}"

    def _find(self, asking: Pack, name: str) -> tuple[Pack, str]:
        owner, _, own = self.qualify(asking, name).partition("/")
        return self.pack_named(asking, owner), own

    def document_type(self, asking: Pack, name: str) -> language.DocumentType | None:
        pack, own = self._find(asking, name)
        return pack.documents.get(own)

    def procedure_file(self, asking: Pack, name: str) -> language.ProcedureFile | None:
        pack, own = self._find(asking, name)
        return pack.procedures.get(own)

    def register(self, asking: Pack, name: str) -> language.RegisterFile | None:
        pack, own = self._find(asking, name)
        return pack.registers.get(own)

    def role(self, asking: Pack, name: str) -> language.Role | None:
        """A role of the pack or of one that it requires."""
        if name in asking.manifest.roles:
            return asking.manifest.roles[name]
        for other in asking.manifest.requires:
            found = self.pack_named(asking, other).manifest.roles.get(name)
            if found is not None:
                return found
        return None

    def code_list(self, asking: Pack, name: str) -> CodeList:
        pack, own = self._find(asking, name)
        if own not in pack.lists:
            raise Problem(
                MALFORMED, f"/lists/{own}.csv", file=f"{pack.name}/lists/{own}.csv", reason="it is missing"
            )
        return pack.lists[own]

    def setting(self, asking: Pack, name: str, at: int) -> Any:
        """The value of a setting in force at the instant `at`; null before its first date."""
        pack, own = self._find(asking, name)
        key = (pack.label, own)
        dated = self._settings.get(key)
        if dated is None:
            made = pack.manifest.settings.get(own)
            if made is None:
                reason = f"there is no setting {own!r}"
                raise Problem(MALFORMED, "/pack.yaml/settings", file=f"{pack.name}/pack.yaml", reason=reason)
            clock = self.calendar(pack, pack.manifest.calendar or "")
            dated = sorted((clock.start_of(v.since), v.value) for v in made.values)
            self._settings[key] = dated
        value = None
        for since, candidate in dated:
            if since > at:
                break
            value = candidate
        return value

    def calendar(self, asking: Pack, name: str) -> Calendar:
        """The calendar `name`; the round-the-clock one for the empty name."""
        if not name:
            return ROUND_THE_CLOCK
        pack, own = self._find(asking, name)
        key = f"{pack.label}/{own}"
        if key not in self._calendars:
            if own not in pack.calendars:
                file = f"{pack.name}/calendars/{own}.yaml"
                raise Problem(MALFORMED, f"/calendars/{own}.yaml", file=file, reason="it is missing")
            self._calendars[key] = from_mapping(pack.calendars[own])
        return self._calendars[key]

    def procedure(self, label: str, name: str) -> Procedure:
        """The compiled procedure `name` of the pack version `label`."""
        key = (label, name)
        found = self._procedures.get(key)
        if found is None:
            from gardesh.model.procedure import compile_procedure

            pack = self.get(label)
            if name not in pack.procedures:
                raise Problem(
                    NO_SUCH_PROCEDURE,
                    procedure=f"{pack.name}/{name}",
                    known=", ".join(sorted(pack.procedures)),
                )
            found = compile_procedure(self, pack, name)
            self._procedures[key] = found
        return found

    def compiled(self) -> list[Procedure]:
        """The procedures that were asked for so far."""
        return list(self._procedures.values())

    def about(self, asking: Pack, type_name: str) -> Expression | None:
        """The compiled `about` of a document type, an expression over `this`."""
        pack, own = self._find(asking, type_name)
        key = (pack.label, own)
        if key not in self._abouts:
            declared = pack.documents.get(own)
            source = declared.about if declared is not None else None
            self._abouts[key] = compile_expression(self, pack, source) if source is not None else None
        return self._abouts[key]

    def functions(self, pack: Pack) -> Mapping[str, Function]:
        """The engine's functions and the pack's own, which may call one another but not in a ring."""
        found = self._functions.get(pack.label)
        if found is not None:
            return found
        own = {name: (f.params, f.value) for name, f in pack.manifest.functions.items()}
        try:
            known = {**ENGINE_FUNCTIONS, **define_functions(own, ENGINE_FUNCTIONS)}
        except Problem as problem:
            place, reason = "/pack.yaml/functions", problem.sentence("en")
            raise Problem(MALFORMED, place, file=f"{pack.name}/pack.yaml", reason=reason) from problem
        self._functions[pack.label] = known
        return known


def compile_expression(library: Library, pack: Pack, source: str) -> Expression:
    """An expression of `pack`, with the engine's functions and the pack's own. Raises `expression-syntax`."""
    return compile_source(source, library.functions(pack))
