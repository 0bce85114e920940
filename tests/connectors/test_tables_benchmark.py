"""The benchmark of tables, scaled down: memory stays flat and runs that find nothing new are cheap."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.tables import measured

ROWS = 4000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_memory_is_flat_and_unchanged_runs_are_cheap(tmp_path: Path) -> None:
    figures = measured(ROWS, tmp_path)
    assert figures["growth_after_first_quarter_mb"] < 100
    # The targets are 100 and 10 at a million rows; a small table has fewer rows to spread the fixed costs over.
    assert figures["cursor_times_less_cpu"] > 20
    assert figures["census_times_less_cpu"] > 5
