"""Builds the training pairs: (context, claim, what the context says of it, which words of the claim are wrong)."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from corpus import Site
from edits import KEEPING, OPPOSING, WEAKENING, Draft, Editor, draft_of, written
from sets import Example, Label, _rows
from words import Forms, Lexicon, WordNet

from grounded.records import Passage
from grounded.verification.resolution import resolve
from grounded.verification.windows import CONTEXT_WORDS, WindowIndex

RARITY = {
    "sibling": 0.8, "negation": 0.6, "antonym": 1.6, "number": 2.0, "date": 4.0, "unit": 4.0, "names": 4.0,
    "roles": 6.0,
    "quantifier": 1.5, "graft": 4.0, "certain": 3.0, "add": 1.0, "name": 1.8,
}  # fmt: skip
"""How much sooner than others an edit is tried, since few sentences allow it."""
LONG_CONTEXT_WORDS = 220
T = TypeVar("T")
UNKNOWN: Any = "unknown"
"""The label of a pair that only a teacher judges."""
SPEAKERS = [
    "Anna",
    "Ben",
    "Carla",
    "David",
    "Elena",
    "Frank",
    "Grace",
    "Henry",
    "Irene",
    "James",
    "Karen",
    "Liam",
    "Maria",
    "Nadia",
    "Oscar",
    "Paula",
]


@dataclass(frozen=True, slots=True)
class Pair:
    """One training pair; ``wrong`` are spans in the claim, ``kind`` says how it was made."""

    context: str
    claim: str
    label: Label
    kind: str
    wrong: tuple[tuple[int, int], ...] = ()
    marked: bool = True
    """Whether ``wrong`` is known; where it is not, nothing is learned from single words."""


class Maker:
    """Makes pairs of sentences and their parses, each with its own chance, so that shards do not depend on order."""

    def __init__(self, sites: Sequence[Site], docs: Sequence[Any], paraphrases: dict[int, Any], net: WordNet) -> None:
        forms = Forms((t.text, t.lemma_, t.tag_) for doc in docs for t in doc if t.is_alpha)
        self.lexicon = Lexicon(net, forms)
        self.sites = sites
        self.docs = docs
        self.paraphrases = paraphrases
        self.names: dict[str, list[str]] = defaultdict(list)
        self.near: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self.of_document: dict[str, list[int]] = defaultdict(list)
        self.number_of = {(site.document.name, site.index): number for number, site in enumerate(sites)}
        for number, (site, doc) in enumerate(zip(sites, docs, strict=True)):
            self.of_document[site.document.name].append(number)
            for entity in doc.ents:
                if 1 < len(entity.text) < 40 and entity.text[0].isupper():
                    text = entity.text.removeprefix("the ").removeprefix("The ")
                    self.names[entity.label_].append(text)
                    self.near[site.document.name][entity.label_].append(text)

    def pairs(self, number: int, seed: int) -> Iterator[Pair]:
        """All pairs of one sentence: about three."""
        chance = random.Random(f"{seed}.{number}")
        site, doc = self.sites[number], self.docs[number]
        editor = Editor(self.lexicon, chance, self.names)
        editor.near = self.near[site.document.name]
        drafts = [draft_of(doc)]
        if number in self.paraphrases:
            drafts.append(draft_of(self.paraphrases[number]))
        context = self._context(site, chance)
        if chance.random() < 0.08:
            yield from self._spoken(site, editor, drafts[-1], chance)
            return
        yield from self._named(site, number, editor, chance)
        positive = self._kept(editor, chance.choice(drafts[-1:] * 3 + drafts), chance)
        yield self._pair(context, positive, "supported", "kept")
        yield from self._changed(editor, context, drafts, number, chance)
        roll = chance.random()
        if roll < 0.35:
            yield from self._without(site, self._kept(editor, chance.choice(drafts), chance), chance)
        elif roll < 0.5:
            yield from self._two(site, number, editor, chance)

    def asked(self, number: int, seed: int) -> Iterator[Pair]:
        """A question that the sentence answers with one of its names, dates or numbers, and that answer or another."""
        chance = random.Random(f"asked.{seed}.{number}")
        site, doc = self.sites[number], self.docs[number]
        if number in self.paraphrases and chance.random() < 0.5:
            doc = self.paraphrases[number]
        entities = [each for each in doc.ents if each.label_ in ASKED and 0 < len(each.text) < 50]
        if not entities or not doc[-1].text.startswith(".") or len(doc) > 40:
            return
        chosen = chance.choice(entities)
        before, after = doc[: chosen.start].text_with_ws, doc[chosen.end : len(doc) - 1].text
        question = f"{before}{chance.choice(ASKED[chosen.label_])} {after}"
        question = re.sub(r"\s+([,;:)?])", r"\1", question).strip() + "?"
        question = question[:1].upper() + question[1:]
        right = _fragment(chosen.text, chance)
        context = self._context(site, chance)
        if chance.random() < 0.45:
            yield Pair(context, f"{question} {right}", "supported", "asked")
            return
        near = self.near[site.document.name][chosen.label_]
        pool = near if near and chance.random() < 0.7 else self.names.get(chosen.label_, near)
        own = set(_norm(chosen.text).split())
        others = [name for name in pool if not set(_norm(name).split()) & own and _norm(name)]
        if others:
            wrong = _fragment(chance.choice(others), chance)
            at = len(question) + 1
            yield Pair(context, f"{question} {wrong}", "contradicted", "asked_wrong", ((at, at + len(wrong)),))

    def _kept(self, editor: Editor, draft: Draft, chance: random.Random) -> Draft:
        for _ in range(chance.choice((0, 1, 1, 2, 2, 3))):
            for edit in chance.sample(KEEPING, 6):
                after = edit(editor, draft)
                if after is not None and len(after) >= 4:
                    draft = after
                    break
        return draft

    def _changed(
        self, editor: Editor, context: str, drafts: Sequence[Draft], number: int, chance: random.Random
    ) -> Iterator[Pair]:
        """One or two claims with one thing changed, of kinds drawn evenly among those that apply."""
        wanted = chance.choice((1, 1, 2))
        edits: list[tuple[str, Label]] = [(name, "contradicted") for name in OPPOSING]
        edits += [(name, "neither") for name in WEAKENING] + [("add", "neither"), ("graft", "contradicted")]
        # The rarer an edit applies, the earlier it is tried.
        edits.sort(key=lambda item: -(chance.random() ** (1 / RARITY.get(item[0], 1.0))))
        for name, label in edits:
            base = self._kept(editor, chance.choice(list(drafts)), chance)
            if name in ("add", "graft"):
                other = self._other(number, chance)
                if other is None:
                    continue
                changed = editor.add(base, other) if name == "add" else editor.graft(base, other)
            else:
                changed = (OPPOSING | WEAKENING)[name](editor, base)
            if changed is None:
                continue
            pair = self._pair(context, changed, label, name)
            if not pair.wrong or _norm(pair.claim) in _norm(context):
                continue
            yield pair
            wanted -= 1
            if not wanted:
                return

    def _other(self, number: int, chance: random.Random) -> Draft | None:
        near = [n for n in self.of_document[self.sites[number].document.name] if n != number]
        if near:
            return draft_of(self.docs[chance.choice(near)])
        return None

    def _without(self, site: Site, claim: Draft, chance: random.Random) -> Iterator[Pair]:
        context = self._context(site, chance, without=True)
        text, _ = written(claim)
        if context and _norm(text) not in _norm(context):
            yield Pair(context, text, "neither", "removed", marked=False)

    def _two(self, site: Site, number: int, editor: Editor, chance: random.Random) -> Iterator[Pair]:
        """A claim joined from two sentences of the context, and one with half of it changed."""
        near = [n for n in self.of_document[site.document.name] if n != number]
        if not near:
            return
        second = chance.choice(near)
        first, other = self._kept(editor, draft_of(self.docs[number]), chance), draft_of(self.docs[second])
        if len(first) + len(other) > 60 or len(first) < 4 or other[0].token.pos_ == "PRON":
            return
        texts = [site.text, self.sites[second].text]
        fillers = [s for s in site.document.sentences if s not in texts and len(s.split()) < 40][:3]
        sentences = [*texts, *chance.sample(fillers, chance.randint(0, min(1, len(fillers))))]
        chance.shuffle(sentences)
        context = "\n".join(sentences)
        broken = chance.random() < 0.5
        if broken:
            names = list(OPPOSING)
            chance.shuffle(names)
            changed = next((found for name in names if (found := OPPOSING[name](editor, other)) is not None), None)
            if changed is None:
                return
            other = changed
        joint = chance.choice((", and ", ", while ", "; ", ". "))
        left, left_wrong = written(first)
        right, right_wrong = written(other)
        left = left.rstrip(".!? ")
        if not joint.startswith(".") and other[0].token is not None and not other[0].token.ent_type_:
            right = right[:1].lower() + right[1:]
        shift = len(left) + len(joint)
        wrong = (*left_wrong, *((start + shift, end + shift) for start, end in right_wrong))
        yield Pair(context, left + joint + right, "contradicted" if broken else "supported", "two", wrong)

    def _spoken(self, site: Site, editor: Editor, draft: Draft, chance: random.Random) -> Iterator[Pair]:
        """A talk: who said what."""
        names = chance.sample(SPEAKERS, 3)
        turns = [s for s in self._sentences(site, chance, 2)]
        mine = chance.choice(names[:2])
        lines, said = [], {}
        for sentence in turns:
            speaker = mine if sentence == site.text else chance.choice(names[:2])
            said[sentence] = speaker
            lines.append(f"{speaker}: {sentence}")
        context = "\n".join(lines)
        kept = self._kept(editor, draft, chance)
        verb = chance.choice(("says that", "mentions that", "states that", "explains that", "told {} that", "said"))
        listener = next(name for name in names[:2] if name != mine)
        body, _ = written(kept)
        low = body if kept[0].token is not None and kept[0].token.ent_type_ else body[:1].lower() + body[1:]
        verb = verb.format(listener)
        yield Pair(context, f"{mine} {verb} {low}", "supported", "spoken")
        if chance.random() < 0.5:
            other = names[2] if chance.random() < 0.5 else listener
            yield Pair(context, f"{other} {verb} {low}", "contradicted", "speaker", ((0, len(other)),))
            return
        names_left = list(OPPOSING)
        chance.shuffle(names_left)
        for name in names_left:
            changed = OPPOSING[name](editor, kept)
            if changed is not None:
                body, wrong = written(changed)
                shift = len(mine) + len(verb) + 2
                low = body[:1].lower() + body[1:]
                spans = tuple((start + shift, end + shift) for start, end in wrong)
                yield Pair(context, f"{mine} {verb} {low}", "contradicted", name, spans)
                return

    def _named(self, site: Site, number: int, editor: Editor, chance: random.Random) -> Iterator[Pair]:
        """What a source says of "he" or "she", said with the name from the sentence before; or with another name."""
        doc = self.docs[number]
        before = self.number_of.get((site.document.name, site.index - 1))
        if not site.document.contiguous or before is None or doc[0].text not in ("He", "She") or len(doc) < 6:
            return
        people = {each.text for each in self.docs[before].ents if each.label_ == "PERSON"}
        if len(people) != 1:
            return
        name = people.pop().removesuffix("'s").strip()
        after = site.index + 1 + chance.randint(0, 2)
        context = " ".join(site.document.sentences[max(0, site.index - 1 - chance.randint(0, 2)) : after])
        others = [
            other for other in self.near[site.document.name]["PERSON"] if not set(other.split()) & set(name.split())
        ]
        chosen, label = name, "supported"
        if others and chance.random() < 0.5:
            chosen, label = chance.choice(others), "contradicted"
        first, *rest = draft_of(doc)
        wrong = label == "contradicted"
        draft = (replace(first, text=chosen, token=None, wrong=wrong), *rest)
        yield self._pair(context, self._kept(editor, draft, chance), label, "named" if not wrong else "named_wrong")

    def _sentences(self, site: Site, chance: random.Random, most: int) -> list[str]:
        document = site.document
        share, room = chance.random(), CONTEXT_WORDS // 2
        # Most contexts are kept short: what is learned of an edit does not depend on what stands around it.
        if share < 0.45:
            room, most = (CONTEXT_WORDS, most + 1) if share < 0.25 else (LONG_CONTEXT_WORDS, most + 5)
        if document.contiguous:
            before, after = chance.randint(0, most), chance.randint(0, most)
            chosen = list(document.sentences[max(0, site.index - before) : site.index + after + 1])
        else:
            others = [s for i, s in enumerate(document.sentences) if i != site.index]
            chosen = chance.sample(others, min(len(others), chance.randint(0, most + 1)))
            chosen.insert(chance.randint(0, len(chosen)), site.text)
        while len(chosen) > 1 and sum(len(s.split()) for s in chosen) > room:
            far = (
                chosen[0]
                if chosen[-1] == site.text or (chosen[0] != site.text and chance.random() < 0.5)
                else chosen[-1]
            )
            chosen.remove(far)
        return chosen

    def _context(self, site: Site, chance: random.Random, *, without: bool = False) -> str:
        chosen = self._sentences(site, chance, 3 if without else 2)
        if without:
            chosen = [sentence for sentence in chosen if sentence != site.text]
        return chance.choice((" ", " ", "\n")).join(chosen)

    @staticmethod
    def _pair(context: str, draft: Draft, label: Label, kind: str) -> Pair:
        claim, wrong = written(draft)
        return Pair(context, claim, label, kind, wrong)


ASKED = {
    "PERSON": ("who", "which person"), "GPE": ("which place", "where exactly", "what city or country"),
    "LOC": ("which place",), "FAC": ("which building",), "ORG": ("which organization", "which group", "what"),
    "NORP": ("what kind of people", "which group"), "DATE": ("when", "which year or day", "what time"),
    "CARDINAL": ("how many",), "QUANTITY": ("how much",), "MONEY": ("how much money",), "PERCENT": ("what share",),
    "WORK_OF_ART": ("which work", "what"), "EVENT": ("which event",), "PRODUCT": ("which product", "what"),
}  # fmt: skip
"""Words that stand in a question for what it asks for, by the kind of name."""


def _fragment(text: str, chance: random.Random) -> str:
    return text + chance.choice(("", "", "."))


def _norm(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def table_pairs(root: Path, seed: int) -> Iterator[Pair]:
    """Rows turned into sentences, with wrong row and wrong column; rows are written as a knowledge base writes them."""
    chance = random.Random(seed)
    seen = set()
    for row in _rows(root.parent / "safety" / "bipia" / "table_train.jsonl"):
        lines = [line for line in row["context"].splitlines() if line.startswith("|") and not set(line) <= set("|-: ")]
        table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        if row["context"] in seen or len(table) < 4 or len({len(cells) for cells in table}) != 1 or len(table[0]) < 2:
            continue
        seen.add(row["context"])
        head, body = table[0], table[1:]
        if chance.random() < 0.6:
            written_rows = [
                "; ".join(f"{h}: {c}" for h, c in zip(head, cells, strict=True) if h and c) for cells in body
            ]
        else:
            written_rows = lines[1:]
        for _ in range(6):
            at, column = chance.randrange(len(body)), chance.randrange(1, len(head))
            low = max(0, at - chance.randint(0, 3))
            shown = written_rows[low : at + chance.randint(1, 3)]
            header = "" if written_rows != lines[1:] else lines[0] + "\n"
            context = header + "\n".join(shown)
            name, value, title = body[at][0], body[at][column], head[column]
            if not name or not value or not title or len(context) > 900 or len(value) > 60:
                continue
            yield _cell(context, name, title, value, "supported", chance)
            wrong_row = [cells[column] for cells in body if cells[column] and cells[column] != value]
            wrong_column = [c for i, c in enumerate(body[at]) if i not in (0, column) and c and c != value]
            for pool, kind in ((wrong_row, "row"), (wrong_column, "column")):
                if pool and chance.random() < 0.6:
                    yield _cell(context, name, title, chance.choice(pool), "contradicted", chance, kind)


def _cell(
    context: str, name: str, title: str, value: str, label: Label, chance: random.Random, kind: str = "table"
) -> Pair:
    form = chance.choice(
        ("The {t} of {n} is {v}.", "For {n}, the {t} is {v}.", "{n} has {v} as its {t}.", "{n}: {t} {v}.")
    )
    claim = form.format(t=title, n=name, v=value)
    start = (
        form.index("{v}")
        + len(form[: form.index("{v}")].format(t=title, n=name, v=""))
        - len(form[: form.index("{v}")])
    )
    wrong = ((start, start + len(value)),) if label != "supported" else ()
    return Pair(context, claim, label, kind, wrong)


def human_pairs(examples: Iterable[Example]) -> Iterator[Pair]:
    """The labelled rows, seen through the contexts that the verifier itself would choose, and through longer ones.

    Where it is not known which context decides, only the one most likely to is labelled; a teacher reads the others.
    """
    for example in examples:
        passages = [Passage(id=str(i), text=text) for i, text in enumerate(example.passages) if text.strip()]
        if not passages:
            continue
        index = WindowIndex.of(passages)
        scored = resolve(example.claim, question=example.question)
        claim, known = scored.read, example.source == "wice_tokens"
        short, long = (
            [context for context in index.contexts(index.rank(scored.text), limit=3, words=words)]
            for words in (CONTEXT_WORDS, LONG_CONTEXT_WORDS)
        )
        texts = {context.text(passages): context for context in [*short, *long]}
        if example.gold and passages[0].text == example.passages[0]:
            whole = [
                text
                for text, context in texts.items()
                if any(all(any(s <= a and b <= e for _, s, e in context.stretches) for a, b in g) for g in example.gold)
            ]
            gold = ["\n".join(passages[0].text[a:b] for a, b in chosen) for chosen in example.gold[:2]]
            chosen = list(dict.fromkeys([*whole[:3], *gold[:1]]))
        elif example.label == "neither":
            chosen = list(texts)
        else:
            chosen = [contexts[-1].text(passages) for contexts in (short, long) if contexts]
            if len(texts) > 2 and len(passages) == 1 and len(passages[0].text.split()) < LONG_CONTEXT_WORDS:
                chosen.append(passages[0].text)
        for text in dict.fromkeys(chosen):
            yield Pair(text, claim, example.label, example.source, example.wrong, known)
        for text in texts:
            if text not in chosen:
                yield Pair(text, claim, UNKNOWN, example.source, (), False)


def crossed_pairs(claims: Sequence[str], documents: Sequence[str]) -> Iterator[Pair]:
    """Real sentences with what other documents say of the same: unlabelled, for a teacher to read."""
    passages = [Passage(id=str(i), text=text) for i, text in enumerate(documents)]
    index = WindowIndex.of(passages)
    for claim in claims:
        for context in index.contexts(index.rank(claim), limit=1):
            yield Pair(context.text(passages), claim, UNKNOWN, "crossed", (), False)


def save(path: Path, pairs: Iterable[Pair]) -> int:
    """Write pairs as JSON lines."""
    count = 0
    with path.open("w", encoding="utf-8") as out:
        for pair in pairs:
            out.write(json.dumps(asdict(pair)) + "\n")
            count += 1
    return count


def load(path: Path) -> list[Pair]:
    """Read them back."""
    return [Pair(**{**row, "wrong": tuple(map(tuple, row["wrong"]))}) for row in _rows(path)]


def drawn(rows: Sequence[T], most: int | None) -> Sequence[T]:
    """At most so many of the rows, drawn at random; all of them when no number is given."""
    return rows if most is None or len(rows) <= most else random.Random(1).sample(rows, most)
