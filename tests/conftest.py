"""The long mode, Hypothesis profiles, and the rule that nothing is skipped in CI unless it is expected."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

from market import Market

settings.register_profile("ci", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "long", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow]
)
EXPECTED = {"go": "go", "node": "node", "npm": "npm"}
LONG = "runs only in the long mode (make test-long)"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long tests too, with many more examples")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("long" if config.getoption("--long") else "ci")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests are left out, not skipped, in the short mode: a skip means that something is missing."""
    if not config.getoption("--long"):
        left = [i for i in items if i.get_closest_marker("long")]
        if left:
            config.hook.pytest_deselected(items=left)
            items[:] = [i for i in items if i not in set(left)]


@pytest.fixture
def market() -> Market:
    """A node of the market pack (tests/packs/market) in memory, its organisations admitted; see tests/market.py."""
    return Market()


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """In CI a skip is an error, unless its reason names a program that is absent or the material beside the project."""
    if not report.skipped or os.environ.get("CI") != "true" or hasattr(report, "wasxfail"):
        return
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    absent = any(word in reason and shutil.which(program) is None for word, program in EXPECTED.items())
    if not absent and "material" not in reason:
        report.outcome = "failed"
        report.longrepr = f"unexpected skip in CI: {reason}"
