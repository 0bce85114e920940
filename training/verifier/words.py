"""Synonyms, antonyms and siblings from WordNet 3.0's own files, and word forms from the corpus itself."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
POS = {"NOUN": "n", "VERB": "v", "ADJ": "a", "ADV": "r"}


class WordNet:
    """What the files in ``folder`` (Debian's package wordnet-base puts them in /usr/share/wordnet) say of a lemma."""

    def __init__(self, folder: Path = Path("/usr/share/wordnet")) -> None:
        self._words: dict[str, list[str]] = {}
        self._pointers: dict[str, list[tuple[str, str, int, int]]] = {}
        self._senses: dict[tuple[str, str], list[str]] = {}
        for pos, name in FILES.items():
            for line in (folder / f"data.{name}").read_text("latin-1").splitlines():
                if line[0] != " ":
                    self._read_synset(pos, line.split(" | ")[0].split())
            for line in (folder / f"index.{name}").read_text("latin-1").splitlines():
                if line[0] != " ":
                    fields = line.split()
                    count = int(fields[2])
                    self._senses[fields[0], pos] = [pos + offset for offset in fields[-count:]]

    def _read_synset(self, pos: str, fields: list[str]) -> None:
        key, count = pos + fields[0], int(fields[3], 16)
        self._words[key] = [fields[4 + 2 * i].split("(")[0] for i in range(count)]
        at = 4 + 2 * count
        pointers = []
        for i in range(int(fields[at])):
            symbol, offset, kind, ends = fields[at + 1 + 4 * i : at + 5 + 4 * i]
            pointers.append((symbol, ("a" if kind == "s" else kind) + offset, int(ends[:2], 16), int(ends[2:], 16)))
        self._pointers[key] = pointers

    def antonyms(self, lemma: str, pos: str) -> set[str]:
        """Direct antonyms of the first three senses."""
        found = set()
        for sense in self._senses.get((lemma, pos), ())[:3]:
            for symbol, target, source, goal in self._pointers[sense]:
                if symbol == "!" and source and self._words[sense][source - 1].lower() == lemma:
                    found.add(self._words[target][goal - 1].lower())
        return {word for word in found if word.isalpha()}

    def synonyms(self, lemma: str, pos: str) -> set[str]:
        """Words of the first sense that mean this first of all themselves: few, and nearly always right."""
        senses = self._senses.get((lemma, pos), ())
        if not senses or len(senses) > 4:
            return set()
        found = {word.lower() for word in self._words[senses[0]]} - {lemma}
        return {w for w in found if w.isalpha() and self._senses.get((w, pos), [""])[0] == senses[0]}

    def siblings(self, lemma: str, pos: str) -> set[str]:
        """Other kinds of the same thing: they share the parent of the first sense, and no sense with the lemma."""
        senses = self._senses.get((lemma, pos), ())
        if not senses:
            return set()
        own = {word.lower() for sense in senses for word in self._words[sense]}
        found = set()
        for symbol, parent, _, _ in self._pointers[senses[0]]:
            if symbol == "@":
                for down, child, _, _ in self._pointers[parent]:
                    if down == "~":
                        found.update(word.lower() for word in self._words[child])
        return {word for word in found - own if word.isalpha()}


class Forms:
    """Which form a lemma takes, and how common words are, learned from tagged text."""

    def __init__(self, tagged: Iterable[tuple[str, str, str]]) -> None:
        counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.common: Counter[str] = Counter()
        for text, lemma, tag in tagged:
            counts[lemma.lower(), tag][text.lower()] += 1
            self.common[lemma.lower()] += 1
        self._form = {key: seen.most_common(1)[0][0] for key, seen in counts.items()}

    def inflect(self, lemma: str, tag: str) -> str | None:
        """The form of ``lemma`` under a Penn tag; regular when the corpus has none, None when unsure."""
        if tag in ("NN", "JJ", "RB", "VB", "VBP"):
            return lemma
        known = self._form.get((lemma, tag))
        if known:
            return known
        if tag in ("VBD", "VBN"):
            return lemma + ("d" if lemma.endswith("e") else "ed") if lemma[-1] not in "aiouyptgnmrdlb" else None
        if tag == "NNS" or tag == "VBZ":
            return lemma + ("es" if lemma.endswith(("s", "x", "ch", "sh")) else "s") if lemma[-1] != "y" else None
        if tag == "VBG":
            return (lemma[:-1] if lemma.endswith("e") else lemma) + "ing" if lemma[-1] not in "iptgnmrdlb" else None
        return None


class Lexicon:
    """Replacements of one word that keep its form."""

    def __init__(self, net: WordNet, forms: Forms) -> None:
        self.net = net
        self.forms = forms

    @cached_property
    def _own_antonyms(self) -> dict[str, str]:
        pairs = dict(line.split() for line in _OPPOSITES.strip().splitlines())
        return pairs | {right: left for left, right in pairs.items()}

    def opposite(self, lemma: str, pos: str, tag: str, chance: random.Random) -> str | None:
        """An antonym in the same form."""
        kind = POS.get(pos, "")
        found = {self._own_antonyms[lemma]} if lemma in self._own_antonyms else self.net.antonyms(lemma, kind)
        found = {word for word in found if self.forms.common[word] >= 2}
        return self._form(found, tag, chance)

    def same(self, lemma: str, pos: str, tag: str, chance: random.Random) -> str | None:
        """A synonym in the same form."""
        found = {word for word in self.net.synonyms(lemma, POS.get(pos, "")) if self.forms.common[word] >= 2}
        return self._form(found, tag, chance)

    def sibling(self, lemma: str, pos: str, tag: str, chance: random.Random) -> str | None:
        """Another thing of the same kind, in the same form."""
        found = {word for word in self.net.siblings(lemma, POS.get(pos, "")) if self.forms.common[word] >= 3}
        return self._form(found, tag, chance)

    def _form(self, found: set[str], tag: str, chance: random.Random) -> str | None:
        return self.forms.inflect(chance.choice(sorted(found)), tag) if found else None


_OPPOSITES = """
increase decrease
rise fall
high low
higher lower
highest lowest
more less
most least
large small
larger smaller
largest smallest
early late
earlier later
before after
first last
begin end
start stop
open close
win lose
succeed fail
success failure
accept reject
approve deny
allow forbid
permit prohibit
enable disable
include exclude
agree disagree
support oppose
improve worsen
gain loss
profit deficit
buy sell
positive negative
positively negatively
male female
man woman
men women
father mother
son daughter
brother sister
husband wife
king queen
north south
northern southern
east west
eastern western
left right
above below
inside outside
public private
major minor
maximum minimum
upper lower
internal external
strong weak
strongly weakly
effective ineffective
safe dangerous
common rare
frequently rarely
often seldom
always never
quickly slowly
fast slow
easy difficult
expensive cheap
rich poor
young old
older younger
new old
hot cold
warm cool
heavy light
long short
longer shorter
near far
same different
similar different
possible impossible
necessary unnecessary
legal illegal
acute chronic
active inactive
present absent
presence absence
likely unlikely
true false
correct incorrect
upregulate downregulate
activate inhibit
promote suppress
stimulate inhibit
enhance impair
reduce increase
expand shrink
hire dismiss
join leave
arrive depart
remember forget
love hate
praise criticise
arrest release
attack defend
optimistic pessimistic
guilty innocent
temporary permanent
voluntary mandatory
optional required
import export
lend borrow
teach learn
push pull
optimal suboptimal
simple complex
"""
