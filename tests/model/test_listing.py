"""Code lists: the longest code that covers, and files of strangers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh.model import listing
from gardesh.model.problem import Problem

HEAD = "# title-en: T\n# key: code\n# source: s\ncode,name\n"


def read(rows: str) -> listing.CodeList:
    return listing.read("lists/x.csv", (HEAD + rows).encode())


def test_the_longest_code_covers() -> None:
    made = read("84,a\n8471,b\n8471,c\n*,any\n")
    assert (made.lookup("847130") or {})["name"] == "b"
    assert [row["name"] for row in made.covering("847130")] == ["b", "c", "a", "any"]
    assert (made.lookup("8") or {})["name"] == "any"
    assert read("84,a\n").lookup("8") is None


@given(st.lists(st.text("12", min_size=1, max_size=5), max_size=6), st.text("12", max_size=8))
def test_what_is_found_is_what_begins_the_code(codes: list[str], code: str) -> None:
    made = read("".join(f"{c},{n}\n" for n, c in enumerate(codes)))
    begins = sorted((c for c in codes if code.startswith(c)), key=len, reverse=True)
    assert [row["code"] for row in made.covering(code)] == begins
    assert (made.lookup(code) or {"code": None})["code"] == (begins[0] if begins else None)


def test_a_long_code_is_not_read_beyond_the_longest_listed() -> None:
    """A megabyte of it would be cut a million times."""

    class Counted(str):
        cuts = 0

        def __getitem__(self, key: object) -> str:
            Counted.cuts += 1
            return super().__getitem__(key)  # type: ignore[index]

    made = read("84,a\n8471,b\n")
    assert made.lookup(Counted("84" * 500_000)) == {"code": "84", "name": "a"}
    assert len(made.covering(Counted("84" * 500_000))) == 1
    assert Counted.cuts <= 8


def test_a_file_of_comments_alone_is_read_once_through() -> None:
    with pytest.raises(Problem, match="no column"):
        listing.read("lists/x.csv", b"# a: b\n" * 500_000)


@pytest.mark.parametrize("rows", ["a," + "x" * 200_000 + "\n", 'a,"b', "a\n", "a,b,c\n", "a,b\0\n"])
def test_a_row_that_is_none_is_refused_or_read(rows: str) -> None:
    try:
        read(rows)
    except Problem as problem:
        assert problem.code == "list-malformed"


PARTS = st.sampled_from(
    [
        "#",
        "key:",
        "source:x",
        "code",
        "name",
        ",",
        '"',
        "\n",
        "\r",
        "\0",
        "\ufeff",
        "\x85",
        "\u2028",
        " ",
        "9",
    ]
)


@given(
    st.binary(max_size=80) | st.lists(PARTS, max_size=40).map(lambda p: "".join(p).encode()), st.booleans()
)
def test_any_bytes_are_a_list_or_refused(data: bytes, headed: bool) -> None:
    try:
        made = listing.read("lists/x.csv", HEAD.encode() * headed + data)
    except Problem as problem:
        assert problem.code == "list-malformed"
    else:
        assert set(made.columns) >= {made.key}
        assert all(row[made.key] == code for code, rows in made.rows.items() for row in rows)
