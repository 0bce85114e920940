"""Answers over texts that are in no knowledge base, and answers that are there already, as ``ask`` would give them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from grounded.answering import ExtractiveGenerator, after_checking, after_generating, explanation, visible_text
from grounded.errors import UsageError
from grounded.pipeline.questions import BUILDING, given
from grounded.prompting import DEFAULT_TEMPLATE, build_prompt, load_template, parse_answer
from grounded.records import Answer, Generation, GeneratorRef, Passage, Prompt, Report, Row
from grounded.verification import verify

if TYPE_CHECKING:
    from grounded.pipeline.knowledge_base import KnowledgeBase
    from grounded.protocols import EntailmentModel

GIVEN = GeneratorRef(name="given", label="an answer that was there already")


def answered_from_texts(
    row: Row,
    options: Mapping[str, Any],
    *,
    nonce: str,
    reference_date: date | None = None,
    verifier: EntailmentModel | str | None = None,
) -> Answer:
    """Answer a row from its own contexts.

    Args:
        row: With ``contexts``.
        options: Those of ``ask``; what concerns searching is no matter here.
        nonce: The boundary code.
        reference_date: The day that decides which sources are in force.
        verifier: As in ``grounded.verify``.

    Raises:
        GenerationError: The model cannot be reached or returned rubbish.
    """
    template = load_template(options.get("template", DEFAULT_TEMPLATE), language=options.get("language", ""))
    generator = options.get("llm") or ExtractiveGenerator(similarity=_alike)
    sizes = {"model": generator.ref.arguments.get("model"), "window": generator.window}
    asked = {name: value for name, value in given(options, BUILDING).items() if value is not None}
    prompt = build_prompt(
        row.question, passages_of(row), template=template, history=row.history, **{**sizes, **asked, "nonce": nonce}
    )
    written = generator.generate(prompt)
    text = parse_answer(visible_text(written.text), prompt).text
    ref = generator.ref.model_copy(update={"model": written.model}) if written.model else generator.ref
    outcome = after_generating(written.model_copy(update={"text": text}), no_answer=(template.no_answer,))
    if outcome is not None:
        return _answer(row, explanation(outcome), outcome, None, prompt, prompt.passages, ref, written)
    report = verify(
        text,
        prompt,
        question=row.question,
        history=row.history,
        reference_date=reference_date,
        policy=options.get("policy", "flag"),
        verifier=verifier,
    )
    return _judged(row, report, prompt, prompt.passages, ref, written)


def given_answer(
    row: Row,
    knowledge_base: KnowledgeBase | None,
    *,
    no_answer: str,
    reference_date: date | None = None,
    verifier: EntailmentModel | str | None = None,
) -> Answer:
    """The answer that a row holds, checked against the row's contexts, else against a knowledge base.

    Raises:
        UsageError: The row has no answer, or there is nothing to check it against.
    """
    if row.answer is None:
        raise UsageError(f"The row {row.id!r} has no answer to judge.", fix="Fill its column 'answer'.")
    if not row.contexts and knowledge_base is None:
        raise UsageError(f"There is nothing to check the answer of the row {row.id!r} against.", fix="Add contexts.")
    written = Generation(text=row.answer)
    outcome = after_generating(written, no_answer=(no_answer,))
    if outcome is not None:
        return _answer(row, explanation(outcome), outcome, None, None, passages_of(row), GIVEN, written)
    checking: dict[str, Any] = {"question": row.question, "reference_date": reference_date, "verifier": verifier}
    if row.contexts:
        report = verify(row.answer, list(passages_of(row)), history=row.history, **checking)
    else:
        assert knowledge_base is not None
        report = knowledge_base.verify(row.answer, principals=row.principals, **checking)
    return _judged(row, report, None, report.passages, GIVEN, written)


def passages_of(row: Row) -> tuple[Passage, ...]:
    """A row's contexts as passages."""
    return tuple(Passage.from_text(text, number=number) for number, text in enumerate(row.contexts, 1))


def _judged(
    row: Row,
    report: Report,
    prompt: Prompt | None,
    passages: tuple[Passage, ...],
    ref: GeneratorRef,
    written: Generation,
) -> Answer:
    outcome = "blocked_by_policy" if report.is_withheld else after_checking(report)
    if outcome == "answered":
        return _answer(row, report.text, outcome, report, prompt, passages, ref, written)
    return _answer(row, explanation(outcome), outcome, None, prompt, passages, ref, written)


def _answer(
    row: Row,
    text: str,
    outcome: Any,
    report: Report | None,
    prompt: Prompt | None,
    passages: tuple[Passage, ...],
    ref: GeneratorRef,
    written: Generation,
) -> Answer:
    return Answer(
        text=text,
        outcome=outcome,
        citations=report.citations if report else (),
        report=report,
        prompt=prompt,
        passages=passages,
        generator=ref,
        usage=written.usage,
        question_used=row.question,
        request_id=row.id,
    )


def _alike(question: str, texts: Any) -> Any:
    from grounded.models.embedder import default_embedder

    if not texts:
        return []
    embedder = default_embedder()
    return [float(each) for each in embedder.embed_documents(list(texts)) @ embedder.embed_query(question)]
