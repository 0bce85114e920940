"""Sentences taken apart further: the clauses of a compound sentence, the cells of a table's row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grounded.records import Span
from grounded.verification.phrases import before_verb, has_verb
from grounded.verification.quantities import quantities

_SUBORDINATE = re.compile(
    r"\b(?:that|which|who|whom|whose|if|unless|when|because|between|both|either|neither|whether)\b", re.IGNORECASE
)
# Finite and no participle, and never a noun here: "and is", "and has", not "and covers".
_FINITE = (
    r"(?:is|are|was|were|has|have|had|does|did|can|cannot|could|will|would|must|may|might|should|lasts|takes|took"
    r"|includes|contains|gets|requires|applies|opens|closes|expires|ran|receives|provides|allows|grew|rose|fell"
    r"|remains|became|becomes|says|said|went|goes|came|comes|serves|stands|lies|began|begins|weighs|belongs|lives"
    r"|died|married|wrote|won|costs? (?=\W?\d))"
)
_OWN_SUBJECT = rf"(?:(?!that\b|which\b|who\b|to\b)[\w'’-]+\s+){{1,5}}{_FINITE}\b"
_BREAK = re.compile(
    r";\s+|,\s+(?:and|but|while|whereas|so)\s+|\s+but\s+|\s+and\s+(?=(?:the|it|they|he|she|this|these|our|your"
    rf"|its)\b|{_OWN_SUBJECT})"
)
_STARTS_CLAUSE = re.compile(
    r"(?:the|a|an|it|they|he|she|we|you|this|that|these|those|there|our|your|its|their|his|her|all|each|every|no|in"
    rf"|on|for)\b|[A-ZÀ-Þ0-9]|{_OWN_SUBJECT}",
)
_HAS_FINITE = re.compile(rf"\b{_FINITE}\b")
_SHARED = re.compile(rf",?\s+(?:and|but)\s+(?=(?:also\s+|then\s+|later\s+)?{_FINITE}\b)|,\s+(?={_FINITE}\b)")
_LONGEST_SUBJECT = 8
_RULE_ROW = re.compile(r"[ \t>]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table.

    Attributes:
        span: The line, without its line break.
        header: The texts of the header's cells; empty for the header itself and the rule below it.
        is_content: It is neither the header nor the rule below it.
    """

    span: Span
    header: tuple[str, ...] = ()
    is_content: bool = True


def is_rule_row(text: str) -> bool:
    """Whether a line is the rule between a table's header and its rows."""
    return bool(_RULE_ROW.match(text))


def table_rows(text: str) -> list[Row]:
    """The lines of all Markdown tables that have a header, in order."""
    if "|" not in text:
        return []
    lines = [Span(start=match.start(), end=match.end()) for match in re.finditer(r"[^\n]+", text)]
    found: list[Row] = []
    header: tuple[str, ...] = ()
    for number, span in enumerate(lines):
        line = span.slice(text)
        following = lines[number + 1] if number + 1 < len(lines) else None
        touches = number > 0 and lines[number - 1].end + 1 == span.start
        if "|" in line and following is not None and following.start == span.end + 1 and not is_rule_row(line):
            rule = following.slice(text)
            if "|" in rule and is_rule_row(rule):
                header = tuple(cell.slice(line).strip() for cell in _cells(line))
                found.append(Row(span, is_content=False))
                continue
        if header and touches and "|" in line:
            found.append(Row(span, header, is_content=True) if not is_rule_row(line) else Row(span, is_content=False))
        else:
            header = ()
    return found


def row_parts(line: str, header: Sequence[str]) -> list[tuple[Span, str]]:
    """The cells of a row, each with the sentence it stands for: ``Kettle – Warranty: 24 months``.

    Returns:
        For every filled cell but the first its place in ``line`` and its text for scoring; nothing when the row
        does not fit its header.
    """
    cells = _cells(line)
    if len(cells) < 2 or len(cells) > len(header):
        return []
    first = cells[0].slice(line)
    return [
        (cell, f"{first} – {name}: {cell.slice(line)}" if name else f"{first}: {cell.slice(line)}")
        for cell, name in zip(cells[1:], header[1:], strict=False)
        if re.search(r"\w", cell.slice(line))
    ]


def clauses(text: str) -> list[tuple[Span, str]]:
    """The clauses of a compound sentence; none unless each can be checked on its own.

    Returns:
        For each clause its place in ``text`` and its text for scoring, which repeats a subject that clauses share.
    """
    pieces: list[tuple[int, int, str]] = []
    start, subject = 0, ""
    for low, high, shares in _breaks(text):
        left, right = text[start:low], text[high:]
        own = f"{subject}{left}"
        if shares:
            shared = subject or _subject(left)
            if shared and _is_clause(own) and _is_clause(f"{shared}{right}") and not _SUBORDINATE.search(left):
                pieces.append((start, low, own))
                start, subject = high, shared
        elif _is_clause(own) and _is_clause(right) and _opens(text[low:high], left, right):
            pieces.append((start, low, own))
            start, subject = high, ""
    if not pieces:
        return []
    pieces.append((start, len(text), f"{subject}{text[start:]}"))
    return [(Span(start=low, end=high), scored) for low, high, scored in pieces]


def _opens(border: str, left: str, right: str) -> bool:
    """Whether a clause of its own starts after a border."""
    if _SUBORDINATE.search(left) or not _STARTS_CLAUSE.match(right):
        return False
    # A bare "and" joins nouns as well: "the cost of tea and coffee is".
    return border.strip() != "and" or bool(_HAS_FINITE.search(left))


def _breaks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Places where a clause may end, in order; the last says whether the next clause has no subject of its own."""
    shared = {match.span() for match in _SHARED.finditer(text)}
    plain = {match.span() for match in _BREAK.finditer(text)}
    position = 0
    for low, high in sorted(shared | plain):
        if low >= position:
            yield low, high, (low, high) in shared
            position = high


def _subject(clause: str) -> str:
    """What stands before the verb, with a blank after it; empty when that is no plain subject."""
    found = before_verb(clause)
    if len(found.split()) == 1 and found.strip().lower() in ("the", "a", "an", "our", "your", "its", "their"):
        # "The cost of tea is": the first word that can be a verb was a noun.
        verb = _HAS_FINITE.search(clause)
        found = clause[: verb.start()] if verb else ""
    words = found.split()
    return found if 0 < len(words) <= _LONGEST_SUBJECT and not re.search(r"[,;:()]", found) else ""


def _is_clause(text: str) -> bool:
    return has_verb(text) and len(text.split()) >= 3 and (len(text.split()) >= 4 or bool(quantities(text)))


def _cells(line: str) -> list[Span]:
    """The cells of a row, trimmed, empty ones too; the outer pipes make none."""
    start, end = len(line) - len(line.lstrip(" \t>")), len(line.rstrip())
    start += line.startswith("|", start)
    end -= end > start and line[end - 1] == "|" and line[end - 2 : end - 1] != "\\"
    found: list[Span] = []
    position = start
    for match in re.finditer(r"(?<!\\)\||\Z", line[:end]):
        if match.start() >= position:
            cell = line[position : match.start()]
            low = position + len(cell) - len(cell.lstrip())
            found.append(Span(start=low, end=max(low, position + len(cell.rstrip()))))
            position = match.end()
    return found
