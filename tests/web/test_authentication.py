"""Who asks: signatures of requests, access tokens, and everything that is refused of either."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import Any

import httpx
import pytest
from served import Served, Signing

from gardesh.client.signing import ASSERTION, assertion
from gardesh.model import http_signature
from gardesh.model.canonical import base64url_decode, base64url_encode, encode
from gardesh.model.http_signature import AHEAD, WINDOW
from gardesh.model.jose import PrivateKey
from market import Market, key_of

pytestmark = pytest.mark.store

DRAFT = {"step": "application", "procedure": "market/licence"}


def code(response: httpx.Response) -> str:
    body = response.json()
    assert response.headers["content-type"].startswith("application/")
    return str(body["code"])


def cases(who: httpx.Client) -> httpx.Response:
    return who.get("/v1/cases")


# -- signatures -----------------------------------------------------------------------------------------------


def test_who_brings_nothing_is_told_how_to_come(served: Served) -> None:
    answer = cases(served.nobody)
    assert (answer.status_code, code(answer)) == (401, "not-authenticated")
    assert "Bearer" in answer.headers["www-authenticate"]
    assert "Signature" in answer.headers["www-authenticate"]


def test_a_signature_says_who_asks(served: Served) -> None:
    assert cases(served.by("ali")).status_code == 200


def test_a_signature_counts_once(served: Served) -> None:
    with served.by("ali", nonce="one") as ali:
        assert cases(ali).status_code == 200
        again = cases(ali)
    assert (again.status_code, code(again)) == (401, "request-replayed")


def test_a_signature_that_was_turned_into_another_counts_as_the_same(served: Served) -> None:
    """ES256 signatures (r, s) and (r, n - s) both verify: anybody can make one of the other."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    class Turning(Signing):
        def auth_flow(self, request: httpx.Request) -> Any:
            signed = next(super().auth_flow(request))
            raw = __import__("base64").b64decode(signed.headers["signature"].split(":")[1])
            r, s = raw[:32], int.from_bytes(raw[32:])
            turned = __import__("base64").b64encode(r + (order - s).to_bytes(32)).decode()
            signed.headers["signature"] = f"sig=:{turned}:"
            yield signed

    first = httpx.Client(base_url=served.url, auth=Signing(key_of("ali"), served.seconds, "n"))
    second = httpx.Client(base_url=served.url, auth=Turning(key_of("ali"), served.seconds, "n"))
    assert cases(first).status_code == 200
    assert code(cases(second)) == "request-replayed"


@pytest.mark.parametrize("ahead", [AHEAD + 2, -WINDOW - 2])
def test_a_signature_of_another_time_is_refused(served: Served, ahead: int) -> None:
    answer = cases(served.by("ali", ahead=ahead))
    assert (answer.status_code, code(answer)) == (401, "http-signature-stale")


@pytest.mark.parametrize("ahead", [AHEAD - 2, 2 - WINDOW])
def test_clocks_may_differ_a_little(served: Served, ahead: int) -> None:
    served.market.now += WINDOW * 1000
    assert cases(served.by("ali", ahead=ahead)).status_code == 200


def test_what_was_signed_before_the_service_began_is_not_taken(served: Served) -> None:
    """It may have been used then, and nobody remembers."""
    answer = cases(served.by("ali", ahead=-5))
    assert (answer.status_code, code(answer)) == (401, "request-replayed")


def test_the_time_of_the_node_does_not_go_back(served: Served) -> None:
    token = ask(served).json()["access_token"]
    served.market.now += 400_000
    assert code(cases(with_token(served, token))) == "token-invalid"
    served.market.now -= 400_000
    assert code(cases(with_token(served, token))) == "token-invalid"


def test_one_organisation_does_not_crowd_out_another(served: Served) -> None:
    served.server.service.once.most = 20
    with served.by("sara") as sara:
        answers = [cases(sara).status_code for _ in range(25)]
    assert answers == [200] * 20 + [429] * 5
    assert cases(served.by("ali")).status_code == 200


def test_a_key_that_nobody_registered(served: Served) -> None:
    stranger = PrivateKey.from_secret("ES256", sha256(b"stranger").digest())
    answer = cases(served.by("ali", key=stranger))
    assert (answer.status_code, code(answer)) == (401, "key-unknown")


def test_a_retired_key_opens_nothing_any_more(served: Served) -> None:
    with served.by("ali") as ali:
        assert cases(ali).status_code == 200
        retire(served, "ali")
        answer = cases(ali)
        assert (answer.status_code, code(answer)) == (401, "key-not-in-force")


def retire(served: Served, org: str) -> None:
    def work(market: Market) -> None:
        market.submit(market.core("key-revocation", {"kid": key_of(org).kid, "reason": "lost"}))

    served.do(work)


def tampered(served: Served, change: Any, method: str = "GET", path: str = "/v1/cases") -> httpx.Response:
    """A signed request that somebody changed on the way."""
    request = served.nobody.build_request(method, path, json=DRAFT if method == "POST" else None)
    signed = next(Signing(key_of("ali"), served.seconds).auth_flow(request))
    change(signed)
    return served.nobody.send(signed)


def test_nothing_that_is_signed_can_be_changed_on_the_way(served: Served) -> None:
    def to(path: str) -> Any:
        def change(request: httpx.Request) -> None:
            request.url = httpx.URL(served.url + path)

        return change

    assert code(tampered(served, to("/v1/worklist"))) == "credential-wrong"
    assert code(tampered(served, to("/v1/cases?part=worked"))) == "credential-wrong"

    def header(name: str, value: str) -> Any:
        def change(request: httpx.Request) -> None:
            request.headers[name] = value

        return change

    other = http_signature.content_digest(b"other")
    drafts = ("POST", "/v1/drafts")
    assert code(tampered(served, header("content-digest", other), *drafts)) == "content-digest-wrong"
    assert code(tampered(served, header("signature", "sig=:AAAA:"))) == "credential-wrong"
    assert code(tampered(served, header("signature-input", "sig=()"))) == "http-signature-malformed"
    assert code(tampered(served, header("signature-input", "nothing"))) == "http-signature-malformed"


def test_a_body_has_to_be_signed_for(served: Served) -> None:
    def unsigned(request: httpx.Request) -> None:
        bare = served.nobody.build_request("POST", "/v1/drafts")
        bare.headers = request.headers.copy()
        del bare.headers["content-digest"]
        signed = {k.lower(): v for k, v in bare.headers.items() if not k.lower().startswith("signature")}
        signed = {k: v for k, v in signed.items() if k != "content-length"}
        fields = http_signature.sign(
            http_signature.Request("POST", str(request.url), signed),
            key_of("ali"),
            now=served.seconds(),
            nonce="x",
        )
        request.headers = httpx.Headers(
            {**bare.headers, **fields, "content-length": request.headers["content-length"]}
        )

    answer = tampered(served, unsigned, "POST", "/v1/drafts")
    assert answer.status_code in (400, 401)
    assert code(answer) in ("content-digest-wrong", "http-signature-lacks")


def test_the_signature_is_bound_to_this_node(served: Served) -> None:
    """What was signed for another authority says nothing here."""
    request = served.nobody.build_request("GET", "/v1/cases")
    elsewhere = httpx.Request("GET", "http://other.example/v1/cases")
    signed = next(Signing(key_of("ali"), served.seconds).auth_flow(elsewhere))
    for name in ("signature", "signature-input"):
        request.headers[name] = signed.headers[name]
    assert code(served.nobody.send(request)) == "credential-wrong"


# -- tokens ---------------------------------------------------------------------------------------------------


def ask(served: Served, org: str = "ali", key: PrivateKey | None = None, **form: str) -> httpx.Response:
    made = assertion(org, key or key_of(org), served.url, served.seconds())
    whole = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "client_assertion": made,
        **form,
    }
    return served.nobody.post("/token", data=whole)


def with_token(served: Served, token: str) -> httpx.Client:
    return httpx.Client(base_url=served.url, headers={"authorization": f"Bearer {token}"})


def test_a_token_has_the_roles_that_are_held(served: Served) -> None:
    answer = ask(served)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["token_type"], told["scope"], told["expires_in"]) == ("Bearer", "member vendor", 300)
    assert cases(with_token(served, told["access_token"])).status_code == 200


def test_no_token_is_wider_than_the_roles(served: Served) -> None:
    answer = ask(served, scope="vendor market-office")
    assert (answer.status_code, answer.json()["error"], code(answer)) == (
        400,
        "invalid_scope",
        "scope-too-wide",
    )


def test_a_narrow_token_sees_what_its_roles_see(served: Served) -> None:
    def both(market: Market) -> str:
        market.area()
        market.submit(market.accreditation("city", "health-office", "in-force"))
        return market.apply(goods=[{"kind": "food"}])

    case = served.do(both)
    wide = ask(served, "city").json()["access_token"]
    narrow = ask(served, "city", scope="health-office").json()["access_token"]
    seen = {w["slot"] for w in with_token(served, wide).get("/v1/worklist").json()["work"]}
    less = {w["slot"] for w in with_token(served, narrow).get("/v1/worklist").json()["work"]}
    assert less == {"health-check", "hygiene-card"}
    assert less <= seen
    assert with_token(served, narrow).get(f"/v1/cases/{case}").status_code == 200
    area = "SELECT position FROM documents WHERE type = 'market/area'"
    position = served.do(lambda market: market.store.one(area)[0])
    assert with_token(served, wide).get(f"/v1/documents/{position}?purpose=x").status_code == 200


def test_a_token_ends(served: Served) -> None:
    token = ask(served).json()["access_token"]
    served.market.now += 299_000
    assert cases(with_token(served, token)).status_code == 200
    served.market.now += 1_000
    assert code(cases(with_token(served, token))) == "token-invalid"


def test_a_token_ends_with_the_key_that_bought_it(served: Served) -> None:
    token = ask(served).json()["access_token"]
    retire(served, "ali")
    assert code(cases(with_token(served, token))) == "key-not-in-force"


def test_a_role_that_is_lost_is_lost_to_tokens_too(served: Served) -> None:
    def city(market: Market) -> None:
        market.area()
        market.apply()
        market.wait(4 * 86_400_000)

    served.do(city)
    token = ask(served, "city").json()["access_token"]
    assert with_token(served, token).get("/v1/worklist").json()["work"]
    served.do(lambda market: market.submit(market.accreditation("city", "market-office", "ended")))
    assert with_token(served, token).get("/v1/worklist").json()["work"] == []


def test_no_changed_token_is_taken(served: Served) -> None:
    token = ask(served).json()["access_token"]
    head, body, seal = token.split(".")
    claims = base64url_decode(body.encode()).replace(b'"ali"', b'"sar"')
    none = base64url_encode(b'{"alg":"none"}')
    for wrong in (
        f"{head}.{base64url_encode(claims)}.{seal}", f"{none}.{body}.", f"{head}.{body}.", f"{head}.{body}",
        token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), "-", "a.b.c", "é", token + "A", "x" * 20_000,
    ):  # fmt: skip
        answer = served.nobody.get("/v1/cases", headers={b"authorization": f"Bearer {wrong}".encode()})
        assert answer.status_code == 401, wrong[:50]


def test_an_assertion_counts_once(served: Served) -> None:
    made = assertion("ali", key_of("ali"), served.url, served.seconds())
    assert ask(served, client_assertion=made).status_code == 200
    again = ask(served, client_assertion=made)
    assert (again.status_code, again.json()["error"], code(again)) == (
        401,
        "invalid_client",
        "request-replayed",
    )


def forged(served: Served, key: str = "ali", header: dict[str, Any] | None = None, **claims: Any) -> str:
    now, signer = served.seconds(), key_of(key)
    head = {"alg": signer.alg, "kid": signer.kid, "typ": "JWT", **(header or {})}
    said = {
        "iss": "ali", "sub": "ali", "aud": served.url, "exp": now + 60, "jti": "0123456789" + str(time.time_ns()),
        **claims,
    }  # fmt: skip
    whole = {k: v for k, v in said.items() if v is not None}
    signed = f"{base64url_encode(encode(head))}.{base64url_encode(encode(whole))}"
    return f"{signed}.{base64url_encode(signer.sign(signed.encode()))}"


def test_an_assertion_is_read_strictly(served: Served) -> None:
    now = served.seconds()
    assert ask(served, client_assertion=forged(served)).status_code == 200
    assert ask(served, client_assertion=forged(served, aud=[served.url + "/token", "x"])).status_code == 200
    for wrong, said in (
        (forged(served, key="sara"), "key-unknown"),
        (forged(served, sub="sara"), "client-assertion-invalid"),
        (forged(served, aud="https://other.example"), "client-assertion-invalid"),
        (forged(served, aud=None), "client-assertion-invalid"),
        (forged(served, exp=now - 60), "client-assertion-invalid"),
        (forged(served, exp=now + 86_400), "client-assertion-invalid"),
        (forged(served, exp="soon"), "client-assertion-invalid"),
        (forged(served, nbf=now + 3_600), "client-assertion-invalid"),
        (forged(served, jti=None), "client-assertion-invalid"),
        (forged(served, jti="short"), "client-assertion-invalid"),
        (forged(served, header={"alg": "none"}), "client-assertion-invalid"),
        (forged(served, header={"alg": "EdDSA"}), "client-assertion-invalid"),
        (forged(served, header={"crit": ["x"]}), "client-assertion-invalid"),
        (forged(served, header={"kid": key_of("sara").kid}), "key-unknown"),
        (forged(served, header={"kid": key_of("nobody").kid}), "key-unknown"),
        (forged(served)[:-6] + "AAAAAA", "credential-wrong"),
        ("nothing", "client-assertion-invalid"),
        ("a.b.c", "client-assertion-invalid"),
    ):
        answer = ask(served, client_assertion=wrong)
        assert (answer.status_code, answer.json()["error"], code(answer)) == (401, "invalid_client", said)


def test_what_is_asked_for_in_another_way_is_refused_as_the_standard_has_it(served: Served) -> None:
    assert ask(served, grant_type="password").json()["error"] == "unsupported_grant_type"
    assert ask(served, client_assertion_type="x").json()["error"] == "invalid_client"
    assert served.nobody.post("/token", content=b"\xff").json()["error"] == "invalid_request"
    assert served.nobody.post("/token").json()["error"] == "unsupported_grant_type"


def test_a_token_of_another_node_is_none_here(served: Served, tmp_path: Any) -> None:
    from served import serving

    with serving(Market(), tmp_path / "other") as other:
        token = ask(other).json()["access_token"]
    assert code(cases(with_token(served, token))) == "token-invalid"


def test_no_secret_and_no_name_is_in_the_log(served: Served) -> None:
    token = ask(served).json()["access_token"]
    case = served.do(lambda market: (market.area(), market.apply())[1])
    with_token(served, token).get(f"/v1/documents/{case}?purpose=secret-purpose")
    served.by("ali").get(f"/v1/cases/{case}")
    written = served.log.getvalue()
    assert '"route":"/v1/documents/{name}"' in written
    for secret in (token, token.split(".")[2], case, "ali", "secret-purpose", key_of("ali").kid):
        assert secret not in written
