"""What may be asked of metadata: a small tree of conditions that every vector store can translate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import Field

from grounded.errors import UnknownNameError, UsageError
from grounded.records.base import Record
from grounded.records.documents import Scalar

KeyKind = Literal["keyword", "integer", "float", "bool"]

SYSTEM_KEYS: Mapping[str, KeyKind] = {
    "tenant": "keyword",
    "document_id": "keyword",
    "principals": "keyword",
    "source": "keyword",
}
"""Keys that every point may carry and every store indexes; metadata of the same name cannot be filtered on."""
_TYPES: dict[KeyKind, tuple[type, ...]] = {
    "keyword": (str,),
    "integer": (int,),
    "float": (int, float),
    "bool": (bool,),
}


class AnyOf(Record):
    """The value of ``key`` (or one of its values) is among ``values``."""

    key: str
    values: tuple[Scalar, ...]


class Between(Record):
    """``at_least <= value < below`` for a number."""

    key: str
    at_least: float | None = None
    below: float | None = None


class Absent(Record):
    """The document has no value for ``key``, or an empty list."""

    key: str


class Not(Record):
    """The condition does not hold."""

    condition: Condition


class AllOf(Record):
    """Every condition holds; none at all holds always."""

    conditions: tuple[Condition, ...] = ()


class OneOf(Record):
    """At least one condition holds; none at all holds never."""

    conditions: tuple[Condition, ...] = Field(min_length=1)


Condition = AnyOf | Between | Absent | Not | AllOf | OneOf

for _model in (Not, AllOf, OneOf):
    _model.model_rebuild()


def conditions_from(where: Mapping[str, object] | None) -> tuple[Condition, ...]:
    """Read ``where={"product": "kettle", "year": {"gte": 2024, "lt": 2026}, "colour": ["red", "blue"]}``.

    A scalar means equality, a list means one of, a mapping takes ``gte``, ``lt``, ``in``, ``not`` and
    ``exists``. All keys must hold.

    Raises:
        UsageError: A value or operator is none of these.
    """
    if where is not None and not isinstance(where, Mapping):
        raise UsageError(f"Filters are a mapping of keys to values, not {where!r}.", fix='Write {"product": "kettle"}.')
    found: list[Condition] = []
    for key, wanted in (where or {}).items():
        found.extend(_conditions_for(key, wanted))
    return tuple(found)


def check_kinds(conditions: Iterable[Condition], kinds: Mapping[str, KeyKind]) -> None:
    """Refuse a condition on an unknown key, or one that no value of the key's kind could meet.

    Raises:
        UnknownNameError: A key is not among ``kinds``.
        UsageError: A wanted value is of another kind than the key's values.
    """
    for condition in conditions:
        match condition:
            case Not(condition=inner):
                check_kinds((inner,), kinds)
            case AllOf(conditions=inner) | OneOf(conditions=inner):
                check_kinds(inner, kinds)
            case AnyOf(key=key) | Between(key=key) | Absent(key=key) if key not in kinds:
                fix = "Give documents metadata of that name when they are ingested."
                raise UnknownNameError("filter key", key, tuple(kinds), fix=fix)
            case AnyOf(key=key, values=values):
                for value in values:
                    if type(value) not in _TYPES[kinds[key]]:
                        raise UsageError(f"The values of {key!r} are of kind {kinds[key]}; {value!r} is not.")
            case Between(key=key) if kinds[key] not in ("integer", "float"):
                raise UsageError(f"The values of {key!r} are of kind {kinds[key]}; gte and lt need numbers.")


def keys_of(condition: Condition) -> frozenset[str]:
    """Every metadata key a condition mentions."""
    match condition:
        case AnyOf(key=key) | Between(key=key) | Absent(key=key):
            return frozenset({key})
        case Not(condition=inner):
            return keys_of(inner)
        case AllOf(conditions=inner) | OneOf(conditions=inner):
            return frozenset().union(*(keys_of(each) for each in inner))


def _conditions_for(key: str, wanted: object) -> list[Condition]:
    if isinstance(wanted, (str, int, float, bool)):
        return [AnyOf(key=key, values=(wanted,))]
    if isinstance(wanted, Mapping):
        return [_operator(key, str(operator), value) for operator, value in wanted.items()]
    if isinstance(wanted, Sequence) and not isinstance(wanted, (bytes, bytearray)):
        return [AnyOf(key=key, values=_scalars(key, wanted))]
    raise UsageError(
        f"The filter on {key!r} has a {type(wanted).__name__}.",
        fix="Use a scalar, a list of scalars, or a mapping with gte, lt, in, not or exists.",
    )


def _operator(key: str, operator: str, value: object) -> Condition:
    match operator, value:
        case ("gte", int() | float()):
            return Between(key=key, at_least=float(value))
        case ("lt", int() | float()):
            return Between(key=key, below=float(value))
        case ("in", [*values] | tuple(values)):
            return AnyOf(key=key, values=_scalars(key, values))
        case ("not", str() | int() | float() | bool()):
            return Not(condition=AnyOf(key=key, values=(value,)))
        case ("not", [*values] | tuple(values)):
            return Not(condition=AnyOf(key=key, values=_scalars(key, values)))
        case ("exists", bool()):
            absent = Absent(key=key)
            return Not(condition=absent) if value else absent
    raise UsageError(
        f"The filter on {key!r} has {operator!r}: {value!r}.",
        fix="Use gte or lt with a number, in or not with scalars, exists with true or false.",
    )


def _scalars(key: str, values: Sequence[object]) -> tuple[Scalar, ...]:
    kept = tuple(value for value in values if isinstance(value, (str, int, float, bool)))
    if len(kept) != len(values) or not kept:
        raise UsageError(f"The filter on {key!r} needs a non-empty list of scalars, got {values!r}.")
    return kept
