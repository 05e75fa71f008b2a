"""The keys of this machine: organisations' signing keys and the keys of a log, each in a file under a passphrase.

A file holds its keys in PEM: the public key in the clear, so that keys can be listed without a passphrase, and
after it the private key, encrypted (`pkcs8.encrypt`). An organisation's file holds one pair, P-256 or Ed25519; a
log's holds two, Ed25519 and ML-DSA-44; that of a record key one of X25519, from whose secret the key is derived.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
    load_pem_public_key,
)

from gardesh.model.canonical import base64url_encode
from gardesh.model.jose import EDDSA, ES256, PrivateKey, PublicKey, thumbprint
from gardesh.model.problem import Problem, define
from gardesh.model.signer import Signer
from gardesh.record.passphrase import Passphrases
from gardesh.record.pkcs8 import DEFAULT_COST, Cost, encrypt, secret_of
from gardesh.record.sealing import RecordKey

KEY_NAME = define(
    "key-name-malformed",
    400,
    en="A key is named with the letters a-z, digits, and single dots, hyphens and underscores: {name}",
    fa="نام کلید از حروف a تا z، رقم، و نقطه و خط تیره و زیرخط تکی ساخته می‌شود: {name}",
)
KEY_EXISTS = define(
    "key-exists",
    409,
    en="There is a key named {name} already. A key is never written over.",
    fa="کلیدی به نام {name} از پیش هست. روی هیچ کلیدی نوشته نمی‌شود.",
)
NO_SUCH_KEY = define(
    "no-such-key",
    404,
    en="There is no key named {name} here.",
    fa="کلیدی به نام {name} در اینجا نیست.",
)
KEY_FILE_BROKEN = define(
    "key-file-broken",
    500,
    en="The file of the key {name} does not hold what it should.",
    fa="پروندهٔ کلید {name} محتوای درستی ندارد.",
    hint_en="Restore it from a backup.",
    hint_fa="آن را از نسخهٔ پشتیبان بازگردانید.",
)
KEY_FILE_OPEN = define(
    "key-file-open",
    500,
    en="The file of the key {name} can be read by others on this machine.",
    fa="کاربران دیگر این دستگاه می‌توانند پروندهٔ کلید {name} را بخوانند.",
    hint_en="chmod 600 {file}",
    hint_fa="chmod 600 {file}",
)
KEY_OF_LOG = define(
    "key-of-a-log",
    409,
    en="The key {name} is the key of a log; documents are not signed with it.",
    fa="کلید {name} کلید دفتر ثبت است؛ با آن سند امضا نمی‌شود.",
)
KEY_NOT_OF_LOG = define(
    "key-not-of-a-log",
    409,
    en="The key {name} is the key of an organisation; a log is not signed with it.",
    fa="کلید {name} کلید یک سازمان است؛ با آن دفتر ثبت امضا نمی‌شود.",
)
KEY_OF_RECORD = define(
    "key-of-a-record",
    409,
    en="The key {name} is a record key: nothing is signed with it.",
    fa="کلید {name} کلید دفتر است؛ با آن چیزی امضا نمی‌شود.",
)
KEY_NOT_OF_RECORD = define(
    "key-not-of-a-record",
    409,
    en="The key {name} is not a record key; nothing is sealed under it.",
    fa="کلید {name} کلید دفتر نیست؛ با آن چیزی مهر نمی‌شود.",
)
PASSPHRASE_WRONG = define(
    "key-passphrase-wrong",
    401,
    en="The passphrase of the key {name} is wrong, or its file is damaged.",
    fa="گذرواژهٔ کلید {name} درست نیست یا پروندهٔ آن آسیب دیده است.",
)
PASSPHRASE_SHORT = define(
    "key-passphrase-short",
    400,
    en="A passphrase has at least {least} characters.",
    fa="گذرواژه دست‌کم {least} نویسه دارد.",
)
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_BLOCK = re.compile(
    rb"-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]+-----END PUBLIC KEY-----\n"
    rb"|-----BEGIN ENCRYPTED PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END ENCRYPTED PRIVATE KEY-----\n"
)
_NEXT = re.compile(r"node-record-([1-9][0-9]{0,8})")
_SUFFIX = ".pem"
LEAST_PASSPHRASE = 8
AnyPrivate = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | MLDSA44PrivateKey | X25519PrivateKey
AnyPublic = ec.EllipticCurvePublicKey | Ed25519PublicKey | MLDSA44PublicKey | X25519PublicKey
RECORD_KEY = "node-record"
"""The name of the record key of a node; of its next ones, followed by a hyphen and a number."""


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The two keys that a log signs its checkpoints with, or a witness cosigns those of others with."""

    ed25519: Ed25519PrivateKey
    mldsa44: MLDSA44PrivateKey

    def signers(self, origin: str) -> list[Signer]:
        """Those that sign for the log `origin`."""
        return [Signer.of_notes(origin, self.ed25519), Signer.of_checkpoints(origin, self.mldsa44)]

    def cosigners(self, name: str) -> list[Signer]:
        """Those that cosign as the witness `name`, ML-DSA-44 first, as C2SP tlog-cosignature recommends it."""
        return [Signer.of_checkpoints(name, self.mldsa44), Signer.of_checkpoints(name, self.ed25519)]


@dataclass(frozen=True, slots=True)
class Listed:
    """A key as anyone may see it. `jwks` are public: one of an organisation, two of a log."""

    name: str
    jwks: tuple[dict[str, str], ...]

    @property
    def for_log(self) -> bool:
        return len(self.jwks) == 2


class KeyStore:
    """Keys in the files of one folder, which is made when the first key is.

    A key is durable when the call that creates it returns. Several processes may use a folder at once: of two that
    create a key of one name, one is refused. Files are for their owner only (mode 0600).
    """

    def __init__(self, folder: Path, passphrases: Passphrases, cost: Cost = DEFAULT_COST) -> None:
        self.folder = folder
        self.passphrases = passphrases
        self.cost = cost

    def create(self, name: str, alg: str = ES256) -> PrivateKey:
        """A fresh key for ES256 (P-256) or EdDSA (Ed25519). Raises `key-exists`, `key-name-malformed`,
        `key-passphrase-short`."""
        if alg not in (ES256, EDDSA):
            raise Problem("algorithm-unknown", alg=alg)
        key = PrivateKey(
            Ed25519PrivateKey.generate() if alg == EDDSA else ec.generate_private_key(ec.SECP256R1())
        )
        self.add(name, key)
        return key

    def add(self, name: str, key: PrivateKey) -> None:
        """Store a key that was made elsewhere. Raises as `create`."""
        loaded = load_der_private_key(key.to_pkcs8(), None)
        assert isinstance(loaded, AnyPrivate)
        self._store(name, [loaded])

    def create_log(self, name: str) -> LogKeys:
        """Fresh keys for a log. Raises as `create`."""
        keys = LogKeys(Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate())
        self._store(name, [keys.ed25519, keys.mldsa44])
        return keys

    def load(self, name: str) -> PrivateKey:
        """An organisation's key. Raises `no-such-key`, `key-passphrase-wrong`, `key-file-open`, `key-file-broken`,
        `key-of-a-log`."""
        match self._load(name):
            case [ec.EllipticCurvePrivateKey() | Ed25519PrivateKey() as key]:
                return PrivateKey(key)
            case [X25519PrivateKey()]:
                raise Problem(KEY_OF_RECORD, name=name)
        raise Problem(KEY_OF_LOG, name=name)

    def load_log(self, name: str) -> LogKeys:
        """A log's keys. Raises as `load`, and `key-not-of-a-log`."""
        match self._load(name):
            case [Ed25519PrivateKey() as ed25519, MLDSA44PrivateKey() as mldsa44]:
                return LogKeys(ed25519, mldsa44)
        raise Problem(KEY_NOT_OF_LOG, name=name)

    def create_record(self) -> RecordKey:
        """A fresh record key, the newest from here on. Raises as `create`."""
        names = self.record_names()
        last = int(names[-1].removeprefix(RECORD_KEY)[1:] or 1) if names else 0
        secret = X25519PrivateKey.generate()
        self._store(f"{RECORD_KEY}-{last + 1}" if last else RECORD_KEY, [secret])
        return _record_key(secret)

    def record_names(self) -> list[str]:
        """The names of the record keys, the newest last; no passphrase is asked for."""
        found = (p.stem for p in self.folder.glob(f"{RECORD_KEY}*{_SUFFIX}"))
        numbers = {1: RECORD_KEY} | {int(m[1]): m[0] for n in found if (m := _NEXT.fullmatch(n))}
        return [name for _, name in sorted(numbers.items()) if self._path(name).exists()]

    def load_records(self) -> list[RecordKey]:
        """All record keys, the newest last. Raises as `load`, and `key-not-of-a-record`."""
        found: list[RecordKey] = []
        for name in self.record_names():
            match self._load(name):
                case [X25519PrivateKey() as secret]:
                    found.append(_record_key(secret))
                case _:
                    raise Problem(KEY_NOT_OF_RECORD, name=name)
        return found

    def listed(self) -> list[Listed]:
        """All keys by name; no passphrase is asked for. Raises `key-file-broken`."""
        if not self.folder.is_dir():
            return []
        names = sorted(p.stem for p in self.folder.glob("*" + _SUFFIX) if _NAME.fullmatch(p.stem))
        return [Listed(name, tuple(_jwk(public) for public, _ in self._pairs(name))) for name in names]

    def export(self, name: str) -> dict[str, str]:
        """The public JWK of an organisation's key (RFC 7517). Raises `no-such-key`, `key-file-broken`,
        `key-of-a-log`."""
        pairs = self._pairs(name)
        if len(pairs) != 1:
            raise Problem(KEY_OF_LOG, name=name)
        return _jwk(pairs[0][0])

    def change_passphrase(self, name: str, passphrase: str) -> None:
        """Store a key anew under another passphrase. The old file is gone when this returns. Raises as `load`."""
        data = self._encrypted(self._load(name), passphrase)
        with self._open_folder() as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            self._write(self._path(name), data, folder)

    # -- files --------------------------------------------------------------------------------------------

    def _path(self, name: str) -> Path:
        if len(name) > 100 or _NAME.fullmatch(name) is None:
            raise Problem(KEY_NAME, name=name[:100])
        return self.folder / (name + _SUFFIX)

    def _store(self, name: str, keys: list[AnyPrivate]) -> None:
        path = self._path(name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._open_folder() as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if path.exists():
                raise Problem(KEY_EXISTS, name=name)
            self._write(path, self._encrypted(keys, self.passphrases.new(name)), folder)

    def _encrypted(self, keys: list[AnyPrivate], passphrase: str) -> bytes:
        if len(passphrase) < LEAST_PASSPHRASE:
            raise Problem(PASSPHRASE_SHORT, least=LEAST_PASSPHRASE)
        blocks = []
        for key in keys:
            blocks.append(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
            secret = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            blocks.append(encrypt(secret, passphrase, self.cost))
        return b"".join(blocks)

    @contextmanager
    def _open_folder(self) -> Iterator[int]:
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield folder
        finally:
            os.close(folder)

    def _write(self, path: Path, data: bytes, folder: int) -> None:
        """Whole or not at all, also when the power fails: written aside, synced, then given its name."""
        aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.rename(path)
        finally:
            aside.unlink(missing_ok=True)
        os.fsync(folder)

    def _pairs(self, name: str) -> list[tuple[AnyPublic, bytes]]:
        """The public keys in a file, each with the PEM block of its private key."""
        path = self._path(name)
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise Problem(KEY_FILE_OPEN, name=name, file=str(path))
                data = file.read()
        except FileNotFoundError:
            raise Problem(NO_SUCH_KEY, name=name) from None
        blocks = _BLOCK.findall(data)
        if b"".join(blocks) != data or len(blocks) not in (2, 4):
            raise Problem(KEY_FILE_BROKEN, name=name)
        pairs: list[tuple[AnyPublic, bytes]] = []
        for at in range(0, len(blocks), 2):
            try:
                public = load_pem_public_key(blocks[at])
            except (ValueError, UnsupportedAlgorithm):
                raise Problem(KEY_FILE_BROKEN, name=name) from None
            if not isinstance(public, AnyPublic) or b"ENCRYPTED" not in blocks[at + 1]:
                raise Problem(KEY_FILE_BROKEN, name=name)
            pairs.append((public, blocks[at + 1]))
        return pairs

    def _load(self, name: str) -> list[AnyPrivate]:
        pairs = self._pairs(name)
        passphrase = secret_of(self.passphrases.of(name))
        if not passphrase:
            raise Problem(PASSPHRASE_WRONG, name=name)
        keys: list[AnyPrivate] = []
        for public, block in pairs:
            try:
                key = load_pem_private_key(block, passphrase)
            except (ValueError, UnsupportedAlgorithm, InternalError):
                raise Problem(PASSPHRASE_WRONG, name=name) from None
            if not isinstance(key, AnyPrivate) or key.public_key() != public:
                raise Problem(KEY_FILE_BROKEN, name=name)
            keys.append(key)
        return keys


def _jwk(public: AnyPublic) -> dict[str, str]:
    """The public JWK; ML-DSA-44 is of the key type AKP (Algorithm Key Pair)."""
    if isinstance(public, X25519PublicKey):
        point = base64url_encode(public.public_bytes_raw())
        return {"crv": "X25519", "kty": "OKP", "x": point, "use": "enc"}
    if isinstance(public, MLDSA44PublicKey):
        members = {"alg": "ML-DSA-44", "kty": "AKP", "pub": base64url_encode(public.public_bytes_raw())}
        return {**members, "kid": thumbprint(members), "use": "sig"}
    return PublicKey(public).to_jwk()


def _record_key(secret: X25519PrivateKey) -> RecordKey:
    """PKCS#8 has no form for a symmetric key, so that the file holds an X25519 key; what wraps is derived from it."""
    made = HKDF(SHA256(), 40, None, b"gardesh record key").derive(secret.private_bytes_raw())
    return RecordKey(made[32:], made[:32])
