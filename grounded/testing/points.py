"""Random points, conditions of every kind, and the plainest reading of both: what stores are compared with."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from grounded.protocols import Point, SparseVector
from grounded.records import Absent, AllOf, AnyOf, Between, Condition, KeyKind, Not, OneOf, Viewer
from grounded.retrieval.filters import visible_to

KEYS: Mapping[str, KeyKind] = {
    "product": "keyword",
    "year": "integer",
    "price": "float",
    "in_stock": "bool",
    "odd.key [0]": "keyword",
}
"""Metadata keys of the points made here, one of every kind and one that looks like a path."""

CONDITIONS: tuple[Condition, ...] = (
    AllOf(),
    AnyOf(key="product", values=("kettle",)),
    AnyOf(key="product", values=("kettle", "lamp", 2024, True)),
    AnyOf(key="product", values=(2024,)),
    AnyOf(key="odd.key [0]", values=("a",)),
    AnyOf(key="year", values=(2021, 2023.0)),
    AnyOf(key="year", values=(2021.5, "2021", True)),
    AnyOf(key="year", values=(2**60 + 1,)),
    AnyOf(key="year", values=(2**70,)),
    AnyOf(key="price", values=(2, 2.5)),
    AnyOf(key="in_stock", values=(True,)),
    AnyOf(key="in_stock", values=(False,)),
    AnyOf(key="in_stock", values=(1, 0, "true")),
    AnyOf(key="in_stock", values=(True, False)),
    Between(key="year", at_least=2021, below=2023),
    Between(key="price", at_least=1.5),
    Between(key="price", below=2),
    Between(key="price"),
    Between(key="price", at_least=-math.inf, below=math.inf),
    Between(key="price", at_least=math.inf),
    Between(key="price", at_least=math.nan),
    Between(key="price", at_least=3, below=1),
    Between(key="product", at_least=0),
    Absent(key="product"),
    Absent(key="principals"),
    Not(condition=Absent(key="year")),
    Not(condition=AnyOf(key="product", values=("kettle",))),
    Not(condition=AllOf()),
    Not(condition=Not(condition=AnyOf(key="in_stock", values=(True,)))),
    OneOf(conditions=(AnyOf(key="product", values=("lamp",)), Between(key="year", at_least=2023))),
    AllOf(conditions=(AnyOf(key="tenant", values=("a",)), Not(condition=AnyOf(key="year", values=(2021,))))),
    visible_to(Viewer(tenant="a")),
    visible_to(Viewer(tenant="a", principals=("ann", "staff"))),
    visible_to(Viewer(tenant="nobody", principals=("ann",))),
)
"""Conditions of every kind, nested, contradictory and of the wrong type among them."""


def holds(condition: Condition, payload: Mapping[str, Any]) -> bool:
    """Whether a condition holds for a payload of declared kinds: what every store must agree with."""
    match condition:
        case AllOf(conditions=inner):
            return all(holds(each, payload) for each in inner)
        case OneOf(conditions=inner):
            return any(holds(each, payload) for each in inner)
        case Not(condition=negated):
            return not holds(negated, payload)
        case Absent(key=key):
            return not _values(payload, key)
        case Between(key=key):
            low = -math.inf if condition.at_least is None else condition.at_least
            high = math.inf if condition.below is None else condition.below
            return any(_is_number(value) and low <= value < high for value in _values(payload, key))
        case AnyOf(key=key, values=wanted):
            return any(_same(value, each) for value in _values(payload, key) for each in wanted)


def make_points(count: int, dimension: int, seed: int = 0) -> list[Point]:
    """Points with random unit vectors, words and payloads; some share their vectors, some have no words."""
    generator = random.Random(seed)
    points: list[Point] = []
    for number in range(count):
        dense, sparse = _random_vectors(generator, dimension)
        if number % 10 == 9:
            dense, sparse = points[-1].dense, points[-1].sparse
        if number % 25 == 3:
            sparse = SparseVector((), ())
        identity = str(uuid.UUID(int=generator.getrandbits(128)))
        points.append(Point(identity, dense, sparse, _random_payload(generator)))
    return points


def inverse_document_frequencies(points: Sequence[Point]) -> dict[int, float]:
    """``ln(1 + (N - n + 0.5) / (n + 0.5))`` for every index; N points with any, of which n have it."""
    counts: dict[int, int] = {}
    for point in points:
        for index in point.sparse.indices:
            counts[index] = counts.get(index, 0) + 1
    total = sum(bool(point.sparse.indices) for point in points)
    return {index: math.log(1 + (total - n + 0.5) / (n + 0.5)) for index, n in counts.items()}


def holds_count(condition: Condition, points: Sequence[Point]) -> int:
    """For how many points a condition holds."""
    return sum(holds(condition, point.payload) for point in points)


def _random_vectors(generator: random.Random, dimension: int) -> tuple[Any, SparseVector]:
    dense = np.array([generator.gauss(0, 1) for _ in range(dimension)], dtype=np.float32)
    indices = sorted({min(int(generator.expovariate(0.1)), 60) * 70_000_000 for _ in range(12)})
    values = tuple(round(generator.uniform(0.2, 2.2), 3) for _ in indices)
    return dense / np.linalg.norm(dense), SparseVector(tuple(indices), values)


def _random_payload(generator: random.Random) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "tenant": generator.choice("ab"),
        "source": generator.choice(("files", "mail")),
        "document_id": str(uuid.UUID(int=generator.randrange(30))),
        "principals": generator.choice(([], ["ann"], ["bob", "staff"])),
        "product": generator.choice(("kettle", "lamp", ["kettle", "lamp"], [], "Kettle")),
        "year": generator.choice((2020, 2021, 2022, 2023, [2021, 2024], 2**60 + 1)),
        "price": generator.choice((1, 1.5, 2, 2.5, [0.5, 9.5], [])),
        "in_stock": generator.choice((True, False, [True, False], [])),
        "odd.key [0]": generator.choice(("a", "b")),
    }
    for key in list(payload):
        if key != "tenant" and generator.random() < 0.15:
            del payload[key]
    return payload


def _values(payload: Mapping[str, Any], key: str) -> list[Any]:
    value = payload.get(key, [])
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _same(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
