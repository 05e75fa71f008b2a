"""A batch that cannot be carried out as a whole."""

from __future__ import annotations

from gardesh.model.problem import Problem


class Spoiled(Exception):
    """What follows from an accepted document, or from the passing of time, could not be carried out.

    Memory may be halfway; the transaction has to be rolled back. `problem` says what failed.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))
