"""Sentences taken out of an answer, or replaced, with its lists, tables and blanks kept tidy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from grounded.records import Claim, Span
from grounded.text.regions import thought_spans

_BLANKS = " \t\u00a0\u202f"
_BARE_BEFORE = re.compile(r"[\s>]*(?:(?:[-*+•◦▪‣–]|\(?\w{1,3}[.)]|#{1,6})(?=\s|$))?[\s*_]*")
_BARE_AFTER = re.compile(r"[\s*_]*")
_LIST_LINE = re.compile(r"[ \t>]*(?:[-*+•◦▪‣–]|\(?\d{1,3}[.)])[ \t]")
_NUMBERED = re.compile(r"([ \t>]*\(?)(\d{1,3})(?=[.)][ \t])")
_LEADING = frozenset({"a lead-in", "a heading", "a table header", "said by the next sentence"})
"""Reasons of sentences that say nothing without what follows them."""


def revised(text: str, claims: Sequence[Claim], new: Mapping[Span, str]) -> str:
    """An answer with some of its sentences replaced, or taken out where the replacement is empty.

    A line of which nothing is left goes too, and so does a heading, lead-in, table header or bare "Yes" whose content
    has gone; numbered items below move up.

    Args:
        text: The answer.
        claims: All its sentences, in order.
        new: The new text of sentences by their span.
    """
    gone = {number for number, claim in enumerate(claims) if new.get(claim.span) == ""}
    orphans = {claims[number].span: "" for number in _orphans(text, claims, gone)}
    return edited(text, {**new, **orphans})


def without_thought(text: str) -> str:
    """An answer without the reasoning in it, which is never checked."""
    return edited(text, dict.fromkeys(thought_spans(text), ""))


def edited(text: str, replacements: Mapping[Span, str]) -> str:
    """Text with some spans replaced, and tidied where a replacement is empty; spans must not overlap."""
    for span, replacement in sorted(replacements.items(), key=lambda item: item[0].start, reverse=True):
        before, after = text[: span.start], text[span.end :]
        text = before + replacement + after if replacement else _closed(before, after)
    return text


def _closed(before: str, after: str) -> str:
    """Two pieces of text between which something was taken out."""
    line_start = before.rfind("\n") + 1
    line_end = after.find("\n")
    left, right = before[line_start:], after if line_end < 0 else after[:line_end]
    if _BARE_BEFORE.fullmatch(left) and _BARE_AFTER.fullmatch(right):
        return _without_line(before[:line_start], left, "" if line_end < 0 else after[line_end + 1 :])
    if not right.strip(_BLANKS):
        return before.rstrip(_BLANKS) + after.lstrip(_BLANKS)
    if _BARE_BEFORE.fullmatch(left):
        return before + after.lstrip(_BLANKS)
    blank = " " if left[-1:] in _BLANKS or right[:1] in _BLANKS else ""
    return before.rstrip(_BLANKS) + blank + after.lstrip(_BLANKS)


def _without_line(above: str, left: str, below: str) -> str:
    """Two blank lines that meet become one, and none is left at either end."""
    numbered = _NUMBERED.match(left + " ")
    if numbered:
        below = _moved_up(below, numbered.group(1), int(numbered.group(2)))
    if not below.strip():
        return above.rstrip()
    if not above.strip():
        return below.lstrip("\n")
    return above + (below.lstrip("\n") if above.endswith("\n\n") else below)


def _moved_up(below: str, indent: str, removed: int) -> str:
    """The items that follow a numbered one which has gone, each with the number before its own."""
    lines = below.split("\n")
    expected = removed + 1
    for place, line in enumerate(lines):
        item = _NUMBERED.match(line)
        if item and item.group(1) == indent:
            if int(item.group(2)) != expected:
                break
            lines[place] = f"{indent}{expected - 1}{line[item.end() :]}"
            expected += 1
        elif line.strip() and not line.startswith((" ", "\t", ">")):
            break
    return "\n".join(lines)


def _orphans(text: str, claims: Sequence[Claim], gone: set[int]) -> set[int]:
    """Sentences that only introduce what has gone."""
    orphans: set[int] = set()
    for number in range(len(claims) - 2, -1, -1):
        claim, following = claims[number], number + 1
        if claim.verdict != "not_a_claim" or claim.reason not in _LEADING or following not in gone | orphans:
            continue
        left = next((n for n in range(following, len(claims)) if n not in gone and n not in orphans), None)
        if (
            left is None
            or claim.reason == "said by the next sentence"
            or _shape(text, claims[left]) != _shape(text, claims[following])
        ):
            orphans.add(number)
    return orphans


def _shape(text: str, claim: Claim) -> str:
    if claim.reason in ("a heading", "a lead-in"):
        return claim.reason
    line = text[text.rfind("\n", 0, claim.span.start) + 1 : claim.span.end]
    if line.lstrip(" \t>").startswith("|"):
        return "a table"
    return "an item" if _LIST_LINE.match(line) else "prose"
