"""The pytest plugin: fixtures ``assert_grounded`` and ``grounded_verifier``, and groundedness in the summary.

Loaded by pytest through the entry point ``pytest11``; ``-p no:grounded`` switches it off.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from grounded.protocols import EntailmentModel
    from grounded.records import Report
    from grounded.verification import Verifier

_KEY = "groundedness"


@pytest.fixture(scope="session")
def grounded_verifier() -> Verifier:
    """What the fixture ``assert_grounded`` checks with; override it in ``conftest.py`` to use another."""
    from grounded.verification import Verifier

    return Verifier()


@pytest.fixture
def assert_grounded(
    grounded_verifier: Verifier, record_property: Callable[[str, object], None]
) -> Callable[..., Report]:
    """``grounded.testing.assert_grounded`` with the session's verifier; the summary lists what it found."""
    from grounded.render.common import percent
    from grounded.testing.asserting import examine

    def checked(
        answer: str,
        sources: Any,
        *,
        min_groundedness: float = 1.0,
        allow: str | Collection[str] = (),
        question: str | None = None,
        verifier: Verifier | EntailmentModel | str | None = None,
    ) -> Report:
        __tracebackhide__ = True  # pytest then points at the line of the test
        report, problem = examine(
            answer,
            sources,
            min_groundedness=min_groundedness,
            allow=allow,
            question=question,
            verifier=verifier if verifier is not None else grounded_verifier,
        )
        record_property(_KEY, percent(report.groundedness) + ("" if report.complete else " (incomplete)"))
        if problem:
            raise AssertionError(problem)
        return report

    return checked


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the groundedness of every answer that a test asserted on."""
    found = [
        (report.nodeid, value)
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == _KEY
    ]
    if found:
        terminalreporter.section("groundedness")
        for test, value in found:
            terminalreporter.write_line(f"{value:>17}  {test}")
