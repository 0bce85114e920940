"""A made-up experiment of any size, with real prompts and real reports; only figures and times are drawn."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import cache

from grounded import build_prompt, verify
from grounded.evaluation.packing import Packing
from grounded.records import (
    Answer,
    Comparison,
    DataSet,
    Experiment,
    GeneratorRef,
    GoldSource,
    KnowledgeBaseRef,
    MetricCard,
    MetricValue,
    Passage,
    Problem,
    Row,
    RowKind,
    Summary,
    Trial,
    Variant,
)

SOURCES = (
    Passage.from_text("The warranty on kettles lasts 24 months from the day of delivery.", title="warranty.md"),
    Passage.from_text("Express delivery costs 9 euros. Standard delivery is free above 50 euros.", title="shipping.md"),
    Passage.from_text("You can return any unused appliance within 30 days of delivery.", title="returns.md"),
)
QUESTIONS = (
    ("How long is the warranty?", "24 months.", "The warranty on kettles lasts 24 months from delivery [1]."),
    (
        "How long is the warranty?",
        "24 months.",
        "The warranty on kettles lasts 36 months from delivery [1]. Express delivery costs 9 euros [2].",
    ),
    ("What does express delivery cost?", "9 euros.", "Express delivery costs 9 euros [2]. It is <b>fast</b> [7]."),
    ("Can I return it?", "Within 30 days.", "You can return an unused appliance within 30 days of delivery [3]."),
)
KINDS: tuple[RowKind, ...] = ("single", "multi", "conflicting", "unanswerable")
CARDS = (
    MetricCard(name="groundedness", title="Groundedness", description="Supported claims.", per_claim=True),
    MetricCard(name="correctness", title="Correctness", description="Token F1.", needs=("reference",)),
    MetricCard(name="coherence", title="Coherence", description="Judged.", low=1, high=5, source="judge"),
    MetricCard(name="latency", title="Latency", description="Seconds.", high=None, better="lower", unit="seconds",
               repeatable=False),
)  # fmt: skip


def experiment(rows: int = 12, variants: tuple[str, ...] = ("plain", "strict"), *, seed: int = 0) -> Experiment:
    """An experiment with every kind of trial: answered, declined, failed, a judgement missing."""
    draw, packing = random.Random(seed), Packing()
    questions = tuple(_row(number) for number in range(rows))
    trials = tuple(
        _trial(packing, row, number, variant, draw) for number, row in enumerate(questions) for variant in variants
    )
    return Experiment(
        name="made up",
        started=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        seconds=1.5,
        software="grounded-rag 0.1.0",
        nonce="0123456789abcdef",
        dataset=DataSet(name="questions", rows=questions).ref,
        knowledge_base=KnowledgeBaseRef(version="0" * 64, documents=3, embedder="made-up"),
        verifier=_answer(0).report.verifier,  # type: ignore[union-attr]  # these answers have reports
        judge=GeneratorRef(name="judge", label="a judge", model="judge-1"),
        variants=tuple(Variant(name=name, options={"template": "core/qa", "k": 3}) for name in variants),
        metrics=CARDS,
        rows=questions,
        passages=tuple(packing.passages),
        texts=tuple(packing.texts),
        trials=trials,
        summaries=tuple(_summary(trials, name, card.name) for name in variants for card in CARDS),
        comparisons=tuple(_comparison(card, variants[0], other) for other in variants[1:] for card in CARDS),
    )


@cache
def _answer(kind: int) -> Answer:
    question, _, text = QUESTIONS[kind]
    found = [source.model_copy(update={"score": 0.5 / n}) for n, source in enumerate(SOURCES, 1)]
    prompt = build_prompt(question, found, nonce="0123456789abcdef")
    report = verify(text, prompt, question=question)
    return Answer(
        text=text,
        outcome="answered",
        citations=report.citations,
        report=report,
        prompt=prompt,
        passages=prompt.passages,
        sufficiency=0.8,
        generator=GeneratorRef(name="given", label="given"),
        request_id="made-up",
    )


def _row(number: int) -> Row:
    kind = number % len(QUESTIONS)
    question, reference, _ = QUESTIONS[kind]
    source = SOURCES[min(kind, 2)]
    return Row(
        id=f"q{number + 1}",
        question=f"{question} ({number + 1})" if number >= len(QUESTIONS) else question,
        reference=reference,
        sources=(GoldSource(document=source.title, text=source.text),),
        kind=KINDS[kind],
        tags=("delivery",) if kind == 2 else (),
        group=source.title,
    )


def _trial(packing: Packing, row: Row, number: int, variant: str, draw: random.Random) -> Trial:
    if number % 11 == 10:
        lost = tuple(_missing(card.name, "There is no answer.") for card in CARDS)
        problem = Problem(error="ProviderTimeoutError", message="The model did not answer.", fix="Try again.")
        return packing.failed(row.id, variant, problem, lost)
    answer = _answer(number % len(QUESTIONS))
    if number % 9 == 8:
        said = {"outcome": "declined_insufficient", "text": "The sources do not hold an answer.", "report": None}
        answer = answer.model_copy(update=said)
    values = tuple(_value(card, answer, number, draw) for card in CARDS)
    return packing.answered(row.id, variant, answer, retrieved=SOURCES, values=values, seconds=draw.random(), cost=0.01)


def _value(card: MetricCard, answer: Answer, number: int, draw: random.Random) -> MetricValue:
    if card.name == "groundedness":
        if answer.report is None or answer.report.groundedness is None:
            return _missing(card.name, "Nothing was said that can be checked.")
        of = len([claim for claim in answer.report.claims if claim.verdict != "not_a_claim"])
        share = answer.report.groundedness
        return MetricValue(metric=card.name, value=share, count=share * of, of=of, reason="Of its claims.")
    if card.name == "coherence":
        if number % 5 == 4:
            return MetricValue(
                metric=card.name, status="failed", source="judge", by="judge-1", reason="The judge wrote prose."
            )
        return MetricValue(
            metric=card.name, value=draw.randint(1, 5), source="judge", by="judge-1", agreement=1.0, reason="It reads."
        )
    return MetricValue(metric=card.name, value=draw.random(), reason="Drawn.")


def _missing(metric: str, reason: str) -> MetricValue:
    return MetricValue(metric=metric, status="not_available", reason=reason)


def _summary(trials: tuple[Trial, ...], variant: str, metric: str) -> Summary:
    found = [value for trial in trials if trial.variant == variant for value in trial.values if value.metric == metric]
    known = [value.value for value in found if value.value is not None]
    mean = sum(known) / len(known) if known else None
    return Summary(
        variant=variant,
        metric=metric,
        value=mean,
        low=mean and mean - 0.05,
        high=mean and mean + 0.05,
        rows=len(known),
        clusters=3,
        not_available=sum(value.status == "not_available" for value in found),
        failed=sum(value.status == "failed" for value in found),
    )


def _comparison(card: MetricCard, first: str, second: str) -> Comparison:
    return Comparison(
        metric=card.name,
        first=first,
        second=second,
        finding="not_enough_data",
        difference=0.02,
        low=-0.03,
        high=0.07,
        p=0.4,
        p_adjusted=1.0,
        rows=10,
        clusters=3,
        more_needed=240,
        note="Only 3 clusters.",
    )
