from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh.model.c2sp import read_base64, read_decimal, read_text, write_base64, write_text


@given(st.integers(0, 2**63 - 1))
def test_a_number_reads_back(number: int) -> None:
    assert read_decimal(str(number)) == number


@pytest.mark.parametrize(
    "text", ["", "00", "01", "+1", "-1", " 1", "1\n", "1_0", "٣", "1e3", str(2**63), "9" * 5000]
)
def test_another_spelling_of_a_number_is_refused(text: str) -> None:
    assert read_decimal(text) is None


@given(st.binary(max_size=100))
def test_base64_is_that_of_rfc_4648_section_4(raw: bytes) -> None:
    assert write_base64(raw) == base64.b64encode(raw).decode()
    assert read_base64(write_base64(raw)) == raw


@pytest.mark.parametrize(
    "text", ["QQ", "QQ=", "QR==", "QQ==\n", " QQ==", "Q Q==", "QQ==QQ==", "_-8=", "QQ===", "=", "É", "\udc80"]
)
def test_another_spelling_of_base64_is_refused(text: str) -> None:
    assert read_base64(text) is None


@given(st.text())
def test_what_is_read_as_base64_is_written_so(text: str) -> None:
    raw = read_base64(text)
    assert raw is None or write_base64(raw) == text


@given(st.binary())
def test_what_is_read_as_text_is_written_so(raw: bytes) -> None:
    text = read_text(raw)
    assert text is None or write_text(text) == raw


@pytest.mark.parametrize("text", ["a\tb", "a\rb", "\0", "\x1f", "\ud800"])
def test_control_characters_and_surrogates_are_not_text(text: str) -> None:
    assert write_text(text) is None
    assert read_text(text.encode(errors="surrogatepass")) is None


def test_persian_is_text() -> None:
    assert read_text("گردش\n".encode()) == "گردش\n"
