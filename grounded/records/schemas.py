"""The JSON schema of every record, written to files that other languages can use.

python -m grounded.records.schemas docs/schemas
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from grounded.records.answers import Answer, AnswerRecord, Event, Generation
from grounded.records.base import SCHEMA, Record
from grounded.records.calibrations import Calibration
from grounded.records.datasets import DataSet, Row
from grounded.records.documents import Chunk, Document, Parsed, Passage
from grounded.records.evidence import Citation, Evidence
from grounded.records.experiments import Experiment
from grounded.records.gates import Gate, Manifest
from grounded.records.keeping import Erasure, Pruning, Reconciliation
from grounded.records.locators import Locator
from grounded.records.moves import BackupReport, MoveReport, RebuildReport, RestoreReport
from grounded.records.prompts import Prompt
from grounded.records.runs import IngestReport, Status
from grounded.records.verdicts import Claim, Report

PUBLISHED: tuple[type[Record], ...] = (
    Answer,
    AnswerRecord,
    BackupReport,
    Calibration,
    Chunk,
    Citation,
    Claim,
    DataSet,
    Document,
    Evidence,
    Experiment,
    Gate,
    Generation,
    IngestReport,
    Erasure,
    Pruning,
    Reconciliation,
    Locator,
    Manifest,
    MoveReport,
    RebuildReport,
    Parsed,
    Passage,
    Prompt,
    Report,
    RestoreReport,
    Row,
    Status,
)


def schema_of(record: type[Record]) -> dict[str, Any]:
    """The JSON schema (2020-12) of what ``record.to_json`` writes."""
    body = record.model_json_schema(mode="serialization")
    if "$ref" in body:  # a record that may hold one of its own kind
        body = {**body["$defs"][record.__name__], "$defs": body["$defs"]}
    return _document(record.__name__, body)


def schemas() -> dict[str, dict[str, Any]]:
    """Every published schema by file name."""
    from pydantic import TypeAdapter

    found = {f"{record.__name__}.json": schema_of(record) for record in PUBLISHED}
    found["Event.json"] = _document("Event", TypeAdapter(Event).json_schema(mode="serialization"))
    return found


def _document(name: str, body: dict[str, Any]) -> dict[str, Any]:
    version = {"const": SCHEMA, "description": "Version of this format; present at the top of every document."}
    if "properties" in body:
        body = {**body, "properties": {"schema": version, **body["properties"]}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **body}


def main(folder: Path) -> None:
    """Write one file per record, and remove those of records that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    current = schemas()
    for path in folder.glob("*.json"):
        if path.name not in current:
            path.unlink()
    for name, body in current.items():
        (folder / name).write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
