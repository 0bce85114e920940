"""The folder of an embedded store: made whole or not at all, described, and nobody else's."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import qdrant_edge

from grounded.errors import EmbedderMismatchError, SchemaError
from grounded.retrieval.engine import GROWTH_BYTES, check_space, configuration, translated

LAYOUT = 1


def is_there(path: Path) -> bool:
    """Whether the folder holds a store."""
    return _description(path).exists()


def prepare(path: Path, dimension: int) -> None:
    """Make a store where there is none, remove what a crash has left, and check that it is ours to read.

    Raises:
        EmbedderMismatchError: The store holds vectors of another dimension.
        SchemaError: It was written by a newer release, or its description is damaged.
        StoreError: The disk is full, or the engine cannot make it.
    """
    for leftover in path.glob("shard.new*"):
        shutil.rmtree(leftover)
    if not is_there(path):
        _create(path, dimension)
    _check(path, dimension)


def make_private(path: Path) -> None:
    """Owner only; the engine creates its files by the user's mask, inside a folder that is closed already."""
    path.chmod(0o700)
    for folder, folders, files in os.walk(path):
        for name in folders:
            os.chmod(os.path.join(folder, name), 0o700)
        for name in files:
            os.chmod(os.path.join(folder, name), 0o600)


def _create(path: Path, dimension: int) -> None:
    """Build under another name and rename: a store is whole or not there."""
    check_space(path, GROWTH_BYTES)
    building = path / "shard.new"
    building.mkdir(mode=0o700)
    with translated("create"):
        qdrant_edge.EdgeShard.create(str(building), configuration(dimension)).close()
    content = {"layout": LAYOUT, "dimension": dimension, "engine": "qdrant-edge"}
    (building / "store.json").write_text(json.dumps(content) + "\n", encoding="utf-8")
    building.rename(path / "shard")


def _check(path: Path, dimension: int) -> None:
    try:
        content = json.loads(_description(path).read_text(encoding="utf-8"))
        layout, found = int(content["layout"]), int(content["dimension"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SchemaError(f"{_description(path)} is damaged: {error}") from error
    if layout != LAYOUT:
        raise SchemaError(
            f"The vector store at {path} has layout {layout}; this release reads {LAYOUT}.",
            fix="Upgrade grounded-rag to the release that wrote it.",
        )
    if found != dimension:
        raise EmbedderMismatchError(
            f"The vector store at {path} holds vectors of dimension {found}, not {dimension}.",
            fix="Use the embedding model it was built with, or build a new knowledge base.",
        )


def _description(path: Path) -> Path:
    return path / "shard" / "store.json"
