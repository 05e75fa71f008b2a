"""Erasure: what a decision names is gone, everywhere; what stands, stands as before; and nobody else can make it go."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from backed_up import Kept, restore
from gardesh import draft as drafting
from gardesh.access import Access
from gardesh.exchange import case_file_check, case_file_selection
from gardesh.model.document import parse
from gardesh.model.problem import Problem
from gardesh.record import folder, schema
from gardesh.record.sealing import derived, disclose
from gardesh.record.store import Store
from gardesh.record.views import Views
from gardesh.retention import overdue, requests
from gardesh.study.audit import Auditor
from gardesh.study.rebuilding import views_differ
from market import DAY, HOUR, Market, explains_itself, key_of, licence, tails

pytestmark = pytest.mark.store
SECRET = "a word that is nowhere else"


def ask(market: Market, org: str = "ali", **more: Any) -> str:
    """A request to erase; returns its case."""
    subject = {"ground": "for the tests", "cases": ["0" * 64], **more}
    return market.submit(core_paper(market, org, "erasure-request", subject)).case


def core_paper(
    market: Market, org: str, step: str, subject: dict[str, Any], case: str | None = None, **more: Any
) -> bytes:
    procedure = market.node.library.procedure("core@1.0.0", "erasure")
    live = market.case(case) if case else None
    claims = drafting.draft(procedure, live, step, issuer=org, at=market.now, **more)
    return drafting.issue(claims, subject, key_of(org), procedure)


def erase(
    market: Market, *documents: dict[str, Any], cases: tuple[str, ...] = (), keep: bool = False, **more: Any
) -> int:
    """Decide to erase; returns the position of the decision."""
    subject: dict[str, Any] = {"ground": "for the tests"}
    if documents:
        subject["documents"] = list(documents)
    if cases:
        subject["cases"] = list(cases)
    if keep:
        subject["keep"] = True
    org = more.pop("org", "steward")
    return market.submit(
        core_paper(market, org, "erasure", subject, ask(market), **{"outcome": "approved", **more})
    ).position


def refusal(market: Market, *documents: dict[str, Any], **more: Any) -> str:
    before = tails(market.store)
    with pytest.raises(Problem) as problem:
        erase(market, *documents, **more)
    assert [t for t in tails(market.store) if t in before] == before
    explains_itself(market.node)
    return problem.value.code


def digest_of(market: Market, case: str, step: str, nth: int = 0) -> str:
    rows = [d for d in Views(market.store, market.node.library).documents(case) if d["step"] == step]
    return str(rows[nth]["digest"])


def subject_of(market: Market, digest: str) -> dict[str, Any]:
    return parse(Views(market.store, market.node.library).document(digest)[3]).subject


def found(market: Market) -> list[tuple[Any, ...]]:
    auditor = Auditor(market.store, market.node.library, "clock")
    audit = auditor.run()
    assert [p.sentence("en") for p in audit.problems] == []
    assert views_differ(market.store, auditor.scratch) == []
    return [(e.digest, e.fields, e.by) for e in audit.erased]


def closed(market: Market, **changes: Any) -> str:
    """A case that has gone all its way, with food, a site and a correction."""
    market.area()
    case = market.apply(note=SECRET, goods=[{"kind": "food", "name": "bread"}], sites=["north"], **changes)
    market.do("health", "hygiene-card", {"vendor": "ali", "number": "H-1"}, case)
    market.do("health", "health-check", {"remark": "clean"}, case, outcome="approved")
    market.do("traffic", "site-visit", {"site": "north"}, case, key="north")
    market.wait(4 * DAY)
    market.do("city", "quiet-note", {"area": "square"}, case)
    market.do("city", "licence", licence(), case, outcome="approved")
    stall = market.store.one("SELECT id FROM cases WHERE procedure = 'stall'")[0]
    market.do("city", "handover", {"day": "2026-01-20"}, stall)
    assert market.case(case).closed_at is not None
    return case


def views_of(market: Market) -> dict[str, list[tuple[Any, ...]]]:
    tables = [t for t in schema.VIEWS if t.name not in ("tiles", "notices")]
    (size,) = market.store.one("SELECT count(*) FROM documents WHERE NOT type LIKE 'core/erasure%'")
    del size
    return {
        t.name: [
            tuple(r) for r in market.store.rows(f"SELECT * FROM {t.name}") if "erasure" not in repr(tuple(r))
        ]
        for t in tables
        if t.name in ("waits", "links", "mirrors", "subjects", "identifiers")
    }


def test_a_field_is_gone_and_all_else_stands() -> None:
    market = Market()
    case = closed(market)
    application = digest_of(market, case, "application")
    before, whole, views = tails(market.store), subject_of(market, application), views_of(market)
    states = Views(market.store, market.node.library).slots(case)
    by = erase(market, {"document": application, "fields": ["note"]})
    assert subject_of(market, application) == {k: v for k, v in whole.items() if k != "note"}
    after = dict(tails(market.store))
    assert [p for p, t in before if after[p] != t] == [
        market.store.one("SELECT position FROM documents WHERE digest = ?", bytes.fromhex(application))[0]
    ]
    assert SECRET.encode() not in b"".join(decoded(d) for t in after.values() for d in t.split(b"~"))
    assert found(market) == [(application, ("note",), by)]
    for org, told in (("ali", ({"note"}, by)), ("health", None)):
        access = Access(market.node, org, market.now)
        gone = access.erased(access.found(application)[0])
        assert (None if gone is None else (gone.fields, gone.at)) == told, org  # of what may be read
    assert Views(market.store, market.node.library).slots(case) == states
    assert views_of(market) == views
    market.node.sequencer.cases.forget()
    market.apply("sara")
    assert found(market) == [(application, ("note",), by)]


def decoded(disclosure: bytes) -> bytes:
    return urlsafe_b64decode(disclosure + b"=" * (-len(disclosure) % 4))


def test_no_key_that_is_left_opens_what_was_sealed() -> None:
    market = Market()
    case = closed(market)
    application = digest_of(market, case, "application")
    position, digest = market.store.one(
        "SELECT position, digest FROM documents WHERE digest = ?", bytes.fromhex(application)
    )
    (old,) = market.store.one("SELECT data FROM disclosures WHERE position = ?", position)
    erase(market, {"document": application, "fields": ["note"]})
    sealing = market.store.sealing
    assert sealing is not None
    sealing.forget()
    keys = market.store.rows("SELECT number, case_id, wrapped FROM case_keys")
    assert any(not bytes(w) for _, _, w in keys)
    for number, case_id, wrapped in keys:
        if bytes(wrapped):
            key = sealing._unwrapped(bytes(wrapped), number, case_id)
            for each in (key, derived(key, bytes(digest))):
                with pytest.raises(InvalidTag):
                    disclose(each, position, bytes(digest), bytes(old))


def test_what_a_fold_reads_stays_only_if_the_decision_says_so() -> None:
    market = Market()
    case = closed(market)
    application = digest_of(market, case, "application")
    assert refusal(market, {"document": application}) == "erasure-still-read"
    assert refusal(market, {"document": application, "fields": ["goods"]}) == "erasure-still-read"
    assert refusal(market, cases=(case,)) == "erasure-still-read"
    by = erase(market, {"document": application}, keep=True)
    assert set(subject_of(market, application)) == {"vendor", "goods", "sites", "seats"}
    assert found(market) == [(application, ("area", "note"), by)]


def test_a_whole_case_is_erased_with_one_decision() -> None:
    market = Market()
    case = closed(market)
    market.node.read("ali", digest_of(market, case, "application"), "a look", market.now)
    by = erase(market, cases=(case,), keep=True)
    gone = found(market)
    assert {by} == {at for *_, at in gone}
    assert {
        (digest_of(market, case, "health-check"), ("remark",)),
        (digest_of(market, case, "site-visit"), ("site",)),
    } <= {g[:2] for g in gone}
    assert subject_of(market, digest_of(market, case, "health-check")) == {}
    envelope, _ = market.node.read("ali", digest_of(market, case, "application"), "a look", market.now)
    assert "note" not in envelope.subject
    with pytest.raises(Problem) as refused:
        case_file_selection.export(market.node, case)
    assert refused.value.code == "case-file-erased"
    access = Access(market.node, "ali", market.now)
    checked = case_file_check.verify(case_file_selection.for_reader(market.node, case, access))
    assert (checked.problems, checked.in_part > 0) == ([], True)
    later = erase(market, cases=(case,), keep=True)
    assert later not in {at for *_, at in found(market)}


def test_an_open_case_keeps_what_its_offices_still_need() -> None:
    market = Market()
    market.area()
    case = market.apply(note=SECRET, goods=[{"kind": "food"}])
    application = digest_of(market, case, "application")
    assert refusal(market, cases=(case,), keep=True) == "erasure-of-open-case"
    assert refusal(market, {"document": application, "fields": ["note"]}) == "erasure-still-read"
    erase(market, {"document": application, "fields": ["note"]}, keep=True)
    assert subject_of(market, application)["note"] == SECRET
    objection = market.do("neighbour", "objection", {"reason": SECRET}, case)
    assert objection == case
    reason = digest_of(market, case, "objection")
    assert refusal(market, {"document": reason, "fields": ["reason"]}) == "erasure-still-read"
    assert found(market) == []


def test_equal_parts_stay_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A correction that left the area alone disturbed nobody; that is so too once nobody can say what it was."""
    market = Market()
    market.area()
    market.area("hall")
    case = market.apply(note="one")
    market.wait(4 * DAY)
    market.do("city", "quiet-note", {"area": "square"}, case)
    paper = {**subject_of(market, digest_of(market, case, "application")), "note": "two"}
    market.do("ali", "application", paper, case, act="correct")
    market.do("city", "licence", licence(), case, outcome="approved")
    stall = market.store.one("SELECT id FROM cases WHERE procedure = 'stall'")[0]
    market.do("city", "handover", {"day": "2026-01-20"}, stall)
    states = Views(market.store, market.node.library).slots(case)
    first, second = (digest_of(market, case, "application", n) for n in (0, 1))
    one = erase(market, {"document": first, "fields": ["area", "note"]})
    assert Views(market.store, market.node.library).slots(case) == states
    assert found(market) == [(first, ("area", "note"), one)]
    market.node.sequencer.cases.forget()
    assert subject_of(market, second)["area"] == "square"
    two = erase(market, {"document": second, "fields": ["area"]})
    assert found(market) == [(first, ("area", "note"), one), (second, ("area",), two)]
    assert Views(market.store, market.node.library).slots(case) == states


def test_who_may_not_decide_erases_nothing() -> None:
    market = Market()
    case = closed(market)
    application = {"document": digest_of(market, case, "application"), "fields": ["note"]}
    assert refusal(market, application, org="sara") == "not-accredited"
    erase(market, application, outcome="rejected")
    assert found(market) == []
    assert subject_of(market, application["document"])["note"] == SECRET


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ({"document": "0" * 64}, "erasure-of-nothing"),
        ({"document": "note", "fields": ["nothing"]}, "erasure-no-such-field"),
        ({"document": "genesis"}, "erasure-of-itself"),
    ],
)
def test_a_decision_names_what_is_there(target: dict[str, Any], code: str) -> None:
    market = Market()
    case = closed(market)
    names = {
        "note": digest_of(market, case, "application"),
        "genesis": bytes(market.store.one("SELECT digest FROM documents WHERE position = 0")[0]).hex(),
    }
    assert refusal(market, {**target, "document": names.get(target["document"], target["document"])}) == code
    application = {"document": names["note"], "fields": ["note"]}
    erase(market, application)
    assert refusal(market, application) == "erasure-no-such-field"


def test_what_nobody_erased_may_not_be_gone() -> None:
    market = Market()
    case = closed(market)
    application = digest_of(market, case, "application")
    position, tail = next(
        (p, t) for p, t in tails(market.store) if SECRET.encode() in b"".join(map(decoded, t.split(b"~")))
    )
    left = b"~".join(d for d in tail.split(b"~") if SECRET.encode() not in decoded(d))

    def put(data: bytes) -> None:
        with market.store.writing():
            market.store.add(schema.disclosures, [(position, data, None)], replace=True)

    def problems() -> list[tuple[int, str]]:
        audit = Auditor(market.store, market.node.library, "clock").run()
        return [(p.params["position"], p.params["reason"]) for p in audit.problems]

    put(left)
    ((where, reason),) = problems()
    assert (where, "1 of its disclosures are gone" in reason) == (position, True)
    row = (0, position, case, "note", position + 1, b"0" * 16)
    with market.store.writing():
        market.store.add(schema.erased, [row])
    ((where, reason),) = problems()
    assert (where, "no decision erased that" in reason) == (position, True)
    with market.store.writing():
        market.store.run("DELETE FROM erased")
    put(tail)
    by = erase(market, {"document": application, "fields": ["note"]})
    put(tail)
    ((where, reason),) = problems()
    assert (where, "0 of its disclosures are gone" in reason) == (position, True)
    with market.store.writing():
        market.store.run("DELETE FROM erased")
    ((where, reason),) = problems()
    assert (where, f"the decision {by} erases of document {position}" in reason) == (by, True)


def test_sending_it_again_does_not_bring_it_back() -> None:
    market = Market()
    case = closed(market)
    application = digest_of(market, case, "application")
    whole = Views(market.store, market.node.library).document(application)[3]
    by = erase(market, {"document": application, "fields": ["note"]})
    assert market.submit(whole).digest.hex() == application
    assert "note" not in subject_of(market, application)
    assert found(market) == [(application, ("note",), by)]


def test_it_is_gone_from_backups_too(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    market = kept.market
    case = closed(market)
    application = digest_of(market, case, "application")
    size = kept.back_up().size
    old = kept.files
    by = erase(market, {"document": application, "fields": ["note"]})
    done = kept.back_up()
    assert done.keys_changed > 0
    assert kept.back_up().keys_changed == 0
    changed = {n for n, data in kept.files.items() if n in old and old[n] != data}
    assert {n.partition("/")[0] for n in changed} == {"case-keys"}
    restore(kept.opened(), tmp_path / "new")
    again = Market.opened(Store(str(tmp_path / "new" / "node.sqlite")))
    assert found(again) == [(application, ("note",), by)]
    assert tails(again.store) == tails(market.store)
    assert views_differ(again.store, market.store) == []
    restore(kept.opened(size), tmp_path / "old")
    older = Market.opened(Store(str(tmp_path / "old" / "node.sqlite")))
    assert "note" not in subject_of(older, application)
    assert set(subject_of(older, application)) == set(subject_of(market, application))
    for n in range(2):
        again.wait(HOUR)
        again.apply("sara", reference=f"R-{n}")
    explains_itself(again.node)


def test_erased_twice_and_backed_up_in_between(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    market = kept.market
    case = closed(market)
    application, check = digest_of(market, case, "application"), digest_of(market, case, "health-check")
    kept.back_up()
    one = erase(market, {"document": application, "fields": ["note"]})
    kept.back_up()
    two = erase(market, {"document": application, "fields": ["area"]}, {"document": check})
    assert found(market) == [
        (application, ("note",), one), (application, ("area",), two), (check, ("remark",), two)
    ]  # fmt: skip
    kept.back_up()
    restore(kept.opened(), tmp_path / "new")
    again = Market.opened(Store(str(tmp_path / "new" / "node.sqlite")))
    assert tails(again.store) == tails(market.store)
    assert found(again) == found(market)


def test_a_backup_that_is_killed_before_the_keys_is_mended_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(tmp_path)
    market = kept.market
    case = closed(market)
    kept.back_up()
    erase(market, {"document": digest_of(market, case, "application"), "fields": ["note"]})
    before = {n: d for n, d in kept.files.items() if n.startswith("case-keys/")}

    def killed(name: str, pieces: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kept.place, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            kept.back_up()
    assert {n: kept.files[n] for n in before} == before
    restore(kept.opened(), tmp_path / "between")
    done = kept.back_up()
    assert (done.new, done.keys_changed) == (False, len(before))
    assert all(kept.files[n] != d for n, d in before.items())
    restore(kept.opened(), tmp_path / "after")
    for name in ("between", "after"):
        again = Market.opened(Store(str(tmp_path / name / "node.sqlite")))
        assert found(again) == found(market)
        assert tails(again.store) == tails(market.store)


def test_a_decision_that_is_not_durable_destroyed_nothing() -> None:
    market = Market()
    case = closed(market)
    application = digest_of(market, case, "application")
    asked = ask(market)
    subject = {"ground": "for the tests", "documents": [{"document": application, "fields": ["note"]}]}
    paper = parse(core_paper(market, "steward", "erasure", subject, asked, outcome="approved"))
    before = tails(market.store)

    def fail() -> None:
        with market.node.sequencer.batch(market.now) as batch:
            market.node.sequencer.accept(paper, batch.now)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert tails(market.store) == before
    assert found(market) == []
    market.submit(paper.data)
    assert "note" not in subject_of(market, application)
    explains_itself(market.node)


def test_a_pack_that_is_adopted_later_changes_nothing_of_it() -> None:
    """It reads what is gone; the audit asks what was read when the decision came."""
    market = Market()
    case = closed(market)
    application = digest_of(market, case, "application")
    by = erase(market, {"document": application}, keep=True)
    when = "application.seats >= 10 && application.note != 'x'"
    changes = {"procedures/licence.yaml": {"steps": {"insurance": {"when": when}}}}
    made = folder.changed(market.packs[0], "1.1.0", changes)
    market.node.add_pack(made)
    assert found(market) == [(application, ("area", "note"), by)]
    market.submit(market.core("pack-adoption", {"label": made.label, "digest": made.digest.hex()}))
    assert found(market) == [(application, ("area", "note"), by)]
    other = closed_again(market)
    note = digest_of(market, other, "application")
    assert refusal(market, {"document": note, "fields": ["note"]}) == "erasure-still-read"
    assert subject_of(market, note)["note"] == SECRET


def closed_again(market: Market) -> str:
    """Another case, under the version before, that is withdrawn."""
    case = market.apply("sara", note=SECRET)
    market.do("sara", "application", {}, case, act="withdraw")
    return case


def test_what_is_kept_longer_than_its_pack_says_is_proposed_for_erasure() -> None:
    market = Market()
    case = closed(market)
    assert overdue(market.node, market.now) == []
    ended = market.case(case).closed_at
    market.apply("sara")
    withdrawn = market.apply("ali", reference="W")
    market.do("ali", "application", {}, withdrawn, act="withdraw")
    market.wait(729 * DAY)
    assert overdue(market.node, market.now) == []
    market.wait(9 * DAY)
    late = overdue(market.node, market.now)
    assert {(o.case, o.procedure) for o in late} == {(c, "market/licence") for c in (case, withdrawn)}
    assert [o.ended_at for o in late if o.case == case] == [ended]
    assert all(ended < o.kept_until <= market.now for o in late)
    assert len(overdue(market.node, market.now, limit=1)) == 1
    (request,) = requests(late)
    asked = market.submit(core_paper(market, "ali", "erasure-request", request)).case
    assert overdue(market.node, market.now) == []
    subject = {**request, "keep": True}
    market.submit(core_paper(market, "steward", "erasure", subject, asked, outcome="approved"))
    assert overdue(market.node, market.now) == []
    assert "note" not in subject_of(market, digest_of(market, case, "application"))
    explains_itself(market.node)


def test_a_request_that_was_rejected_is_proposed_again() -> None:
    market = Market()
    case = closed(market)
    market.wait(800 * DAY)
    (late,) = overdue(market.node, market.now)
    asked = market.submit(core_paper(market, "ali", "erasure-request", *requests([late]))).case
    assert overdue(market.node, market.now) == []
    subject = {"ground": "a court asks for it", "cases": [case]}
    market.submit(core_paper(market, "steward", "erasure", subject, asked, outcome="rejected"))
    assert overdue(market.node, market.now) == [late]
