"""The container of a case file read with care: nothing is written, and nothing grows beyond what was given."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping

from gardesh.model.problem import Problem, define

UNREADABLE = define(
    "case-file-unreadable",
    422,
    en="{part} of the case file cannot be read: it was changed or cut off.",
    fa="{part} از پرونده خوانده نمی‌شود: تغییر یافته یا بریده شده است.",
)
ALTERED = define(
    "case-file-altered",
    422,
    en="{part} is not what was exported.",
    fa="{part} آن نیست که صادر شده است.",
)
INCOMPLETE = define(
    "case-file-incomplete",
    422,
    en="{part} is missing from the case file.",
    fa="{part} در پرونده نیست.",
)
CONTAINER = define(
    "case-file-container",
    422,
    en="The container of the case file was changed at byte {byte}, by {part}; its contents are as exported.",
    fa="قالب پرونده در بایت {byte}، در کنار {part}، تغییر یافته است؛ محتوای آن همان است که صادر شده.",
)
TOO_LARGE = define(
    "case-file-too-large",
    413,
    en="A case file has at most {bytes} bytes and {files} files.",
    fa="پرونده حداکثر {bytes} بایت و {files} فایل دارد.",
)
WHOLE = "container"
MAX_BYTES, MAX_FILES = 1 << 30, 200_000
_NAME = re.compile(r"(?:[a-z]{1,20}/)?[A-Za-z0-9][A-Za-z0-9.-]{0,150}")
_ZIP_FAULTS = (
    zipfile.BadZipFile, zlib.error, struct.error, ValueError, LookupError, RuntimeError, OSError, EOFError,
    OverflowError, NotImplementedError,
)  # fmt: skip


def flaw(code: str, part: str, **params: object) -> Problem:
    """A problem with a part of a case file, which it points to."""
    return Problem(code, "/" + part, part=part, **params)


_LOCAL, _CENTRAL, _END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s4B4H3L5H2L"), struct.Struct("<4s4H2LH")
_FIXED = (20, 0, 0, 0, 33)
"""Version, no flags, stored, midnight of 1980-01-01."""
_UNIX, _MODE, _CLASSIC = 3, 0o644 << 16, 60_000


def write(files: Mapping[str, bytes]) -> bytes:
    """The one ZIP that these files make: entries sorted, stored uncompressed, with fixed times and attributes."""
    if len(files) > _CLASSIC or sum(map(len, files.values())) > MAX_BYTES:
        return _write_large(files)
    parts: list[bytes] = []
    directory: list[bytes] = []
    at = 0
    for name in sorted(files):
        data, raw = files[name], name.encode()
        check, size = zlib.crc32(data), len(data)
        parts += [_LOCAL.pack(b"PK\3\4", *_FIXED, check, size, size, len(raw), 0), raw, data]
        directory.append(
            _CENTRAL.pack(
                b"PK\1\2", 20, _UNIX, 20, 0, *_FIXED[1:], check, size, size, len(raw), 0, 0, 0, 0, _MODE, at
            )
            + raw
        )
        at += _LOCAL.size + len(raw) + size
    listed = b"".join(directory)
    count = len(files)
    return b"".join([*parts, listed, _END.pack(b"PK\5\6", 0, 0, count, count, len(listed), at, 0)])


def _write_large(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = _UNIX, _MODE
            made.writestr(entry, files[name])
    return out.getvalue()


def taken_apart(data: bytes) -> dict[str, bytes] | None:
    """The files of a container that is exactly as `write` makes it; None for any other, which `read` looks at."""
    files: dict[str, bytes] = {}
    at, end = 0, len(data) - _END.size
    while data[at : at + 4] == b"PK\3\4" and at + _LOCAL.size <= end:
        *_, size, length, _ = _LOCAL.unpack_from(data, at)
        start = at + _LOCAL.size + length
        name = data[at + _LOCAL.size : start].decode("ascii", "replace")
        if _NAME.fullmatch(name) is None or start + size > end:
            return None
        files[name] = data[start : start + size]
        at = start + size
    return files if len(files) <= _CLASSIC and write(files) == data else None


def read(data: bytes) -> tuple[dict[str, bytes], list[Problem], bool]:
    """The files of a case file, what was wrong with single ones, and whether it is known to be exactly what `write` makes of
    them. Raises Problem where nothing can be read.

    Entries are stored, so all of them together are no longer than `data`; names lead nowhere.
    """
    if len(data) > MAX_BYTES:
        raise Problem(TOO_LARGE, "/" + WHOLE, bytes=MAX_BYTES, files=MAX_FILES)
    as_written = taken_apart(data)
    if as_written is not None:
        return as_written, [], True
    files: dict[str, bytes] = {}
    problems: list[Problem] = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source:
            entries = source.infolist()
            if len(entries) > MAX_FILES:
                raise Problem(TOO_LARGE, "/" + WHOLE, bytes=MAX_BYTES, files=MAX_FILES)
            if sum(e.file_size for e in entries) > len(data):  # entries that overlap
                raise flaw(UNREADABLE, WHOLE)
            for entry in entries:
                name = entry.filename
                if _NAME.fullmatch(name) is None or name in files:
                    problems.append(flaw(UNREADABLE, WHOLE))
                elif entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits:
                    problems.append(flaw(UNREADABLE, name))
                else:
                    try:
                        files[name] = source.read(entry)
                    except _ZIP_FAULTS:
                        problems.append(flaw(UNREADABLE, name))
    except _ZIP_FAULTS:
        raise flaw(UNREADABLE, WHOLE) from None
    return files, problems, False


def first_change(canonical: bytes, data: bytes) -> Problem:
    """Where `data` first differs from the container that its own contents make, and in which entry."""
    end = min(len(canonical), len(data))
    low, high = 0, end  # the prefixes of length `low` are equal; those longer than `high` are not
    while low < high:
        middle = (low + high + 1) // 2
        if canonical[:middle] == data[:middle]:
            low = middle
        else:
            high = middle - 1
    with zipfile.ZipFile(io.BytesIO(canonical)) as made:
        entries, directory = made.infolist(), made.start_dir
    part = "the directory"
    if low < directory:
        part = next(e.filename for e in reversed(entries) if e.header_offset <= low)
    return Problem(CONTAINER, "/" + WHOLE, byte=low, part=part)
