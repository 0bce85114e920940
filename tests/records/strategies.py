"""Hypothesis strategies that build valid records."""

from __future__ import annotations

from datetime import UTC

from hypothesis import strategies as st

from grounded.records import (
    Citation,
    Claim,
    ClaimPart,
    Evidence,
    Locator,
    Passage,
    Report,
    Review,
    Span,
    Verdict,
    VerifierRef,
    worst_verdict,
)

VERDICTS: st.SearchStrategy[Verdict] = st.sampled_from(
    ["supported", "contradicted", "unsupported", "not_a_claim", "check_failed"]
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
FRACTIONS = st.floats(0, 1)


@st.composite
def spans(draw: st.DrawFn, *, length: int | None = None) -> Span:
    start = draw(st.integers(0, 10_000))
    return Span(start=start, end=start + (draw(st.integers(0, 500)) if length is None else length))


@st.composite
def locators(draw: st.DrawFn) -> Locator:
    return draw(
        st.one_of(
            st.builds(Locator, kind=st.just("page"), number=st.integers(1, 999)),
            st.builds(Locator, kind=st.just("sheet_row"), sheet=TEXT, row=st.integers(1, 10**6)),
            st.builds(Locator, kind=st.just("heading"), path=st.lists(TEXT, min_size=1, max_size=4).map(tuple)),
            st.builds(Locator, kind=st.just("of_a_third_party"), anything=TEXT),
        )
    )


@st.composite
def passages(draw: st.DrawFn) -> Passage:
    text = draw(TEXT)
    return Passage(
        id=draw(KEYS),
        text=text,
        title=draw(TEXT),
        span=draw(st.none() | spans(length=len(text))),
        locators=tuple(draw(st.lists(locators(), max_size=3))),
        principals=tuple(draw(st.lists(KEYS, max_size=2))),
        effective_from=draw(st.none() | st.dates()),
        score=draw(st.none() | FRACTIONS),
    )


@st.composite
def evidence(draw: st.DrawFn) -> Evidence:
    text = draw(TEXT)
    return Evidence(
        passage_id=draw(KEYS),
        span=draw(spans(length=len(text))),
        text=text,
        locators=tuple(draw(st.lists(locators(), max_size=2))),
        relation=draw(st.sampled_from(["supports", "contradicts"])),
        score=draw(FRACTIONS),
    )


@st.composite
def citations(draw: st.DrawFn) -> Citation:
    status = draw(st.sampled_from(["correct", "wrong_source", "dangling", "redundant", "unchecked"]))
    return Citation(
        marker="[1]",
        span=draw(spans(length=3)),
        number=1,
        passage_id=None if status == "dangling" else draw(KEYS),
        status=status,
        evidence=tuple(draw(st.lists(evidence(), max_size=1))),
    )


def reviews() -> st.SearchStrategy[Review]:
    held = st.sampled_from(["supported", "contradicted", "unsupported", "not_a_claim"])
    return st.builds(Review, verdict=held, by=KEYS, reason=KEYS, at=st.datetimes(timezones=st.just(UTC)))


@st.composite
def claims(draw: st.DrawFn, *, start: int = 0, text: str | None = None) -> Claim:
    sentence = draw(TEXT) if text is None else text
    span = Span(start=start, end=start + len(sentence))
    parts = tuple(
        ClaimPart(text=sentence, span=span, verdict=verdict) for verdict in draw(st.lists(VERDICTS, max_size=3))
    )
    verdict = worst_verdict(part.verdict for part in parts) if parts else draw(VERDICTS)
    has_numbers = verdict != "check_failed"
    return Claim(
        text=sentence,
        span=span,
        verdict=verdict,
        support=draw(st.none() | FRACTIONS) if has_numbers else None,
        contradiction=draw(st.none() | FRACTIONS) if has_numbers else None,
        score=draw(st.none() | FRACTIONS),
        parts=parts,
        evidence=tuple(draw(st.lists(evidence(), max_size=2))),
        citations=tuple(draw(st.lists(citations(), max_size=1))),
        reviews=tuple(draw(st.lists(reviews(), max_size=2))),
    )


@st.composite
def reports(draw: st.DrawFn) -> Report:
    sentences = draw(st.lists(TEXT, max_size=3))
    found, position = [], 0
    for sentence in sentences:
        found.append(draw(claims(start=position, text=sentence)))
        position += len(sentence)
    return Report.of(
        found,
        text="".join(sentences),
        passages=draw(st.lists(passages(), max_size=2)),
        verifier=VerifierRef(name="test", version="1", arguments={"threshold": 0.5}),
        stray_citations=draw(st.lists(citations(), max_size=1)),
        warnings=draw(st.lists(TEXT, max_size=1)),
        on=draw(st.none() | st.dates()),
    )
