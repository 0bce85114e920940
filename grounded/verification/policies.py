"""What is done about sentences that the sources do not bear out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import get_args

from grounded.errors import GroundedError, UsageError
from grounded.records import Claim, Policy, Report, Verdict
from grounded.verification.editing import revised, without_thought

POLICIES: tuple[Policy, ...] = get_args(Policy)
"""``flag`` shows the answer with its verdicts; ``strip`` takes failing sentences out; ``abstain`` withholds an answer
that holds one; ``repair`` has them rewritten from the evidence, and abstains when that does not succeed."""

REPAIR_TRIES = 2
"""How often a model is asked to rewrite before the answer is withheld."""

STRIP_ROUNDS = 4
"""How often an answer is checked again after stripping: a sentence may have leant on one that went."""

Rewrite = Callable[[Report, Sequence[Claim]], Sequence[str]]
"""New sentences for some claims of a report, one for each, in order; an empty one takes the sentence away."""

_FENCE = re.compile(r"`{3,}|~{3,}")
_FAILING: frozenset[Verdict] = frozenset({"contradicted", "unsupported", "check_failed"})


def fails(claim: Claim) -> bool:
    """Whether a sentence should have been borne out and was not; one that could not be checked fails too."""
    return claim.verdict in _FAILING


def check_policy(policy: object, *, can_rewrite: bool) -> None:
    """Refuse a policy that does not exist or cannot be followed.

    Raises:
        UsageError: There is no such policy, or nothing that can rewrite for ``repair``.
    """
    if policy not in POLICIES:
        raise UsageError(f"There is no policy {policy!r}.", fix=f"Allowed: {', '.join(POLICIES)}.")
    if policy == "repair" and not can_rewrite:
        raise UsageError(
            "The policy 'repair' needs a language model.", fix="Name one with llm=, or choose 'strip' or 'abstain'."
        )


def follow(
    policy: Policy,
    report: Report,
    check: Callable[[str], Report],
    *,
    rewrite: Rewrite | None = None,
    tries: int = REPAIR_TRIES,
) -> Report:
    """Do what a policy says about a checked answer.

    Args:
        policy: One of ``POLICIES``.
        report: What was found in the answer as written.
        check: Checks a text against the same sources.
        rewrite: Writes sentences anew; needed for ``repair``.
        tries: How often to have sentences rewritten, at least 1.

    Returns:
        A report that speaks of the text to return. When that is not the answer as written, ``original`` is what was
        found in that one. A withheld answer is the empty text.

    Raises:
        UsageError: The policy does not exist, or needs ``rewrite``.
    """
    check_policy(policy, can_rewrite=rewrite is not None)
    if policy == "flag":
        return report
    # Reasoning is never checked, so a policy that promises checked text cannot let it through.
    seen = report if without_thought(report.text) == report.text else check(without_thought(report.text))
    if not any(map(fails, seen.claims)):
        return _returned(seen, policy, report, "left out the reasoning in it")
    if policy == "strip":
        return _stripped(seen, report, check)
    if policy == "repair" and rewrite is not None:
        return _repaired(seen, report, check, rewrite, tries)
    return withheld(report, policy, _count(report))


def withheld(report: Report, policy: Policy, why: str, *, text: str = "") -> Report:
    """The report of an answer that is not shown: it speaks of ``text``, which states nothing.

    Args:
        report: What was found in the answer as written.
        policy: Whose doing it is.
        why: In words; becomes a warning.
        text: What is shown instead.
    """
    return Report.of(
        (),
        text=text,
        passages=report.passages,
        verifier=report.verifier,
        warnings=(*report.warnings, f"The answer is withheld: {why}."),
        policy=policy,
        original=report,
        on=report.on,
    )


def _stripped(current: Report, original: Report, check: Callable[[str], Report]) -> Report:
    for _ in range(STRIP_ROUNDS):
        failing = [claim for claim in current.claims if fails(claim)]
        if not failing:
            break
        current = check(revised(current.text, current.claims, {claim.span: "" for claim in failing}))
    if any(map(fails, current.claims)) or not current.supported:
        return withheld(original, "strip", _count(original))
    return _returned(current, "strip", original, f"took sentences out: {_count(original)}")


def _repaired(
    current: Report, original: Report, check: Callable[[str], Report], rewrite: Rewrite, tries: int
) -> Report:
    for _ in range(tries):
        failing = [claim for claim in current.claims if fails(claim)]
        try:
            written = rewrite(current, failing)
        except GroundedError as error:
            return withheld(original, "repair", f"{_count(original)}, and rewriting failed ({error.message})")
        current = check(_rewritten(current, failing, written))
        if not any(map(fails, current.claims)):
            if not current.supported:
                break
            return _returned(current, "repair", original, f"had sentences rewritten: {_count(original)}")
    return withheld(original, "repair", f"{_count(original)}, and rewriting did not mend it")


def _rewritten(report: Report, failing: Sequence[Claim], written: Sequence[str]) -> str:
    """The report's text with failing sentences replaced."""
    new = {claim.span: _sentence(text) for claim, text in zip(failing, written, strict=True)}
    return without_thought(revised(report.text, report.claims, new))


def _sentence(text: str) -> str:
    """A proposal on one line, and without what would make reasoning or code, which no one checks, of what follows."""
    return " ".join(_FENCE.sub("", without_thought(text)).split())


def _returned(current: Report, policy: Policy, original: Report, what: str) -> Report:
    if current.text == original.text:
        return original.model_copy(update={"policy": policy})
    warnings = (*current.warnings, f"The policy {policy!r} {what}.")
    return current.model_copy(update={"policy": policy, "original": original, "warnings": warnings})


def _count(report: Report) -> str:
    checked = [claim for claim in report.claims if claim.verdict != "not_a_claim"]
    failing = sum(map(fails, checked))
    return f"{failing} of {len(checked)} checked sentences {'is' if failing == 1 else 'are'} not supported"
