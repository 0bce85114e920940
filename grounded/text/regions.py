"""Parts of an answer that are not prose: reasoning a model thought aloud, code fences, inline code."""

from __future__ import annotations

import re

from grounded.records import Span

_FENCE = re.compile(r"(?m)^[ \t>]*(`{3,}|~{3,})[^\n]*$")
_INLINE = re.compile(r"(?<!`)(`+)(?!`)([^\n]*?[^`\n])\1(?!`)")
_TAG = re.compile(r"<\s*(/?)\s*(?:think|thinking|reasoning)\b[^<>]{0,80}>", re.IGNORECASE)


def code_spans(text: str) -> list[Span]:
    """Fenced blocks (an unclosed one runs to the end) and inline code, ascending, not overlapping."""
    fenced = _fences(text)
    found = list(fenced)
    for match in _INLINE.finditer(text):
        span = Span(start=match.start(), end=match.end())
        if not inside(span.start, fenced):
            found.append(span)
    return sorted(found, key=lambda span: span.start)


def _fences(text: str) -> list[Span]:
    found: list[Span] = []
    opened: tuple[int, str] | None = None
    for match in _FENCE.finditer(text):
        mark = match.group(1)
        if opened is None:
            opened = match.start(), mark
        elif mark[0] == opened[1][0] and len(mark) >= len(opened[1]):
            found.append(Span(start=opened[0], end=match.end()))
            opened = None
    if opened is not None:
        found.append(Span(start=opened[0], end=len(text)))
    return found


def thought_spans(text: str) -> list[Span]:
    """Reasoning between ``<think>`` and ``</think>``, tags included, ascending.

    An unclosed tag hides everything after it, and a closing tag without an opening one everything before it
    (chat templates often put the opening tag into the prompt). Tags inside code are text.
    """
    code = code_spans(text) if "`" in text or "~~~" in text else []
    found: list[Span] = []
    start, depth = 0, 0
    for match in _TAG.finditer(text):
        if inside(match.start(), code):
            continue
        if not match.group(1):
            start, depth = (match.start(), 1) if depth == 0 else (start, depth + 1)
        elif depth > 1:
            depth -= 1
        elif depth == 1:
            found, depth = [*found, Span(start=start, end=match.end())], 0
        else:
            found = [Span(start=0, end=match.end())]
    if depth:
        found.append(Span(start=start, end=len(text)))
    return found


def visible_spans(text: str) -> list[Span]:
    """What is left of ``text`` without reasoning, ascending."""
    found: list[Span] = []
    position = 0
    for hidden in thought_spans(text):
        if hidden.start > position:
            found.append(Span(start=position, end=hidden.start))
        position = max(position, hidden.end)
    if position < len(text):
        found.append(Span(start=position, end=len(text)))
    return found


def inside(position: int, spans: list[Span]) -> bool:
    """Whether a position lies in one of the spans."""
    return any(span.start <= position < span.end for span in spans)
