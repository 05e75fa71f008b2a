"""Nobody reads over HTTP what is not theirs: every organisation asks for everything, in every way there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import Served, serving

from gardesh import worked_file
from gardesh.model.canonical import base64url_decode
from gardesh.model.document import parse
from gardesh.play import Player
from gardesh.record import folder
from gardesh.record.views import Views
from gardesh.web import paging
from market import Market, application

pytestmark = pytest.mark.store

ORGS = ("ali", "sara", "city", "health", "traffic", "neighbour", "axa", "steward")
CASES = ("", "/plan", "/why", "/documents")


def stall(market: Market) -> dict[str, str]:
    """A stall for food at two sites: the digest of each document by its step. `axa` has no part: there are two seats."""
    area = market.area()
    case = market.apply(goods=[{"kind": "food"}], sites=["north", "south"])
    market.do("neighbour", "objection", {"reason": "too loud"}, case, key="o1")
    market.do("health", "health-check", {"remark": "clean"}, case, outcome="approved")
    market.do("traffic", "site-visit", {"site": "north"}, case, key="north")
    rows = market.store.rows("SELECT step, digest FROM documents WHERE case_id = ?", case)
    return {"area": area, **{step: bytes(digest).hex() for step, digest in rows}}


READS: dict[str, dict[str, Any]] = {
    "application": {
        "ali": "*",
        "city": "*",
        "health": {"vendor", "goods"},
        "traffic": {"sites", "area"},
        "neighbour": {"area", "seats"},
    },
    "objection": {"neighbour": "*", "city": "*"},
    "health-check": {"health": "*", "city": "*", "ali": "*"},
    "site-visit": {"traffic": "*", "city": "*"},
    "area": {"city": "*"},
}
"""Who reads what of each document: `*` for all. Whoever is not named reads nothing."""


def read(who: httpx.Client, digest: str) -> set[str] | None:
    """The members of the subject that are shown; None where the document is not there."""
    answer = who.get(f"/v1/documents/{digest}", params={"purpose": "test"})
    if answer.status_code == 404:
        assert answer.json()["code"] == "no-such-document"
        return None
    assert answer.status_code == 200, answer.text
    return set(parse(answer.content).subject)


def test_each_reads_what_its_steps_need_and_no_more(served: Served) -> None:
    made = served.do(stall)
    whole = {s: set(parse(served.do(lambda m, d=d: document(m, d))).subject) for s, d in made.items()}
    for org in ORGS:
        with served.by(org) as who:
            for step, readers in READS.items():
                right = readers.get(org)
                expected = whole[step] if right == "*" else right
                assert read(who, made[step]) == expected, (org, step)
                told = who.get(f"/v1/documents/{made[step]}/receipt")
                assert told.status_code == (200 if right else 404), (org, step)


def document(market: Market, digest: str) -> bytes:
    return Views(market.store, market.node.library).document(digest)[3]


def test_a_case_is_there_for_those_who_have_a_part_in_it(served: Served) -> None:
    made = served.do(stall)
    case = made["application"]
    part = {"ali", "city", "health", "traffic", "neighbour"}
    for org in ORGS:
        with served.by(org) as who:
            for path in CASES:
                answer = who.get(f"/v1/cases/{case}{path}")
                assert answer.status_code == (200 if org in part else 404), (org, path)
            drafted = who.post("/v1/drafts", json={"step": "objection", "case": case, "key": "k"})
            assert drafted.status_code == (200 if org in part else 404), org
            listed = {c["case"] for part in ("opened", "worked") for c in all_cases(who, part)}
            assert (case in listed) == (org in {"ali", "health", "traffic", "neighbour"}), org


def all_cases(who: httpx.Client, part: str) -> list[dict[str, Any]]:
    return list(who.get("/v1/cases", params={"part": part}).json()["cases"])


def test_what_is_not_there_and_what_may_not_be_read_look_the_same(served: Served) -> None:
    made = served.do(stall)

    def shape(answer: httpx.Response, name: str) -> tuple[Any, ...]:
        body = {k: str(v).replace(name, "NAME") for k, v in answer.json().items() if k != "instance"}
        kept = {
            k: v for k, v in answer.headers.items() if k not in ("x-request-id", "date", "content-length")
        }
        return answer.status_code, body, kept

    absent = "0" * 64
    with served.by("sara") as sara:
        for path in ("/v1/documents/{}?purpose=x", "/v1/documents/{}/receipt", "/v1/documents/{}/readers",
                     "/v1/documents/{}/attachments/" + absent + "?purpose=x", *(f"/v1/cases/{{}}{p}" for p in CASES)):  # fmt: skip
            name = made["application"]
            assert shape(sara.get(path.format(name)), name) == shape(sara.get(path.format(absent)), absent), (
                path
            )


def test_a_digest_cannot_be_found_by_its_beginning(served: Served) -> None:
    made = served.do(stall)
    with served.by("ali") as ali:
        for part in (
            made["application"][:63],
            made["application"][:8],
            made["application"].upper(),
            "٣",
            "-1",
            "9" * 30,
        ):
            assert ali.get(f"/v1/documents/{part}", params={"purpose": "x"}).status_code == 404, part
            assert ali.get(f"/v1/cases/{part}").status_code == 404, part


def test_readers_are_told_to_the_issuer_and_to_those_it_is_about(served: Served) -> None:
    made = served.do(stall)
    assert read(served.by("health"), made["application"]) is not None
    for org in ORGS:
        answer = served.by(org).get(f"/v1/documents/{made['application']}/readers")
        if org == "ali":
            assert [(r["reader"], r["purpose"]) for r in answer.json()["readers"]] == [("health", "test")]
            assert answer.json()["readers"][0]["fields"] == "goods,vendor"
        else:
            assert answer.status_code in (403, 404), org


def test_a_read_is_recorded_once_and_not_when_nothing_was_sent(served: Served) -> None:
    made = served.do(stall)
    path, ask = f"/v1/documents/{made['application']}", {"purpose": "look"}
    with served.by("ali") as ali:
        first = ali.get(path, params=ask)
        again = ali.get(path, params=ask, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert len(ali.get(f"{path}/readers").json()["readers"]) == 1
        other = ali.get(path, params=ask, headers={"if-none-match": '"something"'})
        assert other.content == first.content
        assert len(ali.get(f"{path}/readers").json()["readers"]) == 2
        head = ali.head(path, params=ask)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == first.headers["etag"]
        assert served.by("health").head(path, params=ask).status_code == 200
        assert ali.get(path).status_code == 400  # no purpose, no document
        assert len(ali.get(f"{path}/readers").json()["readers"]) == 2


def test_search_finds_only_what_may_be_read(imported: Imported) -> None:
    rows = imported.served.do(
        lambda _: imported.player.node.store.rows("SELECT kind, value, position FROM identifiers")
    )
    assert rows
    for org in imported.player.keys:
        with imported.by(org) as who:
            for kind, value, position in rows:
                found = who.get("/v1/search", params={"kind": kind, "value": value}).json()["documents"]
                right = imported.right(org, position)
                allowed = right == "all" or (
                    right != "none" and imported.key_fields(kind, position) <= set(right)
                )
                assert any(d["position"] == position for d in found) == allowed, (org, kind)


def test_a_container_and_a_tax_id_find_the_papers_of_an_import(imported: Imported) -> None:
    """The keys of the shipped packs: what names a container, in a list of texts or of objects, and what names a company."""

    def found(kind: str, value: str) -> set[str]:
        types: set[str] = set()
        for org in imported.player.keys:
            with imported.by(org) as who:
                answer = who.get("/v1/search", params={"kind": kind, "value": value, "limit": 1000})
                types |= {d["type"] for d in answer.json()["documents"]}
        return types

    for container in ("MSKU6011672", "CMAU5110875"):
        assert found("container", container) >= {
            "trade/packing-list", "logistics/bill-of-lading", "logistics/manifest", "logistics/warehouse-receipt",
        }  # fmt: skip
    assert found("tax-id", "10840096498") >= {
        "trade/order-request", "trade/order-registration", "trade/commercial-invoice", "trade/cargo-insurance",
        "trade/declaration", "trade/duty-assessment", "trade/release-order",
    }  # fmt: skip
    assert found("container", "GESU3927660") == set()
    views = Views(imported.player.node.store, imported.player.node.library)
    by_container = imported.served.do(lambda _: views.find_case("container=MSKU6011672"))
    assert imported.served.do(lambda _: views.case(by_container)).procedure


class Imported:
    """A whole import, played, and served."""

    def __init__(self, player: Player, served: Served) -> None:
        self.player, self.served = player, served

    def by(self, org: str) -> httpx.Client:
        return self.served.by(org, key=self.player.keys[org])

    def right(self, org: str, position: int) -> Any:
        node = self.player.node

        def ask(_: Any) -> Any:
            _, at, case, data = Views(node.store, node.library).document(str(position))
            return node.right(org, case, parse(data), position, at, self.player.now)

        return self.served.do(ask)

    def key_fields(self, kind: str, position: int) -> set[str]:
        """The fields of the document that its business key is made of, by the text of its pack."""
        node = self.player.node

        def ask(_: Any) -> set[str]:
            paper = parse(Views(node.store, node.library).document(str(position))[3])
            owner, _, name = paper.type.partition("/")
            pack = next(p for label, p in node.library.packs.items() if label.startswith(f"{owner}@"))
            return set(re.findall(r"\bthis\.(\w+)", pack.documents[name].identifiers[kind]))

        return self.served.do(ask)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    path = folder.shipped() / "trade" / "cases" / "story.yaml"
    made = worked_file.load(path)
    player = Player(worked_file.packs(path, made), made)
    assert not [f for played in player.run() for f in played.failures]
    blobs: Path = tmp_path_factory.mktemp("imported")
    with serving(player, blobs, "[limits]\nrate = 0\n") as served:
        yield Imported(player, served)


def test_every_organisation_of_an_import_reads_its_part(imported: Imported) -> None:
    """Over HTTP as the graph says, for each document and each organisation."""
    size = imported.served.do(lambda _: imported.player.node.sequencer.size)
    seen = {"all": 0, "part": 0, "none": 0}
    for org in imported.player.keys:
        with imported.by(org) as who:
            for position in range(size):
                right = imported.right(org, position)
                answer = who.get(f"/v1/documents/{position}", params={"purpose": "test"})
                assert answer.status_code == (404 if right == "none" else 200), (org, position)
                if right == "none":
                    seen["none"] += 1
                elif right != "all":
                    seen["part"] += 1
                    shown = set(parse(answer.content).subject)
                    assert shown <= {f.strip("/").split("/")[0] for f in right}, (org, position)
                else:
                    seen["all"] += 1
    assert all(seen.values()), seen


def test_a_balance_is_told_to_who_may_read_all_that_made_it(served: Served) -> None:
    """Not public: the last posting is ali's, and the sum is of others too."""
    served.do(lambda market: (market.area(), market.licensed("L-1"), market.licensed("L-2", vendor="sara")))
    path = "/v1/registers/market/seats/square"
    assert served.by("ali").get(path).status_code == 404
    assert served.nobody.get(path).status_code == 404
    assert served.by("city").get(path).json()["balance"] == "16"


def test_a_register_shows_as_a_list_what_it_shows_entry_by_entry(imported: Imported) -> None:
    """To everybody, in every register, in pages of any size, now and at an earlier time."""
    node = imported.player.node
    held = imported.served.do(lambda _: {r: node.sequencer.registers.every_key(r) for (r,) in node.store.rows(
        "SELECT DISTINCT register FROM entries")})  # fmt: skip
    seen = hidden = 0
    for org in (None, *imported.player.keys):
        with imported.served.nobody if org is None else imported.by(org) as who:
            for register, keys in held.items():
                for as_of in (None, "2026-02-10"):
                    asked = {} if as_of is None else {"as_of": as_of}
                    ways = [who.get(f"/v1/registers/{register}/{key}", params=asked) for key in keys]
                    alone = [way.json() for way in ways if way.status_code == 200]
                    for limit in (3, 1000):
                        assert listed(who, register, limit, asked) == alone, (org, register, as_of, limit)
                    seen, hidden = seen + len(alone), hidden + len(keys) - len(alone)
    assert seen
    assert hidden


def listed(who: httpx.Client, register: str, limit: int, asked: dict[str, str]) -> list[Any]:
    found, more = [], {}
    while True:
        answer = who.get(f"/v1/registers/{register}", params={**asked, **more, "limit": str(limit)})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["entries"]) <= limit
        found += page["entries"]
        if page["next"] is None:
            return found
        more = {"cursor": page["next"]}


def test_the_cursor_of_a_register_says_nothing_of_what_is_hidden(served: Served) -> None:
    """It names a place, not a key; and to who may see nothing it is nothing, whatever it says."""
    served.do(lambda market: (market.area(), market.licensed("L-1"), market.licensed("L-2")))
    path = "/v1/registers/market/licences"
    first = served.nobody.get(path, params={"limit": 1}).json()
    assert b"L-1" not in base64url_decode(first["next"].encode())
    assert (
        served.nobody.get(path, params={"cursor": paging.write(987654321)}).json()["code"]
        == "cursor-malformed"
    )
    for place in range(20):
        hidden = served.nobody.get("/v1/registers/market/seats", params={"cursor": paging.write(place)})
        assert hidden.json() == {"entries": [], "next": None}


def test_a_flood_under_ones_key_hides_nothing(served: Served) -> None:
    """Others file very many documents under a business key; who has one of them finds it, further on."""

    def flood(market: Market) -> str:
        market.area()
        mine = market.apply(reference="R-1")
        papers = [
            market.paper(
                "sara", "application", application("sara", reference="R-1", seats=n % 5 + 1, note=str(n))
            )
            for n in range(620)
        ]
        for answer in market.node.intake.submit_all(papers, market.now):
            assert not isinstance(answer, Exception), answer
        return mine

    mine = served.do(flood)
    found, cursor = [], None
    with served.by("ali") as ali:
        while True:
            page = ali.get(
                "/v1/search",
                params={"kind": "application", "value": "R-1", **({"cursor": cursor} if cursor else {})},
            ).json()
            found += page["documents"]
            if (cursor := page["next"]) is None:
                break
    assert [d["digest"] for d in found] == [mine]


def test_the_list_of_a_large_case_costs_what_it_gives(served: Served) -> None:
    """2,000 objections that the opener may not read: pages end after what was looked at, and the whole is still found."""

    def crowd(market: Market) -> str:
        market.area()
        case = market.apply()
        papers = [
            market.paper("neighbour", "objection", {"reason": str(n)}, case, key=f"o{n}")
            for n in range(2_000)
        ]
        for answer in market.node.intake.submit_all(papers, market.now):
            assert not isinstance(answer, Exception), answer
        return case

    case = served.do(crowd)
    pages = 0
    found, cursor = [], None
    with served.by("ali") as ali:
        while True:
            page = ali.get(f"/v1/cases/{case}/documents", params={"cursor": cursor} if cursor else {}).json()
            pages, found = pages + 1, found + page["documents"]
            if (cursor := page["next"]) is None:
                break
    assert [d["step"] for d in found] == ["application"]
    assert pages == 5
