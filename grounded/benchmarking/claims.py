"""Labelled claims from published files: which format a folder has, and its claims with their sources."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from grounded.benchmarking import formats
from grounded.benchmarking.formats import LabelledClaim
from grounded.benchmarking.reading import TABLES, Row, rows
from grounded.errors import SourceNotFoundError, UsageError

__all__ = ["FORMATS", "Format", "LabelledClaim", "format_of", "read_claims", "sample"]


@dataclass(frozen=True, slots=True)
class Format:
    """A published file format of labelled claims.

    Attributes:
        says: What it is, for people.
        files: The files it is read from, of those at a place; empty when the place is of another format.
        read: The claims of such a file.
    """

    says: str
    files: Callable[[Path], list[Path]]
    read: Callable[[Path], Iterator[LabelledClaim]]


def _named(*names: str) -> Callable[[Path], list[Path]]:
    """Files of that name in a folder, or in one of the folders that the published archives put them in."""

    def find(place: Path) -> list[Path]:
        for folder in (place, place / "dataset", place / "data"):
            if all((folder / name).exists() for name in names):
                return [folder / names[0]]
        return []

    return find


def _annotations(place: Path) -> list[Path]:
    for folder in (place, place / "data"):
        if (folder / "docs").is_dir():
            return sorted((folder / "annotations").glob("annotations-*.json"))
    return []


def _with(*keys: str) -> Callable[[Path], list[Path]]:
    """Tables whose first row has all these keys."""

    def find(place: Path) -> list[Path]:
        if place.is_file():
            return [place] if _has(place, keys) else []
        return [each for each in sorted(place.rglob("*")) if each.suffix.lower() in TABLES and _has(each, keys)]

    return find


def _has(path: Path, keys: tuple[str, ...]) -> bool:
    try:
        first: list[Row] = [row for _, row in islice(rows(path), 1)]
    except (UsageError, SourceNotFoundError):
        return False
    return bool(first) and set(keys) <= first[0].keys()


FORMATS: dict[str, Format] = {
    "ragtruth": Format(
        "RAGTruth: response.jsonl and source_info.jsonl; a whole response is one claim",
        _named("response.jsonl", "source_info.jsonl"),
        formats.ragtruth,
    ),
    "lfqa": Format("LFQA-Verification: annotations/ and docs/", _annotations, formats.lfqa),
    "wice": Format(
        "WiCE: claim, evidence, supporting_sentences, label", _with("claim", "evidence", "supporting_sentences"),
        formats.wice,
    ),
    "expertqa": Format(
        "ExpertQA: question and answers with claims, or one claim per row with its evidence",
        lambda place: _with("question", "answers")(place) or _with("claim", "evidence", "support")(place),
        formats.expertqa,
    ),
    "aggrefact": Format(
        "LLM-AggreFact: doc, claim, label and dataset, as JSON Lines, CSV or Parquet",
        _with("doc", "claim", "label"),
        formats.aggrefact,
    ),
}  # fmt: skip
"""The formats of labelled claims, in the order in which they are tried."""


def format_of(place: Path) -> str | None:
    """The name of the format a file or folder has; None when it has none of them."""
    return next((name for name, each in FORMATS.items() if each.files(place)), None)


def read_claims(place: Path, *, name: str | None = None, split: str | None = None) -> list[LabelledClaim]:
    """The labelled claims at a place, each once, in the order of the files.

    Args:
        place: A file or a folder as its makers published it.
        name: The format, a key of ``FORMATS``; recognised by its files when left out.
        split: Only rows of this split, where rows or files say theirs.

    Raises:
        SourceNotFoundError: There is nothing at the place.
        UsageError: It has no known format, a row is broken (the message names file and row), or nothing is left.
    """
    if not place.exists():
        raise SourceNotFoundError(f"There is nothing at {place}.")
    found = name or format_of(place)
    if found is None or found not in FORMATS:
        known = "; ".join(f"{each}: {format.says}" for each, format in FORMATS.items())
        raise UsageError(f"{place} has none of the formats known.", fix=f"Known are {known}.")
    files = FORMATS[found].files(place)
    if not files:
        raise UsageError(f"{place} does not hold {FORMATS[found].says}.")
    # Where rows do not say their split, the published files do, by their name.
    chosen = [each for each in files if split is None or split in each.stem] or files
    claims = dict.fromkeys(claim for file in chosen for claim in FORMATS[found].read(file))
    kept = [claim for claim in claims if split is None or claim.split in ("", split)]
    if not kept:
        raise UsageError(f"{place} holds no labelled claims{f' of the split {split!r}' if split else ''}.")
    return kept


def sample(claims: list[LabelledClaim], count: int | None, *, seed: int = 5) -> list[LabelledClaim]:
    """At most ``count`` claims of each set, drawn the same way every time; all of them for None."""
    by_set: dict[str, list[LabelledClaim]] = {}
    for claim in claims:
        by_set.setdefault(claim.data, []).append(claim)
    chosen = []
    for own in by_set.values():
        random.Random(seed).shuffle(own)
        chosen += own[:count]
    return chosen
