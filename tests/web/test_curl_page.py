"""docs/howto/http-with-curl.md does what it says: its commands are run as they stand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_serve import PASSPHRASE, command, home, running, template

__all__ = ["home", "template"]
PAGE = Path(__file__).parents[2] / "docs" / "howto" / "http-with-curl.md"


@pytest.fixture
def at_home(home: Path) -> Path:
    (home / "plan.pdf").write_bytes(b"%PDF-1.7 a plan")
    return home


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_the_page_with_curl(at_home: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    assert len(blocks) == 5
    script = "set -eu\n" + "\necho; echo ---\n".join(blocks)
    with running(at_home) as (_, url):
        environment = {
            **os.environ, "URL": url, "GARDESH_HOME": str(at_home), "GARDESH_PASSPHRASE": PASSPHRASE,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }  # fmt: skip
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=at_home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert "request" in done.stderr  # the draft is shown before it is signed
    told = [part.strip() for part in done.stdout.split("---")]
    plan, why, work = (json.loads(line) for line in re.sub(r"}(?={)", "}\n", told[2]).splitlines())
    assert [w["slot"] for w in plan["due"]] == ["answer"]
    assert why["goal"][0]["state"] == "due"
    assert work == {"work": [], "next": None}
    assert '"purpose":"to check"' in told[3]
    assert json.loads(told[4])["digest"]


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
