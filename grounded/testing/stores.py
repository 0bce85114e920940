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

LIMITS = (0, 1, 10, 400)
"""How many points to ask for: none, some, more than there are."""


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


def holds_count(condition: Condition, points: Sequence[Point]) -> int:
    """For how many points a condition holds."""
    return sum(holds(condition, point.payload) for point in points)


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


def _unit(dimension: int) -> Any:
    vector = np.zeros(dimension, dtype=np.float32)
    vector[0] = 1
    return vector


def _values(payload: Mapping[str, Any], key: str) -> list[Any]:
    value = payload.get(key, [])
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _same(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
