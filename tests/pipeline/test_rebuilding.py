"""Another embedding model for a knowledge base: beside the old index, while it is used, stopped and killed."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from grounded import KnowledgeBase, rebuild
from grounded.errors import EmbedderMismatchError, KnowledgeBaseLockedError, ProviderError, UsageError
from grounded.pipeline.opening import REBUILD_MARK
from grounded.retrieval.edge import EdgeStore
from grounded.settings import KnowledgeBaseSettings
from tests.ingestion.support import HashEmbedder

if TYPE_CHECKING:
    from grounded.protocols import Vector

ROOT = Path(__file__).parents[2]
DOCUMENTS = 700


class Words(HashEmbedder):
    """Counts words into a few places, so that a text is nearest to itself."""

    identity = "words-16"

    def embed_query(self, text: str) -> Vector:
        vector = np.full(self.dimension, 0.01, dtype=np.float32)
        for word in re.findall(r"\w+", f"{self.identity} {text}"):
            vector[zlib.crc32(word.encode()) % self.dimension] += 1
        return vector / np.linalg.norm(vector)


class Other(Words):
    """Vectors of another length. ``called`` when so many texts as ``at`` were embedded."""

    identity = "other-24"
    dimension = 24
    splitting = "words-16"

    def __init__(self, at: int = -1, called: Callable[[], None] | None = None, pause: float = 0.0) -> None:
        super().__init__()
        self._at, self._called, self._pause = at, called, pause

    def embed_documents(self, texts: Sequence[str]) -> Vector:
        time.sleep(self._pause)
        if self._called and len(self.texts) <= self._at < len(self.texts) + len(texts):
            self._called()
        return super().embed_documents(texts)


def documents(count: int = DOCUMENTS) -> list[dict[str, Any]]:
    """Articles, every second one for the staff; the last ten of 700 are old."""
    return [
        {
            "key": f"{n}",
            "text": f"Article {n} costs {n * 3} euros.",
            "principals": ["staff"] if n % 2 else [],
            "metadata": {"year": 1990 if DOCUMENTS - 10 <= n < DOCUMENTS else 2020},
        }
        for n in range(count)
    ]


def made(folder: Path, count: int = DOCUMENTS) -> Path:
    with KnowledgeBase.open(folder, create=True, embedder=Words()) as kb:
        assert kb.ingest(documents(count)).ok
    return folder


def texts(kb: KnowledgeBase, question: str, **reading: Any) -> list[str]:
    return [passage.text for passage in kb.search(question, **reading)]


def check(folder: Path, *, live: int = DOCUMENTS) -> None:
    """The knowledge base is whole and uses the new model only."""
    with KnowledgeBase.open(folder, embedder=Other()) as kb:
        status = kb.status()
        assert (status.embedder, status.dimension, status.points, status.chunks) == ("other-24", 24, live, live)
        (first, *_) = kb.search("Article 420 costs 1260 euros.")
        assert first.text == "Article 420 costs 1260 euros."
        assert kb.reconcile().agrees
    assert sorted(each.name for each in folder.glob("shard*")) == [KnowledgeBaseSettings.read(folder).shard]
    assert not (folder / REBUILD_MARK).exists()
    with pytest.raises(EmbedderMismatchError):
        KnowledgeBase.open(folder, embedder=Words())


def test_another_model_embeds_everything_once_and_is_switched_to(tmp_path: Path) -> None:
    folder, other = made(tmp_path / "kb"), Other()
    seen: list[tuple[int, int]] = []
    report = rebuild(folder, other, progress=lambda *step: seen.append(step))
    assert (report.source, report.target, report.points, report.embedded) == ("words-16", "other-24", 700, 700)
    assert report.switched
    assert not report.interrupted
    assert (report.found, report.long) == (0, 0)
    assert seen == [(256, 700), (512, 700), (700, 700)]
    assert len(other.texts) == len(set(other.texts)) == DOCUMENTS
    check(folder)
    with KnowledgeBase.open(folder, embedder=Other()) as kb:
        again = kb.ingest(documents())
        assert (again.documents_unchanged, again.chunks_embedded) == (DOCUMENTS, 0), "it cuts as the model before"
    with pytest.raises(UsageError, match="already"):
        rebuild(folder, Other())
    assert rebuild(folder, Words()).switched, "and back"


def test_a_rebuild_that_was_stopped_goes_on(tmp_path: Path) -> None:
    folder, first, second = made(tmp_path / "kb"), Other(), Other()
    report = rebuild(folder, first, cancel=lambda: len(first.texts) >= 300)
    assert (report.interrupted, report.switched, report.embedded) == (True, False, 512)
    with KnowledgeBase.open(folder, embedder=Words()) as kb:
        assert kb.search("Article 420 costs 1260 euros.")[0].text == "Article 420 costs 1260 euros."
        assert len(kb.forget(where={"year": 1990}, dry_run=False).documents) == 10
    report = rebuild(folder, second)
    assert (report.switched, report.found, report.embedded) == (True, 512, len(second.texts))
    assert len(second.texts) <= DOCUMENTS - 512
    check(folder, live=DOCUMENTS - 10)


def test_another_aim_begins_anew(tmp_path: Path) -> None:
    folder, first = made(tmp_path / "kb", 300), Other()
    rebuild(folder, first, cancel=lambda: len(first.texts) >= 200)

    class Third(Other):
        identity = "third-24"

    report = rebuild(folder, Third())
    assert (report.found, report.embedded, report.switched) == (0, 300, True)
    assert len(list(folder.glob("shard*"))) == 1


def test_a_model_that_fails_leaves_the_old_one_in_use(tmp_path: Path) -> None:
    folder = made(tmp_path / "kb")

    def fail() -> None:
        raise ProviderError("no credit left")

    with pytest.raises(ProviderError):
        rebuild(folder, Other(300, fail))
    with KnowledgeBase.open(folder, embedder=Words()) as kb:
        assert kb.search("Article 3 costs 9 euros.")
    assert rebuild(folder, Other()).found == 256
    check(folder)


def test_while_it_is_open_it_is_searched_and_ingested_into(tmp_path: Path) -> None:
    """What changed meanwhile is in the new index: texts, what is gone, and who may see what."""
    folder = made(tmp_path / "kb")
    with KnowledgeBase.open(folder, embedder=Words()) as kb:

        def meanwhile() -> None:
            assert kb.status().embedder == "words-16"
            assert kb.search("Article 420 costs 1260 euros.")[0].text == "Article 420 costs 1260 euros."
            assert len(kb.forget(where={"year": 1990}, dry_run=False).documents) == 10
            changed = documents(DOCUMENTS - 10)
            changed[0]["text"] = "Article zero is free."
            changed[2]["principals"] = ["staff"]
            assert kb.ingest(changed).ok

        stop = threading.Event()
        found: set[str] = set()
        began = threading.Barrier(4)

        def search() -> None:
            began.wait()
            while not stop.is_set():
                found.add(kb.search("Article 420 costs 1260 euros.", k=1)[0].text)

        searching = [threading.Thread(target=search) for _ in range(3)]
        for each in searching:
            each.start()
        began.wait()
        try:
            report = kb.rebuild(Other(300, meanwhile))
        finally:
            stop.set()
            for each in searching:
                each.join()
        assert found == {"Article 420 costs 1260 euros."}, "and no thread failed: pytest would say so"
        assert report.switched
        status = kb.status()
        assert (status.embedder, status.points) == ("other-24", DOCUMENTS - 10)
        assert "Article zero is free." in texts(kb, "Article zero is free.")
        assert "Article 2 costs 6 euros." not in texts(kb, "Article 2 costs 6 euros.")
        assert "Article 2 costs 6 euros." in texts(kb, "Article 2 costs 6 euros.", principals=["staff"])
        assert kb.ingest([{"key": "new", "text": "A new article."}]).documents_added == 1
        assert "A new article." in texts(kb, "A new article.")
    with KnowledgeBase.open(folder, embedder=Other()) as kb:
        assert kb.reconcile().agrees


def test_an_ingest_that_waits_for_the_switch_writes_to_the_new_index(tmp_path: Path) -> None:
    folder = made(tmp_path / "kb", 40)
    with KnowledgeBase.open(folder, embedder=Words()) as kb:
        late = threading.Thread(target=lambda: kb.ingest([{"key": "late", "text": "A late article."}]))
        with kb._ledger.writer():
            late.start()
            assert kb.rebuild(Other()).switched
        late.join()
        assert kb.search("A late article.")[0].text == "A late article."
        assert kb.reconcile().agrees
        assert {point.dense.shape for point in kb._store.points(list(kb._store.ids()))} == {(24,)}


def test_a_process_that_has_it_open_goes_on_and_is_waited_for(tmp_path: Path) -> None:
    folder = made(tmp_path / "kb", 40)
    with KnowledgeBase.open(folder, embedder=Words()) as kb:
        with pytest.raises(KnowledgeBaseLockedError):
            rebuild(folder, Other())
        assert kb.search("Article 3 costs 9 euros.", principals=["staff"])[0].text == "Article 3 costs 9 euros."
    report = rebuild(folder, Other())
    assert (report.found, report.embedded, report.switched) == (40, 0, True)


def test_chunks_longer_than_the_model_reads_are_counted(tmp_path: Path) -> None:
    class Short(Other):
        max_tokens = 4

    assert rebuild(made(tmp_path / "kb", 10), Short()).long == 10


def test_on_a_server_the_new_collection_stands_beside_the_old(tmp_path: Path, qdrant_server: str) -> None:
    from grounded.retrieval.qdrant import QdrantStore

    url = f"qdrant://{qdrant_server}/rebuilt-{random.randrange(10**9)}"
    with KnowledgeBase.open(tmp_path / "kb", create=True, store=url, embedder=Words()) as kb:
        kb.ingest(documents(60))
        report = kb.rebuild(Other())
        assert report.switched
        assert report.store.startswith(f"{url}--")
        assert kb.search("Article 4 costs 12 euros.")[0].text == "Article 4 costs 12 euros."

    class Third(Other):
        identity = "third-24"

    again = rebuild(tmp_path / "kb", Third())
    assert again.store != report.store
    assert len(again.store) == len(report.store), "one suffix, not two"
    old = QdrantStore(url, dimension=16, create=False)
    assert old.count() == 60
    old.close()


CHILD = """
import os, signal, sys
from pathlib import Path
from grounded import rebuild
from grounded.settings import KnowledgeBaseSettings
from tests.pipeline.test_rebuilding import Other

def die():
    os.kill(os.getpid(), signal.SIGKILL)

folder, instant = Path(sys.argv[1]), sys.argv[2]
write = KnowledgeBaseSettings.write
if instant == "before the switch":
    KnowledgeBaseSettings.write = lambda settings, place: die()
if instant == "after the switch":
    KnowledgeBaseSettings.write = lambda settings, place: (write(settings, place), die())
rebuild(folder, Other(int(instant), die) if instant.isdigit() else Other())
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_any_instant_it_loses_nothing_and_ends(tmp_path: Path) -> None:
    """Before each portion, before and after the switch: one index is whole, and nothing is embedded twice."""
    folder = made(tmp_path / "kb")
    for instant, before in (("0", 0), ("0", 0), ("300", 256), ("100", 256), ("before the switch", 700)):
        _killed(folder, instant)
        assert KnowledgeBaseSettings.read(folder).embedder == "words-16"
        with KnowledgeBase.open(folder, embedder=Words()) as kb:
            assert kb.search("Article 420 costs 1260 euros.")[0].text == "Article 420 costs 1260 euros."
            assert kb.status().points == DOCUMENTS
        marked = json.loads((folder / REBUILD_MARK).read_text())
        with EdgeStore(folder / marked["shard"], dimension=24, create=False) as building:
            assert building.count() >= before
    _killed(folder, "after the switch")
    assert len(list(folder.glob("shard*"))) == 2, "the old index goes at the next opening"
    check(folder)


def _killed(folder: Path, instant: str) -> None:
    child = subprocess.run([sys.executable, "-c", CHILD, str(folder), instant], cwd=ROOT, check=False)
    assert child.returncode == -signal.SIGKILL
