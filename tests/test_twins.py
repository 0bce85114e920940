"""Everything public has an asynchronous twin with the same arguments and answers, and says who may share it."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest

import grounded
from grounded import KnowledgeBase
from grounded.errors import GroundedError
from grounded.pipeline.attaching import Attached
from grounded.records import Record
from grounded.twins import twin
from tests.ingestion.support import HashEmbedder

NO_TWIN = {
    "llm": "makes an object",
    "rewriter": "makes an object",
    "connector": "makes an object",
    "watch": "works in threads of its own",
    "verify_stream": "takes asynchronous pieces itself",
}
"""Public functions without a twin, and why."""


def _methods(kind: type) -> dict[str, Any]:
    members = inspect.getmembers(kind, callable)
    return {name: each for name, each in members if not name.startswith("_")}


def _pairs() -> Iterator[tuple[str, Any, Any]]:
    for kind in (KnowledgeBase, Attached):
        methods = _methods(kind)
        for name, method in methods.items():
            if not inspect.iscoroutinefunction(method) and not inspect.isasyncgenfunction(method):
                yield f"{kind.__name__}.{name}", method, methods.get(f"a{name}")
    for name in grounded.__all__:
        value = getattr(grounded, name)
        if inspect.isfunction(value) and not inspect.iscoroutinefunction(value) and name not in NO_TWIN:
            yield name, value, getattr(grounded, f"a{name}", None)


@pytest.mark.parametrize(
    ("name", "method", "other"), list(_pairs()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_public_function_has_a_twin_with_its_arguments(name: str, method: Any, other: Any) -> None:
    assert other is not None, f"{name} has no twin a{name.rpartition('.')[2]}"
    assert inspect.iscoroutinefunction(other) or inspect.isasyncgenfunction(other)
    assert inspect.signature(other).parameters.keys() == inspect.signature(method).parameters.keys()
    ours, theirs = inspect.signature(method).parameters, inspect.signature(other).parameters
    for key in ours:
        assert (ours[key].kind, ours[key].default) == (theirs[key].kind, theirs[key].default)
    assert other.__doc__


def _public_classes() -> Iterator[type]:
    """What the package and its rooms export, and what joins them, without values, errors and shapes of arguments."""
    seen = set()
    modules = [m.name for m in pkgutil.iter_modules(grounded.__path__, "grounded.") if not m.name.endswith("__main__")]
    for name in ("grounded", *modules):
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            value = getattr(module, public)
            if inspect.isclass(value) and value.__module__.startswith("grounded"):
                seen.add(value)
    from grounded.models.embedder import OnnxEmbedder
    from grounded.retrieval.edge import EdgeStore
    from grounded.retrieval.foreign import ForeignCollection
    from grounded.retrieval.qdrant import QdrantStore

    yield from sorted({*seen, Attached, EdgeStore, QdrantStore, ForeignCollection, OnnxEmbedder}, key=str)


def _is_value(kind: type) -> bool:
    is_shape = hasattr(kind, "__total__") or hasattr(kind, "_fields") or getattr(kind, "_is_protocol", False)
    frozen = is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]  # set by dataclass
    return is_shape or frozen or issubclass(kind, (Record, GroundedError))


@pytest.mark.parametrize("kind", list(_public_classes()), ids=lambda kind: kind.__qualname__)
def test_every_public_class_says_whether_threads_may_share_it(kind: type) -> None:
    if not _is_value(kind):
        assert "thread" in (kind.__doc__ or "").lower(), f"{kind.__module__}.{kind.__name__}"


def test_twins_give_the_same_answers(tmp_path: Path) -> None:
    documents = [{"key": f"{n}", "text": f"Rule {n}: the fee is {n} euros."} for n in range(20)]

    async def asynchronous() -> list[Any]:
        kb = await KnowledgeBase.aopen(tmp_path / "two", create=True, embedder=HashEmbedder())
        report = await kb.aingest(documents)
        question = "What is the fee of rule 7?"
        results = [
            report.documents_added,
            [passage.text for passage in await kb.asearch(question, k=3)],
            (await kb.aprompt(question, nonce="abcd1234")).messages,
            (await kb.averify("The fee of rule 7 is 7 euros.")).groundedness,
            (await kb.aask(question)).outcome,
            (await kb.astatus()).points,
            (await kb.aanswers()),
            (await kb.abackup(tmp_path / "two.backup")).points,
            (await grounded.averify("The fee is 7 euros.", ["The fee is 7 euros."])).groundedness,
        ]
        await kb.aclose()
        return results

    with KnowledgeBase.open(tmp_path / "one", create=True, embedder=HashEmbedder()) as kb:
        question = "What is the fee of rule 7?"
        expected = [
            kb.ingest(documents).documents_added,
            [passage.text for passage in kb.search(question, k=3)],
            kb.prompt(question, nonce="abcd1234").messages,
            kb.verify("The fee of rule 7 is 7 euros.").groundedness,
            kb.ask(question).outcome,
            kb.status().points,
            kb.answers(),
            kb.backup(tmp_path / "one.backup").points,
            grounded.verify("The fee is 7 euros.", ["The fee is 7 euros."]).groundedness,
        ]
    assert asyncio.run(asynchronous()) == expected


def test_cancelling_a_twin_stops_at_the_next_border_and_keeps_what_is_done(tmp_path: Path) -> None:
    """Nothing runs on behind the caller, and the next ingest goes on from there."""
    documents = [{"key": f"{n}", "text": f"Rule {n}: the fee is {n} euros."} for n in range(3000)]

    async def stopped() -> int:
        with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=HashEmbedder()) as kb:
            begun = asyncio.Event()
            loop = asyncio.get_running_loop()

            def note(_: object) -> None:
                loop.call_soon_threadsafe(begun.set)

            task = asyncio.create_task(kb.aingest(documents, progress=note))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            before = kb.status().documents
            assert not kb.status().drifted
            assert before < 3000
            assert kb.ingest(documents).documents_unchanged == before
            return kb.status().documents

    assert asyncio.run(stopped()) == 3000


def test_a_caller_of_a_twin_may_still_give_its_own_stop() -> None:
    def count(limit: int, *, cancel: Callable[[], bool] | None = None) -> tuple[int, int]:
        for number in range(limit):
            if cancel is not None and cancel():
                return number, threading.get_ident()
        return limit, threading.get_ident()

    number, thread = asyncio.run(twin(count)(10, cancel=lambda: True))
    assert number == 0
    assert thread != threading.get_ident()
    assert asyncio.run(twin(count)(10))[0] == 10
