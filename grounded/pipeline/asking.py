"""One question from search to checked answer, as a stream of events."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from grounded import telemetry
from grounded.answering import (
    SUFFICIENCY_THRESHOLD,
    ExtractiveGenerator,
    RowsGenerator,
    after_checking,
    after_generating,
    before_generating,
    explanation,
    llm,
    needs_every_row,
    said_out_of_force,
    sufficiency,
)
from grounded.errors import GenerationError, UsageError
from grounded.pipeline.questions import (
    BUILDING,
    AskOptions,
    Origins,
    PromptOptions,
    Reading,
    VerifyOptions,
    as_messages,
    check_names,
    check_options,
    given,
    standalone_question,
    viewer_of,
)
from grounded.pipeline.repairing import Rewriter, rewriter
from grounded.pipeline.replying import Reply
from grounded.pipeline.standalone import standalone_by_model
from grounded.prompting import DEFAULT_TEMPLATE, Quote, Template, build_prompt, load_template
from grounded.protocols import EntailmentModel, Generator
from grounded.records import (
    Answer,
    AnswerRecord,
    DoneEvent,
    Event,
    Evidence,
    Freshness,
    Generation,
    GeneratorRef,
    Locator,
    Message,
    Outcome,
    Passage,
    Prompt,
    Query,
    Report,
    Segment,
    Usage,
    Viewer,
    locate,
)
from grounded.text.sentences import sentences
from grounded.verification import REPAIR_TRIES, AnswerStream, Prepared, Verifier, strip_markers, withheld

if TYPE_CHECKING:
    from grounded.pipeline.computing import Computed
    from grounded.retrieval.search import SearchResult

log = logging.getLogger(__name__)

_NOTHING = Generation(text="")
_NOTHING_SPENT = Usage()


@dataclass(frozen=True)
class _State:
    """What is known of one question so far."""

    request_id: str
    question: str
    asked: str
    turns: tuple[Message, ...]
    options: AskOptions
    generator: Generator
    spent: Usage = _NOTHING_SPENT
    notes: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()
    sufficiency: float = 0.0
    prompt: Prompt | None = None
    generation: Generation = _NOTHING
    quotes: tuple[Quote, ...] = ()
    computed: Computed | None = None


class Asking:
    """Answers questions over one knowledge base. Thread-safe: every question has its own state.

    Args:
        search: The passages for a question, as far as the caller may see them.
        ledger: Knows where passages come from, and keeps answer records.
        similarity: How alike a question and texts are, in [-1, 1].
        compute: The rows of the query that a question is meant for; None when there is none.
    """

    def __init__(
        self,
        search: Callable[[str, Reading], SearchResult],
        ledger: Origins,
        similarity: Callable[[str, Sequence[str]], Sequence[float]],
        compute: Callable[[str, Mapping[str, Query], Viewer], Computed | None],
    ) -> None:
        self._search = search
        self._ledger = ledger
        self._similarity = similarity
        self._compute = compute

    def prompt(self, question: str, options: PromptOptions) -> Prompt:
        """The messages for a question; no model is called."""
        check_names(options, PromptOptions)
        turns = as_messages(options.get("history"))
        computed = self._computed(question, options)
        if computed is not None:
            return _built(question, computed.passages, _template(options), turns, options)
        found = self._search(standalone_question(question, turns), _reading(options))
        return _built(question, found.passages, _template(options), turns, options)

    def stream(self, question: str, options: AskOptions) -> Iterator[Event]:
        """The events of one question; the last one is ``DoneEvent``."""
        state = self._begin(question, options)
        computed = self._computed(question, options)
        if computed is not None:
            yield from self._from_rows(replace(state, computed=computed, passages=computed.passages), computed)
            return
        found = self._search(state.asked, _reading(options))
        level = sufficiency(state.asked, found.judged, found.best_dense)
        state = replace(state, passages=found.passages, sufficiency=level)
        declined = before_generating(found.passages, level, threshold=_threshold(options))
        if declined is not None:
            yield self._done(state, declined)
            return
        reason = needs_every_row(state.asked, found.passages, self._ledger.segments)
        if reason:
            yield self._done(state, "declined_insufficient", reason=reason)
            return
        yield from self._from_passages(state)

    def _from_rows(self, state: _State, computed: Computed) -> Iterator[Event]:
        """All rows of a query are the one passage; without a model they are the answer."""
        if not computed.passages:
            yield self._done(state, "declined_insufficient", reason=f"The query gave no value. {computed.note}")
            return
        generator = RowsGenerator() if state.options.get("llm") is None else state.generator
        yield from self._from_passages(replace(state, sufficiency=1.0, generator=generator))

    def _from_passages(self, state: _State) -> Iterator[Event]:
        options = state.options
        template = _template(options)
        sizes = {"model": state.generator.ref.arguments.get("model"), "window": state.generator.window}
        wanted = {**sizes, **{name: value for name, value in options.items() if value is not None}}
        prompt = _built(state.question, state.passages, template, state.turns, wanted)
        state = replace(state, prompt=prompt)
        if not prompt.passages:
            yield self._done(state, "declined_no_passages")
            return
        yield from self._generate(state, prompt, template)

    def verify(self, answer: str, options: VerifyOptions) -> Report:
        """Check an answer, without its markers, against the passages found for each of its sentences."""
        check_names(options, VerifyOptions)
        if not isinstance(answer, str):
            raise UsageError(f"An answer must be text, not {type(answer).__name__}.")
        reading: Reading = {"k": 3, **_reading(options)}
        plain = strip_markers(answer).text
        found: dict[str, Passage] = {}
        for span in sentences(plain):
            for passage in self._search(span.slice(plain), reading).passages:
                found.setdefault(passage.id, passage)
        checker = self.checker(
            tuple(found.values()),
            question=options.get("question"),
            reference_date=options.get("reference_date"),
            model=options.get("verifier"),
        )
        return checker.follow(
            options.get("policy", "flag"),
            plain,
            rewrite=options.get("rewrite"),
            tries=options.get("tries", REPAIR_TRIES),
        )

    def checker(
        self,
        passages: Sequence[Passage],
        *,
        question: str | None = None,
        reference_date: date | None = None,
        model: EntailmentModel | str | None = None,
        computed: Computed | None = None,
    ) -> Prepared:
        """A verifier over stored passages whose evidence names its exact place: the page, the row, the heading."""

        @cache
        def segments(document: str, version: str) -> tuple[Segment, ...]:
            return self._ledger.segments(document, version)

        def place(evidence: Evidence) -> tuple[Locator, ...]:
            if computed is not None:
                return locate(computed.segments, evidence.span)
            if evidence.document_id is None or evidence.version is None:
                return evidence.locators
            return locate(segments(evidence.document_id, evidence.version), evidence.span)

        return Verifier(model).prepare(passages, question=question, reference_date=reference_date, locate=place)

    def _begin(self, question: str, options: AskOptions) -> _State:
        check_options(options)
        turns = as_messages(options.get("history"))
        asked, wanted = standalone_question(question, turns), options.get("llm")
        notes: tuple[str, ...] = ()
        spent = _NOTHING_SPENT
        model = None if wanted is None else llm(wanted)
        if turns and model is not None and options.get("standalone", "llm") == "llm":
            try:
                made = standalone_by_model(model, question, turns)
                asked, spent = made.text, made.usage
            except GenerationError as error:
                notes = (f"The question was made standalone by rule; the model did not do it: {error.message}",)
        # Compared is what was searched for, so that it is embedded once.
        quoting = ExtractiveGenerator(similarity=lambda _, texts: self._similarity(asked, texts))
        return _State(uuid.uuid4().hex, question, asked, turns, options, model or quoting, spent, notes)

    def _generate(self, state: _State, prompt: Prompt, template: Template) -> Iterator[Event]:
        options = state.options
        rewrite = _rewriter(state, template)
        checker = self.checker(
            prompt.passages,
            question=state.asked,
            reference_date=options.get("reference_date"),
            model=options.get("verifier"),
            computed=state.computed,
        )
        answer = AnswerStream(
            checker,
            policy=options.get("policy", "flag"),
            hold=options.get("hold", False),
            rewrite=rewrite,
            tries=options.get("tries", REPAIR_TRIES),
        )
        reply, last = Reply(prompt, answer), _NOTHING
        with (
            telemetry.stage("generate", across_yields=True, generator=state.generator.ref.name),
            closing(_stream(state.generator, prompt)) as pieces,
            # Quotes stand in their sources word for word, and need no model.
            nullcontext() if options.get("llm") is None else answer.warming(),
        ):
            for last in pieces:
                yield from reply.feed(last.text)
        yield from reply.finish()
        state = replace(state, generation=last.model_copy(update={"text": reply.text}), quotes=reply.quotes)
        outcome = after_generating(state.generation, no_answer=(template.no_answer,))
        if outcome is not None:
            yield from answer.withdraw(explanation(outcome))
            yield self._done(state, outcome)
            return
        with telemetry.stage("verify"):
            report, outcome = _concluded(answer)
        if rewrite is not None:
            spent = state.generation.usage.plus(rewrite.usage)
            state = replace(state, generation=state.generation.model_copy(update={"usage": spent}))
        yield from answer.finish(report)
        yield self._done(state, outcome, report)

    def _done(self, state: _State, outcome: Outcome, report: Report | None = None, *, reason: str = "") -> DoneEvent:
        answer = Answer(
            text=report.text if report else reason or explanation(outcome),
            outcome=outcome,
            citations=report.citations if report else (),
            report=report,
            prompt=state.prompt,
            passages=state.prompt.passages if state.prompt else state.passages,
            sufficiency=state.sufficiency,
            freshness=state.computed.freshness if state.computed else self._freshness(state.passages),
            generator=_with_model(state.generator.ref, state.generation.model),
            usage=state.spent.plus(state.generation.usage),
            question_used=state.asked,
            notes=(*state.notes, *_notes(state, report)),
            request_id=state.request_id,
        )
        log.info("question %s: %s", answer.request_id, answer.outcome)
        if state.options.get("record"):
            self._record(state, answer)
        return DoneEvent(answer=answer)

    def _computed(self, question: str, options: Mapping[str, Any]) -> Computed | None:
        queries = options.get("queries")
        return self._compute(question, queries, viewer_of(options)) if queries else None

    def _freshness(self, passages: Sequence[Passage]) -> Freshness:
        documents = [passage.document_id for passage in passages if passage.document_id]
        since = self._ledger.live_since(documents) if documents else {}
        return Freshness(
            last_sync=self._ledger.last_success(),
            oldest_passage=min(since.values(), default=None),
            watermark=self._ledger.watermark(documents) if documents else None,
        )

    def _record(self, state: _State, answer: Answer) -> None:
        messages = "\x00".join(m.content for m in state.prompt.messages) if state.prompt else ""
        record = AnswerRecord(
            request_id=answer.request_id,
            time=datetime.now(UTC),
            tenant=viewer_of(state.options).tenant,
            principals=viewer_of(state.options).principals,
            question=state.question,
            answer=answer.text,
            outcome=answer.outcome,
            prompt_hash=hashlib.sha256(messages.encode("utf-8", "surrogatepass")).hexdigest() if messages else "",
            passages=tuple((p.id, p.document_id, p.version) for p in answer.passages),
            template=state.prompt.template if state.prompt else None,
            generator=answer.generator,
            verifier=answer.report.verifier if answer.report else None,
            thresholds={"sufficiency": _threshold(state.options)},
            policy=state.options.get("policy", "flag"),
            report=answer.report,
        )
        redact = state.options.get("redact")
        self._ledger.record(redact(record) if redact else record)


def _threshold(options: AskOptions) -> float:
    given = options.get("sufficiency_threshold")
    return SUFFICIENCY_THRESHOLD if given is None else given


def _stream(generator: Generator, prompt: Prompt) -> Any:
    """The generator's pieces as a generator object, so that closing it always reaches the model."""
    yield from generator.stream(prompt)


def _reading(options: Mapping[str, Any]) -> Reading:
    return cast(Reading, given(options, Reading.__annotations__))


def _template(options: Mapping[str, Any]) -> Template:
    return load_template(options.get("template", DEFAULT_TEMPLATE), language=options.get("language", ""))


def _built(
    question: str,
    passages: Sequence[Passage],
    template: Template,
    turns: Sequence[Message],
    options: Mapping[str, Any],
) -> Prompt:
    with telemetry.stage("prompt", passages=len(passages)):
        return build_prompt(question, passages, template=template, history=turns, **given(options, BUILDING))


def _rewriter(state: _State, template: Template) -> Rewriter | None:
    if state.options.get("policy") != "repair":
        return None
    kept = given(state.options, ("window", "reserve", "variables", "spotlight"))
    return rewriter(state.generator, question=state.question, history=state.turns, template=template, **kept)


def _concluded(answer: AnswerStream) -> tuple[Report, Outcome]:
    """What is said of an answer in the end, and what it amounts to; what is withheld is replaced by an explanation."""
    written = answer.written()
    outcome = after_checking(written)
    if outcome == "answered":
        report = answer.followed(written)
        if not report.is_withheld:
            return report, outcome
        outcome = "blocked_by_policy"
        return report.model_copy(update={"text": explanation(outcome)}), outcome
    return withheld(written, answer.policy, explanation(outcome), text=explanation(outcome)), outcome


def _with_model(ref: GeneratorRef, model: str) -> GeneratorRef:
    return ref.model_copy(update={"model": model}) if model else ref


def _notes(state: _State, report: Report | None) -> tuple[str, ...]:
    """Which query was run, what sources that are not in force say about the sentences, and what was made up."""
    computed = (state.computed.note,) if state.computed else ()
    if report is None:
        return computed
    invented = [f"Source {each.number} does not hold “{each.text}”." for each in state.quotes if each.span is None]
    return (*computed, *said_out_of_force(report), *invented)
