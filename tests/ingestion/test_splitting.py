from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grounded.errors import UsageError
from grounded.ingestion.splitting import split
from grounded.models.embedder import default_embedder
from grounded.records import Chunk, Document, Locator, Segment, Span, document_id, locate

TOKEN_SPANS, TOKEN_STARTS = default_embedder().token_spans, default_embedder().token_starts
WINDOW = default_embedder().max_tokens
Place = tuple[int, int, str, Mapping[str, Any]]
IDENTITY = document_id("default", "files", "a.txt")


def chunks_of(
    text: str,
    segments: Sequence[Place] = (),
    *,
    title: str = "",
    window: int = WINDOW,
) -> list[Chunk]:
    made = [Segment(span=Span(start=a, end=b), locator=Locator(kind=kind, **fields)) for a, b, kind, fields in segments]
    document = Document(key="a.txt", text=text, segments=tuple(made), title=title)
    chunks = split(document, document_id=IDENTITY, token_starts=TOKEN_STARTS, max_tokens=window)
    check(document, chunks, window)
    return chunks


def check(document: Document, chunks: Sequence[Chunk], window: int) -> None:
    """What holds for every document."""
    text = document.text
    hidden = [s.span for s in document.segments if s.locator.kind == "front_matter"]
    wanted = {i for i, c in enumerate(text) if not c.isspace() and not any(h.start <= i < h.end for h in hidden)}
    covered: list[int] = []
    for ordinal, chunk in enumerate(chunks):
        assert chunk.ordinal == ordinal
        piece = chunk.span.slice(text)
        assert piece
        assert piece == piece.strip()
        assert chunk.embedded_text.endswith(piece)
        assert len(TOKEN_SPANS(chunk.embedded_text)) <= window
        covered.extend(i for i in range(chunk.span.start, chunk.span.end) if not text[i].isspace())
    assert covered == sorted(wanted), "every character in exactly one chunk, in order"
    assert len({chunk.id for chunk in chunks}) == len(chunks)


def slices(text: str, chunks: Sequence[Chunk]) -> list[str]:
    return [chunk.span.slice(text) for chunk in chunks]


def sentence(number: int, words: int = 12) -> str:
    return f"Sentence {number} says " + " ".join(f"w{number * 31 + i}" for i in range(words // 3)) + " of kettles."


def markdown(text: str) -> list[Place]:
    """Heading segments as the Markdown parser makes them."""
    found = [(m.start(), len(m.group(1)), m.group(2)) for m in re.finditer(r"^(#+) (.*)$", text, re.M)]
    made: list[Place] = []
    path: list[tuple[int, str]] = []
    for index, (start, level, title) in enumerate(found):
        path = [*(entry for entry in path if entry[0] < level), (level, title)]
        end = next((s for s, other, _ in found[index + 1 :] if other <= level), len(text))
        made.append((start, end, "heading", {"path": tuple(name for _, name in path)}))
    return sorted(made, key=lambda entry: (entry[0], -entry[1]))


ANY = st.lists(
    st.sampled_from(
        ["Hello world. ", "\n\n", "\n", "- item\n", "# Head\n", "x" * 300, "漢字" * 40, "한글", "e\u0301", " "]
    )
    | st.sampled_from(
        ["👩🏽\u200d🚀", "\ud800", "\u200b" * 500, "ไทย" * 60, "a;b:c,", "| a | b |\n", "```\n", "1. One\n"]
    )
    | st.text(max_size=30)
    | st.integers(1, 60).map(lambda n: " ".join(["word"] * n) + ". "),
    max_size=40,
).map("".join)


@st.composite
def structured(draw: st.DrawFn) -> tuple[str, list[Place]]:
    """A text with sections, rows and places of every kind."""
    parts = draw(st.lists(st.tuples(ANY, st.sampled_from(["", "row", "slide", "mail", "front"])), max_size=6))
    text, row = "", 1
    made: list[Place] = []
    for content, kind in parts:
        start, end = len(text), len(text) + len(content)
        if kind == "front" and start == 0:
            made.append((start, end, "front_matter", {}))
        if kind == "row":
            made.append((start, end, "sheet_row", {"sheet": "one" if row < 3 else "two", "row": row}))
            row += 1
        if kind == "slide":
            made.append((start, end, "slide", {"number": len(made) + 1}))
        if kind == "mail":
            made.append((start, end, "mail_part", {"part": "body"}))
        text += content + draw(st.sampled_from(["", "\n", "\n\n"]))
    return text, sorted([*made, *markdown(text)], key=lambda entry: (entry[0], -entry[1]))


@settings(max_examples=150, deadline=None)
@given(structured(), st.sampled_from([16, 40, WINDOW]), st.sampled_from(["", "Handbook", "long title " * 90]))
def test_what_holds_for_every_document(made: tuple[str, list[Place]], window: int, title: str) -> None:
    chunks_of(made[0], made[1], window=window, title=title)


@pytest.mark.parametrize("text", ["", "   \n\n\t", "\u2028\x0c"])
def test_no_text_no_chunks(text: str) -> None:
    assert chunks_of(text) == []


def test_a_window_too_small_is_refused() -> None:
    with pytest.raises(UsageError, match="16"):
        chunks_of("text", window=15)


def test_a_short_text_is_one_chunk() -> None:
    text = "  One sentence.\n\nAnother paragraph.\n"
    (chunk,) = chunks_of(text, title="Guide")
    assert chunk.span.slice(text) == "One sentence.\n\nAnother paragraph."
    assert chunk.embedded_text == "Guide\n\nOne sentence.\n\nAnother paragraph."


def test_sizes_and_paragraph_borders() -> None:
    text = "\n\n".join(" ".join(sentence(n * 7 + i) for i in range(3)) for n in range(60))
    chunks = chunks_of(text)
    sizes = [len(TOKEN_SPANS(piece)) for piece in slices(text, chunks)]
    assert all(140 <= size <= 220 for size in sizes[:-1])
    assert all(text[chunk.span.end : chunk.span.end + 2] == "\n\n" for chunk in chunks[:-1])


def test_sentences_are_not_cut() -> None:
    text = " ".join(sentence(n) for n in range(200))
    assert all(piece.endswith("kettles.") for piece in slices(text, chunks_of(text)))


def test_a_list_stays_with_the_line_that_introduces_it() -> None:
    before = " ".join(sentence(n) for n in range(9))
    text = f"{before}\n\nYou need:\n\n" + "\n\n".join(sentence(n) for n in range(20, 40))
    assert not any(piece.endswith("You need:") for piece in slices(text, chunks_of(text)))


def test_sections_are_never_straddled() -> None:
    body = " ".join(sentence(n) for n in range(5))
    text = f"# A\n{body}\n\n# B\n{body}\n\n## C\n{body}\n"
    chunks = chunks_of(text, markdown(text), title="Doc")
    assert [piece.split("\n")[0] for piece in slices(text, chunks)] == ["# A", "# B", "## C"]
    assert [chunk.embedded_text.split("\n\n")[0] for chunk in chunks] == ["Doc\nA", "Doc\nB", "Doc\nB › C"]
    assert [chunk.locators[0].fields["path"] for chunk in chunks] == [("A",), ("B",), ("B", "C")]


def test_tiny_siblings_are_joined_and_named_after_their_parent() -> None:
    body = " ".join(sentence(n) for n in range(5))
    text = f"# A\n{body}\n\n## One\nShort one.\n\n## Two\nShort two.\n\n# B\n{body}\n"
    chunks = chunks_of(text, markdown(text))
    assert [piece.split("\n")[0] for piece in slices(text, chunks)] == ["# A", "## One", "# B"]
    assert chunks[1].locators == (Locator(kind="heading", path=("A",)),)
    assert chunks[1].embedded_text.startswith("A\n\n## One")


def test_a_bare_heading_goes_with_the_section_below() -> None:
    body = " ".join(sentence(n) for n in range(5))
    text = f"# A\n\n## B\n\n### C\n{body}\n"
    (chunk,) = chunks_of(text, markdown(text))
    assert chunk.locators == (Locator(kind="heading", path=("A", "B", "C")),)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("slide", [{"number": 1}, {"number": 2}]),
        ("mail_part", [{"part": "headers"}, {"part": "body"}]),
        ("sheet_row", [{"sheet": "Prices", "row": 1}, {"sheet": "Stock", "row": 1}]),
    ],
)
def test_slides_sheets_and_mail_parts_are_never_straddled(kind: str, fields: list[dict[str, Any]]) -> None:
    first, second = "Short text one.", "Short text two."
    text = f"{first}\n{second}\n"
    chunks = chunks_of(text, [(0, 15, kind, fields[0]), (16, 31, kind, fields[1])])
    assert slices(text, chunks) == [first, second]
    assert [chunk.locators for chunk in chunks] == [(Locator(kind=kind, **entry),) for entry in fields]


def test_rows_are_packed_and_not_cut() -> None:
    lines = [f"product: kettle {n}. Steel; price: {n}.50 euros; note: First. Second." for n in range(200)]
    text = ""
    segments: list[Place] = []
    for number, line in enumerate(lines, start=2):
        segments.append((len(text), len(text) + len(line), "sheet_row", {"sheet": "Prices", "row": number}))
        text += line + "\n"
    chunks = chunks_of(text, segments)
    assert [line for piece in slices(text, chunks) for line in piece.split("\n")] == lines
    assert all(len(chunk.locators) > 3 for chunk in chunks)
    assert [entry.fields["row"] for chunk in chunks for entry in chunk.locators] == list(range(2, 202))


def test_a_row_longer_than_the_window_is_cut_at_white_space() -> None:
    line = "note: " + "kettle " * 600
    chunks = chunks_of(line, [(0, len(line), "table_row", {"table": 1, "row": 2})])
    assert len(chunks) > 2
    assert all(piece.endswith(("kettle", "note:")) for piece in slices(line, chunks))
    assert all(chunk.locators == (Locator(kind="table_row", table=1, row=2),) for chunk in chunks)


def test_pages_may_be_straddled() -> None:
    text = "The first page ends in the middle of\na sentence that goes on here."
    (chunk,) = chunks_of(text, [(0, 37, "page", {"number": 1}), (37, len(text), "page", {"number": 2})])
    assert [entry.fields["number"] for entry in chunk.locators] == [1, 2]


def test_front_matter_is_left_out() -> None:
    text = "---\ntitle: T\n---\n\nBody."
    (chunk,) = chunks_of(text, [(0, 17, "front_matter", {})])
    assert chunk.span.slice(text) == "Body."


def test_characters_are_not_torn_apart() -> None:
    text = "e\u0301\u0302" * 3000 + "👩🏽\u200d🚀" * 600
    for piece in slices(text, chunks_of(text)):
        assert piece[0] in "e👩"
        assert piece[-1] in "\u0302🚀"


def test_equal_chunks_have_different_ids() -> None:
    text = "Same text here.\nSame text here.\n"
    rows = [(0, 15, "slide", {"number": 1}), (16, 31, "slide", {"number": 2})]
    first, second = chunks_of(text, rows)
    assert first.embedded_text == second.embedded_text
    assert first.id != second.id


@pytest.mark.parametrize("form", ["paragraphs", "lines", "one paragraph", "equal lines"])
def test_an_insertion_at_the_top_keeps_later_chunks(form: str) -> None:
    join = {"paragraphs": "\n\n", "one paragraph": " "}.get(form, "\n")
    text = join.join(" ".join(sentence(n * 3 + i) for i in range(1 + n % 3)) for n in range(3200))
    if form == "equal lines":
        # Packing as much as fits would never find back to the old borders here.
        words = ["red", "blue", "green", "white", "black", "north", "south", "east", "west", "high"]
        text = "\n".join("Code " + " ".join(words[int(d)] for d in f"{n:010d}") + "." for n in range(6500))
    assert len(text) > 300_000
    before = {chunk.id for chunk in plain(text)}
    for insertion in ("A new sentence was put at the top.", join.join(sentence(-n) for n in range(1, 30))):
        kept = before & {chunk.id for chunk in plain(insertion + join + text)}
        assert len(kept) > 0.95 * len(before)


def plain(text: str) -> list[Chunk]:
    document = Document(key="a.txt", text=text)
    return split(document, document_id=IDENTITY, token_starts=TOKEN_STARTS, max_tokens=WINDOW)


def test_locators_are_those_of_the_segments() -> None:
    body = " ".join(sentence(n) for n in range(30))
    text = f"# A\n{body}\n\n# B\n{body}\n"
    half = len(text) // 2
    pages: list[Place] = [(0, half, "page", {"number": 1}), (half, len(text), "page", {"number": 2})]
    segments = sorted([*markdown(text), *pages], key=lambda entry: (entry[0], -entry[1]))
    made = tuple(Segment(span=Span(start=a, end=b), locator=Locator(kind=k, **f)) for a, b, k, f in segments)
    for chunk in chunks_of(text, segments):
        assert set(chunk.locators) == set(locate(made, chunk.span))


def test_many_rows_take_linear_time() -> None:
    line = "product: kettle; price: 12.50 euros; warranty: 24 months\n"
    segments = tuple(
        Segment(
            span=Span(start=n * len(line), end=(n + 1) * len(line) - 1),
            locator=Locator(kind="sheet_row", sheet="Prices", row=n + 2),
        )
        for n in range(20_000)
    )
    document = Document(key="a.csv", text=line * 20_000, segments=segments)
    started = time.process_time()
    chunks = split(document, document_id=IDENTITY, token_starts=TOKEN_STARTS, max_tokens=WINDOW)
    assert len(chunks) > 1_500
    assert time.process_time() - started < 20, "seconds for 1.1 MB; quadratic work would take minutes"


def test_control_characters_that_tokenizers_drop_do_not_break_the_limit() -> None:
    """A form feed is white space here and nothing at all to BERT, which then reads one long word."""
    chunks_of("0\x0cﬃ" + " ".join(["word"] * 16) + ". ", window=16)
