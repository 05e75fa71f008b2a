"""Served markets: a fresh one, and one that the tests of a module share when they change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served, serving

from market import Market

UNLIMITED = "[limits]\nrate = 0\n"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(Market(), tmp_path / "blobs", UNLIMITED) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(Market(), tmp_path_factory.mktemp("blobs"), UNLIMITED) as made:
        yield made
