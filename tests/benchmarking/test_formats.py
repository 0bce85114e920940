"""Published file formats, written as their makers publish them, and what is said of broken ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from grounded.benchmarking import read_beir, read_claims
from grounded.benchmarking.claims import format_of, sample
from grounded.errors import SourceNotFoundError, UsageError


def lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


RESPONSES: list[dict[str, Any]] = [
    {"source_id": "1", "split": "test", "labels": [], "response": "The shop opens at 9:00."},
    {
        "source_id": "2",
        "split": "test",
        "labels": [{"start": 0, "end": 5, "text": "Beets"}],
        "response": "Beets are blue.",
    },
    {"source_id": "3", "split": "train", "labels": [], "response": "The court has 123 members."},
]
SOURCES: list[dict[str, Any]] = [
    {"source_id": "1", "task_type": "Data2txt", "source_info": {"hours": {"Monday": "9:00-22:00"}, "wifi": None}},
    {
        "source_id": "2",
        "task_type": "QA",
        "source_info": {"question": "What are beets?", "passages": "passage 1:Beets are red.\n\npassage 2:They grow."},
    },
    {"source_id": "3", "task_type": "Summary", "source_info": "The court has 123 members now."},
]


def test_ragtruth(tmp_path: Path) -> None:
    lines(tmp_path / "dataset" / "response.jsonl", RESPONSES)
    lines(tmp_path / "dataset" / "source_info.jsonl", SOURCES)
    assert format_of(tmp_path) == "ragtruth"
    data, answers, summary = read_claims(tmp_path)
    assert data.passages == ("hours Monday: 9:00-22:00\nwifi: null",)
    assert (answers.data, answers.question, answers.passages) == (
        "ragtruth QA",
        "What are beets?",
        ("Beets are red.", "They grow."),
    )
    assert [each.is_supported for each in (data, answers, summary)] == [True, False, True]
    assert [each.group for each in read_claims(tmp_path, split="train")] == ["3"]


def test_wice_gold_sentences_are_places_in_the_passage(tmp_path: Path) -> None:
    row = {
        "claim": "It rains.",
        "evidence": ["Weather today.", "Rain falls."],
        "supporting_sentences": [[1]],
        "label": "supported",
    }
    lines(tmp_path / "dev.jsonl", [row, {**row, "claim": "It snows.", "label": "partially_supported"}])
    rain, snow = read_claims(tmp_path)
    assert [rain.passages[0][a:b] for gold in rain.gold for a, b in gold] == ["Rain falls."]
    assert (rain.is_supported, snow.is_supported) == (True, False)


def test_lfqa_counts_most_annotators_and_finds_the_documents(tmp_path: Path) -> None:
    judged = [
        {"labels": ["supported", "supported", "partially"], "answer": "Ice holds air [1]."},
        {"labels": ["supported", "not_supported", "partially"], "answer": "Fish breathe it.</s>"},
    ]
    annotations = tmp_path / "data" / "annotations"
    annotations.mkdir(parents=True)
    asked = {"question": "Why is  ice white?", "annotations": judged}
    (annotations / "annotations-webgpt.json").write_text(json.dumps([asked]), "utf-8")
    (annotations / "annotations-gpt3.json").write_text(json.dumps([asked]), "utf-8")
    (tmp_path / "data" / "docs").mkdir()
    docs = {"question": "Why is ice white?", "docs": [{"doc_id": "1", "title": "", "text": "Ice holds air."}]}
    (tmp_path / "data" / "docs" / "docs-webgpt.json").write_text(json.dumps([docs]), "utf-8")
    found = read_claims(tmp_path)
    assert [(each.claim, each.is_supported) for each in found] == [
        ("Ice holds air.", True),
        ("Fish breathe it.", False),
    ]
    assert found[0].passages == ("Ice holds air.",)


def test_expertqa_as_published_and_one_claim_a_row(tmp_path: Path) -> None:
    claim = {"claim_string": "Salt melts ice [1].", "evidence": ["[1] http://x.org Salt melts."], "support": "Complete"}
    unjudged: dict[str, Any] = {"claim_string": "Hello.", "evidence": [], "support": None}
    lines(tmp_path / "a.jsonl", [{"question": "Q?", "answers": {"gpt4": {"claims": [claim, unjudged]}}}])
    lines(tmp_path / "b.jsonl", [{"question": "Q?", "claim": "Salt is wet [1].", **dict(list(claim.items())[1:])}])
    (one,) = read_claims(tmp_path / "a.jsonl")
    assert (one.claim, one.passages, one.is_supported) == ("Salt melts ice.", ("Salt melts.",), True)
    assert [each.claim for each in read_claims(tmp_path / "b.jsonl")] == ["Salt is wet."]


def test_aggrefact_as_csv_and_json_lines(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text('dataset,doc,claim,label\nLFQA,"A, b.",C.,1\nWice,D.,E.,0\n', "utf-8")
    lines(tmp_path / "more.jsonl", [{"dataset": "LFQA", "doc": "F.", "claim": "G.", "label": 0}])
    found = read_claims(tmp_path)
    assert {(each.data, each.claim, each.is_supported) for each in found} == {
        ("LFQA", "C.", True),
        ("Wice", "E.", False),
        ("LFQA", "G.", False),
    }
    assert [each.data for each in sample(found, 1)] == ["LFQA", "Wice"]
    assert sample(found, 1) == sample(found, 1)


def test_beir(tmp_path: Path) -> None:
    lines(tmp_path / "corpus.jsonl", [{"_id": "d1", "title": "T", "text": "One."}, {"_id": "d2", "text": "Two."}])
    lines(tmp_path / "queries.jsonl", [{"_id": "q1", "text": "one?"}, {"_id": "q2", "text": "none?"}])
    (tmp_path / "qrels").mkdir()
    qrels = tmp_path / "qrels" / "test.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td2\t0\n", "utf-8")
    found = read_beir(tmp_path)
    assert (found.split, found.queries, found.judged["q1"]) == ("test", {"q1": "one?"}, {"d1": 2})
    qrels.write_text("q1\td9\t1\n", "utf-8")
    with pytest.raises(UsageError, match="does not hold, such as 'd9'"):
        read_beir(tmp_path)
    qrels.write_text("q1 d1 1\n", "utf-8")
    with pytest.raises(UsageError, match=r"test\.tsv, line 1"):
        read_beir(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"claim": "a", "doc": "b", "label": 1}\n{"claim": \n', "row 2: is not JSON"),
        ('{"claim": "a", "doc": "b", "label": 1}\n[]\n', "row 2: is no object"),
        ('{"claim": "a", "doc": "b", "label": "maybe"}\n', "must be 0 or 1, not 'maybe'"),
        ('{"claim": 3, "doc": "b", "label": 1}\n', "'claim' must be a text, not int"),
    ],
)
def test_broken_rows_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "rows.jsonl").write_text(text, "utf-8")
    with pytest.raises(UsageError, match=said):
        read_claims(tmp_path)


def test_places_that_hold_nothing_known(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError):
        read_claims(tmp_path / "nowhere")
    (tmp_path / "readme.md").write_text("x", "utf-8")
    with pytest.raises(UsageError, match="none of the formats known"):
        read_claims(tmp_path)
    with pytest.raises(UsageError, match="does not hold RAGTruth"):
        read_claims(tmp_path, name="ragtruth")
    lines(tmp_path / "response.jsonl", RESPONSES)
    lines(tmp_path / "source_info.jsonl", SOURCES[:1])
    with pytest.raises(UsageError, match="names the source '2'"):
        read_claims(tmp_path)
