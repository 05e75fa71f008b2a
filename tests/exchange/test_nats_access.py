"""Who may read what on NATS, and how a node proves who it is there: real servers with accounts, TLS and JWTs."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
from base64 import b32encode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import nats.errors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from nats.js import api

from gardesh.exchange.jetstream import Publisher
from gardesh.exchange.stream_settings import Jetstream
from gardesh.model.problem import Problem
from nats_servers import Record, connect, free_port, ids, server

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "jetstream.md"
OFFICES = ("health", "traffic", "city")


def test_an_office_reads_its_own_notices_and_nothing_else(tmp_path: Path) -> None:
    """The configuration of the how-to page, as it is there."""
    found = re.search(r"^```nats\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    assert found is not None
    record = Record(tmp_path)
    record.add(30, lambda n: ("org", OFFICES[n % 3]))
    (tmp_path / "token").write_text("node:…node…\n", encoding="utf-8")

    async def office(url: str) -> None:
        operator = await connect([url], user="operator", password="…operator…")
        made = api.ConsumerConfig(
            durable_name="traffic", name="traffic", filter_subject="gardesh.org.traffic"
        )
        await operator.jetstream().add_consumer("GARDESH", made)
        made = api.ConsumerConfig(durable_name="health", name="health", filter_subject="gardesh.org.health")
        await operator.jetstream().add_consumer("GARDESH", made)
        health = await connect([url], user="health", password="…health…")
        js = health.jetstream(prefix="GARDESH.API", timeout=1)
        sub = await js.pull_subscribe_bind(durable="health", stream="GARDESH")
        got = await sub.fetch(10)
        assert ids(got) == list(range(0, 30, 3))
        for message in got:
            await message.ack_sync()
        assert (await sub.consumer_info()).num_ack_pending == 0
        live = await health.subscribe("gardesh.>")
        for prefix in ("GARDESH.API", "$JS.API"):
            js = health.jetstream(prefix=prefix, timeout=0.5)
            other = await js.pull_subscribe_bind(durable="traffic", stream="GARDESH")
            with pytest.raises((nats.errors.Error, TimeoutError)):
                await other.fetch(1, timeout=0.5)
            for asked in (
                js.get_msg("GARDESH", 2),
                js.stream_info("GARDESH"),
                js.consumer_info("GARDESH", "traffic"),
                js.pull_subscribe("gardesh.org.traffic", stream="GARDESH"),
                js.add_consumer("GARDESH", durable_name="health", filter_subject="gardesh.org.traffic"),
            ):
                with pytest.raises((nats.errors.Error, TimeoutError)):
                    await asked
        await health.publish("gardesh.org.city", b"forged")
        pull, batch = "GARDESH.API.CONSUMER.MSG.NEXT.GARDESH.health", b'{"batch":1,"no_wait":true}'
        await health.publish(pull, batch, reply="gardesh.org.city")
        await health.flush()
        record.add(3, lambda n: ("org", OFFICES[n % 3]))
        await asyncio.to_thread(record.publish, settings)
        assert (await operator.jetstream().stream_info("GARDESH")).state.messages == 33
        assert {m.data for m in await drained(live)} <= {b"forged", b""}
        await health.close()
        await operator.close()

    with server(tmp_path, found[1]) as one:
        settings = Jetstream(servers=[one.url], token=str(tmp_path / "token"))
        assert record.publish(settings) == 30
        asyncio.run(office(one.url))
        (tmp_path / "token").write_text("node:wrong", encoding="utf-8")
        with pytest.raises(Problem) as caught:
            record.publish(settings)
        assert caught.value.code == "jetstream-away"
        assert "Authorization" in caught.value.params["reason"]
        assert "wrong" not in str(caught.value)


async def drained(sub: Any) -> list[Any]:
    """What a subscription of an office's own account has got by now."""
    found = []
    while sub.pending_msgs:
        found.append(await sub.next_msg())
    return found


def test_a_secret_is_not_told_to_a_server_without_tls(tmp_path: Path) -> None:
    """Whoever sits at the address of a server that is to speak TLS, and says that it does not, learns nothing."""
    heard: list[bytes] = []

    async def imposter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b'INFO {"server_id":"x","version":"2.15.0","max_payload":1000,"headers":true,"auth_required":true,"nonce":"n"}\r\n'
        )
        heard.append(await reader.read(10_000))
        writer.write(b"-ERR 'Authorization Violation'\r\n")
        writer.close()

    async def ask(publisher: Publisher) -> None:
        async with await asyncio.start_server(imposter, "127.0.0.1", port):
            await publisher.run()

    record, port = Record(tmp_path), free_port()
    file = tmp_path / "token"
    for secret in ("hidden-token", "user:hidden-password"):
        file.write_text(secret, encoding="ascii")
        settings = Jetstream(servers=[f"tls://127.0.0.1:{port}"], token=str(file))
        with record.publisher(settings) as publisher, pytest.raises(Problem) as caught:
            asyncio.run(ask(publisher))
        assert (caught.value.code, "TLS" in caught.value.params["reason"]) == ("jetstream-away", True)
        plain = Jetstream(servers=[f"nats://127.0.0.1:{port}"], token=str(file))
        with record.publisher(plain) as publisher, pytest.raises(Problem):
            asyncio.run(ask(publisher))
    assert [b"hidden" in told for told in heard] == [False, True, False, True]


# -- JWTs and TLS ------------------------------------------------------------------------------------------


def nkey(prefix: int, raw: bytes) -> str:
    """The text of an nkey: base32 of its kind, its bytes, and a CRC-16."""
    data, crc = bytes([prefix]) + raw, 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return b32encode(data + crc.to_bytes(2, "little")).rstrip(b"=").decode()


OPERATOR, ACCOUNT, USER = 14 << 3, 0, 20 << 3


class Identity:
    """A key of NATS: of an operator, an account or a user."""

    def __init__(self, kind: int, name: str) -> None:
        self.raw = sha256(name.encode()).digest()
        self.key, self.kind, self.name = Ed25519PrivateKey.from_private_bytes(self.raw), kind, name
        self.public = nkey(kind, self.key.public_key().public_bytes_raw())

    @property
    def seed(self) -> str:
        first, second = 18 << 3 | self.kind >> 5, (self.kind & 31) << 3
        return nkey(first, bytes([second]) + self.raw)

    def jwt(self, of: Identity, claims: dict[str, Any]) -> str:
        def part(value: Any) -> str:
            return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        body = {"jti": of.name, "iat": 1, "iss": self.public, "name": of.name, "sub": of.public}
        signed = f"{part(head)}.{part({**body, 'nats': {'version': 2, **claims}})}"
        return f"{signed}.{urlsafe_b64encode(self.key.sign(signed.encode())).rstrip(b'=').decode()}"


def certificate(folder: Path) -> None:
    """An authority that vouches for 127.0.0.1: ca.pem, server.pem, server.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nats")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    for file in ("ca.pem", "server.pem"):
        (folder / file).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def test_a_node_is_known_by_its_credentials_over_tls(tmp_path: Path) -> None:
    certificate(tmp_path)
    record = Record(tmp_path)
    record.add(12)
    operator, system, account = (
        Identity(OPERATOR, "op"),
        Identity(ACCOUNT, "sys"),
        Identity(ACCOUNT, "gardesh"),
    )
    user, stranger = Identity(USER, "node"), Identity(USER, "stranger")
    stored = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    free = {
        "subs": -1,
        "data": -1,
        "payload": -1,
        "imports": -1,
        "exports": -1,
        "wildcards": True,
        "conn": -1,
        "leaf": -1,
    }
    of_system = operator.jwt(system, {"type": "account", "limits": free})
    of_account = operator.jwt(account, {"type": "account", "limits": {**free, **stored}})
    of_user = account.jwt(user, {"type": "user", "subs": -1, "data": -1, "payload": -1})
    configuration = (
        f"operator: {operator.jwt(operator, {'type': 'operator', 'system_account': system.public})}\n"
        f"system_account: {system.public}\nresolver: MEMORY\n"
        f"resolver_preload: {{ {system.public}: {of_system}, {account.public}: {of_account} }}\n"
        f'tls {{ cert_file: "{tmp_path}/server.pem", key_file: "{tmp_path}/server.key" }}\n'
    )
    credentials = tmp_path / "node.creds"

    def write(seed: str) -> None:
        credentials.write_text(
            f"-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n",
            encoding="ascii",
        )

    def refused(change: Callable[[], None], settings: Jetstream, code: str) -> str:
        change()
        with pytest.raises(Problem) as caught:
            record.publish(settings)
        assert caught.value.code == code
        return str(caught.value.params["reason"])

    with server(tmp_path, configuration, "tls") as one:
        settings = Jetstream(servers=[one.url], credentials=str(credentials), ca=str(tmp_path / "ca.pem"))
        write(user.seed)
        assert record.publish(settings) == 12
        untrusted = Jetstream(servers=[one.url], credentials=str(credentials))
        assert "certificate" in refused(lambda: None, untrusted, "jetstream-away").lower()
        assert "Authorization" in refused(lambda: write(stranger.seed), settings, "jetstream-away")
        refused(lambda: write("nothing"), settings, "jetstream-file-wrong")
        refused(credentials.unlink, settings, "jetstream-file-wrong")
        broken = Jetstream(servers=[one.url], ca=str(credentials))
        refused(lambda: credentials.write_text("no PEM"), broken, "jetstream-file-wrong")
