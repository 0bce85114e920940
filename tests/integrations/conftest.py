"""A small knowledge base for all adapters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grounded import KnowledgeBase

TEXT = "# Kettle\n\nThe kettle must be descaled every three months.\n\n# Warranty\n\nOur warranty lasts 24 months.\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "care.md").write_text(TEXT, encoding="utf-8")
    with KnowledgeBase.open(folder / "kb", create=True) as knowledge_base:
        knowledge_base.ingest(folder / "care.md")
        yield knowledge_base
