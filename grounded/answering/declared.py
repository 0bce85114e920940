"""Questions that an allowed query answers, and its rows as the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from grounded.records import Generation, GeneratorRef, Prompt
from grounded.records.queries import PLACEHOLDER, Query
from grounded.text.terms import terms

LABEL = "rows of a query; no language model configured"

_HARMLESS = frozenset(
    [
        *("a", "an", "the", "is", "are", "was", "were", "be", "do", "does", "did", "have", "has", "had", "there", "of"),
        *("we", "you", "i", "our", "your", "us", "me", "please", "tell", "give", "show", "can", "could"),
        *("what", "which", "how", "altogether", "overall"),
    ]
)
"""Words without which a question about all rows asks the same; "not", "over", "before", "from" and "to" are none."""
_VALUE_WORDS = 8


class Match(NamedTuple):
    """A query that a question may be meant for.

    Attributes:
        name: Of the query.
        values: What stands in the question where the query has parameters, as it is written.
    """

    name: str
    query: Query
    values: Mapping[str, str]


class _Word(NamedTuple):
    stem: str
    start: int
    end: int


def matches(question: str, queries: Mapping[str, Query]) -> Iterator[Match]:
    """The queries one of whose questions is this one, in the order given; those without parameters first."""
    asked = _words(question)
    for name, query in sorted(queries.items(), key=lambda item: bool(item[1].parameters)):
        for declared in query.questions:
            spans = _fitted(_pattern(declared), asked)
            if spans is not None:
                yield Match(name, query, {parameter: question[a:b] for parameter, (a, b) in spans.items()})
                break


def same_value(given: str, allowed: Sequence[str]) -> str | None:
    """The allowed value with the same words; None when there is none."""
    wanted = [word.stem for word in terms(given)]
    return next((each for each in allowed if [word.stem for word in terms(each)] == wanted), None)


class RowsGenerator:
    """Answers with every line of the one passage, each with its marker; nothing is left out or added. Thread-safe."""

    @property
    def ref(self) -> GeneratorRef:
        """Name and label; there is no model."""
        return GeneratorRef(name="rows", label=LABEL)

    @property
    def window(self) -> int | None:
        """None: there is no context window."""
        return None

    def generate(self, prompt: Prompt) -> Generation:
        """All lines."""
        lines = (line.strip() for passage in prompt.passages for line in passage.text.splitlines())
        return Generation(text="\n".join(f"{line} [1]" for line in lines if line))

    def stream(self, prompt: Prompt) -> Iterator[Generation]:
        """All lines at once."""
        yield self.generate(prompt)


def _words(text: str) -> list[_Word]:
    """What distinguishes the question; all ways to ask for a count are one word."""
    found: list[_Word] = []
    words = terms(text)
    skip = 0
    for number, word in enumerate(words):
        if skip:
            skip -= 1
            continue
        pair = (word.text, words[number + 1].text if number + 1 < len(words) else "")
        if pair == ("how", "many") or (word.text in ("number", "count") and pair[1] == "of"):
            found.append(_Word("#count", word.start, words[number + 1].end))
            skip = 1
        elif pair in (("in", "total"), ("in", "all")):
            skip = 1
        elif word.text not in _HARMLESS:
            found.append(_Word(word.stem, word.start, word.end))
    return found


def _pattern(declared: str) -> list[str | tuple[str]]:
    """Stems of a declared question; a parameter is a tuple of its name."""
    pattern: list[str | tuple[str]] = []
    for number, part in enumerate(PLACEHOLDER.split(declared)):
        if number % 2:
            pattern.append((part,))
        else:
            pattern.extend(word.stem for word in _words(part))
    return pattern


def _fitted(pattern: Sequence[str | tuple[str]], asked: Sequence[_Word]) -> dict[str, tuple[int, int]] | None:
    """Where each parameter stands in the question; None when the question is another one."""
    if not pattern:
        return None if asked else {}
    first, rest = pattern[0], pattern[1:]
    if isinstance(first, str):
        return _fitted(rest, asked[1:]) if asked and asked[0].stem == first else None
    for length in range(1, min(_VALUE_WORDS, len(asked)) + 1):
        found = _fitted(rest, asked[length:])
        if found is not None:
            return {first[0]: (asked[0].start, asked[length - 1].end), **found}
    return None
