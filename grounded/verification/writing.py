"""``cite``: the markers an answer ought to carry, written into it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from grounded.errors import UsageError
from grounded.protocols import EntailmentModel
from grounded.records import Citation, Claim, Message, Report, Span
from grounded.text.regions import code_spans, inside
from grounded.verification.markers import STYLES, Marker, Style, markers, render_marker
from grounded.verification.naming import SourceNames
from grounded.verification.verifying import Verifier

_END = re.compile(r"(?P<stop>[.!?…。！？:;,]*)(?P<close>[\"'”’»)\]*_~`|]*)\s*\Z")
_TAIL = 200
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uff00-\uff60]")

_Edit = tuple[int, int, str]


def cite(
    answer: str,
    sources: Any,
    *,
    question: str | None = None,
    history: Sequence[Message] | None = None,
    reference_date: date | None = None,
    verifier: Verifier | EntailmentModel | str | None = None,
    style: Style = "[n]",
) -> Report:
    """Write correct citation markers into an answer.

    Each supported sentence gets a marker for the passage that supports it best, or one for each passage that only
    together support it. Markers that are right stay as they are. Wrong, dangling and redundant ones are taken out or
    put right, in unsupported sentences too, so that no source seems to say what it does not. Where nobody can tell
    (a check failed, a sentence with nothing to check, code) nothing is touched, and a footnote's definition gets no
    marker. The words never change.

    Args:
        answer: The text to cite; with markers or without.
        sources: As in ``verify``.
        question: As in ``verify``.
        history: As in ``verify``.
        reference_date: As in ``verify``.
        verifier: As in ``verify``.
        style: How new markers are written: ``[n]``, ``[^n]`` (with the footnotes' definitions at the end), ``【n】``,
            ``ⁿ``, ``[title]``, ``[title](uri)`` or ``(author year)``. A source whose name leads to no single passage
            is cited as ``[n]``.

    Returns:
        The report of the cited answer, which is ``report.text``.

    Raises:
        UsageError: An argument has the wrong type, or the style is unknown.
    """
    if style not in STYLES:
        raise UsageError(f"There is no citation style {style!r}.", fix=f"Allowed: {', '.join(STYLES)}.")
    chosen = verifier if isinstance(verifier, Verifier) else Verifier(verifier)
    prepared = chosen.prepare(sources, question=question, history=history, reference_date=reference_date)
    report = prepared.report(answer)
    edits = list(_edits(report, prepared.names, style))
    if not edits:
        return report
    return prepared.report(_with_footnotes(_edited(answer, edits), report, prepared.names, style))


def _edits(report: Report, names: SourceNames, style: Style) -> Iterator[_Edit]:
    """Replacements of stretches of the report's text, in order, not overlapping."""
    written = {marker.start: marker for marker in markers(report.text, names)}
    unread = [*code_spans(report.text), *_definitions(report.text, written.values())]
    edits = [
        _removal(report.text, citation.span, 0) for citation in report.stray_citations if citation.status == "dangling"
    ]
    for claim in report.claims:
        if claim.verdict not in ("not_a_claim", "check_failed"):
            kept = _edited(claim.text, list(_corrections(claim, written, names)))
            wanted = [] if inside(claim.span.end - 1, unread) else _needed(report, claim)
            text = _with_marker(kept, wanted, style, names) if wanted else kept
            if text != claim.text:
                edits.append((claim.span.start, claim.span.end, text))
    yield from sorted(dict.fromkeys(edits))


def _definitions(text: str, written: Iterable[Marker]) -> Iterator[Span]:
    """The lines that define footnotes: what stands there cites nothing."""
    for marker in written:
        if marker.style is None:
            end = text.find("\n", marker.end)
            yield Span(start=marker.start, end=end if end >= 0 else len(text))


def _corrections(claim: Claim, written: Mapping[int, Marker], names: SourceNames) -> Iterator[_Edit]:
    """Wrong markers taken out of a claim's text, half right ones without what is wrong in them."""
    start = claim.span.start
    for span, group in groupby(claim.citations, key=lambda citation: citation.span):
        marker, cited = written.get(span.start), list(group)
        right = [citation for citation in cited if citation.status == "correct"]
        if marker is None or len(right) == len(cited):
            continue
        if right:
            yield span.start - start, span.end - start, _kept(marker, right, names)
        elif marker.label is not None:
            yield span.start - start, span.end - start, claim.text[marker.label[0] - start : marker.label[1] - start]
        else:
            yield _removal(claim.text, span.shift(-start), 0)


def _needed(report: Report, claim: Claim) -> list[int]:
    """Numbers of the passages a supported claim must cite and does not; empty when it cites a right one."""
    if not claim.is_supported or any(citation.status == "correct" for citation in claim.citations):
        return []
    numbers: dict[str, int] = {}
    for number, passage in enumerate(report.passages, start=1):
        numbers.setdefault(passage.id, number)
    # With a verdict from its parts, each part brings its own source; otherwise the strongest says it all.
    best = [next((e for e in each.evidence if e.relation == "supports"), None) for each in claim.parts or (claim,)]
    return list(dict.fromkeys(numbers[evidence.passage_id] for evidence in best if evidence is not None))


def _kept(marker: Marker, right: Sequence[Citation], names: SourceNames) -> str:
    numbers = [citation.number for citation in right if citation.number is not None]
    return render_marker(numbers, marker.style or "[n]", names)


def _removal(text: str, span: Span, floor: int) -> _Edit:
    """Take a marker out, with the blanks before it."""
    start = span.start
    while start > floor and text[start - 1] in " \t\u00a0\u202f":
        start -= 1
    return start, span.end, ""


def _with_marker(sentence: str, wanted: Sequence[int], style: Style, names: SourceNames) -> str:
    """The sentence with a marker before its full stop, or after the quote, bracket or emphasis that closes it.

    What is written must read back as what was meant; raised digits after a digit, for example, do not, and then
    ``[n]`` is written.
    """
    end = _END.search(sentence, max(0, len(sentence) - _TAIL))
    at = len(sentence.rstrip())
    if sentence.endswith("|"):
        at = len(sentence[:-1].rstrip())
    elif end is not None and not end["close"]:
        at = end.start("stop")
    before, after = sentence[:at], sentence[at:]
    for form in (render_marker(wanted, style, names), render_marker(wanted, "[n]", names)):
        blank = "" if form[0] in "⁰¹²³⁴⁵⁶⁷⁸⁹" or _UNSPACED.match(before[-1:]) else " "
        changed = f"{before}{blank}{form}{after}"
        found = [each for each in markers(changed, names) if each.start >= len(before)]
        if [number for each in found for number in each.numbers] == list(wanted):
            return changed
    return sentence


def _edited(text: str, edits: Sequence[_Edit]) -> str:
    pieces, position = [], 0
    for start, end, new in edits:
        pieces += [text[position:start], new]
        position = end
    return "".join([*pieces, text[position:]])


def _with_footnotes(text: str, report: Report, names: SourceNames, style: Style) -> str:
    """The text with a definition for each footnote written that has none."""
    if style != "[^n]":
        return text
    found = markers(text, names)
    defined = {each.text.partition("]")[0] for each in found if each.style is None}
    cited = sorted({n for each in found if each.style == "[^n]" and each.text[2:-1].isdecimal() for n in each.numbers})
    lines = [
        f"[^{number}]: {' '.join(report.passages[number - 1].place().split())}"
        for number in cited
        if number <= len(report.passages) and f"[^{number}" not in defined
    ]
    if not lines:
        return text
    gap = "" if text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
    return "".join([text, gap, *(f"{line}\n" for line in lines)])
