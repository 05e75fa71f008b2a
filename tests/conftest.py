"""The long mode, the store that tests use, Hypothesis profiles, and the rule that nothing is skipped in CI unless it is
expected."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

import stores
from market import Market

settings.register_profile("ci", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "long", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow]
)
EXPECTED = {"curl": "curl", "go": "go", "node": "node", "npm": "npm"}
MARKS = (
    "store: uses a store; `--store=postgresql` runs these alone",
    "sqlite: is about SQLite itself, its files or its errors",
    "postgresql: is about PostgreSQL itself",
)
_server: list[stores.Server] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long tests too, with many more examples")
    parser.addoption(
        "--store",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="the store that tests use; postgresql starts a server and runs only the tests that use one",
    )


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("long" if config.getoption("--long") else "ci")
    for mark in MARKS:
        config.addinivalue_line("markers", mark)
    stores.kind = config.getoption("--store")
    if stores.kind == "postgresql" and not hasattr(config, "workerinput") and stores.URL not in os.environ:
        try:
            _server.append(stores.Server())
            os.environ[stores.URL] = _server[0].url
        except Exception as error:  # noqa: BLE001 (whatever it is, it is why tests are skipped)
            os.environ[stores.ABSENT] = f"{type(error).__name__}: {error}"


def pytest_report_header(config: pytest.Config) -> str:
    return f"store: {stores.told()}"


def pytest_unconfigure(config: pytest.Config) -> None:
    for server in _server:
        server.stop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests, and those about another store, are left out, not skipped: a skip means that something is missing."""
    left = [item for item in items if _left_out(config, item)]
    if left:
        config.hook.pytest_deselected(items=left)
        gone = set(left)
        items[:] = [i for i in items if i not in gone]


def _left_out(config: pytest.Config, item: pytest.Item) -> bool:
    marks = {mark.name for mark in item.iter_markers()}
    if "long" in marks and not config.getoption("--long"):
        return True
    if stores.kind == "sqlite":
        return "postgresql" in marks
    return "sqlite" in marks or not marks & {"store", "postgresql"}


@pytest.fixture
def market() -> Market:
    """A node of the market pack (tests/packs/market) on a fresh store, its organisations admitted; see tests/market.py."""
    return Market()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skip is an error, unless its reason names a program that is absent, the material beside the project, or a disk
    that only root can mount."""
    report = yield
    if not report.skipped or os.environ.get("CI") != "true" or hasattr(report, "wasxfail"):
        return report
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    absent = "PostgreSQL" not in reason and any(
        word in reason and shutil.which(program) is None for word, program in EXPECTED.items()
    )
    alone = any(words in reason for words in ("material", "no disk can be mounted", "namespaces"))
    if not absent and not alone:
        report.outcome = "failed"
        report.longrepr = f"unexpected skip in CI: {reason}"
    return report
