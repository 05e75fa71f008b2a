from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papers import b64, digest_of, refusal, salts
from test_canonical import texts, values

from gardesh.model.canonical import Limits
from gardesh.model.disclosure import RESERVED, conceal, needed, reveal, tokens
from gardesh.model.problem import pointer

names = texts.filter(lambda name: name not in RESERVED)
subjects = st.dictionaries(names, values, max_size=5).filter(
    lambda s: not any(f"'{r}'" in repr(s) for r in RESERVED)
)


def made(*content: Any) -> tuple[str, bytes]:
    """The digest and the bytes of a disclosure."""
    text = b64(list(content))
    return digest_of(text), text.encode()


NAME = made("salt-1", "name", "گردش")
SAME_NAME = made("salt-2", "name", "another")
ELEMENT = made("salt-3", 5)


@given(subjects, st.lists(st.sampled_from(["/*/*", "/*/*/*", "/*/0", "/a/*"])), st.integers(0, 3))
def test_what_is_concealed_is_revealed_again(
    subject: dict[str, Any], patterns: list[str], decoys: int
) -> None:
    node, disclosures = conceal(subject, patterns, salts(), decoys)
    found = reveal(node, [d.encode() for d in disclosures])
    assert found.value == subject
    assert found.missing == decoys
    assert node.keys() <= {"_sd"}


def test_each_member_and_what_the_patterns_name_is_a_disclosure() -> None:
    subject = {"goods": [{"hs": "1", "value": 2}, {"hs": "3", "value": 4}], "value": 6}
    node, disclosures = conceal(subject, ["/goods/*", "/goods/*/value"], salts())
    found = reveal(node, [d.encode() for d in disclosures])
    assert sorted(found.places) == [
        ("goods",),
        ("goods", "0"),
        ("goods", "0", "value"),
        ("goods", "1"),
        ("goods", "1", "value"),
        ("value",),
    ]


def test_digests_do_not_stand_in_the_order_of_the_members() -> None:
    node, _ = conceal({str(n): n for n in range(20)}, [], salts(), decoys=3)
    assert node["_sd"] == sorted(node["_sd"])
    assert len(node["_sd"]) == 23


@pytest.mark.parametrize("salt", [b"", b"x" * 15, b"x" * 17])
def test_a_salt_has_sixteen_bytes(salt: bytes) -> None:
    with pytest.raises(ValueError, match="16 random bytes"):
        conceal({"a": 1}, [], lambda: salt)


def test_a_salt_that_comes_again_is_refused() -> None:
    with pytest.raises(ValueError, match="others each time"):
        conceal({"a": 1, "b": 1}, [], lambda: b"x" * 16)


@pytest.mark.parametrize("subject", [{"_sd": 1}, {"a": {"...": 1}}, {"a": [{"_sd_alg": 1}]}, {"...": []}])
def test_a_subject_with_a_reserved_name_is_not_concealed(subject: dict[str, Any]) -> None:
    assert refusal(lambda: conceal(subject, [], salts()))[0] == "disclosure-name-reserved"


def test_a_subject_with_a_name_that_is_no_string_is_not_concealed() -> None:
    assert refusal(lambda: conceal({"a": {1: 2}}, [], salts())) == ("json-value", "/a")


def test_a_subject_that_is_too_deep_to_be_read_is_not_concealed() -> None:
    deep: Any = 1
    for _ in range(31):
        deep = {"a": deep}
    assert refusal(lambda: conceal(deep, [], salts()))[0] == "json-too-deep"
    node, disclosures = conceal(deep["a"], ["/a" * n for n in range(2, 31)], salts())
    assert reveal(node, [d.encode() for d in disclosures]).value == deep["a"]


@pytest.mark.parametrize(
    ("node", "given", "code"),
    [
        ({}, [NAME], "disclosure-unreferenced"),
        ({"_sd": [NAME[0]]}, [NAME, ELEMENT], "disclosure-unreferenced"),
        ({"_sd": [NAME[0]]}, [NAME, NAME], "disclosure-given-twice"),
        ({"_sd": [NAME[0], NAME[0]]}, [NAME], "digest-twice"),
        ({"_sd": [NAME[0], NAME[0]]}, [], "digest-twice"),
        ({"_sd": [NAME[0]], "a": {"_sd": [NAME[0]]}}, [NAME], "digest-twice"),
        ({"a": [{"...": ELEMENT[0]}, {"...": ELEMENT[0]}]}, [ELEMENT], "digest-twice"),
        ({"_sd": [NAME[0]], "name": 1}, [NAME], "disclosure-name-taken"),
        ({"_sd": [NAME[0], SAME_NAME[0]]}, [NAME, SAME_NAME], "disclosure-name-taken"),
        ({"_sd": [ELEMENT[0]]}, [ELEMENT], "disclosure-of-other-form"),
        ({"a": [{"...": NAME[0]}]}, [NAME], "disclosure-of-other-form"),
        ({"a": {"...": ELEMENT[0]}}, [ELEMENT], "digest-malformed"),
        ({"...": ELEMENT[0]}, [ELEMENT], "digest-malformed"),
        ({"a": [{"...": ELEMENT[0], "b": 1}]}, [ELEMENT], "digest-malformed"),
        ({"a": [{"...": 5}]}, [], "digest-malformed"),
        ({"_sd": NAME[0]}, [NAME], "digest-malformed"),
        ({"_sd": {}}, [], "digest-malformed"),
        ({"_sd": [5]}, [], "digest-malformed"),
        ({"_sd": [["x"]]}, [], "digest-malformed"),
        ({"_sd": ["short"]}, [], "digest-malformed"),
        ({"_sd": ["=" * 43]}, [], "digest-malformed"),
        ({"_sd": ["é" * 43]}, [], "digest-malformed"),
        ({"a": {"_sd": 1}}, [], "digest-malformed"),
        ({"_sd_alg": "sha-256"}, [], "digest-malformed"),
    ],
)
def test_what_rfc_9901_rejects_is_refused(
    node: dict[str, Any], given: list[tuple[str, bytes]], code: str
) -> None:
    assert refusal(lambda: reveal(node, [text for _, text in given]))[0] == code


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_disclosure_of_a_reserved_name_is_refused(name: str) -> None:
    digest, text = made("salt", name, [])
    assert refusal(lambda: reveal({"_sd": [digest]}, [text]))[0] == "disclosure-name-reserved"


@pytest.mark.parametrize(
    "content",
    [{"salt": 1}, "salt", [], ["salt"], ["salt", "name", 1, 2], [1, "name", 2], [None, 2], 5],
)
def test_a_disclosure_of_another_form_is_refused(content: Any) -> None:
    text = b64(content)
    assert refusal(lambda: reveal({"_sd": [digest_of(text)]}, [text.encode()]))[0] == "disclosure-malformed"


def test_a_disclosure_whose_name_is_no_string_is_refused() -> None:
    digest, text = made("salt", 5, "value")
    assert refusal(lambda: reveal({"_sd": [digest]}, [text]))[0] == "disclosure-of-other-form"


@pytest.mark.parametrize(
    "text", [b'["s","n",{"a":1,"a":2}]', b'["s","n",NaN]', b'["s","n","\\ud800"]', b'["s","n"']
)
def test_a_disclosure_is_read_as_strictly_as_the_payload(text: bytes) -> None:
    disclosure = b64(text)
    assert refusal(lambda: reveal({"_sd": [digest_of(disclosure)]}, [disclosure.encode()]))[0].startswith(
        "json-"
    )


def test_a_disclosure_in_a_missing_one_is_refused() -> None:
    inner = made("salt-9", "city", "تهران")
    outer = made("salt-8", "address", {"_sd": [inner[0]]})
    assert reveal({"_sd": [outer[0]]}, [inner[1], outer[1]]).value == {"address": {"city": "تهران"}}
    assert refusal(lambda: reveal({"_sd": [outer[0]]}, [inner[1]]))[0] == "disclosure-unreferenced"


def test_disclosures_cannot_build_what_is_deeper_than_the_limit() -> None:
    digest, text = made("salt", "end", 1)
    chain = [text]
    for n in range(40):
        digest, text = made(f"salt-{n}", "a", {"_sd": [digest]})
        chain.append(text)
    assert refusal(lambda: reveal({"_sd": [digest]}, chain))[0] == "json-too-deep"
    assert reveal({"_sd": [digest]}, chain, Limits(depth=42)).missing == 0


def test_more_disclosures_than_the_limit_are_refused() -> None:
    assert refusal(lambda: reveal({}, [b"x"] * 3, Limits(disclosures=2)))[0] == "disclosures-too-many"


def test_the_node_that_is_revealed_is_not_changed() -> None:
    node = {"_sd": [NAME[0]], "a": [{"...": ELEMENT[0]}]}
    before = repr(node)
    assert reveal(node, [NAME[1], ELEMENT[1]]).value == {"a": [5], "name": "گردش"}
    assert repr(node) == before


def test_empty_objects_are_left_where_nothing_is_shown() -> None:
    node, _ = conceal({"a": 1}, [], salts())
    assert reveal(node, []).value == {}


@pytest.mark.parametrize("text", ["a", "a/b", "/~", "/~2", "/a~", "~0"])
def test_a_pointer_is_that_of_rfc_6901(text: str) -> None:
    assert refusal(lambda: tokens(text))[0] == "pointer-malformed"


@given(st.lists(texts, max_size=4))
def test_the_tokens_of_a_pointer_are_its_parts(parts: list[str]) -> None:
    assert tokens(pointer(*parts)) == tuple(parts)


def test_what_a_pointer_needs_is_what_lies_above_and_below() -> None:
    subject = {"goods": [{"hs": "1", "value": 2}, {"hs": "3", "value": 4}], "value": 6, "note": {"a": 1}}
    places = [("goods",), ("goods", "0"), ("goods", "0", "value"), ("goods", "1"), ("value",), ("note",)]
    assert needed(subject, places, ["/goods/0/value"]) == [0, 1, 2]
    assert needed(subject, places, ["/goods/0"]) == [0, 1, 2]
    assert needed(subject, places, ["/goods/*/hs"]) == [0, 1, 3]
    assert needed(subject, places, ["/goods"]) == [0, 1, 2, 3]
    assert needed(subject, places, ["/note/a", "/value"]) == [4, 5]
    assert needed(subject, places, [""]) == [0, 1, 2, 3, 4, 5]
    assert needed(subject, places, ["/*"]) == [0, 1, 2, 3, 4, 5]
    assert needed(subject, places, []) == []


@pytest.mark.parametrize(
    "absent", ["/x", "/goods/2", "/goods/-", "/goods/00", "/goods/x", "/value/x", "/note/b"]
)
def test_a_pointer_to_what_is_not_there_needs_nothing(absent: str) -> None:
    subject = {"goods": [1, 2], "value": 6, "note": {"a": 1}}
    assert needed(subject, [("goods",), ("value",), ("note",)], [absent]) == []
