"""The names people cite sources by: numbers, titles, files, addresses, an author with a year."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from grounded.records import Passage

MAX_NUMBER = 999
"""Largest number in brackets that is a marker when there are fewer sources; longer ones are years or identifiers."""
YEAR = r"(?:1[5-9]|20)\d\d[a-z]?"
NAME = r"[^\W\d_][^\W\d_'’-]*(?:['’-][^\W\d_]+)*"

_PLACE = re.compile(
    r"(?:[\s,;:·]+|\s\()(?:pages?|pp?\.?|§+|sections?|sec\.|rows?|lines?|slides?|chapters?|ch\.|seiten?|s\.)"
    r"\s?\d[\d.,–-]{0,12}\)?$",
    re.IGNORECASE,
)
_AUTHORED = re.compile(rf"(?P<name>{NAME})(?P<others>[^\d]{{0,80}}?)[\s,(_.-]*(?P<year>{YEAR})(?=$|\)|\s?[.:,;–—-])")
_CONNECTORS = frozenset(("et", "al", "and", "und", "y", "e"))
_NOT_AUTHORS_TEXT = """
    january february march april may june july august september october november december spring summer autumn
    fall winter since until before after from in by version report
"""
_NOT_AUTHORS = frozenset(_NOT_AUTHORS_TEXT.split())
_LONGEST = 200
_SHORTEST = 3
_K = TypeVar("_K")


@dataclass(frozen=True, slots=True)
class SourceNames:
    """What each source is called; built once for all sentences of an answer.

    Attributes:
        count: How many sources there are.
        titles: Folded titles, places, addresses and file names, each with the numbers of the sources so called.
        links: Folded addresses with their numbers.
        authors: Folded surname and year with their numbers.
        shown: For each source the names it can be cited by (title and place), its address, and its author with year.
    """

    count: int = 0
    titles: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    links: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    authors: Mapping[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    shown: tuple[tuple[tuple[str, ...], str, str], ...] = ()

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> SourceNames:
        """The names of these passages; ``passages[n-1]`` has number ``n``."""
        titles: dict[str, list[int]] = defaultdict(list)
        links: dict[str, list[int]] = defaultdict(list)
        authors: dict[tuple[str, str], list[int]] = defaultdict(list)
        shown = []
        for number, passage in enumerate(passages, start=1):
            file, place = _file_of(passage.uri), passage.place()
            for name in {_folded(name) for name in (passage.title, place, passage.uri, file)}:
                if name:
                    titles[name].append(number)
            for address in {_address(passage.uri), _address(file)} - {""}:
                links[address].append(number)
            authored = author_of(passage.title) or author_of(file)
            if authored is not None:
                authors[authored[0].casefold(), authored[1]].append(number)
            label = _author_label(*authored) if authored else ""
            shown.append(((passage.title, place), passage.uri, label))
        return cls(len(passages), _frozen(titles), _frozen(links), _frozen(authors), tuple(shown))

    @property
    def largest(self) -> int:
        """The largest number a marker may have."""
        return max(MAX_NUMBER, self.count)

    def named(self, text: str) -> tuple[int, ...]:
        """The sources with this title, file name or address, a page after it allowed; empty when there are none."""
        folded = _folded(text)
        if len(folded) < _SHORTEST or folded.isdecimal():
            return ()
        return self.titles.get(folded) or self.titles.get(_folded(_PLACE.sub("", folded))) or ()

    def linked(self, address: str) -> tuple[int, ...]:
        """The sources at this address; a fragment, a scheme and a last slash make no difference."""
        return self.links.get(_address(address), ())

    def dated(self, author: str, year: str) -> tuple[int, ...]:
        """The sources named after this author and year."""
        return self.authors.get((author.casefold(), year), ())


NO_NAMES = SourceNames()


def author_of(title: str) -> tuple[str, str, bool] | None:
    """Surname, year and whether there are more authors, of a source that is named so: ``Smith et al. 2020``."""
    match = _AUTHORED.match(title[:_LONGEST].replace("_", " ").strip())
    if match is None or match["name"].casefold() in _NOT_AUTHORS:
        return None
    words = re.findall(r"[^\W\d_]+", match["others"])
    others = [word for word in words if len(word) > 1 and word not in _CONNECTORS]
    if any(not word[0].isupper() for word in others):
        return None
    name = match["name"]
    return name[0].upper() + name[1:], match["year"], bool(others) or "al" in words


def _author_label(name: str, year: str, more: bool) -> str:
    return f"{name} et al., {year}" if more else f"{name} {year}"


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .-–:·")


def _address(uri: str) -> str:
    plain = unquote(uri.partition("#")[0].strip()).casefold().rstrip("/")
    return re.sub(r"^(?:https?://(?:www\.)?|file://|\./)", "", plain)


def _file_of(uri: str) -> str:
    try:
        return unquote(urlsplit(uri).path).replace("\\", "/").rpartition("/")[2]
    except ValueError:  # not an address at all
        return ""


def _frozen(table: Mapping[_K, Iterable[int]]) -> dict[_K, tuple[int, ...]]:
    return {key: tuple(numbers) for key, numbers in table.items()}
