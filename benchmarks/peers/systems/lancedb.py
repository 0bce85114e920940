"""LanceDB: a table on disk without an index, compared whole, over paragraphs that the caller cuts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa

from benchmarks.peers.corpus import Item
from benchmarks.peers.embedding import Counted
from benchmarks.peers.systems import K, batches, paragraphs

TABLE = "chunks"


class System:
    def __init__(self, folder: Path, embedder: Counted) -> None:
        self._embedder = embedder
        self._schema = pa.schema(
            [
                pa.field("id", pa.string()),
                pa.field("text", pa.string()),
                pa.field("group", pa.string()),
                pa.field("vector", pa.list_(pa.float32(), embedder.dimension)),
            ]
        )
        self._table: Any = lancedb.connect(str(folder)).create_table(TABLE, schema=self._schema, exist_ok=True)

    def ingest(self, folder: Path) -> None:
        merge = self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        for some in batches(paragraphs(folder)):
            merge.execute(self._rows(some))

    def load(self, items: Iterable[Item]) -> None:
        for some in batches(items):
            self._table.add(self._rows(some))

    def ask(self, question: str, group: str | None) -> int:
        wanted = self._table.search(self._embedder.embed_query(question)).distance_type("cosine").limit(K)
        if group:
            wanted = wanted.where(f"`group` = '{group}'", prefilter=True)
        return sum(bool(row["text"]) for row in wanted.select(["id", "text"]).to_list())

    def count(self) -> int:
        held: int = self._table.count_rows()
        return held

    def close(self) -> None:
        del self._table

    def _rows(self, items: Any) -> pa.Table:
        texts = [item.text for item in items]
        vectors = self._embedder.embed_documents(texts)
        flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), self._embedder.dimension)
        columns = [pa.array([item.key for item in items]), pa.array(texts), pa.array([item.group for item in items])]
        return pa.Table.from_arrays([*columns, flat], schema=self._schema)
