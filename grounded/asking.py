"""One question from search to checked answer, as a stream of events."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from grounded import telemetry
from grounded.answering import (
    SUFFICIENCY_THRESHOLD,
    ExtractiveGenerator,
    Shown,
    VisibleText,
    Withdrawn,
    after_checking,
    after_generating,
    before_generating,
    explanation,
    llm,
    sufficiency,
)
from grounded.errors import UsageError
from grounded.prompting import DEFAULT_RESERVE, Template, build_prompt, load_template
from grounded.protocols import EntailmentModel, Generator
from grounded.questions import AskOptions, as_messages, check_options, standalone_question
from grounded.records import (
    DEFAULT_TENANT,
    Answer,
    AnswerRecord,
    CitationEvent,
    Claim,
    ClaimEvent,
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
    Report,
    RetractEvent,
    Segment,
    Span,
    TextEvent,
    VerdictEvent,
    Viewer,
    as_principals,
    locate,
)
from grounded.text.sentences import sentences
from grounded.verification import AnswerStream, Prepared, Verifier, strip_markers

if TYPE_CHECKING:
    from grounded.ingestion.ledger import Ledger
    from grounded.retrieval.search import SearchResult

log = logging.getLogger(__name__)

_NOTHING = Generation(text="")


@dataclass(frozen=True)
class _State:
    """What is known of one question so far."""

    request_id: str
    question: str
    asked: str
    turns: tuple[Message, ...]
    viewer: Viewer
    options: AskOptions
    generator: Generator
    passages: tuple[Passage, ...] = ()
    sufficiency: float = 0.0
    prompt: Prompt | None = None
    generation: Generation = _NOTHING


class Asking:
    """Answers questions over one knowledge base. Thread-safe: every question has its own state."""

    def __init__(
        self,
        search: Callable[..., SearchResult],
        ledger: Ledger,
        similarity: Callable[[str, Sequence[str]], Sequence[float]],
    ) -> None:
        self._search = search
        self._ledger = ledger
        self._similarity = similarity

    def stream(self, question: str, options: AskOptions) -> Iterator[Event]:
        """The events of one question; the last one is ``DoneEvent``."""
        state = self._begin(question, options)
        found = self._search(state.asked, k=options.get("k", 8), where=options.get("where"), viewer=state.viewer)
        level = sufficiency(state.asked, found.passages, found.best_dense)
        state = replace(state, passages=found.passages, sufficiency=level)
        declined = before_generating(found.passages, level, threshold=_threshold(options))
        if declined is not None:
            yield self._done(state, declined)
            return
        template = load_template(options.get("template", "core/qa"))
        prompt = self._prompt(state, template)
        state = replace(state, prompt=prompt)
        if not prompt.passages:
            yield self._done(state, "declined_no_passages")
            return
        yield from self._generate(state, prompt, template)

    def verify(
        self,
        answer: str,
        *,
        lookup: Callable[[str], Sequence[Passage]],
        question: str | None = None,
        reference_date: date | None = None,
        model: EntailmentModel | str | None = None,
    ) -> Report:
        """Check an answer, without its markers, against the passages that ``lookup`` finds for its sentences."""
        if not isinstance(answer, str):
            raise UsageError(f"An answer must be text, not {type(answer).__name__}.")
        plain = strip_markers(answer).text
        found: dict[str, Passage] = {}
        for span in sentences(plain):
            for passage in lookup(span.slice(plain)):
                found.setdefault(passage.id, passage)
        passages = tuple(found.values())
        return self.checker(passages, question=question, reference_date=reference_date, model=model).report(plain)

    def checker(
        self,
        passages: Sequence[Passage],
        *,
        question: str | None = None,
        reference_date: date | None = None,
        model: EntailmentModel | str | None = None,
    ) -> Prepared:
        """A verifier over stored passages whose evidence names its exact place: the page, the row, the heading."""

        @cache
        def segments(document: str, version: str) -> tuple[Segment, ...]:
            return self._ledger.segments(document, version)

        def place(evidence: Evidence) -> tuple[Locator, ...]:
            if evidence.document_id is None or evidence.version is None:
                return evidence.locators
            return locate(segments(evidence.document_id, evidence.version), evidence.span)

        return Verifier(model).prepare(passages, question=question, reference_date=reference_date, locate=place)

    def _begin(self, question: str, options: AskOptions) -> _State:
        check_options(options)
        turns = as_messages(options.get("history", ()))
        wanted = options.get("llm")
        generator = ExtractiveGenerator(similarity=self._similarity) if wanted is None else llm(wanted)
        viewer = Viewer(
            tenant=options.get("tenant", DEFAULT_TENANT),
            principals=as_principals(options.get("principals")),
            on=options.get("on"),
        )
        asked = standalone_question(question, turns)
        return _State(uuid.uuid4().hex, question, asked, turns, viewer, options, generator)

    def _prompt(self, state: _State, template: Template) -> Prompt:
        options = state.options
        with telemetry.stage("prompt", passages=len(state.passages)):
            return build_prompt(
                state.question,
                state.passages,
                template=template,
                history=state.turns,
                window=options.get("window") or state.generator.window,
                model=state.generator.ref.arguments.get("model"),
                nonce=options.get("nonce"),
                variables=options.get("variables"),
                reserve=options.get("reserve", DEFAULT_RESERVE),
            )

    def _generate(self, state: _State, prompt: Prompt, template: Template) -> Iterator[Event]:
        checker = self.checker(
            prompt.passages,
            question=state.asked,
            reference_date=state.options.get("reference_date"),
            model=state.options.get("verifier"),
        )
        visible = VisibleText()
        checking = _Checking(checker)
        last = _NOTHING
        with (
            telemetry.stage("generate", across_yields=True, generator=state.generator.ref.name),
            closing(_stream(state.generator, prompt)) as pieces,
        ):
            for last in pieces:
                yield from checking.events(visible.feed(last.text))
        yield from checking.events(visible.finish())
        state = replace(state, generation=last.model_copy(update={"text": visible.text}))
        outcome = after_generating(state.generation, no_answer=(template.no_answer,))
        if outcome is not None:
            yield self._done(state, outcome)
            return
        with telemetry.stage("verify"):
            report, events = checking.finish()
        yield from events
        yield self._done(state, after_checking(report), report)

    def _done(self, state: _State, outcome: Outcome, report: Report | None = None) -> DoneEvent:
        answered = outcome == "answered" and report is not None
        answer = Answer(
            text=report.text if answered and report else explanation(outcome),
            outcome=outcome,
            citations=report.citations if answered and report else (),
            report=report,
            prompt=state.prompt,
            passages=state.prompt.passages if state.prompt else state.passages,
            sufficiency=state.sufficiency,
            freshness=self._freshness(state.passages),
            generator=_with_model(state.generator.ref, state.generation.model),
            usage=state.generation.usage,
            question_used=state.asked,
            notes=_notes(report) if report else (),
            request_id=state.request_id,
        )
        log.info("question %s: %s", answer.request_id, answer.outcome)
        if state.options.get("record"):
            self._record(state, answer)
        return DoneEvent(answer=answer)

    def _freshness(self, passages: Sequence[Passage]) -> Freshness:
        documents = [passage.document_id for passage in passages if passage.document_id]
        since = self._ledger.live_since(documents) if documents else {}
        return Freshness(last_sync=self._ledger.last_success(), oldest_passage=min(since.values(), default=None))

    def _record(self, state: _State, answer: Answer) -> None:
        messages = "\x00".join(m.content for m in state.prompt.messages) if state.prompt else ""
        record = AnswerRecord(
            request_id=answer.request_id,
            time=datetime.now(UTC),
            principals=state.viewer.principals,
            question=state.question,
            answer=answer.text,
            outcome=answer.outcome,
            prompt_hash=hashlib.sha256(messages.encode("utf-8", "surrogatepass")).hexdigest() if messages else "",
            passages=tuple((p.id, p.document_id, p.version) for p in answer.passages),
            template=state.prompt.template if state.prompt else None,
            generator=answer.generator,
            verifier=answer.report.verifier if answer.report else None,
            thresholds={"sufficiency": _threshold(state.options), "policy": state.options.get("policy", "flag")},
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


class _Checking:
    """Verdicts for the sentences of an answer as they are completed."""

    def __init__(self, checker: Prepared) -> None:
        self._checker = checker
        self._stream = AnswerStream(checker)
        self._given: set[Span] = set()

    def events(self, steps: Iterable[Shown | Withdrawn]) -> Iterator[Event]:
        """Text as it comes, and the verdict of each sentence once it is complete."""
        for step in steps:
            match step:
                case Shown(text=text):
                    yield TextEvent(text=text)
                    yield from self._judged(self._stream.feed(text))
                case Withdrawn(span=span):
                    yield RetractEvent(span=span, reason="This was the model's thinking, not its answer.")
                    self._stream = AnswerStream(self._checker)
                    self._given.clear()

    def finish(self) -> tuple[Report, list[Event]]:
        """The report of the whole, and the verdicts of the sentences that had none yet."""
        report = self._stream.finish()
        return report, list(self._judged(claim for claim in report.claims if claim.span not in self._given))

    def _judged(self, claims: Iterable[Claim]) -> Iterator[Event]:
        for claim in claims:
            self._given.add(claim.span)
            yield ClaimEvent(span=claim.span, text=claim.text)
            yield VerdictEvent(claim=claim)
            for citation in claim.citations:
                yield CitationEvent(citation=citation)


def _with_model(ref: GeneratorRef, model: str) -> GeneratorRef:
    return ref.model_copy(update={"model": model}) if model else ref


def _notes(report: Report) -> tuple[str, ...]:
    """What sources that are not in force say about the sentences."""
    otherwise = [e for claim in report.supported for e in claim.evidence if e.relation == "contradicts"]
    outdated = [e for claim in report.unsupported for e in claim.evidence if e.relation == "supports"]
    notes = [f"{e.place()} says otherwise but is not in force: “{e.text}”" for e in otherwise]
    notes += [f"{e.place()} says so but is not in force." for e in outdated]
    return tuple(dict.fromkeys(notes))
