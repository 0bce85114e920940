"""Verifiers by name, with what they are made of behind a colon."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from grounded import registry, verify
from grounded.errors import UnknownNameError, UsageError
from tests.verifiers import tiny

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that offers what ours declares, under names of its own."""
    declared = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["entry-points"]["grounded.verifiers"]
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    lines = [f"their-{name} = {target}" for name, target in declared.items()]
    (info / "entry_points.txt").write_text("\n".join(["[grounded.verifiers]", *lines]))
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._installed.cache_clear()
    yield
    registry._installed.cache_clear()


def test_every_declared_verifier_loads() -> None:
    declared = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["entry-points"]["grounded.verifiers"]
    for name, target in declared.items():
        assert callable(EntryPoint(name, target, "grounded.verifiers").load())


def test_a_name_takes_an_argument(installed: None, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "a:b"
    folder.mkdir(parents=True)
    tiny.write_tokenizer(folder)
    tiny.write_classifier(folder / "model.onnx", tiny.weights(2))
    tiny.write_settings(folder, kind="cross-encoder", outputs={"neither": 0, "support": 1})
    sources = ["the kettle is red and it has a lid."]
    assert verify("the kettle is red.", sources, verifier="their-containment").verifier.name == "containment"
    report = verify("the kettle is red.", sources, verifier=f"their-folder:{folder}")
    assert report.verifier.name == "cross-encoder:a:b"


@pytest.mark.parametrize("name", ["their-folder", "their-llm-judge", "their-containment:strict"])
def test_a_missing_or_needless_argument_is_wrong_use(installed: None, name: str) -> None:
    with pytest.raises(UsageError):
        verify("x", ["y"], verifier=name)


def test_an_unknown_name_lists_what_is_installed(installed: None) -> None:
    with pytest.raises(UnknownNameError, match="their-folder"):
        verify("x", ["y"], verifier="oracle:x")
