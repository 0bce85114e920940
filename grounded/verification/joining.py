"""The finding about a sentence from the findings about its parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from grounded.records import ClaimPart, worst_verdict
from grounded.text.shortening import shortened
from grounded.verification.aggregation import Finding

_SHOWN = 60
"""Characters of a part that its reason quotes."""


def is_decided(whole: Finding, cited: Iterable[int] = ()) -> bool:
    """Whether nothing that is found about a sentence's parts would change what is said of it.

    Args:
        whole: What is found about the sentence.
        cited: Indices of the passages that it cites: one that does not support the whole may support a part.
    """
    return whole.verdict == "check_failed" or (whole.verdict == "supported" and whole.supporting.issuperset(cited))


def joined(whole: Finding, parts: Sequence[Finding], shown: Sequence[ClaimPart]) -> Finding:
    """The sentence's verdict is the worst of its parts, unless it is decided as a whole."""
    if not shown or is_decided(whole):
        return whole
    worst = worst_verdict(part.verdict for part in shown)
    if whole.verdict == "contradicted" and worst != "contradicted":
        return whole
    deciding = next(part for part in parts if part.verdict == worst)
    reasons = [f"“{shortened(part.text, _SHOWN)}”: {part.reason}" for part in shown if part.verdict != "supported"]
    return Finding(
        verdict=worst,
        reason=deciding.reason if worst == "supported" else "; ".join(dict.fromkeys(reasons)),
        support=min(part.support for part in parts),
        contradiction=max(part.contradiction for part in parts),
        conflict=any(part.conflict for part in parts),
        evidence=tuple(dict.fromkeys(item for part in parts for item in part.evidence)),
        supporting=frozenset().union(*(part.supporting for part in parts)),
    )
