"""An environment for each peer, made once from its pinned requirements in a cache folder outside the repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OURS = "grounded"
WITH_PIP = frozenset({"txtai"})
"""It needs torch: uv looks for that on the index only, pip also takes a file that is on this machine."""

QUIET = {
    "ANONYMIZED_TELEMETRY": "False",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "LANCE_LOG": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
}


def cache() -> Path:
    """Where the environments are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "grounded-benchmarks" / "peers"


def pins(name: str, folder: Path = HERE) -> list[str]:
    """The requirements of a peer, each with its exact version.

    Raises:
        ValueError: One has none.
    """
    lines = (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    for line in wanted:
        if line.count("==") != 1:
            raise ValueError(f"{name}.txt must pin every requirement with ==, not {line!r}.")
    return wanted


def version(name: str, package: str, folder: Path = HERE) -> str:
    """The pinned version of a package."""
    return next(line.split("==")[1] for line in pins(name, folder) if line.split("==")[0] == package)


def interpreter(name: str, place: Path) -> Path:
    """The Python of a system: this one for our own, else that of its environment, made anew when its pins changed."""
    if name == OURS:
        return Path(sys.executable)
    wanted = "\n".join(pins(name))
    folder = place / name
    stamp = folder / "pins"
    state = hashlib.sha256(f"{sys.version}\n{wanted}".encode()).hexdigest()
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if python.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == state:
        return python
    print(f"Making the environment of {name} ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    requirements = ["-r", str(HERE / f"{name}.txt")]
    if name in WITH_PIP:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *requirements], check=True)
    else:
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
        # nltk, which llama-index brings, refuses files that are hard links into uv's cache.
        copying = ["--link-mode", "copy"]
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(python), *copying, *requirements], check=True)
    stamp.write_text(state, encoding="ascii")
    return python


def surroundings() -> Mapping[str, str]:
    """Environment variables of every run: no telemetry, no downloads, one thread for the embedder."""
    return {**os.environ, **QUIET, "PYTHONPATH": str(ROOT), "GROUNDED_THREADS": "1"}
