"""Unlabelled text of many kinds, to make hard pairs from: nothing of the board, nothing whose licence forbids it."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sets import Example, Guard, _rows, _squeezed

from grounded.text.sentences import sentences

DEBIAN_DOCUMENTS = {
    "manual": (
        "/usr/share/doc/postgresql-doc-*/html/*.html",
        "/usr/share/doc/git/html/*.html",
        "/usr/share/debian-reference/*.en.html",
        "/usr/share/developers-reference/*.html",
        "/usr/share/doc/debian-policy/policy.html/*.html",
        "/usr/share/doc/debian-handbook/html/en-US/*.html",
        "/usr/share/doc/python3*/html/library/*.html",
        "/usr/share/doc/python3*/html/whatsnew/*.html",
        "/usr/share/doc/installation-guide-amd64/en/*.html",
        "/usr/share/gimp/2.0/help/en/*.html",
        "/usr/share/help/C/gnome-help/*.page",
        "/usr/share/stellarium/skycultures/*/description.en.utf8",
    ),
    "finance": ("/usr/share/doc/gnucash-docs/gnucash-*-en/*.html",),
    "essay": ("/usr/share/doc/anarchism/html/*.html",),
}
"""Documents of Debian packages, by kind: postgresql-doc, git-doc, debian-reference-en, developers-reference,
debian-policy, debian-handbook, python3-doc, installation-guide-amd64, gimp-help-en, gnome-user-docs, stellarium-data;
gnucash-docs; anarchism."""
SECTION = 60
"""Sentences of a manual that are taken as one document."""
_BLOCK = re.compile(r"<(?:p|dd|li)[^>]*>(.*?)</(?:p|dd|li)>", re.DOTALL | re.IGNORECASE)
_MARKUP = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Document:
    """Sentences in their order; ``contiguous`` when neighbours follow each other in the original."""

    kind: str
    name: str
    sentences: tuple[str, ...]
    contiguous: bool = True


def _split(text: str) -> tuple[str, ...]:
    return tuple(_squeezed(span.slice(text)) for span in sentences(text))


def documents(root: Path, train: list[Example]) -> Iterator[Document]:
    """Every document that may be learned from.

    Args:
        root: The folder of the labelled sets.
        train: The training rows, whose passages are text like any other.
    """
    seen: set[str] = set()
    for example in train:
        for number, passage in enumerate(example.passages):
            if passage not in seen:
                seen.add(passage)
                yield Document(
                    example.source,
                    f"{example.group}#{number}",
                    tuple(passage.split("\n"))
                    if example.source in ("wice_tokens", "fool_me_twice")
                    else _split(passage),
                    contiguous=example.source != "fool_me_twice",
                )
    for row in _rows(root / "scifact" / "corpus.jsonl"):
        yield Document("scifact", row["_id"], (row["title"], *_split(_squeezed(row["text"]))))
    for row in _rows(root / "halueval_small" / "general_data.jsonl"):
        yield Document("assistant", row["ID"], _split(row["chatgpt_response"]))
    for row in _rows(root.parent / "safety" / "bipia" / "email_train.jsonl"):
        text = row["context"]
        yield Document("mail", text[:60], _split(text.replace("|CONTENT:", "\n\n").replace("SUBJECT: ", "")))
    yield from _manuals()


def _manuals() -> Iterator[Document]:
    for kind, patterns in DEBIAN_DOCUMENTS.items():
        for path in sorted(path for pattern in patterns for path in Path("/").glob(pattern[1:])):
            page = path.read_text(encoding="utf-8", errors="replace")
            blocks = [_squeezed(html.unescape(_MARKUP.sub("", block))) for block in _BLOCK.findall(page)]
            found = [sentence for block in blocks if len(block) > 60 for sentence in _split(block)]
            for at in range(0, len(found), SECTION):
                if len(found) - at > 3:
                    yield Document(kind, f"{path.parent.name}/{path.stem}#{at}", tuple(found[at : at + SECTION]))


def usable(sentence: str) -> bool:
    """Whether a sentence is prose that says something: 6 to 45 words, ends like a sentence, mostly letters."""
    words = sentence.split()
    letters = sum(character.isalpha() or character == " " for character in sentence)
    return 6 <= len(words) <= 45 and sentence[-1] in ".!?\"'" and letters > 0.75 * len(sentence)


LIMITS = {"assistant": 24000, "scifact": 34000, "manual": 34000, "essay": 24000, "fool_me_twice": 26000,
          "wice_tokens": 22000}  # fmt: skip
"""Sentences taken of one kind; of the others at most ``LIMIT``."""
LIMIT = 16000
OF_A_DOCUMENT = 24
"""Sentences taken of one document."""


@dataclass(frozen=True, slots=True)
class Site:
    """A sentence and where it stands."""

    document: Document
    index: int

    @property
    def text(self) -> str:
        """The sentence."""
        return self.document.sentences[self.index]


def sites(root: Path, train: list[Example], guard: Guard, seed: int = 7) -> list[Site]:
    """Sentences to make pairs from, in random order, at most ``LIMITS`` of a kind."""
    chance = random.Random(seed)
    by_kind: dict[str, list[Site]] = {}
    for document in documents(root, train):
        fitting = [i for i, sentence in enumerate(document.sentences) if usable(sentence)]
        if not fitting or guard.shares(" ".join(document.sentences)):
            continue
        chance.shuffle(fitting)
        by_kind.setdefault(document.kind, []).extend(Site(document, i) for i in fitting[:OF_A_DOCUMENT])
    found = []
    for kind, members in sorted(by_kind.items()):
        chance.shuffle(members)
        found.extend(members[: LIMITS.get(kind, LIMIT)])
    chance.shuffle(found)
    return found
