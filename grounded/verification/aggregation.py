"""From judgements of single windows to the verdict of a claim, with the evidence for and against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grounded.protocols import Judgement
from grounded.records import Evidence, Passage, Span, Verdict
from grounded.verification.objections import Ruling, objection_of
from grounded.verification.windows import Stretch, Window

MAX_EVIDENCE = 5
"""Places shown for each side of a claim."""
_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a judgement must reach.

    Attributes:
        support: Least ``support`` of a supporting window, in (0, 1].
        contradiction: Least ``contradiction`` of a contradicting window, in (0, 1].
    """

    support: float = 0.5
    contradiction: float = 0.5

    def settings(self) -> dict[str, float]:
        """As arguments of a verifier."""
        return {"support_threshold": self.support, "contradiction_threshold": self.contradiction}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about a claim or a part of one.

    Attributes:
        support: Strongest support by a source in force, raw.
        contradiction: Strongest contradiction by a source in force, raw.
        supporting: Indices of all passages that support it, in force or not.
    """

    verdict: Verdict
    reason: str
    support: float = 0.0
    contradiction: float = 0.0
    conflict: bool = False
    evidence: tuple[Evidence, ...] = ()
    supporting: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Side:
    """The best window of one passage for or against a claim."""

    passage: int
    strength: float
    evidence: tuple[Evidence, ...]
    reason: str
    is_ruled: bool


def failed(reason: str) -> Finding:
    """A claim that should have been checked and could not be."""
    return Finding("check_failed", reason)


def defect(judgements: Any, expected: int) -> str:
    """What is wrong with what a model returned; empty when nothing is."""
    if not isinstance(judgements, Sequence) or len(judgements) != expected:
        count = len(judgements) if isinstance(judgements, Sequence) else 0
        return f"the verifier returned {count} judgements for {expected} pairs"
    for judgement in judgements:
        if not isinstance(judgement, Judgement):
            return f"the verifier returned a {type(judgement).__name__} instead of a judgement"
        numbers = (judgement.support, judgement.contradiction, judgement.neither)
        if not all(isinstance(number, int | float) for number in numbers) or not all(
            0 <= number <= 1 for number in numbers
        ):
            return "the verifier returned a number outside [0, 1]"
        if abs(sum(numbers) - 1.0) > _TOLERANCE:
            return "the verifier returned numbers that do not add up to 1"
    return ""


def aggregate(
    judged: Iterable[tuple[Window, Judgement]],
    *,
    passages: Sequence[Passage],
    outdated: Mapping[int, str],
    thresholds: Thresholds,
) -> Finding:
    """The verdict of one claim from all its judged windows.

    When sources disagree, those in force decide; when sources in force disagree, it is a conflict, and the
    verdict is ``contradicted`` with evidence for both sides. A model that reads a single source both ways supports
    nothing and contradicts nothing.
    """
    pairs = list(judged)
    pro = _sides(pairs, passages, "supports", thresholds.support)
    con = _sides(pairs, passages, "contradicts", thresholds.contradiction)
    now_pro = [side for side in pro if side.passage not in outdated]
    now_con = [side for side in con if side.passage not in outdated]
    verdict, reason = _decide(now_pro, now_con, pro, con, passages, outdated)
    if not (pro or con):
        reason = _nearest(pairs)
    order = {"supported": (now_pro, con, pro), "contradicted": (now_con, pro, con)}.get(verdict, (pro, con))
    return Finding(
        verdict=verdict,
        reason=reason,
        support=_strongest(pairs, outdated, "support"),
        contradiction=_strongest(pairs, outdated, "contradiction"),
        conflict=bool(verdict == "contradicted" and now_pro and now_con),
        evidence=_unique(item for group in order for side in group[:MAX_EVIDENCE] for item in side.evidence),
        supporting=frozenset(side.passage for side in pro) if not _is_torn(now_pro, now_con) else frozenset(),
    )


def _decide(
    now_pro: Sequence[_Side],
    now_con: Sequence[_Side],
    pro: Sequence[_Side],
    con: Sequence[_Side],
    passages: Sequence[Passage],
    outdated: Mapping[int, str],
) -> tuple[Verdict, str]:
    old_pro = [side for side in pro if side.passage in outdated]
    old_con = [side for side in con if side.passage in outdated]
    if _is_torn(now_pro, now_con):
        name = _name(passages, now_pro[0])
        return "unsupported", f"{name[:1].upper()}{name[1:]} can be read for it and against it ({now_con[0].reason})"
    if now_pro and now_con:
        one, other = _name(passages, now_pro[0]), _name(passages, now_con[0])
        return "contradicted", f"the sources disagree: {one} supports it, {other} does not ({now_con[0].reason})"
    if now_con:
        return "contradicted", "; ".join([now_con[0].reason, *_old(old_pro, passages, outdated, "said so")])
    if now_pro:
        return "supported", "; ".join([now_pro[0].reason, *_old(old_con, passages, outdated, "said otherwise")])
    if pro:
        return "unsupported", "only a source out of force says so: " + "; ".join(
            _old(old_pro, passages, outdated, "said so")
        )
    if con:
        return "unsupported", "no source in force speaks of it: " + "; ".join(
            _old(old_con, passages, outdated, "said otherwise")
        )
    return "unsupported", ""


def _is_torn(now_pro: Sequence[_Side], now_con: Sequence[_Side]) -> bool:
    """Whether a model reads one and the same source both ways: that is its doubt, and no conflict of sources."""
    sides = (*now_pro, *now_con)
    alone = len({side.passage for side in sides}) == 1
    return bool(now_pro and now_con) and alone and not any(side.is_ruled for side in sides)


def _old(sides: Sequence[_Side], passages: Sequence[Passage], outdated: Mapping[int, str], said: str) -> list[str]:
    return [f"{_name(passages, side)} {said}, {outdated[side.passage]}" for side in sides[:2]]


def _name(passages: Sequence[Passage], side: _Side) -> str:
    return passages[side.passage].title or f"source {side.passage + 1}"


def _sides(
    pairs: Sequence[tuple[Window, Judgement]], passages: Sequence[Passage], relation: str, threshold: float
) -> list[_Side]:
    best: dict[int, tuple[tuple[float, int, int], list[Stretch], Judgement]] = {}
    for window, judgement in pairs:
        supports = relation == "supports"
        strength = judgement.support if supports else judgement.contradiction
        # What the rules object to says with its score how close it came, and supports at no threshold.
        if strength < threshold or (supports and objection_of(judgement)):
            continue
        deciding = window.within(judgement.span) if judgement.span else window.stretches
        for number in dict.fromkeys(stretch[0] for stretch in deciding):
            own = [stretch for stretch in deciding if stretch[0] == number]
            rank = (-strength, sum(end - start for _, start, end in own), own[0][1])
            if number not in best or rank < best[number][0]:
                best[number] = rank, own, judgement
    sides = [
        _Side(
            number,
            -rank[0],
            tuple(_evidence(passages[number], stretch, relation, -rank[0]) for stretch in own),
            judgement.reason,
            isinstance(judgement, Ruling),
        )
        for number, (rank, own, judgement) in best.items()
    ]
    return sorted(sides, key=lambda side: (-side.strength, side.passage))


def _evidence(passage: Passage, stretch: Stretch, relation: str, strength: float) -> Evidence:
    _, start, end = stretch
    return Evidence(
        passage_id=passage.id,
        kind=passage.kind,
        document_id=passage.document_id,
        version=passage.version,
        title=passage.title,
        uri=passage.uri,
        span=Span(start=start, end=end).shift(passage.offset),
        text=passage.text[start:end],
        locators=passage.locators,
        relation="supports" if relation == "supports" else "contradicts",
        score=strength,
    )


def _strongest(pairs: Iterable[tuple[Window, Judgement]], outdated: Mapping[int, str], name: str) -> float:
    return max((getattr(judgement, name) for window, judgement in pairs if window.passage not in outdated), default=0.0)


def _nearest(pairs: Sequence[tuple[Window, Judgement]]) -> str:
    """The reason of the window that came closest."""
    if not pairs:
        return "no source speaks of it"
    _, judgement = max(pairs, key=lambda pair: (pair[1].support, -pair[0].passage, -pair[0].start))
    return judgement.reason or "no source says this"


def _unique(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    seen: dict[tuple[str, int, int, str], Evidence] = {}
    for item in evidence:
        seen.setdefault((item.passage_id, item.span.start, item.span.end, item.relation), item)
    return tuple(seen.values())
