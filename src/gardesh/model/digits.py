"""Digits as people type and read them: Latin, Persian, Arabic-Indic. Documents always carry Latin ones."""

from __future__ import annotations

_LATIN = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_PERSIAN = str.maketrans("0123456789٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹۰۱۲۳۴۵۶۷۸۹")


def latin_digits(text: str) -> str:
    """The text with Persian and Arabic-Indic digits written in Latin ones."""
    return text.translate(_LATIN)


def persian_digits(text: str) -> str:
    """The text with Latin and Arabic-Indic digits written in Persian ones."""
    return text.translate(_PERSIAN)
