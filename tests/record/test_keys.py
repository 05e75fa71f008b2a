from __future__ import annotations

import os
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keyring
import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key
from keyring.backend import KeyringBackend
from keyring.errors import PasswordSetError

from gardesh.model.jose import EDDSA, ES256, PrivateKey, PublicKey
from gardesh.model.problem import Problem
from gardesh.record.keys import KeyStore
from gardesh.record.passphrase import KeyringPassphrases, OnePassphrase
from gardesh.record.pkcs8 import Cost

QUICK = Cost(n=16, p=1)
PHRASE = "گذرواژه‌ی آزمون"


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys", OnePassphrase(PHRASE), QUICK)


def with_phrase(store: KeyStore, phrase: str) -> KeyStore:
    return KeyStore(store.folder, OnePassphrase(phrase), QUICK)


def file_of(store: KeyStore, name: str) -> Path:
    return store.folder / f"{name}.pem"


@pytest.mark.parametrize("alg", [ES256, EDDSA])
def test_a_key_that_was_created_is_loaded(store: KeyStore, alg: str) -> None:
    made = store.create("standards", alg)
    loaded = with_phrase(store, PHRASE).load("standards")
    assert (loaded.kid, loaded.alg) == (made.kid, alg)
    made.public.verify(b"data", loaded.sign(b"data"))


def test_a_key_that_was_made_elsewhere_is_stored(store: KeyStore) -> None:
    key = PrivateKey.from_secret(ES256, b"\5" * 32)
    store.add("customs", key)
    assert store.load("customs").sign(b"data") == key.sign(b"data")


def test_a_logs_two_keys_are_loaded(store: KeyStore) -> None:
    made, loaded = store.create_log("log"), store.load_log("log")
    assert loaded.mldsa44.private_bytes_raw() == made.mldsa44.private_bytes_raw()
    assert loaded.ed25519.private_bytes_raw() == made.ed25519.private_bytes_raw()
    assert [s.verifier.vkey() for s in loaded.signers("log.example")] == [
        s.verifier.vkey() for s in made.signers("log.example")
    ]


def test_keys_are_listed_and_exported_without_a_passphrase(store: KeyStore) -> None:
    trader, log = store.create("trader", EDDSA), store.create_log("log")
    blind = with_phrase(store, "another one")
    assert [(k.name, k.for_log) for k in blind.listed()] == [("log", True), ("trader", False)]
    jwk = blind.export("trader")
    assert PublicKey.from_jwk(jwk) == trader.public
    assert not {"d", "priv"} & jwk.keys()
    ed25519, mldsa44 = blind.listed()[0].jwks
    assert ed25519["crv"] == "Ed25519"
    assert (mldsa44["kty"], mldsa44["alg"], len(mldsa44["pub"])) == ("AKP", "ML-DSA-44", 1750)
    assert log.mldsa44.public_key().public_bytes_raw()
    assert KeyStore(store.folder / "none", OnePassphrase(PHRASE)).listed() == []


@pytest.mark.parametrize("phrase", ["", "wrong", "another passphrase", PHRASE + " ", PHRASE[:-1]])
def test_a_wrong_passphrase_is_refused(store: KeyStore, phrase: str) -> None:
    store.create("standards")
    store.create_log("log")
    for load in (with_phrase(store, phrase).load, with_phrase(store, phrase).load_log):
        with pytest.raises(Problem) as refused:
            load("standards" if load.__name__ == "load" else "log")
        assert refused.value.code == "key-passphrase-wrong"


def test_a_passphrase_is_the_same_however_its_letters_are_composed(store: KeyStore) -> None:
    with_phrase(store, "caf\u00e9 caf\u00e9").create("standards")
    assert with_phrase(store, "cafe\u0301 cafe\u0301").load("standards").alg == ES256


def test_a_short_passphrase_stores_nothing(store: KeyStore) -> None:
    with pytest.raises(Problem) as refused:
        with_phrase(store, "1234567").create("standards")
    assert refused.value.code == "key-passphrase-short"
    assert list(store.folder.iterdir()) == []


def test_a_passphrase_is_changed(store: KeyStore) -> None:
    made = store.create("standards")
    store.change_passphrase("standards", "another passphrase")
    assert with_phrase(store, "another passphrase").load("standards").kid == made.kid
    with pytest.raises(Problem, match="key-passphrase-wrong"):
        store.load("standards")
    assert [p.name for p in store.folder.iterdir()] == ["standards.pem"]


def test_no_key_is_written_over(store: KeyStore) -> None:
    made = store.create("standards")
    with pytest.raises(Problem, match="key-exists"):
        store.create("standards")
    with pytest.raises(Problem, match="key-exists"):
        store.create_log("standards")
    assert store.load("standards").kid == made.kid


def test_of_two_that_create_a_key_of_one_name_one_is_refused(store: KeyStore) -> None:
    def create(_: int) -> str:
        try:
            return store.create("standards").kid
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(8)))
    assert answers.count("key-exists") == 7
    assert store.load("standards").kid in answers


def test_files_are_for_their_owner_only(store: KeyStore) -> None:
    old = os.umask(0)
    try:
        store.create("standards")
    finally:
        os.umask(old)
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert file_of(store, "standards").stat().st_mode & 0o777 == 0o600
    file_of(store, "standards").chmod(0o640)
    with pytest.raises(Problem) as refused:
        store.load("standards")
    assert refused.value.code == "key-file-open"
    assert refused.value.hint("en") == f"chmod 600 {file_of(store, 'standards')}"


def test_no_secret_is_in_the_file(store: KeyStore) -> None:
    key = PrivateKey.from_secret(EDDSA, b"0123456789abcdef" * 2)
    store.add("standards", key)
    data = file_of(store, "standards").read_bytes()
    assert b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in data
    assert b"-----BEGIN PRIVATE KEY-----" not in data
    assert load_der_private_key(key.to_pkcs8(), None) is not None
    with pytest.raises(TypeError):
        load_der_private_key(_der(data), None)


def test_the_same_key_is_never_encrypted_alike(store: KeyStore) -> None:
    key = PrivateKey.from_secret(ES256, b"\5" * 32)
    store.add("a", key)
    store.add("b", key)
    assert _der(file_of(store, "a").read_bytes()) != _der(file_of(store, "b").read_bytes())


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/b", "A", "a b", ".a", "a.", "a--b", "کلید", "a\n", "x" * 101]
)
def test_a_name_cannot_lead_out_of_the_folder(store: KeyStore, name: str) -> None:
    for use in (store.create, store.load, store.export):
        with pytest.raises(Problem) as refused:
            use(name)
        assert refused.value.code == "key-name-malformed"


def test_a_key_that_is_not_there_is_named(store: KeyStore) -> None:
    for use in (store.load, store.load_log, store.export):
        with pytest.raises(Problem, match="no-such-key"):
            use("nobody")


def test_a_key_is_not_used_for_what_it_is_not(store: KeyStore) -> None:
    store.create("standards")
    store.create_log("log")
    for use, name, code in (
        (store.load, "log", "key-of-a-log"),
        (store.export, "log", "key-of-a-log"),
        (store.load_log, "standards", "key-not-of-a-log"),
    ):
        with pytest.raises(Problem) as refused:
            use(name)
        assert refused.value.code == code
    with pytest.raises(Problem, match="algorithm-unknown"):
        store.create("other", "RS256")


def test_a_damaged_file_is_refused_wherever_it_is_damaged(store: KeyStore) -> None:
    store.create("standards")
    path = file_of(store, "standards")
    whole = path.read_bytes()
    for at in range(0, len(whole), 3):
        for data in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            path.write_bytes(data)
            with pytest.raises(Problem) as refused:
                store.load("standards")
            assert refused.value.code in ("key-file-broken", "key-passphrase-wrong")


def test_the_public_key_of_another_is_noticed(store: KeyStore) -> None:
    store.create("a")
    store.create("b")
    mine, other = file_of(store, "a").read_bytes(), file_of(store, "b").read_bytes()
    cut = b"-----BEGIN ENCRYPTED"
    file_of(store, "a").write_bytes(other[: other.index(cut)] + mine[mine.index(cut) :])
    with pytest.raises(Problem, match="key-file-broken"):
        store.load("a")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
def test_openssl_reads_what_is_stored(tmp_path: Path) -> None:
    store = KeyStore(tmp_path, OnePassphrase("correct horse"))
    made = store.create("standards")
    command = [
        "openssl",
        "pkey",
        "-in",
        str(file_of(store, "standards")),
        "-passin",
        "pass:correct horse",
        "-outform",
        "DER",
    ]
    der = subprocess.run(command, capture_output=True, check=True).stdout
    expected = load_der_private_key(made.to_pkcs8(), None)
    assert load_der_private_key(der, None).public_key() == expected.public_key()
    assert store.load("standards").kid == made.kid


class Memory(KeyringBackend):
    priority = 1

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if service == "locked":
            raise PasswordSetError("the keyring is locked")
        self.held[service, username] = password


@pytest.fixture
def memory() -> Iterator[Memory]:
    before = keyring.get_keyring()
    keyring.set_keyring(held := Memory())
    yield held
    keyring.set_keyring(before)


def test_the_keyring_holds_the_passphrases(tmp_path: Path, memory: Memory) -> None:
    store = KeyStore(tmp_path, KeyringPassphrases(), QUICK)
    made = store.create("standards")
    assert len(memory.held["gardesh", "standards"]) >= 32
    assert store.load("standards").kid == made.kid
    file_of(store, "standards").unlink()
    before = dict(memory.held)
    store.create("standards")
    assert memory.held == before
    memory.held.clear()
    with pytest.raises(Problem, match="key-passphrase-wrong"):
        store.load("standards")


def test_a_keyring_that_refuses_stores_nothing(tmp_path: Path, memory: Memory) -> None:
    store = KeyStore(tmp_path, KeyringPassphrases("locked"), QUICK)
    with pytest.raises(Problem) as refused:
        store.create("standards")
    assert refused.value.code == "keyring-unavailable"
    assert store.listed() == []


def _der(data: bytes) -> bytes:
    found = re.search(rb"ENCRYPTED PRIVATE KEY-----\n(.+?)-----END", data, re.DOTALL)
    assert found is not None
    return b64decode(found[1])
