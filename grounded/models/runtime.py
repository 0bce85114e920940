"""Loads model files: checked against their hashes, without telemetry, with a sensible number of threads."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from grounded.errors import ConfigurationError, ModelFileError, UsageError

THREADS_VARIABLE = "GROUNDED_THREADS"
MAX_DEFAULT_THREADS = 8
"""More threads by default would take a shared machine away from everybody else on it."""

_QUIET = 3
_FIX = "Reinstall grounded-rag; its model files were changed or not fully installed."


def threads_to_use(threads: int | None = None) -> int:
    """How many threads a model may use: the argument, else ``GROUNDED_THREADS``, else the usable cores up to 8.

    Raises:
        UsageError: The argument is below 1.
        ConfigurationError: The environment variable is not a whole number from 1 up.
    """
    if threads is not None:
        if threads < 1:
            raise UsageError(f"threads must be 1 or more, not {threads}.")
        return threads
    setting = os.environ.get(THREADS_VARIABLE, "").strip()
    if not setting:
        return min(_usable_cores(), MAX_DEFAULT_THREADS)
    if not (setting.isascii() and setting.isdigit()) or int(setting) < 1:
        raise ConfigurationError(f"{THREADS_VARIABLE} must be a whole number from 1 up, not {setting!r}.")
    return int(setting)


@cache
def manifest(folder: Path) -> dict[str, Any]:
    """What ``build.json`` beside a model says: name, identity, dimension, files with their hashes.

    Raises:
        ModelFileError: It is missing or damaged.
    """
    try:
        found = json.loads((folder / "build.json").read_text(encoding="utf-8"))
        _ = found["identity"], found["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{folder / 'build.json'} is missing or damaged: {error}", fix=_FIX) from error
    return dict(found)


def checked_bytes(folder: Path, name: str) -> bytes:
    """The content of a model file, which must have the hash that ``build.json`` records.

    Raises:
        ModelFileError: The file is missing, or its content is not what was built.
    """
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise ModelFileError(f"The model file {folder / name} cannot be read: {error}", fix=_FIX) from error
    expected = manifest(folder)["files"].get(name, {}).get("sha256")
    if hashlib.sha256(content).hexdigest() != expected:
        raise ModelFileError(f"The model file {folder / name} is corrupted: its hash is wrong.", fix=_FIX)
    return content


@cache
def session(folder: Path, name: str = "model.onnx", threads: int = 1) -> Any:
    """An ``onnxruntime.InferenceSession`` on the processor, made once per process; safe to call from threads.

    Args:
        folder: Where the model and its ``build.json`` are.
        name: The model file.
        threads: Threads within one call. 1 is best when several calls run at the same time.

    Raises:
        ModelFileError: The file is missing or corrupted, or the installed onnxruntime cannot run it.
    """
    return _opened(
        checked_bytes(folder, name), folder / name, threads, "Upgrade onnxruntime, or reinstall grounded-rag."
    )


def own_session(path: Path, threads: int = 1) -> Any:
    """The same for a model of the user's own, which has no ``build.json``; weights beside the file are found.

    Raises:
        ModelFileError: The file is missing, or the installed onnxruntime cannot run it.
    """
    if not path.is_file():
        raise ModelFileError(f"There is no model file {path}.", fix="Export the model to ONNX into that folder.")
    return _opened(str(path), path, threads, "Upgrade onnxruntime, or export the model again.")


def _opened(model: bytes | str, path: Path, threads: int, fix: str) -> Any:
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads burn a core while they wait: half as many texts per second of processor time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _QUIET
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except _load_errors() as error:
        raise ModelFileError(f"onnxruntime {onnxruntime.__version__} cannot load {path}: {error}", fix=fix) from error


@cache
def _onnxruntime() -> Any:
    # From 1.29 on the mere import writes a device id and looks up a telemetry host unless this is set before.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.set_default_logger_severity(_QUIET)
    return onnxruntime


def _load_errors() -> tuple[type[Exception], ...]:
    """What onnxruntime raises for a model it cannot load; its errors share no base class of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
    )


def _usable_cores() -> int:
    # A container or a batch system may allow fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
