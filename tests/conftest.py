"""Settings every test shares: no surprise network, deterministic properties, and no silent skip."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

SHARED = Path(__file__).parents[2] / "shared"
KNOWN_SKIPS = Path(__file__).with_name("known_skips.txt")

# Other frameworks report what they run unless told not to, and some read this when they are imported.
os.environ |= {"HAYSTACK_TELEMETRY_ENABLED": "False", "LANGSMITH_TRACING": "false"}

settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public data sets beside the checkout; tests that need them skip without."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the public data sets (../shared/data) are not on this machine")
    return SHARED / "data"


@pytest.fixture(scope="session")
def qdrant_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port`` of a real Qdrant server that lives as long as the test session."""
    from tests.qdrant import running

    with running(tmp_path_factory.mktemp("qdrant")) as node:
        yield node.address


def _skips(reporter: pytest.TerminalReporter) -> Counter[str]:
    skipped = reporter.stats.get("skipped", [])
    reasons = (report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple))
    return Counter(reason.removeprefix("Skipped: ") for reason in reasons)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were skipped and why, so that no skip is silent."""
    reasons = _skips(terminalreporter)
    terminalreporter.write_line(f"skips: {reasons.total()}")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"  {count} × {reason}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where CI runs, a skip for a reason nobody has written down is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None or exitstatus:
        return
    lines = KNOWN_SKIPS.read_text("utf-8").splitlines()
    known = tuple(line for line in lines if line and not line.startswith("#"))
    unknown = [reason for reason in _skips(reporter) if not reason.startswith(known)]
    if unknown:
        reporter.write_line(f"\nunexpected skips, see {KNOWN_SKIPS.name}: {unknown}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
