"""A place for backups under a prefix of a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gardesh.model.problem import Problem
from gardesh.record.backup_place import FILE_MISSING
from gardesh.record.object_store import Bucket


class BucketPlace:
    """As `Place` has it. A name that a stream of more than 8 MiB is put under says what its bytes are, as names of
    attachments do: two that put it at once may both be told that they did."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket, self.shown = bucket, bucket.shown

    def put(self, name: str, pieces: Iterable[bytes]) -> int | None:
        return self.bucket.put(name, pieces)

    def replace(self, name: str, pieces: Iterable[bytes]) -> int:
        """As `put`, in the place of what is there under that name."""
        data = b"".join(pieces)
        self.bucket.replace(name, data)
        return len(data)

    def get(self, name: str) -> Iterator[bytes]:
        try:
            yield from self.bucket.pieces(name)
        except FileNotFoundError:
            raise Problem(FILE_MISSING, file=name) from None

    def list(self, prefix: str) -> Iterator[str]:
        return self.bucket.list(prefix)
