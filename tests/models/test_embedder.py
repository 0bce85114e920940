from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grounded.errors import ConfigurationError, ModelFileError, UsageError
from grounded.models import runtime
from grounded.models.embedder import FOLDER, OnnxEmbedder, default_embedder
from grounded.models.remembering import RememberingEmbedder
from grounded.protocols import Embedder

EMBEDDER = default_embedder(threads=2)


def test_satisfies_the_protocol() -> None:
    embedder: Embedder = EMBEDDER
    assert embedder.dimension == 384
    assert embedder.max_tokens == 254
    assert embedder.identity.startswith("granite-30m-int8@")


def test_vectors_are_those_of_the_published_weights() -> None:
    """Cosine to the float32 graph of the same weights, over texts that were not used to measure activations."""
    kept = json.loads((Path(__file__).parent / "float32.json").read_text("utf-8"))
    vectors = EMBEDDER.embed_documents(list(kept))
    cosines = [float(vector @ np.array(kept[text])) for text, vector in zip(kept, vectors, strict=True)]
    assert min(cosines) > 0.98


def test_meaning_is_nearer_than_words() -> None:
    question = EMBEDDER.embed_query("How long can I give a kettle back?")
    near, far = EMBEDDER.embed_documents(["Returns are accepted within 30 days.", "The kettle is made of blue steel."])
    assert question @ near > 0
    paraphrase, other = EMBEDDER.embed_documents(["A man is eating food.", "The bank raised its rates."])
    assert (
        EMBEDDER.embed_query("Someone has a meal.") @ paraphrase > EMBEDDER.embed_query("Someone has a meal.") @ other
    )
    assert near @ far < 0.9


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=40), max_size=5))
def test_shape_length_and_order(texts: list[str]) -> None:
    vectors = EMBEDDER.embed_documents(texts)
    assert vectors.shape == (len(texts), 384)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.array_equal(EMBEDDER.embed_query(text), vector)


def test_threads_and_neighbours_change_no_vector() -> None:
    texts = [f"Sentence number {n} speaks of {'kettles and ' * n}toasters." for n in range(12)]
    alone = np.array([OnnxEmbedder(threads=1).embed_query(text) for text in texts])
    assert np.array_equal(OnnxEmbedder(threads=3).embed_documents(texts), alone)


def test_text_beyond_the_window_is_ignored() -> None:
    words = ["kettle"] * (EMBEDDER.most_tokens // len(EMBEDDER.token_spans("kettle")))
    inside = EMBEDDER.embed_query(" ".join(["the", *words]))
    assert np.array_equal(EMBEDDER.embed_query(" ".join(["the", *words, "zebra", "quartz"])), inside)
    assert not np.array_equal(EMBEDDER.embed_query(" ".join(["zebra", *words])), inside)


def test_a_chunk_with_many_lines_is_read_to_its_end() -> None:
    lines = "\n".join(["x"] * (EMBEDDER.max_tokens - 2))
    assert len(EMBEDDER.token_spans(f"{lines}\nzebra")) == EMBEDDER.max_tokens
    assert not np.array_equal(EMBEDDER.embed_query(f"{lines}\nzebra"), EMBEDDER.embed_query(f"{lines}\ny"))


def test_many_threads_at_once() -> None:
    expected = EMBEDDER.embed_query("shared between threads")
    found: list[bool] = []

    def work() -> None:
        found.extend(np.array_equal(EMBEDDER.embed_query("shared between threads"), expected) for _ in range(5))

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [True] * 30


def test_weights_cannot_saturate_without_vnni() -> None:
    """Two products of uint8 and int8 are added in 16 bits there: 255 * 2 * limit must stay below 32768."""
    onnx = pytest.importorskip("onnx", reason="reads the model file")
    model = onnx.load(FOLDER / "model.onnx")
    arrays = {entry.name: onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer}
    used = [node.input[1] for node in model.graph.node if node.op_type == "MatMulInteger"]
    assert len(used) == 24
    limits = {int(np.abs(arrays[name].astype(np.int32)).max()) for name in used}
    assert limits == {64}
    assert 255 * 2 * max(limits) <= np.iinfo(np.int16).max
    assert {arrays[name].dtype for name in used} == {np.dtype(np.int8)}


def test_shipped_files_are_those_of_the_manifest() -> None:
    manifest = json.loads((FOLDER / "build.json").read_text())
    for name in manifest["files"]:
        assert len(runtime.checked_bytes(FOLDER, name)) == manifest["files"][name]["bytes"]
    assert sum(entry["bytes"] for entry in manifest["files"].values()) < 33e6
    assert {path.name for path in FOLDER.iterdir()} == {*manifest["files"], "build.json", "MODEL_CARD.md"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "model"))


@pytest.mark.parametrize("name", ["model.onnx", "vocabulary.bin", "tokens.json"])
def test_a_changed_file_is_refused(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelFileError, match="corrupted") as caught:
        OnnxEmbedder(copy).embed_query("x")
    assert "Reinstall" in caught.value.fix


@pytest.mark.parametrize("name", ["model.onnx", "vocabulary.bin"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ModelFileError, match=name):
        OnnxEmbedder(copy).embed_query("x")


@pytest.mark.parametrize("content", ["", "[]", '{"identity": "x"}'])
def test_a_damaged_manifest_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "build.json").write_text(content)
    with pytest.raises(ModelFileError, match=r"build\.json"):
        OnnxEmbedder(tmp_path)


def test_rubbish_with_the_right_hash_is_a_typed_error(tmp_path: Path) -> None:
    import hashlib

    rubbish = b"not a model"
    entry = {"sha256": hashlib.sha256(rubbish).hexdigest(), "bytes": len(rubbish)}
    (tmp_path / "model.onnx").write_bytes(rubbish)
    (tmp_path / "build.json").write_text(json.dumps({"identity": "x", "files": {"model.onnx": entry}}))
    with pytest.raises(ModelFileError, match="cannot load"):
        runtime.session(tmp_path)


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROUNDED_THREADS", raising=False)
    assert 1 <= runtime.threads_to_use() <= 8
    monkeypatch.setenv("GROUNDED_THREADS", "3")
    assert runtime.threads_to_use() == 3
    assert runtime.threads_to_use(5) == 5
    with pytest.raises(UsageError):
        runtime.threads_to_use(0)
    for wrong in ("0", "-1", "two", "1.5", "²"):
        monkeypatch.setenv("GROUNDED_THREADS", wrong)
        with pytest.raises(ConfigurationError, match="GROUNDED_THREADS"):
            runtime.threads_to_use()


def test_lazy_quiet_and_without_telemetry(tmp_path: Path) -> None:
    code = """
import os, sys
import grounded, grounded.models
heavy = {"numpy", "onnxruntime"}
assert not heavy & set(sys.modules), "import grounded is heavy"
from grounded.models.embedder import default_embedder
from grounded.models.remembering import RememberingEmbedder
embedder = default_embedder()
embedder.identity, embedder.dimension, embedder.max_tokens
assert not heavy & set(sys.modules), "the embedder is loaded before first use"
embedder.embed_query("x")
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
"""
    environment = {"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == [], "onnxruntime left files in the home directory"


def test_an_embedder_that_knows_spans_only_is_asked_for_those() -> None:
    class Other:
        identity, dimension, max_tokens = "other", EMBEDDER.dimension, EMBEDDER.max_tokens
        embed_documents, embed_query = EMBEDDER.embed_documents, EMBEDDER.embed_query

        def token_spans(self, text: str) -> list[tuple[int, int]]:
            return [(2 * n, 2 * n + 1) for n in range(len(text) // 2)]

    text = "Kettles unplugged"
    assert RememberingEmbedder(Other()).token_starts(text) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert RememberingEmbedder(EMBEDDER).token_starts(text) == [start for start, _ in EMBEDDER.token_spans(text)]
