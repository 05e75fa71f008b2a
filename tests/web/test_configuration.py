"""The configuration: every key is described, and whatever is wrong is said with its place."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh.model.problem import Problem
from gardesh.web import configuration
from gardesh.web.configuration import Configuration
from market import key_of

TWICE = 2 * "[[authorities]]\nissuer = 'https://a.example'\nby_name = true\n"


def test_the_printed_defaults_are_the_defaults() -> None:
    assert configuration.read(configuration.printed().encode()) == Configuration() == configuration.read(b"")


def test_every_key_says_what_it_means() -> None:
    keys = list(configuration.settings())
    assert len(keys) >= 17
    assert all(said.endswith(".") and len(said) > 10 for *_, said in keys)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[listen]\nport = 70000", "listen.port"),
        ("[listen]\nport = 'x'", "listen.port"),
        ("[listen]\nprot = 1", "listen"),
        ("[lisen]\nport = 1", "/"),
        ("[listen]\nurl = 'node.example'", "listen.url"),
        ("[listen]\nurl = 'https://user@node.example'", "listen.url"),
        ("[listen]\nurl = 'https://node.example/path'", "listen.url"),
        ("[listen]\nurl = 'http://[x'", "listen.url"),
        ("[limits]\nrate = -1", "limits.rate"),
        ("[attachments]\nstore = 'ftp://bucket'", "attachments.store"),
        ("[attachments]\nstore = 's3://key:secret@bucket'", "attachments.store"),
        ("[replica]\nof = 'node.example'", "replica.of"),
        ("[replica]\nof = 'https://node.example/v1'", "replica.of"),
        (
            "[replica]\nof = 'https://node.example'\n[jetstream]\nservers = ['nats://nats.example']",
            "jetstream.servers",
        ),
        ("[tokens]\nseconds = 1", "tokens.seconds"),
        ("[operations]\nlog = 'loud'", "operations.log"),
        ("[operations]\noperators = ['10.0.0.1/8']", "operations.operators"),
        ("[jetstream]\nservers = ['http://nats.example']", "jetstream.servers"),
        ("[jetstream]\nservers = ['nats://user:secret@nats.example']", "jetstream.servers"),
        ("[jetstream]\nservers = ['nats://nats.example:0']", "jetstream.servers"),
        ("[jetstream]\nservers = ['nats://[x']", "jetstream.servers"),
        ("[jetstream]\nstream = 'a.b'", "jetstream.stream"),
        ("[jetstream]\nprefix = 'a.*'", "jetstream.prefix"),
        ("[jetstream]\nprefix = 'a.'", "jetstream.prefix"),
        ("[jetstream]\nreplicas = 6", "jetstream.replicas"),
        ("[jetstream]\nmax_age_days = 1\nduplicates_seconds = 90000", "jetstream.duplicates_seconds"),
        ("[jetstream]\ncredentials = 'a'\ntoken = 'b'", "jetstream.token"),
        ("[[authorities]]\nby_name = true", "authorities[0].issuer"),
        ("[[authorities]]\nissuer = 'http://a.example'\nby_name = true", "authorities[0].issuer"),
        ("[[authorities]]\nissuer = 'https://u@a.example'\nby_name = true", "authorities[0].issuer"),
        ("[[authorities]]\nissuer = 'https://a.example?x'\nby_name = true", "authorities[0].issuer"),
        ("[[authorities]]\nissuer = 'https://a.example'", "authorities[0].organisations"),
        (
            "[[authorities]]\nissuer = 'https://a.example'\norganisations = {a = 'B'}",
            "authorities[0].organisations",
        ),
        (
            "[[authorities]]\nissuer = 'https://a.example'\nby_name = true\njwks = 'http://b.example/k'",
            "authorities[0].jwks",
        ),
        (
            "[[authorities]]\nissuer = 'https://a.example'\nby_name = true\nkeep_seconds = 60",
            "authorities[0].keep_seconds",
        ),
        (TWICE, "authorities[1].issuer"),
        ("[[authorities]]\nalgorithms = ['HS256']", "authorities[0].algorithms[0]"),
        ("[[authorities]]\nalgorithms = []", "authorities[0].algorithms"),
        ("[[authorities]]\nskew_seconds = 3000", "authorities[0].skew_seconds"),
        ("[limits]\nuploads_bytes = 10\nattachment_bytes = 11", "limits.uploads_bytes"),
        ("[limits]\nuploads_seconds = 59", "limits.uploads_seconds"),
        (
            "[[authorities]]\nissuer = 'https://a.example'\nby_name = true\nca = '/nowhere'",
            "authorities[0].ca",
        ),
        (
            "[[authorities]]\nissuer = 'https://a.example'\nby_name = true\njwks = '/nowhere'",
            "authorities[0].jwks",
        ),
        ("[telemetry]\nendpoint = 'collector:4318'", "telemetry.endpoint"),
        ("[telemetry]\nendpoint = 'http://'", "telemetry.endpoint"),
        ("[listen", "TOML"),
        ("\ud800", "TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, place: str) -> None:
    with pytest.raises(Problem) as caught:
        configuration.read(text.encode("utf-8", "surrogatepass"), "serve.toml")
    assert caught.value.code == "configuration-wrong"
    assert caught.value.params["file"] == "serve.toml"
    assert caught.value.params["place"] == place
    assert caught.value.params["reason"]


@given(st.binary(max_size=200))
def test_no_bytes_are_a_fault(data: bytes) -> None:
    try:
        configuration.read(data)
    except Problem as problem:
        assert problem.code == "configuration-wrong"


def test_the_files_of_an_authority_are_looked_into(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    named = f"[[authorities]]\nissuer = 'https://a.example'\nby_name = true\njwks = '{file}'\n"
    for wrong in (b"{}", b"x", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AAAA", "kid": "1"}]}'):
        file.write_bytes(wrong)
        with pytest.raises(Problem) as caught:
            configuration.read(named.encode())
        assert caught.value.params["place"] == "authorities[0].jwks"
    jwk = {**key_of("city").public.jwk, "kid": "1"}
    file.write_bytes(msgspec.json.encode({"keys": [jwk]}))
    assert configuration.read(named.encode()).authorities[0].jwks == str(file)
    with pytest.raises(Problem) as caught:
        configuration.read(named.replace("jwks", "ca").encode())
    assert caught.value.params["place"] == "authorities[0].ca"
