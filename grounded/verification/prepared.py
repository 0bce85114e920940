"""Sources made ready, and the sentences of an answer checked against them as they come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from threading import Thread
from typing import TYPE_CHECKING

from grounded.errors import UsageError
from grounded.records import Claim, ClaimPart, Evidence, Locator, Passage, Policy, Report, VerifierRef, out_of_force
from grounded.verification.aggregation import Finding
from grounded.verification.calibration import apply, probabilities
from grounded.verification.citing import citations, cited_indices, sentence_citations
from grounded.verification.claims import Draft, Drafts, draft
from grounded.verification.joining import is_decided, joined
from grounded.verification.judging import Judge, Question
from grounded.verification.markers import Marker
from grounded.verification.naming import SourceNames
from grounded.verification.policies import REPAIR_TRIES, Rewrite, follow
from grounded.verification.resolution import SENTENCES_BEFORE, Basis, Scored, resolve
from grounded.verification.windows import WindowIndex

if TYPE_CHECKING:
    from grounded.verification.verifying import Verifier

_log = logging.getLogger(__name__)

Known = dict[Basis, Sequence[Finding]]
"""What was found for sentences already judged, whatever their place; filled by ``Prepared.report``."""

Locate = Callable[[Evidence], tuple[Locator, ...]]
"""The places in the origin of a piece of evidence, in document order."""


class Prepared:
    """Sources made ready for checking, made by ``Verifier.prepare``. For one thread at a time.

    Attributes:
        passages: What ``[n]`` counts.
        names: What markers may call them.
        warnings: What a person should know of the sources.
    """

    def __init__(
        self,
        verifier: Verifier,
        passages: Sequence[Passage],
        question: str,
        reference_date: date | None,
        locate: Locate | None,
    ) -> None:
        self.passages = tuple(passages)
        self._locate = locate
        self._verifier = verifier
        self._question = question
        self._reference_date = reference_date
        index = WindowIndex.of(self.passages)
        self._on = reference_date or date.today()
        self.names = SourceNames.of(self.passages)
        self._judge = Judge(
            verifier.model,
            self.passages,
            index,
            outdated=out_of_force(self.passages, self._on),
            thresholds=verifier.thresholds,
            sentences=verifier.sentences_per_claim,
        )
        self.warnings = tuple(f"Source {number + 1} has no readable text." for number in index.empty)

    @contextmanager
    def warming(self) -> Iterator[None]:
        """Load the model beside what is done within, such as waiting for the first sentence."""
        thread = Thread(target=self._verifier.warm_up, name="grounded-warm-up")
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def draft(self, answer: str) -> Drafts:
        """The sentences of an answer, not checked yet."""
        return draft(answer, names=self.names)

    def claims(
        self, answer: str, drafts: Sequence[Draft], known: Known | None = None, *, start: int = 0
    ) -> list[Claim]:
        """Check sentences that follow each other; the same result as when the whole answer is checked.

        Args:
            answer: The answer, or as much of it as exists.
            drafts: Its first sentences.
            known: Sentences that need not be judged again; those judged now are added.
            start: The first draft to check; those before it are only context.
        """
        known = {} if known is None else known
        bases = {number: Basis.of(drafts, number) for number in range(start, len(drafts))}
        asked = {
            basis: (drafts[number], drafts[:number])
            for number, basis in bases.items()
            if not drafts[number].skip and basis not in known
        }
        known.update(self._findings(asked))
        return [self._claim(answer, drafts[number], known.get(basis, ())) for number, basis in bases.items()]

    def _findings(self, asked: Mapping[Basis, tuple[Draft, Sequence[Draft]]]) -> Known:
        """What is found about sentences, given with those before them: about each as a whole, then about its parts.

        The parts of a sentence that is decided as a whole are not looked at, unless it cites for them.
        """
        wholes = self._judge.findings({basis: [self._whole(*each)] for basis, each in asked.items()})
        left = {
            basis: self._parts(item, before)
            for basis, (item, before) in asked.items()
            if item.parts and not is_decided(wholes[basis][0], self._cited(item))
        }
        parts = self._judge.findings(left)
        return {basis: [*whole, *parts.get(basis, ())] for basis, whole in wholes.items()}

    def report_of(
        self, text: str, claims: Sequence[Claim], *, stray: Sequence[Marker] = (), warnings: Sequence[str] = ()
    ) -> Report:
        """The report of a text whose sentences are judged."""
        return Report.of(
            claims,
            text=text,
            passages=self.passages,
            verifier=self._ref(),
            stray_citations=citations(stray, self.passages, supporting=None),
            warnings=warnings,
            on=self._on,
        )

    def report(self, answer: str, known: Known | None = None) -> Report:
        """Check a whole answer, all sentences in one batch.

        Args:
            answer: The text.
            known: Sentences that need not be judged again; those judged now are added.

        Raises:
            UsageError: The answer is not text.
        """
        if not isinstance(answer, str):
            raise UsageError(f"An answer must be text, not {type(answer).__name__}.")
        started = time.perf_counter()
        if not known:
            self._judge.start_anew()
        drafts = self.draft(answer)
        claims = self.claims(answer, drafts.drafts, known)
        warnings = [*self.warnings]
        if drafts.thought:
            hidden = sum(len(span) for span in drafts.thought)
            warnings.append(
                f"{hidden} characters of reasoning (<think>) are not part of the answer and were not checked."
            )
        if not self.passages:
            warnings.append("There are no sources; nothing can be supported.")
        report = self.report_of(answer, claims, stray=drafts.stray, warnings=warnings)
        elapsed = 1000 * (time.perf_counter() - started)
        _log.debug("verified %d sentences against %d passages in %.1f ms", len(claims), len(self.passages), elapsed)
        return report

    def follow(
        self, policy: Policy, answer: str, *, rewrite: Rewrite | None = None, tries: int = REPAIR_TRIES
    ) -> Report:
        """Check a whole answer and do what the policy says; see ``policies.follow``."""
        known: Known = {}
        written = self.report(answer, known)
        return follow(policy, written, lambda text: self.report(text, known), rewrite=rewrite, tries=tries)

    def _whole(self, item: Draft, before: Sequence[Draft]) -> Question:
        return self._judge.question(self._scored(item, item.text, before), self._cited(item))

    def _parts(self, item: Draft, before: Sequence[Draft]) -> list[Question]:
        # What "it" means in a later part is said by the first one.
        within = [*before, *(replace(item, text=part.text) for part in item.parts[:1])]
        cited = self._cited(item)
        scored = [self._scored(item, part.text, within if number else before) for number, part in enumerate(item.parts)]
        return [self._judge.question(each, cited, is_part=True) for each in scored]

    def _cited(self, item: Draft) -> tuple[int, ...]:
        return cited_indices(item.markers, self.passages)

    def _scored(self, item: Draft, text: str, before: Sequence[Draft]) -> Scored:
        return resolve(
            text,
            lead=item.lead,
            before=before[-SENTENCES_BEFORE:],
            question=self._question,
            reference_date=self._reference_date,
            cites_author=any(marker.style == "(author year)" for marker in item.markers),
        )

    def _claim(self, answer: str, item: Draft, findings: Sequence[Finding]) -> Claim:
        text = item.span.slice(answer)
        if item.skip:
            marks = citations(item.markers, self.passages, supporting=None)
            return Claim(text=text, span=item.span, verdict="not_a_claim", citations=marks, reason=item.skip)
        whole, *of_parts = findings
        parts = self._shown(answer, item, of_parts)
        together = joined(whole, of_parts, parts)
        finding = apply(self._verifier.calibration, together)
        evidence = tuple(self._placed(each) for each in finding.evidence)
        checked = finding.verdict != "check_failed"
        support, contradiction = probabilities(self._verifier.calibration, finding, self._ref())
        return Claim(
            text=text,
            span=item.span,
            verdict=finding.verdict,
            support=support,
            contradiction=contradiction,
            score=finding.support if checked else None,
            conflict=finding.conflict,
            parts=parts if finding is together and together is not whole else (),
            evidence=evidence,
            citations=sentence_citations(item, finding, findings, self.passages, place=self._placed),
            reason=finding.reason,
        )

    def _placed(self, evidence: Evidence) -> Evidence:
        if self._locate is None:
            return evidence
        return evidence.model_copy(update={"locators": self._locate(evidence)})

    def _shown(self, answer: str, item: Draft, findings: Sequence[Finding]) -> tuple[ClaimPart, ...]:
        """The parts with what was found about them; none where they were not looked at."""
        return tuple(
            ClaimPart(
                text=part.span.slice(answer),
                span=part.span,
                verdict=finding.verdict,
                evidence=tuple(self._placed(each) for each in finding.evidence),
                reason=finding.reason,
            )
            for part, finding in zip(item.parts if findings else (), findings, strict=True)
        )

    def _ref(self) -> VerifierRef:
        return self._verifier.ref
