"""What templates may call, and the account of the work that it costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from datetime import date
from typing import Any

from jinja2.filters import FILTERS as JINJA_FILTERS

OUTPUT_LIMIT = 1_000_000
"""Code points that one rendering, or one filter, may produce."""

WORK_LIMIT = 500_000
"""Syntax nodes that one rendering may run in loops, includes and filters; well under a second of work."""

RANGE_LIMIT = 1_000
"""Longest ``range``."""

work: ContextVar[list[int]] = ContextVar("grounded_template_work")
"""What one rendering may still do: a list with one number, so that filters can lower it."""


class LimitError(ValueError):
    """A limit was reached while rendering."""


def spend(amount: int) -> None:
    """Pay for work.

    Raises:
        LimitError: It is more than one rendering may do.
    """
    left = work.get()
    left[0] -= amount
    if left[0] < 0:
        raise LimitError("more work than one rendering may do")


def loop(items: Iterable[Any], weight: int) -> Iterator[Any]:
    """The items, each paid for with the nodes that a loop runs."""
    for item in items:
        spend(weight)
        yield item


def bounded_range(*bounds: Any) -> range:
    """``range`` of at most ``RANGE_LIMIT`` steps."""
    numbers = range(*bounds)
    if len(numbers) > RANGE_LIMIT:
        raise LimitError(f"range() may have {RANGE_LIMIT} steps")
    return numbers


def _join(items: Iterable[Any], separator: str = "") -> str:
    texts = [str(item) for item in items]
    if sum(map(len, texts)) + len(separator) * len(texts) > OUTPUT_LIMIT:
        raise LimitError(f"join makes more than {OUTPUT_LIMIT} characters")
    return separator.join(texts)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _accounted(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that pays for what it makes and stops at the output limit."""

    def run(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        size = len(result) if isinstance(result, str) else 1
        if size > OUTPUT_LIMIT:
            raise LimitError(f"a filter makes more than {OUTPUT_LIMIT} characters")
        spend(1 + size // 64)
        return result

    return run


_PLAIN_FILTERS: dict[str, Callable[..., Any]] = {
    "capitalize": lambda text: str(text).capitalize(),
    "default": JINJA_FILTERS["default"],
    "first": lambda items: items[0],
    "join": _join,
    "last": lambda items: items[-1],
    "length": len,
    "lower": lambda text: str(text).lower(),
    "tojson": _json,
    "trim": lambda text: str(text).strip(),
    "upper": lambda text: str(text).upper(),
}
FILTERS = {name: _accounted(function) for name, function in _PLAIN_FILTERS.items()}
"""All filters there are."""
