"""Any sequence of changes, against a dictionary: nothing lost, doubled or stale, and nothing embedded twice."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from grounded.records import Change, Delete, Failed, Listing, Rename, Viewer
from tests.ingestion.support import SOURCE, Base, check_agreement, paragraphs, raw

PLACES = {"upsert": "store", "flush": "store", "commit": "ledger", "delete": "store"}
"""Steps of a batch, and whose they are."""
KEYS = st.sampled_from(["a.md", "b.md", "dir/c.md", "ü.md"])
TEXTS = st.lists(st.sampled_from(["one", "two", "three four", "𝟜 😀", "x\ny"]), min_size=1, max_size=5).map("\n\n".join)


class Crash(BaseException):
    """Nobody handles it, as nobody handles a kill."""


class Sequences(RuleBasedStateMachine):
    """Documents are upserted, deleted, renamed, made unreadable, listed, restricted and cut off in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.base = Base(Path(self.folder.name) / "kb")
        self.documents: dict[str, str] = {}
        self.closed: set[str] = set()

    @rule(texts=st.dictionaries(KEYS, TEXTS, min_size=1), restricted=st.booleans())
    def upsert(self, texts: dict[str, str], restricted: bool) -> None:
        stored = Counter({key: Counter(paragraphs(text)).total() for key, text in self.documents.items()})
        new = sum(
            (Counter(paragraphs(text)) - Counter(paragraphs(self.documents.get(key, "")))).total()
            for key, text in texts.items()
        )
        principals = ("hr",) if restricted else ()
        report = self.base.sync([raw(key, text, principals=principals) for key, text in texts.items()], principals=())
        assert report.chunks_embedded == new
        assert stored.total() + new >= report.chunks_reused
        self.documents.update(texts)
        self.closed = (self.closed - texts.keys()) | (texts.keys() if restricted else set())

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.base.sync([Delete(key=key)])
        self.documents.pop(key, None)
        self.closed.discard(key)

    @rule(key=KEYS, unreadable=st.booleans())
    def fail(self, key: str, unreadable: bool) -> None:
        change: Change = raw(key, " \n") if unreadable else Failed(key=key, error="OSError", message="no")
        assert not self.base.sync([change], principals=()).ok

    @rule(keep=st.sets(KEYS, min_size=1))
    def list_fewer(self, keep: set[str]) -> None:
        kept = {key: text for key, text in self.documents.items() if key in keep}
        changes: list[Change] = [
            raw(key, text, principals=("hr",) if key in self.closed else ()) for key, text in kept.items()
        ]
        report = self.base.sync([*changes, Listing(complete=True)], principals=())
        assert report.chunks_embedded == 0
        if kept:
            assert report.documents_retired == len(self.documents) - len(kept)
            self.documents, self.closed = kept, self.closed & kept.keys()
        else:
            assert bool(report.retirement_refused) == bool(self.documents)

    @rule(key=KEYS, to=KEYS)
    def rename(self, key: str, to: str) -> None:
        if key not in self.documents or key == to:
            return
        before = self.base.ledger.identities("default", SOURCE, [key])[key]
        principals = ("hr",) if key in self.closed else ()
        self.base.sync([Rename(key=key, to=to), raw(to, self.documents[key], principals=principals)], principals=())
        assert self.base.ledger.identities("default", SOURCE, [to])[to] == before
        self.documents[to] = self.documents.pop(key)
        self.closed = (self.closed - {key, to}) | ({to} if key in self.closed else set())

    @rule(key=KEYS)
    def change_permission(self, key: str) -> None:
        if key not in self.documents:
            return
        self.closed ^= {key}
        principals = ("hr",) if key in self.closed else ()
        report = self.base.sync([raw(key, self.documents[key], principals=principals)], principals=())
        assert (report.chunks_embedded, report.documents_updated) == (0, 1)

    @rule(texts=st.dictionaries(KEYS, TEXTS, min_size=1), gone=KEYS, place=st.sampled_from(sorted(PLACES)))
    def crash(self, texts: dict[str, str], gone: str, place: str) -> None:
        """Ends at a random step of a batch without any clean-up, and starts again: all of the batch, or none of it."""
        changes: list[Change] = [raw(key, text) for key, text in texts.items() if key != gone]
        after = {**self.documents, **{key: text for key, text in texts.items() if key != gone}}
        after.pop(gone, None)
        part: Any = getattr(self.base, PLACES[place])

        def die(*given: object, **named: object) -> None:
            raise Crash

        setattr(part, place, die)
        with suppress(Crash):
            self.base.sync([*changes, Delete(key=gone)], principals=())
        delattr(part, place)
        self.base.close()
        self.base = Base(Path(self.folder.name) / "kb")
        self.base.repair()
        hr = Viewer(principals=("hr",))
        live: dict[str, list[str]] = {}
        for passage in self.base.passages(hr):
            live.setdefault(passage.title, []).append(passage.text)
        wanted = {key: paragraphs(text) for key, text in after.items()}
        if live == wanted:
            self.documents = after
            seen = {passage.title for passage in self.base.passages()}
            self.closed = after.keys() - seen

    @rule(share=st.floats(0, 1))
    def lose_points(self, share: float) -> None:
        ids = sorted(self.base.store.ids())
        lost = ids[: int(len(ids) * share)]
        self.base.store.delete(lost)
        assert self.base.repair().points_restored == len(lost)

    @invariant()
    def agrees(self) -> None:
        hr = Viewer(principals=("hr",))
        check_agreement(self.base, self.documents, viewer=hr)
        assert {p.title for p in self.base.passages()} == self.documents.keys() - self.closed

    def teardown(self) -> None:
        self.base.close()
        self.folder.cleanup()


TestSequences = Sequences.TestCase
TestSequences.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)
