"""Every Python block of the README and the docs runs, in order, one folder per file; so do the docstring examples."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

import grounded

ROOT = Path(__file__).parents[2]
HANDBOOK = ROOT / "grounded" / "demo" / "handbook"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FRAMEWORKS = {"langchain": ("langchain_core", "LangChain"), "haystack": ("haystack", "Haystack")}
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(HANDBOOK, tmp_path / "handbook")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_run(page: Path, folder: Path) -> None:
    names: dict[str, Any] = {}
    for block in BLOCK.findall(page.read_text("utf-8")):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_examples_run(script: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    framework = FRAMEWORKS.get(script.name.partition("_")[0])
    if framework:
        pytest.importorskip(framework[0], reason=f"{framework[1]} is not installed")
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out.strip()


def modules() -> list[str]:
    return [m.name for m in pkgutil.walk_packages(grounded.__path__, "grounded.") if not m.name.endswith("__main__")]


@pytest.mark.parametrize("name", modules())
def test_docstring_examples_run(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        pytest.skip(str(error))
    assert doctest.testmod(module).failed == 0


def test_links_between_pages_resolve() -> None:
    for page in PAGES:
        prose = re.sub(r"^```.*?^```|`[^`\n]+`", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", prose):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
