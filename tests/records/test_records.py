from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from grounded.errors import SchemaError, UsageError
from grounded.records import (
    Answer,
    Budget,
    Citation,
    Claim,
    ClaimPart,
    Document,
    GeneratorRef,
    HumanVerdict,
    IngestReport,
    Locator,
    Message,
    Passage,
    Prompt,
    Record,
    Report,
    Segment,
    Span,
    TemplateRef,
    Verdict,
    VerifierRef,
    Viewer,
    chunk_id,
    document_id,
    groundedness_of,
    locate,
    place_of,
    places,
    worst_verdict,
)
from tests.records import strategies as make

VERIFIER = VerifierRef(name="test", version="1")


def answer_with(report: Report) -> Answer:
    prompt = Prompt(
        messages=(Message(role="user", content=report.text),),
        passages=report.passages,
        question="q",
        budget=Budget(limit=10, reserved=1, parts={"question": 2}, exact=True, encoding="o200k_base"),
        template=TemplateRef(name="core/qa", version="1", hash="0"),
        nonce="n",
    )
    return Answer(
        text=report.text,
        outcome="answered",
        citations=report.citations,
        report=report,
        prompt=prompt,
        sufficiency=0.5,
        generator=GeneratorRef(name="quotes", label="quotes"),
        request_id="r",
    )


@given(make.reports())
def test_json_round_trip(report: Report) -> None:
    answer = answer_with(report)
    again = Answer.from_json(answer.to_json())
    assert again == answer
    assert again.to_json() == answer.to_json()
    assert json.loads(answer.to_json())["schema"] == 1


@given(make.passages())
def test_passages_round_trip(passage: Passage) -> None:
    assert Passage.from_json(passage.to_json()) == passage


@given(make.reports(), st.text(min_size=1).filter(lambda name: name not in Report.model_fields))
def test_unknown_fields_are_refused_when_built_and_ignored_when_loaded(report: Report, name: str) -> None:
    data = report.to_dict()
    for place in [data, data["verifier"], *data["claims"], *data["passages"]]:
        place[name + "_of_the_future"] = 1
    assert Report.from_dict(data) == report
    with pytest.raises(ValidationError):
        Report.model_validate({key: value for key, value in data.items() if key != "schema"})


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '{"schema": 2}', '{"schema": 1}', "[" * 100_000])
def test_what_is_no_record_is_a_schema_error(text: str) -> None:
    with pytest.raises(SchemaError):
        Report.from_json(text)


def test_records_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Span(start=0, end=1).start = 5  # type: ignore[misc]


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 2)])
def test_spans_are_ordered(start: int, end: int) -> None:
    with pytest.raises(ValidationError):
        Span(start=start, end=end)


def test_an_empty_span_is_true() -> None:
    assert Span(start=0, end=0)
    assert len(Span(start=2, end=5)) == 3


# Formulas


def claim(verdict: Verdict, *statuses: str) -> Claim:
    citations = tuple(Citation(marker="[1]", span=Span(start=0, end=3), status=status) for status in statuses)
    return Claim(text="", span=Span(start=0, end=0), verdict=verdict, citations=citations)


def report(*claims: Claim) -> Report:
    return Report.of(claims, text="", passages=(), verifier=VERIFIER)


def test_figures_without_claims_are_none_and_complete() -> None:
    empty = report()
    assert (empty.groundedness, empty.complete) == (None, True)
    assert (empty.citation_precision, empty.citation_recall) == (None, None)


def test_figures_when_every_check_failed() -> None:
    failed = report(claim("check_failed"), claim("check_failed"))
    assert (failed.groundedness, failed.complete) == (0.0, False)


def test_figures_when_nothing_is_a_claim() -> None:
    chat = report(claim("not_a_claim"), claim("not_a_claim", "unchecked"))
    assert (chat.groundedness, chat.complete, chat.citation_precision) == (None, True, None)


def test_citation_figures_follow_alce() -> None:
    mixed = report(
        claim("supported", "correct", "wrong_source"),
        claim("supported"),
        claim("supported", "correct", "redundant"),
        claim("unsupported", "wrong_source"),
        claim("contradicted", "dangling"),
    )
    assert mixed.groundedness == 3 / 5
    assert mixed.citation_precision == 2 / 5
    assert mixed.citation_recall == 2 / 3


@given(st.lists(make.VERDICTS))
def test_groundedness_is_a_fraction_that_failures_never_raise(verdicts: list[Verdict]) -> None:
    value = groundedness_of(verdicts)
    assert value is None or 0 <= value <= 1
    with_failure = groundedness_of([*verdicts, "check_failed"])
    assert with_failure is not None
    assert with_failure <= (1.0 if value is None else value)


@given(st.lists(make.VERDICTS, min_size=1))
def test_a_whole_is_never_better_than_its_worst_part(verdicts: list[Verdict]) -> None:
    whole = worst_verdict(verdicts)
    assert whole in verdicts
    if whole == "supported":
        assert set(verdicts) <= {"supported", "not_a_claim"}


def test_a_report_whose_figures_lie_is_refused() -> None:
    honest = report(claim("unsupported"))
    with pytest.raises(SchemaError, match="groundedness"):
        Report.from_dict({**honest.to_dict(), "groundedness": 1.0})


def test_a_claim_better_than_its_parts_is_refused() -> None:
    part = ClaimPart(text="", span=Span(start=0, end=0), verdict="contradicted")
    with pytest.raises(ValidationError):
        Claim(text="", span=Span(start=0, end=0), verdict="supported", parts=(part,))


def test_a_failed_check_has_no_probability() -> None:
    with pytest.raises(ValidationError):
        Claim(text="", span=Span(start=0, end=0), verdict="check_failed", support=0.9)


def test_worst_names_what_needs_a_look_first() -> None:
    found = report(claim("unsupported"), claim("supported"), claim("contradicted"), claim("check_failed"))
    assert [each.verdict for each in found.worst(5)] == ["contradicted", "check_failed", "unsupported"]


# Reviews


def scored(verdict: Verdict, score: float | None) -> Claim:
    return claim(verdict).model_copy(update={"score": score})


def test_a_review_stands_beside_the_verdict_and_changes_no_figure() -> None:
    before = report(scored("supported", 0.9), scored("unsupported", 0.2))
    after = before.review(0, verdict="unsupported", by=" Ana ", reason="The source is a draft.")
    (review,) = after.claims[0].reviews
    assert (review.verdict, review.by, review.at.tzinfo) == ("unsupported", "Ana", UTC)
    assert after.claims[0].verdict == "supported"
    figures = {"groundedness", "complete", "citation_precision", "citation_recall"}
    assert before.model_dump(include=figures) == after.model_dump(include=figures)
    assert before.claims[0].reviews == ()
    assert Report.from_json(after.to_json()) == after


_HELD: list[tuple[int, HumanVerdict | None]] = [
    (0, None),
    (1, None),
    (1, "supported"),
    (2, None),
    (3, "not_a_claim"),
    (4, "supported"),
]


def test_labels_pair_raw_scores_with_what_people_held_last() -> None:
    found = report(
        scored("supported", 0.9),
        scored("unsupported", 0.2),
        scored("contradicted", 0.3),
        scored("supported", 0.8),
        scored("check_failed", None),
        scored("supported", 0.7),
    )
    assert found.labels() == ()
    for number, held in _HELD:
        found = found.review(number, verdict=held, by="Ana", reason="Read it.", at=datetime(2026, 1, 1, tzinfo=UTC))
    assert found.labels() == ((0.9, True), (0.2, True), (0.3, False))


@pytest.mark.parametrize(
    "arguments",
    [
        {"claim": 2},
        {"claim": -1},
        {"claim": 1},
        {"verdict": "check_failed"},
        {"verdict": "maybe"},
        {"by": " "},
        {"reason": ""},
        {"at": datetime(2026, 1, 1)},
    ],
)
def test_a_review_that_says_too_little_is_refused(arguments: dict[str, Any]) -> None:
    found = report(scored("supported", 0.9), scored("check_failed", None))
    with pytest.raises(UsageError):
        found.review(**{"claim": 0, "by": "Ana", "reason": "Read it.", **arguments})


def test_a_claim_knows_whether_it_is_right_in_part() -> None:
    part = ClaimPart(text="", span=Span(start=0, end=0), verdict="supported")
    other = part.model_copy(update={"verdict": "unsupported"})
    mixed = Claim(text="", span=Span(start=0, end=0), verdict="unsupported", parts=(part, other))
    assert mixed.is_partly_supported
    assert not Claim(text="", span=Span(start=0, end=0), verdict="unsupported", parts=(other,)).is_partly_supported
    assert not Claim(text="", span=Span(start=0, end=0), verdict="supported", parts=(part,)).is_partly_supported


@given(make.FRACTIONS, make.FRACTIONS)
def test_what_is_neither_is_a_probability(support: float, contradiction: float) -> None:
    judged = Claim(
        text="", span=Span(start=0, end=0), verdict="supported", support=support, contradiction=contradiction
    )
    assert judged.neither is not None
    assert 0 <= judged.neither <= 1
    assert claim("supported").neither is None


# Identity and places


@given(make.KEYS, make.KEYS, make.KEYS)
def test_identity_keeps_tenant_source_and_key_apart(tenant: str, source: str, key: str) -> None:
    assert document_id(tenant, source, key) == document_id(tenant, source, key)
    assert document_id(tenant + key, source, "x") != document_id(tenant, key + source, "x") or not key


def test_chunk_ids_depend_on_content_and_repetition_only() -> None:
    document = document_id("t", "s", "k")
    assert chunk_id(document, "a", 0) == chunk_id(document, "a", 0)
    assert len({chunk_id(document, text, k) for text in "ab" for k in (0, 1)}) == 4


def test_version_changes_with_text_and_with_structure() -> None:
    plain = Document(key="k", text="ab")
    page = Segment(span=Span(start=0, end=2), locator=Locator(kind="page", number=1))
    assert plain.version != Document(key="k", text="ac").version
    assert plain.version != Document(key="k", text="ab", segments=(page,)).version
    assert plain.version == Document(key="other", text="ab", title="t").version


def test_a_locator_without_its_fields_is_refused_and_other_kinds_are_open() -> None:
    with pytest.raises(ValidationError, match="number"):
        Locator(kind="page")
    assert Locator(kind="of_a_third_party", shelf=3).label() == "of_a_third_party 3"


def test_locate_names_the_innermost_heading_that_a_slice_starts_in() -> None:
    def heading(start: int, end: int, *path: str) -> Segment:
        return Segment(span=Span(start=start, end=end), locator=Locator(kind="heading", path=path))

    def page(start: int, end: int, number: int) -> Segment:
        return Segment(span=Span(start=start, end=end), locator=Locator(kind="page", number=number))

    segments = (
        heading(0, 90, "A"),
        page(0, 50, 1),
        heading(20, 60, "A", "B"),
        page(50, 90, 2),
        heading(60, 90, "A", "C"),
    )
    found = locate(segments, Span(start=45, end=65))
    assert [locator.label() for locator in found] == ["page 1", "A › B", "page 2"]


def test_runs_of_places_are_named_as_one() -> None:
    rows = tuple(Locator(kind="sheet_row", sheet="Prices", row=row) for row in (2, 3, 4, 7))
    pages = tuple(Locator(kind="page", number=number) for number in (1, 2))
    assert places((*pages, *rows)) == "pages 1–2 · Prices rows 2–4 · Prices row 7"
    assert places(()) == ""


def test_a_place_says_no_name_twice() -> None:
    row = Locator(kind="sheet_row", sheet="Prices", row=4)
    section = Locator(kind="heading", path=("Terms", "Kettles"))
    assert place_of("list.xlsx", (Locator(kind="heading", path=("Prices",)), row)) == "list.xlsx · Prices row 4"
    assert place_of("Terms", (section,)) == "Terms · Kettles"
    assert place_of("Terms", (Locator(kind="heading", path=("Terms",)),)) == "Terms"


def test_viewers_see_what_is_open_and_what_is_theirs() -> None:
    assert Viewer().may_see(())
    assert not Viewer().may_see(("hr",))
    assert Viewer(principals=("hr", "it")).may_see(("it", "board"))


def test_effective_dates_are_half_open() -> None:
    passage = Passage(id="p", text="", effective_from=date(2026, 1, 1), effective_to=date(2026, 7, 1))
    assert passage.in_force(date(2026, 1, 1))
    assert not passage.in_force(date(2026, 7, 1))
    assert Passage(id="p", text="").in_force(date(1900, 1, 1))


def test_ingest_reports_add_up() -> None:
    first = IngestReport(run_id="a", sources=("files",), documents_added=1, started=datetime.now(UTC), seconds=1.0)
    second = first.model_copy(update={"run_id": "b", "retirement_refused": "too many", "documents_added": 2})
    both = first.plus(second)
    assert (both.documents_added, both.seconds, both.ok, both.sources) == (3, 2.0, False, ("files",))


def test_every_record_is_documented() -> None:
    def subclasses(kind: type[Record]) -> list[type[Record]]:
        return [each for sub in kind.__subclasses__() for each in (sub, *subclasses(sub))]

    assert all(kind.__doc__ for kind in subclasses(Record))
