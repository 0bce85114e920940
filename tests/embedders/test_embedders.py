"""Embedding models by name, against a server that speaks their protocols; every failure has its type."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core.base.embeddings.base import BaseEmbedding

from grounded import KnowledgeBase
from grounded.cli.app import run
from grounded.embedders import embedder
from grounded.errors import (
    ConfigurationError,
    EmbedderMismatchError,
    MissingExtraError,
    ProviderError,
    ProviderUnavailableError,
    UnknownNameError,
)
from grounded.models.embedder import default_embedder
from grounded.protocols import Embedder
from tests.answering.loopback import Loopback, replies, serving
from tests.embedders.serving import DIMENSION, KEY, MODEL, TOKEN, WINDOW, embeds, rows, texts_of, vector

TEXTS = ["The warranty lasts 24 months.", "Lamps are dimmed.", ""]


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serving(embeds) as running:
        yield running


def environment(server: Loopback, **changes: str) -> dict[str, str]:
    return {
        "OLLAMA_HOST": server.url,
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "OPENAI_API_KEY": KEY,
        "GROUNDED_LLM_API_KEY": KEY,
        "AZURE_OPENAI_ENDPOINT": server.url,
        "AZURE_OPENAI_API_KEY": KEY,
        **changes,
    }


def made(spec: str, server: Loopback, **changes: str) -> Embedder:
    return embedder(spec.replace("URL", f"{server.url}/v1"), environment=environment(server, **changes))


SPECS = (f"ollama:{MODEL}", f"openai:{MODEL}", f"azure:{MODEL}", f"URL#{MODEL}")


@pytest.mark.parametrize("spec", SPECS)
def test_every_endpoint_makes_unit_vectors_in_the_order_given(spec: str, server: Loopback) -> None:
    model = made(spec, server)
    assert server.asked == [], "nothing is asked before it is needed"
    vectors = model.embed_documents(TEXTS)
    assert vectors.shape == (3, DIMENSION) == (3, model.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    wanted = np.array(vector(TEXTS[0]))
    assert np.allclose(vectors[0], wanted / np.linalg.norm(wanted), atol=1e-6)
    assert np.allclose(model.embed_query(TEXTS[0]), vectors[0])
    assert model.embed_documents([]).shape == (0, DIMENSION)
    assert server.url.split("//")[1] not in model.identity
    assert KEY not in repr(vars(model)) + model.identity
    assert model.token_spans("two words") == default_embedder().token_spans("two words")


def test_many_texts_are_many_requests(server: Loopback) -> None:
    texts = [f"text {number}" for number in range(150)]
    vectors = made(f"openai:{MODEL}", server).embed_documents(texts)
    assert len(vectors) == 150
    assert texts_of(server) == ["dimension", *texts]
    assert [len(asked.body["input"]) for asked in server.asked] == [1, 64, 64, 22]


@pytest.mark.parametrize("spec", SPECS)
def test_options_follow_the_name(spec: str, server: Loopback) -> None:
    model = made(f"{spec}?dimensions=8&query=search_query:%20&document=search_document:%20&tokens=64", server)
    assert (model.dimension, model.max_tokens, server.asked) == (8, 64, [])
    model.embed_documents(["a text"])
    model.embed_query("a question")
    assert texts_of(server) == ["search_document: a text", "search_query: a question"]
    assert "search_query" in model.identity
    assert "tokens" not in model.identity, "it changes no vector"


@pytest.mark.parametrize(
    ("query", "said"),
    [("size=3", "no option 'size'"), ("dimensions=x", "whole number"), ("dimensions=0", "whole number"),
     ("tokens=8", "too small")],
)  # fmt: skip
def test_wrong_options_are_named(query: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        embedder(f"ollama:m?{query}")


@pytest.mark.parametrize("wrong", ["", "granite", "mistral:small", "http://host/v1", "fastembed:", 7])
def test_what_is_no_model_is_refused(wrong: object) -> None:
    with pytest.raises((UnknownNameError, ConfigurationError)):
        embedder(wrong, environment={})


# -- keys and identities ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "key", "fix"),
    [
        (f"openai:{MODEL}", "OPENAI_API_KEY", "OPENAI_API_KEY"),
        (f"azure:{MODEL}", "AZURE_OPENAI_API_KEY", "role of the account"),
        (f"URL#{MODEL}", "GROUNDED_LLM_API_KEY", "GROUNDED_LLM_API_KEY"),
    ],
)
def test_a_wrong_key_is_named_and_not_shown(spec: str, key: str, fix: str, server: Loopback) -> None:
    with pytest.raises(ProviderError, match="401") as caught:
        made(spec, server, **{key: "sk-of-somebody-else"}).embed_query("text")
    assert fix in caught.value.fix
    assert "somebody" not in str(caught.value)


def test_a_missing_key_is_named_before_anything_is_sent() -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        embedder("openai:small", environment={})
    with pytest.raises(ConfigurationError, match="AZURE_OPENAI_API_KEY") as caught:
        embedder("azure:small", environment={"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com"})
    assert "AZURE_OPENAI_AUTH=entra" in caught.value.fix


def test_azure_signs_in_with_a_managed_identity(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ``azure-identity`` asks the endpoint that a web app has for its identity."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "identity-secret")
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    model = made(f"azure:{MODEL}", server, AZURE_OPENAI_API_KEY="", AZURE_OPENAI_AUTH="entra")
    assert model.embed_query("text").shape == (DIMENSION,)
    model.embed_query("again")
    assert [asked.path.split("?")[0].split("/")[1] for asked in server.asked] == ["msi", "openai", "openai"]
    assert server.asked[1].headers["authorization"] == f"Bearer {TOKEN}"
    assert "api-key" not in server.asked[1].headers


@pytest.mark.parametrize(
    ("package", "spec", "extra"),
    [("fastembed", "fastembed:BAAI/bge-small-en-v1.5", "fastembed"), ("azure.identity", "azure:small", "entra")],
)
def test_a_missing_extra_says_how_to_install_it(
    package: str, spec: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    values = {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com", "AZURE_OPENAI_AUTH": "entra"}
    with pytest.raises(MissingExtraError, match=rf"grounded-rag\[{extra}\]"):
        embedder(spec, environment=values)


# -- what comes back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SPECS)
def test_an_unknown_model_and_a_text_too_long_are_refused(spec: str, server: Loopback) -> None:
    with pytest.raises(ProviderError, match="404"):
        made(spec.replace(MODEL, "large"), server).embed_query("text")
    with pytest.raises(ProviderError, match="length"):
        made(spec, server).embed_documents(["word " * (WINDOW + 1)])


@pytest.mark.parametrize(
    "reply",
    [
        rows([1.0, 0.0], [0.0, 1.0]),
        rows(),
        rows([0.0, 0.0]),
        rows([float("nan"), 1.0]),
        rows([]),
        replies(200, {"data": [{"index": 3, "embedding": [1.0]}]}),
        replies(200, {"data": [{"index": 0, "embedding": "AACAPw=="}]}),
        replies(200, {"data": "none"}),
        replies(200, "<html>a web site</html>", "text/html"),
    ],
)
def test_what_is_no_vector_is_an_error(reply: Any) -> None:
    with serving(reply) as server, pytest.raises(ProviderError):
        made(f"openai:{MODEL}", server).embed_query("text")


def test_vectors_of_another_length_are_a_mismatch() -> None:
    with serving(rows([1.0, 0.0]), rows([1.0, 0.0, 0.0])) as server:
        model = made(f"openai:{MODEL}", server)
        assert model.dimension == 2
        with pytest.raises(EmbedderMismatchError, match="vectors of 3 numbers; 2"):
            model.embed_query("text")
    with serving(rows([1.0, 0.0])) as server, pytest.raises(EmbedderMismatchError, match="dimensions=N"):
        made(f"openai:{MODEL}?dimensions=3", server).embed_query("text")


# -- objects ----------------------------------------------------------------------------------------------------------


class Words(BaseEmbedding):
    """A LlamaIndex embedding."""

    def _get_query_embedding(self, query: str) -> list[float]:
        if query == "broken":
            raise RuntimeError("sk-secret-of-the-library is wrong")
        return vector(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return vector(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return vector(text)


def test_a_llama_index_embedding_is_an_embedder(tmp_path: Path) -> None:
    model = embedder(Words(model_name="words"))
    assert model.identity == "llama-index:Words:words"
    vectors = model.embed_documents(TEXTS[:2])
    assert vectors.shape == (2, DIMENSION)
    assert np.allclose(model.embed_query(TEXTS[0]), vectors[0])
    with pytest.raises(ProviderError, match="RuntimeError") as caught:
        model.embed_query("broken")
    assert "secret" not in str(caught.value)
    with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=Words(model_name="words")) as kb:
        kb.ingest([{"key": "a", "text": TEXTS[0]}])
        assert kb.search("warranty")[0].text == TEXTS[0]


def test_an_embedder_is_taken_as_it_is() -> None:
    assert embedder() is embedder(default_embedder()) is default_embedder()


# -- in a knowledge base ----------------------------------------------------------------------------------------------


@pytest.fixture
def settled(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    return server


def test_a_name_is_remembered_and_an_address_is_not(settled: Loopback, tmp_path: Path) -> None:
    with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=f"ollama:{MODEL}") as kb:
        kb.ingest([{"key": "a", "text": TEXTS[0]}, {"key": "b", "text": TEXTS[1]}])
    with KnowledgeBase.open(tmp_path / "kb") as kb:
        assert kb.search("warranty")[0].text == TEXTS[0]
        assert kb.ingest([{"key": "a", "text": TEXTS[0]}, {"key": "b", "text": TEXTS[1]}]).documents_unchanged == 2
        assert kb.status().embedder == f"ollama:{MODEL}"
    written = (tmp_path / "kb" / "kb.toml").read_text()
    assert f'model = "ollama:{MODEL}"' in written
    assert settled.url.split("//")[1] not in written
    with pytest.raises(EmbedderMismatchError, match="grounded rebuild"):
        KnowledgeBase.open(tmp_path / "kb", embedder=f"openai:{MODEL}")


def test_the_command_line_names_a_model_once(settled: Loopback, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(TEXTS[0])
    kb = str(tmp_path / "kb")
    assert run(["ingest", str(tmp_path / "a.md"), "--kb", kb, "--embedder", f"openai:{MODEL}"]) == 0
    before = len(settled.asked)
    assert run(["search", "warranty", "--kb", kb]) == 0
    assert texts_of(settled)[-1] == "warranty"
    assert len(settled.asked) > before


def test_a_server_that_is_gone_keeps_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(embeds) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=f"ollama:{MODEL}") as kb:
            kb.ingest([{"key": "a", "text": TEXTS[0]}])
    with pytest.raises(ProviderUnavailableError, match="Nothing answers"):
        KnowledgeBase.open(tmp_path / "kb")
    assert KnowledgeBase.status_of(tmp_path / "kb").documents == 1
