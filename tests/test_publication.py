"""The public register: what is in it, that nothing else is, that it can be checked, and that it is put in place whole."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import stores
from gardesh import worked_file
from gardesh.exchange.document_check import verify_document
from gardesh.model.calendar import parse_instant
from gardesh.model.document import parse
from gardesh.model.jose import PublicKey
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem
from gardesh.play import Player
from gardesh.publication import site, table
from gardesh.publication.content import Content, properties
from gardesh.publication.shown import Shower, differences
from gardesh.publication.site import publish
from gardesh.record import folder
from gardesh.study.record import stored_documents
from gardesh.worked import Act

pytestmark = pytest.mark.store

GOVERNANCE = folder.shipped() / "governance"
CASES = sorted((GOVERNANCE / "cases").glob("*.yaml"))


def played(name: str, acts: int | None = None) -> Player:
    path = GOVERNANCE / "cases" / f"{name}.yaml"
    made = worked_file.load(path)
    player = Player(worked_file.packs(path, made), made, stores.fresh())
    for each in player.run():
        assert each.failures == []
        if each.number == acts:
            break
    return player


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Player, Path]:
    player, out = played("story"), tmp_path_factory.mktemp("story") / "public"
    publish(player.node, out, player.now)
    return player, out


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_no_page_and_no_file_holds_what_is_not_public(path: Path, tmp_path: Path) -> None:
    """Every text of a private field and of a document that is not public, unless a public one says it too."""
    player = played(path.stem)
    public: set[str] = set()
    hidden: set[str] = set()
    for _, _, data in stored_documents(player.node.store):
        paper = parse(data)
        declared = player.node.library.document_type(player.node.library.get(paper.pack), paper.type)
        assert declared is not None
        if paper.type in ("core/genesis", "core/admission"):
            continue  # organisations, their names and public keys are shown; see the next test
        marks = properties(declared)
        for name, value in paper.subject.items():
            shown = declared.public and not marks.get(name, {}).get("private")
            (public if shown else hidden).update(texts(value))
    for pack in player.node.library.packs.values():
        public |= {text for data in pack.files.values() for text in re.findall(r"[\w./-]+", data.decode())}
    public |= set(player.node.sequencer.registers.every_key("core/tariffs"))
    hidden -= {text for text in hidden if re.fullmatch(r"\d{4}-\d\d-\d\d", text)}
    secrets = {t for t in hidden - public if len(t) > 7 and not any(t in p for p in public)}
    secrets -= set(player.keys)
    publish(player.node, tmp_path / "out", player.now)
    everything = "\n".join(
        f.read_text(encoding="utf-8") for f in sorted((tmp_path / "out").rglob("*")) if f.is_file()
    )
    assert {text for text in secrets if text in everything} == set()


def test_persons_are_called_by_their_identifier_alone(story: tuple[Player, Path]) -> None:
    """Who holds a seat is public, by the identifier in the record; the name in the admission is not."""
    everything = "\n".join(f.read_text(encoding="utf-8") for f in story[1].rglob("*") if f.is_file())
    for hidden in ("Mina (ministry)", "مینا (وزارت)", "Deputy minister"):
        assert hidden not in everything
    for shown in ("mina", "Plant Protection Organisation", "Small firms"):
        assert shown in everything


def test_a_private_field_is_nowhere(tmp_path: Path) -> None:
    """The marks are what keeps it out: without them it is found."""
    player = played("proposal-financed")
    publish(player.node, tmp_path / "out", player.now)
    proposals = list((tmp_path / "out" / "data" / "documents").glob("governance-proposal.*"))
    assert len(proposals) == 2
    for file in (*proposals, *(tmp_path / "out").rglob("*.html")):
        assert "First of its kind in this industry." not in file.read_text(encoding="utf-8")
        assert "218623" in file.read_text(encoding="utf-8") or file.suffix == ".html"


def test_every_document_verifies_with_what_lies_beside_it(story: tuple[Player, Path]) -> None:
    player, out = story
    policy = Policy.of_log(player.node.log.origin, tuple(s.verifier for s in player.node.log.signers))
    found = sorted((out / "data" / "document").glob("*.vc"))
    assert len(found) > 50
    for file in found:
        said = json.loads(file.with_suffix(".json").read_bytes())
        jwk = json.loads((out / "data" / "key" / f"{said['kid']}.jwk").read_bytes())
        proof = file.with_suffix(".proof").read_bytes()
        checked = verify_document(file.read_bytes(), [PublicKey.from_jwk(jwk)], proof, policy)
        assert checked.recorded is not None
        assert checked.recorded.position == said["position"]
        assert checked.paper.subject == said["subject"]


class Links(HTMLParser):
    """The links and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.ids: set[str] = set()
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.tags.add(tag)
        if said.get("href"):
            self.hrefs.append(str(said["href"]))
        if said.get("id"):
            self.ids.add(str(said["id"]))


def test_every_link_leads_somewhere_and_no_page_has_a_script(story: tuple[Player, Path]) -> None:
    out = story[1]
    pages = {f: Links(f.read_text(encoding="utf-8")) for f in out.rglob("*.html")}
    assert len(pages) > 40
    for file, page in pages.items():
        assert "script" not in page.tags
        assert "Content-Security-Policy" in file.read_text(encoding="utf-8")
        for href in page.hrefs:
            path, _, anchor = href.partition("#")
            target = (file.parent / path).resolve() if path else file
            assert target.is_file(), f"{href} on {file.relative_to(out)}"
            if anchor:
                assert anchor in pages[target].ids


def test_both_languages_have_the_same_pages(story: tuple[Player, Path]) -> None:
    out = story[1]
    names = [{f.relative_to(out / lang) for f in (out / lang).rglob("*.html")} for lang in ("fa", "en")]
    assert names[0] == names[1]


def test_a_draft_is_open_until_its_last_day(tmp_path: Path) -> None:
    notice = next(
        i for i, a in enumerate(worked_file.load(GOVERNANCE / "cases" / "tariff-answered.yaml").acts, 1)
        if a.issues == "notice" and not a.refused
    )  # fmt: skip
    player = played("tariff-answered", notice)
    publish(player.node, tmp_path / "out", player.now)
    assert "Fee for joint inspection" in (tmp_path / "out/en/open.html").read_text()
    assert "until 2026-01-11 00:00 +03:30" in (tmp_path / "out/en/open.html").read_text()
    assert "تا ۱۴۰۴/۱۰/۲۱ ۰۰:۰۰" in (tmp_path / "out/fa/open.html").read_text()


def test_the_new_text_is_shown_against_the_draft(tmp_path: Path) -> None:
    player = played("tariff-answered")
    publish(player.node, tmp_path / "out", player.now)
    page = (tmp_path / "out/en/case" / player.cases["main"] / "index.html").read_text()
    assert "Changed against" in page
    assert "<ins>" in page


def test_registers_as_of_a_date(tmp_path: Path) -> None:
    player = played("tariff-decided")
    key = "joint-inspection-parcel"
    days = (("2026-02-19", False), ("2026-02-25", True), ("2026-03-31", False))
    for day, there in days:  # it was decided for the 20th of February, and stopped in March
        publish(player.node, tmp_path / day, player.now, as_of=parse_instant(f"{day}T12:00:00+03:30"))
        found = json.loads((tmp_path / day / "data/register/core/tariffs.json").read_bytes())
        assert (key in [e["key"] for e in found]) is there, day


def test_the_tables_open_in_a_spreadsheet(story: tuple[Player, Path]) -> None:
    folder_ = story[1] / "data" / "documents"
    text = (folder_ / "governance-comment.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    assert {r["issuer"] for r in rows} == {"small-firms", "importer"}
    assert "on_behalf_of" not in rows[0]
    lines = [json.loads(line) for line in (folder_ / "governance-comment.jsonl").read_text().splitlines()]
    assert [line["digest"] for line in lines] == [r["digest"] for r in rows]


def test_a_text_is_not_taken_for_a_formula() -> None:
    said = table.csv_text(["a", "b"], [{"a": "=SUM(1)", "b": "-5"}, {"a": -5, "b": ["=x"]}])
    assert said == '\ufeffa,b\r\n\'=SUM(1),-5\r\n-5,"[""=x""]"\r\n'


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    player = played("group-founded")
    (tmp_path / "letters.txt").write_text("keep")
    with pytest.raises(Problem) as refusal:
        publish(player.node, tmp_path, player.now)
    assert refusal.value.code == "not-a-public-register"
    assert [f.name for f in tmp_path.iterdir()] == ["letters.txt"]


def test_an_earlier_register_is_exchanged_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    player, out = played("group-founded"), tmp_path / "public"
    publish(player.node, out, player.now)
    before = sorted(f.relative_to(out) for f in out.rglob("*"))

    def fails(*_: Any, **__: Any) -> str:
        raise RuntimeError

    monkeypatch.setattr(site, "render", fails)
    with pytest.raises(RuntimeError):
        publish(player.node, out, player.now)
    assert sorted(f.relative_to(out) for f in out.rglob("*")) == before
    monkeypatch.undo()
    publish(player.node, out, player.now)
    assert sorted(f.relative_to(out) for f in out.rglob("*")) == before
    assert [f.name for f in tmp_path.iterdir()] == ["public"]


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


def test_what_people_write_is_text_and_nothing_else(tmp_path: Path) -> None:
    path = GOVERNANCE / "cases" / "tariff-answered.yaml"
    made = worked_file.load(path)
    comment = next(a for a in made.acts if a.issues == "comment" and a.by == "guild")
    comment.subject = {"text": f"=HYPERLINK(1) {HOSTILE}", "part": f"javascript:{HOSTILE}"}
    draft = next(a for a in made.acts if a.issues == "draft" and not a.refused)
    draft.subject = {**(draft.subject or {}), "title": HOSTILE, "impact": "2026-99-99"}
    player = Player(worked_file.packs(path, made), made, stores.fresh())
    assert all(each.failures == [] for each in player.run())
    out = tmp_path / "out"
    publish(player.node, out, player.now)
    for file in out.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert "<script" not in text
        assert not Links(text).tags & {"script", "img"}
    rows = csv.DictReader(
        (out / "data/documents/governance-comment.csv").read_text(encoding="utf-8-sig").splitlines()
    )
    assert any(row["text"].startswith("'=HYPERLINK") for row in rows)


def test_a_key_is_published_under_a_plain_name(story: tuple[Player, Path]) -> None:
    document = next(
        found
        for position in range(story[0].node.sequencer.size)
        if (found := Content(story[0].node, story[0].now).document(position)) is not None
    )
    assert document.key_file == document.paper.kid
    bent = replace(document, paper=BentPaper("../../../etc/passwd"))
    assert re.fullmatch(r"[0-9a-f]{64}", bent.key_file)


@dataclass
class BentPaper:
    """As much of a document as is asked for its key: the issuer chose the name."""

    kid: str


def test_differences_treat_money_as_one() -> None:
    rial = {"amount": "1", "currency": "IRR"}
    old = {"a": [rial, rial], "b": 1}
    new = {"a": [{**rial, "amount": "2"}], "b": 1, "c": "x"}
    assert list(differences(old, new)) == [
        (("a", 0), rial, {"amount": "2", "currency": "IRR"}),
        (("a", 1), rial, None),
        (("c",), None, "x"),
    ]


def test_values_have_names() -> None:
    schema = {"enum": ["yes"], "names": {"yes": {"fa": "موافق", "en": "for"}}}
    shower = Shower("fa", {}, {"state": {"held": {"fa": "پر", "en": "held"}}})
    assert shower.value("yes", schema)["text"] == "موافق"
    assert shower.value({"state": "held", "x": "held"})["fields"] == [
        ("state", {"text": "پر"}),
        ("x", {"text": "held"}),
    ]


def test_values_are_shown_as_people_read_them() -> None:
    fa, en = Shower("fa", {}), Shower("en", {})
    money = {"amount": "1200000.5", "currency": "IRR"}
    assert (fa.value(money)["text"], en.value(money)["text"]) == ("۱٬۲۰۰٬۰۰۰٫۵ ریال", "1,200,000.5 IRR")
    assert fa.value("2026-03-21")["text"] == "۱۴۰۵/۰۱/۰۱"
    assert (fa.days(3 * 86_400_000), en.days(0)) == ("۳ روز", "less than a day")


def test_a_withdrawn_case_keeps_its_name(story: tuple[Player, Path]) -> None:
    text = (story[1] / "en" / "cases.html").read_text(encoding="utf-8")
    assert "Meeting of a working group trade/1" in text


def test_what_a_key_signed_is_published_after_the_key_was_revoked(tmp_path: Path) -> None:
    path = GOVERNANCE / "cases" / "concern-merged.yaml"
    made = worked_file.load(path)
    made.acts.append(Act(revokes_key="iot"))
    player = Player(worked_file.packs(path, made), made, stores.fresh())
    assert all(each.failures == [] for each in player.run())
    publish(player.node, tmp_path / "out", player.now)
    assert list((tmp_path / "out" / "data" / "key").glob("*.jwk"))


def test_what_a_crash_between_the_renames_set_aside_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, out = played("group-founded"), tmp_path / "public"
    publish(player.node, out, player.now)
    out.rename(tmp_path / ".public.old")

    def fails(*_: Any, **__: Any) -> str:
        raise RuntimeError

    monkeypatch.setattr(site, "render", fails)
    with pytest.raises(RuntimeError):
        publish(player.node, out, player.now)
    assert (out / "en" / "index.html").is_file()


def test_a_file_is_not_taken_for_a_folder(tmp_path: Path) -> None:
    player, out = played("group-founded"), tmp_path / "public"
    out.write_text("keep")
    with pytest.raises(Problem) as refusal:
        publish(player.node, out, player.now)
    assert refusal.value.code == "not-a-public-register"
    assert out.read_text() == "keep"


def test_the_folder_one_stands_in_may_be_named_by_a_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "public"
    out.mkdir()
    monkeypatch.chdir(out)
    publish(played("group-founded").node, Path(), parse_instant("2026-02-01T00:00:00Z"))
    assert (out / "en" / "index.html").is_file()


def test_a_register_leads_to_the_page_that_its_document_is_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases of more documents than a page holds have several; the link of a register finds the right one."""
    monkeypatch.setattr("gardesh.publication.casepage.EACH", 2)
    player, out = played("story"), tmp_path / "public"
    publish(player.node, out, player.now)
    found = 0
    for page in (out / "en" / "register").rglob("*.html"):
        for href in re.findall(r'href="(\.\./\.\./case/[^"]+)"', page.read_text()):
            name, anchor = href.split("#")
            assert f'id="{anchor}"' in (page.parent / name).read_text()
            found += not name.endswith("index.html")
    assert found
