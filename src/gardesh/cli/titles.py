"""What the steps and roles of a case are called: in English by the names that commands take, in Persian by title too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gardesh.cli import output
from gardesh.model.procedure import Procedure


class Titles:
    """The titles of one procedure, in the language asked for."""

    def __init__(self, procedure: Procedure) -> None:
        self.procedure = procedure

    def slot(self, name: str) -> str:
        """`permit:standards`; in Persian after the step's title."""
        step = self.procedure.by_name.get(name.partition(":")[0])
        if output.lang() == "en" or step is None:
            return name
        return f"{step.title.fa} {output.ltr(name)}"

    def role(self, name: str) -> str:
        found = self.procedure.library.role(self.procedure.pack, name)
        return found.title.fa if output.lang() == "fa" and found is not None else name

    def who(self, wait: Mapping[str, Any]) -> str:
        """On whom a slot waits, from its row of `plan`."""
        if wait.get("returned_to"):
            return self.role(str(wait["returned_to"]))
        return str(wait.get("by") or self.role(str(wait.get("role") or wait.get("from") or "—")))
