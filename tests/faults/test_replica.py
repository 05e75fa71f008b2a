"""A service that only reads, on the standby of two real servers: what it answers, what it turns away, and what it proves."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from services import (
    GARDESH,
    SD_JWT,
    Heard,
    Load,
    Papers,
    Service,
    environment,
    keep_their_word,
    key,
    make_node,
    services,
    wait_for,
)
from standby import Pair, pair

from gardesh.client.signing import Signature, Token
from gardesh.model import receipt
from gardesh.model.document import parse
from gardesh.model.policy import Policy
from gardesh.model.signer import Verifier
from gardesh.model.treehead import TreeHead
from gardesh.record.following import FollowedStore
from gardesh.record.store import Store

pytestmark = pytest.mark.postgresql


def replica_home(folder: Path, servers: Pair, of: str, keys: Path | None = None) -> Path:
    """The folder of a service that only reads: where the record is, and the address of the other one."""
    home = folder / ("replica" if keys is None else "replica with keys")
    home.mkdir()
    (home / "store-url").write_text(servers.url, encoding="utf-8")
    settings = f'[limits]\nrate = 0.0\n[replica]\nof = "{of}"\n'
    (home / "serve.toml").write_text(settings, encoding="utf-8")
    (home / "keys").mkdir()
    for record_key in folder.glob("*/keys/node-record*.pem"):  # of the node: without, no document is opened
        if record_key.parent != home / "keys":
            shutil.copy(record_key, home / "keys")
            break
    if keys is not None:
        shutil.copy(keys / "node-clock.pem", home / "keys")
    return home


@contextmanager
def replica(folder: Path, servers: Pair, of: str, keys: Path | None = None) -> Iterator[Service]:
    made = Service(replica_home(folder, servers, of, keys), "replica")
    try:
        yield made.listens()
    finally:
        made.kill()


def policy(servers: Pair) -> Policy:
    store = Store(servers.url)
    keys = json.loads(store.setting("log_keys") or b"")
    origin = (store.setting("origin") or b"").decode()
    store.close()
    return Policy.of_log(origin, [Verifier.parse(each) for each in keys])


def head(service: Service, judge: Policy) -> TreeHead:
    return judge.verify(httpx.get(f"{service.url}/log/checkpoint").content).head


def test_it_reads_on_the_standby_and_sends_writers_to_the_other(tmp_path: Path) -> None:
    with pair() as servers:
        home, heard = make_node(tmp_path, servers.url), Heard()
        with services(home, "a") as (writer,), replica(tmp_path, servers, writer.url) as reader:
            papers = Papers(writer)
            judge = policy(servers)
            sent = papers.some(3)
            assert all(heard.submit(writer, paper) for paper in sent)
            size = head(writer, judge).size
            wait_for(
                lambda: head(reader, judge).size == size
            )  # the writer is quiet, and its last checkpoint comes too
            assert head(reader, judge) == head(writer, judge)
            lines = "SELECT application_name FROM pg_stat_activity WHERE application_name IN ('a', 'replica')"
            assert servers.two.run(lines) == [("replica",)]
            assert servers.one.run(lines) == [("a",)]

            sara = httpx.Client(base_url=reader.url, auth=Signature(key(home)), timeout=60)
            digest = parse(sent[0]).digest
            listed = sara.get("/v1/cases").json()
            assert len(listed["cases"]) == 3
            name = listed["cases"][0]["case"]
            for path in (f"/v1/cases/{name}", f"/v1/cases/{name}/plan", f"/v1/cases/{name}/documents"):
                assert sara.get(path).status_code == 200, path
            for path in (
                "/v1/worklist",
                "/v1/inbox",
                "/v1/search?kind=payment&value=1",
                "/v1/node",
                "/readyz",
            ):
                assert sara.get(path).status_code == 200, path
            proof = receipt.parse(sara.get(f"/v1/documents/{digest.hex()}/receipt").content)
            assert receipt.check(proof, digest, judge.verify(proof.checkpoint).head).position == size - 3
            tile = f"/log/tile/0/000.p/{size}"
            assert httpx.get(reader.url + tile).content == httpx.get(writer.url + tile).content
            wanted = {"step": "request", "procedure": "parks/request"}
            assert sara.post("/v1/drafts", json=wanted).status_code == 200
            assert servers.one.run("SELECT count(*) FROM reads") == [(0,)]

            told = sara.get(f"/v1/documents/{digest.hex()}?purpose=on the replica")
            assert parse(told.content).digest == digest
            assert servers.one.run("SELECT reader FROM reads WHERE purpose = 'on the replica'") == [("sara",)]

            paper = papers.next()
            form = {"grant_type": "client_credentials"}
            for answer in (
                httpx.post(f"{reader.url}/v1/documents", content=paper, headers=SD_JWT),
                httpx.post(f"{reader.url}/v1/documents/bundle", json=[paper.decode()]),
                httpx.post(f"{reader.url}/token", data=form),
                httpx.post(f"{reader.url}/entries", content=b"x"),
                httpx.get(f"{reader.url}/entries/{digest.hex()}"),
                sara.post("/v1/uploads"),
                sara.post("/v1/inbox/ack", json={"consumer": "x", "upto": 0}),
                sara.post("/v1/webhooks", json={"url": "https://sara.example/hook"}),
                sara.delete("/v1/webhooks/x"),
            ):
                assert answer.status_code == 421, answer.text
                if "json" in answer.headers["content-type"]:
                    assert (answer.json()["code"], answer.json()["params"]) == (
                        "read-only",
                        {"url": writer.url},
                    )
                    assert writer.url in answer.json()["sentences"]["fa"]
            assert heard.submit(writer, paper)
            assert servers.one.run("SELECT count(*) FROM consumers") == [(0,)]
            sara.close()


def test_it_does_not_start_where_it_could_open_no_document(tmp_path: Path) -> None:
    """Nor does it ask for a passphrase where there is no key."""
    with pair() as servers:
        make_node(tmp_path, servers.url)
        home = replica_home(tmp_path, servers, "https://node.example")
        for each in (home / "keys").glob("*"):
            each.unlink()
        settings = {k: v for k, v in environment(home).items() if k != "GARDESH_PASSPHRASE"}
        done = subprocess.run(
            [GARDESH, "--json", "serve"], env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            start_new_session=True, timeout=120,
        )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["code"] == "record-locked"


def test_tokens_of_the_other_are_read_where_the_clocks_key_is(tmp_path: Path) -> None:
    with pair() as servers:
        home = make_node(tmp_path, servers.url)
        with services(home, "a") as (writer,):
            token = Token("sara", key(home))
            assert httpx.get(f"{writer.url}/v1/cases", auth=token).status_code == 200
            bearer = {"authorization": f"Bearer {next(iter(token._held.values()))[0]}"}
            with replica(tmp_path, servers, writer.url, home / "keys") as reader:
                assert httpx.get(f"{reader.url}/v1/cases", headers=bearer).status_code == 200
                meant = httpx.get(f"{reader.url}/.well-known/oauth-authorization-server").json()
                assert meant["token_endpoint"] == f"{writer.url}/token"
            with replica(tmp_path, servers, writer.url) as reader:
                refused = httpx.get(f"{reader.url}/v1/cases", headers=bearer)
                assert (refused.status_code, refused.json()["code"]) == (401, "token-invalid")


def test_it_goes_on_without_the_primary_and_proves_nothing_that_could_be_lost(tmp_path: Path) -> None:
    """What it signs nothing for: each checkpoint that it gave is of the log that goes on after the promotion."""
    with pair() as servers:
        home, heard = make_node(tmp_path, servers.url), Heard()
        with services(home, "a") as (writer,), replica(tmp_path, servers, writer.url) as reader:
            papers, judge = Papers(writer), policy(servers)
            seen: list[TreeHead] = []
            sara = httpx.Client(base_url=reader.url, auth=Signature(key(home)), timeout=60)
            with Load(heard, papers, [writer], clients=3):
                while len(heard.accepted) < 200 or len({h.size for h in seen}) < 3:
                    seen.append(head(reader, judge))
                    document = next(iter(heard.accepted), None)
                    if document is not None:
                        answer = sara.get(f"/v1/documents/{document.hex()}/receipt")
                        assert answer.status_code == 200 or answer.json()["code"] in (
                            "not-proven-yet",
                            "no-such-document",
                        )
                servers.one.kill()
                seen.append(head(reader, judge))
                name = sara.get("/v1/cases").json()["cases"][0]["case"]
                assert sara.get(f"/v1/cases/{name}/plan").status_code == 200
                assert httpx.get(f"{reader.url}/readyz").status_code == 200
                digest = next(iter(heard.accepted)).hex()
                refused = sara.get(f"/v1/documents/{digest}?purpose=while it is away")
                assert (refused.status_code, refused.json()["code"]) == (503, "store-unusable")
                before = len(heard.accepted)
                servers.two.run("ALTER SYSTEM SET synchronous_standby_names = ''")
                servers.two.promote()
                wait_for(lambda: len(heard.accepted) > before + 30)
                wait_for(lambda: sara.get(f"/v1/documents/{digest}?purpose=afterwards").status_code == 200)
                wait_for(lambda: head(reader, judge).size > before + 30)
                seen.append(head(reader, judge))
            sara.close()
        assert [h.size for h in seen] == sorted(h.size for h in seen)
        store = Store(servers.url)
        keep_their_word(store, heard, seen)
        assert store.one("SELECT count(*) FROM reads WHERE purpose = 'while it is away'") == (0,)
        assert store.one("SELECT count(*) > 0 FROM reads WHERE purpose = 'afterwards'") == (True,)
        store.close()


def test_a_question_that_the_standby_ends_for_what_it_replays_is_asked_again(tmp_path: Path) -> None:
    with pair() as servers:
        Store(servers.url, create=True).close()
        for sql in ("max_standby_streaming_delay = 0", "hot_standby_feedback = off"):
            servers.two.run(f"ALTER SYSTEM SET {sql}")
        servers.two.run("SELECT pg_reload_conf()")
        servers.one.run("CREATE TABLE t AS SELECT g FROM generate_series(1, 1000) g")
        wait_for(lambda: servers.two.run("SELECT to_regclass('alembic_version') IS NOT NULL") == [(True,)])
        store, given = FollowedStore(servers.url), list[object]()
        wait_for(lambda: store.rows("SELECT 1 FROM pg_class WHERE relname = 't'"))
        sql = "SELECT count(*), pg_sleep(4) FROM t"
        asking = threading.Thread(target=lambda: given.append(store.one(sql)[0]))
        asking.start()
        wait_for(lambda: servers.two.run("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
        servers.one.run("DELETE FROM t WHERE g > 10")
        servers.one.run("VACUUM (TRUNCATE off) t")
        asking.join()
        assert given == [10]
        ended = "SELECT confl_snapshot + confl_lock > 0 FROM pg_stat_database_conflicts WHERE datname = 'postgres'"
        wait_for(lambda: servers.two.run(ended) == [(True,)])
        store.close()
