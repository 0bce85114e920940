"""What ``import grounded`` offers, and what it must not load."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

import grounded
from grounded import errors, registry

FORBIDDEN = (
    "llama_index",
    "qdrant_client",
    "qdrant_edge",
    "unstructured",
    "onnxruntime",
    "tokenizers",
    "tiktoken",
    "sqlalchemy",
    "numpy",
    "rich",
    "torch",
)
MODULE_LIMIT = 250


def modules_after(statement: str) -> set[str]:
    code = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_import_is_light() -> None:
    loaded = modules_after("import grounded")
    assert len(loaded) < MODULE_LIMIT
    assert {name.partition(".")[0] for name in loaded}.isdisjoint(FORBIDDEN)


def test_records_and_errors_stay_light_too() -> None:
    loaded = modules_after(
        "from grounded import Answer, Report, GroundedError; import grounded.protocols, grounded.registry"
    )
    assert {name.partition(".")[0] for name in loaded}.isdisjoint(FORBIDDEN)


def test_public_names_load() -> None:
    for name in grounded.__all__:
        assert getattr(grounded, name) is not None
    assert set(grounded.__all__) <= set(dir(grounded))


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="KnowledgeBase"):
        _ = grounded.no_such_name


def test_type_checkers_see_the_same_names() -> None:
    """The names under TYPE_CHECKING are those of ``__all__``."""
    import ast
    import inspect

    tree = ast.parse(inspect.getsource(grounded))
    typed = {alias.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed - {None} == set(grounded.__all__)


def test_errors_form_one_tree_and_are_listed() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert all(issubclass(kind, errors.GroundedError) for kind in kinds)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)


def test_our_own_plug_ins_come_through_entry_points() -> None:
    assert {"files", "records"} <= set(registry.names("connectors"))
    assert "core" in registry.names("templates")
    assert "containment" in registry.names("verifiers")
    for group in ("connectors", "templates", "verifiers"):
        for point in entry_points(group=f"grounded.{group}"):
            assert point.load() is not None


def test_an_unknown_plug_in_is_a_typed_error() -> None:
    with pytest.raises(errors.UnknownNameError, match="files"):
        registry.load("connectors", "no-such-connector")


def test_packages_are_typed() -> None:
    for name in ("grounded", "grounded_connectors", "grounded_templates"):
        module = importlib.import_module(name)
        (root,) = list(module.__path__)
        assert (importlib.resources.files(name) / "py.typed").is_file(), root
