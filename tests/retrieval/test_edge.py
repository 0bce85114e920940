"""The embedded store: the contract, and what only a store in a folder can get wrong."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grounded.errors import (
    EmbedderMismatchError,
    KnowledgeBaseLockedError,
    KnowledgeBaseNotFoundError,
    SchemaError,
    StoreError,
)
from grounded.protocols import Point, SparseVector
from grounded.records import AllOf, AnyOf, Condition, Not, Viewer
from grounded.retrieval import compacting, edge
from grounded.retrieval.edge import EdgeStore
from grounded.retrieval.engine import GROWTH_BYTES
from grounded.retrieval.filters import visible_to
from grounded.testing.points import KEYS, holds, make_points
from grounded.testing.stores import StoreContract

ROOT = Path(__file__).parents[2]


class DiskUsage(NamedTuple):
    total: int
    used: int
    free: int


OPEN_IT = """
import sys
from pathlib import Path
from grounded.errors import KnowledgeBaseLockedError
from grounded.retrieval.edge import EdgeStore
try:
    store = EdgeStore(Path(sys.argv[1]), dimension=8, create=False)
except KnowledgeBaseLockedError as error:
    print("held by", error.pid)
else:
    print("opened", store.count(), flush=True)
    if len(sys.argv) > 2:
        sys.stdin.read()
"""


class TestEdgeContract(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[EdgeStore]:
        with EdgeStore(tmp_path / "shard", dimension=self.dimension, create=True) as store:
            yield store


def _filled(path: Path, count: int = 50) -> EdgeStore:
    store = EdgeStore(path, dimension=8, create=True)
    for key, kind in KEYS.items():
        store.declare(key, kind)
    store.upsert(make_points(count, 8))
    return store


def test_a_second_process_is_refused_and_the_first_is_unharmed(tmp_path: Path) -> None:
    store = _filled(tmp_path / "shard")
    store.flush()
    for _ in range(3):
        second = subprocess.run(
            [sys.executable, "-c", OPEN_IT, str(tmp_path / "shard")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert second.stdout == f"held by {os.getpid()}\n"
        store.upsert(make_points(70, 8, seed=1))
        store.set_payload([next(store.ids())], {"product": "lamp"})
        store.flush()
    store.close()
    with EdgeStore(tmp_path / "shard", dimension=8, create=False) as again:
        assert again.count() == 120


def test_the_holder_in_another_process_is_named_until_it_ends(tmp_path: Path) -> None:
    _filled(tmp_path / "shard").close()
    command = [sys.executable, "-c", OPEN_IT, str(tmp_path / "shard"), "stay"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "opened 50\n"
        with pytest.raises(KnowledgeBaseLockedError, match=str(holder.pid)) as caught:
            EdgeStore(tmp_path / "shard", dimension=8, create=False)
        assert caught.value.pid == holder.pid
        holder.kill()
    with EdgeStore(tmp_path / "shard", dimension=8, create=False) as store:
        assert store.count() == 50


def test_this_process_is_refused_a_second_opening_too(tmp_path: Path) -> None:
    store = _filled(tmp_path / "shard")
    with pytest.raises(KnowledgeBaseLockedError, match="this process"):
        EdgeStore(tmp_path / "shard", dimension=8, create=True)
    store.upsert(make_points(10, 8, seed=2))
    store.close()
    with EdgeStore(tmp_path / "shard", dimension=8, create=True) as again:
        assert again.count() == 60


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    points = make_points(50, 8)
    store = _filled(tmp_path / "shard")
    # Deleted points leave no trace in what is found or how it scores.
    passing = make_points(30, 8, seed=40)
    store.upsert(passing)
    store.delete([point.id for point in passing])
    nearest, best = store.dense(points[0].dense, limit=50), store.sparse(points[0].sparse, limit=50)
    store.close()
    with EdgeStore(tmp_path / "shard", dimension=8, create=False) as again:
        assert sorted(again.ids()) == sorted(point.id for point in points)
        assert again.dense(points[0].dense, limit=50) == nearest
        assert again.sparse(points[0].sparse, limit=50) == best
        # Declared keys are known without declaring them again.
        again.upsert([Point(points[0].id, points[0].dense, points[0].sparse, {"year": 1234, "odd.key [0]": "z"})])
        assert again.count(AnyOf(key="year", values=(1234,))) == 1
        assert again.count(AnyOf(key="odd.key [0]", values=("z",))) == 1


def test_refused_points_do_not_come_back(tmp_path: Path) -> None:
    store = _filled(tmp_path / "shard")
    good, bad = make_points(2, 8, seed=5)
    with pytest.raises(StoreError):
        store.upsert([good, Point(bad.id, bad.dense[:5], bad.sparse, {})])
    with pytest.raises(StoreError):
        store.upsert([good, Point(bad.id, bad.dense, SparseVector((3,), (np.nan,)), {})])
    store.set_payload([bad.id], {"year": 1})
    store.close()
    with EdgeStore(tmp_path / "shard", dimension=8, create=False) as again:
        assert again.count() == 50
        assert again.existing([good.id, bad.id]) == set()


def test_only_create_makes_a_store(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeBaseNotFoundError):
        EdgeStore(tmp_path / "shard", dimension=8, create=False)
    assert not (tmp_path / "shard").exists()


def test_another_dimension_is_named(tmp_path: Path) -> None:
    _filled(tmp_path / "shard").close()
    with pytest.raises(EmbedderMismatchError, match=r"dimension 8, not 16"):
        EdgeStore(tmp_path / "shard", dimension=16, create=True)
    with EdgeStore(tmp_path / "shard", dimension=8, create=False) as store:
        assert store.count() == 50


@pytest.mark.parametrize("content", ["", "[]", '{"layout": 1}', '{"layout": 99, "dimension": 8}'])
def test_a_damaged_or_newer_description_is_refused(tmp_path: Path, content: str) -> None:
    _filled(tmp_path / "shard").close()
    (tmp_path / "shard" / "shard" / "store.json").write_text(content)
    with pytest.raises(SchemaError):
        EdgeStore(tmp_path / "shard", dimension=8, create=True)


def test_a_store_that_was_half_made_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / "shard" / "shard.new" / "segments"
    half.mkdir(parents=True)
    (half / "rubbish").write_text("x")
    with _filled(tmp_path / "shard", 3) as store:
        assert store.count() == 3
    assert not (tmp_path / "shard" / "shard.new").exists()


def test_damaged_files_are_a_store_error(tmp_path: Path) -> None:
    _filled(tmp_path / "shard").close()
    (tmp_path / "shard" / "shard" / "edge_config.json").write_text("{")
    with pytest.raises(StoreError):
        EdgeStore(tmp_path / "shard", dimension=8, create=False)
    # The failed opening let go of the lock.
    with pytest.raises(StoreError):
        EdgeStore(tmp_path / "shard", dimension=8, create=False)


def test_a_full_disk_is_named_before_the_engine_meets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine would end the process with a bus error."""
    total, used, _ = shutil.disk_usage(tmp_path)
    store = _filled(tmp_path / "shard")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DiskUsage(total, used, GROWTH_BYTES - 1))
    with pytest.raises(StoreError, match="disk is full"):
        store.upsert(make_points(60, 8, seed=4))
    store.delete([next(store.ids())])
    store.close()
    monkeypatch.undo()
    with EdgeStore(tmp_path / "shard", dimension=8, create=False) as again:
        assert again.count() == 49


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    previous = os.umask(0o000)
    try:
        _filled(tmp_path / "shard").close()
    finally:
        os.umask(previous)
    for path in [tmp_path / "shard", *(tmp_path / "shard").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_is_refused_and_does_not_take_the_lock(tmp_path: Path) -> None:
    store = _filled(tmp_path / "shard")
    child = os.fork()
    if child == 0:
        try:
            store.count()
        except StoreError:
            store.close()
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    with pytest.raises(KnowledgeBaseLockedError):
        EdgeStore(tmp_path / "shard", dimension=8, create=False)
    store.upsert(make_points(5, 8, seed=8))
    store.close()


def test_threads_may_share_it(tmp_path: Path) -> None:
    errors: list[BaseException] = []
    batches = [make_points(40, 8, seed=seed) for seed in range(10, 14)]

    def write(batch: list[Point]) -> None:
        try:
            for point in batch:
                store.upsert([point])
                assert store.dense(point.dense, limit=1)[0].score == pytest.approx(1, abs=1e-5)
            list(store.ids())
        except BaseException as error:  # noqa: BLE001  # handed to the test
            errors.append(error)

    with EdgeStore(tmp_path / "shard", dimension=8, create=True) as store:
        for key, kind in KEYS.items():
            store.declare(key, kind)
        threads = [threading.Thread(target=write, args=(batch,)) for batch in batches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert store.count() == 160


# -- what all points meet is not compared ------------------------------------------------------------------------------

VISIBLE: tuple[Condition, ...] = (
    visible_to(Viewer(tenant="a")),
    visible_to(Viewer(tenant="b", principals=("ann",))),
    AllOf(conditions=(visible_to(Viewer(tenant="a")), AnyOf(key="source", values=("files",)))),
    Not(condition=visible_to(Viewer(tenant="a"))),
    AnyOf(key="tenant", values=(True,)),
)
_payloads = st.fixed_dictionaries(
    {},
    optional={
        "tenant": st.sampled_from(["a", "a", "a", "b", ["a"], ["a", "b"], []]),
        "principals": st.sampled_from([[], [], ["ann"], ["bob", "staff"]]),
        "source": st.sampled_from(["files", "mail"]),
    },
)
_some = st.integers(0, 11)
_steps = st.one_of(
    st.tuples(st.just("write"), st.lists(st.tuples(_some, _payloads), min_size=1, max_size=4)),
    st.tuples(st.just("change"), st.tuples(_some, _payloads)),
    st.tuples(st.just("delete"), st.lists(_some, min_size=1, max_size=3)),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(_steps, min_size=1, max_size=12), st.sampled_from(VISIBLE))
def test_every_search_is_that_of_a_store_that_compares_everything(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, Any]], condition: Condition
) -> None:
    """Whatever was written, and whether all points met the condition before or not."""
    folder, points = tmp_path_factory.mktemp("store") / "shard", make_points(12, 8)
    there: dict[str, dict[str, Any]] = {}
    meets: set[str] = set()
    store = EdgeStore(folder, dimension=8, create=True)
    for step, what in steps:
        if step == "write":
            batch = [
                Point(points[number].id, points[number].dense, points[number].sparse, said) for number, said in what
            ]
            store.upsert(batch)
            there.update((point.id, dict(point.payload)) for point in batch)
        elif step == "change":
            identity, said = points[what[0]].id, what[1]
            store.set_payload([identity], said)
            if identity in there:
                there[identity] |= said
        else:
            store.delete([points[number].id for number in what])
            for number in what:
                there.pop(points[number].id, None)
        meets = {identity for identity, payload in there.items() if holds(condition, payload)}
        assert {each.id for each in store.dense(points[0].dense, limit=50, condition=condition)} == meets
        assert store.count(condition) == len(meets)
    words = store.sparse(points[0].sparse, limit=50, condition=condition)
    store.close()
    with EdgeStore(folder, dimension=8, create=False) as again:
        found = {each.id: each.score for each in again.sparse(points[0].sparse, limit=50, condition=condition)}
        # Rounded otherwise when the engine comes to them another way.
        assert found == pytest.approx({each.id: each.score for each in words}, rel=1e-5)
        assert again.count(condition) == len(meets)


# -- what was deleted is let go of ------------------------------------------------------------------------------------


def _of(path: Path) -> EdgeStore:
    store = EdgeStore(path, dimension=8, create=True)
    for key, kind in KEYS.items():
        store.declare(key, kind)
    return store


@pytest.mark.parametrize("left", [3, 60], ids=["rewritten", "opened anew"])
def test_a_store_of_many_deletions_answers_as_one_that_never_had_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    monkeypatch.setattr(edge, "GONE_POINTS", 40)
    points = make_points(left + 80, dimension=8, seed=7)
    kept = points[80:]
    with _of(tmp_path / "one") as store, _of(tmp_path / "other") as other:
        store.upsert(points)
        before = store._shard
        store.delete([point.id for point in points[:80]])
        store.flush()
        assert store._shard is not before
        other.upsert(kept)
        assert set(store.ids()) == set(other.ids()) == {point.id for point in kept}
        for point in kept[:3]:
            for one, two in (
                (store.dense(point.dense, limit=5), other.dense(point.dense, limit=5)),
                (store.sparse(point.sparse, limit=5), other.sparse(point.sparse, limit=5)),
            ):
                assert [found.id for found in one] == [found.id for found in two]
                assert [found.score for found in one] == pytest.approx([found.score for found in two])


def test_few_deletions_reopen_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "GONE_POINTS", 40)
    points = make_points(200, dimension=8, seed=7)
    with _of(tmp_path / "shard") as store:
        store.upsert(points)
        before = store._shard
        store.delete([point.id for point in points[:50]])
        store.flush()
        assert store._shard is before


def test_a_copy_that_failed_leaves_nothing_in_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = make_points(30, dimension=8, seed=7)
    with _of(tmp_path / "shard") as store:
        store.upsert(points)
        read, portions = store.points, iter(range(3))

        def failing(ids: Sequence[str]) -> list[Point]:
            if next(portions) == 2:
                raise StoreError("It broke.")
            return read(ids)

        monkeypatch.setattr(store, "points", failing)
        monkeypatch.setattr(compacting, "BATCH_POINTS", 10)
        with pytest.raises(StoreError, match="broke"):
            store.compact()
        monkeypatch.undo()
        store.delete([point.id for point in points[:10]])
        store.compact()
        assert set(store.ids()) == {point.id for point in points[10:]}


def test_a_store_that_cannot_be_rewritten_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "GONE_POINTS", 40)
    points = make_points(60, dimension=8, seed=7)
    with _of(tmp_path / "shard") as store:
        store.upsert(points)
        store.delete([point.id for point in points[:50]])
        total, used, _ = shutil.disk_usage(tmp_path)
        with monkeypatch.context() as full:
            # Enough to go on, not enough for a copy.
            full.setattr(shutil, "disk_usage", lambda _: DiskUsage(total, used, GROWTH_BYTES - 1))
            store.flush()
        assert set(store.ids()) == {point.id for point in points[50:]}
        store.upsert(points[:1])
        store.flush()
        assert store.count() == 11
    with EdgeStore(tmp_path / "shard", dimension=8, create=False) as again:
        assert again.count() == 11
