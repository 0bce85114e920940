"""The answer's markers, each bound to its passage and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from grounded.records import Citation, CitationStatus, Evidence, Passage
from grounded.verification.aggregation import Finding
from grounded.verification.claims import Draft
from grounded.verification.markers import Marker


def cited_indices(markers: Iterable[Marker], passages: Sequence[Passage]) -> tuple[int, ...]:
    """Indices of the passages that exist among those cited, in order, once each."""
    numbers = (number - 1 for marker in markers for number in marker.numbers)
    return tuple(dict.fromkeys(index for index in numbers if index < len(passages)))


def citations(
    markers: Iterable[Marker],
    passages: Sequence[Passage],
    *,
    supporting: Callable[[Marker], frozenset[int]] | None,
    evidence: Sequence[Evidence] = (),
) -> tuple[Citation, ...]:
    """One citation for each thing that a marker cites; a marker that cites nothing known gives one that dangles.

    Args:
        markers: The markers of one sentence, or those that belong to none.
        passages: ``[n]`` is ``passages[n-1]``.
        supporting: Indices of the passages that support what the marker stands at; None when it was not checked.
        evidence: The sentence's evidence.
    """
    found: list[Citation] = []
    seen: set[int] = set()
    for marker in markers:
        holding = None if supporting is None else supporting(marker)
        for target in marker.targets:
            found.append(_citation(marker, target, passages, holding, evidence, seen))
    return tuple(found)


def sentence_citations(
    item: Draft,
    decided: Finding,
    findings: Sequence[Finding],
    passages: Sequence[Passage],
    *,
    place: Callable[[Evidence], Evidence],
) -> tuple[Citation, ...]:
    """The citations of a checked sentence.

    A marker within a sentence is judged by the part it stands at. One at the end is judged by the whole sentence when
    that is supported, so that sources may share the work, and by the last part when it is not.

    Args:
        item: The sentence.
        decided: What was found about it.
        findings: What was found about the whole, then about each part if those were looked at.
        passages: ``[n]`` is ``passages[n-1]``.
        place: Adds the places in the origin to a piece of evidence.
    """
    whole, *parts = [finding.supporting for finding in findings]

    def supporting(marker: Marker) -> frozenset[int]:
        for number, following in enumerate(item.parts[1:] if parts else ()):
            if marker.end <= following.span.start:
                return whole | parts[number]
        return whole.union(*(parts if decided.verdict == "supported" else parts[-1:]))

    return citations(
        item.markers,
        passages,
        supporting=None if decided.verdict == "check_failed" else supporting,
        evidence=[place(each) for each in dict.fromkeys(e for f in (decided, *findings) for e in f.evidence)],
    )


def _citation(
    marker: Marker,
    target: Sequence[int],
    passages: Sequence[Passage],
    supporting: frozenset[int] | None,
    evidence: Sequence[Evidence],
    seen: set[int],
) -> Citation:
    known = [number - 1 for number in target if number <= len(passages)]
    if not known:
        return Citation(marker=marker.text, span=marker.span, number=next(iter(target), None), status="dangling")
    index = next((index for index in known if supporting and index in supporting), known[0])
    passage = passages[index]
    status: CitationStatus
    if supporting is None:
        status = "unchecked"
    elif index in seen:
        status = "redundant"
    else:
        status = "correct" if index in supporting else "wrong_source"
    seen.add(index)
    own = [item for item in evidence if item.relation == "supports"]
    better = [item.passage_id for item in own if item.passage_id != passage.id] if status == "wrong_source" else []
    return Citation(
        marker=marker.text,
        span=marker.span,
        number=index + 1,
        passage_id=passage.id,
        title=passage.title,
        uri=passage.uri,
        status=status,
        evidence=tuple(item for item in own if item.passage_id == passage.id),
        better=tuple(dict.fromkeys(better)),
    )
