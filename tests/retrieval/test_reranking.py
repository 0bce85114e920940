"""A second look at what was found: rerankers of every kind through the whole path, and unlike passages first."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from typer.testing import CliRunner

from grounded import KnowledgeBase
from grounded.cli import exits
from grounded.cli.app import _register_commands, app
from grounded.errors import ConfigurationError, ModelFileError, RerankerError, UnknownNameError, UsageError
from grounded.protocols import Reranker
from grounded.rerankers import FolderReranker, reranker
from grounded.testing.rerankers import RerankerContract
from grounded.text.terms import content_stems
from tests.ingestion.support import HashEmbedder
from tests.verifiers import tiny

LID = "the kettle has a lid"
NOTES = ("the kettle is red", "the kettle is old and cold", LID, "it is new")
QUESTION = "kettle"


class Overlap:
    """Counts what question and text share; enough to tell an answer from what is none."""

    name = "overlap"

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        asked = set(content_stems(question))
        return [len(asked & set(content_stems(text))) - math.log(1 + len(text)) / 100 for text in texts]


class TopTwo(BaseNodePostprocessor):
    """A LlamaIndex reranker, which returns only its best two."""

    def _postprocess_nodes(self, nodes: list[Any], query_bundle: Any = None) -> list[Any]:
        said = Overlap().scores(query_bundle.query_str, [each.node.get_content() for each in nodes])
        for node, score in zip(nodes, said, strict=True):
            node.score = score
        return sorted(nodes, key=lambda each: -each.score)[:2]


class Wanting:
    """Wants one word, whatever is asked."""

    name = "wanting"

    def __init__(self, word: str) -> None:
        self.word = word
        self.read: list[int] = []

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        self.read.append(len(texts))
        return [float(self.word in text) for text in texts]


class Broken(Wanting):
    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        return [float("nan"), *super().scores(question, texts)[1:]]


def cross_encoder(folder: Path, wanted: str = "lid", *, labels: bool = False) -> Path:
    """A model whose one output is the number of times that ``wanted`` stands in question and text."""
    folder.mkdir()
    table = tiny.weights(1) * 0
    table[tiny.VOCABULARY[wanted]] = 1
    tiny.write_tokenizer(folder)
    tiny.write_classifier(folder / "model.onnx", table)
    config = {"architectures": ["BertForSequenceClassification"], "max_position_embeddings": 24}
    (folder / "config.json").write_text(json.dumps({**config, "id2label": {"0": "LABEL_0"}} if labels else config))
    return folder


class TestAnyObject(RerankerContract):
    @pytest.fixture
    def reranker(self) -> Reranker:
        return Overlap()


class TestLlamaIndex(RerankerContract):
    @pytest.fixture
    def reranker(self) -> Reranker:
        found = reranker(TopTwo())
        assert found is not None
        assert found.name == "TopTwo"
        return found


class TestFolder(RerankerContract):
    better, worse = "a lid", "a red kettle"

    @pytest.fixture
    def reranker(self, tmp_path: Path) -> Reranker:
        found = reranker(f"folder:{cross_encoder(tmp_path / 'model', labels=True)}")
        assert found is not None
        return found


def test_a_text_too_long_is_cut_and_a_question_too_long_is_refused(tmp_path: Path) -> None:
    found = FolderReranker.from_folder(cross_encoder(tmp_path / "model"))
    assert found.scores("kettle", ["the lid lid", "the " * 40 + "lid", "lid " + "the " * 40]) == [2.0, 0.0, 1.0]
    with pytest.raises(RerankerError, match="longer than model reads"):
        found.scores("kettle " * 40, ["lid"])


def test_what_a_document_writes_is_no_separator(tmp_path: Path) -> None:
    found = FolderReranker.from_folder(cross_encoder(tmp_path / "model", "[SEP]"))
    assert found.scores("kettle", ["the [SEP] lid [SEP]", "the lid"]) == [2.0, 2.0], "only the two of the pair"


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    folder = tmp_path_factory.mktemp("notes") / "kb"
    with KnowledgeBase.open(folder, create=True, embedder=HashEmbedder()) as knowledge_base:
        knowledge_base.ingest([{"key": str(n), "text": text} for n, text in enumerate(NOTES)])
        yield knowledge_base


def test_search_prompt_ask_and_verify_take_a_reranker(kb: KnowledgeBase, tmp_path: Path) -> None:
    assert kb.search(QUESTION, k=1)[0].text != LID
    for way in (Wanting("lid"), f"folder:{cross_encoder(tmp_path / 'model')}"):
        first, *others = kb.search(QUESTION, rerank=way)
        assert (first.text, first.score) == (LID, 1.0)
        assert len(others) == len(NOTES) - 1
        assert kb.search(QUESTION, k=1, rerank=way) == (first,)
        assert kb.prompt(QUESTION, rerank=way).passages[0].text == LID
        assert kb.ask(QUESTION, rerank=way, sufficiency_threshold=0.0).passages[0].text == LID
        assert kb.verify("The kettle is red.", rerank=way, k=1).passages[0].text == LID


def test_a_reranker_reads_twenty_or_as_many_as_are_wanted(tmp_path: Path) -> None:
    wanting = Wanting("number 7 ")
    with KnowledgeBase.open(tmp_path / "kb", create=True, embedder=HashEmbedder()) as many:
        many.ingest([{"key": str(n), "text": f"kettle number {n} of the shelf"} for n in range(60)])
        many.search("kettle", k=3, rerank=wanting)
        assert len(many.search("kettle", k=30, rerank=wanting)) == 30
    assert wanting.read == [20, 30]


def test_what_a_reranker_does_wrong_is_named(kb: KnowledgeBase, tmp_path: Path) -> None:
    with pytest.raises(RerankerError, match="'wanting' returned 4 scores for 4 passages, 3 of them finite"):
        kb.search(QUESTION, rerank=Broken("lid"))
    for wrong in ("best", "folder:", 7):
        with pytest.raises(UnknownNameError, match="folder:PATH"):
            kb.search(QUESTION, rerank=wrong)
    with pytest.raises(ModelFileError):
        kb.search(QUESTION, rerank=f"folder:{tmp_path / 'nowhere'}")
    (tmp_path / "tagger").mkdir()
    (tmp_path / "tagger" / "config.json").write_text(json.dumps({"architectures": ["XForTokenClassification"]}))
    with pytest.raises(ConfigurationError, match="token-classifier"):
        kb.search(QUESTION, rerank=f"folder:{tmp_path / 'tagger'}")


def test_the_command_line_takes_them(tmp_path: Path) -> None:
    _register_commands()
    folder = tmp_path / "kb"
    with KnowledgeBase.open(folder, create=True) as own:
        own.ingest([{"key": str(n), "text": text} for n, text in enumerate(NOTES)])
    options = ["--rerank", f"folder:{cross_encoder(tmp_path / 'model')}", "--expand", "section", "--diversity", "0.2"]
    for command in ("search", "prompt"):
        done = CliRunner().invoke(app, ["--kb", str(folder), command, "--json", QUESTION, *options])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["passages"][0]["text"] == LID
    done = CliRunner().invoke(app, ["--kb", str(folder), "search", QUESTION, "--expand", "page"])
    assert done.exit_code == exits.USAGE
    assert "neighbours" in done.stderr


def test_diversity_lets_what_is_new_come_before_what_is_alike(tmp_path: Path) -> None:
    alike = [f"The warranty of the kettle lasts two years, copy {n}." for n in range(6)]
    other = "The warranty of lamps lasts one year from the day of purchase."
    with KnowledgeBase.open(tmp_path / "kb", create=True) as knowledge_base:
        knowledge_base.ingest([{"key": str(n), "text": text} for n, text in enumerate([*alike, other])])
        asked = "How long does the warranty of the kettle last?"
        assert other not in [each.text for each in knowledge_base.search(asked, k=3)]
        diverse = knowledge_base.search(asked, k=3, diversity=0.9)
        assert diverse[0] == knowledge_base.search(asked, k=1)[0]
        assert other in [each.text for each in diverse]
        assert {each.text for each in knowledge_base.search(asked, k=9, diversity=1.0)} == {*alike, other}
        for wrong in (-0.1, 1.1):
            with pytest.raises(UsageError, match="Diversity"):
                knowledge_base.search(asked, diversity=wrong)
