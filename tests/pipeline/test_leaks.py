"""Random documents, principals and questions: nothing of a document ever reaches whoever may not see it."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from grounded import KnowledgeBase
from grounded.records import Viewer, document_id
from tests.ingestion.support import HashEmbedder

GROUPS = ["hr", "board", "sales", "ops"]
TENANTS = ["north", "south"]
WORDS = ["kettle", "warranty", "salary", "return", "price", "delivery"]
DOCUMENTS, QUESTIONS, ANSWERS = 30, 25, 2


class World:
    """What there is, and who may see it. Every document has a mark of its own in everything it says of itself."""

    def __init__(self, seed: int, kb: KnowledgeBase) -> None:
        self.chance, self.kb = random.Random(seed), kb
        self.allowed: dict[int, tuple[str, frozenset[str]]] = {}
        for number in range(DOCUMENTS):
            self.allowed[number] = (self.chance.choice(TENANTS), self.some_principals())
        self.texts = {number: self.text(number) for number in self.allowed}
        self.ingest(self.allowed)

    def some_principals(self) -> frozenset[str]:
        return frozenset(self.chance.sample(GROUPS, self.chance.choice([0, 0, 1, 2])))

    def text(self, number: int) -> str:
        paragraphs = [" ".join(self.chance.choices(WORDS, k=12)) for _ in range(3)]
        shared = "Everybody has this very sentence about the kettle."
        return "\n\n".join(f"{each} mark{number}x." for each in paragraphs) + f"\n\n{shared}"

    def record(self, number: int) -> dict[str, Any]:
        return {
            "key": f"mark{number}x",
            "text": self.texts[number],
            "title": f"Title mark{number}x",
            "uri": f"file:///mark{number}x",
            "metadata": {"label": f"mark{number}x"},
            "principals": sorted(self.allowed[number][1]),
        }

    def ingest(self, numbers: Any) -> int:
        """Bring in what is said of these documents now; how many chunks that embedded."""
        embedded = 0
        for tenant in TENANTS:
            records = [self.record(number) for number in numbers if self.allowed[number][0] == tenant]
            if records:
                embedded += self.kb.ingest(records, tenant=tenant, principals=()).chunks_embedded
        return embedded

    def hidden_from(self, viewer: Viewer) -> list[str]:
        return [
            f"mark{number}x"
            for number, (tenant, principals) in self.allowed.items()
            if tenant != viewer.tenant or (principals and not principals & set(viewer.principals))
        ]

    def viewer(self) -> Viewer:
        some = self.chance.sample(GROUPS, self.chance.choice([0, 1, 2]))
        return Viewer(tenant=self.chance.choice(TENANTS), principals=tuple(some))

    def question(self) -> str:
        words = self.chance.choices(WORDS, k=3)
        return " ".join([*words, f"mark{self.chance.randrange(DOCUMENTS)}x"])


def check(seen: str, hidden: list[str], said: str) -> None:
    leaked = [mark for mark in hidden if mark in seen.replace(said, "")]
    assert leaked == []


def look(world: World, questions: int, answers: int) -> None:
    kb = world.kb
    for number in range(questions):
        viewer, question = world.viewer(), world.question()
        hidden = world.hidden_from(viewer)
        reading: dict[str, Any] = {"tenant": viewer.tenant, "principals": viewer.principals}
        passages = kb.search(question, k=10, **reading)
        check(" ".join(passage.to_json() for passage in passages), hidden, question)
        for expand in ("neighbours", "section"):
            wider = kb.search(question, k=10, expand=expand, diversity=0.3, **reading)
            check(" ".join(passage.to_json() for passage in wider), hidden, question)
        check(kb.prompt(question, **reading).to_json(), hidden, question)
        if number < answers:
            answer = kb.ask(question, record=True, sufficiency_threshold=0.0, **reading)
            check(answer.to_json(), hidden, question)
            events = list(kb.stream(question, sufficiency_threshold=0.0, **reading))
            check(" ".join(event.to_json() for event in events), hidden, question)
            claim = " ".join(["Everybody", *world.chance.choices(WORDS, k=6)]) + "."
            check(kb.verify(claim, verifier="containment", **reading).to_json(), hidden, claim)
        for record in kb.answers(tenant=viewer.tenant, principals=viewer.principals):
            check(record.to_json(), hidden, record.question)
    status = kb.status()
    assert status.restricted
    assert not re.search(r"mark\d", status.to_json()), "the numbers alone"


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_nothing_leaks_before_and_after_permissions_change(tmp_path: Path, seed: int) -> None:
    with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=HashEmbedder()) as kb:
        world = World(seed, kb)
        look(world, QUESTIONS, ANSWERS)
        for number in world.chance.sample(range(DOCUMENTS), 15):
            tenant, _ = world.allowed[number]
            world.allowed[number] = (tenant, world.some_principals())
        assert world.ingest(world.allowed) == 0, "a change of permissions embeds nothing"
        look(world, QUESTIONS, 0)


def test_the_tenant_is_part_of_the_key_space(tmp_path: Path) -> None:
    """The same key in two tenants is two documents; retiring one leaves the other."""
    assert document_id("north", "records", "a") != document_id("south", "records", "a")
    with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=HashEmbedder()) as kb:
        kb.ingest([{"key": "a", "text": "north text"}], tenant="north")
        kb.ingest([{"key": "a", "text": "south text"}], tenant="south")
        assert [passage.text for passage in kb.search("text", tenant="north")] == ["north text"]
        assert kb.forget("a", tenant="north", dry_run=False).documents
        assert kb.search("text", tenant="north") == ()
        assert [passage.text for passage in kb.search("text", tenant="south")] == ["south text"]
