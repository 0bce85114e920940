"""The answer's markers, each bound to its passage and judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from grounded.records import Citation, CitationStatus, Evidence, Passage
from grounded.verification.markers import Marker


def cited_indices(markers: Iterable[Marker], passages: Sequence[Passage]) -> tuple[int, ...]:
    """Indices of the passages that exist among those cited, in order, once each."""
    numbers = (number - 1 for marker in markers for number in marker.numbers)
    return tuple(dict.fromkeys(index for index in numbers if index < len(passages)))


def citations(
    markers: Iterable[Marker],
    passages: Sequence[Passage],
    *,
    supporting: frozenset[int] | None,
    evidence: Sequence[Evidence] = (),
) -> tuple[Citation, ...]:
    """One citation for each number of each marker; a marker without a number gives one that dangles.

    Args:
        markers: The markers of one sentence, or those that belong to none.
        passages: ``[n]`` is ``passages[n-1]``.
        supporting: Indices of the passages that support the sentence; None when it was not checked.
        evidence: The sentence's evidence.
    """
    found: list[Citation] = []
    seen: set[int] = set()
    for marker in markers:
        for number in marker.numbers or (None,):
            found.append(_citation(marker, number, passages, supporting, evidence, seen))
    return tuple(found)


def _citation(
    marker: Marker,
    number: int | None,
    passages: Sequence[Passage],
    supporting: frozenset[int] | None,
    evidence: Sequence[Evidence],
    seen: set[int],
) -> Citation:
    if number is None or number > len(passages):
        return Citation(marker=marker.text, span=marker.span, number=number, status="dangling")
    index = number - 1
    passage = passages[index]
    status: CitationStatus
    if supporting is None:
        status = "unchecked"
    elif index in seen:
        status = "redundant"
    else:
        status = "correct" if index in supporting else "wrong_source"
    seen.add(index)
    return Citation(
        marker=marker.text,
        span=marker.span,
        number=number,
        passage_id=passage.id,
        title=passage.title,
        uri=passage.uri,
        status=status,
        evidence=tuple(e for e in evidence if e.passage_id == passage.id and e.relation == "supports"),
    )
