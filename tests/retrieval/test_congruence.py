"""Both stores and a plain reading of the data, under random conditions and random histories."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from grounded.protocols import Point, VectorStore
from grounded.records import Absent, AllOf, AnyOf, Between, Condition, Not, OneOf
from grounded.retrieval.edge import EdgeStore
from grounded.retrieval.points import same_points
from grounded.retrieval.qdrant import QdrantStore
from grounded.testing.points import KEYS, holds, make_points

DIMENSION = 8
POINTS = make_points(200, DIMENSION, seed=50)
QUERY = make_points(1, DIMENSION, seed=51)[0]
SHARING = {point.id for point in POINTS if set(point.sparse.indices) & set(QUERY.sparse.indices)}

_keys = st.sampled_from([*KEYS, "tenant", "source", "principals", "document_id"])
_values = st.one_of(
    st.sampled_from(
        ["kettle", "lamp", "Kettle", "a", "b", "ann", "staff", "files", str(uuid.UUID(int=3)), "", "é\U0001f600"]
    ),
    st.integers(2018, 2026),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.5, 9.5, 2021.0, -0.0]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)
_bounds = st.one_of(st.none(), st.sampled_from([0.5, 1.5, 2.0, 2020.0, 2022.0, 2023.5]), st.floats())
_leaves: st.SearchStrategy[Condition] = st.one_of(
    st.builds(AnyOf, key=_keys, values=st.lists(_values, max_size=4).map(tuple)),
    st.builds(Between, key=_keys, at_least=_bounds, below=_bounds),
    st.builds(Absent, key=_keys),
)


def _nested(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    return st.one_of(
        st.builds(Not, condition=inner),
        st.builds(AllOf, conditions=st.lists(inner, max_size=3).map(tuple)),
        st.builds(OneOf, conditions=st.lists(inner, min_size=1, max_size=3).map(tuple)),
    )


conditions = st.recursive(_leaves, _nested, max_leaves=8)


class Stores(NamedTuple):
    edge: EdgeStore
    server: QdrantStore


@pytest.fixture(scope="module")
def stores(qdrant_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    url = f"qdrant://{qdrant_server}/congruence-{uuid.uuid4()}"
    edge = EdgeStore(tmp_path_factory.mktemp("congruence") / "shard", dimension=DIMENSION, create=True)
    with edge, QdrantStore(url, dimension=DIMENSION) as server:
        for store in (edge, server):
            for key, kind in KEYS.items():
                store.declare(key, kind)
            store.upsert(POINTS)
        yield Stores(edge, server)


@given(condition=conditions)
@example(condition=Between(key="year", below=2023.5))
@example(condition=Between(key="year", at_least=2020.5, below=2020.75))
@settings(max_examples=150)
def test_every_condition_selects_the_same_points_everywhere(stores: Stores, condition: Condition) -> None:
    allowed = {point.id for point in POINTS if holds(condition, point.payload)}
    for store in stores:
        assert store.count(condition) == len(allowed)
        assert {each.id for each in store.dense(QUERY.dense, limit=400, condition=condition)} == allowed
        assert {each.id for each in store.sparse(QUERY.sparse, limit=400, condition=condition)} == allowed & SHARING


_places = st.lists(st.integers(0, len(POINTS) - 1), min_size=1, max_size=40, unique=True)
_payloads = st.fixed_dictionaries(
    {},
    optional={
        "principals": st.lists(st.sampled_from(["ann", "bob"]), max_size=2, unique=True),
        "product": st.sampled_from(["kettle", "lamp"]),
        "year": st.integers(1990, 2030),
        "price": st.floats(0, 100, width=32),
        "in_stock": st.booleans(),
    },
)
_steps: st.SearchStrategy[tuple[str, list[int], dict[str, Any]]] = st.one_of(
    st.tuples(st.just("upsert"), _places, st.just({})),
    st.tuples(st.just("delete"), _places, st.just({})),
    st.tuples(st.just("set_payload"), _places, _payloads),
)


@pytest.fixture(scope="module")
def emptied(qdrant_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    url = f"qdrant://{qdrant_server}/histories-{uuid.uuid4()}"
    edge = EdgeStore(tmp_path_factory.mktemp("histories") / "shard", dimension=DIMENSION, create=True)
    with edge, QdrantStore(url, dimension=DIMENSION) as server:
        for store in (edge, server):
            for key, kind in KEYS.items():
                store.declare(key, kind)
        yield Stores(edge, server)


@given(history=st.lists(_steps, max_size=6))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_history_leaves_the_same_points(
    emptied: Stores, history: list[tuple[str, list[int], dict[str, Any]]]
) -> None:
    expected: dict[str, Point] = {}
    for store in emptied:
        store.delete(list(store.ids()))
    for step, places, payload in history:
        some = [POINTS[place] for place in places]
        for store in emptied:
            _take(store, step, some, payload)
        for point in some:
            if step == "upsert":
                expected[point.id] = point
            elif step == "delete":
                expected.pop(point.id, None)
            elif point.id in expected:
                before = expected[point.id]
                expected[point.id] = Point(before.id, before.dense, before.sparse, {**before.payload, **payload})
    for store in emptied:
        assert sorted(store.ids()) == sorted(expected)
        assert same_points(store.points(list(expected)), list(expected.values()))


def _take(store: VectorStore, step: str, some: list[Point], payload: dict[str, Any]) -> None:
    match step:
        case "upsert":
            store.upsert(some)
        case "delete":
            store.delete([point.id for point in some])
        case _:
            store.set_payload([point.id for point in some], payload)
