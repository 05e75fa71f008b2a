"""Documents against other implementations: `@sd-jwt/core` for SD-JWT, `jose` for JWS (`tests/interop/node`)."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gardesh.model.document import Envelope, compose, parse, present, sign, verify
from gardesh.model.jose import PrivateKey, PublicKey

NODE = Path(__file__).parent / "node"
pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None, reason="node and npm are not installed"
)

Library = Callable[..., Any]

KEYS = {alg: PrivateKey.from_secret(alg, sha256(b"interop").digest()) for alg in ("ES256", "EdDSA")}
CLAIMS = compose(
    type="trade/order-request",
    issuer="trader",
    valid_from_ms=1_767_427_200_000,
    pack="trade@1.0.0",
    procedure="import",
    step="order-request",
    basis=[("permit:استاندارد", sha256(b"permit").digest())],
)
SUBJECT: dict[str, Any] = {
    "order": "12345678",
    "importer": "شرکت نمونه «گردش»",
    "goods": [{"hs": "847130", "value": 12000, "name": "رایانه"}, {"hs": "851713", "value": 7, "name": "📱"}],
    "place": {"city": "تهران", "code": None},
    "urgent": False,
    "lines": 'a\n"b"\t\\/\u2028',
}
DISCLOSABLE = ["/goods/*", "/goods/*/value", "/place/city"]


def install() -> None:
    """Install the libraries unless they are there; workers of one test run wait for each other."""
    with (NODE / "package.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        listed, installed = NODE / "package-lock.json", NODE / "node_modules" / ".package-lock.json"
        if not installed.is_file() or installed.stat().st_mtime < listed.stat().st_mtime:
            command = ["npm", "ci", "--ignore-scripts"]
            subprocess.run(command, cwd=NODE, check=True, timeout=300, capture_output=True)


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    """Asks the Node program to do something; what it refuses is a RuntimeError."""
    install()
    with subprocess.Popen(
        ["node", "interop.mjs"], cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as program:
        requests, answers = program.stdin, program.stdout
        assert requests is not None
        assert answers is not None

        def ask(op: str, **request: Any) -> Any:
            requests.write(json.dumps({"op": op, "request": request}) + "\n")
            requests.flush()
            answer = json.loads(answers.readline())
            if "error" in answer:
                raise RuntimeError(answer["error"])
            return answer["value"]

        yield ask
        requests.close()
        program.wait(timeout=30)


def salts() -> Callable[[], bytes]:
    numbers = count()
    return lambda: sha256(b"%d" % next(numbers)).digest()[:16]


def public(key: PrivateKey) -> dict[str, Any]:
    return {"alg": key.alg, "publicKey": key.public.to_jwk()}


@pytest.mark.parametrize("alg", KEYS)
def test_the_thumbprint_names_the_same_key(library: Library, alg: str) -> None:
    assert library("thumbprint", publicKey=KEYS[alg].public.to_jwk()) == KEYS[alg].kid
    made = library("key", alg=alg)
    assert PublicKey.from_jwk(made["publicKey"]).kid == made["kid"]


@pytest.mark.parametrize("alg", KEYS)
def test_our_document_is_verified_whole(library: Library, alg: str) -> None:
    document = sign(CLAIMS, SUBJECT, KEYS[alg], salt=salts(), disclosable=DISCLOSABLE, decoys=2)
    found = library("verify", document=document.decode(), **public(KEYS[alg]))
    assert found["payload"]["credentialSubject"] == SUBJECT
    assert {k: v for k, v in found["payload"].items() if k != "credentialSubject"} == CLAIMS
    assert found["header"] == {"alg": alg, "cty": "vc", "kid": KEYS[alg].kid, "typ": "vc+sd-jwt"}


@pytest.mark.parametrize(
    ("paths", "shown"),
    [
        ([], {}),
        (["/order"], {"order": "12345678"}),
        (["/goods/1/value"], {"goods": [{"hs": "851713", "name": "📱", "value": 7}]}),
        (["/goods/*/hs"], {"goods": [{"hs": "847130", "name": "رایانه"}, {"hs": "851713", "name": "📱"}]}),
        (["/place"], {"place": SUBJECT["place"]}),
        (["/place/code", "/urgent"], {"place": {"code": None}, "urgent": False}),
    ],
)
def test_our_document_is_verified_in_part(library: Library, paths: list[str], shown: dict[str, Any]) -> None:
    document = sign(CLAIMS, SUBJECT, KEYS["ES256"], salt=salts(), disclosable=DISCLOSABLE)
    part = present(document, paths)
    assert (
        library("verify", document=part.decode(), **public(KEYS["ES256"]))["payload"]["credentialSubject"]
        == shown
    )
    assert parse(part).subject == shown


def test_a_part_that_the_library_makes_of_our_document_is_ours(library: Library) -> None:
    document = sign(CLAIMS, SUBJECT, KEYS["ES256"], salt=salts(), disclosable=DISCLOSABLE)
    frame = {"credentialSubject": {"order": True, "goods": {"1": True}}}
    part = library("present", document=document.decode(), frame=frame, alg="ES256").encode()
    envelope = parse(part)
    verify(envelope, KEYS["ES256"].public)
    assert envelope.subject == {"order": "12345678", "goods": [{"hs": "851713", "name": "📱"}]}
    assert set(envelope.disclosures) == set(parse(present(document, ["/order", "/goods/1/hs"])).disclosures)


@pytest.mark.parametrize("alg", KEYS)
def test_a_document_that_the_library_issues_is_parsed_and_verified(library: Library, alg: str) -> None:
    made = library("key", alg=alg)
    key = PublicKey.from_jwk(made["publicKey"])
    frame = {
        "credentialSubject": {
            "_sd": ["order", "importer", "goods", "place", "urgent", "lines"],
            "_sd_decoy": 1,
            "goods": {"_sd": [0, 1], "0": {"_sd": ["value"]}},
            "place": {"_sd": ["city"]},
        }
    }
    document = library(
        "issue",
        alg=alg,
        claims={**CLAIMS, "credentialSubject": SUBJECT},
        frame=frame,
        header={"typ": "vc+sd-jwt", "cty": "vc", "kid": key.kid},
        privateKey=made["privateKey"],
    ).encode()
    envelope = parse(document)
    verify(envelope, key)
    assert envelope.subject == SUBJECT
    assert (envelope.missing, envelope.complete) == (1, False)
    assert envelope.basis == parse(sign(CLAIMS, {}, KEYS[alg], salt=salts())).basis
    part = parse(present(document, ["/goods/0/value"]))
    assert part.subject == {"goods": [SUBJECT["goods"][0]]}
    assert len(part.disclosures) == 3


@pytest.mark.parametrize("alg", KEYS)
def test_a_plain_jwt_that_jose_signs_is_parsed_and_verified(library: Library, alg: str) -> None:
    made = library("key", alg=alg)
    header = {"typ": "vc+jwt", "cty": "vc", "kid": made["kid"]}
    claims = {**CLAIMS, "credentialSubject": SUBJECT}
    for _ in range(8):  # half of the signatures of other libraries have the greater s
        document = library("sign", alg=alg, claims=claims, header=header, privateKey=made["privateKey"])
        envelope = parse(document.encode())
        verify(envelope, PublicKey.from_jwk(made["publicKey"]))
        assert envelope.subject == SUBJECT
        assert isinstance(envelope, Envelope)


def test_a_changed_document_is_refused_by_the_library_too(library: Library) -> None:
    document = sign(CLAIMS, SUBJECT, KEYS["ES256"], salt=salts()).decode()
    signed, first, *rest = document.split("~")
    header, payload, signature = signed.split(".")
    for changed in (
        "~".join([f"{header}.{payload[:-1]}{'A' if payload[-1] != 'A' else 'B'}.{signature}", first, *rest]),
        "~".join(
            [
                f"{header}.{payload}.{'A' + signature[1:] if signature[0] != 'A' else 'B' + signature[1:]}",
                first,
                *rest,
            ]
        ),
    ):
        with pytest.raises(RuntimeError):
            library("verify", document=changed, **public(KEYS["ES256"]))


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6).filter(
    lambda n: n not in ("_sd", "...", "_sd_alg", "__proto__")
)
integers = st.integers(-(2**53) + 1, 2**53 - 1)
values = st.recursive(
    st.none() | st.booleans() | integers | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(subject=st.dictionaries(names, values, max_size=4), alg=st.sampled_from(sorted(KEYS)))
def test_any_subject_reads_the_same_in_both(library: Library, subject: dict[str, Any], alg: str) -> None:
    document = sign(CLAIMS, subject, KEYS[alg], salt=salts(), disclosable=["/*/*", "/*/0"])
    found = library("verify", document=document.decode(), **public(KEYS[alg]))
    assert found["payload"]["credentialSubject"] == subject
