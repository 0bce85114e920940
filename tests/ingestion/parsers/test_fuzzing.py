"""Mutated files of every format: text that holds together or a typed error, and the parsing process never dies.

``GROUNDED_FUZZ=2000`` mutates every format 2,000 times; without it every format gets the share that CI has time for.
A failure names its format and number: ``mutated("pdf", 17)`` is the file.
"""

from __future__ import annotations

import importlib.util
import io
import os
import random
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from grounded.errors import MissingExtraError, ParseError, WorkerCrashError
from grounded.ingestion.parsers import Limits

from .making import read
from .sampling import samples
from .test_properties import check

TIMES = int(os.environ.get("GROUNDED_FUZZ", "100"))
SLOW = {"png": 10, "rtf": 10}
"""Formats whose libraries take so many times longer per file, and get as many files fewer in CI."""
NEEDS = {"rtf": "unstructured", "png": "tesserocr"}
FILES = Path(__file__).parents[4] / "shared" / "data" / "files"
SEED_BYTES = 200_000
LIMITS = Limits(seconds=120.0, output_characters=5_000_000, archive_bytes=100_000_000)
WORDS = (b"\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"-1", b"9" * 11, b"<a>", b"]]>", b"&x;", b"\r\n\r\n")
SAMPLES = samples()


@cache
def seeds(extension: str) -> tuple[bytes, ...]:
    """Small files of a format: our own, and the public ones where they are."""
    found = sorted(FILES.rglob(f"*.{extension}")) if FILES.is_dir() else []
    real = [path.read_bytes() for path in found if path.stat().st_size <= SEED_BYTES]
    return (SAMPLES[extension][1], *real)


def mutated(extension: str, number: int) -> bytes:
    """The ``number``-th mutation of a format: always the same."""
    dice = random.Random(f"{extension} {number}")
    content = dice.choice(seeds(extension))
    if zipfile.is_zipfile(io.BytesIO(content)) and dice.random() < 0.8:
        return _inside(content, dice)
    return _bytes(content, dice)


def _inside(content: bytes, dice: random.Random) -> bytes:
    """A zipped document with one of its parts mutated, so that what unpacks is reached."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        chosen = dice.choice(old.namelist() or [""])
        for name in dict.fromkeys(old.namelist()):
            part = old.read(name)
            new.writestr(name, _bytes(part, dice) if name == chosen else part)
    return buffer.getvalue()


def _bytes(content: bytes, dice: random.Random) -> bytes:
    made = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 4, 16, 64))):
        at = dice.randrange(len(made) + 1)
        size = min(dice.choice((1, 2, 8, 64, 512)), len(made) - at)
        match dice.randrange(7):
            case 0:
                made[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                made[at : at + size] = dice.randbytes(size)
            case 2:
                del made[at : at + size]
            case 3:
                made[at:at] = made[at : at + size] * dice.choice((1, 2, 50))
            case 4:
                made[at:at] = dice.choice(WORDS)
            case 5:
                other = dice.randrange(len(made) + 1)
                made[at:at] = made[other : other + size]
            case _:
                made = made[: max(at, 1)] if dice.random() < 0.2 else made
    return bytes(made)


def _cases() -> Iterator[object]:
    for extension in SAMPLES:
        package = NEEDS.get(extension)
        missing = package is not None and importlib.util.find_spec(package) is None
        mark = pytest.mark.skipif(missing, reason=f"the extra with {package} is not installed")
        yield pytest.param(extension, marks=mark)


@pytest.mark.slow
@pytest.mark.timeout(max(600, 3 * TIMES))
@pytest.mark.parametrize("extension", tuple(_cases()))
def test_mutated_files_give_text_or_a_typed_error(extension: str) -> None:
    times = TIMES if "GROUNDED_FUZZ" in os.environ else TIMES // SLOW.get(extension, 1)
    results = [_outcome(extension, number) for number in range(times)]
    assert not [result for result in results if "died" in result or "Error:" in result]
    if times >= 100:  # of ten pictures, whose every byte is under a checksum, none may be left whole
        assert "text" in results, "mutations that all destroy the file test nothing"


def _outcome(extension: str, number: int) -> str:
    """``text``, ``refused``, or what went wrong with which file."""
    try:
        check(read(mutated(extension, number), f"a.{extension}", LIMITS))
    except WorkerCrashError as error:
        return f"{extension} {number} died: {error}"
    except (ParseError, MissingExtraError):
        return "refused"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what this looks for
        return f"{extension} {number}: Error: {type(error).__name__}: {error}"
    return "text"


def test_a_mutation_is_always_the_same() -> None:
    assert mutated("docx", 3) == mutated("docx", 3) != mutated("docx", 4)
