"""A case file is checked from itself alone, and any flipped bit of it is found and named."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from gardesh import worked_file
from gardesh.exchange import case_file, case_file_check, case_file_selection
from gardesh.exchange.case_file_container import MAX_FILES, _write_large, write
from gardesh.exchange.case_file_keys import KeyRing
from gardesh.exchange.case_file_page import page
from gardesh.exchange.document_check import verify_document
from gardesh.model import canonical, receipt
from gardesh.model.document import attachment, compose, parse, present, sign
from gardesh.model.jose import PublicKey
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem
from gardesh.model.signer import Signer, Verifier
from gardesh.play import Player
from gardesh.record import folder
from gardesh.record.blobs import Blobs
from gardesh.record.clock import salt

PACKS = folder.shipped()
LOW_RISK = PACKS / "agriculture" / "cases" / "low-risk.yaml"
REVOKED = PACKS / "trade" / "cases" / "key-revoked.yaml"
Files = dict[str, bytes]


def played(path: Path) -> Player:
    player = Player(
        folder.gather(path.parents[1]),
        worked_file.load(path),
    )
    list(player.run())
    return player


PLAYER = played(LOW_RISK)
CASE = PLAYER.cases["main"]
DATA = case_file_selection.export(PLAYER.node, CASE)


def contents(data: bytes = DATA) -> Files:
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        return {n: source.read(n) for n in source.namelist()}


def packed(files: Files) -> bytes:
    """A ZIP of these files with a manifest that says they are right: what a careful forger makes."""
    about = canonical.decode(files["manifest.json"], canonical.Limits(size=1 << 24))
    listed = {n: {"size": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in files.items()}
    del listed["manifest.json"]
    return write({**files, "manifest.json": case_file.plain({**about, "files": listed})})


def names(files: Files, start: str) -> list[str]:
    return sorted(n for n in files if n.startswith(start))


def said(data: bytes, trust: Policy | None = None) -> list[tuple[str, str]]:
    return [(p.code, p.pointer) for p in case_file_check.verify(data, trust).problems]


def codes(data: bytes) -> set[str]:
    return {code for code, _ in said(data)}


def test_an_exported_file_is_whole_and_opens_without_gardesh() -> None:
    found = case_file_check.verify(DATA)
    assert found.problems == []
    assert (found.case, found.documents) == (CASE, len(names(contents(), "documents/")))
    assert found.size == PLAYER.node.log.size
    assert found.procedure == "agriculture/import-permit"
    files = contents()
    assert files["README.txt"].startswith(b"Gardesh case file")
    assert b"<script" not in files["index.html"].lower()
    assert found.keys == canonical.decode(files["keys.json"])
    for name in names(files, "documents/"):
        assert PublicKey.from_jwk(next(k["jwk"] for k in found.keys if k["kid"] == parse(files[name]).kid))


def test_the_same_case_is_exported_to_the_same_bytes() -> None:
    assert case_file_selection.export(PLAYER.node, CASE) == DATA


def test_a_forgers_tool_changes_nothing_by_itself() -> None:
    assert packed(contents()) == DATA


@settings(max_examples=200)
@given(st.integers(0, len(DATA) * 8 - 1))
def test_any_single_flipped_bit_is_found_and_named(bit: int) -> None:
    wrong = bytearray(DATA)
    wrong[bit // 8] ^= 1 << bit % 8
    found = said(bytes(wrong))
    assert found
    assert all(code.startswith("case-file-") and pointer for code, pointer in found)
    with zipfile.ZipFile(io.BytesIO(DATA)) as source:
        inside = [e.filename for e in source.infolist() if _content(e, bit // 8)]
    if inside:
        assert "/" + inside[0] in [pointer for _, pointer in found]


def _content(entry: zipfile.ZipInfo, at: int) -> bool:
    start = entry.header_offset + 30 + len(entry.filename)
    return start <= at < start + entry.file_size


@pytest.mark.long
def test_a_flipped_bit_in_any_byte_of_the_container_is_found() -> None:
    with zipfile.ZipFile(io.BytesIO(DATA)) as source:
        inside = {at for e in source.infolist() for at in range(len(DATA)) if _content(e, at)}
    for at in set(range(len(DATA))) - inside:
        assert said(DATA[:at] + bytes([DATA[at] ^ 1 << at % 8]) + DATA[at + 1 :])


@pytest.mark.parametrize(
    "part",
    ["documents/", "keys/", "receipts/", "decoded/", "index.html", "README.txt", "checkpoint", "keys.json"],
)
def test_an_altered_part_is_named_when_the_container_is_made_anew(part: str) -> None:
    files = contents()
    name = names(files, part)[0]
    files[name] = files[name][:-10] + b"x" * 10
    assert ("case-file-altered", "/" + name) in said(write(files))


@pytest.mark.parametrize("part", ["decoded/", "index.html", "README.txt", "keys.json"])
def test_an_altered_rendering_is_named_when_the_manifest_lists_it_so(part: str) -> None:
    files = contents()
    name = names(files, part)[0]
    files[name] = files[name].replace(b"e", b"a", 1)
    assert said(packed(files)) == [("case-file-altered", "/" + name)]


def test_a_manifest_that_names_another_pack_is_found() -> None:
    for member in (b'"pack_digest": "', b'"procedure": "', b'"genesis": "', b'"origin": "'):
        files = contents()
        before, after = files["manifest.json"].split(member)
        files["manifest.json"] = before + member + (b"1" if after[:1] == b"0" else b"0") + after[1:]
        assert said(write(files)) == [("case-file-altered", "/manifest.json")], member


def test_a_removed_document_is_missed() -> None:
    files = contents()
    name = names(files, "documents/")[0]
    del files[name]
    assert ("case-file-incomplete", "/" + name) in said(write(files))


def without(name: str) -> bytes:
    """A forger removes a document with all that tells of it."""
    files = contents()
    for each in (
        name,
        f"receipts/{name.split('/')[1][:10]}.tlog-proof",
        f"decoded/{name.split('/')[1][:10]}.json",
    ):
        del files[each]
    return packed(files)


def test_a_document_that_others_name_cannot_be_removed() -> None:
    files = contents()
    for name in names(files, "documents/")[:-1]:
        found = case_file_check.verify(without(name)).problems
        assert {p.code for p in found} & {"case-file-reference-missing", "case-file-incomplete"}, name


def test_the_document_that_registered_a_key_cannot_be_removed() -> None:
    files = contents()
    for name in names(files, "keys/")[1:]:
        assert "case-file-key-not-in-force" in codes(without(name)), name
    assert "case-file-incomplete" in codes(without(names(files, "keys/")[0]))


def test_receipts_that_changed_places_are_named() -> None:
    files = contents()
    one, other = names(files, "receipts/")[:2]
    files[one], files[other] = files[other], files[one]
    assert {pointer for _, pointer in said(packed(files))} == {"/" + one, "/" + other}


def test_another_document_that_the_issuer_signed_is_not_proven() -> None:
    files = contents()
    name = names(files, "documents/")[-1]
    paper = parse(files[name])
    key = PLAYER.keys[paper.issuer]
    claims = compose(
        type=paper.type, issuer=paper.issuer, valid_from_ms=paper.valid_from_ms, pack=paper.pack,
        procedure=paper.procedure, case=paper.case, step=paper.step, key=paper.key, outcome=paper.outcome,
        basis=paper.basis,
    )  # fmt: skip
    files[name] = sign(claims, paper.subject, key, salt=salt)
    assert ("case-file-not-proven", "/" + name) in said(packed(files))


def test_a_document_of_which_something_is_withheld_is_not_whole() -> None:
    files = contents()
    name = names(files, "documents/")[0]
    files[name] = present(files[name], [])
    assert ("case-file-in-part", "/" + name) in said(packed(files))


def test_a_document_of_another_case_is_foreign() -> None:
    files = contents()
    name = names(files, "keys/")[-1]
    for folder_ in ("documents", "linked"):
        moved = {(n if n != name else n.replace("keys", folder_)): d for n, d in files.items()}
        assert ("case-file-foreign", "/" + name.replace("keys", folder_)) in said(packed(moved))


@pytest.mark.parametrize("name", ["run.exe", "documents/note.txt", "receipts/0000000099.tlog-proof"])
def test_what_has_no_place_in_a_case_file_is_named(name: str) -> None:
    assert said(packed({**contents(), name: b"x"})) == [("case-file-unexpected", "/" + name)]


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "documents\\x", "C:evil"])
def test_a_name_that_leads_out_is_refused(name: str) -> None:
    assert codes(write({**contents(), name: b"x"})) == {"case-file-unreadable"}


def test_the_checkpoint_of_another_log_is_refused() -> None:
    other = played(LOW_RISK)
    theirs = contents(case_file_selection.export(other.node, other.cases["main"]))
    assert theirs["checkpoint"] != contents()["checkpoint"]
    assert {p for _, p in said(packed({**contents(), "checkpoint": theirs["checkpoint"]}))} == {"/checkpoint"}
    log = canonical.decode(theirs["manifest.json"])["log_keys"]
    policy = Policy.of_log("gardesh.example/play", tuple(Verifier.parse(k) for k in log))
    assert {p for _, p in said(DATA, policy)} == {"/checkpoint"}


def test_the_logs_own_key_is_trusted() -> None:
    signers = PLAYER.node.log.signers
    policy = Policy.of_log(PLAYER.node.log.origin, tuple(s.verifier for s in signers))
    assert said(DATA, policy) == []


def test_a_key_that_was_revoked_signs_nothing_later() -> None:
    player = played(REVOKED)
    files = contents(case_file_selection.export(player.node, player.cases["main"]))
    found = case_file_check.verify(packed(files))
    assert found.problems == []
    gone = next(k["kid"] for k in found.keys if k["state"] == "revoked")
    ring = KeyRing()
    papers = sorted((n.partition("/")[2], n) for n in files if n.endswith(".sd-jwt"))
    for number, name in papers:
        ring.register(int(number[:10]), name, parse(files[name]))
    late = [n for _, n in papers if n.startswith("documents/") and parse(files[n]).kid == gone]
    assert late
    for name in late:
        with pytest.raises(Problem) as caught:
            ring.check(name, parse(files[name]))
        assert caught.value.code == "case-file-key-not-in-force"
        moved = name.replace(name[10:20], "9999999999")
        assert moved != name
        shifted = {(moved if n == name else n): d for n, d in files.items()}
        assert ("case-file-key-not-in-force", "/" + moved) in said(packed(shifted))


def test_documents_of_linked_cases_come_along() -> None:
    player = played(PACKS / "trade" / "cases" / "high-risk-plant.yaml")
    data = case_file_selection.export(player.node, player.cases["main"])
    assert said(data) == []
    own, linked = names(contents(data), "documents/"), names(contents(data), "linked/")
    assert len(linked) == 5
    about = canonical.decode(contents(data)["manifest.json"], canonical.Limits(size=1 << 24))
    assert about["linked_cases"] == [{"case": player.cases["plant"], "documents": 5}]
    single = case_file_selection.export(player.node, player.cases["main"], linked=False)
    assert said(single) == []
    assert len(names(contents(single), "linked/")) == 2
    below = case_file_selection.export(player.node, player.cases["plant"])
    assert said(below) == []
    assert (len(names(contents(below), "documents/")), len(names(contents(below), "linked/"))) == (
        5,
        len(own),
    )


def test_a_document_of_a_case_that_is_not_linked_has_no_place() -> None:
    files = contents(case_file_selection.export(PLAYER.node, CASE, linked=False))
    other = played(PACKS / "trade" / "cases" / "high-risk-plant.yaml")
    alien = contents(case_file_selection.export(other.node, other.cases["main"]))
    name = names(alien, "linked/")[0]
    assert "/" + name in {p for _, p in said(packed({**files, name: alien[name]}))}


SCAN, LARGE = b"a scan of the certificate" * 40, b"x" * 5000


@pytest.fixture(scope="module")
def attached(tmp_path_factory: pytest.TempPathFactory) -> tuple[Player, str]:
    """A case whose first document names two files; both are kept at the node."""
    blobs = Blobs(tmp_path_factory.mktemp("attached"))
    player = Player(folder.gather(LOW_RISK.parents[1]), worked_file.load(LOW_RISK))
    player.node.blobs = player.node.intake.attachments = blobs
    claims = []
    for data, name in ((SCAN, "scan.pdf"), (LARGE, "large.tiff")):
        digest, size = blobs.put(io.BytesIO(data))
        claims.append(attachment(digest, "application/pdf", size, name))
    player.worked.acts[0].attachments = claims
    assert [played_.code for played_ in player.run() if played_.failures] == []
    return player, player.cases["main"]


def test_attachments_come_along_as_far_as_they_fit(attached: tuple[Player, str]) -> None:
    player, case = attached
    scan, large = (hashlib.sha256(d).hexdigest() for d in (SCAN, LARGE))
    for limit, here, left in ((1 << 20, 2, []), (2000, 1, [large]), (0, 0, sorted([scan, large]))):
        data = case_file_selection.export(player.node, case, attachments=limit)
        found = case_file_check.verify(data)
        assert found.problems == []
        assert (found.attachments, found.left_out) == (here, left)
    files = contents(case_file_selection.export(player.node, case))
    assert files[f"attachments/{scan}"] == SCAN
    assert f'href="attachments/{scan}"'.encode() in files["index.html"]


def test_an_attachment_that_was_changed_or_that_nobody_names_is_found(attached: tuple[Player, str]) -> None:
    files = contents(case_file_selection.export(attached[0].node, attached[1]))
    name = f"attachments/{hashlib.sha256(SCAN).hexdigest()}"
    assert ("case-file-altered", "/" + name) in said(packed({**files, name: SCAN[:-1] + b"!"}))
    alien = f"attachments/{hashlib.sha256(b'alien').hexdigest()}"
    assert ("case-file-unexpected", "/" + alien) in said(packed({**files, alien: b"alien"}))


@settings(max_examples=60)
@given(data=st.data())
def test_a_flipped_bit_in_linked_documents_and_attachments_is_found(
    data: st.DataObject, attached: tuple[Player, str]
) -> None:
    raw = case_file_selection.export(attached[0].node, attached[1])
    with zipfile.ZipFile(io.BytesIO(raw)) as source:
        entries = [e for e in source.infolist() if e.filename.startswith("attachments/")]
    entry = data.draw(st.sampled_from(entries))
    at = entry.header_offset + 30 + len(entry.filename) + data.draw(st.integers(0, entry.file_size - 1))
    bit = data.draw(st.integers(0, 7))
    wrong = raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]
    assert "/" + entry.filename in [pointer for _, pointer in said(wrong)]


def zipped(write: Callable[[zipfile.ZipFile], None], kind: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as made:
        write(made)
    return out.getvalue()


def test_compressed_entries_are_not_unpacked() -> None:
    bomb = zipped(lambda z: z.writestr("manifest.json", b"0" * 50_000_000), zipfile.ZIP_DEFLATED)
    assert said(bomb) == [("case-file-unreadable", "/container")]
    small = zipped(lambda z: z.writestr("manifest.json", bytes(range(250))), zipfile.ZIP_DEFLATED)
    assert said(small) == [("case-file-unreadable", "/manifest.json")]


def test_entries_that_overlap_are_refused() -> None:
    plain = zipped(lambda z: z.writestr("manifest.json", b"0" * 1000))
    directory = plain.index(b"PK\1\2")
    entry, end = plain[directory : plain.index(b"PK\5\6")], plain[plain.index(b"PK\5\6") :]
    many = plain[:directory] + entry * 40 + end[:8] + (40).to_bytes(2, "little") * 2
    many += (len(entry) * 40).to_bytes(4, "little") + end[16:]
    assert said(many) == [("case-file-unreadable", "/container")]
    assert MAX_FILES < 1_000_000


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_without_a_fault(junk: bytes) -> None:
    assert not case_file_check.verify(junk).whole


@settings(max_examples=100)
@given(st.data())
def test_any_damage_is_refused_without_a_fault(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(DATA) - 1))
    end = data.draw(st.integers(start + 1, min(len(DATA), start + 400)))
    junk = data.draw(st.binary(max_size=80).filter(lambda b: b != DATA[start:end]))
    assert not case_file_check.verify(DATA[:start] + junk + DATA[end:]).whole


@settings(max_examples=100)
@given(st.data())
def test_any_json_for_a_manifest_is_refused_without_a_fault(data: st.DataObject) -> None:
    value = st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["format", "files", "case", "x"]), inner, max_size=4)
        ),
    )
    said_ = data.draw(value)
    if isinstance(said_, dict):
        said_["format"] = "gardesh-case-file/1"
    assert not case_file_check.verify(write({**contents(), "manifest.json": case_file.plain(said_)})).whole


def test_the_page_escapes_what_documents_say() -> None:
    paper = parse(contents()[names(contents(), "documents/")[0]])
    object.__setattr__(paper, "subject", {"<b>name": ["<script>alert(1)</script>", "&"], "empty": {}})
    shown = page({"case": CASE, "procedure": "p", "pack": "k", "origin": "o"}, [(False, 1, 0, paper)])
    assert b"<script" not in shown
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert b"&lt;b&gt;name[0]" in shown


def test_one_document_is_checked_whole_and_in_part() -> None:
    files = contents()
    name = names(files, "documents/")[0]
    number = name.partition("/")[2][:10]
    proof = files[f"receipts/{number}.tlog-proof"]
    paper = parse(files[name])
    key = PublicKey.from_jwk(
        next(k["jwk"] for k in canonical.decode(files["keys.json"]) if k["kid"] == paper.kid)
    )
    policy = Policy.of_log(PLAYER.node.log.origin, tuple(s.verifier for s in PLAYER.node.log.signers))
    whole = verify_document(files[name], [key], proof, policy)
    part = verify_document(present(files[name], []), [key], proof, policy)
    assert whole.recorded == part.recorded is not None
    assert whole.recorded == (receipt.parse(proof).position, receipt.parse(proof).recorded_at)
    assert part.paper.subject == {}
    assert whole.paper.complete
    with pytest.raises(Problem) as caught:
        verify_document(files[name], [])
    assert caught.value.code == "document-key-not-given"
    with pytest.raises(Problem) as caught:
        verify_document(files[name], [key], proof)
    assert caught.value.code == "receipt-log-unknown"


def test_a_cose_receipt_proves_the_place_too_but_shows_no_witness() -> None:
    files = contents()
    name = names(files, "documents/")[0]
    paper = parse(files[name])
    key = PublicKey.from_jwk(
        next(k["jwk"] for k in canonical.decode(files["keys.json"]) if k["kid"] == paper.kid)
    )
    node = PLAYER.node
    position, at = node.store.one(
        "SELECT position, recorded_at FROM documents WHERE digest = ?", paper.digest
    )
    proof = node.log.cose_receipt(position, paper.digest, at)
    keys = tuple(s.verifier for s in node.log.signers)
    checked = verify_document(files[name], [key], proof, Policy.of_log(node.log.origin, keys))
    assert checked.recorded == (position, at)
    witness = Signer.of_checkpoints("guild.example/witness", Ed25519PrivateKey.generate()).verifier
    with pytest.raises(Problem) as caught:
        verify_document(files[name], [key], proof, Policy.of_log(node.log.origin, keys, (witness,), 1))
    assert caught.value.code == "cose-receipt-unwitnessed"
    strangers = Signer.of_notes("other.example/log", Ed25519PrivateKey.generate()).verifier
    with pytest.raises(Problem) as caught:
        verify_document(files[name], [key], proof, Policy.of_log("other.example/log", (strangers,)))
    assert caught.value.code == "cose-receipt-of-another-log"
    with pytest.raises(Problem):
        verify_document(files[name], [key], proof[:-1], Policy.of_log(node.log.origin, keys))


def test_the_container_is_the_zip_that_others_would_write() -> None:
    files = contents()
    assert write(files) == _write_large(files) == DATA
