"""Real Qdrant servers for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.qdrant import running


@pytest.fixture
def guarded_server(tmp_path: Path) -> Iterator[str]:
    """``host:port`` of a server that wants the key ``right-key``."""
    with running(tmp_path, QDRANT__SERVICE__API_KEY="right-key") as node:
        yield node.address
