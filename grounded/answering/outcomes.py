"""What an attempt to answer amounts to, and the sentence a person reads when it is no answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from grounded.answering.streaming import visible_text
from grounded.records import Generation, Outcome, Passage, Report, out_of_force
from grounded.text.normalise import normalise
from grounded.text.sentences import sentences

_SENTENCES: dict[Outcome, str] = {
    "answered": "",
    "declined_no_passages": "Nothing in the sources is about this question.",
    "declined_insufficient": "The sources do not hold an answer to this question.",
    "declined_conflict": "The sources disagree about this and none of them clearly takes precedence.",
    "blocked_by_policy": "The policy in force does not allow an answer to this question.",
    "blocked_by_provider": "The language model's provider refused to answer this question.",
    "not_permitted": "You are not permitted to see the sources this question is about.",
    "check_failed": "An answer was written, but it could not be checked, so it is not shown.",
}
_MARKER = re.compile(r"\[\s*\d")
_EDGES = " .!?,;:\"'()*_"


def explanation(outcome: Outcome) -> str:
    """The sentence shown instead of an answer; empty for ``answered``."""
    return _SENTENCES[outcome]


def before_generating(passages: Sequence[Passage], sufficiency: float, *, threshold: float | None) -> Outcome | None:
    """Whether to decline without asking a generator.

    Args:
        passages: What was found and may be seen.
        sufficiency: How likely they hold an answer, in [0, 1].
        threshold: Decline below it; None leaves that judgement to the model.

    Returns:
        The outcome, or None to go on.
    """
    if not passages:
        return "declined_no_passages"
    if threshold is not None and sufficiency < threshold:
        return "declined_insufficient"
    return None


def after_generating(generation: Generation, *, no_answer: Iterable[str] = ()) -> Outcome | None:
    """Whether what the generator returned is no answer.

    Args:
        generation: What came back; thinking in it does not count.
        no_answer: The phrases by which the template lets a model say that the sources hold no answer.

    Returns:
        The outcome, or None to go on and check the answer.
    """
    if generation.finish in ("filtered", "refused"):
        return "blocked_by_provider"
    text = visible_text(generation.text)
    if not text or declines(text, no_answer):
        return "declined_insufficient"
    return None


def declines(text: str, phrases: Iterable[str]) -> bool:
    """Whether ``text`` is one of the agreed phrases for "no answer", also inside its only sentence.

    Case, quotes, white space and closing punctuation do not matter. A phrase beside sentences that do answer,
    or in a sentence that cites a passage, is not a refusal.
    """
    said = normalise(text).text.strip(_EDGES)
    wanted = [phrase for phrase in (normalise(phrase).text.strip(_EDGES) for phrase in phrases) if phrase]
    if said in wanted:
        return True
    is_alone = len(sentences(text)) == 1 and not _MARKER.search(text)
    return is_alone and any(phrase in said for phrase in wanted)


def after_checking(report: Report) -> Outcome:
    """What a checked answer amounts to under the policy ``flag``, which shows an answer with its verdicts.

    An answer of which nothing could be checked is not shown. One whose only checkable content are
    statements on which the sources contradict each other, none taking precedence, is a conflict.
    """
    checked = [claim for claim in report.claims if claim.verdict != "not_a_claim"]
    if not checked:
        return "answered"
    if all(claim.verdict == "check_failed" for claim in checked):
        return "check_failed"
    if all(claim.verdict == "contradicted" and claim.conflict for claim in checked):
        return "declined_conflict"
    return "answered"


def said_out_of_force(report: Report) -> tuple[str, ...]:
    """What sources that are not in force say about the sentences of an answer as it was written, for people."""
    written = report.original or report
    old = out_of_force(written.passages, written.on) if written.on else {}
    passed = {written.passages[number].id for number in old}
    otherwise = [e for claim in written.supported for e in claim.evidence if e.relation == "contradicts"]
    as_much = [e for claim in written.unsupported for e in claim.evidence if e.relation == "supports"]
    notes = [f"{e.place()} says otherwise but is not in force: “{e.text}”" for e in otherwise if e.passage_id in passed]
    notes += [f"{e.place()} says so but is not in force." for e in as_much if e.passage_id in passed]
    return tuple(dict.fromkeys(notes))
