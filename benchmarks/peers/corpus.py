"""What every system reads: made-up texts of real words, the same in every run.

A file has two paragraphs of about 150 words, a chunk each; the files lie in a hundred folders. A record is one chunk
of 60 words with a group, for sizes at which files would only measure the disk.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

GROUPS = 100
PARAGRAPHS, PARAGRAPH_WORDS, RECORD_WORDS, QUESTION_WORDS = 2, 150, 60, 10
SENTENCE_WORDS = 15

_DOCS = Path(__file__).parents[2] / "docs"


class Item(NamedTuple):
    """A record."""

    key: str
    text: str
    group: str


@cache
def words() -> tuple[str, ...]:
    """The words of this project's documentation in order of appearance, so that frequent ones are frequent."""
    pages = sorted(_DOCS.glob("*.md"))
    return tuple(word for page in pages for word in re.findall(r"[a-z]{2,}", page.read_text(encoding="utf-8")))


def text(seed: str, count: int) -> str:
    """``count`` words in sentences, decided by ``seed``."""
    chance = random.Random(seed)
    chosen = chance.choices(words(), k=count)
    sentences = (chosen[start : start + SENTENCE_WORDS] for start in range(0, count, SENTENCE_WORDS))
    return " ".join(f"{' '.join(sentence).capitalize()}." for sentence in sentences)


def document(number: int, edition: int = 0) -> str:
    """The text of a file; another edition differs in the last paragraph."""
    editions = [0] * (PARAGRAPHS - 1) + [edition]
    return "\n\n".join(text(f"{number}/{place}/{each}", PARAGRAPH_WORDS) for place, each in enumerate(editions)) + "\n"


def path_of(folder: Path, number: int) -> Path:
    """Where a file lies."""
    return folder / f"g{number % GROUPS:02}" / f"{number:06}.txt"


def write_files(folder: Path, count: int) -> None:
    """Write the first edition of every file."""
    for number in range(count):
        place = path_of(folder, number)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(document(number), encoding="utf-8")


def change_files(folder: Path, count: int, share: float, edition: int) -> int:
    """Write another edition of ``share`` of the files, spread evenly; how many that were."""
    changed = range(0, count, round(1 / share))
    for number in changed:
        path_of(folder, number).write_text(document(number, edition), encoding="utf-8")
    return len(changed)


def records(count: int) -> Iterator[Item]:
    """The records, one after the other."""
    for number in range(count):
        yield Item(f"r{number:07}", text(f"record {number}", RECORD_WORDS), f"g{number % GROUPS:02}")


def questions(count: int) -> list[str]:
    """Questions of words that occur."""
    return [text(f"question {number}", QUESTION_WORDS) for number in range(count)]
