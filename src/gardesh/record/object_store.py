"""Objects under a prefix of a bucket, in any store that speaks S3: whole or not there, and durable once the store has said so.

Where the store is and who asks is said by the environment, as other tools of S3 have it: AWS_ENDPOINT_URL, AWS_REGION,
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the file AWS_SHARED_CREDENTIALS_FILE with the section AWS_PROFILE.
"""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import ObjectStore, S3Store

from gardesh.model.os_reason import of_os
from gardesh.model.problem import Problem, Wording, define

STORE_UNUSABLE = define(
    "object-store-unusable",
    503,
    en="The object store {place} cannot be used: {reason}.",
    fa="از انباره‌ی اشیای {place} نمی‌توان استفاده کرد: {reason}.",
    hint_en="The store and the credentials are named by AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    hint_fa="انباره و دسترسی با ‎AWS_ENDPOINT_URL‎ و ‎AWS_ACCESS_KEY_ID‎ و ‎AWS_SECRET_ACCESS_KEY‎ تعیین می‌شوند.",
)
SCHEME = "s3://"
PIECE, PART = 1 << 20, 8 << 20
"""How much is read at a time; and how much of a stream is held and sent at a time."""
CLIENT = {"connect_timeout": "3s", "read_timeout": "20s", "timeout": "1h", "user_agent": "gardesh"}
AGAIN = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}
BRIEFLY = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}
"""For who is waited for: a store that does not answer is given up sooner."""
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_STATUS = re.compile(r"status code: (\d{3}[^:\n]*)")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,80})</Code>")


class Bucket:
    """Objects by names with slashes. What it raises besides `unusable` is said where it is."""

    def __init__(self, store: ObjectStore, shown: str, unusable: str = STORE_UNUSABLE) -> None:
        """`shown`: the place as it may be told; `unusable`: the problem with {place} and {reason} that it raises."""
        self.store, self.shown, self.unusable = store, shown, unusable

    def put(self, name: str, pieces: Iterable[bytes]) -> int | None:
        """Keep these bytes under a name: whole or not at all. How many they are; None, and nothing is done or asked of
        `pieces`, when the name is there.

        Of two that put one name at once, one is told None. Not so for a stream of more than 8 MiB, as no store of S3 sees to
        that for an object in parts: such a name has to say what its bytes are. Raises what `pieces` raises.
        """
        if self.size_of(name) is not None:
            return None
        if isinstance(pieces, (list, tuple)):
            return self._once(name, b"".join(pieces))
        left = iter(pieces)
        head = bytearray()
        for piece in left:
            head += piece
            if len(head) >= PART:
                return self._in_parts(name, chain([bytes(head)], left))
        return self._once(name, bytes(head))

    def _once(self, name: str, data: bytes) -> int | None:
        # What is there may be ours: an answer was lost, and the request was sent again.
        return len(data) if self.create(name, data) or self.held(name, len(data)) == data else None

    def create(self, name: str, data: bytes, attributes: Mapping[str, str] | None = None) -> bool:
        """Keep these bytes under a name if nothing is there; whether it was so."""
        return self._put(name, data, "create", attributes)

    def _put(self, name: str, data: bytes, mode: Any, attributes: Mapping[str, str] | None) -> bool:
        with self._usable():
            try:
                obstore.put(
                    self.store, name, data, mode=mode, use_multipart=False, attributes=dict(attributes or {})
                )
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    def _in_parts(self, name: str, pieces: Iterator[bytes]) -> int:
        count = 0

        def counted() -> Iterator[bytes]:
            nonlocal count
            for piece in pieces:
                count += len(piece)
                yield piece

        with self._usable():
            obstore.put(self.store, name, counted(), chunk_size=PART, max_concurrency=2)
        return count

    def replace(self, name: str, data: bytes, attributes: Mapping[str, str] | None = None) -> None:
        """Keep these bytes under a name, whatever was there before: a reader sees the old ones or the new ones."""
        self._put(name, data, "overwrite", attributes)

    def swap(self, name: str, data: bytes, tag: str | None, attributes: Mapping[str, str]) -> bool:
        """As `replace`, if what is there has still this tag (`tagged`), or for None if nothing is; whether it had."""
        done = self._put(name, data, "create" if tag is None else {"e_tag": tag}, attributes)
        return done or self.held(name, len(data)) == data

    def tagged(self, name: str) -> tuple[bytes, str | None] | None:
        """A small object and the tag that its store gave it; None where there is none."""
        with self._usable():
            try:
                found = obstore.get(self.store, name)
                return bytes(found.bytes()), found.meta["e_tag"]
            except FileNotFoundError:
                return None

    def held(self, name: str, most: int) -> bytes | None:
        """An object that is small; of a larger one, somewhat more than `most` bytes. None where there is none."""
        data = bytearray()
        try:
            for piece in self.pieces(name):
                data += piece
                if len(data) > most:
                    break
        except FileNotFoundError:
            return None
        return bytes(data)

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes under a name, a piece at a time. Raises FileNotFoundError."""
        with self._usable():
            for piece in obstore.get(self.store, name).stream(min_chunk_size=PIECE):
                yield bytes(piece)

    def part(self, name: str, first: int, count: int) -> Iterator[bytes]:
        """`count` bytes from `first` on, a piece at a time. Raises FileNotFoundError."""
        with self._usable():
            asked = obstore.get(self.store, name, options={"range": (first, first + count)})
            for piece in asked.stream(min_chunk_size=PIECE):
                yield bytes(piece)

    def size_of(self, name: str) -> int | None:
        """Its size in bytes; None where there is none."""
        with self._usable():
            try:
                return int(obstore.head(self.store, name)["size"])
            except FileNotFoundError:
                return None

    def list(self, prefix: str) -> Iterator[str]:
        """The names that begin so, up to the next slash, in no order."""
        above, slash, beginning = prefix.rpartition("/")
        with self._usable():
            found = obstore.list_with_delimiter(self.store, above + slash)
        for name in (*(o["path"] for o in found["objects"]), *found["common_prefixes"]):
            last = name.removeprefix(above + slash)
            if name != above and last.startswith(beginning):  # some stores list an empty folder in itself
                yield name

    def delete(self, name: str) -> None:
        """Nothing is under the name any more; harmless where nothing is."""
        with self._usable():
            try:
                obstore.delete(self.store, name)
            except FileNotFoundError:
                return

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except BaseError as error:
            raise Problem(self.unusable, place=self.shown, reason=reason(error)) from None


def reason(error: BaseError) -> str:
    """What went wrong, in the words of the store or of the line to it, without what was sent."""
    said = str(error).partition("\n\nDebug source")[0]
    status, code = _STATUS.search(said), _CODE.search(said)
    if status is not None:
        return f"{code[1]} ({status[1].strip()})" if code else status[1].strip()
    line = said.partition("\n")[0]
    _, found, rest = line.rpartition(" - ")
    return (rest if found else line).rstrip(" .:")[:200]


def opened(url: str, unusable: str = STORE_UNUSABLE, *, lasting: bool = True) -> Bucket:
    """The place `s3://bucket/prefix`, with the store and credentials of the environment. Nothing is asked of it yet.

    `lasting`: whether a store that fails is tried for a minute, or for seconds. Raises `unusable` for what is no such URL, or
    credentials that cannot be read.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Problem(unusable, place=SCHEME, reason=str(error)) from None
    bucket = parts.netloc
    shown = f"{SCHEME}{bucket.rpartition('@')[2]}{parts.path}"
    if not bucket or "@" in bucket or ":" in bucket or parts.query or parts.fragment:
        raise Problem(
            unusable,
            place=shown,
            reason=Wording("it is written s3://bucket/prefix", "به شکل s3://bucket/prefix نوشته می‌شود"),
        )
    settings = credentials(shown, unusable)
    settings.setdefault(
        "region", os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    )
    plain = any(os.environ.get(name, "").startswith("http://") for name in ENDPOINTS)
    try:
        store = S3Store(
            bucket,
            prefix=parts.path.strip("/") or None,
            config=settings,  # type: ignore[arg-type]
            client_options={**CLIENT, "allow_http": plain},  # type: ignore[arg-type]
            retry_config=AGAIN if lasting else BRIEFLY,  # type: ignore[arg-type]
        )
    except (BaseError, ValueError) as error:
        said = reason(error) if isinstance(error, BaseError) else "the environment does not say how"
        raise Problem(unusable, place=shown, reason=said) from None
    return Bucket(store, shown, unusable)


def credentials(shown: str, unusable: str) -> dict[str, str]:
    """Those of the file that the environment names, unless it holds them itself."""
    file = os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
    if not file or "AWS_ACCESS_KEY_ID" in os.environ:
        return {}
    section = os.environ.get("AWS_PROFILE", "default")
    read = configparser.RawConfigParser()
    try:
        read.read_string(Path(file).read_text(encoding="utf-8"))
        found = read[section]
        return {name.removeprefix("aws_"): found[name] for name in KEYS if name in found}
    except OSError as error:
        why = of_os(error)
        raise Problem(unusable, place=shown, reason=Wording(f"{file}: {why}", f"{file}: {why.fa}")) from None
    except (UnicodeDecodeError, configparser.Error, KeyError):
        told = Wording(
            f"{file} has no section [{section}] of credentials",
            f"{file} بخش [{section}] با کلیدهای دسترسی ندارد",
        )
        raise Problem(unusable, place=shown, reason=told) from None
