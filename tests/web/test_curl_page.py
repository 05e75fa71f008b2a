"""docs/howto/http-with-curl.md does what it says: its commands are run as they stand."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pages import blocks, run
from test_serve import command, home, running, template

__all__ = ["home", "template"]
PLAN = b"%PDF-1.7 a plan"
HOOKS = '[webhooks]\nallow_http = true\nallow_networks = ["127.0.0.0/8"]\n'


@pytest.fixture(scope="module")
def searchable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The node of the page: as `template`, and requests are found by their applicant."""
    place = tmp_path_factory.mktemp("searchable")
    made = place / "node"
    command(made, "pack", "new", "parks", "--to", str(place))
    with (place / "parks" / "documents" / "request.yaml").open("a", encoding="utf-8") as file:
        file.write("identifiers: {applicant: this.applicant}\n")
    command(made, "init", "--pack", str(place / "parks"))
    for org, role in (("sara", "applicant"), ("city", "office")):
        command(made, "keys", "new", org)
        command(made, "admit", org, "--role", role)
    command(made, "keys", "export", "sara", "--out", str(made / "sara.jwk.json"))
    (made / "serve.toml").write_text(HOOKS, encoding="utf-8")
    (made / "plan.pdf").write_bytes(PLAN)
    return made


def objects(text: str) -> list[Any]:
    """The JSON objects that were printed one after the other."""
    found, at = [], 0
    while at < len(text):
        value, at = json.JSONDecoder().raw_decode(text, at)
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="curl, openssl")
def test_the_page_with_curl(searchable: Path) -> None:
    parts = blocks("howto/http-with-curl.md")
    with running(searchable) as (_, url):
        printed, errors = run(searchable, url, parts, HOOK="http://127.0.0.1:9/hook")
    told = dict(zip(parts, printed, strict=True))

    def of(words: str) -> str:
        """What the one block with these words printed."""
        (found,) = (text for part, text in told.items() if words in part)
        return found

    def file(name: str) -> Any:
        return json.loads((searchable / name).read_text(encoding="utf-8"))

    assert "request" in errors  # the draft is shown before it is signed
    accepted = file("accepted.json")
    plan, why, work = objects(of("/plan"))
    assert [w["slot"] for w in plan["due"]] == ["answer"]
    assert why["goal"][0]["state"] == "due"
    assert work == {"work": [], "next": None}
    assert json.loads(of('"outcome": "approved"').partition("\n")[2])["case"] == accepted["case"]
    bundle = file("answers.json")["answers"]
    assert [item.get("problem") for item in bundle] == [None, None]
    assert '"purpose":"to check"' in of("/readers")
    assert "On the log at position" in of("> request.tlog-proof")
    assert of("receipts.py").count("On the log at position") == 2
    assert "Whole: 2 documents" in of("case verify")
    positions = [bundle[1]["position"], bundle[0]["position"], accepted["position"]]
    assert [d["position"] for d in json.loads(of("/v1/search"))["documents"]] == positions
    key = json.loads(of("/v1/registers/"))
    assert (key["key"], key["value"]["org"]) == (file("sara.jwk.json")["kid"], "sara")
    assert json.loads(of("/v1/inbox/ack")) == {"consumer": "desk", "acked": file("notices.json")["upto"]}
    assert "answer" in [notice["slot"] for notice in file("notices.json")["notices"]]
    assert "event: notice" in of("/v1/inbox/stream")
    assert file("webhook.json")["secret"].startswith("whsec_")
    assert json.loads(of("/v1/webhooks")) == {"deliveries": [], "next": None}
    assert json.loads(of("/v1/uploads"))["digest"] == sha256(PLAN).hexdigest()
    assert json.loads(of("signature-input")) == {"work": [], "next": None}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_the_example_of_scitt(searchable: Path) -> None:
    """docs/reference/scitt.md: a statement is made, registered and verified."""
    page = blocks("howto/http-with-curl.md")
    before = [part for part in page if part.startswith(("TOKEN=", "LOG_KEYS="))]
    assert len(before) == 2
    (searchable / "wish.json").write_text('{"applicant": "0499370899", "wish": "a bench"}', encoding="utf-8")
    with running(searchable) as (_, url):
        printed, errors = run(searchable, url, before + blocks("reference/scitt.md"))
    assert "request" in errors
    assert "On the log at position" in printed[-1]
    statement, receipt = searchable / "request.cose", searchable / "receipt.cose"
    words = (str(statement), "--receipt", str(receipt))
    assert '"issuer": "sara"' in command(searchable, "--json", "verify", *words)
    broken = searchable / "broken.cose"
    data = statement.read_bytes()
    broken.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert "signature-wrong" in command(searchable, "verify", str(broken), *words[1:], code=1)


def test_a_token_that_is_refused_says_why(home: Path) -> None:
    with running(home) as (_, url):
        told = command(home, "token", "city", "--url", url, "--role", "applicant", code=1)
        assert "token-refused" in told
        assert "applicant" in told
        fa = command(home, "--lang", "fa", "token", "city", "--url", url, "--role", "applicant", code=1)
        assert "نقش" in fa
    assert "node-unreachable" in command(home, "token", "city", "--url", url, code=3)


def test_a_draft_of_another_is_not_signed(home: Path) -> None:
    draft = home / "draft.json"
    with running(home) as (_, url):
        import httpx

        token = command(home, "token", "sara", "--url", url).strip()
        answer = httpx.post(
            f"{url}/v1/drafts", json={"procedure": "parks/request", "step": "request"},
            headers={"authorization": f"Bearer {token}"},
        )  # fmt: skip
        draft.write_bytes(answer.content)
    assert "draft-of-another" in command(home, "sign-draft", str(draft), "--as", "city", code=1)
    draft.write_text("{}", encoding="utf-8")
    assert "draft-malformed" in command(home, "sign-draft", str(draft), "--as", "sara", code=1)
