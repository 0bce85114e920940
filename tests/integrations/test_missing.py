"""Without its framework an adapter says which extra brings it; the core never imports one."""

from __future__ import annotations

import json
import subprocess
import sys

ADAPTERS = {
    "llamaindex": ("llama_index", "llama-index"),
    "langchain": ("langchain_core", "langchain"),
    "haystack": ("haystack", "haystack"),
}
CODE = """
import importlib, json, sys
from grounded.errors import MissingExtraError
extras = {}
for module, package in json.loads(sys.argv[1]).items():
    sys.modules[package] = None
    try:
        importlib.import_module(f"grounded.integrations.{module}")
    except MissingExtraError as error:
        extras[module] = error.extra
print(json.dumps(extras))
"""


def test_a_missing_framework_is_a_typed_error() -> None:
    packages = json.dumps({module: package for module, (package, _) in ADAPTERS.items()})
    done = subprocess.run([sys.executable, "-c", CODE, packages], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {module: extra for module, (_, extra) in ADAPTERS.items()}
