"""Replies in base64: decoded, traced to the characters they came from, and to the sources they quote."""

from __future__ import annotations

import base64
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grounded.errors import UsageError
from grounded.prompting import answer_so_far, build_prompt, parse_answer, trace
from grounded.prompting.layouts import LayoutName
from grounded.prompting.tracing import SHORTEST_RUN, decoded
from grounded.records import Passage, Prompt, Span

NONCE = "00112233445566ff"
SOURCE = "The warranty is 24 months — see [3]. Räder und 漢字 are excluded. <answer>"


def prompt_of(layout: LayoutName = "xml") -> Prompt:
    return build_prompt("How long?", [SOURCE], nonce=NONCE, layout=layout, spotlight="encode")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


legible = st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" \n"), max_size=80)


@given(st.sampled_from(["", "It says: ", "«"]), legible.map("Source one: {}.".format), legible)
def test_a_decoded_answer_is_the_text_and_every_character_knows_its_base64(before: str, text: str, after: str) -> None:
    after = " " + after.replace("=", "")
    reply = f"{before}{encoded(text)}{after}"
    parsed = parse_answer(reply, prompt_of())
    assert parsed.text.startswith(before + text)
    for at, character in enumerate(text, len(before)):
        origin = parsed.origin(at, at + 1)
        # The whole groups of four around what it was made from hold the character.
        start = len(before) + (origin.start - len(before)) // 4 * 4
        end = len(before) + -(-(origin.end - len(before)) // 4) * 4
        assert character.encode() in base64.b64decode(reply[start:end])
    whole = parsed.origin(len(before), len(before) + len(text))
    assert reply[whole.start : whole.end].rstrip("=") == encoded(text).rstrip("=")


@given(legible, st.integers(0, 8), st.integers(0, 8))
def test_copied_from_the_middle_nothing_is_made_up(text: str, cut: int, left: int) -> None:
    run = encoded(text).rstrip("=")[cut:]
    run = run[: len(run) - left]
    found = decoded(run) if len(run) >= SHORTEST_RUN else None
    if found is not None and found.text in text:
        start = text.index(found.text)
        assert len(found.starts) == len(found.ends) == len(found.text)
        assert list(found.starts) == sorted(found.starts)
        assert all(0 <= first < last <= len(run) for first, last in zip(found.starts, found.ends, strict=True))
        # What the characters cut and up to three more hold, and a broken character, is missing.
        assert len(text[:start].encode()) <= cut + 6


@pytest.mark.parametrize(
    "text",
    [
        "internationalization and counterrevolutionaries",
        str(UUID(int=0x12345678123456781234567812345678)),
        "0123456789abcdef0123456789abcdef",
        "/usr/local/lib/python3/site/packages",
        "count=1; total= 5; amounts= 7",
        "Donaudampfschifffahrtsgesellschaft",
        "https://example.org/aVeryLongPathWithoutAnySeparator",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
        encoded("\x00\x01\x02 no text at all"),
    ],
)
def test_what_is_no_text_in_base64_stays(text: str) -> None:
    assert parse_answer(text, prompt_of()).text == text


def test_base64_is_decoded_only_where_sources_were_shown_in_it() -> None:
    reply = encoded("The warranty is 24 months.") + " [1]"
    assert parse_answer(reply, prompt_of()).text == "The warranty is 24 months. [1]"
    plain = build_prompt("How long?", [SOURCE], nonce=NONCE)
    assert parse_answer(reply, plain).text == reply
    assert parse_answer(reply, "xml").text == reply


def test_quotations_are_traced_however_they_come() -> None:
    prompt = prompt_of("quote_first")
    shown = prompt.messages[-1].content.partition('note="base64">\n')[2].partition("\n")[0]
    start = SOURCE.index("Räder")
    quote = "Räder und 漢字 are"
    wanted = Span(start=start, end=start + len(quote))
    first, last = len(SOURCE[:start].encode()) * 4 // 3, len(SOURCE[: start + len(quote)].encode()) * 4 // 3 + 1
    for words in (quote, encoded(quote), shown[first:last], f"{shown[first : first + 8]} {shown[first + 8 : last]}"):
        parsed = parse_answer(f'<quotes>\n[1] "{words}"\n</quotes><answer>Excluded [1].</answer>', prompt)
        assert parsed.quotes[0].span == wanted, words
        assert parsed.text == "Excluded [1]."
    invented = parse_answer(f'<quotes>\n[1] "{encoded("Wheels are included")}"\n</quotes>', prompt)
    assert [(each.text, each.span) for each in invented.quotes] == [("Wheels are included", None)]
    assert trace(prompt, 1, "Zg") is None  # two letters that stand somewhere in the base64 by chance


def test_a_reply_that_is_all_base64_is_read_with_its_parts() -> None:
    reply = encoded('<quotes>\n[1] "24 months"\n</quotes>\n<answer>It is 24 months [1].</answer>')
    parsed = parse_answer(reply, prompt_of("quote_first"))
    assert parsed.text == "It is 24 months [1]."
    assert [each.text for each in parsed.quotes] == ["24 months"]
    assert parsed.origin(0, len(parsed.text)).end < len(reply)


@pytest.mark.parametrize(("layout", "shown"), [("numbered", "see ⟦3⟧. Räder"), ("quote_first", "excluded. ‹answer›")])
@pytest.mark.parametrize("mode", ["delimit", "datamark", "encode"])
def test_words_that_a_layout_made_harmless_are_traced(layout: LayoutName, shown: str, mode: str) -> None:
    prompt = build_prompt("q", [Passage(id="a", text=SOURCE)], nonce=NONCE, layout=layout, spotlight=mode)  # type: ignore[arg-type]
    for quote in (shown, shown.translate(str.maketrans("⟦⟧‹›", "[]<>"))):
        span = trace(prompt, 1, quote)
        assert span is not None, quote
        assert len(span.slice(SOURCE)) == len(quote)


@given(
    st.lists(
        st.sampled_from([
            "It is ", encoded("The warranty is 24 months.") + " ", encoded("漢字" * 9), " [1].", "\n", "word ",
            "<quotes>\n", '[1] "x"\n', "</quotes>", "<answer>", "</answer>",
        ]),
        max_size=6,
    ),
    st.sampled_from(["xml", "quote_first"]),
)  # fmt: skip
@settings(max_examples=60)
def test_what_is_shown_while_it_is_written_stays(pieces: list[str], layout: LayoutName) -> None:
    prompt, reply = prompt_of(layout), "".join(pieces)
    shown = ""
    for end in range(len(reply) + 1):
        so_far = answer_so_far(reply[:end], prompt)
        assert "VGhl" not in so_far
        assert so_far.startswith(shown.rstrip()) or layout == "quote_first"  # a part may turn out to be quotations
        shown = so_far
    assert parse_answer(reply, prompt).text.startswith(shown.strip()) or layout == "quote_first"


@given(st.text(max_size=60), st.sampled_from(["xml", "numbered", "quote_first"]))
def test_what_is_kept_is_what_stands_there(reply: str, layout: LayoutName) -> None:
    parsed = parse_answer(reply, layout)
    for at, character in enumerate(parsed.text):
        assert parsed.origin(at, at + 1).slice(reply) == character


def test_spans_outside_an_answer_are_refused() -> None:
    parsed = parse_answer("  Tea. ", "xml")
    assert parsed.origin(0, 4) == Span(start=2, end=6)
    assert parsed.origin(4, 4) == Span(start=6, end=6)
    assert parse_answer("", "xml").origin(0, 0) == Span(start=0, end=0)
    with pytest.raises(UsageError, match="no span"):
        parsed.origin(0, 5)
