"""Questions that only every row of a table answers, and whether the passages hold every row."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from grounded.records import Passage, Segment
from grounded.text.terms import content_stems

_OVER_ALL = re.compile(
    r"\bhow (?:many|much) [^?]*\b(?:are there|were there|is there|do we have|have we|in total|altogether|overall"
    r"|in all|combined|are listed|are in the)\b"
    r"|\bhow many (?:different|distinct|unique|of the|rows|entries|records)\b"
    r"|\b(?:what|which) (?:is|was|are|were) the (?:\w+ )?(?:total|sum|average|mean|median|number of|count of)\b"
    r"|\b(?:total|sum|average|mean|median|count) (?:number |amount |value |price |cost |of )"
    r"|\b(?:in total|on average|altogether)\b|\b(?:count|add up|sum up|list all|average) (?:all|every|the)\b",
    re.IGNORECASE,
)
_TOTALS = frozenset(content_stems("total totals sum average mean median altogether overall count"))
_ROW_KINDS = frozenset({"sheet_row", "table_row", "json_pointer"})

Segments = Callable[[str, str], Sequence[Segment]]
"""``segments(document_id, version)``: the places of a stored document."""


def needs_every_row(question: str, passages: Sequence[Passage], segments: Segments) -> str:
    """Why a question cannot be answered from the best passages; empty when it may be.

    It asks for a count, a total or an average, most passages are rows, some of these tables have rows that are not
    among the passages, and no passage states such a figure itself. A count of the rows that were found would
    look like an answer and be wrong.

    Args:
        question: The standalone question.
        passages: What was found, best first.
        segments: Where the rows of a document are.
    """
    if not _OVER_ALL.search(question):
        return ""
    rows = [passage for passage in passages if any(place.kind in _ROW_KINDS for place in passage.locators)]
    if 2 * len(rows) <= len(passages) or any(_TOTALS & set(content_stems(passage.text)) for passage in passages):
        return ""
    seen, every = 0, 0
    for document_id, version in dict.fromkeys((p.document_id, p.version) for p in rows):
        if document_id is None or version is None:
            continue
        spans = [p.span for p in rows if p.document_id == document_id and p.version == version and p.span]
        places = {s.span for s in segments(document_id, version) if s.locator.kind in _ROW_KINDS}
        every += len(places)
        seen += sum(any(span.start <= place.start and place.end <= span.end for span in spans) for place in places)
    if seen >= every:
        return ""
    return (
        f"This question needs every row: {seen} of {every} rows of the tables it is about were found, and a count or "
        "total over some of them would be wrong. Allow a query for it ([queries] in grounded.toml), or ask about "
        "single rows."
    )
