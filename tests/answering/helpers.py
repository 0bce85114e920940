from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from grounded.records import Budget, Locator, Message, Passage, Prompt, TemplateRef


def passage(
    text: str,
    *,
    number: int = 1,
    title: str = "Handbook",
    document: str | None = None,
    supersedes: str | None = None,
    until: date | None = None,
    headings: tuple[str, ...] = (),
) -> Passage:
    plain = Passage.from_text(text, title=title, number=number)
    places = (Locator(kind="heading", path=headings),) if headings else ()
    return plain.model_copy(
        update={
            "document_id": document,
            "supersedes": supersedes,
            "effective_to": until,
            "locators": places,
        }
    )


def prompt(question: str, passages: Sequence[Passage] = (), *, system: str = "Be brief.") -> Prompt:
    return Prompt(
        messages=(Message(role="system", content=system), Message(role="user", content=question)),
        passages=tuple(passages),
        question=question,
        budget=Budget(limit=4096, reserved=512, parts={"question": 10}, exact=True, encoding="o200k_base"),
        template=TemplateRef(name="core/qa", version="1", hash="0" * 64),
        nonce="nonce",
    )
