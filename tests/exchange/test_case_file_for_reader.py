"""A case file for one reader: what the graph lets it read, and nothing else; checked offline all the same."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from typing import Any

import pytest

from gardesh import worked_file
from gardesh.access import Access
from gardesh.exchange import case_file, case_file_check, case_file_selection
from gardesh.exchange.case_file_container import write
from gardesh.model import canonical
from gardesh.model.document import parse
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem
from gardesh.play import Player
from gardesh.record import folder

STORY = folder.shipped() / "trade" / "cases" / "story.yaml"


def played() -> Player:
    made = worked_file.load(STORY)
    player = Player(worked_file.packs(STORY, made), made)
    list(player.run())
    return player


@pytest.fixture(scope="module")
def player() -> Player:
    return played()


def made(player: Player, org: str) -> bytes:
    access = Access(player.node, org, player.now)
    return case_file_selection.for_reader(player.node, player.cases["main"], access)


def readers(player: Player) -> list[str]:
    found = []
    for org in sorted(player.keys):
        try:
            made(player, org)
        except Problem as problem:
            assert problem.code in ("no-such-case", "case-file-empty")
        else:
            found.append(org)
    return found


def office(player: Player) -> str:
    """One that reads some documents whole, some in part, and others not at all."""
    for org in readers(player):
        found = case_file_check.verify(made(player, org))
        if found.in_part and found.unshown:
            return org
    raise AssertionError("there is none")


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        return {n: source.read(n) for n in source.namelist()}


def packed(files: dict[str, bytes], **changes: Any) -> bytes:
    """A file with a manifest that says all is right: what a careful forger makes."""
    about = canonical.decode(files["manifest.json"], canonical.Limits(size=1 << 24))
    listed = {n: {"size": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in files.items()}
    del listed["manifest.json"]
    whole = {**about, **changes, "files": listed}
    kept = {k: v for k, v in whole.items() if v is not None}
    return write({**files, "manifest.json": case_file.plain(kept)})


def codes(data: bytes) -> set[str]:
    return {p.code for p in case_file_check.verify(data).problems}


def test_each_reader_gets_its_part_and_can_check_it(player: Player) -> None:
    trust = Policy.of_log(player.node.log.origin, [s.verifier for s in player.node.log.signers])
    orgs = readers(player)
    assert len(orgs) >= 8
    partial = 0
    for org in orgs:
        data = made(player, org)
        found = case_file_check.verify(data, trust)
        assert [p.sentence("en") for p in found.problems] == [], org
        assert found.reader == org
        partial += bool(found.in_part and found.unshown)
        access = Access(player.node, org, player.now)
        for name, raw in contents(data).items():
            if name.endswith(".sd-jwt") and not name.startswith("keys/"):
                paper = parse(raw)
                right = access.found(paper.digest.hex())[1]
                shown = {p.strip("/").split("/")[0] for p in right} if isinstance(right, tuple) else None
                assert shown is None or set(paper.subject) <= shown, (org, name)
            if name.startswith("keys/") and name.endswith("admission.sd-jwt"):
                assert set(parse(raw).subject) == {"org", "keys"}
        for digest in found.unshown:
            with pytest.raises(Problem):
                access.found(digest)
    assert partial >= 4


def test_it_is_the_same_each_time_and_each_read_is_on_record(player: Player) -> None:
    org = readers(player)[0]
    before = player.node.store.one("SELECT count(*) FROM reads WHERE purpose = 'case file'")[0]
    first = made(player, org)
    assert made(player, org) == first
    after = player.node.store.one("SELECT count(*) FROM reads WHERE purpose = 'case file'")[0]
    shown = [n for n in contents(first) if n.startswith(("documents/", "linked/"))]
    assert after - before == 2 * len(shown)


def test_a_stranger_gets_nothing(player: Player) -> None:
    with pytest.raises(Problem) as caught:
        made(player, "stranger")
    assert caught.value.code == "no-such-case"


def test_every_flipped_bit_is_found(player: Player) -> None:
    data = made(player, office(player))
    dice = random.Random(1)
    for _ in range(60):
        at = dice.randrange(len(data))
        wrong = bytearray(data)
        wrong[at] ^= 1 << dice.randrange(8)
        assert case_file_check.verify(bytes(wrong)).problems, at


def test_a_forger_cannot_pass_it_as_whole_nor_hide_more(player: Player) -> None:
    data = made(player, office(player))
    files = contents(data)
    found = case_file_check.verify(data)
    assert found.in_part
    assert found.unshown
    assert "case-file-in-part" in codes(packed(files, reader=None, left_out=None))
    assert codes(packed(files, reader="trader")) == {"case-file-altered"}
    assert codes(packed(files, left_out=[])) & {"case-file-unexpected", "case-file-reference-missing"}
    about = canonical.decode(files["manifest.json"], canonical.Limits(size=1 << 24))
    moved = [{**row, "position": int(row["position"]) + 1} for row in about["left_out"]]
    assert "case-file-not-proven" in codes(packed(files, left_out=moved))
    other = [{**row, "digest": "0" * 64} for row in about["left_out"]]
    assert "case-file-not-proven" in codes(packed(files, left_out=other))
    for wrong in (
        "x",
        [1],
        [{"position": -1, "digest": "0" * 64}],
        [{"position": 1}],
        [{"position": "1", "digest": 2}],
    ):
        assert codes(packed(files, left_out=wrong)) == {"case-file-altered"}


def test_a_document_that_registers_keys_is_not_shown_in_part(player: Player) -> None:
    """Of a rotation, what it retires could be withheld, and the old key would seem to be in force."""
    files = contents(made(player, office(player)))
    name = next(n for n in files if n.endswith("pack-adoption.sd-jwt") or n.endswith("-genesis.sd-jwt"))
    paper = parse(files[name])
    some = sorted(paper.subject)[:1]
    assert "case-file-in-part" in codes(packed({**files, name: paper.show(f"/{m}" for m in some)}))
