from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from grounded.cli.app import run
from grounded.errors import UsageError
from grounded.evaluation.datasets import read_dataset, write_dataset
from grounded.evaluation.making import _STRANGERS, GOAL, KINDS, make_dataset
from grounded.pipeline.knowledge_base import KnowledgeBase
from grounded.records import Passage, Span
from grounded.text.terms import content_stems


def passage(name: str, text: str, *, offset: int = 0, principals: tuple[str, ...] = ()) -> Passage:
    return Passage(
        id=f"{name}-{offset}",
        document_id=name,
        version="1",
        title=name,
        uri=f"file:///shop/{name}",
        text=text,
        span=Span(start=offset, end=offset + len(text)),
        principals=principals,
    )


SHOP = (
    passage("2026.md", "Terms.\n\nThe warranty on all kettles lasts 24 months from delivery. It is free.", offset=10),
    passage("2024.md", "The warranty on all kettles lasts 36 months from delivery."),
    passage("ship.html", "Express delivery costs 9 euros. Standard delivery takes three days."),
    passage("prices.xlsx", "Article: A1; Product: Kettle; Price: 29.9\nArticle: A2; Product: Lamp; Price: 12.5"),
    passage("wages.md", "The monthly wage of a clerk is 2,900 euros before tax.", principals=("staff",)),
)  # fmt: skip


def test_every_kind_is_made_with_the_place_of_its_answer() -> None:
    made = make_dataset(SHOP, count=60)
    assert {row.kind for row in made.rows} == set(KINDS)
    texts = {f"{each.title}": each for each in SHOP}
    for row in made.rows:
        for source in row.sources:
            origin = texts[source.document]
            assert source.span is not None
            assert source.span.shift(-origin.offset).slice(origin.text) == source.text
            assert row.reference is None or row.kind == "multi" or row.reference in f"{source.text}{row.reference}"


def test_the_same_passages_give_the_same_questions_in_any_order() -> None:
    assert make_dataset(SHOP, count=30) == make_dataset(SHOP[::-1], count=30)
    assert make_dataset(SHOP, count=5, seed=1).ref.hash != make_dataset(SHOP, count=5).ref.hash


def test_conflicts_attacks_and_secrets_are_so_by_construction() -> None:
    rows = {kind: [row for row in make_dataset(SHOP, count=99).rows if row.kind == kind] for kind in KINDS}
    (conflict,) = rows["conflicting"]
    assert {source.document for source in conflict.sources} == {"2024.md", "2026.md"}
    assert all(GOAL in row.contexts[0] and row.absent == (GOAL,) for row in rows["injected"])
    assert all(row.should_answer is False and not row.principals for row in rows["restricted"])
    known = {stem for each in SHOP for stem in content_stems(each.text)}
    assert all(set(content_stems(row.question)) - known for row in rows["unanswerable"])
    assert all("wage" not in row.question for kind in KINDS if kind != "restricted" for row in rows[kind])


@pytest.mark.parametrize(
    ("other", "conflicts"),
    [
        ("The warranty on all kettles and toasters lasts 36 months from delivery.", True),
        ("The warranty on all kettles and toasters lasts 24 months from purchase.", True),
        ("The warranty on all kettles and toasters lasts 24 months from the delivery.", False),
        ("The warranty on all kettles and toasters always lasts 24 months from delivery.", False),
    ],
)
def test_only_documents_that_disagree_conflict(other: str, conflicts: bool) -> None:
    shop = [
        passage("a.md", "The warranty on all kettles and toasters lasts 24 months from delivery."),
        passage("b.md", other),
    ]
    made = make_dataset(shop, kinds=["conflicting", "unanswerable"]).rows
    assert any(row.kind == "conflicting" for row in made) is conflicts


def test_near_misses_ask_of_a_thing_that_no_passage_names() -> None:
    asked = {row.question for row in make_dataset(SHOP, count=99, kinds=["unanswerable"]).rows}
    assert any(re.fullmatch(r"How long does the warranty on all (\w+s) last\?", each) for each in asked)
    assert any(re.fullmatch(r"What is the Price of the (\w+)\?", each) for each in asked)
    named = {stem for each in SHOP for stem in content_stems(each.text)}
    full = (*SHOP, *(passage(f"{word}.md", f"A {word} is sold here for nothing.") for word in _STRANGERS))
    far = {row.question for row in make_dataset(full, count=99, kinds=["unanswerable"]).rows}
    assert far < asked, "with no stranger left, only far questions are"
    assert all(set(content_stems(each)) - named for each in asked)


def test_what_everybody_may_read_is_no_secret_and_its_figures_are_no_leak() -> None:
    secret, public = "The monthly wage of a clerk is 2,900 euros.", "The bonus is 2,900 euros. The fee is 12 euros."
    hidden = passage("wages.md", f"{secret} The fee is 12 euros.", principals=("staff",))
    (row,) = make_dataset([hidden, passage("ship.md", "Postage takes days.")], kinds=["restricted"], count=1).rows
    assert row.absent == (secret, "2,900")
    rows = make_dataset([hidden, passage("public.md", public)], kinds=["restricted"]).rows
    assert [each.absent for each in rows] == [(secret,)]


def test_wrong_kinds_and_empty_passages_are_refused() -> None:
    with pytest.raises(UsageError):
        make_dataset(SHOP, kinds=["tricky"])  # type: ignore[list-item]  # wrong on purpose
    with pytest.raises(UsageError):
        make_dataset((), kinds=["single"])


def test_a_reviewer_edits_the_table_and_strikes_rows_out(tmp_path: Path) -> None:
    made = make_dataset(SHOP, count=20)
    path = write_dataset(made, tmp_path / "made.csv")
    assert read_dataset(path) == made
    text = path.read_text("utf-8")
    path.write_text(text.replace("\nyes,", "\nno,", 1), "utf-8")
    assert read_dataset(path).rows == made.rows[1:]


def test_the_commands_make_and_check_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with KnowledgeBase.open(tmp_path / "kb", create=True) as knowledge_base:
        knowledge_base.ingest([{"key": "ship.md", "text": "Express delivery costs 9 euros.\n"}])
        out = str(tmp_path / "made.jsonl")
        assert run(["dataset", "make", "--out", out, "--kb", str(tmp_path / "kb"), "--kind", "single"]) == 0
    capsys.readouterr()
    assert run(["dataset", "check", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 1
    (tmp_path / "broken.csv").write_text("question\n\n ,\n", "utf-8")
    assert run(["dataset", "check", str(tmp_path / "broken.csv")]) != 0
