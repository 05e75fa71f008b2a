"""Parts of a sentence that are said in both languages."""

from __future__ import annotations

import errno
import ssl

import msgspec

from gardesh.cli.files import FILE_UNUSABLE
from gardesh.model.os_reason import REASONS, of_os
from gardesh.model.problem import Problem, Wording

KIND = FILE_UNUSABLE


def test_each_language_has_its_own_words_and_programs_have_one_text() -> None:
    problem = Problem(KIND, "/a", file="x", reason=Wording("it is full", "پر است"))
    assert "it is full" in problem.sentence("en")
    assert "پر است" in problem.sentence("fa")
    assert "full" not in problem.sentence("fa")
    assert problem.params == {"file": "x", "reason": "it is full"}
    assert msgspec.json.decode(msgspec.json.encode(problem.as_dict()))["params"]["reason"] == "it is full"
    outer = problem.at("/outer")
    assert outer.pointer == "/outer/a"
    assert outer.sentence("fa") == problem.sentence("fa")


def test_a_problem_is_the_reason_of_another() -> None:
    inner = Problem(KIND, file="x", reason=Wording("it is full", "پر است"))
    outer = Problem(KIND, file="y", reason=inner.reason())
    assert outer.sentence("en") == "y cannot be used: x cannot be used: it is full."
    assert "پر است" in outer.sentence("fa")


def test_what_the_machine_says_is_known_in_persian() -> None:
    for number, (en, fa) in REASONS.items():
        assert of_os(OSError(number, "whatever", "a file")) == Wording(en, fa)
    assert of_os(UnicodeError("label too long")) == Wording("label too long", "label too long")
    assert of_os(OSError(errno.EPIPE, "Broken pipe")).fa == "Broken pipe"
    assert of_os(ssl.SSLError(errno.EPERM, "no certificate")).en == "no certificate"
