"""Reading packs: YAML as its version 1.2 has it, and versions made by laying changes over another."""

from __future__ import annotations

from gardesh.record.folder import merge_patch, parse_yaml


def test_only_true_and_false_are_truths_and_dates_are_texts() -> None:
    text = b"{on: yes, off: no, a: true, b: False, day: 2026-01-03, n: 3}"
    assert parse_yaml("x", text) == {
        "on": "yes",
        "off": "no",
        "a": True,
        "b": False,
        "day": "2026-01-03",
        "n": 3,
    }


def test_a_merge_patch_changes_what_it_names_and_nothing_else() -> None:
    """The cases of RFC 7396, appendix A, in short."""
    given = {"a": {"b": "c", "d": [1, 2]}, "e": 1}
    assert merge_patch(given, {"a": {"b": None, "d": [3]}, "f": {"g": None, "h": 1}}) == {
        "a": {"d": [3]},
        "e": 1,
        "f": {"h": 1},
    }
    assert given == {"a": {"b": "c", "d": [1, 2]}, "e": 1}
    assert merge_patch({"a": 1}, "text") == "text"
    assert merge_patch("text", {"a": 1}) == {"a": 1}
