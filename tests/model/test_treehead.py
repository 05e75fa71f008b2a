from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusal import value_or_refusal

from gardesh.model.merkle import EMPTY_ROOT
from gardesh.model.problem import Problem
from gardesh.model.treehead import TreeHead

# The example of C2SP tlog-checkpoint.
EXAMPLE = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
EMPTY = "example.com/empty\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"

lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
heads = st.builds(
    TreeHead,
    lines,
    st.integers(1, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(lines).map(tuple),
)


def test_the_example_of_c2sp_is_read() -> None:
    head = TreeHead.parse(EXAMPLE)
    assert (head.origin, head.size, head.extensions) == ("example.com/behind-the-sofa", 20852163, ())
    assert head.root.hex() == "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"
    assert head.text() == EXAMPLE


def test_the_empty_log_has_the_root_of_the_empty_tree() -> None:
    assert TreeHead.parse(EMPTY) == TreeHead("example.com/empty", 0, EMPTY_ROOT)
    with pytest.raises(Problem, match="checkpoint-malformed"):
        TreeHead.parse(EXAMPLE.replace("20852163", "0"))


@given(heads)
def test_a_tree_head_reads_back(head: TreeHead) -> None:
    assert TreeHead.parse(head.text()) == head


@given(st.text() | st.lists(st.sampled_from(["a", "", "0", "7", EMPTY.split("\n")[2]])).map("\n".join))
def test_any_text_is_a_tree_head_or_refused(text: str) -> None:
    head = value_or_refusal(TreeHead.parse, text, "checkpoint-malformed")
    assert head is None or head.text() == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        (EXAMPLE[:-1], 3),
        ("\n" + EXAMPLE, 1),
        (EXAMPLE + "\n", 4),
        (EXAMPLE + "extension", 4),
        (EXAMPLE + "extension\n\n", 5),
        ("\n" + EXAMPLE.split("\n", 1)[1], 1),
        (EXAMPLE.replace("20852163", "020852163"), 2),
        (EXAMPLE.replace("20852163", "-1"), 2),
        (EXAMPLE.replace("20852163", str(2**63)), 2),
        (EXAMPLE.replace("q2I=", "q2J="), 3),
        (EXAMPLE.replace("Cs", ""), 3),
        (EXAMPLE.replace("example.com", "example\t.com"), 1),
    ],
)
def test_a_malformed_tree_head_is_refused_at_its_line(text: str, line: int) -> None:
    with pytest.raises(Problem, match="checkpoint-malformed") as refused:
        TreeHead.parse(text)
    assert refused.value.params == {"line": line}


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions"),
    [
        ("", 1, bytes(32), ()),
        ("a\nb", 1, bytes(32), ()),
        ("\ud800", 1, bytes(32), ()),
        ("a", -1, bytes(32), ()),
        ("a", 1, bytes(31), ()),
        ("a", 1, bytes(32), ("",)),
    ],
)
def test_a_tree_head_that_could_not_be_read_is_not_made(
    origin: str, size: int, root: bytes, extensions: tuple[str, ...]
) -> None:
    with pytest.raises(Problem, match="checkpoint-malformed"):
        TreeHead(origin, size, root, extensions)
