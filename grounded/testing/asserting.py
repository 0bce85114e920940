"""``assert_grounded``: a test fails when an answer says what its sources do not."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from grounded.errors import UsageError
from grounded.records import Claim, Report
from grounded.render.common import SYMBOLS, WORDS, on_one_line, percent

if TYPE_CHECKING:
    from grounded.protocols import EntailmentModel
    from grounded.verification import Verifier

_WIDTH = 160
_ALLOWED = ("contradicted", "unsupported", "check_failed", "no_claims")


def assert_grounded(
    answer: str,
    sources: Any,
    *,
    min_groundedness: float = 1.0,
    allow: str | Collection[str] = (),
    question: str | None = None,
    verifier: Verifier | EntailmentModel | str | None = None,
) -> Report:
    """Fail unless the sources bear out the answer.

    It fails closed: a sentence that could not be checked, and an answer that states nothing that can be checked, fail
    too, whatever ``min_groundedness`` is.

    Args:
        answer: The text to check.
        sources: As in ``grounded.verify``.
        min_groundedness: Least share of checked sentences that must be supported, in [0, 1].
        allow: What is let pass besides: ``contradicted``, ``unsupported`` and ``check_failed`` sentences, which then
            do not count, and ``no_claims``, an answer without anything to check.
        question: What the answer answers.
        verifier: As in ``grounded.verify``.

    Returns:
        The report, for further assertions.

    Raises:
        AssertionError: The answer is not grounded enough; the message names each failing sentence, why it fails, and
            what in the sources comes nearest.
        UsageError: An argument is wrong.
    """
    __tracebackhide__ = True  # pytest then points at the line of the test
    report, problem = examine(
        answer,
        sources,
        min_groundedness=min_groundedness,
        allow=allow,
        question=question,
        verifier=verifier,
    )
    if problem:
        raise AssertionError(problem)
    return report


def examine(
    answer: str,
    sources: Any,
    *,
    min_groundedness: float,
    allow: str | Collection[str],
    question: str | None,
    verifier: Verifier | EntailmentModel | str | None,
) -> tuple[Report, str]:
    """The report, and what ``assert_grounded`` has to say of it; nothing when all is well."""
    from grounded.verification import verify

    passing = {allow} if isinstance(allow, str) else set(allow)
    unknown = passing - {*_ALLOWED}
    if unknown:
        raise UsageError(f"allow cannot be {', '.join(sorted(unknown))}.", fix=f"Allowed: {', '.join(_ALLOWED)}.")
    if not 0.0 <= min_groundedness <= 1.0:
        raise UsageError(f"min_groundedness must lie in [0, 1], not {min_groundedness}.")
    report = verify(answer, sources, question=question, verifier=verifier)
    problem = _problem(report, min_groundedness, passing)
    return report, _message(problem, report, passing) if problem else ""


def _problem(report: Report, least: float, passing: Collection[str]) -> str:
    """What is wrong in one line; empty when nothing is."""
    checked = [claim for claim in report.claims if claim.verdict != "not_a_claim"]
    if not checked:
        return "" if "no_claims" in passing else 'the answer states nothing that can be checked (allow="no_claims")'
    counted = [claim for claim in checked if claim.verdict not in passing]
    failed = sum(claim.verdict == "check_failed" for claim in counted)
    if failed:
        return f"{failed} of {len(checked)} sentences could not be checked"
    supported = sum(claim.is_supported for claim in counted)
    if supported < least * len(counted) - 1e-9:
        return f"{supported} of {len(counted)} sentences are supported, {percent(least)} must be"
    return ""


def _message(problem: str, report: Report, passing: Collection[str]) -> str:
    failing = [claim for claim in report.worst(len(report.claims)) if claim.verdict not in passing]
    lines = [f"The answer is not grounded: {problem}."]
    for claim in failing:
        lines.append(f"  {SYMBOLS[claim.verdict]} {WORDS[claim.verdict]}: {_short(claim.text)}")
        if claim.reason:
            lines.append(f"      why: {_short(claim.reason)}")
        lines.append(f"      nearest: {_nearest(claim, report)}")
    lines += [f"  warning: {_short(warning)}" for warning in report.warnings]
    return "\n".join(lines)


def _nearest(claim: Claim, report: Report) -> str:
    """The evidence, or else the source that shares most words with the claim."""
    for evidence in claim.evidence:
        return f"{evidence.relation} {_short(evidence.text)} ({_short(evidence.place() or 'unnamed source')})"
    from grounded.text.terms import content_stems

    wanted = set(content_stems(claim.text))
    shared = [len(wanted & set(content_stems(passage.text))) for passage in report.passages]
    if not any(shared):
        return "no source shares a word with it"
    number = max(range(len(shared)), key=lambda index: shared[index])
    passage = report.passages[number]
    return f"source {number + 1} {_short(passage.place())} {_short(passage.text)}".replace("  ", " ")


def _short(text: str) -> str:
    line = on_one_line(text)
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"
