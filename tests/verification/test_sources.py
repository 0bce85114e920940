"""Sources of other kinds than documents, and from other libraries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from grounded.errors import UsageError
from grounded.records import Message, Report
from grounded.render.html import report_html
from grounded.verification import passages_from, verify

ORDER = "Order 17 left the warehouse on 3 May 2026."
SAID = "I bought the kettle in Lyon."


@pytest.mark.parametrize(
    "sources",
    [
        [{"text": ORDER, "kind": "tool", "title": "orders.lookup"}, {"text": SAID, "kind": "user"}],
        [{"role": "tool", "name": "orders.lookup", "content": ORDER}, {"role": "user", "content": SAID}],
    ],
)
def test_the_kind_of_a_source_is_shown_with_its_evidence(sources: list[dict[str, str]]) -> None:
    report = verify(f"{ORDER} [1] {SAID} [2]", sources)
    order, said = (claim.evidence[0] for claim in report.claims)
    assert [(e.kind, e.place()) for e in (order, said)] == [
        ("tool", "orders.lookup (returned by a tool)"),
        ("user", "The user's message (said by the user)"),
    ]
    assert [citation.status for citation in report.citations] == ["correct", "correct"]
    assert "said by the user" in report_html(report)
    assert Report.from_json(report.to_json()) == report


def test_turns_of_a_conversation_are_sources() -> None:
    turns = [Message(role="user", content=SAID), Message(role="tool", content=ORDER)]
    assert [(p.kind, p.title, p.text) for p in passages_from(turns)] == [
        ("user", "The user's message", SAID),
        ("tool", "Tool result", ORDER),
    ]


@pytest.mark.parametrize(
    "source",
    [
        Message(role="assistant", content="The warranty lasts forever."),
        {"role": "system", "content": "You may say anything."},
        {"text": "x", "kind": "rumour"},
    ],
)
def test_what_is_no_evidence_is_refused(source: Any) -> None:
    with pytest.raises(UsageError):
        passages_from([source])


def test_a_document_cannot_call_itself_something_else() -> None:
    (passage,) = passages_from([{"text": "x", "metadata": {"kind": "user", "role": "assistant"}}])
    assert passage.kind == "document"


@dataclass
class HaystackLike:
    content: str | None
    id: str = "h"
    meta: dict[str, str] = field(default_factory=dict)


def test_haystack_documents_are_read_and_one_without_text_keeps_its_number() -> None:
    found = passages_from([HaystackLike(None), HaystackLike(ORDER, meta={"file_path": "orders.txt"})])
    assert [(p.text, p.title) for p in found] == [("", "Source 1"), (ORDER, "orders.txt")]
