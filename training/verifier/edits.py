"""Edits of a parsed sentence: some keep what it says, some change one thing.

Every edit takes a :class:`Draft` and gives a new one, or None where it does not apply. An edit that changes the
meaning marks the words it put in as wrong, so that the model also learns which words a source does not carry.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from words import Lexicon

TokenLike = Any
"""A spaCy token; spaCy is not imported here."""

NUMBER_WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
UNITS = [
    ["seconds", "minutes", "hours", "days", "weeks", "months", "years", "decades"],
    ["second", "minute", "hour", "day", "week", "month", "year", "decade"],
    ["millimetres", "centimetres", "metres", "kilometres", "feet", "miles", "inches"],
    ["meters", "kilometers", "centimeters", "feet", "miles", "yards"],
    ["grams", "kilograms", "pounds", "tons", "ounces"],
    ["thousand", "million", "billion", "trillion"],
    ["bytes", "kilobytes", "megabytes", "gigabytes"],
    ["dollars", "euros", "pounds", "yen"],
    ["km", "m", "cm", "mm", "ft"],
    ["kg", "g", "mg"],
]
QUANTIFIERS = {
    "all": ["some", "few", "no", "most"],
    "every": ["no", "almost no"],
    "each": ["no"],
    "most": ["few", "all", "no"],
    "many": ["few", "no", "all"],
    "some": ["all", "no", "most"],
    "several": ["no", "two", "all"],
    "few": ["many", "most"],
    "both": ["neither of the", "one of the"],
    "no": ["some", "many"],
    "always": ["sometimes", "never", "rarely"],
    "usually": ["never", "always", "rarely"],
    "often": ["never", "rarely", "always"],
    "sometimes": ["always", "never"],
    "never": ["often", "always"],
    "only": ["not only"],
    "mostly": ["entirely", "hardly"],
    "partially": ["fully"],
    "approximately": ["more than", "less than"],
    "about": ["more than"],
}
HEDGES = {"may": "does", "might": "will", "could": "will", "can": "must", "should": "must"}
LINKS = [
    ("was associated with", "caused"),
    ("were associated with", "caused"),
    ("is associated with", "causes"),
    ("are associated with", "cause"),
    ("is linked to", "causes"),
    ("was correlated with", "caused"),
    ("correlates with", "is caused by"),
    ("contributes to", "is the only cause of"),
    ("contributed to", "was the only cause of"),
    ("because of", "despite"),
    ("due to", "despite"),
    ("despite", "because of"),
    ("although", "because"),
    ("leads to", "prevents"),
    ("led to", "prevented"),
    ("suggests that", "proves that"),
    ("suggest that", "prove that"),
    ("rather than", "as well as"),
    ("as well as", "but not"),
    ("at least", "at most"),
    ("at most", "at least"),
    ("more than", "less than"),
    ("less than", "more than"),
    ("up to", "at least"),
    ("instead of", "in addition to"),
    ("unlike", "like"),
]
_PRIVATIVE = frozenset(
    [
        "former",
        "alleged",
        "potential",
        "possible",
        "fake",
        "false",
        "so-called",
        "proposed",
        "supposed",
        "unlikely",
        "likely",
        "first",
        "second",
        "third",
        "last",
        "only",
        "same",
        "other",
        "different",
        "few",
        "many",
        "several",
        "own",
        "next",
        "previous",
        "new",
        "least",
        "most",
    ]
)
_NOT_DROPPED = frozenset(
    [
        "not",
        "n't",
        "never",
        "no",
        "only",
        "hardly",
        "barely",
        "rarely",
        "seldom",
        "scarcely",
        "almost",
        "nearly",
        "even",
        "just",
        "about",
        "over",
        "under",
        "less",
        "more",
        "most",
        "least",
        "too",
        "as",
        "so",
        "approximately",
        "roughly",
        "around",
        "at",
        "up",
        "down",
        "out",
        "off",
        "potentially",
        "possibly",
        "allegedly",
        "reportedly",
        "probably",
        "perhaps",
        "maybe",
        "partially",
        "partly",
        "mostly",
        "generally",
        "usually",
        "often",
        "sometimes",
    ]
)
_CONDITION = frozenset(
    [
        "if",
        "unless",
        "until",
        "whether",
        "except",
        "provided",
        "without",
        "only",
        "not",
        "n't",
        "never",
        "no",
        "neither",
        "nor",
    ]
)
_REPORTED = ("According to the text, ", "The source says that ", "It is stated that ", "According to the document, ")
REPORTED_SHARE = 0.12
"""It always applies, and would otherwise be the most frequent edit."""
_CASE = {"he": "him", "she": "her", "they": "them", "i": "me", "we": "us"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A word of a draft: its text, whether a space follows, its parsed token, and whether it was put in wrongly."""

    text: str
    space: bool
    token: TokenLike | None = None
    wrong: bool = False


Draft = tuple[Piece, ...]
Edit = Callable[["Editor", Draft], "Draft | None"]


def draft_of(doc: Any) -> Draft:
    """The draft that says what a parsed sentence says."""
    return tuple(Piece(token.text, bool(token.whitespace_), token) for token in doc)


def written(draft: Draft) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text of a draft and the spans of its wrong words."""
    text, spans = "", []
    for position, piece in enumerate(draft):
        word = piece.text
        if not text and word[:1].islower():
            word = word[0].upper() + word[1:]
        if piece.wrong and word.strip():
            spans.append((len(text), len(text) + len(word)))
        text += word + (" " if piece.space and position + 1 < len(draft) else "")
    return text, tuple(spans)


def _lower_first(pieces: Draft) -> Draft:
    first = pieces[0]
    name = first.token is not None and (first.token.ent_type_ or first.token.pos_ == "PROPN" or first.text == "I")
    if name or (first.text[1:2].isupper()):
        return pieces
    return (replace(first, text=first.text[:1].lower() + first.text[1:]), *pieces[1:])


def _raise_first(pieces: Draft) -> Draft:
    return (replace(pieces[0], text=pieces[0].text[:1].upper() + pieces[0].text[1:]), *pieces[1:])


def _end(draft: Draft) -> int:
    """Where the final punctuation begins."""
    at = len(draft)
    while at and not any(c.isalnum() for c in draft[at - 1].text) and draft[at - 1].text not in ")%":
        at -= 1
    return at


def _closed(pieces: Sequence[Piece], stop: str = ".") -> Draft:
    kept = list(pieces)
    while kept and kept[-1].text in {",", ";", ":", "-", "–", "—", "."}:
        kept.pop()
    if not kept:
        return ()
    kept[-1] = replace(kept[-1], space=False)
    return tuple([*kept, Piece(stop, False)])


class Editor:
    """Edits with chance and a lexicon; names to swap with come from ``names`` (entity type to texts)."""

    def __init__(self, lexicon: Lexicon, chance: random.Random, names: dict[str, list[str]]) -> None:
        self.lexicon = lexicon
        self.chance = chance
        self.names = names
        self.near: dict[str, list[str]] = {}

    # ------------------------------------------------------------------ edits that keep the meaning

    def drop_opening(self, draft: Draft) -> Draft | None:
        """Without "However," and the like."""
        comma = next((i for i, piece in enumerate(draft[:4]) if piece.text == ","), None)
        if comma is None or draft[0].token is None or draft[0].token.dep_ not in ("advmod", "prep", "cc"):
            return None
        opening = " ".join(piece.text.lower() for piece in draft[:comma])
        known = [
            "however",
            "moreover",
            "furthermore",
            "additionally",
            "therefore",
            "thus",
            "also",
            "similarly",
            "indeed",
        ]
        if opening in (*known, "in addition", "for example", "for instance", "as a result", "in fact"):
            return _raise_first(draft[comma + 1 :])
        return None

    def drop_aside(self, draft: Draft) -> Draft | None:
        """Without one parenthesis, apposition or relative clause between commas."""
        choices = []
        texts = [piece.text for piece in draft]
        for at, text in enumerate(texts):
            if text == "(" and ")" in texts[at:]:
                choices.append((at, texts.index(")", at) + 1))
            token = draft[at].token
            if token is not None and token.dep_ in ("appos", "relcl", "acl", "advcl") and at:
                inside = {t.i for t in token.subtree}
                rows = [i for i, piece in enumerate(draft) if piece.token is not None and piece.token.i in inside]
                low, high = rows[0], rows[-1] + 1
                if high - low == len(rows) and low and texts[low - 1] == "," and high < len(texts):
                    if not {t.lower() for t in texts[low:high]} & _CONDITION:
                        choices.append((low - 1, high + 1 if texts[high] == "," else high))
        if not choices:
            return None
        low, high = self.chance.choice(choices)
        kept = [*draft[:low], *draft[high:]]
        if low and kept:
            kept[low - 1] = replace(kept[low - 1], space=high < len(draft) and draft[high].text.isalnum())
        return tuple(kept) if len(kept) >= 5 else None

    def drop_modifier(self, draft: Draft) -> Draft | None:
        """Without one adjective or adverb: what is true of a red car is true of a car."""
        if any(piece.text.lower() in _CONDITION for piece in draft):
            return None
        choices = []
        for at, piece in enumerate(draft):
            token = piece.token
            if token is None or piece.text.lower() in _PRIVATIVE | _NOT_DROPPED or token.ent_type_:
                continue
            leaf = not list(token.children) and piece.space
            adjective = token.dep_ == "amod" and token.tag_ == "JJ" and token.i + 1 <= token.head.i
            adverb = token.dep_ == "advmod" and token.head.pos_ in ("VERB", "ADJ") and token.text.endswith("ly")
            if leaf and at and (adjective or adverb):
                choices.append(at)
        if not choices:
            return None
        at = self.chance.choice(choices)
        if draft[at - 1].text.lower() in ("a", "an"):
            return None
        return (*draft[:at], *draft[at + 1 :])

    def drop_tail(self, draft: Draft) -> Draft | None:
        """Without a closing clause or phrase."""
        if any(piece.text.lower() in _CONDITION for piece in draft):
            return None
        end = _end(draft)
        for at in range(end - 3, 4, -1):
            token = draft[at].token
            if token is not None and token.dep_ in ("prep", "advcl", "acl") and token.head.pos_ == "VERB":
                inside = {t.i for t in token.subtree}
                rest = [piece.token.i for piece in draft[at:end] if piece.token is not None]
                start = min((i for i, p in enumerate(draft) if p.token is not None and p.token.i in inside), default=at)
                if rest and all(i in inside for i in rest) and start > 4 and token.head.i < token.i:
                    return _closed(draft[:start])
        return None

    def move_opening(self, draft: Draft) -> Draft | None:
        """With its opening phrase at the end."""
        comma = next((i for i, piece in enumerate(draft[:14]) if piece.text == ","), None)
        if comma is None or comma < 1 or draft[0].token is None:
            return None
        token = draft[0].token
        head = token.head if token.dep_ == "mark" else token
        if head.dep_ not in ("prep", "advcl") or "," in [p.text for p in draft[comma + 1 :]]:
            return None
        after, end = comma + 1, _end(draft)
        if (
            after >= end - 2
            or draft[after].token is None
            or draft[after].token.pos_ not in ("NOUN", "PROPN", "DET", "PRON")
        ):
            return None
        opening = _lower_first(draft[:comma])
        body = [*_raise_first(draft[after:end])]
        body[-1] = replace(body[-1], space=True)
        return _closed([*body, *opening])

    def synonym(self, draft: Draft) -> Draft | None:
        """With another word for one of its words."""
        return self._swap_word(draft, self.lexicon.same, wrong=False, kinds=("NOUN", "VERB", "ADJ", "ADV"))

    def number_form(self, draft: Draft) -> Draft | None:
        """With a number written in the other way."""
        for at, piece in enumerate(draft):
            low = piece.text.lower()
            if piece.token is None or at == 0:
                continue
            if piece.token.dep_ == "nummod" and low in NUMBER_WORDS:
                return (*draft[:at], replace(piece, text=str(NUMBER_WORDS.index(low))), *draft[at + 1 :])
            if piece.token.dep_ == "nummod" and piece.text.isdecimal() and int(piece.text) < 13 and piece.space:
                return (*draft[:at], replace(piece, text=NUMBER_WORDS[int(piece.text)]), *draft[at + 1 :])
            if piece.text == "%" and at and draft[at - 1].text[-1:].isdecimal():
                before = replace(draft[at - 1], space=True)
                return (*draft[: at - 1], before, replace(piece, text="percent"), *draft[at + 1 :])
            if re.fullmatch(r"\d{1,3}(,\d{3})+", piece.text):
                return (*draft[:at], replace(piece, text=piece.text.replace(",", "")), *draft[at + 1 :])
        return None

    def report(self, draft: Draft) -> Draft | None:
        """Reported as somebody reading it would."""
        if draft[0].token is None or draft[0].text in ('"', "“") or self.chance.random() > REPORTED_SHARE:
            return None
        return (Piece(self.chance.choice(_REPORTED).rstrip(), True), *_lower_first(draft))

    def apposition(self, draft: Draft) -> Draft | None:
        """Of "X, the head of Y, did Z": that X is the head of Y."""
        for piece in draft:
            token = piece.token
            if token is None or token.dep_ != "appos" or token.head.dep_ not in ("nsubj", "pobj", "dobj"):
                continue
            head = [t for t in token.head.subtree if t.i < token.left_edge.i and t.text != ","]
            inside = list(token.subtree)
            if not head or len(head) > 8 or not 2 <= len(inside) <= 14 or not token.head.ent_type_ or token.ent_type_:
                continue
            if inside[0].pos_ != "DET":
                continue
            past = any(t.tag_ == "VBD" for t in token.doc)
            verb = Piece("was" if past and self.chance.random() < 0.5 else "is", True)
            left = [Piece(t.text, bool(t.whitespace_), t) for t in head]
            left[-1] = replace(left[-1], space=True)
            return _closed([*left, verb, *(Piece(t.text, bool(t.whitespace_), t) for t in inside)])
        return None

    def conjunct(self, draft: Draft) -> Draft | None:
        """One half of "X did A and B"."""
        for at, piece in enumerate(draft):
            token = piece.token
            if token is None or token.dep_ != "conj" or token.head.dep_ != "ROOT" or token.pos_ not in ("VERB", "AUX"):
                continue
            inside = {t.i for t in token.subtree}
            start = next((i for i, p in enumerate(draft) if p.token is not None and p.token.i in inside), at)
            own_subject = any(child.dep_ in ("nsubj", "nsubjpass") for child in token.children)
            if start < 4 or _end(draft) - start < 3:
                continue
            cut = start
            while cut and draft[cut - 1].text.lower() in ("and", ","):
                cut -= 1
            if cut == start or draft[start - 1].text.lower() != "and":
                continue
            if own_subject:
                return _raise_first(draft[start:]) if self.chance.random() < 0.5 else _closed(draft[:cut])
            if self.chance.random() < 0.5:
                return _closed(draft[:cut])
            subject = [c for c in token.head.children if c.dep_ in ("nsubj", "nsubjpass")]
            if len(subject) != 1 or {t.lower_ for t in token.doc} & _CONDITION:
                continue
            words = [Piece(t.text, bool(t.whitespace_), t) for t in subject[0].subtree]
            words[-1] = replace(words[-1], space=True)
            helper = [c for c in token.head.children if c.dep_ in ("aux", "auxpass")]
            if helper and token.tag_ in ("VBN", "VBG", "VB"):
                words.extend(Piece(t.text, True, t) for t in helper)
            return _raise_first(tuple(_closed([*words, *draft[start : _end(draft)]])))
        return None

    def passive(self, draft: Draft) -> Draft | None:
        """In the passive voice."""
        found = self._clause(draft)
        if found is None:
            return None
        subject, verb, thing, rest = found
        participle = self.lexicon.forms.inflect(verb.lemma_.lower(), "VBN")
        if participle is None or verb.tag_ != "VBD" or thing[0].pos_ == "PRON" or subject[-1].pos_ == "PRON":
            return None
        many = any(t.tag_ in ("NNS", "NNPS") and t.dep_ == "dobj" for t in thing)
        parts = [*self._words(thing), Piece("were" if many else "was", True), Piece(participle, True, verb)]
        parts += [Piece("by", True), *_lower_first(tuple(self._words(subject))), *self._words(rest)]
        return _closed(_raise_first(tuple(parts)))

    # ------------------------------------------------------------------ edits that change the meaning

    def swap_roles(self, draft: Draft) -> Draft | None:
        """Who did what to whom, the other way round."""
        found = self._clause(draft)
        if found is None:
            return None
        subject, verb, thing, rest = found
        if subject[-1].pos_ == "PRON" or thing[0].pos_ == "PRON" or self._alike(subject, thing):
            return None
        parts = [*self._words(thing, wrong=True), Piece(verb.text, True, verb)]
        parts += [*_lower_first(tuple(self._words(subject, wrong=True))), *self._words(rest)]
        return _closed(_raise_first(tuple(parts)))

    def swap_names(self, draft: Draft) -> Draft | None:
        """Two names of one kind in each other's place."""
        spans = self._entities(draft)
        pairs = [(a, b) for i, a in enumerate(spans) for b in spans[i + 1 :] if a[2] == b[2] and a[2] != "CARDINAL"]
        pairs = [(a, b) for a, b in pairs if self._text(draft, a) != self._text(draft, b)]
        pairs = [
            (a, b) for a, b in pairs if not all(p.text.lower() in ("and", "or", ",", "the") for p in draft[a[1] : b[0]])
        ]
        if not pairs:
            return None
        (low, lowend, _), (high, highend, _) = self.chance.choice(pairs)
        first = self._marked(draft[high:highend], draft[lowend - 1].space)
        second = self._marked(draft[low:lowend], draft[highend - 1].space)
        return (*draft[:low], *first, *draft[lowend:high], *second, *draft[highend:])

    def other_name(self, draft: Draft) -> Draft | None:
        """Another name of the same kind, from near by if there is one."""
        spans = [
            s
            for s in self._entities(draft)
            if s[2] in ("PERSON", "ORG", "GPE", "NORP", "LOC", "FAC", "WORK_OF_ART", "EVENT", "PRODUCT")
        ]
        if not spans:
            return None
        low, high, kind = self.chance.choice(spans)
        own = self._text(draft, (low, high, kind)).lower()
        near = [name for name in self.near.get(kind, ()) if name.lower() not in own and own not in name.lower()]
        pool = near if near and self.chance.random() < 0.7 else self.names.get(kind, ())
        pool = [name for name in pool if not set(name.lower().split()) & set(own.split())]
        if not pool:
            return None
        name = Piece(self.chance.choice(list(pool)), draft[high - 1].space, None, True)
        return (*draft[:low], name, *draft[high:])

    def number(self, draft: Draft) -> Draft | None:
        """Another number, year or percentage."""
        choices = [i for i, p in enumerate(draft) if p.token is not None and self._other_number(p.text) is not None]
        if not choices:
            return None
        at = self.chance.choice(choices)
        return (*draft[:at], replace(draft[at], text=self._other_number(draft[at].text), wrong=True), *draft[at + 1 :])

    def _other_number(self, text: str) -> str | None:
        low, chance = text.lower(), self.chance
        if low in NUMBER_WORDS[2:]:
            return chance.choice([word for word in NUMBER_WORDS[2:] if word != low])
        if low in ("second", "third", "fourth", "fifth"):
            return chance.choice([word for word in ("second", "third", "fourth", "fifth") if word != low])
        if re.fullmatch(r"(1[5-9]|20)\d\d", text):
            return str(int(text) + chance.choice([-20, -10, -3, -2, -1, 1, 2, 3, 10]))
        if re.fullmatch(r"\d+", text) and len(text) < 9:
            value = int(text)
            choices = {
                value + 1,
                value + chance.randint(2, 9),
                max(0, value - chance.randint(1, 5)),
                value * 2,
                value * 10,
            }
            if len(text) > 1:
                choices.add(int(text[::-1]))
            return str(chance.choice(sorted(choices - {value})))
        if re.fullmatch(r"\d{1,3}(,\d{3})+", text):
            value = int(text.replace(",", ""))
            return f"{int(value * chance.choice([0.5, 0.9, 1.1, 1.5, 2, 10])) + 1:,}"
        if re.fullmatch(r"\d+\.\d+", text):
            places = len(text.split(".")[1])
            return f"{float(text) * chance.choice([0.5, 0.8, 1.3, 2, 10]) + 10**-places:.{places}f}"
        return None

    def date(self, draft: Draft) -> Draft | None:
        """Another month or day of the week."""
        for names in (MONTHS, WEEKDAYS):
            for at, piece in enumerate(draft):
                if piece.text in names and (piece.text not in ("May", "March") or at):
                    other = self.chance.choice([name for name in names if name != piece.text])
                    return (*draft[:at], replace(piece, text=other, wrong=True), *draft[at + 1 :])
        return None

    def unit(self, draft: Draft) -> Draft | None:
        """Another unit after a number."""
        for at, piece in enumerate(draft[1:], 1):
            before = draft[at - 1].text.lower()
            if not (before[-1:].isdecimal() or before in NUMBER_WORDS):
                continue
            for family in UNITS:
                if piece.text.lower() in family:
                    other = self.chance.choice([unit for unit in family if unit != piece.text.lower()])
                    return (*draft[:at], replace(piece, text=other, wrong=True), *draft[at + 1 :])
        return None

    def negate(self, draft: Draft) -> Draft | None:
        """The opposite, by putting in or taking out a negation."""
        for at, piece in enumerate(draft):
            if piece.text.lower() in ("not", "n't") and piece.token is not None and at:
                if piece.text == "n't":
                    before = draft[at - 1]
                    whole = {"ca": "can", "wo": "will", "sha": "shall"}.get(before.text.lower(), before.text)
                    fixed = replace(before, text=whole, space=True, wrong=True)
                    return (*draft[: at - 1], fixed, *draft[at + 1 :])
                before = replace(draft[at - 1], wrong=True)
                return (*draft[: at - 1], before, *draft[at + 1 :])
        for at, piece in enumerate(draft):
            token = piece.token
            if token is None:
                continue
            if (
                token.tag_ == "MD"
                or (token.lemma_ == "be" and token.tag_ in ("VBZ", "VBP", "VBD"))
                or (token.lemma_ == "have" and token.dep_ == "aux" and token.tag_ in ("VBZ", "VBP", "VBD"))
            ):
                if token.head.dep_ in ("ROOT", "ccomp", "conj") or token.dep_ == "ROOT":
                    if piece.text[:1] == "'" or not piece.space:
                        return None
                    word = Piece(self.chance.choice(["not", "not", "not", "never"]), True, None, True)
                    return (*draft[: at + 1], word, *draft[at + 1 :])
            if token.dep_ == "ROOT" and token.tag_ in ("VBD", "VBZ", "VBP") and at:
                helper = {"VBD": "did", "VBZ": "does", "VBP": "do"}[token.tag_]
                added = Piece(f"{helper} not", True, None, True)
                plain = replace(piece, text=token.lemma_.lower(), wrong=True)
                return (*draft[:at], added, plain, *draft[at + 1 :])
        return None

    def antonym(self, draft: Draft) -> Draft | None:
        """The opposite of one of its words."""
        return self._swap_word(
            draft, self.lexicon.opposite, wrong=True, kinds=("NOUN", "VERB", "ADJ", "ADV", "ADP", "SCONJ")
        )

    def sibling(self, draft: Draft) -> Draft | None:
        """Another thing of the same kind."""
        return self._swap_word(draft, self.lexicon.sibling, wrong=True, kinds=("NOUN", "VERB"))

    def quantifier(self, draft: Draft) -> Draft | None:
        """Another quantity in words, a hedge made certain, or a link of another kind."""
        text = " ".join(piece.text for piece in draft).lower()
        links = [(old, new) for old, new in LINKS if f" {old} " in f" {text} "]
        if links:
            old, new = self.chance.choice(links)
            size = len(old.split())
            for at in range(1, len(draft) - size):
                if " ".join(piece.text.lower() for piece in draft[at : at + size]) == old:
                    return (*draft[:at], Piece(new, draft[at + size - 1].space, None, True), *draft[at + size :])
        choices = [i for i, p in enumerate(draft) if p.token is not None and p.text.lower() in QUANTIFIERS]
        if choices:
            at = self.chance.choice(choices)
            new = self.chance.choice(QUANTIFIERS[draft[at].text.lower()])
            new = new.capitalize() if draft[at].text[:1].isupper() else new
            return (*draft[:at], replace(draft[at], text=new, wrong=True), *draft[at + 1 :])
        return None

    def certain(self, draft: Draft) -> Draft | None:
        """What may be, as what is."""
        for at, piece in enumerate(draft[:-1]):
            token = piece.token
            if token is None or token.tag_ != "MD" or piece.text.lower() not in ("may", "might", "could"):
                continue
            after = draft[at + 1]
            if after.token is None or after.token.tag_ != "VB" or after.token.i != token.i + 1:
                continue
            form = "is" if after.text == "be" else self.lexicon.forms.inflect(after.token.lemma_.lower(), "VBZ")
            subjects = [c for c in after.token.children if c.dep_ in ("nsubj", "nsubjpass")]
            if form and subjects and subjects[0].tag_ in ("NN", "NNP"):
                return (*draft[:at], replace(after, text=form, wrong=True), *draft[at + 2 :])
        return None

    def add(self, draft: Draft, other: Draft) -> Draft | None:
        """With a phrase of another sentence, which this one's source does not say."""
        tails = []
        for at in range(3, _end(other) - 1):
            token = other[at].token
            if token is not None and token.dep_ in ("prep", "advcl", "relcl", "acl"):
                inside = {t.i for t in token.subtree}
                rest = [piece for piece in other[at : _end(other)] if piece.token is not None]
                if 3 <= len(rest) <= 12 and all(piece.token.i in inside for piece in rest):
                    tails.append(rest)
        if not tails:
            return None
        tail = [replace(piece, wrong=True) for piece in self.chance.choice(tails)]
        body = [*draft[: _end(draft)]]
        body[-1] = replace(body[-1], space=tail[0].text != ",")
        return _closed([*body, *tail])

    def graft(self, draft: Draft, other: Draft) -> Draft | None:
        """The subject of this sentence with what another says of its own."""
        mine, theirs = self._subject(draft), self._subject(other)
        if mine is None or theirs is None:
            return None
        own = " ".join(piece.text for piece in draft[:mine])
        if own.lower() == " ".join(piece.text for piece in other[:theirs]).lower():
            return None
        if draft[0].token is None or draft[0].token.pos_ == "PRON" or other[0].token.pos_ == "PRON":
            return None
        rest = [
            replace(piece, wrong=piece.token is not None and piece.token.pos_ not in ("DET", "ADP", "PUNCT", "AUX"))
            for piece in other[theirs:]
        ]
        return (*draft[: mine - 1], replace(draft[mine - 1], space=True), *rest)

    # ------------------------------------------------------------------ parts

    def _subject(self, draft: Draft) -> int | None:
        """Where the subject ends, when the sentence begins with it."""
        for piece in draft:
            token = piece.token
            if token is not None and token.dep_ in ("nsubj", "nsubjpass") and token.head.dep_ == "ROOT":
                inside = [t.i for t in token.subtree]
                rows = [i for i, p in enumerate(draft) if p.token is not None and p.token.i in inside]
                if rows and rows[0] == 0 and rows[-1] - rows[0] + 1 == len(rows) and len(rows) <= 8:
                    return rows[-1] + 1
        return None

    def _clause(self, draft: Draft) -> tuple[list[Any], Any, list[Any], list[Any]] | None:
        """Subject, verb, object and the rest of a simple active sentence that is nothing else."""
        if any(piece.token is None for piece in draft[:-1]):
            return None
        tokens = [piece.token for piece in draft if piece.token is not None]
        root = next((t for t in tokens if t.dep_ == "ROOT"), None)
        if root is None or root.tag_ not in ("VBD", "VBZ", "VBP"):
            return None
        kinds = {child.dep_: child for child in root.children}
        if (
            "nsubj" not in kinds
            or "dobj" not in kinds
            or set(kinds) & {"aux", "neg", "conj", "cc", "mark", "prt", "dative"}
        ):
            return None
        subject, thing = list(kinds["nsubj"].subtree), list(kinds["dobj"].subtree)
        if subject[0].i != tokens[0].i or subject[-1].i + 1 != root.i or thing[0].i != root.i + 1:
            return None
        if len(subject) > 10 or len(thing) > 12:
            return None
        rest = [t for t in tokens if t.i > thing[-1].i and t.text not in (".", "!")]
        return subject, root, thing, rest

    def _words(self, tokens: Sequence[Any], *, wrong: bool = False) -> list[Piece]:
        found = [Piece(t.text, bool(t.whitespace_), t, wrong) for t in tokens]
        if found:
            found[-1] = replace(found[-1], space=True)
        return found

    @staticmethod
    def _alike(left: Sequence[Any], right: Sequence[Any]) -> bool:
        return bool(
            {t.lemma_.lower() for t in left if t.is_alpha and not t.is_stop} & {t.lemma_.lower() for t in right}
        )

    @staticmethod
    def _entities(draft: Draft) -> list[tuple[int, int, str]]:
        found: list[tuple[int, int, str]] = []
        for at, piece in enumerate(draft):
            token = piece.token
            if token is None or not token.ent_type_ or token.text in ("the", "The", "'s"):
                continue
            same = found and found[-1][1] == at and found[-1][2] == token.ent_type_ and token.ent_iob_ == "I"
            if same:
                found[-1] = (found[-1][0], at + 1, token.ent_type_)
            else:
                found.append((at, at + 1, token.ent_type_))
        return found

    @staticmethod
    def _text(draft: Draft, span: tuple[int, int, str]) -> str:
        return " ".join(piece.text for piece in draft[span[0] : span[1]])

    @staticmethod
    def _marked(pieces: Draft, space: bool) -> Draft:
        marked = [replace(piece, wrong=True) for piece in pieces]
        marked[-1] = replace(marked[-1], space=space)
        return tuple(marked)

    def _swap_word(
        self, draft: Draft, find: Callable[..., str | None], *, wrong: bool, kinds: tuple[str, ...]
    ) -> Draft | None:
        order = [
            i for i, p in enumerate(draft) if p.token is not None and p.token.pos_ in kinds and not p.token.ent_type_
        ]
        self.chance.shuffle(order)
        for at in order[:8]:
            piece = draft[at]
            new = find(piece.token.lemma_.lower(), piece.token.pos_, piece.token.tag_, self.chance)
            if new and new.lower() != piece.text.lower():
                new = new.capitalize() if piece.text[:1].isupper() else new
                return (*draft[:at], replace(piece, text=new, wrong=wrong), *draft[at + 1 :])
        return None


KEEPING: tuple[Edit, ...] = (
    Editor.drop_opening,
    Editor.drop_aside,
    Editor.drop_modifier,
    Editor.drop_tail,
    Editor.move_opening,
    Editor.synonym,
    Editor.number_form,
    Editor.report,
    Editor.apposition,
    Editor.conjunct,
    Editor.passive,
)
OPPOSING: dict[str, Edit] = {
    "roles": Editor.swap_roles,
    "names": Editor.swap_names,
    "name": Editor.other_name,
    "number": Editor.number,
    "date": Editor.date,
    "unit": Editor.unit,
    "negation": Editor.negate,
    "antonym": Editor.antonym,
    "quantifier": Editor.quantifier,
}
"""Edits after which the source speaks against the claim."""
WEAKENING: dict[str, Edit] = {"sibling": Editor.sibling, "certain": Editor.certain}
"""Edits after which the source no longer says it."""
