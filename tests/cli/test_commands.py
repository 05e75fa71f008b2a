"""The command line as a person and as a program would use it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gardesh.cli import main
from gardesh.model import cose_receipt

PASSPHRASE = "a-long-enough-passphrase"


class Shell:
    """Runs `gardesh` in this process, in a home of its own."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch) -> None:
        self.home, self.patch = home, patch
        patch.setenv("GARDESH_HOME", str(home / "node"))
        patch.setenv("GARDESH_PASSPHRASE", PASSPHRASE)
        patch.setenv("COLUMNS", "200")
        patch.delenv("GARDESH_LANG", raising=False)

    def __call__(self, *words: str, code: int = 0) -> str:
        self.patch.setattr("sys.argv", ["gardesh", *words])
        out = io.StringIO()
        got = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                main()
            except SystemExit as stop:
                got = int(stop.code or 0)
        assert got == code, out.getvalue()
        assert "Traceback" not in out.getvalue()
        return out.getvalue()

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self("--json", *words, code=code))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node with the pack that `pack new` makes, a citizen and an office. Each test gets a copy."""
    home = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        made = Shell(home, patch)
        made("pack", "new", "parks", "--to", str(home))
        made("init", "--pack", str(home / "parks"), "--at", "2026-01-03T08:00:00+03:30")
        for org, role in (("sara", "applicant"), ("city", "office"), ("stranger", "applicant")):
            made("keys", "new", org)
            made("admit", org, "--role", role, "--at", "2026-01-03T08:00:00+03:30")
    return home


@pytest.fixture
def node(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    shutil.copytree(template, tmp_path / "home")
    return Shell(tmp_path / "home", monkeypatch)


def request(node: Shell, wish: str = "a bench") -> dict[str, Any]:
    subject = node.home / "subject.json"
    subject.write_text(json.dumps({"applicant": "0499370899", "wish": wish}), encoding="utf-8")
    paper = node.home / "request.sd-jwt"
    at = ("--at", "2026-01-03T09:00:00+03:30")
    node(
        "sign",
        "parks/request",
        "request",
        "--as",
        "sara",
        "--subject",
        str(subject),
        "--out",
        str(paper),
        *at,
    )
    accepted: dict[str, Any] = node.json("submit", str(paper), *at)
    return accepted


def test_a_case_goes_from_request_to_answer(node: Shell) -> None:
    case = request(node)["case"]
    plan = node.json("plan", case, "--at", "2026-01-03T10:00:00+03:30")
    assert [(w["slot"], w["role"], w["state"]) for w in plan["due"]] == [("answer", "office", "due")]
    assert node.json("worklist", "city")[0]["case"] == case
    why = node.json("why", case[:10])
    assert why["goal"][0]["slot"] == "answer"
    empty = node.home / "empty.json"
    empty.write_text("{}", encoding="utf-8")
    paper = node.home / "answer.sd-jwt"
    at = ("--at", "2026-01-04T09:00:00+03:30")
    words = ("--as", "city", "--subject", str(empty), "--outcome", "approved", "--out", str(paper))
    node("sign", case, "answer", *words, *at)
    node("submit", str(paper), *at)
    told = node.json("why", case)
    assert told["status"] == "closed"
    assert sum(p["until"] - p["since"] for p in told["critical_path"]) == 24 * 3600 * 1000
    assert [row["case"] for row in node.json("case", "list", "--rests-on", "city")] == [case]
    assert node.json("case", "list", "--rests-on", "stranger") == []
    assert node.json("audit")["whole"] is True
    assert node.json("rebuild")["differed"] == []


def test_a_document_sent_twice_gets_the_same_place(node: Shell) -> None:
    first = request(node)
    again = node.json("submit", str(node.home / "request.sd-jwt"))
    assert (again["position"], again["digest"]) == (first["position"], first["digest"])


def test_a_refusal_has_code_pointer_and_both_languages(node: Shell) -> None:
    subject = node.home / "bad.json"
    subject.write_text(json.dumps({"applicant": "123", "wish": "x"}), encoding="utf-8")
    paper = node.home / "bad.sd-jwt"
    node("sign", "parks/request", "request", "--as", "sara", "--subject", str(subject), "--out", str(paper))
    told = node.json("submit", str(paper), code=1)
    assert told["code"] == "schema-violated"
    assert told["pointer"] == "/credentialSubject/applicant"
    assert told["detail"]["fa"]
    assert told["detail"]["en"]


def test_an_office_reads_only_what_its_step_needs_and_the_read_is_recorded(node: Shell) -> None:
    position = str(request(node)["position"])
    seen = node.json("show", position, "--document", "--as", "city", "--purpose", "to answer")
    assert seen["subject"] == {"wish": "a bench"}
    assert seen["right"] == ["wish"]
    readers = node.json("show", position, "--document", "--readers")
    assert [(r["reader"], r["fields"], r["purpose"]) for r in readers] == [("city", "wish", "to answer")]
    assert node.json("show", position, "--document", "--as", "stranger", code=1)["code"] == "not-readable"


def test_a_field_that_is_not_there_cannot_be_shown(node: Shell) -> None:
    request(node)
    (node.home / "document").write_text(node("show", "4", "--raw"))
    shown = node("present", str(node.home / "document"), "--field", "/wish")
    assert 1 < shown.count("~") < (node.home / "document").read_text().count("~")
    told = node.json("present", str(node.home / "document"), "--field", "/wish", "--field", "/nope", code=1)
    assert (told["code"], told["pointer"]) == ("no-such-field", "/nope")


def test_a_position_is_a_document_and_who_has_no_role_is_told(node: Shell) -> None:
    request(node)
    for position in range(5):
        assert node.json("show", str(position))["position"] == position
    assert "no role" in node("worklist", "nobody")
    assert "no role" not in node("worklist", "sara")
    assert node.json("worklist", "nobody") == []


def test_silence_is_recorded_when_time_passes(node: Shell) -> None:
    request(node)
    assert node.json("tick", "--at", "2026-01-03T10:00:00+03:30") == {"recorded": 0}


def test_the_log_proves_itself(node: Shell) -> None:
    request(node)
    note = node("log", "checkpoint")
    assert note.splitlines()[1] == "5"
    assert node("log", "prove", "4").startswith("c2sp.org/tlog-proof@v1")
    node("log", "prove", "4", "--cose", "--out", str(node.home / "receipt"))
    assert cose_receipt.read((node.home / "receipt").read_bytes()).position == 4
    (node.home / "document").write_text(node("show", "4", "--raw"))
    for kind in ("receipt", "proof"):
        node("log", "prove", "4", *(["--cose"] if kind == "receipt" else []), "--out", str(node.home / kind))
        told = node.json("verify", str(node.home / "document"), "--receipt", str(node.home / kind))
        assert (told["position"], told["whole"]) == (4, True)
    node("log", "prove", "3", "--cose", "--out", str(node.home / "receipt"))
    told = node.json("verify", str(node.home / "document"), "--receipt", str(node.home / "receipt"), code=1)
    assert told["code"] == "cose-receipt-of-another-document"
    assert node.json("log", "consistency", "2")["new"] == 5
    assert node.json("log", "prove", "99", code=1)["code"] == "beyond-the-log"
    node("log", "publish", str(node.home / "public"))
    assert (node.home / "public" / "tile" / "entries" / "000.p" / "5").is_file()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("plan", "abc"), "no-such-case"),
        (("show", "ffff"), "no-such-document"),
        (("submit", "no-such-file"), "file-unreadable"),
        (("sign", "nowhere/request", "request", "--as", "sara"), "no-such-pack"),
        (("sign", "parks/request", "nothing", "--as", "sara"), "no-such-step"),
        (("sign", "parks/request", "request", "--as", "nobody"), "no-such-key"),
        (("init",), "already-a-node"),
    ],
)
def test_a_mistake_gets_a_code_and_a_sentence_never_a_traceback(
    node: Shell, words: tuple[str, ...], code: str
) -> None:
    assert node.json(*words, code=1)["code"] == code


def test_a_case_goes_on_under_another_version_after_a_look_at_what_that_changes(node: Shell) -> None:
    case = request(node)["case"]
    pack = node.home / "parks"
    manifest = (pack / "pack.yaml").read_text().replace("1.0.0", "2.0.0", 1)
    (pack / "pack.yaml").write_text(manifest)
    steps = pack / "procedures" / "request.yaml"
    steps.write_text(steps.read_text().replace("by: office", "optional: true, by: office"))
    node("adopt", str(pack))
    told = node.json("migrate", "parks@1.0.0", "parks@2.0.0", "--preview")
    assert told == {"cases": 1, "changes": [], "each": {case: []}}
    node("migrate", "parks@1.0.0", "parks@2.0.0", "--case", case[:12])
    assert node.json("show", case)["procedure"] == "parks@2.0.0 request"
    assert (
        node.json("migrate", "parks@1.0.0", "parks@2.0.0", "--case", case, code=1)["code"]
        == "migration-not-open"
    )
    assert node.json("audit")["whole"] is True


def test_without_a_node_every_question_says_so(shell: Shell) -> None:
    for words in (("plan", "abc"), ("audit",), ("case", "list"), ("worklist", "x")):
        assert shell.json(*words, code=1)["code"] == "not-a-node"


def test_a_wrong_passphrase_is_named(node: Shell) -> None:
    node.patch.setenv("GARDESH_PASSPHRASE", "another-passphrase")
    assert node.json("tick", code=1)["code"] == "key-passphrase-wrong"


def test_where_nobody_can_be_asked_for_the_passphrase_it_is_said_how_to_give_it(tmp_path: Path) -> None:
    """In a session of its own there is no terminal, as under a service manager."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GARDESH_")}
    home = tmp_path / "node"
    code = [
        str(Path(sys.executable).with_name("gardesh")),
        "--home",
        str(home),
        "--json",
        "init",
        "--origin",
        "a.example/log",
    ]
    done = subprocess.run(
        code,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["code"] == "passphrase-missing"
    assert "GARDESH_PASSPHRASE" in told["hint"]["en"]
    assert "Warning" not in done.stderr
    assert not (home / "node.sqlite").exists()


def test_persian_has_persian_digits_and_jalali_dates(node: Shell) -> None:
    case = request(node)["case"]
    shown = node("--lang", "fa", "plan", case)
    assert "۱۴۰۴/۱۰/۱۳" in shown
    assert "سررسید" in shown or "گذشته از مهلت" in shown


def test_help_is_there_for_every_command(shell: Shell) -> None:
    for words in ((), ("pack",), ("keys",), ("case",), ("log",), ("import",), ("sign",), ("submit",)):
        assert "Usage" in shell(*words, "--help")


def test_a_place_that_cannot_be_written_is_said_to_be_that(node: Shell) -> None:
    (node.home / "letter").write_text("keep")
    said = node.json("public", str(node.home / "letter" / "public"), code=1)
    assert said["code"] == "file-unusable"
    assert "letter" in said["detail"]["fa"]
    assert (node.home / "letter").read_text() == "keep"


def test_a_fault_that_names_no_file_is_a_fault_of_ours(node: Shell) -> None:
    def fails() -> None:
        raise OSError("the pipe is gone")

    node.patch.setattr("gardesh.cli.app", fails)
    assert "internal-fault" in node("plan", "x", code=70)


def test_a_register_is_shown_as_of_a_date_and_as_a_ledger(node: Shell, tmp_path: Path) -> None:
    names = {r["register"]: r for r in node.json("register", "list")}
    assert names["core/accreditations"]["keys"] == 8
    before = node.json("register", "show", "core/accreditations", "--as-of", "2026-01-02")
    assert before == []
    now = node.json("register", "show", "core/accreditations", "city/office")
    assert [e["value"]["state"] for e in now] == ["in-force"]
    assert all(e["since"] for e in now)
    problem = node.json("register", "show", "core/accreditations", "--as-of", "1405-09-05", code=1)
    assert problem["code"] == "instant-before-1900"
    said = node("register", "entries", "core/accreditations", "--key", "city/office")
    assert "city/office" in said
    table, lines = tmp_path / "ledger.csv", tmp_path / "ledger.jsonl"
    told = node.json("register", "entries", "core/accreditations", "--csv", str(table), "--jsonl", str(lines))
    assert told == {"entries": 8}
    assert table.read_text(encoding="utf-8-sig").startswith(
        "recorded_at,position,document,type,issuer,case,key,amount"
    )
    assert all(json.loads(line)["key"].count("/") == 1 for line in lines.read_text().splitlines())
    problem = node.json("register", "show", "core/nothing", code=1)
    assert problem["code"] == "no-such-register"


def test_the_public_register_is_written_from_a_node(node: Shell, tmp_path: Path) -> None:
    out = tmp_path / "public"
    told = node.json("public", str(out))
    assert told["folder"] == str(out)
    assert (out / "fa" / "index.html").is_file()
    assert "core/accreditations" in (out / "en" / "register" / "core" / "accreditations.html").read_text()
    said = node("--lang", "fa", "public", str(out))
    assert "سند" in said
