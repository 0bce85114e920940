"""What every ``VectorStore`` promises, as tests.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self):
            with closing(MyStore(dimension=self.dimension)) as store:
                yield store

The answers are compared with an exhaustive search written here, in the plainest way, ties aside.
"""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from grounded.errors import StoreError, UnknownNameError, UsageError
from grounded.protocols import Point, Scored, SparseVector, VectorStore
from grounded.records import Absent, AllOf, AnyOf
from grounded.retrieval.points import same_points
from grounded.testing.points import (
    CONDITIONS,
    KEYS,
    holds,
    holds_count,
    inverse_document_frequencies,
    make_points,
)

LIMITS = (0, 1, 10, 400)
"""How many points to ask for: none, some, more than there are."""


class StoreContract:
    """Tests for an implementation of ``VectorStore``; override ``store`` with a fixture that yields an empty one.

    The store must be made for vectors of length ``dimension``.
    """

    dimension = 8

    @pytest.fixture
    def store(self) -> VectorStore:
        """An empty store of the implementation under test."""
        raise NotImplementedError("override the fixture 'store'")

    @pytest.fixture
    def points(self) -> list[Point]:
        """What the filled store holds."""
        return make_points(300, self.dimension)

    @pytest.fixture
    def filled(self, store: VectorStore, points: list[Point]) -> VectorStore:
        """The store with ``points``."""
        for key, kind in KEYS.items():
            store.declare(key, kind)
        store.upsert(points)
        return store

    def test_a_new_store_is_empty(self, store: VectorStore) -> None:
        """Nothing is found where nothing is."""
        assert store.count() == 0
        assert list(store.ids()) == []
        assert store.dense(_unit(self.dimension), limit=5) == []
        assert store.sparse(SparseVector((1,), (1.0,)), limit=5) == []

    def test_written_points_are_found_at_once(self, filled: VectorStore, points: list[Point]) -> None:
        """An acknowledged write is found by the next call."""
        unknown = str(uuid.UUID(int=1))
        assert filled.count() == len(points)
        assert sorted(filled.ids()) == sorted(point.id for point in points)
        assert filled.existing([points[3].id, unknown, points[3].id]) == {points[3].id}
        assert filled.existing([]) == set()
        filled.flush()
        assert filled.count() == len(points)

    def test_points_come_back_whole(self, filled: VectorStore, points: list[Point]) -> None:
        """Vectors, words and payload as they were written; unknown ids are left out."""
        wanted = [point.id for point in points]
        assert same_points(filled.points([*wanted, str(uuid.UUID(int=1)), wanted[0]]), points)
        assert filled.points([]) == []
        with pytest.raises(StoreError):
            filled.points(["not-a-uuid"])

    def test_writing_again_replaces(self, filled: VectorStore, points: list[Point]) -> None:
        """An id is there once, with its last content; payload keys that are gone are gone."""
        changed = Point(points[0].id, _unit(self.dimension), SparseVector((7,), (1.0,)), {"tenant": "z"})
        filled.upsert([points[0], changed])
        assert filled.count() == len(points)
        assert filled.count(AnyOf(key="tenant", values=("z",))) == 1
        assert filled.count(AllOf(conditions=(AnyOf(key="tenant", values=("z",)), Absent(key="source")))) == 1
        assert filled.dense(_unit(self.dimension), limit=1)[0].id == points[0].id
        assert filled.sparse(SparseVector((7,), (1.0,)), limit=5)[0].id == points[0].id
        filled.upsert([Point(points[0].id, _unit(self.dimension), SparseVector((), ()), {})])
        assert filled.sparse(SparseVector((7,), (1.0,)), limit=5) == []

    def test_deleted_points_are_gone(self, filled: VectorStore, points: list[Point]) -> None:
        """Deleting what is not there is no error."""
        gone = [point.id for point in points[:50]]
        filled.delete([*gone, str(uuid.UUID(int=1))])
        filled.delete(gone)
        filled.delete([])
        assert sorted(filled.ids()) == sorted(point.id for point in points[50:])
        assert filled.existing(gone) == set()
        found = filled.dense(points[0].dense, limit=len(points))
        assert {each.id for each in found} == {point.id for point in points[50:]}

    def test_set_payload_replaces_the_given_keys_only(self, filled: VectorStore, points: list[Point]) -> None:
        """Other keys and the vectors stay; unknown ids are ignored and do not come into being."""
        some = [point.id for point in points[:10]]
        kept = holds_count(AnyOf(key="product", values=("kettle",)), points)
        filled.set_payload([*some, str(uuid.UUID(int=1))], {"principals": ["eve"], "year": 1900})
        assert filled.count() == len(points)
        assert filled.count(AnyOf(key="principals", values=("eve",))) == 10
        assert filled.count(AnyOf(key="year", values=(1900,))) == 10
        assert filled.count(AnyOf(key="product", values=("kettle",))) == kept
        filled.set_payload(some, {"principals": [], "year": []})
        assert filled.count(AnyOf(key="principals", values=("eve",))) == 0
        assert filled.count(AnyOf(key="year", values=(1900,))) == 0
        assert filled.dense(points[0].dense, limit=1)[0].score == pytest.approx(1.0, abs=1e-5)

    def test_conditions_mean_what_they_say(self, filled: VectorStore, points: list[Point]) -> None:
        """Counting and both searches agree with the plain reading of each condition."""
        query = make_points(1, self.dimension, seed=7)[0]
        sharing = _sharing(query.sparse, points)
        for condition in CONDITIONS:
            allowed = {point.id for point in points if holds(condition, point.payload)}
            assert filled.count(condition) == len(allowed), condition
            dense = filled.dense(query.dense, limit=400, condition=condition)
            assert {each.id for each in dense} == allowed, condition
            sparse = filled.sparse(query.sparse, limit=400, condition=condition)
            assert {each.id for each in sparse} == allowed & sharing, condition

    def test_dense_search_is_exhaustive(self, filled: VectorStore, points: list[Point]) -> None:
        """The nearest by cosine similarity, none missed, ties by id."""
        for query in make_points(5, self.dimension, seed=3):
            scores = {point.id: float(point.dense @ query.dense) for point in points}
            for limit in LIMITS:
                _assert_best(filled.dense(query.dense * 3, limit=limit), scores, limit)

    def test_sparse_search_weighs_rare_terms(self, filled: VectorStore, points: list[Point]) -> None:
        """Inner product times inverse document frequency; points without a common term are not found."""
        rarity = inverse_document_frequencies(points)
        for query in make_points(5, self.dimension, seed=5):
            scores = {}
            for point in points:
                terms = dict(zip(point.sparse.indices, point.sparse.values, strict=True))
                pairs = zip(query.sparse.indices, query.sparse.values, strict=True)
                shared = [value * terms[index] * rarity[index] for index, value in pairs if index in terms]
                if shared:
                    scores[point.id] = sum(shared)
            for limit in LIMITS:
                _assert_best(filled.sparse(query.sparse, limit=limit), scores, limit)

    def test_an_empty_sparse_query_finds_nothing(self, filled: VectorStore) -> None:
        """A question of function words only is no error."""
        assert filled.sparse(SparseVector((), ()), limit=5) == []

    def test_ties_are_broken_by_id(self, store: VectorStore) -> None:
        """Also for the last place, where an engine would keep any."""
        same = SparseVector((1,), (1.0,))
        identities = sorted(str(uuid.UUID(int=random.Random(n).getrandbits(128))) for n in range(40))
        store.upsert([Point(each, _unit(self.dimension), same, {}) for each in reversed(identities)])
        assert [each.id for each in store.dense(_unit(self.dimension), limit=5)] == identities[:5]
        assert [each.id for each in store.sparse(same, limit=5)] == identities[:5]

    def test_malformed_points_are_refused_whole(self, filled: VectorStore, points: list[Point]) -> None:
        """One bad point in a batch and none is written, however it is bad."""
        good = make_points(1, self.dimension, seed=99)[0]
        for bad in _malformed(good, self.dimension):
            with pytest.raises(StoreError):
                filled.upsert([good, bad])
        assert filled.count() == len(points)

    def test_malformed_calls_are_refused(self, filled: VectorStore, points: list[Point]) -> None:
        """Queries, ids and payloads are checked as points are."""
        with pytest.raises(StoreError):
            filled.dense(_unit(self.dimension + 1), limit=1)
        with pytest.raises(StoreError):
            filled.dense(np.full(self.dimension, np.nan, dtype=np.float32), limit=1)
        with pytest.raises(StoreError):
            filled.sparse(SparseVector((2, 1), (1.0, 1.0)), limit=1)
        with pytest.raises(StoreError):
            filled.delete(["not-a-uuid"])
        with pytest.raises(StoreError):
            filled.existing([points[0].id.upper().replace("-", "")])
        for payload in ({"year": "2024"}, {"undeclared": "x"}, {"product": None}, {"year": True}):
            with pytest.raises(StoreError):
                filled.set_payload([points[0].id], payload)

    def test_only_declared_keys_can_be_asked_for(self, filled: VectorStore) -> None:
        """A misspelt key is an error that lists the declared ones, never an empty answer."""
        with pytest.raises(UnknownNameError) as caught:
            filled.count(AnyOf(key="prodcut", values=("kettle",)))
        assert set(KEYS) <= set(caught.value.known)

    def test_declaring_again_changes_nothing(self, filled: VectorStore, points: list[Point]) -> None:
        """Another kind, a reserved name or an unusable one is refused."""
        filled.declare("product", "keyword")
        for key, kind in (("product", "integer"), ("tenant", "bool"), ("", "keyword"), ('a"b', "keyword")):
            with pytest.raises(UsageError):
                filled.declare(key, kind)  # type: ignore[arg-type]  # the kinds of a mixed tuple widen to str
        assert filled.count() == len(points)

    def test_a_key_may_be_declared_late(self, filled: VectorStore, points: list[Point]) -> None:
        """Points written before have no value for it; they can be given one."""
        filled.declare("colour", "keyword")
        assert filled.count(Absent(key="colour")) == len(points)
        filled.set_payload([points[0].id], {"colour": "red"})
        assert filled.count(AnyOf(key="colour", values=("red",))) == 1

    def test_a_closed_store_refuses(self, filled: VectorStore, points: list[Point]) -> None:
        """Closing twice is allowed, using afterwards is not."""
        filled.close()
        filled.close()
        with pytest.raises(StoreError):
            filled.count()
        with pytest.raises(StoreError):
            filled.upsert(points[:1])
        with pytest.raises(StoreError):
            filled.flush()


def _assert_best(found: Sequence[Scored], scores: Mapping[str, float], limit: int) -> None:
    best = sorted(scores.values(), reverse=True)[:limit]
    assert [each.score for each in found] == pytest.approx(best, abs=1e-4)
    assert [each.score for each in found] == pytest.approx([scores[each.id] for each in found], abs=1e-4)
    assert list(found) == sorted(found, key=lambda each: (-each.score, each.id))
    assert len({each.id for each in found}) == len(found)


def _sharing(query: SparseVector, points: Sequence[Point]) -> set[str]:
    return {point.id for point in points if set(point.sparse.indices) & set(query.indices)}


def _malformed(good: Point, dimension: int) -> list[Point]:
    spoilt = good.dense.copy()
    spoilt[1] = np.nan
    vectors = [_unit(dimension + 1), spoilt, good.dense * 2, np.zeros(dimension, np.float32), good.dense[None, :]]
    sparse = [
        SparseVector((1, 1), (1.0, 1.0)),
        SparseVector((1,), ()),
        SparseVector((-1,), (1.0,)),
        SparseVector((2**32,), (1.0,)),
        SparseVector((1,), (math.inf,)),
    ]
    payloads: list[dict[str, Any]] = [
        {"text": "never in a store"},
        {"tenant": 1},
        {"tenant": "\ud800"},
        {"principals": [["nested"]]},
        {"product": None},
        {"year": 1.5},
        {"year": 2**63},
        {"price": math.nan},
        {"price": True},
        {"in_stock": 1},
    ]
    identity = str(uuid.UUID(int=2))
    return [
        *(
            Point(bad, good.dense, good.sparse, {})
            for bad in ("", "doc-1#0", identity.upper() + "0", "{" + identity + "}")
        ),
        *(Point(identity, vector, good.sparse, {}) for vector in vectors),
        *(Point(identity, good.dense, vector, {}) for vector in sparse),
        *(Point(identity, good.dense, good.sparse, payload) for payload in payloads),
    ]


def _unit(dimension: int) -> Any:
    vector = np.zeros(dimension, dtype=np.float32)
    vector[0] = 1
    return vector
