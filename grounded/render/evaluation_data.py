"""An experiment as the data of its page: small parts, compressed, each opened by the page when it is needed.

The index of all rows is opened at once; answers, prompts and values lie in chunks of rows, passages and pieces of
prompts in chunks of their own, so that a page of thousands of rows opens as fast as one of ten. Places in texts are
counted as JavaScript does: UTF-16 units.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grounded.records import Citation, Claim, Evidence, Experiment, MetricCard, MetricValue, Passage, Report, Trial
from grounded.render.common import (
    CITATION_WORDS,
    WORDS,
    chances,
    changed,
    harmless,
    headline,
    outdated,
    pieces,
    review_words,
    standing,
    verdict_words,
    why,
)

ROWS_PER_CHUNK = 50
TEXTS_PER_CHUNK = 200
_DIGITS = 6


def blobs(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Name and content of every part: gzip of JSON, base64."""
    yield "index", _packed(_index(experiment))
    for number, start in enumerate(range(0, len(experiment.rows), ROWS_PER_CHUNK)):
        rows = experiment.rows[start : start + ROWS_PER_CHUNK]
        yield (
            f"rows-{number}",
            _packed([[_trial(experiment, each) for each in _trials(experiment, r.id)] for r in rows]),
        )
    for name, texts in (("passages", _passages(experiment)), ("texts", experiment.texts)):
        for number, start in enumerate(range(0, len(texts), TEXTS_PER_CHUNK)):
            yield f"{name}-{number}", _packed(texts[start : start + TEXTS_PER_CHUNK])


def tags_of(experiment: Experiment) -> tuple[str, ...]:
    """The tags there are, a row's kind as ``kind:NAME``, in order of first use."""
    return tuple(dict.fromkeys(tag for row in experiment.rows for tag in _tags(row)))


def _tags(row: Any) -> list[str]:
    return [*((f"kind:{row.kind}",) if row.kind else ()), *row.tags]


def _index(experiment: Experiment) -> dict[str, Any]:
    verdicts = tuple(WORDS)
    places = {variant.name: number for number, variant in enumerate(experiment.variants)}
    rows = []
    for row in experiment.rows:
        found = [
            {
                "v": places[trial.variant],
                "o": trial.outcome,
                "m": [None if each is None else _rounded(each.value) for each in _values(experiment, trial)],
                "c": _counts(trial, verdicts),
                "s": _rounded(trial.seconds),
            }
            for trial in _trials(experiment, row.id)
        ]
        rows.append({"id": harmless(row.id), "q": harmless(row.question), "g": _tags(row), "t": found})
    return {
        "rowsPerChunk": ROWS_PER_CHUNK,
        "textsPerChunk": TEXTS_PER_CHUNK,
        "name": harmless(experiment.name),
        "dataset": experiment.dataset.hash,
        "variants": [harmless(variant.name) for variant in experiment.variants],
        "metrics": [_metric(card) for card in experiment.metrics],
        "verdicts": verdicts,
        "words": WORDS,
        "rows": rows,
    }


def _metric(card: MetricCard) -> dict[str, Any]:
    found = card.model_dump(mode="json", include={"name", "better", "low", "high"})
    return {**found, "title": harmless(card.title), "unit": harmless(card.unit)}


def _trials(experiment: Experiment, row: str) -> list[Trial]:
    found = (experiment.trial(row, variant.name) for variant in experiment.variants)
    return [trial for trial in found if trial is not None]


def _values(experiment: Experiment, trial: Trial) -> list[MetricValue | None]:
    return [trial.value(card.name) for card in experiment.metrics]


def _counts(trial: Trial, verdicts: Sequence[str]) -> list[int]:
    claims = trial.answer.report.claims if trial.answer is not None and trial.answer.report is not None else ()
    return [sum(claim.verdict == verdict for claim in claims) for verdict in verdicts]


def _trial(experiment: Experiment, trial: Trial) -> dict[str, Any]:
    values = [None if each is None else _value(each) for each in _values(experiment, trial)]
    found: dict[str, Any] = {
        "values": values,
        "passages": trial.passages,
        "scores": [_rounded(score) for score in trial.scores],
        "retrieved": trial.retrieved,
        "messages": [[message.role, message.pieces] for message in trial.messages],
    }
    if trial.problem is not None:
        found["problem"] = [harmless(part) for part in (trial.problem.error, trial.problem.message, trial.problem.fix)]
    answer = trial.answer
    if answer is None:
        return found
    usage = answer.usage
    facts = {
        "outcome": answer.outcome.replace("_", " "),
        "written by": answer.generator.model or answer.generator.label,
        "policy": answer.report.policy if answer.report else "",
        "searched for": answer.question_used,
        "seconds": "" if trial.seconds is None else f"{trial.seconds:.2f}",
        "tokens in": "" if usage.input_tokens is None else str(usage.input_tokens),
        "tokens out": "" if usage.output_tokens is None else str(usage.output_tokens),
        "cost": "" if trial.cost is None else f"{trial.cost:.6f}",
    }
    found["facts"] = [[name, harmless(value)] for name, value in facts.items() if value]
    found["notes"] = [harmless(note) for note in answer.notes]
    report = answer.report
    if report is None:
        found["answer"] = {"pieces": [[harmless(answer.text), None]], "claims": []}
        return found
    given = experiment.passages_of(trial)
    found["answer"] = _report(report, given, trial.passages)
    found["headline"] = headline(report)
    found["warnings"] = [harmless(each) for each in report.warnings]
    if report.original is not None:
        found["written"] = _report(report.original, given, trial.passages)
        found["changed"] = changed(report)
    return found


def _report(report: Report, passages: Sequence[Passage], places: Sequence[int]) -> dict[str, Any]:
    by_id: dict[str, int] = {}
    for number, passage in enumerate(passages):
        by_id.setdefault(passage.id, number)
    old = outdated(report.model_copy(update={"passages": tuple(passages)}))
    numbers = {id(claim): number for number, claim in enumerate(report.claims)}
    return {
        "pieces": [[harmless(text), None if claim is None else numbers[id(claim)]] for text, claim in pieces(report)],
        "claims": [_claim(claim, passages, by_id, places, old) for claim in report.claims],
        "stray": [_citation(each) for each in report.stray_citations],
    }


def _claim(
    claim: Claim, passages: Sequence[Passage], by_id: Mapping[str, int], places: Sequence[int], old: Mapping[str, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "verdict": claim.verdict,
        "words": verdict_words(claim),
        "why": harmless(why(claim)),
        "facts": chances(claim),
        "parts": [[part.verdict, harmless(part.text), harmless(part.reason)] for part in claim.parts],
        "evidence": [_evidence(each, claim, passages, by_id, places, old) for each in claim.evidence],
        "citations": [_citation(each) for each in claim.citations],
        "reviews": [harmless(review_words(review, claim)) for review in claim.reviews],
    }
    return {name: value for name, value in found.items() if value}


def _evidence(
    evidence: Evidence,
    claim: Claim,
    passages: Sequence[Passage],
    by_id: Mapping[str, int],
    places: Sequence[int],
    old: Mapping[str, str],
) -> dict[str, Any]:
    number = by_id.get(evidence.passage_id)
    found: dict[str, Any] = {"relation": evidence.relation, "standing": standing(evidence, claim, old)}
    if number is not None:
        text, start = passages[number].text, evidence.span.start - passages[number].offset
        end = start + len(evidence.text)
        if start >= 0 and text[start:end] == evidence.text:
            # The passage stands in the page once; evidence is a place in it.
            return {**found, "number": number + 1, "passage": places[number], "start": _units(text[:start]),
                    "end": _units(text[:end])}  # fmt: skip
    return {**found, "text": harmless(evidence.text), "place": harmless(evidence.place())}


def _citation(citation: Citation) -> list[str]:
    return [harmless(citation.marker), CITATION_WORDS[citation.status], harmless(citation.title)]


def _value(value: MetricValue) -> dict[str, Any]:
    found = {
        "value": _rounded(value.value),
        "status": value.status,
        "reason": harmless(value.reason),
        "by": harmless(value.by),
        "agreement": value.agreement,
        "count": value.count,
        "of": value.of,
    }
    return {name: each for name, each in found.items() if each not in (None, "")}


def _passages(experiment: Experiment) -> list[list[str]]:
    """Text (as the verifier read it, so that places fit), what people call it, and a link when it is one."""
    return [
        [each.text, harmless(each.place()), each.uri if each.uri.lower().startswith(("http://", "https://")) else ""]
        for each in experiment.passages
    ]


def _units(text: str) -> int:
    """Length in UTF-16 units, as JavaScript counts."""
    return len(text) if text.isascii() else len(text) + sum(character > "\uffff" for character in text)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _packed(content: Any) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # Lone surrogates cannot be written as UTF-8; the time is fixed, so that one experiment makes one page.
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 6, mtime=0)).decode("ascii")
