"""Packs on disk: a folder read into files, YAML into plain values, and packs stored with the record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from gardesh.model import pack
from gardesh.model.library import Library
from gardesh.model.pack import MALFORMED, Pack
from gardesh.model.problem import Problem, define
from gardesh.record import schema
from gardesh.record.store import Store
from gardesh.record.yaml_values import parse_yaml

NO_SUCH_FOLDER = define(
    "no-such-folder",
    404,
    en="There is no pack in the folder {folder}.",
    fa="در پوشه‌ی {folder} بسته‌ای نیست.",
)
MAX_FILE = 16 << 20
MAX_FILES = 5_000
MAX_PACK = 64 << 20


def read_files(folder: Path, *, rules_only: bool = True) -> dict[str, bytes]:
    """The files of a pack, by their path inside it. Links that lead out of the folder are refused."""
    root = folder.resolve()
    if not (root / "pack.yaml").is_file():
        raise Problem(NO_SUCH_FOLDER, folder=str(folder))
    out: dict[str, bytes] = {}
    left = MAX_PACK
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not path.is_file() or (rules_only and not pack.belongs(name)) or "/." in "/" + name:
            continue
        size = path.stat().st_size
        if not path.resolve().is_relative_to(root) or size > min(MAX_FILE, left) or len(out) >= MAX_FILES:
            raise Problem(
                MALFORMED, f"/{name}", file=name, reason="it is too large, too many, or outside the pack"
            )
        out[name] = path.read_bytes()
        left -= size
    return out


def read_pack(folder: Path) -> Pack:
    """The pack in a folder. Raises `pack-malformed`, `list-malformed`."""
    return pack.read(read_files(folder), parse_yaml)


def gather(folder: Path) -> list[Pack]:
    """A pack and those that it requires, found beside it or among the packs that ship with Gardesh."""
    first = read_pack(folder)
    found = {first.name: first}
    queue = [first]
    while queue:
        asking = queue.pop(0)
        for name, version in asking.manifest.requires.items():
            if name in found:
                continue
            made = read_pack(find(name, folder.resolve().parent))
            if made.manifest.version != version:
                reason = f"it requires {name} {version}, but {made.label} is here"
                raise Problem(
                    MALFORMED, "/pack.yaml/requires", file=f"{asking.name}/pack.yaml", reason=reason
                )
            found[name] = made
            queue.append(made)
    if "core" not in found:
        found["core"] = read_pack(find("core", folder.resolve().parent))
    return list(found.values())


def find(name: str, beside: Path) -> Path:
    """The folder of pack `name`: beside another, or among those that ship with Gardesh."""
    for place in (beside / name, shipped() / name):
        if (place / "pack.yaml").is_file():
            return place
    raise Problem(NO_SUCH_FOLDER, folder=name)


def shipped() -> Path:
    """Where the packs are that come with Gardesh: in the wheel, or in the source tree."""
    inside = Path(__file__).parent.parent / "packs"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "packs"


def changed(made: Pack, version: str, changes: Mapping[str, Any]) -> Pack:
    """Another version of a pack: some of its YAML files with a JSON merge patch (RFC 7396) laid over what they say.

    By the path of a file; null leaves the file out. Raises `pack-malformed`.
    """
    files = dict(made.files)
    for path, patch in {**changes, "pack.yaml": {**changes.get("pack.yaml", {}), "version": version}}.items():
        if patch is None:
            files.pop(path, None)
            continue
        said = parse_yaml(path, files[path]) if path in files else {}
        files[path] = msgspec.json.encode(merge_patch(said, patch))
    return pack.read(files, parse_yaml)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396 §2, on plain values; `target` is not changed."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = merge_patch(out.get(name), value)
    return out


def keep(store: Store, made: Pack) -> None:
    """Store a pack beside the record, in the open transaction; the same label with other content is refused."""
    raw = msgspec.json.encode(made.files)
    store.add(schema.packs, [(made.label, made.digest, raw)], replace=True)


def stored(store: Store) -> Library:
    """A library of all packs that are kept beside the record, each checked against its digest."""
    library = Library()
    bring(store, library)
    return library


def bring(store: Store, library: Library) -> None:
    """Add the packs that are kept beside the record and are not in the library: another process may have added some."""
    for (name,) in store.rows("SELECT label FROM packs ORDER BY label"):
        if name in library.packs:
            continue
        label, digest, raw = store.one("SELECT label, digest, files FROM packs WHERE label = ?", name)
        files = msgspec.json.decode(bytes(raw), type=dict[str, bytes])
        made = pack.read(files, parse_yaml)
        if made.digest != bytes(digest):
            raise Problem(
                MALFORMED, "/pack.yaml", file=label, reason="the stored pack is not what its digest names"
            )
        library.add(made)
