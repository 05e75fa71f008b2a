"""Tokens of another authority: a real provider gives them, a served node takes them, for what the log gives and no more."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from served import Served, serving, until
from test_access_matrix import READS, all_cases, read, stall

from gardesh.client import AsyncClient, Client, ClientCredentials, Unexpected
from gardesh.exchange.authority import Authority
from gardesh.exchange.authority_settings import Authority as Settings
from gardesh.model import authority_token
from gardesh.model.canonical import base64url_decode, base64url_encode, encode
from gardesh.model.problem import Problem
from market import Market, key_of
from provider import Provider, providing

pytestmark = pytest.mark.store

AUDIENCE = "https://gardesh.example"
MAPPED = {
    "system-1": "ali",
    "system-2": "city",
    "system-3": "nobody",
    **{f"of-{o}": o for o in ("ali", "sara", "city", "health", "traffic", "neighbour", "axa", "steward")},
}


def section(provider: Provider, **more: Any) -> str:
    """A configuration that names the provider."""
    said = {
        "issuer": provider.issuer,
        "audience": AUDIENCE,
        "organisations": MAPPED,
        "allow_http": True,
        "skew_seconds": 300,  # the market's clock stands while the provider's goes on
        **more,
    }
    lines = []
    for name, value in said.items():
        text = msgspec.json.encode(value).decode()
        if isinstance(value, dict):
            text = "{" + ", ".join(f'"{k}" = "{v}"' for k, v in value.items()) + "}"
        lines.append(f"{name} = {text}")
    return "[limits]\nrate = 0\n[[authorities]]\n" + "\n".join(lines)


@contextmanager
def serving_for(provider: Provider, blobs: Path, **more: Any) -> Iterator[Served]:
    with serving(Market(), blobs, section(provider, **more)) as served:
        served.market.now = int(time.time() * 1000)
        yield served


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """For tests that do not change it."""
    with providing() as made:
        yield made


@pytest.fixture
def node(provider: Provider, tmp_path: Path) -> Iterator[Served]:
    with serving_for(provider, tmp_path) as served:
        yield served


@pytest.fixture(scope="module")
def quiet(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """For tests that change nothing."""
    with serving_for(provider, tmp_path_factory.mktemp("blobs")) as served:
        yield served


@pytest.fixture(autouse=True)
def clock(request: pytest.FixtureRequest) -> None:
    """The market's clock stands between the tests too."""
    if "quiet" in request.fixturenames:
        request.getfixturevalue("quiet").market.now = int(time.time() * 1000)


@pytest.fixture(scope="module")
def strict(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """As `quiet`, with half a minute of skew."""
    with serving_for(provider, tmp_path_factory.mktemp("blobs"), skew_seconds=30) as served:
        yield served


def by(served: Served, token: str) -> httpx.Client:
    return httpx.Client(base_url=served.url, headers={"authorization": f"Bearer {token}"}, timeout=30)


def told(answer: httpx.Response) -> tuple[int, str, str]:
    problem = answer.json()
    return answer.status_code, problem["code"], problem.get("params", {}).get("member", "")


def claims(provider: Provider, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    said = {
        "iss": provider.issuer, "aud": AUDIENCE, "sub": "system-1", "client_id": "system-1", "jti": "1",
        "iat": now, "exp": now + 300, "scope": "vendor", **changes,
    }  # fmt: skip
    return {k: v for k, v in said.items() if v is not None}


# -- who asks, and in which roles -----------------------------------------------------------------------------


def test_a_token_of_the_authority_says_who_asks(node: Served, provider: Provider) -> None:
    case = node.do(lambda market: (market.area(), market.apply())[1])
    with by(node, provider.token("system-1", AUDIENCE, "vendor")) as ali:
        assert [c["case"] for c in all_cases(ali, "opened")] == [case]
        sent = ali.post("/v1/drafts", json={"step": "application", "procedure": "market/licence"})
        assert sent.json()["claims"]["issuer"].endswith(":ali")
    assert '"by":"authority"' in node.log.getvalue()
    assert provider.issuer not in node.log.getvalue()


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "EdDSA", "PS256", "PS512", "RS384"])
def test_tokens_of_every_algorithm_that_is_allowed(alg: str, tmp_path: Path) -> None:
    with providing(alg=alg) as provider, serving_for(provider, tmp_path, algorithms=[alg]) as served:
        assert by(served, provider.signed(claims(provider))).get("/v1/cases").status_code == 200
    with serving_for(provider, tmp_path / "b", algorithms=["RS256"]) as served:
        answer = by(served, sealed({"alg": alg, "kid": "k"}, claims(provider))).get("/v1/cases")
        assert told(answer) == (401, "authority-token-wrong", "alg")


def test_a_scope_that_asks_for_more_is_narrowed(node: Served, provider: Provider) -> None:
    def both(market: Market) -> None:
        market.area()
        market.submit(market.accreditation("city", "health-office", "in-force"))
        market.apply(goods=[{"kind": "food"}])

    node.do(both)

    def slots(scope: str) -> set[str]:
        with by(node, provider.token("system-2", AUDIENCE, scope)) as city:
            return {w["slot"] for w in city.get("/v1/worklist").json()["work"]}

    assert slots("health-office") == {"health-check", "hygiene-card"}
    assert slots("health-office insurer openid traffic-office") == {"health-check", "hygiene-card"}
    assert slots("insurer traffic-office steward") == set()
    assert slots("") == set()
    node.do(lambda market: market.submit(market.accreditation("city", "health-office", "ended")))
    assert slots("health-office") == set()


def test_roles_by_another_claim_and_a_prefix(provider: Provider, tmp_path: Path) -> None:
    more = {
        "roles_claim": "https://ministry.example/roles",
        "role_prefix": "gardesh:",
        "without_roles": "held",
    }
    with serving_for(provider, tmp_path, **more) as served:
        served.do(lambda market: (market.area(), market.apply(goods=[{"kind": "food"}])))

        def work(roles: Any) -> int:
            said = claims(provider, client_id="of-health", **{more["roles_claim"]: roles})
            return len(by(served, provider.signed(said)).get("/v1/worklist").json()["work"])

        assert work(["gardesh:health-office", "other:x"]) > 0
        assert work("other:x gardesh:health-office") > 0
        assert work(["health-office"]) == 0
        assert work([]) == 0
        assert work({"health-office": True}) == 0
        assert work(None) > 0


def test_who_is_not_named_is_nobody(quiet: Served, provider: Provider, tmp_path: Path) -> None:
    answer = by(quiet, provider.token("stranger", AUDIENCE)).get("/v1/cases")
    assert told(answer)[:2] == (403, "client-not-named")
    assert told(by(quiet, provider.token("ali", AUDIENCE)).get("/v1/cases"))[:2] == (403, "client-not-named")
    with serving_for(provider, tmp_path, by_name=True, organisation_claim="sub") as served:
        assert by(served, provider.token("ali", AUDIENCE)).get("/v1/cases").status_code == 200
        for sub in ("Ali", "ali/x", "../ali", "a" * 100):
            answer = by(served, provider.signed(claims(provider, sub=sub))).get("/v1/cases")
            assert told(answer)[:2] == (403, "client-not-named")


def test_no_token_stands_for_what_is_not_on_the_log(node: Served, provider: Provider) -> None:
    """An organisation that was never admitted; one whose keys are all void; one that holds no accreditation any more."""
    refused = (403, "organisation-without-rights")
    assert told(by(node, provider.token("system-3", AUDIENCE, "vendor")).get("/v1/cases"))[:2] == refused

    def asked(client: str) -> httpx.Response:
        return by(node, provider.token(client, AUDIENCE, "vendor market-office")).get("/v1/cases")

    assert (asked("system-1").status_code, asked("system-2").status_code) == (200, 200)
    kid = key_of("ali").kid
    node.do(lambda market: market.submit(market.core("key-revocation", {"kid": kid, "reason": "lost"})))
    assert told(asked("system-1"))[:2] == refused
    for role in ("market-office", "member"):
        assert asked("system-2").status_code == 200
        node.do(lambda market, r=role: market.submit(market.accreditation("city", r, "ended")))
    assert told(asked("system-2"))[:2] == refused


def test_a_key_that_came_later_counts_too(node: Served, provider: Provider) -> None:
    new = key_of("ali-2")

    def asked() -> int:
        return by(node, provider.token("system-1", AUDIENCE, "vendor")).get("/v1/cases").status_code

    def rotate(market: Market) -> None:
        subject = {"keys": [{"kid": new.kid, "jwk": dict(new.public.jwk)}], "retires": [key_of("ali").kid]}
        market.submit(market.core("key-rotation", subject, org="ali"))

    assert asked() == 200
    node.do(rotate)
    assert asked() == 200
    node.do(lambda market: market.submit(market.core("key-revocation", {"kid": new.kid, "reason": "lost"})))
    assert asked() == 403


@pytest.mark.parametrize("org", ["ali", "city", "health", "traffic", "neighbour", "sara", "axa"])
def test_each_reads_with_such_a_token_what_its_steps_need(node: Served, provider: Provider, org: str) -> None:
    """The access matrix, with all roles that the organisation holds."""
    made = node.do(stall)
    node.market.now = int(time.time() * 1000)
    roles = node.do(lambda market: market.node.sequencer.registers.roles(org, market.now))
    with (
        by(node, provider.signed(claims(provider, client_id=f"of-{org}", scope=" ".join(roles)))) as who,
        node.by(org) as signing,
    ):
        for step, readers in READS.items():
            assert read(who, made[step]) == read(signing, made[step]), step
            assert (read(who, made[step]) is not None) == (org in readers), step
        for path in ("", "/plan", "/why", "/documents"):
            ways = [w.get(f"/v1/cases/{made['application']}{path}").status_code for w in (who, signing)]
            assert ways[0] == ways[1], path
    bare = by(node, provider.signed(claims(provider, client_id=f"of-{org}", scope="openid")))
    shown = {step for step in READS if read(bare, made[step]) is not None}
    assert shown <= {step for step, readers in READS.items() if org in readers}


def test_what_is_read_by_a_role_alone_is_not_read_without_it(node: Served, provider: Provider) -> None:
    case = node.do(lambda market: (market.area(), market.apply(goods=[{"kind": "food"}]))[1])
    for scope, shown in (("health-office", {"vendor", "goods"}), ("openid", None), ("vendor", None)):
        with by(node, provider.signed(claims(provider, client_id="of-health", scope=scope))) as health:
            assert read(health, case) == shown, scope
            assert health.get(f"/v1/cases/{case}").status_code == (404 if shown is None else 200), scope


# -- what is no token here ------------------------------------------------------------------------------------


WRONG = [
    ({"aud": "https://other.example"}, {}, "aud"),
    ({"aud": None}, {}, "aud"),
    ({"aud": []}, {}, "aud"),
    ({"aud": {"https://gardesh.example": 1}}, {}, "aud"),
    ({"iss": "https://other.example"}, {}, "iss"),
    ({"iss": None}, {}, "iss"),
    ({"iat": None}, {}, "iat"),
    ({"iat": "now"}, {}, "iat"),
    ({"iat": True}, {}, "iat"),
    ({"exp": None}, {}, "exp"),
    ({"exp": -1}, {}, "exp"),
    ({"exp": 10**30}, {}, "exp"),
    ({"sub": None}, {}, "sub"),
    ({"client_id": None}, {}, "client_id"),
    ({"jti": None}, {}, "jti"),
    ({"cnf": {"jkt": "x"}}, {}, "cnf"),
    ({}, {"typ": "JWT"}, "typ"),
    ({}, {"typ": None}, "typ"),
    ({}, {"kid": None}, "kid"),
    ({}, {"kid": "another"}, "kid"),
    ({}, {"jku": "https://evil.example/keys"}, "jku"),
    ({}, {"jwk": {"kty": "oct", "k": "AAAA"}}, "jwk"),
    ({}, {"x5u": "https://evil.example/x"}, "x5u"),
]


@pytest.mark.parametrize(("said", "header", "member"), WRONG)
def test_a_token_is_read_strictly(
    quiet: Served, provider: Provider, said: dict[str, Any], header: dict[str, Any], member: str
) -> None:
    made = provider.signed(claims(provider, **said))
    if header:
        head, body, seal = made.split(".")
        whole = {**msgspec.json.decode(base64url_decode(head.encode())), **header}
        made = f"{base64url_encode(encode({k: v for k, v in whole.items() if v is not None}))}.{body}.{seal}"
    assert told(by(quiet, made).get("/v1/cases")) == (401, "authority-token-wrong", member)


@pytest.mark.parametrize(
    ("iat", "exp", "nbf", "member"),
    [
        (0, 300, None, None), (25, 300, None, None), (40, 300, None, "iat"), (-300, -25, None, None), (-300, -35, None, "exp"),
        (0, 3600, None, None), (0, 3601, None, "exp"), (-4000, 300, None, "exp"), (0, 300, 25, None), (0, 300, 40, "nbf"),
        (10, 5, None, "exp"),
    ],
)  # fmt: skip
def test_its_times_are_within_bounds(
    strict: Served, provider: Provider, iat: int, exp: int, nbf: int | None, member: str | None
) -> None:
    """Half a minute of skew, an hour of life."""
    now = strict.seconds()
    times = {"iat": now + iat, "exp": now + exp, "nbf": None if nbf is None else now + nbf}
    answer = by(strict, provider.signed(claims(provider, **times))).get("/v1/cases")
    if member is None:
        assert answer.status_code == 200, answer.text
    else:
        assert told(answer) == (401, "authority-token-wrong", member)


def sealed(header: dict[str, Any], body: dict[str, Any], secret: bytes | None = None) -> str:
    """A token that nobody's private key signed: under a shared secret, or under nothing."""
    from hmac import digest

    text = f"{base64url_encode(encode({'typ': 'at+jwt', **header}))}.{base64url_encode(encode(body))}"
    return f"{text}.{base64url_encode(digest(secret, text.encode(), 'sha256')) if secret else ''}"


def test_no_algorithm_is_taken_for_another(quiet: Served, provider: Provider) -> None:
    """The public key as a shared secret, no signature at all, another key's, a signature of something else."""
    public = provider.do("public")
    good, said, kid = provider.signed(claims(provider)), claims(provider), public["kid"]
    head, body, seal = good.split(".")
    other = base64url_encode(encode(claims(provider, client_id="system-2")))
    own = quiet.token("ali").split(".")
    for wrong, member in (
        (sealed({"alg": "HS256", "kid": kid}, said, public["pem"].encode()), "alg"),
        (sealed({"alg": "none", "kid": kid}, said), "alg"),
        (sealed({"alg": "None", "kid": kid}, said), "alg"),
        (sealed({"alg": "ES256", "kid": kid}, said, b"x"), "signature"),
        (sealed({"alg": "PS256", "kid": kid}, said, b"x"), "signature"),
        (f"{head}.{other}.{seal}", "signature"),
        (f"{head}.{body}.", "signature"),
        (f"{head}.{body}.{seal[:-8]}AAAAAAAA", "signature"),
        (f"{head}.{body}", "JWT"),
        (f"{head}.{body}.{seal}.x", "JWT"),
        (f"{good}{'A' * 9000}", "JWT"),
        (f"{base64url_encode(b'[]')}.{body}.{seal}", "JWT"),
        (f"{base64url_encode(b'{' + b'[' * 3000)}.{body}.{seal}", "JWT"),
        (f"{head}.{own[1]}.{own[2]}", "iss"),
        ("-", "JWT"),
    ):
        assert told(by(quiet, wrong).get("/v1/cases")) == (401, "authority-token-wrong", member), wrong[:80]
    # The node's own kind, with the authority's contents: it is judged as the node's own.
    answer = by(quiet, f"{own[0]}.{body}.{own[2]}").get("/v1/cases")
    assert told(answer)[:2] == (401, "token-invalid")
    assert by(quiet, quiet.token("ali")).get("/v1/cases").status_code == 200


def test_without_an_authority_no_such_token_counts(served: Served, provider: Provider) -> None:
    assert told(by(served, provider.token("system-1", AUDIENCE)).get("/v1/cases"))[:2] == (
        401,
        "token-invalid",
    )


def test_a_stream_ends_with_the_token(node: Served, provider: Provider) -> None:
    now = node.seconds()
    made = provider.signed(claims(provider, iat=now, exp=now + 60))
    with by(node, made) as ali, ali.stream("GET", "/v1/inbox/stream", timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": open"
        node.market.now += 600_000
        node.do(lambda market: market.area())
        told = list(lines)
    assert "event: end" in told
    assert any('"token-invalid"' in line for line in told)


# -- keys -----------------------------------------------------------------------------------------------------


def test_a_new_key_is_found_and_the_provider_is_not_flooded(tmp_path: Path) -> None:
    with providing() as provider, serving_for(provider, tmp_path, refetch_seconds=3600) as served:
        old = provider.signed(claims(provider))
        assert by(served, old).get("/v1/cases").status_code == 200
        provider.do("roll", keep=False)
        new = provider.signed(claims(provider))
        for n in range(50):  # its keys were asked for a moment ago
            made = sealed({"alg": "RS256", "kid": f"k{n}"}, claims(provider))
            assert told(by(served, made).get("/v1/cases"))[2] == "kid"
        assert told(by(served, new).get("/v1/cases"))[2] == "kid"
        assert provider.do("asked")["asked"] == 1
    with providing() as provider, serving_for(provider, tmp_path / "b", refetch_seconds=1) as served:
        old = provider.signed(claims(provider))
        assert by(served, old).get("/v1/cases").status_code == 200
        provider.do("roll", keep=False)
        new = provider.signed(claims(provider))
        until(lambda: by(served, new).get("/v1/cases").status_code == 200)
        assert told(by(served, old).get("/v1/cases"))[2] == "kid"


def test_who_runs_the_node_sees_that_a_provider_is_away(tmp_path: Path) -> None:
    with providing() as provider, serving_for(provider, tmp_path) as served:
        provider.do("mode", mode="away")
        answer = by(served, provider.signed(claims(provider))).get("/v1/cases")
        assert (answer.status_code, answer.json()["code"]) == (503, "authority-away")
        assert answer.headers["retry-after"] == "30"
        failed = f'gardesh_authority_keys_total{{issuer="{provider.issuer}",outcome="failed"}} 1.0'
        assert failed in served.nobody.get("/metrics").text
        assert '"event":"authority-away"' in served.log.getvalue()
        with served.by("ali") as ali:
            assert ali.get("/v1/cases").status_code == 200
        assert by(served, served.token("ali")).get("/v1/cases").status_code == 200


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def authority(provider: Provider, clock: Time, **more: Any) -> Authority:
    said = {
        "issuer": provider.issuer,
        "organisations": MAPPED,
        "allow_http": True,
        "timeout_seconds": 1.0,
        **more,
    }
    return Authority(Settings(**said), AUDIENCE, clock)


def outcome(asked: Authority, token: str) -> str:
    """The organisation, or why there is none."""

    async def ask() -> str:
        try:
            found = await asked.vouches(authority_token.read(token), int(time.time()))
        except Problem as problem:
            return problem.params.get("member", problem.code)
        finally:
            if asked._under_way is not None:
                await asyncio.wait([asked._under_way])
        return found.org

    return asyncio.run(ask())


def test_keys_go_on_while_the_provider_is_away_for_a_bounded_time() -> None:
    with providing() as provider:
        clock = Time()
        asked = authority(provider, clock, refresh_seconds=100, keep_seconds=1000, refetch_seconds=10)
        token = provider.signed(claims(provider))
        provider.do("mode", mode="away")
        assert outcome(asked, token) == "authority-away"
        provider.do("mode", mode="")
        assert outcome(asked, token) == "authority-away"  # asked a moment ago
        clock.now = 10
        assert outcome(asked, token) == "ali"
        provider.do("mode", mode="away")
        clock.now = 500
        assert outcome(asked, token) == "ali"
        assert asked.fetches == 3
        provider.do("roll", keep=False)
        assert outcome(asked, provider.signed(claims(provider))) == "authority-away"
        clock.now = 1010
        assert outcome(asked, token) == "ali"
        clock.now = 1011
        assert outcome(asked, token) == "authority-away"
        provider.do("mode", mode="")
        clock.now = 1100
        assert outcome(asked, token) == "kid"


def test_many_at_once_ask_once() -> None:
    with providing() as provider:
        asked = authority(provider, Time())
        token = authority_token.read(provider.signed(claims(provider)))

        async def crowd() -> set[str]:
            now = int(time.time())
            return {v.org for v in await asyncio.gather(*(asked.vouches(token, now) for _ in range(50)))}

        assert asyncio.run(crowd()) == {"ali"}
        assert (asked.fetches, provider.do("asked")["asked"]) == (1, 1)


@pytest.mark.parametrize("mode", ["redirect", "large", "packed", "silent", "away"])
def test_what_is_not_answered_plainly_is_not_taken(mode: str) -> None:
    with providing() as provider:
        provider.do("mode", mode=mode)
        assert outcome(authority(provider, Time()), provider.signed(claims(provider))) == "authority-away"


def test_nothing_leads_the_node_elsewhere(provider: Provider) -> None:
    """A description that names keys at another host, at another port, without TLS, or that is of another issuer."""
    with providing() as other:
        for described in (
            {"jwks_uri": f"{provider.issuer}/keys"},
            {"jwks_uri": f"http://127.0.0.1:{other.issuer.rpartition(':')[2]}/keys"},
            {"jwks_uri": "file:///etc/passwd"},
            {"jwks_uri": "http://169.254.169.254/latest"},
            {"jwks_uri": f"{other.issuer}@localhost/keys"},
            {"jwks_uri": 5},
            {"issuer": "https://other.example"},
        ):
            other.do("describe", **described)
            before = provider.do("asked")["asked"]
            assert outcome(authority(other, Time()), other.signed(claims(other))) == "authority-away", (
                described
            )
            assert provider.do("asked")["asked"] == before
        # The operator may name another place; what a provider says may not.
        named = authority(other, Time(), jwks=f"{other.issuer}/keys")
        assert outcome(named, other.signed(claims(other))) == "ali"


def test_keys_that_are_not_public_keys_are_passed_over() -> None:
    with providing() as provider:
        provider.do("mode", mode="open")
        assert outcome(authority(provider, Time()), provider.signed(claims(provider))) == "kid"


def test_keys_from_a_file(provider: Provider, tmp_path: Path) -> None:
    file, clock = tmp_path / "keys.json", Time()
    asked = authority(provider, clock, jwks=str(file))
    token = provider.signed(claims(provider))
    assert outcome(asked, token) == "authority-away"
    file.write_bytes(provider.http.get("/keys").content)
    clock.now += 60
    assert outcome(asked, token) == "ali"


def test_tls_is_checked(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    with providing((certificate, key)) as provider:
        assert provider.issuer.startswith("https://")
        token = provider.signed(claims(provider))
        assert outcome(authority(provider, Time(), allow_http=False), token) == "authority-away"
        trusting = authority(provider, Time(), allow_http=False, ca=str(certificate))
        assert outcome(trusting, token) == "ali"


# -- the client -----------------------------------------------------------------------------------------------


def test_a_client_buys_its_tokens_there(node: Served, provider: Provider) -> None:
    case = node.do(lambda market: (market.area(), market.apply())[1])
    endpoint = f"{provider.issuer}/token"
    for proof in ({"secret": "system-1"[::-1]}, {"key": key_of("system-1")}):
        who = ClientCredentials(endpoint, "system-1", audience=AUDIENCE, scope=["vendor"], **proof)
        with Client(node.url, who) as ali:
            assert [c.case for c in ali.cases()] == [case]
            held = dict(who._held)
            assert [c.case for c in ali.cases()] == [case]
            assert who._held == held

    async def work() -> list[str]:
        who = ClientCredentials(endpoint, "system-1", secret="system-1"[::-1], audience=AUDIENCE)
        async with AsyncClient(node.url, who) as ali:
            return [c.case async for c in ali.cases()]

    assert asyncio.run(work()) == [case]


def test_a_client_asks_again_for_a_token_that_is_no_longer_taken(node: Served, provider: Provider) -> None:
    who = ClientCredentials(
        f"{provider.issuer}/token", "system-1", secret="system-1"[::-1], audience=AUDIENCE
    )
    with Client(node.url, who) as ali:
        list(ali.cases())
        ((place, (token, until_)),) = who._held.items()
        who._held[place] = (provider.signed(claims(provider, aud="https://other.example")), until_)
        list(ali.cases())
        assert who._held[place][0] != token


def test_a_client_that_the_authority_refuses_is_told(node: Served, provider: Provider) -> None:
    who = ClientCredentials(f"{provider.issuer}/token", "system-1", secret="wrong", audience=AUDIENCE)
    with Client(node.url, who) as ali, pytest.raises(Unexpected):
        list(ali.cases())
    with pytest.raises(ValueError):
        ClientCredentials(f"{provider.issuer}/token", "system-1")
