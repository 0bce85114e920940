"""Conditions on metadata, translated for a vector store; who may see what, as a condition."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from grounded.errors import UnknownNameError
from grounded.records import (
    Absent,
    AllOf,
    AnyOf,
    Between,
    Condition,
    KeyKind,
    Not,
    OneOf,
    Scalar,
    Viewer,
    keys_of,
)

TENANT = "tenant"
PRINCIPALS = "principals"

SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1
"""The whole numbers a store can keep."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def visible_to(viewer: Viewer) -> Condition:
    """What a viewer may see: of the viewer's tenant, and open to all or to one of the viewer's principals.

    Effective dates are not part of it: the ledger knows them, the store does not.
    """
    open_to_all = Absent(key=PRINCIPALS)
    permitted: Condition = open_to_all
    if viewer.principals:
        permitted = OneOf(conditions=(open_to_all, AnyOf(key=PRINCIPALS, values=viewer.principals)))
    return AllOf(conditions=(AnyOf(key=TENANT, values=(viewer.tenant,)), permitted))


class Dialect(Protocol):
    """How one client library writes the parts of a filter; every method returns one of its objects."""

    def combine(self, *, must: Sequence[Any] = (), should: Sequence[Any] = (), must_not: Sequence[Any] = ()) -> Any:
        """A filter: all of ``must``, one of ``should`` when there are any, none of ``must_not``."""
        ...

    def among(self, key: str, values: list[str] | list[int]) -> Any:
        """The value is one of these, all strings or all integers."""
        ...

    def is_bool(self, key: str, value: bool) -> Any:
        """The value is this boolean."""
        ...

    def between(self, key: str, *, gte: float | None = None, lt: float | None = None) -> Any:
        """The number lies in ``[gte, lt)``."""
        ...

    def number(self, key: str, value: float) -> Any:
        """The number equals this one."""
        ...

    def absent(self, key: str) -> Any:
        """There is no value, or an empty list."""
        ...


def translate(
    condition: Condition,
    dialect: Dialect,
    kinds: Mapping[str, KeyKind],
    path: Callable[[str], str] = lambda key: path_of(key),
) -> Any:
    """Write a condition as a filter of one client library.

    A value of another kind than its key was declared with matches nothing: ``AnyOf("year", ("2024",))``
    on an integer key finds no point. Integers and whole floats are one number.

    Args:
        condition: What must hold.
        dialect: The client library's way of writing filters.
        kinds: The declared keys; ``SYSTEM_KEYS`` included.
        path: How a key is written as a JSON path.

    Raises:
        UnknownNameError: The condition mentions a key that was not declared.
    """
    check_declared(condition, kinds)
    return _Translator(dialect, kinds, path).filter(condition)


def check_declared(condition: Condition, kinds: Mapping[str, KeyKind]) -> None:
    """Refuse a condition on a key that was not declared.

    Raises:
        UnknownNameError: It mentions one.
    """
    for key in sorted(keys_of(condition)):
        if key not in kinds:
            raise UnknownNameError("filter key", key, tuple(kinds), fix="Declare it before filtering on it.")


def what_decides(condition: Condition, is_met_by_all: Callable[[Condition], bool]) -> Condition | None:
    """The condition without the parts that every point meets; None when nothing else is asked for.

    Args:
        condition: What must hold.
        is_met_by_all: Whether every point meets a condition that has no parts; False when that is not known.
    """
    match condition:
        case AllOf(conditions=inner):
            left = tuple(part for each in inner if (part := what_decides(each, is_met_by_all)) is not None)
            return AllOf(conditions=left) if len(left) > 1 else next(iter(left), None)
        case OneOf(conditions=inner):
            return None if any(what_decides(each, is_met_by_all) is None for each in inner) else condition
        case Not():
            return condition
        case _:
            return None if is_met_by_all(condition) else condition


class _Translator:
    def __init__(self, dialect: Dialect, kinds: Mapping[str, KeyKind], path: Callable[[str], str]) -> None:
        self._dialect = dialect
        self._kinds = kinds
        self._path = path

    def filter(self, condition: Condition) -> Any:
        """One condition as one filter."""
        combine = self._dialect.combine
        match condition:
            case AllOf(conditions=inner):
                return combine(must=[self.filter(each) for each in inner])
            case OneOf(conditions=inner):
                return combine(should=[self.filter(each) for each in inner])
            case Not(condition=negated):
                return combine(must_not=[self.filter(negated)])
            case Absent(key=key):
                return combine(must=[self._dialect.absent(self._path(key))])
            case Between():
                return self._between(condition)
            case AnyOf(key=key, values=values):
                alternatives = _ALTERNATIVES[self._kinds[key]](self._dialect, self._path(key), values)
                return combine(should=alternatives) if alternatives else self._never()

    def _between(self, wanted: Between) -> Any:
        low = -math.inf if wanted.at_least is None else wanted.at_least
        high = math.inf if wanted.below is None else wanted.below
        kind = self._kinds[wanted.key]
        if kind == "integer":
            # A server cuts the fraction off: below 2023.5 would leave 2023 out.
            low, high = (float(math.ceil(bound)) if math.isfinite(bound) else bound for bound in (low, high))
        # Also false for "not a number", which neither library can write.
        if kind not in {"integer", "float"} or not low < high:
            return self._never()
        path = self._path(wanted.key)
        if (low, high) == (-math.inf, math.inf):
            return self._dialect.combine(must_not=[self._dialect.absent(path)])
        bounds = {"gte": low, "lt": high}
        finite = {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
        return self._dialect.combine(must=[self._dialect.between(path, **finite)])

    def _never(self) -> Any:
        # An empty "should" holds always in both libraries; "not everything" holds never.
        return self._dialect.combine(must_not=[self._dialect.combine()])


def _keywords(dialect: Dialect, path: str, values: Sequence[Scalar]) -> list[Any]:
    words = [value for value in values if isinstance(value, str)]
    return [dialect.among(path, words)] if words else []


def _integers(dialect: Dialect, path: str, values: Sequence[Scalar]) -> list[Any]:
    numbers = [int(value) for value in values if _is_number(value) and value == int(value)]
    kept = [number for number in numbers if SMALLEST_INTEGER <= number <= LARGEST_INTEGER]
    return [dialect.among(path, kept)] if kept else []


def _floats(dialect: Dialect, path: str, values: Sequence[Scalar]) -> list[Any]:
    return [dialect.number(path, float(value)) for value in values if _is_number(value)]


def _booleans(dialect: Dialect, path: str, values: Sequence[Scalar]) -> list[Any]:
    return [dialect.is_bool(path, value) for value in values if isinstance(value, bool)]


_ALTERNATIVES: Mapping[KeyKind, Callable[[Dialect, str, Sequence[Scalar]], list[Any]]] = {
    "keyword": _keywords,
    "integer": _integers,
    "float": _floats,
    "bool": _booleans,
}


def _is_number(value: Scalar) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def path_of(key: str) -> str:
    """The key as a JSON path of one step: quoted unless it is a plain word.

    Unquoted, ``a.b`` would mean the key ``b`` inside ``a``.
    """
    return key if _PLAIN.fullmatch(key) else f'"{key}"'


def key_of(path: str) -> str:
    """The key that ``path_of`` made this path of."""
    return path[1:-1] if path.startswith('"') else path
