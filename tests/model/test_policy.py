"""Policies (C2SP tlog-policy): what their files say, and which checkpoints meet them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_keys import AT, LOG, LOG_KEYS, ORIGIN, ed25519, mldsa44

from effort import tries
from gardesh.model.checkpoint import sign
from gardesh.model.merkle import leaf_hash
from gardesh.model.note import Note
from gardesh.model.policy import Group, Policy, Witness, shown
from gardesh.model.policy_file import MAX_DEPTH, MAX_LINES_OF_A_KIND, MAX_POLICY_BYTES, parse
from gardesh.model.problem import Problem
from gardesh.model.signer import Signer
from gardesh.model.treehead import TreeHead

HEAD = TreeHead(ORIGIN, 1, leaf_hash(b"entry"))
COUNT = 6


@cache
def cosigner(number: int) -> Signer:
    key = ed25519(f"w{number}") if number % 2 else mldsa44(f"w{number}")
    return Signer.of_checkpoints(f"w{number}.example", key)


def log_line(number: int = 0) -> str:
    return f"log {LOG_KEYS[number].vkey()}\n"


def witness_line(number: int, *, url: str = "") -> str:
    return f"witness W{number} {cosigner(number).verifier.vkey()} {url}\n"


def cosigned(*numbers: int, by: Sequence[Signer] = LOG) -> bytes:
    text = HEAD.text()
    signers = (*by, *(cosigner(n) for n in numbers))
    return Note(text, tuple(s.sign(text, AT) for s in signers)).encode()


TWO_LEVELS = (
    log_line()
    + "".join(witness_line(n) for n in range(6))
    + "group X 2 W0 W1 W2\ngroup Y any W3 W4 W5\ngroup both all X Y\nquorum both\n"
)


@pytest.mark.parametrize(
    ("numbers", "met"),
    [
        ((0, 1, 3), True),
        ((0, 2, 4, 5), True),
        ((0, 1, 2), False),
        ((0, 3, 4, 5), False),
        ((), False),
        ((0, 1, 2, 3, 4, 5), True),
    ],
)
def test_groups_of_groups_decide_as_the_standard_explains_them(numbers: tuple[int, ...], met: bool) -> None:
    policy = parse(TWO_LEVELS.encode())
    raw = cosigned(*numbers)
    judged = policy.judge(raw)
    assert {*judged.witnessed} == {f"W{n}" for n in numbers}
    assert judged.missing == tuple(f"W{n}" for n in range(6) if n not in numbers)
    assert policy.satisfied(judged.witnessed) is met
    if met:
        assert policy.verify(raw) == judged
    else:
        with pytest.raises(Problem, match="checkpoint-quorum-missing") as refused:
            policy.verify(raw)
        assert refused.value.params["quorum"] == "2 of (2 of (W0, W1, W2), 1 of (W3, W4, W5))"


def test_white_space_comments_and_urls_are_read_as_the_standard_has_them() -> None:
    text = (
        "# a comment, شرح\n\n \t \n\t  # another\n\tlog\t "
        + LOG_KEYS[0].vkey()
        + "  https://log.example/ \t\n"
        + witness_line(0, url="https://w.example/x")
        + "quorum\tW0"
        + " \n# end\n"
    )
    policy = parse(text.encode())
    assert [(log.origin, log.url) for log in policy.logs] == [(ORIGIN, "https://log.example/")]
    assert policy.witnesses == (Witness("W0", (cosigner(0).verifier,), "https://w.example/x"),)
    assert policy.quorum == policy.witnesses[0]


def test_names_are_octets_and_can_be_printed() -> None:
    vkey = cosigner(0).verifier.vkey().encode()
    policy = parse(
        b"witness \xff\xe2\x84\xaa " + vkey + b"\nwitness K " + other() + b"\nquorum \xff\xe2\x84\xaa\n"
    )
    assert [shown(w.name) for w in policy.witnesses] == ["\\xff\u212a", "K"]
    with pytest.raises(Problem, match="checkpoint-quorum-missing") as refused:
        policy.for_log(ORIGIN, LOG_KEYS).verify(cosigned())
    assert refused.value.params["quorum"] == "\\xff\u212a"


def other() -> bytes:
    return cosigner(1).verifier.vkey().encode()


def test_one_key_of_a_listed_log_is_enough_and_a_wrong_signature_of_another_refuses() -> None:
    policy = parse(f"{log_line(0)}{log_line(1)}quorum none\n".encode())
    for by in (LOG[:1], LOG[1:], LOG):
        assert policy.verify(cosigned(by=by)).head == HEAD
    broken = Signer(LOG[1].verifier, mldsa44("stranger"))
    with pytest.raises(Problem, match="note-signature-invalid"):
        policy.verify(cosigned(by=(LOG[0], broken)))
    with pytest.raises(Problem, match="note-signature-missing"):
        policy.verify(cosigned(0, by=()))


def test_a_file_without_logs_is_for_a_log_known_from_elsewhere() -> None:
    policy = parse(f"{witness_line(0)}quorum W0\n".encode())
    with pytest.raises(Problem, match="checkpoint-of-another-log"):
        policy.verify(cosigned(0))
    assert policy.for_log(ORIGIN, LOG_KEYS).verify(cosigned(0)).witnessed == {"W0": AT}
    with pytest.raises(Problem, match="note-signature-missing"):
        policy.for_log(ORIGIN, LOG_KEYS).verify(cosigned(0, by=LOG[:1]))


def test_a_file_about_other_logs_does_not_serve() -> None:
    stranger = Signer.of_notes(ORIGIN, ed25519("stranger")).verifier
    assert (
        parse(f"{log_line()}quorum none\n".encode()).for_log(ORIGIN, LOG_KEYS).verify(cosigned()).head == HEAD
    )
    with pytest.raises(Problem, match="checkpoint-policy-invalid"):
        parse(f"log {stranger.vkey()}\nquorum none\n".encode()).for_log(ORIGIN, LOG_KEYS)


W0, W1 = witness_line(0), witness_line(1)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("quorum none", "policy-line-malformed", 1),
        ("quorum none\r\n", "policy-line-malformed", 1),
        ("\nquorum\x00none\n", "policy-line-malformed", 2),
        ("quorum\x7fnone\n", "policy-line-malformed", 1),
        ("quorum none\nwitnesses\n", "policy-line-malformed", 2),
        ("quorum none x\n", "policy-line-malformed", 1),
        ("quorum\n", "policy-line-malformed", 1),
        ("quorum\u00a0none\n", "policy-line-malformed", 1),
        ("log\n", "policy-line-malformed", 1),
        (log_line().replace("\n", " u v\n"), "policy-line-malformed", 1),
        (W0.replace("\n", "u v\n"), "policy-line-malformed", 1),
        (W0 + "group g all\n", "policy-line-malformed", 2),
        (W0 + "group g two W0\n", "policy-line-malformed", 2),
        (W0 + "group g 01 W0\n", "policy-line-malformed", 2),
        (W0 + "group g -1 W0\n", "policy-line-malformed", 2),
        (W0 + "group g 0 W0\n", "policy-threshold-out-of-range", 2),
        (W0 + "group g 2 W0\n", "policy-threshold-out-of-range", 2),
        ("", "policy-quorum-not-one", 1),
        (W0, "policy-quorum-not-one", 2),
        ("quorum none\nquorum none\n", "policy-quorum-not-one", 2),
        ("quorum x\n", "policy-name-unknown", 1),
        ("quorum W0\n" + W0, "policy-name-unknown", 1),
        (W0 + "group g any W0 none\n", "policy-name-unknown", 2),
        (W0 + "group g any W0 g\n", "policy-name-unknown", 2),
        (W0 + "group g any W0 W1\n" + W1, "policy-name-unknown", 2),
        (W0 + W1.replace("W1", "W0"), "policy-name-taken", 2),
        (W0.replace("W0", "none"), "policy-name-taken", 1),
        (W0 + "group none any W0\n", "policy-name-taken", 2),
        (W0 + "group W0 any W0\n", "policy-name-taken", 2),
        (W0 + "group g any W0 W0\n", "policy-name-taken", 2),
        (W0 + "group g any W0\ngroup h any W0\n", "policy-name-taken", 3),
        (W0 + W1 + "group g any W0\ngroup h any g W1 g\n", "policy-name-taken", 4),
        (log_line() + log_line(), "policy-key-twice", 2),
        (W0 + W0.replace("W0", "V0"), "policy-key-twice", 2),
        (log_line(1) + f"witness W {LOG_KEYS[1].vkey()}\n", "policy-key-twice", 2),
        (f"witness W {LOG_KEYS[0].vkey()}\n", "policy-key-unfit", 1),
        ("log abc\n", "policy-key-unfit", 1),
        (log_line().replace("+", "+0", 1), "policy-key-unfit", 1),
    ],
)  # fmt: skip
def test_a_line_out_of_order_is_named(text: str, code: str, line: int) -> None:
    with pytest.raises(Problem, match=code) as refused:
        parse(text.encode())
    assert refused.value.params["line"] == line


def test_one_key_under_two_names_and_types_is_one_key() -> None:
    key = ed25519("w1")
    again = Signer.of_checkpoints("other.example", key).verifier.vkey()
    with pytest.raises(Problem, match="policy-key-twice"):
        parse(f"{W1}witness V {again}\nquorum none\n".encode())
    with pytest.raises(Problem, match="policy-key-twice"):
        parse(f"{W1}log {Signer.of_notes('l.example', key).verifier.vkey()}\nquorum none\n".encode())


def deep(levels: int) -> bytes:
    lines = [W0, "group g0 any W0\n", *(f"group g{n} all g{n - 1}\n" for n in range(1, levels))]
    return "".join((*lines, f"quorum g{levels - 1}\n")).encode()


def test_what_is_too_large_is_refused_and_what_the_standard_asks_for_is_not() -> None:
    assert parse(deep(32)).satisfied({"W0"})
    assert parse(deep(MAX_DEPTH)).satisfied({"W0"})
    many = "".join(f"group g{n} any X{n}\n" for n in range(MAX_LINES_OF_A_KIND + 1))
    for raw in (deep(MAX_DEPTH + 1), b"#" * MAX_POLICY_BYTES + b"\n", b"quorum " + b"n" * 4000 + b"\n"):
        with pytest.raises(Problem, match="policy-too-large"):
            parse(raw)
    vkeys = (Signer.of_checkpoints("w.example", ed25519(f"x{n}")).verifier.vkey() for n in range(257))
    lines = "".join(f"witness X{n} {vkey}\n" for n, vkey in enumerate(vkeys))
    with pytest.raises(Problem, match="policy-too-large"):
        parse((lines + many).encode())


@dataclass
class Asked:
    """A policy file made at random, and what it means, worked out from its lines from the top each time."""

    groups: list[tuple[str, int, list[str]]]
    quorum: str
    words: dict[str, str]

    def text(self) -> str:
        lines = [witness_line(n) for n in range(COUNT)]
        lines += [f"group {name} {self.words[name]} {' '.join(m)}\n" for name, _, m in self.groups]
        return "".join((*lines, f"quorum {self.quorum}\n"))

    def means(self, signed: set[str]) -> bool:
        true = set(signed) | {"none"}
        for name, least, members in self.groups:
            if len([m for m in members if m in true]) >= least:
                true.add(name)
        return self.quorum in true


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    free = [f"W{n}" for n in range(COUNT)]
    groups, words = [], {}
    for number in range(draw(st.integers(0, 4))):
        members = draw(st.lists(st.sampled_from(free), min_size=1, unique=True)) if free else []
        if not members:
            break
        least = draw(st.integers(1, len(members)))
        spellings = [str(least)] + ["any"] * (least == 1) + ["all"] * (least == len(members))
        groups.append((f"g{number}", least, members))
        words[f"g{number}"] = draw(st.sampled_from(spellings))
        free = [f for f in free if f not in members] + [f"g{number}"]
    names = ["none", *(f"W{n}" for n in range(COUNT)), *words]
    return Asked(groups, draw(st.sampled_from(names)), words)


@tries(60)
@given(asked(), st.sets(st.integers(0, COUNT - 1)))
def test_a_policy_of_any_shape_means_what_its_lines_say(made: Asked, numbers: set[int]) -> None:
    policy = parse(made.text().encode()).for_log(ORIGIN, LOG_KEYS)
    raw = cosigned(*numbers)
    expected = made.means({f"W{n}" for n in numbers})
    assert policy.satisfied(policy.judge(raw).witnessed) is expected
    try:
        policy.verify(raw)
    except Problem as problem:
        assert problem.code == "checkpoint-quorum-missing"
        assert not expected
    else:
        assert expected


@given(st.binary(max_size=200), st.integers(0, len(TWO_LEVELS)), st.integers(0, 400))
def test_any_bytes_are_a_policy_or_refused_with_a_code_of_policies(junk: bytes, at: int, cut: int) -> None:
    base = TWO_LEVELS.encode()
    for raw in (junk, base[:at] + junk + base[at + cut :]):
        try:
            policy = parse(raw)
        except Problem as problem:
            assert problem.code.startswith("policy-")
            assert str(problem.as_dict()).encode()
            continue
        assert not policy.satisfied(()) or b"none" in raw
        assert policy.satisfied(w.name for w in policy.witnesses)


def test_a_group_needs_no_file() -> None:
    witnesses = tuple(Witness(f"W{n}", (cosigner(n).verifier,)) for n in range(3))
    policy = Policy(Policy.of_log(ORIGIN, LOG_KEYS).logs, witnesses, Group("g", 2, witnesses))
    assert policy.verify(cosigned(0, 2)).missing == ("W1",)
    assert policy.verify(sign(HEAD, (*LOG, cosigner(1), cosigner(2)), AT)).head == HEAD
    with pytest.raises(Problem, match="checkpoint-policy-invalid"):
        Policy((), (*witnesses, Witness("W0", (cosigner(4).verifier,))))
