from __future__ import annotations

import cbor2
import pytest

from gardesh.model import concise_problem, cose, jose, merkle
from gardesh.model.problem import Problem, RuleBroken


def test_a_refusal_is_written_as_rfc_9290_has_it() -> None:
    problem = Problem(jose.SIGNATURE_WRONG, "/a")
    assert cbor2.loads(concise_problem.encode(problem)) == {
        -1: "Rejected",
        -2: problem.sentence("en"),
        "urn:gardesh:problem": {
            "code": "signature-wrong",
            "pointer": "/a",
            "status": 422,
            "fa": problem.sentence("fa"),
        },
    }


def test_a_hint_follows_the_sentence() -> None:
    problem = Problem(merkle.INCLUSION_INVALID, index=1, size=2)
    detail = cbor2.loads(concise_problem.encode(problem))[-2]
    assert detail == f"{problem.sentence('en')} {problem.hint('en')}"


@pytest.mark.parametrize(
    ("problem", "title"),
    [
        (Problem(cose.COSE_ALGORITHM, alg="-35"), "Bad Signature Algorithm"),
        (Problem(jose.ALGORITHM_NONE), "Bad Signature Algorithm"),
        (Problem(cose.COSE_PAYLOAD), "Payload Missing"),
        (Problem(cose.COSE_MALFORMED), "Malformed request"),
        (Problem(merkle.BEYOND_TREE, size=1, asked=2), "Not Found"),
        (Problem("entries-bundle-malformed", at=0), "Internal error"),
        (RuleBroken("tea-is-cold", "چای سرد است.", "The tea is cold."), "Rejected"),
    ],
)
def test_titles_are_those_of_scrapi(problem: Problem, title: str) -> None:
    assert concise_problem.title(problem) == title
    assert cbor2.loads(concise_problem.encode(problem))[-1] == title


def test_what_was_written_is_read() -> None:
    problem = Problem(merkle.INCLUSION_INVALID, "/a", index=1, size=2)
    told = concise_problem.read(concise_problem.encode(problem))
    assert (told.code, told.status, told.pointer) == (problem.code, problem.kind.status, "/a")
    assert told.en == f"{problem.sentence('en')} {problem.hint('en')}"
    assert told.fa == problem.sentence("fa")


@pytest.mark.parametrize("other", [[], {}, {-2: "no", "urn:gardesh:problem": {"code": "x"}}, "text"])
def test_what_others_write_is_not_read(other: object) -> None:
    with pytest.raises(Problem) as caught:
        concise_problem.read(cbor2.dumps(other))
    assert caught.value.code == "cbor-malformed"
