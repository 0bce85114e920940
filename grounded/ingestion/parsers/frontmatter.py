"""Front matter: what a Markdown file declares of itself between two ``---`` lines."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import yaml

from grounded.errors import ParseError
from grounded.ingestion.parsers.building import scrub
from grounded.records import Scalar

FRONT_MATTER_CHARACTERS = 65_536
RESERVED_KEYS = ("title", "effective_from", "effective_to", "supersedes", "principals")

_BLOCK = re.compile(r"---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
# Declarations that must never be dropped in silence: without them a document is public, or in force for ever.
_BINDING = re.compile(r"^[\"']?(?:principals|effective_from|effective_to)[\"']?\s*:", re.MULTILINE)
_LARGEST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What front matter declares; ``end`` is where the text proper starts (0 when there is none)."""

    end: int = 0
    title: str = ""
    metadata: dict[str, Scalar] = field(default_factory=dict)
    effective_from: date | None = None
    effective_to: date | None = None
    supersedes: str | None = None
    principals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_front_matter(text: str) -> FrontMatter | None:
    """The front matter at the start of ``text``, or None when it does not start with one.

    Raises:
        ParseError: It declares principals or effective dates that cannot be read. Ignoring them would show the
            document to everybody or for ever, so the document is refused instead.
    """
    found = _BLOCK.match(text, 0, FRONT_MATTER_CHARACTERS)
    if not found:
        return None
    block = found.group(1)
    try:
        data = yaml.safe_load(block)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return _unreadable(block, found.end(), str(error).splitlines()[0] if str(error) else type(error).__name__)
    if data is None:
        return FrontMatter(end=found.end())
    if not isinstance(data, dict):
        return _unreadable(block, 0, "it is not a list of `key: value` lines")
    return _declared(data, found.end())


def _unreadable(block: str, end: int, reason: str) -> FrontMatter:
    if _BINDING.search(block):
        raise ParseError(
            f"The front matter declares permissions or dates but cannot be read: {reason}.",
            fix="Correct the YAML between the --- lines.",
        )
    return FrontMatter(end=end, warnings=(f"front matter ignored: {reason}",))


def _declared(data: Mapping[Any, Any], end: int) -> FrontMatter:
    metadata: dict[str, Scalar] = {}
    warnings: list[str] = []
    for key, value in data.items():
        if key in RESERVED_KEYS or value is None:
            continue
        scalar = _scalar(value)
        if scalar is None:
            warnings.append(f"front matter key {str(key)!r} ignored: only text, numbers, dates and true/false are kept")
        else:
            metadata[scrub(str(key))] = scalar
    return FrontMatter(
        end=end,
        title=scrub(str(data.get("title") or "")),
        metadata=metadata,
        effective_from=_date(data, "effective_from"),
        effective_to=_date(data, "effective_to"),
        supersedes=scrub(str(data["supersedes"])) if data.get("supersedes") is not None else None,
        principals=_principals(data),
        warnings=tuple(warnings),
    )


def _scalar(value: Any) -> Scalar | None:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_INTEGER:
        return str(value) if abs(value) < 10**100 else None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float)) else None


def _date(data: Mapping[Any, Any], key: str) -> date | None:
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError as error:
        raise ParseError(
            f"Front matter {key} is {value!r}, which is no date.", fix="Write it as YYYY-MM-DD."
        ) from error


def _principals(data: Mapping[Any, Any]) -> tuple[str, ...]:
    if "principals" not in data:
        return ()
    value = data["principals"]
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list) and all(isinstance(name, (str, int)) and str(name).strip() for name in names):
        return tuple(dict.fromkeys(scrub(str(name).strip()) for name in names))
    raise ParseError(
        f"Front matter principals is {value!r}; it must be a name or a list of names.",
        fix="Write principals: [group:hr, user:ann], or [] for everybody.",
    )
