"""The pages of the public register: no scripts, printable, in Persian and English. What they say is in `templates`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader

from gardesh.publication.shown import Shower

TEMPLATES = Path(__file__).parent / "templates"
WORDS: dict[str, dict[str, str]] = {
    lang: msgspec.json.decode((TEMPLATES / f"{lang}.json").read_bytes()) for lang in ("fa", "en")
}
_environment = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, auto_reload=False
)


def entrance() -> str:
    """Where the reader chooses a language."""
    return _environment.get_template("entrance.html").render()


def render(name: str, here: str, shower: Shower, about: dict[str, Any], **values: Any) -> str:
    """A page. `here`: its address under the folder of its language, by which the other language is linked."""
    return _environment.get_template(f"{name}.html").render(
        lang=shower.lang,
        other="en" if shower.lang == "fa" else "fa",
        w=WORDS[shower.lang],
        here=here,
        up="../" * (here.count("/") + 1),
        **about,
        **values,
    )
