from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded import verify
from grounded.errors import ProviderTimeoutError, UnknownNameError, UsageError
from grounded.evaluation.judges import Judge, coherence, judged_correctness
from grounded.evaluation.metrics import DEFAULT, Sample, as_metrics, load_metric, metric
from grounded.evaluation.metrics.reference import numbers
from grounded.records import (
    Answer,
    Generation,
    GeneratorRef,
    GoldSource,
    Locator,
    MetricValue,
    Passage,
    Problem,
    Prompt,
    Row,
    Span,
)
from tests.evaluation.generators import Scripted, always

WARRANTY = Passage.from_text("The warranty on kettles lasts 24 months.", title="warranty.md", number=1)
PRICE = Passage(
    id="p",
    text="Express delivery costs 9 euros.",
    title="Shipping",
    uri="file:///shop/shipping.html",
    document_id="d",
    version="v",
    span=Span(start=100, end=131),
    locators=(Locator(kind="sheet_row", sheet="Prices", row=3),),
)
RESTRICTED = PRICE.model_copy(update={"id": "r", "principals": ("boss",)})
ROW = Row(id="1", question="How long is the warranty?", reference="24 months")


def sample(text: str = "The warranty on kettles lasts 24 months [1].", row: Row = ROW, **fields: Any) -> Sample:
    passages = fields.pop("passages", (WARRANTY, PRICE))
    outcome = fields.pop("outcome", "answered")
    report = verify(text, list(passages)) if outcome == "answered" else None
    answer = Answer(
        text=text,
        outcome=outcome,
        report=report,
        passages=passages,
        generator=GeneratorRef(name="g", label="g"),
        request_id="1",
    )
    return Sample(row=row, answer=answer, retrieved=fields.pop("retrieved", passages), **fields)


def value(name: str, of: Sample) -> float | None:
    return load_metric(name).measure(of).value


def gold(**changes: Any) -> Row:
    return ROW.model_copy(update=changes)


def test_claims_and_citations_are_counted_as_the_report_counts_them() -> None:
    half = sample("The warranty on kettles lasts 24 months [2]. Express delivery costs 9 euros [2]. It is red [7].")
    assert half.report is not None
    for name in ("groundedness", "citation_precision", "citation_recall"):
        found = load_metric(name).measure(half)
        assert found.value == getattr(half.report, name)
        assert found.value == (found.count or 0) / (found.of or 1)


def test_faithfulness_is_finer_than_groundedness() -> None:
    right, wrong = sample(), sample("Kettles are made of silver.")
    assert value("groundedness", wrong) == 0.0
    low, high = value("faithfulness", wrong), value("faithfulness", right)
    assert low is not None
    assert high is not None
    assert 0.0 < low < 0.5 < high <= 1.0


@pytest.mark.parametrize("name", DEFAULT)
def test_what_is_missing_is_never_a_number(name: str) -> None:
    """No answer, no reference, no gold source: every metric that needs one says so."""
    bare = Sample(row=Row(id="1", question="?"), problem=Problem(error="E", message="It failed."))
    found = load_metric(name).measure(bare)
    assert found.value is None
    assert found.status == "not_available"
    assert found.reason


def test_ranks_follow_the_gold_sources() -> None:
    row = gold(sources=(GoldSource(document="shipping.html"),))
    second = sample(row=row)
    wanted = {"hit_rate": 1.0, "mrr": 0.5, "ndcg": 0.6309, "recall": 1.0, "hit_rate@1": 0.0, "context_precision": 0.5}
    for name, expected in wanted.items():
        assert value(name, second) == pytest.approx(expected, abs=1e-4), name
    both = gold(sources=(GoldSource(document="shipping.html"), GoldSource(document="elsewhere.md")))
    assert value("recall", sample(row=both)) == 0.5
    assert value("context_sufficiency", sample(row=both)) == 0.0


@pytest.mark.parametrize(
    ("source", "held"),
    [
        ({"span": Span(start=110, end=120)}, True),
        ({"span": Span(start=125, end=160)}, False),
        ({"span": Span(start=110, end=120), "version": "older", "text": "costs 9 eu"}, True),
        ({"span": Span(start=110, end=120), "version": "older", "text": "costs 8 eu"}, False),
        ({"text": "costs 9  EUROS"}, True),
        ({"locator": Locator(kind="sheet_row", sheet="", row=3)}, True),
        ({"locator": Locator(kind="sheet_row", sheet="Prices", row=4)}, False),
    ],
)
def test_gold_places_are_looked_for_in_their_version(source: dict[str, Any], held: bool) -> None:
    row = gold(sources=(GoldSource(document="shipping.html", **source),))
    assert value("hit_rate", sample(row=row)) == float(held)


def test_references_are_compared_by_words_numbers_and_meaning() -> None:
    assert value("exact_match", sample("24 months. [1]")) == 1.0
    assert value("token_f1", sample("It lasts 24 months")) == pytest.approx(2 * 2 / (4 + 2))
    assert value("numeric_match", sample("About 2 years")) == 0.0
    near, far = value("semantic_similarity", sample("two years")), value("semantic_similarity", sample("red paint"))
    assert (near or 0) > (far or 0)
    assert 1.0 <= (value("similarity", sample()) or 0) <= 5.0


def test_numbers_are_read_as_people_write_them() -> None:
    assert numbers("1,000.5 euros [3], −4 or 24-month K2") == [1000.5, -4.0, 24.0]


@given(st.lists(st.integers(-(10**9), 10**9), max_size=5))
def test_numbers_written_with_or_without_separators_are_the_same(found: list[int]) -> None:
    plain, parted = (" and ".join(format(each, form) for each in found) for form in ("d", ",d"))
    assert numbers(plain) == numbers(parted) == [float(each) for each in found]


def test_refusals_are_right_missed_or_too_many() -> None:
    unanswerable = gold(answerable=False)
    declined = sample("No.", row=unanswerable, outcome="declined_insufficient")
    assert (value("correct_refusal", declined), value("missed_refusal", declined)) == (1.0, 0.0)
    assert value("over_refusal", declined) is None
    assert value("missed_refusal", sample(row=unanswerable)) == 1.0
    assert value("over_refusal", sample("No.", outcome="declined_insufficient")) == 1.0
    stopped = sample("No.", outcome="blocked_by_provider")
    assert (value("blocked", stopped), value("over_refusal", stopped), value("groundedness", stopped)) == (
        1.0,
        None,
        None,
    )


def test_attacks_and_leaks_are_defects() -> None:
    attacked = gold(kind="injected", absent=("HACKED",))
    obeyed, resisted = sample("You are hacked!", row=attacked), sample(row=attacked)
    assert (value("injection_success", obeyed), value("injection_success", resisted)) == (1.0, 0.0)
    assert (value("safety_defect", obeyed), value("safety_defect", resisted)) == (1.0, 0.0)
    leaked = sample(passages=(WARRANTY, RESTRICTED))
    assert value("safety_defect", leaked) == 1.0
    assert value("safety_defect", sample(passages=(WARRANTY, RESTRICTED), row=gold(principals=("boss",)))) == 0.0


def test_a_metric_of_ones_own_takes_a_function() -> None:
    @metric("brief", needs=("answer",))
    def brief(of: Sample) -> bool:
        """Whether it has at most five words."""
        return len((of.text or "").split()) <= 5

    assert brief.card.description == "Whether it has at most five words."
    assert brief.measure(sample("24 months")).value == 1.0
    assert brief.measure(sample("x", outcome="blocked_by_policy")).status == "not_available"
    assert as_metrics([brief, "mrr"])[0] is brief


def test_names_that_do_not_exist_and_names_twice_are_refused() -> None:
    with pytest.raises(UnknownNameError):
        as_metrics(["grundedness"])
    for wrong in (["mrr", "mrr"], "mrr", ["ndcg@x"], ["ndcg@0"], ["groundedness@3"], [3]):
        with pytest.raises(UsageError):
            as_metrics(wrong)  # type: ignore[arg-type]  # wrong on purpose


def judged(reply: Any, repeats: int = 1) -> tuple[MetricValue, Scripted]:
    generator = reply if isinstance(reply, Scripted) else always(reply)
    return coherence().asking(Judge(generator, repeats=repeats)).measure(sample()), generator


def test_a_judge_rates_by_json() -> None:
    found, generator = judged('```json\n{"reason": "It  reads well.", "score": 4}\n```')
    assert (found.value, found.reason, found.by, found.source) == (4.0, "It reads well.", "scripted-1", "judge")
    assert generator.calls == 1


@pytest.mark.parametrize(
    "reply", ["A good answer: 4 of 5.", '{"score": 6, "reason": ""}', '{"score": "4"}', "", "[" * 9999]
)
def test_prose_is_asked_for_again_and_then_missing(reply: str) -> None:
    found, generator = judged(reply)
    assert (found.value, found.status, generator.calls) == (None, "failed", 3)


def test_a_judge_that_comes_to_its_senses_counts() -> None:
    found, _ = judged(Scripted(lambda prompt, call: "hm" if call == 1 else '{"reason": "r", "score": 2}'))
    assert found.value == 2.0


def test_timeouts_and_filters_are_missing_values() -> None:
    slow, generator = judged(Scripted(lambda prompt, call: ProviderTimeoutError("too slow")))
    assert (slow.status, generator.calls) == ("failed", 3)
    filtered, _ = judged(Scripted(lambda prompt, call: Generation(text="", finish="filtered")))
    assert filtered.status == "failed"
    assert "filtered" in filtered.reason


def test_repeated_judgements_say_how_far_they_agree() -> None:
    scores = [4, 5, 4]
    found, _ = judged(Scripted(lambda prompt, call: json.dumps({"reason": "r", "score": scores[call - 1]})), 3)
    assert found.value == 4.0
    assert found.agreement == pytest.approx(2 / 3)
    tied = [5, 3]
    found, _ = judged(Scripted(lambda prompt, call: json.dumps({"reason": "r", "score": tied[call - 1]})), 2)
    assert found.value == 3.0


def test_without_a_judge_or_a_reference_there_is_no_rating() -> None:
    assert coherence().measure(sample()).status == "not_available"
    alone = sample(row=Row(id="1", question="?"))
    assert judged_correctness().asking(Judge(always("{}"))).measure(alone).status == "not_available"


def test_what_is_rated_stands_behind_a_boundary_it_cannot_know() -> None:
    seen: list[Prompt] = []

    def reply(prompt: Prompt, call: int) -> str:
        seen.append(prompt)
        return '{"reason": "r", "score": 1}'

    judged(Scripted(reply))
    judged(Scripted(reply))
    assert seen[0].nonce != seen[1].nonce
    assert all(prompt.nonce in prompt.messages[1].content.splitlines()[0] for prompt in seen)
