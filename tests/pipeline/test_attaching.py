"""Somebody else's collections on a real server: found, asked and checked, with a key that can only read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from grounded.cli.app import _register_commands, app
from grounded.errors import (
    EmbedderMismatchError,
    KnowledgeBaseExistsError,
    KnowledgeBaseNotFoundError,
    StoreUnavailableError,
    UnknownNameError,
    UsageError,
)
from grounded.models.embedder import default_embedder
from grounded.pipeline.attaching import ATTACHED_FILE, Attached, attach
from tests.ingestion.support import HashEmbedder
from tests.qdrant import running

TEXTS = (
    "The warranty of the kettle K2 is 24 months from delivery.",
    "Express delivery within Europe costs 12 euros.",
    "The lamp L1 is dimmed with the wheel on its side.",
    "Staff may return lamps within 90 days.",
)
PAYLOADS: dict[str, Any] = {
    "langchain": lambda text, n: {"page_content": text, "metadata": {"source": f"page-{n}.html", "year": 2020 + n}},
    "llama-index": lambda text, n: {"_node_content": json.dumps({"text": text}), "file_name": f"page-{n}.md"},
    "own": lambda text, n: {"body_de": text, "acl": ["staff"] if "Staff" in text else [], "year": 2020 + n},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose collections others made; the tests only get the key that reads."""
    from qdrant_client import QdrantClient, models

    vectors = default_embedder().embed_documents(TEXTS)
    keys = {"QDRANT__SERVICE__API_KEY": "writer", "QDRANT__SERVICE__READ_ONLY_API_KEY": "reader"}
    with running(tmp_path_factory.mktemp("foreign"), **keys) as node:
        with pytest.warns(UserWarning, match="insecure"):
            client = QdrantClient(url=f"http://{node.address}", api_key="writer", check_compatibility=False)
        for name, payload in PAYLOADS.items():
            parameters = models.VectorParams(size=vectors.shape[1], distance=models.Distance.DOT)
            named = {"meaning": parameters, "title": parameters} if name == "own" else None
            client.create_collection(name, vectors_config=named or parameters)
            points = [
                models.PointStruct(
                    id=n, vector={"meaning": vector.tolist()} if named else vector.tolist(), payload=payload(text, n)
                )
                for n, (text, vector) in enumerate(zip(TEXTS, vectors, strict=True))
            ]
            client.upsert(name, points, wait=True)
        client.create_payload_index("own", "year", models.PayloadSchemaType.INTEGER, wait=True)
        client.close()
        yield f"qdrant://{node.address}"


pytestmark = pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection:UserWarning")


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "reader")


@pytest.mark.parametrize("name", ["langchain", "llama-index"])
def test_search_prompt_ask_and_verify_work_over_data_we_did_not_ingest(server: str, name: str) -> None:
    with attach(f"{server}/{name}") as theirs:
        assert theirs.count() == 4
        best = theirs.search("How long is the kettle's warranty?", k=2)[0]
        assert best.text == TEXTS[0]
        assert best.title.startswith("page-0")
        assert [each.label() for each in best.locators] == ["chunk 0"]
        assert (best.document_id, best.version, best.span) == (None, None, None)
        prompt = theirs.prompt("How long is the kettle's warranty?")
        assert "24 months" in prompt.messages[-1].content
        answer = theirs.ask("How long is the warranty of the kettle K2?", sufficiency_threshold=0.0)
        assert answer.outcome == "answered"
        assert "24 months" in answer.text
        assert "chunk 0" in answer.citations[0].evidence[0].place()
        report = theirs.verify("Express delivery within Europe costs 9 euros.")
        assert [claim.verdict for claim in report.claims] == ["contradicted"]


def test_vector_keys_filters_and_principals_of_their_own(server: str) -> None:
    url = f"{server}/own"
    with attach(url, vector="meaning", text="body_de", principals="acl") as theirs:
        assert {passage.text for passage in theirs.search("lamps", k=9)} == set(TEXTS[:3])
        assert len(theirs.search("lamps", k=9, principals=["staff"])) == 4
        assert len(theirs.search("lamps", k=9, principals=["guest"])) == 3
        assert [p.text for p in theirs.search("x", where={"year": {"gte": 2021, "lt": 2022}})] == [TEXTS[1]]
        with pytest.raises(UnknownNameError, match="colour"):
            theirs.search("x", where={"colour": "red"})
    with attach(f"{server}/langchain", kinds={"metadata.year": "integer"}) as theirs:
        assert [p.text for p in theirs.search("x", where={"metadata.year": 2022})] == [TEXTS[2]]


def test_what_a_foreign_collection_cannot_honour_is_refused(server: str) -> None:
    with attach(f"{server}/langchain") as theirs:
        for reading in ({"principals": ["staff"]}, {"tenant": "other"}):
            with pytest.raises(UsageError):
                theirs.search("lamps", **reading)
        with pytest.raises(UsageError, match="records"):
            theirs.ask("lamps?", record=True)


def test_what_does_not_fit_is_named(server: str) -> None:
    with pytest.raises(EmbedderMismatchError, match="dimension 384; the embedding model makes 16"):
        attach(f"{server}/langchain", embedder=HashEmbedder())
    with pytest.raises(UnknownNameError, match="meaning, title"):
        attach(f"{server}/own", text="body_de")
    with pytest.raises(UnknownNameError, match="acl, body_de"):
        attach(f"{server}/own", vector="meaning")
    with pytest.raises(UnknownNameError):
        attach(f"{server}/langchain", text="summary")
    with pytest.raises(KnowledgeBaseNotFoundError, match="nothing-here"):
        attach(f"{server}/nothing-here")
    with pytest.raises(StoreUnavailableError):
        attach("qdrant://127.0.0.1:1/langchain")


def test_a_folder_keeps_how_it_is_read_and_the_commands_find_it(server: str, tmp_path: Path) -> None:
    _register_commands()
    runner, folder = CliRunner(), tmp_path / "theirs"
    made = runner.invoke(
        app, ["attach", f"{server}/own", "--vector", "meaning", "--text", "body_de", "--kb", str(folder)]
    )
    assert made.exit_code == 0, made.output
    assert "reader" not in (folder / ATTACHED_FILE).read_text("utf-8")
    found = runner.invoke(app, ["search", "kettle warranty", "-k", "1", "--kb", str(folder), "--json"])
    assert json.loads(found.stdout)["passages"][0]["text"] == TEXTS[0]
    asked = runner.invoke(app, ["ask", "How long is the warranty of the kettle K2?", "--kb", str(folder)])
    assert "24 months" in asked.stdout
    refused = runner.invoke(app, ["ingest", str(tmp_path), "--kb", str(folder)])
    assert refused.exit_code == 2
    with pytest.raises(EmbedderMismatchError):
        Attached.open(folder, embedder=HashEmbedder())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with Attached.open(folder) as theirs, pytest.raises(KnowledgeBaseExistsError):
        theirs.save(tmp_path / "full")
