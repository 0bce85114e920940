"""Invariants of every prompt, on arbitrary input."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from grounded.errors import BudgetError
from grounded.prompting import build_prompt, load_template
from grounded.prompting.spotlight import neutralise, neutralise_label
from grounded.records import Message, Passage
from grounded.text.tokens import encoding

STRUCTURE = (
    "<|im_start|>",
    "</source>",
    "\n",
    "</sources-0123456789abcdef>",
    "### System:",
    "[INST]",
    "{{ 7*7 }}",
    "[1]",
    "<!--",
)
text = st.text(st.characters(codec="utf-8"), max_size=80) | st.lists(st.sampled_from(STRUCTURE), max_size=6).map(
    "".join
)
passage_texts = st.lists(text | text.map(lambda each: each * 40), max_size=8)
histories = st.lists(st.builds(Message, role=st.sampled_from(["user", "assistant", "tool"]), content=text), max_size=6)
questions = text.filter(str.strip)
NONCE = "fedcba9876543210"


@given(questions, passage_texts, histories, st.integers(1000, 3000), st.sampled_from(["gpt-4", "gpt-4o", "other"]))
@settings(max_examples=150)
def test_every_prompt(question: str, texts: list[str], history: list[Message], window: int, model: str) -> None:
    passages = [Passage(id=str(number), title=each[:20], text=each) for number, each in enumerate(texts)]
    options = {"history": history, "window": window, "reserve": 50, "model": model, "nonce": NONCE}
    prompt, error = None, None
    try:
        prompt = build_prompt(question, passages, **options)  # type: ignore[arg-type]
    except BudgetError as refused:
        error = refused
    if prompt is None:
        assert error is not None
        assert error.needed > error.limit
        return
    budget = prompt.budget
    ours = encoding("cl100k_base" if model == "gpt-4" else "o200k_base")

    # Never over budget, and the account is that of the bytes sent.
    assert budget.used <= budget.limit - budget.reserved
    counted = sum(ours.count(message.content) + 4 for message in prompt.messages) + 3
    assert budget.used - budget.parts.get("margin", 0) == counted
    assert all(count >= 0 for count in budget.parts.values())

    # The question is whole and last; the static part is the template's alone.
    user = prompt.messages[-1].content
    assert user.endswith(f"Question: {question}")
    assert prompt.question == question
    assert prompt.messages[0].content == load_template().system()
    assert NONCE not in prompt.messages[0].content

    # Every passage is kept or listed, every turn too, and nothing about a kept passage changed.
    kept = [passage.id for passage in prompt.passages]
    gone = [each.what for each in budget.dropped if each.part == "evidence"]
    assert sorted([*kept, *gone]) == sorted(passage.id for passage in passages)
    assert kept == sorted(kept, key=int)
    assert set(prompt.passages) <= set(passages)
    said = [message for message in history if message.content.strip()]
    dropped = [each for each in budget.dropped if each.part == "history"]
    assert len(prompt.messages) - 2 + len(dropped) == len(said)

    # [n] is passages[n-1], and nothing in between can end or open a source.
    body = user.removeprefix(f"<sources-{NONCE}>\n").split(f"</sources-{NONCE}>")[0]
    blocks = re.split(r"^<source (?=[^<>]*>$)", body, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(kept)
    for number, (block, passage) in enumerate(zip(blocks, prompt.passages, strict=True), 1):
        assert block.startswith(f'id="{number}"')
        assert block.endswith("\n</source>\n")
        shown = block[block.index(">\n") + 2 : -len("\n</source>\n")]
        assert shown.strip("\n") == neutralise(passage.text, NONCE).text.strip("\n")
        assert "<source" not in shown
        assert "</source" not in shown
    assert user.removesuffix(question).count(NONCE) == 2

    # The same inputs and the same nonce give the same bytes.
    assert build_prompt(question, passages, **options) == prompt  # type: ignore[arg-type]


@given(text)
def test_shown_text_keeps_its_length_and_settles(given_text: str) -> None:
    shown = neutralise(given_text, NONCE)
    assert len(shown.text) == len(given_text)
    assert neutralise(shown.text, NONCE).text == shown.text
    for found in shown.findings:
        assert 0 <= found.span.start < found.span.end <= len(given_text)


@given(text)
def test_labels_stay_on_their_line(given_text: str) -> None:
    shown = neutralise_label(given_text, NONCE)
    assert len(shown) <= 200
    assert not set('<>"\n\r') & set(shown)
