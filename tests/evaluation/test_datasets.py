from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.errors import DataSetError, SourceNotFoundError, UsageError
from grounded.evaluation.datasets import read_dataset, write_dataset
from grounded.records import DataSet, GoldSource, Locator, Row, Span

ROWS: list[dict[str, Any]] = [
    {"id": "a", "question": "How long?", "reference": "24 months", "sources": ["warranty.md"], "tags": ["x", "y"]},
    {"id": "b", "question": "Who?", "answerable": False, "principals": ["staff"]},
    {"id": "c", "question": "What price?", "sources": [{"document": "prices.xlsx", "sheet": "Prices", "row": 3}]},
    {"id": "d", "question": "Where?", "sources": [{"document": "a.md", "span": [3, 7], "text": "here"}]},
]


def lines(folder: Path, *rows: object) -> Path:
    path = folder / "set.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def problems_of(path: Path) -> tuple[str, ...]:
    with pytest.raises(DataSetError) as caught:
        read_dataset(path)
    return caught.value.problems


def test_short_forms_of_sources_are_understood(tmp_path: Path) -> None:
    rows = read_dataset(lines(tmp_path, *ROWS)).rows
    assert rows[0].sources == (GoldSource(document="warranty.md"),)
    assert rows[2].sources[0].locator == Locator(kind="sheet_row", sheet="Prices", row=3)
    assert rows[3].sources[0].span == Span(start=3, end=7)
    assert [row.should_answer for row in rows] == [True, False, True, True]


def test_the_three_formats_hold_the_same_rows(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    wanted = read_dataset(lines(tmp_path, *ROWS))
    columns = ["id", "question", "reference", "sources", "tags", "answerable", "principals"]
    cells = [
        [row.get(name) if isinstance(row.get(name, ""), str) else json.dumps(row[name]) for name in columns]
        for row in ROWS
    ]
    with (tmp_path / "set.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *([cell or "" for cell in row] for row in cells)])
    table = {name: [row[number] for row in cells] for number, name in enumerate(columns)}
    parquet.write_table(pyarrow.table(table), tmp_path / "set.parquet")
    for ending in ("csv", "parquet"):
        found = read_dataset(tmp_path / f"set.{ending}")
        assert found.rows == wanted.rows
        assert found.ref == wanted.ref


def test_every_problem_is_named_by_line_and_column(tmp_path: Path) -> None:
    path = lines(
        tmp_path,
        {"id": "a", "question": "Fine?"},
        '{"id": "b", "question": ',
        {"id": "a", "question": "Twice?"},
        {"id": "c"},
        {"id": "d", "question": "?", "refrence": "x"},
        {"id": "e", "question": "?", "tags": "not a list"},
        {"id": "f", "question": "?", "kind": "weird"},
        ["no object"],
        {"id": "g", "question": "?", "sources": [{"span": [1, 2]}]},
    )
    found = problems_of(path)
    assert [problem.partition(":")[0] for problem in found] == [
        "line 2",
        "line 3, column id",
        "line 4, column question",
        "line 5, column refrence",
        "line 6, column tags",
        "line 7, column kind",
        "line 8",
        "line 9, column sources.0.document",
    ]
    assert "line 1" in found[1]
    assert "Did you mean reference?" in found[3]


def test_lines_of_a_csv_count_as_an_editor_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text('id,question\n1,"two\nlines?"\n\n2,"a",b\n3,\n', "utf-8")
    found = problems_of(path)
    assert [problem.partition(":")[0] for problem in found] == ["line 5", "line 6, column question"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b'id,question\n1,"open'),
        ("x.csv", b"id,id,question\n1,2,q\n"),
        ("x.jsonl", b"\xff\xfe\x00"),
        ("x.jsonl", b""),
        ("x.jsonl", b"[" * 100_000),
        ("x.parquet", b"PAR1 not at all"),
    ],
)
def test_damaged_files_are_typed_errors(tmp_path: Path, name: str, content: bytes) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataSetError):
        read_dataset(tmp_path / name)


def test_missing_files_and_other_endings_are_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError):
        read_dataset(tmp_path / "none.jsonl")
    with pytest.raises(UsageError):
        read_dataset(tmp_path / "set.docx")
    with pytest.raises(UsageError):
        write_dataset(DataSet(name="x", rows=()), tmp_path / "set.parquet")


def test_names_of_other_tools_are_understood_and_ids_follow_the_question(tmp_path: Path) -> None:
    given = {"user_input": "How?", "response": "So.", "retrieved_contexts": ["a", "b"], "ground_truth": "Thus."}
    (row,) = read_dataset(lines(tmp_path, {**given, "_note": "ignored"})).rows
    assert (row.question, row.answer, row.contexts, row.reference) == ("How?", "So.", ("a", "b"), "Thus.")
    again = read_dataset(lines(tmp_path, {"question": "Before?"}, given)).rows[1]
    assert again.id == row.id


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(str.strip)


@given(st.lists(st.builds(Row, id=TEXT, question=TEXT, reference=st.none() | TEXT, tags=st.tuples(TEXT)), min_size=1,
                unique_by=lambda row: row.id))  # fmt: skip
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    dataset = DataSet(name="set", rows=tuple(rows))
    path = write_dataset(dataset, tmp_path_factory.mktemp("sets") / "set.jsonl")
    assert read_dataset(path) == dataset
    assert read_dataset(path).ref.hash == dataset.ref.hash


def test_the_hash_changes_with_any_row() -> None:
    rows = tuple(Row(id=str(n), question="?") for n in range(3))
    whole = DataSet(name="x", rows=rows).ref
    changed = DataSet(name="x", rows=(*rows[:2], rows[2].model_copy(update={"tags": ("t",)}))).ref
    assert len({whole.hash, changed.hash, DataSet(name="x", rows=rows[::-1]).ref.hash}) == 3
