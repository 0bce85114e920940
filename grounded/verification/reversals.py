"""What turns a sentence round although its words differ: rose and fell, more and less, any and only, still and then.

The rules of :mod:`grounded.verification.checks` speak where nearly all words of a claim stand in a source. Here are
those few that can be told from a sentence which a model takes for the claim in other words. They only forbid support.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from grounded.text.sentences import sentences
from grounded.text.terms import content_stems
from grounded.verification.alignment import coverage, window_keys
from grounded.verification.analysis import Analysis, analyse
from grounded.verification.checks import clause_around
from grounded.verification.cues import negations
from grounded.verification.objections import Objection
from grounded.verification.phrases import before_verb
from grounded.verification.values import Quantity

ABOUT = 0.5
"""Share of a claim's content that a sentence must have before it can say the claim the other way round."""
_UP = re.compile(
    r"\b(?:up|rises?|rose|risen|rising|gr[eo]ws?|grown|growing|growth|increas(?:e|es|ed|ing)|gain(?:s|ed)?|climb(?:s|ed)?"
    r"|jump(?:s|ed)?|surg(?:e|es|ed)|soar(?:s|ed)?|higher)\b",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\b(?:down|falls?|fell|fallen|falling|declin(?:e|es|ed|ing)|drop(?:s|ped|ping)?|decreas(?:e|es|ed|ing)|lower"
    r"|shr[aiu]nk|plung(?:e|es|ed)|slump(?:s|ed)?|plummet(?:s|ed)?)\b",
    re.IGNORECASE,
)
_MOVES = ("percent", "number")
_CLAUSE = re.compile(r"[;:]|,(?!\d)|\b(?:but|while|whereas|although|and)\b", re.IGNORECASE)
_MORE = re.compile(r"\b(?:more|most)\s+(\w+)", re.IGNORECASE)
_LESS = re.compile(r"\b(?:less|fewer|least|fewest)\s+(\w+)", re.IGNORECASE)
_ANYONE = re.compile(r"\b(?:any|anyone|anybody|every|everyone|everybody|all)\b", re.IGNORECASE)
_ONLY = re.compile(r"\bonly\s+(?:the\s+)?(?!if\b|when\b|\d)\w+", re.IGNORECASE)
_STILL = re.compile(r"\b(?:still|to this day|even today|nowadays)\b", re.IGNORECASE)
_THEN = re.compile(r"\b(?:at (?:the|that) time|back then|in those days|formerly|used to|until then)\b", re.IGNORECASE)
_EACH = re.compile(r"\b(?:every|each)\s+(\w+)", re.IGNORECASE)
_NTH = re.compile(r"\b(first|second|third|fourth|last)\s+(\w+)", re.IGNORECASE)
_NOT_ABLE = re.compile(r"\bnon-?(\w+[ai]ble)\b", re.IGNORECASE)


def reversal(claim: Analysis, text: str) -> Objection | None:
    """Why a stretch of a source does not say a claim that a model finds in it; None when nothing of this kind is there.

    Args:
        claim: The claim.
        text: The stretch; of its sentences those count that have at least ``ABOUT`` of the claim's content.
    """
    if not claim.is_english:
        return None
    for span in sentences(text):
        sentence = analyse(span.slice(text))
        if sentence.is_english and coverage(claim, window_keys(claim, sentence)) >= ABOUT:
            reason = next(filter(None, (check(claim, sentence) for check in _CHECKS)), "")
            if reason:
                return Objection("denial", reason)
    return None


def _direction(claim: Analysis, sentence: Analysis) -> str:
    """A value by which one side says something rose and the other that it fell."""
    for mine in (quantity for quantity in claim.quantities if quantity.kind in _MOVES):
        theirs = next(filter(mine.same_as, sentence.quantities), None)
        if theirs is None:
            continue
        own, others = _way(claim.text, mine), _way(sentence.text, theirs)
        if own and others and own != others:
            return f"the source says {others}, not {own}"
    return ""


def _way(text: str, quantity: Quantity) -> str:
    """``up`` or ``down`` as the clause around a value says; empty when it says neither or both."""
    clause = clause_around(text, quantity.start, quantity.end, _CLAUSE)
    up, down = bool(_UP.search(clause)), bool(_DOWN.search(clause))
    return ("up" if up else "down") if up != down else ""


def _comparison(claim: Analysis, sentence: Analysis) -> str:
    """More of what the source has less of, said of the same thing."""
    for mine, theirs, said in ((_MORE, _LESS, "less"), (_LESS, _MORE, "more")):
        shared = _compared(mine, claim.text) & _compared(theirs, sentence.text)
        if shared - _compared(theirs, claim.text) - _compared(mine, sentence.text) and _same_subject(claim, sentence):
            return f"the source says {said} of it"
    return ""


def _compared(pattern: re.Pattern[str], text: str) -> set[str]:
    return {stem for match in pattern.finditer(text) for stem in content_stems(match.group(1))}


def _same_subject(claim: Analysis, sentence: Analysis) -> bool:
    subject = set(content_stems(before_verb(claim.text)))
    return bool(subject & set(content_stems(before_verb(sentence.text))))


def _exclusive(claim: Analysis, sentence: Analysis) -> str:
    """Anyone may do what only some may."""
    only = _ONLY.search(sentence.text)
    if not only or "only" in claim.words or not _ANYONE.search(claim.text) or _ANYONE.search(sentence.text):
        return ""
    return f"the source says {only.group()!r}"


def _past(claim: Analysis, sentence: Analysis) -> str:
    """Still so, where the source speaks of a time that is over."""
    then = _THEN.search(sentence.text)
    return f"the source speaks of then: {then.group()!r}" if then and _STILL.search(claim.text) else ""


def _one_of(claim: Analysis, sentence: Analysis) -> str:
    """Every Sunday, where the source says the first Sunday."""
    each = _compared(_EACH, claim.text)
    for match in _NTH.finditer(sentence.text):
        if each & set(content_stems(match.group(2))) and match.group(1).casefold() not in claim.words:
            return f"the source says {match.group()!r}"
    return ""


def _not_able(claim: Analysis, sentence: Analysis) -> str:
    """Refunded, where the source says non-refundable."""
    for match in _NOT_ABLE.finditer(sentence.text) if not negations(claim.text) else ():
        if claim.stems & set(content_stems(match.group(1))):
            return f"the source says {match.group()!r}"
    return ""


_CHECKS: tuple[Callable[[Analysis, Analysis], str], ...] = (
    _direction,
    _comparison,
    _exclusive,
    _past,
    _one_of,
    _not_able,
)
