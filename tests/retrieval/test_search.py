"""Search over a real embedded store, with an embedder that counts words."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grounded.errors import UnknownNameError, UsageError
from grounded.protocols import Point
from grounded.records import AnyOf, Location, Locator, Passage, Span, Viewer
from grounded.retrieval import SearchResult, document_vector, search, visible_to
from grounded.retrieval.edge import EdgeStore
from grounded.retrieval.neighbours import GAP_CHARACTERS, MERGED_CHARACTERS, SliceText, grouped, united

DIMENSION = 64


def merged(passages: Sequence[Passage], slice_text: SliceText) -> list[Passage]:
    return [united(*group, slice_text) for group in grouped(passages)]


class CountingEmbedder:
    """Vectors of letter pairs: texts that share spelling are near each other."""

    identity = "letter-pairs"
    dimension = DIMENSION
    max_tokens = 256

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        return [(place, place + 1) for place in range(len(text))]

    def embed_documents(self, texts: Sequence[str]) -> Any:
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Any:
        vector = np.full(DIMENSION, 0.01, dtype=np.float32)
        for left, right in zip(text.lower(), text.lower()[1:], strict=False):
            vector[(ord(left) * 31 + ord(right)) % DIMENSION] += 1
        return vector / np.linalg.norm(vector)


@dataclass
class Shelf:
    """Passages and the store that knows their points; ``live`` is what the ledger would return."""

    store: EdgeStore
    live: dict[str, list[Passage]] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)

    def add(self, text: str, *, shown: bool = True, **fields: Any) -> str:
        identity = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{text}{len(self.live)}"))
        payload = {"tenant": "default", "principals": list(fields.get("principals", ()))}
        vector = CountingEmbedder().embed_query(text)
        self.store.upsert([Point(identity, vector, document_vector(text), payload)])
        self.live[identity] = [Passage(id=identity, text=text, **fields)] if shown else []
        return identity

    def lookup(self, ids: Sequence[str]) -> Mapping[str, Sequence[Passage]]:
        self.looked_up.extend(ids)
        return {each: self.live[each] for each in ids if self.live[each]}

    def search(self, question: str, k: int = 5, **options: Any) -> SearchResult:
        return search(question, embedder=CountingEmbedder(), store=self.store, lookup=self.lookup, k=k, **options)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with EdgeStore(tmp_path / "shard", dimension=DIMENSION, create=True) as store:
        yield Shelf(store)


def test_the_best_comes_first_with_its_reasons(shelf: Shelf) -> None:
    wanted = shelf.add("The warranty of the kettle lasts 24 months.")
    shelf.add("Lamps are dimmed with the wheel.")
    other = shelf.add("The kettle holds two litres.")
    result = shelf.search("How long is the kettle's warranty?")
    assert [passage.id for passage in result.passages[:2]] == [wanted, other]
    first = result.found[0]
    assert (first.dense_rank, first.sparse_rank) == (1, 1)
    assert result.passages[0].score == pytest.approx(1)
    assert result.best_dense == first.dense
    assert len(result.passages) == len(result.found) == 3
    assert result.found[2].sparse_rank is None


def test_an_empty_store_gives_an_empty_result(shelf: Shelf) -> None:
    assert shelf.search("anything") == SearchResult()


def test_what_the_lookup_leaves_out_never_appears_and_more_is_fetched(shelf: Shelf) -> None:
    for number in range(120):
        shelf.add(f"kettle warranty {number}", shown=False)
    seen = [shelf.add(f"kettle {'and a lamp ' * 5}{number}") for number in range(3)]
    result = shelf.search("kettle warranty", k=3, candidates=10)
    assert {passage.id for passage in result.passages} == set(seen)
    hidden_best = max(
        each.score for each in shelf.store.dense(CountingEmbedder().embed_query("kettle warranty"), limit=1)
    )
    assert result.best_dense < hidden_best
    assert len(shelf.looked_up) == len(set(shelf.looked_up))


def test_the_condition_holds_in_both_rankings(shelf: Shelf) -> None:
    shelf.add("kettle warranty for staff", principals=("staff",))
    open_to_all = shelf.add("kettle warranty for all")
    everybody = shelf.search("kettle warranty staff", condition=visible_to(Viewer()))
    assert [passage.id for passage in everybody.passages] == [open_to_all]
    staff = shelf.search("kettle warranty staff", condition=visible_to(Viewer(principals=("staff",))))
    assert len(staff.passages) == 2
    assert shelf.search("kettle", condition=visible_to(Viewer(tenant="other"))).passages == ()


def test_a_shared_text_is_cited_once_unless_its_dates_differ(shelf: Shelf) -> None:
    for number in range(4):
        shelf.add("The warranty lasts 24 months.", title=f"Copy {number}")
    shelf.add("The warranty lasts 24 months.", title="Old", effective_to=date(2020, 1, 1))
    result = shelf.search("warranty", k=5)
    assert len(result.passages) == 2
    assert sorted(passage.effective_to is None for passage in result.passages) == [False, True]
    current = next(passage for passage in result.passages if passage.effective_to is None)
    everywhere = {current.title, *(each.title for each in current.also)}
    assert everywhere == {f"Copy {number}" for number in range(4)}
    assert len(current.also) == 3
    assert current.also_in().startswith("also in Copy")


def test_joined_neighbours_name_the_documents_that_hold_all_of_them() -> None:
    text = "One sentence. Another sentence."
    one, two = (Span(start=0, end=13), Span(start=14, end=31))

    def passage(span: Span, *titles: str) -> Passage:
        also = tuple(Location(document_id=title, version="v", title=title, span=span) for title in titles)
        return Passage(id=str(span.start), document_id="d", version="v", text=span.slice(text), span=span, also=also)

    (joined,) = merged([passage(one, "both", "first"), passage(two, "both")], lambda *place: text[place[2] : place[3]])
    assert [(each.title, each.span) for each in joined.also] == [("both", Span(start=0, end=31))]


def test_ties_and_repeats_are_in_a_stable_order(shelf: Shelf) -> None:
    ids = sorted(shelf.add("same words here", title=str(n), effective_from=date(2020, 1, n + 1)) for n in range(9))
    first = shelf.search("same words", k=4)
    assert [passage.id for passage in first.passages] == ids[:4]
    assert shelf.search("same words", k=4) == first


@pytest.mark.parametrize(("question", "k"), [("", 5), (" \n", 5), ("kettle", 0)])
def test_bad_questions_are_refused(shelf: Shelf, question: str, k: int) -> None:
    with pytest.raises(UsageError):
        shelf.search(question, k)


def test_an_undeclared_key_is_refused(shelf: Shelf) -> None:
    with pytest.raises(UnknownNameError):
        shelf.search("kettle", condition=AnyOf(key="nothing", values=("x",)))


TEXT = "Alpha one two. Beta three four. Gamma five six. " + "x" * 200 + " Delta seven eight."


def _slice(document_id: str, version: str, start: int, end: int) -> str:
    assert (document_id, version) == ("d", "v1")
    return TEXT[start:end]


def _passage(word: str, length: int = 14, **changes: Any) -> Passage:
    start = TEXT.index(word)
    fields: dict[str, Any] = {
        "id": word,
        "document_id": "d",
        "version": "v1",
        "text": TEXT[start : start + length],
        "span": Span(start=start, end=start + length),
        "locators": (Locator(kind="page", number=1), Locator(kind="line", number=start + 1)),
    }
    return Passage(**{**fields, **changes})


def test_neighbours_become_one_passage_of_canonical_text() -> None:
    delta, gamma, alpha = _passage("Delta"), _passage("Gamma"), _passage("Alpha")
    joined = merged([delta, gamma, alpha], _slice)
    assert [passage.id for passage in joined] == ["Delta", "Gamma"]
    both = joined[1]
    assert both.span is not None
    assert both.span.slice(TEXT) == both.text == "Alpha one two. Beta three four. Gamma five six"
    assert [each.kind for each in both.locators] == ["page", "line", "line"]


@pytest.mark.parametrize(
    "changes", [{"version": "v2"}, {"document_id": "e"}, {"span": None, "document_id": None, "version": None}]
)
def test_only_one_version_of_one_document_is_joined(changes: dict[str, Any]) -> None:
    passages = [_passage("Alpha"), _passage("Beta", **changes)]
    assert merged(passages, _slice) == passages


def test_gaps_and_lengths_are_limited() -> None:
    text = "y" * 20_000

    def passage(start: int, end: int) -> Passage:
        return _passage("Alpha", id=str(start), text=text[start:end], span=Span(start=start, end=end))

    def slice_text(_: str, __: str, start: int, end: int) -> str:
        return text[start:end]

    def spans(passages: list[Passage]) -> list[tuple[int, int]]:
        return [(each.span.start, each.span.end) for each in merged(passages, slice_text) if each.span]

    near, far = 10 + GAP_CHARACTERS, 11 + GAP_CHARACTERS
    assert spans([passage(0, 10), passage(near, near + 5)]) == [(0, near + 5)]
    assert spans([passage(0, 10), passage(far, far + 5)]) == [(0, 10), (far, far + 5)]
    assert spans([passage(0, 10), passage(2, 6)]) == [(0, 10)]
    rows = [passage(start, start + 500) for start in range(0, 10_000, 500)]
    assert max(end - start for start, end in spans(rows)) == MERGED_CHARACTERS


def test_search_joins_neighbours_and_still_returns_k(shelf: Shelf) -> None:
    for word, length in (("Alpha", 14), ("Beta", 16), ("Gamma", 15), ("Delta", 18)):
        start = TEXT.index(word)
        shelf.add(
            TEXT[start : start + length], document_id="d", version="v1", span=Span(start=start, end=start + length)
        )
    slicer: Callable[[str, str, int, int], str] = _slice
    result = shelf.search("Alpha Beta Gamma", k=2, slice_text=slicer)
    assert [passage.text for passage in result.passages] == [TEXT[:47], "Delta seven eight."]
    assert len(shelf.search("Alpha Beta Gamma", k=4).passages) == 4


def test_text_is_read_once_for_each_passage_that_was_joined(shelf: Shelf) -> None:
    text = " ".join(f"The kettle of row {number} is red." for number in range(60))
    asked: list[tuple[int, int]] = []

    def slice_text(document: str, version: str, start: int, end: int) -> str:
        asked.append((start, end))
        return text[start:end]

    for number in range(60):
        sentence = f"The kettle of row {number} is red."
        start = text.index(sentence)
        place = Span(start=start, end=start + len(sentence))
        # A document for every twenty rows, whose rows follow each other.
        shelf.add(sentence, document_id=f"d{number // 20}", version="v1", span=place)
    found = shelf.search("Which kettle is red?", k=20, slice_text=slice_text).passages
    joined = [each.span for each in found if each.span and each.text.count("kettle") > 1]
    assert joined
    assert sorted(asked) == sorted((span.start, span.end) for span in joined)
