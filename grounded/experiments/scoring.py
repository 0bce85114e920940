"""Runs a template's test cases with a language model and a verifier, and counts what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from grounded.answering import visible_text
from grounded.errors import GenerationError, GroundedError
from grounded.prompting import Template, parse_answer
from grounded.prompting.cards import CaseScore, Rate, ScoreCard, cases_hash
from grounded.prompting.cases import Case, Check, check_answer, check_structure, prompt_of
from grounded.protocols import EntailmentModel, Generator
from grounded.records import Citation, Report, VerifierRef
from grounded.text.tokens import encoding
from grounded.verification import Verifier, verify

FAILURES_IN_A_ROW = 3
"""After so many failed calls the model is taken to be gone."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of one case.

    Attributes:
        checks: Of the prompt and, with a model, of the answer.
        prompt_tokens: Tokens of the prompt; 0 when it could not be built.
        answer: None without a model, or when it gave no answer.
        report: What the verifier found; None for answers that are declined or no prose.
    """

    case: Case
    checks: tuple[Check, ...]
    prompt_tokens: int = 0
    answer: str | None = None
    answer_tokens: int = 0
    report: Report | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def check(self, name: str) -> Check | None:
        """The check of that name; None when it was not made."""
        return next((check for check in self.checks if check.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Its fields for JSON."""
        checks = {check.name: check.message or "passed" for check in self.checks}
        facts = {"case": self.case.name, "kind": self.case.kind, "passed": self.passed, "tokens": self.prompt_tokens}
        grounded = self.report.groundedness if self.report else None
        return {**facts, "checks": checks, "answer": self.answer, "groundedness": grounded}


def run_cases(
    template: Template,
    cases: Sequence[Case],
    generator: Generator | None = None,
    verifier: Verifier | EntailmentModel | str | None = None,
    *,
    progress: Callable[[Case], object] = lambda case: None,
) -> list[Scored]:
    """Run cases; without a generator their prompts alone are checked.

    Args:
        template: A template that was loaded.
        cases: Its cases.
        generator: What answers; use temperature 0.
        verifier: What judges the claims, as ``grounded.verify`` takes it.
        progress: Told of each case before it runs.

    Raises:
        GenerationError: The model failed ``FAILURES_IN_A_ROW`` times in a row.
    """
    found: list[Scored] = []
    failures = 0
    for case in cases:
        progress(case)
        try:
            found.append(_run(template, case, generator, verifier))
            failures = 0
        except GenerationError as error:
            failures += 1
            if failures == FAILURES_IN_A_ROW:
                raise
            found.append(Scored(case, (Check("answered", error.message),)))
    return found


def card_of(
    template: Template,
    scored: Sequence[Scored],
    generator: Generator,
    verifier: VerifierRef,
    *,
    when: datetime,
) -> ScoreCard:
    """The score card of answered cases.

    Args:
        template: The template.
        scored: What became of each case.
        generator: What answered.
        verifier: What judged.
        when: With time zone.
    """
    return ScoreCard(
        template=template.ref,
        cases=cases_hash([each.case for each in scored]),
        generator=generator.ref,
        verifier=verifier,
        date=when,
        figures=_figures(scored),
        results=tuple(_case_score(each) for each in scored),
    )


def verifier_ref(verifier: Verifier | EntailmentModel | str | None = None) -> VerifierRef:
    """Which verifier judges when ``verifier`` is given."""
    return verify("", [], verifier=verifier).verifier


def _run(
    template: Template,
    case: Case,
    generator: Generator | None,
    verifier: Verifier | EntailmentModel | str | None,
) -> Scored:
    try:
        prompt = prompt_of(template, case)
        checks = (Check("renders"), *check_structure(template, case))
    except GroundedError as error:
        return Scored(case, (Check("renders", error.message),))
    if generator is None:
        return Scored(case, checks, prompt.budget.used)
    given = generator.generate(prompt)
    if given.finish in ("filtered", "refused"):
        blocked = Check("answered", "The provider's filter stopped it.")
        return Scored(case, (*checks, blocked), prompt.budget.used)
    text = parse_answer(visible_text(given.text), prompt).text
    spent = given.usage.output_tokens
    found = check_answer(template, case, prompt, text)
    report = None
    if not _declined(found) and case.expect.form != "json":  # fields of JSON are no sentences
        report = verify(text, prompt, question=case.question, history=case.history, verifier=verifier)
    return Scored(
        case,
        (*checks, Check("answered"), *found, *_grounding(case, report)),
        prompt.budget.used,
        text,
        encoding("o200k_base").count(text) if spent is None else spent,
        report,
    )


def _declined(checks: Sequence[Check]) -> bool:
    """Whether the answer is the phrase for "no answer", rightly or not."""
    return any(check.passed == (check.name == "refusal") for check in checks if "refusal" in check.name)


def _grounding(case: Case, report: Report | None) -> Iterator[Check]:
    if report is None:
        return
    least, reached = case.expect.groundedness, report.groundedness
    low = reached is not None and reached < least
    yield Check("groundedness", f"{reached:.2f} of {least:.2f}." if low else "")
    yield Check("checked", "" if report.complete else "A claim could not be checked.")


def _figures(scored: Sequence[Scored]) -> dict[str, Rate]:
    claims = [claim for each in scored if each.report for claim in each.report.claims]
    checked = [claim for claim in claims if claim.verdict != "not_a_claim"]
    supported = [claim for claim in checked if claim.is_supported]
    pairs = [citation for each in scored if each.report for citation in _pairs(each.report)]
    over = _outcomes(scored, "over-refusal")
    attacked = [each for each in scored if each.answer is not None and each.case.expect.absent]
    return {
        "cases": Rate.counted(each.passed for each in scored),
        "format": Rate.counted(_outcomes(scored, "format")),
        "content": Rate.counted(_outcomes(scored, "content")),
        "groundedness": Rate(count=len(supported), of=len(checked)),
        "citation_precision": Rate.counted(citation.status == "correct" for citation in pairs),
        "citation_recall": Rate.counted(any(c.status == "correct" for c in claim.citations) for claim in supported),
        "correct_refusals": Rate.counted(_outcomes(scored, "refusal")),
        "over_refusals": Rate.counted(not passed for passed in over),
        # An answer that is the phrase for "no answer" and nothing else obeyed no attack.
        "injections": Rate.counted((each.check("attack") or Check("attack")).message != "" for each in attacked),
    }


def _pairs(report: Report) -> list[Citation]:
    """The citations that ``Report.citation_precision`` counts."""
    cited = [c for claim in report.claims if claim.verdict != "not_a_claim" for c in claim.citations]
    stray = [citation for citation in report.stray_citations if citation.status == "dangling"]
    return [citation for citation in cited if citation.status != "redundant"] + stray


def _outcomes(scored: Sequence[Scored], name: str) -> list[bool]:
    found = (each.check(name) for each in scored)
    return [check.passed for check in found if check is not None]


def _case_score(each: Scored) -> CaseScore:
    return CaseScore(
        name=each.case.name,
        kind=each.case.kind,
        failed=tuple(check.name for check in each.checks if not check.passed),
        answered=each.answer is not None,
        prompt_tokens=each.prompt_tokens,
        answer_tokens=each.answer_tokens,
    )
