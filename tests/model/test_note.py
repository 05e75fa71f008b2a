from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusal import value_or_refusal

from gardesh.model.note import MAX_NOTE_BYTES, Note, Signature, is_key_name, parse, parse_signatures
from gardesh.model.problem import Problem

# The example of C2SP signed-note.
EXAMPLE = (
    "This is an example message.\n\n"
    "— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
LINE = EXAMPLE.split("\n")[2]

names = st.text(min_size=1, max_size=20).filter(is_key_name)
signatures = st.builds(
    Signature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=90)
)
texts = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=1).map(
    lambda x: "\n".join(x) + "\n"
)


def test_the_example_of_c2sp_is_read() -> None:
    note = parse(EXAMPLE.encode())
    assert note.text == "This is an example message.\n"
    assert [(s.name, s.key_id.hex(), len(s.blob)) for s in note.signatures] == [
        ("example.com/foo", "530d903a", 64)
    ]
    assert note.encode() == EXAMPLE.encode()


def test_the_text_may_have_empty_lines_and_ends_at_the_last() -> None:
    note = parse(f"a\n\n\nb\n\n{LINE}\n".encode())
    assert note.text == "a\n\n\nb\n"


@given(texts, st.lists(signatures, min_size=1, max_size=5))
def test_a_note_reads_back(text: str, lines: list[Signature]) -> None:
    note = Note(text, tuple(lines))
    assert parse(note.encode()) == note
    assert parse_signatures("".join(s.line() for s in lines).encode()) == note.signatures


@given(st.binary() | st.text(alphabet="ab\n —+=\t\u2003").map(str.encode))
def test_any_bytes_are_a_note_or_refused(raw: bytes) -> None:
    for tail in (b"", b"\n\n" + LINE.encode() + b"\n"):
        note = value_or_refusal(parse, raw + tail, "note-malformed")
        assert note is None or note.encode() == raw + tail
    lines = value_or_refusal(parse_signatures, raw, "note-malformed")
    assert lines is None or "".join(s.line() for s in lines).encode() == raw


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "\n",
        LINE,
        LINE + "\r\n",
        LINE + "\n\n",
        LINE + "\nnot a signature\n",
        LINE + "\n" + LINE,
        LINE.replace("—", "-") + "\n",
        LINE.replace("— ", "—") + "\n",
        LINE.replace("— ", "—  ") + "\n",
        LINE + " \n",
        LINE.replace("Uw2Q", "Uw2\u200b") + "\n",
        LINE.replace("=", "") + "\n",
        LINE.replace("aQM=", "aQN=") + "\n",
        LINE.replace("example.com/foo", "example.com+foo") + "\n",
        LINE.replace("example.com/foo", "example.com\u00a0foo") + "\n",
        LINE.replace("example.com/foo", "") + "\n",
        "— example.com/foo UQ2QOg==\n",
    ],
)
def test_malformed_signature_lines_refuse_the_note(lines: str) -> None:
    with pytest.raises(Problem, match="note-malformed"):
        parse(f"text\n\n{lines}".encode())
    if lines not in ("", "\n"):
        with pytest.raises(Problem, match="note-malformed"):
            parse_signatures(lines.encode())


@pytest.mark.parametrize("text", ["text", "te\txt\n", "text\r\n", "\x00\n"])
def test_malformed_texts_are_neither_read_nor_written(text: str) -> None:
    with pytest.raises(Problem, match="note-malformed"):
        parse(f"{text}\n{LINE}\n".encode())
    with pytest.raises(Problem, match="note-malformed"):
        Note(text, parse_signatures(f"{LINE}\n".encode())).encode()


def test_invalid_utf_8_is_refused() -> None:
    with pytest.raises(Problem, match="note-malformed"):
        parse(b"\xff" + EXAMPLE.encode())


def test_a_note_without_signatures_is_not_written() -> None:
    with pytest.raises(Problem, match="note-malformed"):
        Note("text\n", ()).encode()


def test_the_line_of_a_fault_is_told() -> None:
    with pytest.raises(Problem) as refused:
        parse(f"a\nb\n\n{LINE}\nx\n".encode())
    assert refused.value.params == {"line": 5}


def test_a_note_carries_at_least_16_post_quantum_signatures() -> None:
    lines = tuple(Signature(f"w{i}.example", bytes(4), bytes(5000)) for i in range(16))
    note = Note("text\n", lines)
    assert parse(note.encode()) == note


def test_size_and_number_of_signatures_are_bounded() -> None:
    with pytest.raises(Problem, match="note-too-large"):
        parse(f"text\n\n{(LINE + chr(10)) * 65}".encode())
    with pytest.raises(Problem, match="note-too-large"):
        parse(b"a" * MAX_NOTE_BYTES + EXAMPLE.encode())
