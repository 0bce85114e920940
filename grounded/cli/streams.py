"""Standard output and standard error, whatever they are connected to."""

from __future__ import annotations

import errno
import io
import json
import os
import sys


def prepare() -> None:
    """Let a character that the stream cannot write become ``?`` instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def writes_unicode() -> bool:
    """Whether standard output takes every character."""
    return (sys.stdout.encoding or "ascii").lower().replace("-", "").replace("_", "") in ("utf8", "utf8sig")


def valid_everywhere(document: str) -> str:
    """A JSON document with escapes where standard output could not write a character."""
    if document.isascii():
        return document
    try:
        document.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(json.loads(document))
    return document if writes_unicode() else json.dumps(json.loads(document))


def flush() -> OSError | None:
    """Write what is still in the buffer of standard output.

    Returns:
        Why that failed. What is left is thrown away then, so that the interpreter does not try again as it ends.
        None when it went well, or when whoever read the output has gone.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return None if error.errno == errno.EPIPE else error
    return None
