"""Citation markers: found with their place, taken out for scoring, written back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from grounded.records import Span
from grounded.text.regions import code_spans, inside, thought_spans
from grounded.verification.naming import NAME, NO_NAMES, YEAR, SourceNames

MAX_RANGE = 50
"""``[1-3]`` is a range; one that names more passages than this is something else."""

Style = Literal["[n]", "[^n]", "【n】", "ⁿ", "[title]", "[title](uri)", "(author year)"]
"""How a marker is written."""
STYLES: tuple[Style, ...] = get_args(Style)

_NUMBER = r"\d{1,7}"
_LIST = rf"{_NUMBER}(?:\s*[-‐-–]\s*{_NUMBER})?(?:\s*[,;]\s*{_NUMBER}(?:\s*[-‐-–]\s*{_NUMBER})?)*"
_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_RAISED = rf"[{_DIGITS}]+(?:(?:,\s?|[⁻–-])[{_DIGITS}]+)*"
_LABEL = r"(?:sources?|passages?|documents?|docs?|refs?|references?)\s*[:#.]?\s*"
_URL = r"[^\s()<>]{1,500}"
_MARKER = re.compile(
    rf"\[(?P<plain>\s*{_LIST}\s*)\](?:\((?:https?://|#){_URL}\))?"
    rf"|\[\[(?P<nested>{_LIST})\]\](?:\({_URL}\))?"
    rf"|\[{_LABEL}(?P<labelled>{_LIST})\]|\((?:sources?|passages?)\s*:?\s*(?P<counted>{_LIST})\)"
    r"|\[\^(?P<note>[^\s\[\]^]{1,30})\^?\]"
    r"|【(?P<wide>[^【】\n]{1,60})】"
    rf"|<sup>\s*\[?(?P<sup>{_LIST})\]?\s*</sup>|(?P<raised>{_RAISED})"
    rf"|\[(?P<words>[^\[\]\n]{{1,300}})\](?:\((?P<url>{_URL})(?:\s+\"[^\"\n]{{0,200}}\")?\))?"
    r"|\((?P<round>[^()\[\]\n]{3,300})\)"
    rf"|<(?P<angle>https?://{_URL})>",
    re.IGNORECASE,
)
_STYLE: dict[str, Style] = {
    "note": "[^n]",
    "wide": "【n】",
    "sup": "ⁿ",
    "raised": "ⁿ",
    "words": "[title]",
    "url": "[title](uri)",
    "round": "(author year)",
    "angle": "[title](uri)",
}
_SENTENCE = re.compile(r"(?:[^\W\d_]{3,}|[\]】])[ \u00a0]\Z")
"""What raised digits cite a source behind: a long word, or another marker."""
_STOP = re.compile(r"[.,;:!?)\]\"”]|\s*(?:\n|\Z)")
_OPENERS = tuple(f"[【<(^{_DIGITS}")
_PAIR = re.compile(rf"({_NUMBER})(?:\s*[-‐-–]\s*({_NUMBER}))?")
_WIDE = re.compile(rf"\s*({_LIST})\s*(?:†[^【】]*)?")
_AFTER_INDEX = re.compile(r"\s*(?:=[^=>]|\.[a-z_]|\(|\[[a-z_\"'])")
_DEFINITION = re.compile(r"(?m)^[ \t>]*(\[\^([^\s\[\]^]{1,30})\]:[ \t]*)(.*)$")
_FILE = re.compile(r"[\w .()/\\-]{1,120}\.(?:pdf|docx?|html?|md|txt|csv|xlsx?|pptx?|json|eml)(?=$|[\s,#:])", re.I)
_POINTING = re.compile(r"(?:sources?|see(?: also)?|refs?|references?|according to|cf\.|from)\s*:?\s+", re.IGNORECASE)
_GENERIC = re.compile(r"(?:the )?(?:sources?|links?|here|refs?|references?|\d{1,3}|read more|more|↗|🔗)", re.IGNORECASE)
_AUTHORS = rf"(?P<name>{NAME})(?P<more>,?\s+et al\.?|(?:\s+(?:and|&)|,(?:\s+&)?)\s+{NAME}){{0,3}}"
_DATED = re.compile(
    rf"(?:(?:see(?: also)?|cf\.|e\.g\.,?)\s+)?{_AUTHORS},?\s+(?P<year>{YEAR})(?:[,:]\s*(?:pp?\.\s*)?[\d–-]{{1,12}})?"
)
_TOLD = re.compile(rf"(?:^|[^\w]){_AUTHORS}\s+$")
_NAMES_REACH = 80
_UNIT_TEXT = """
    m km cm mm dm nm µm μm ft in yd mi sq ha s kg h g l a b c d e f i n p r t v x y z co no so chi eta log sin cos tan
    metre metres meter meters kilometre kilometres kilometer kilometers centimetre centimetres centimeter centimeters
    inch inches feet foot mile miles yard yards pi sigma squared
"""
_UNITS = frozenset(_UNIT_TEXT.split())


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker as written.

    Attributes:
        start: First code point in the text.
        end: One past the last.
        text: ``text[start:end]``.
        targets: What it cites, in order: for each thing cited the numbers of the passages it may mean (one for a
            number, several for a title that passages share, none when it points nowhere).
        style: How it is written; None for the label that opens a footnote's definition, which cites nothing.
        label: Place in the text of a link's words when they are part of the sentence; they are scored.
    """

    start: int
    end: int
    text: str
    targets: tuple[tuple[int, ...], ...]
    style: Style | None = "[n]"
    label: tuple[int, int] | None = None

    @property
    def span(self) -> Span:
        """The marker's place."""
        return Span(start=self.start, end=self.end)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The passages it cites or may mean, in order, without repetition; empty when it points nowhere."""
        return tuple(dict.fromkeys(number for target in self.targets for number in target))

    def shifted(self, by: int) -> Marker:
        """The same marker in a text that starts ``by`` earlier."""
        label = None if self.label is None else (self.label[0] + by, self.label[1] + by)
        return Marker(self.start + by, self.end + by, self.text, self.targets, self.style, label)


@dataclass(frozen=True, slots=True)
class Stripped:
    """Text without its markers, and the way back.

    Attributes:
        text: What is left.
        origins: For each character of ``text`` its position in the original; ascending.
    """

    text: str
    origins: tuple[int, ...]

    def origin(self, span: Span) -> Span:
        """The span of the original from the first to the last character of a span of ``text``."""
        if span.start >= span.end:
            at = self.origins[span.start] if span.start < len(self.origins) else 0
            return Span(start=at, end=at)
        return Span(start=self.origins[span.start], end=self.origins[span.end - 1] + 1)


def markers(text: str, names: SourceNames = NO_NAMES) -> list[Marker]:
    """The markers of an answer.

    ``[1]``, ``[1, 3]``, ``[1-3]``, ``[[1]](link)``, ``[Source 1]``, ``【1】``, ``【1†source】``, superscripts and
    footnotes ``[^1]`` with their definitions; and, where the sources are called so, ``[handbook.md]``,
    ``[Title, p. 3]``, links to their addresses, ``(source: Title)``, ``(Smith et al., 2020)`` and ``Smith (2020)``.

    Zero, numbers above 999 unless there are as many sources, descending ranges, exponents, anything inside code or
    reasoning, and an index such as ``rows[1] = 2`` or ``rows[1].name`` are not markers. Words that name no source
    are none either: they stay in the text and are checked.

    Args:
        text: The answer.
        names: What the sources are called; without them only numbers, footnotes and file names are seen.

    Returns:
        Markers by place, not overlapping.
    """
    if not any(opener in text for opener in _OPENERS):
        return []
    skipped = [*code_spans(text), *thought_spans(text)]
    defined, found, lines = _definitions(text, names, skipped)
    for match in _MARKER.finditer(text):
        if not inside(match.start(), skipped) and not inside(match.start(), lines):
            marker = _marker(text, match, names, defined)
            if marker is not None:
                found.append(_with_brackets(text, marker))
    return sorted(found, key=lambda marker: marker.start)


def strip_markers(text: str, found: Sequence[Marker] | None = None) -> Stripped:
    """Take markers out, with the blanks that set them off; the words of a link stay."""
    pieces: list[str] = []
    origins: list[int] = []
    position = 0

    def keep(low: int, high: int) -> None:
        pieces.append(text[low:high])
        origins.extend(range(low, high))

    for marker in markers(text) if found is None else found:
        start, end = marker.start, marker.end
        if marker.label is not None:
            keep(position, start)
            keep(*marker.label)
            position = end
            continue
        while start > position and text[start - 1] in " \t\u00a0\u202f":
            start -= 1
        if start == 0 or text[start - 1] == "\n":
            start = max(position, start)
            while end < len(text) and text[end] in " \t":
                end += 1
        keep(position, start)
        position = end
    keep(position, len(text))
    return Stripped("".join(pieces), tuple(origins))


def render_marker(numbers: Sequence[int], style: Style = "[n]", names: SourceNames = NO_NAMES) -> str:
    """The marker, or the row of markers, that cites these passages; what ``markers`` reads back.

    A source whose title, address or author leads to no single passage is cited as ``[n]`` in the styles that name
    sources.

    Raises:
        ValueError: The style is unknown, there is no number, or one is not in [1, 999] and not that of a source.
    """
    if style not in STYLES:
        raise ValueError(f"there is no style {style!r}; styles: {', '.join(STYLES)}")
    if not numbers or any(not 1 <= number <= names.largest for number in numbers):
        raise ValueError(f"a marker needs numbers from 1 to {names.largest}, got {list(numbers)}")
    once = list(dict.fromkeys(numbers))
    if style == "[n]":
        return f"[{', '.join(map(str, once))}]"
    if style == "[^n]":
        return "".join(f"[^{number}]" for number in once)
    if style == "【n】":
        return "".join(f"【{number}】" for number in once)
    if style == "ⁿ":
        return ",".join("".join(_DIGITS[int(digit)] for digit in str(number)) for number in once)
    return " ".join(_by_name(number, style, names) for number in once)


def _by_name(number: int, style: Style, names: SourceNames) -> str:
    titles, uri, author = names.shown[number - 1] if number <= names.count else ((), "", "")
    forms = {
        "[title]": [f"[{title}]" for title in titles],
        "[title](uri)": [f"[{title}]({uri})" for title in titles],
        "(author year)": [f"({author})"],
    }
    for form in forms[style]:
        if [(each.text, each.targets) for each in markers(f"It {form}", names)] == [(form, ((number,),))]:
            return form
    return f"[{number}]"


def _definitions(
    text: str, names: SourceNames, skipped: list[Span]
) -> tuple[dict[str, tuple[int, ...]], list[Marker], list[Span]]:
    """What footnotes are defined as, the labels of the definitions, and their lines."""
    defined: dict[str, tuple[int, ...]] = {}
    labels, lines = [], []
    for match in _DEFINITION.finditer(text) if "[^" in text else ():
        if not inside(match.start(1), skipped):
            defined.setdefault(match[2], _named_by(match[3], names))
            labels.append(Marker(match.start(1), match.end(1), match[1], (), None))
            lines.append(Span(start=match.start(1), end=match.end()))
    return defined, labels, lines


def _named_by(body: str, names: SourceNames) -> tuple[int, ...]:
    link = re.search(rf"\[(?P<words>[^\[\]\n]{{1,300}})\]\((?P<url>{_URL})\)|<?(?P<bare>https?://{_URL})>?", body)
    if link is not None:
        found = names.linked(link["url"] or link["bare"].rstrip(".,;")) or names.named(link["words"] or "")
        if found:
            return found
    plain = body.strip().strip("*_\"'“”")
    cuts = [plain, *(plain[: match.start()] for match in re.finditer(r"[,.:;(–—]|\s-\s", plain[:200]))]
    return next((found for found in (names.named(cut) for cut in cuts) if found), ())


def _marker(
    text: str, match: re.Match[str], names: SourceNames, defined: Mapping[str, tuple[int, ...]]
) -> Marker | None:
    kind = match.lastgroup or ""
    if match["words"] is not None:
        return _words(match, names)
    if kind == "round":
        targets = _round(text, match, names)
    elif kind == "angle":
        targets = _all_found([names.linked(match["angle"])])
    elif kind == "note":
        targets = _note(match["note"], names, defined)
    elif kind == "wide":
        inner = _WIDE.fullmatch(match["wide"])
        # "【4:0†handbook】" is a marker too; what stands after the dagger may name a source.
        named = (names.named(match["wide"].partition("†")[2]),) if "†" in match["wide"] else None
        targets = _expand(inner.group(1), names) if inner else named
    else:
        listing = match[kind].translate(_PLAIN) if kind == "raised" else match[kind]
        is_other = (kind == "plain" and _is_index(text, match)) or (kind == "raised" and _is_exponent(text, match))
        targets = None if is_other else _expand(listing, names)
    return None if targets is None else Marker(*match.span(), match.group(), targets, _STYLE.get(kind, "[n]"))


_PLAIN = str.maketrans(_DIGITS + "⁻", "0123456789-")


def _with_brackets(text: str, marker: Marker) -> Marker:
    """The marker with the round brackets that hold nothing else: ``([1])``."""
    start, end = marker.start - 1, marker.end + 1
    if marker.label is not None or text[max(start, 0) : marker.start] != "(" or text[marker.end : end] != ")":
        return marker
    return replace(marker, start=start, end=end, text=text[start:end])


def _words(match: re.Match[str], names: SourceNames) -> Marker | None:
    """``[Title]``, ``[Title; Other title]``, or a link to a source's address."""
    words, url = match["words"], match["url"]
    if url is not None:
        linked, named = names.linked(url), names.named(words)
        if not linked and not named:
            return None
        label = None if named or _GENERIC.fullmatch(words.strip()) else match.span("words")
        return Marker(*match.span(), match.group(), (linked or named,), "[title](uri)", label)
    named_all = [names.named(words)] if names.named(words) else [names.named(_bare(part)) for part in words.split(";")]
    if all(named_all):
        return Marker(*match.span(), match.group(), tuple(named_all), "[title]")
    # A file nobody gave is a citation that leads nowhere.
    return Marker(*match.span(), match.group(), ((),), "[title]") if names.links and _FILE.match(_bare(words)) else None


def _bare(text: str) -> str:
    return _POINTING.sub("", text.strip(), count=1)


def _round(text: str, match: re.Match[str], names: SourceNames) -> tuple[tuple[int, ...], ...] | None:
    """``(Smith 2020; Doe 2019)``, ``Smith (2020)``, ``(source: Title)``, ``(https://…)``."""
    body = match["round"].strip()
    if names.authors:
        if re.fullmatch(YEAR, body):
            told = _TOLD.search(text, max(0, match.start() - _NAMES_REACH), match.start())
            return _all_found([names.dated(told["name"], body)]) if told else None
        dated = [_DATED.fullmatch(part.strip()) for part in body.split(";")]
        found = [(names.dated(each["name"], each["year"]), each["more"] or "") for each in dated if each]
        # Only "et al." says beyond doubt that an unknown name is a citation and not a place or an event.
        if len(found) == len(dated) and all(numbers or "et al" in more for numbers, more in found):
            return tuple(numbers for numbers, _ in found)
    bare = _bare(body)
    parts = [names.linked(part.strip()) or names.named(part) for part in bare.split(";")]
    # A title alone in round brackets may be what the sentence says; an address or a file name is not.
    return _all_found(parts) if bare != body or re.match(r"https?://", bare) or _FILE.fullmatch(bare) else None


def _all_found(targets: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...] | None:
    return tuple(targets) if all(targets) else None


def _note(note: str, names: SourceNames, defined: Mapping[str, tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """A footnote means what its definition names; without one its number is that of the source."""
    own = _expand(note, names) if note.isdecimal() and len(note) <= len(str(names.largest)) else None
    meant = defined.get(note, ())
    if not meant or (own is not None and own[0][0] in meant):
        return own or ((),)
    return (meant,)


def _expand(listing: str, names: SourceNames) -> tuple[tuple[int, ...], ...] | None:
    numbers: list[int] = []
    for first, last in _PAIR.findall(listing):
        low, high = int(first), int(last or first)
        if not 1 <= low <= high <= names.largest or high - low >= MAX_RANGE:
            return None
        numbers.extend(range(low, high + 1))
    return tuple((number,) for number in dict.fromkeys(numbers))


def _is_index(text: str, match: re.Match[str]) -> bool:
    """Whether ``name[1]`` reads like code: it touches a name and goes on like an expression."""
    start = match.start()
    touches = start > 0 and (text[start - 1].isalnum() or text[start - 1] in "_)")
    return touches and (text[start - 1] == "_" or bool(_AFTER_INDEX.match(text, match.end())))


def _is_exponent(text: str, match: re.Match[str]) -> bool:
    """Whether raised digits belong to a number, a unit or a formula instead of a sentence."""
    start, end = match.span()
    if start == 0 or (end < len(text) and (text[end].isalnum() or text[end] in "⁻⁺")):
        return True
    before = text[max(0, start - 30) : start]
    if before[-1].isspace() and not (_SENTENCE.search(before) and _STOP.match(text, end)):
        return True  # "indeed ¹." cites a source, "x ² + 1" does not
    word = re.search(r"[\w)]*\s?\Z", before)
    last = word.group().rstrip() if word else ""
    return bool(last) and (last[-1].isdecimal() or last.casefold() in _UNITS or last.isupper())
