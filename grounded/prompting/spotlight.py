"""Shows untrusted text to a model as data: what imitates structure or hides from people is made visible.

Every replacement is one code point for one, so a span of the shown text is the same span of the original:
``<|im_start|>`` becomes ``‹¦im_start¦›``, ``### System:`` becomes ``＃＃＃ System：``, a hidden character becomes
``�``. The boundary around the sources is delimiting as in Hines et al. 2024 (arXiv 2403.14720), with a code no
document can know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from grounded.prompting.tracing import RUN, decoded
from grounded.records import Span
from grounded.text.shortening import shortened

FINDINGS_PER_TEXT = 20
"""Most findings reported for one text; the rest is only counted."""

SHORTEST_ENCODED = 24
"""Characters of the shortest word that is looked at for base64: three words of five letters."""

FEWEST_WORDS = 3
"""Words of at least two letters from which on what base64 holds is called prose."""

_REPLACEMENT = "\ufffd"
_LOOKALIKES = str.maketrans({
    "<": "‹", ">": "›", "＜": "‹", "＞": "›", "|": "¦", "｜": "¦", "[": "⟦", "]": "⟧", "#": "＃", ":": "：", "!": "！",
})  # fmt: skip

# Names of elements by which prompts, chat templates and tool protocols mark structure.
_ELEMENTS = (
    r"sources?[\w-]*|documents?|system|user|assistant|human|developer|instructions?|tool[_-][\w-]+|function[_-]\w+"
    r"|invoke|think(?:ing)?|reasoning|s|bos|eos|pad|unk|sys|inst|start_of_turn|end_of_turn|unused\d+|extra_id_\d+"
    r"|antml[\w:-]*"
)
_ROLES = r"system|assistant|human|user|developer"
_BRACKETED = r"INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS?|TOOL_RESULTS|PREFIX|SUFFIX|MIDDLE"
# Each pattern begins with a set of characters or a literal, by which the engine skips ahead: four times faster.
_STRUCTURE = re.compile(
    rf"""
    [<＜!\[-](?:
    (?P<comment>(?<=<)!--)
    |(?P<close>(?<=-)->)
    |(?P<image>(?<=!)\[[^\]\n]{{0,300}}\]\(\s{{0,8}}<?(?:https?:|ftp:|data:|//)[^)\s]{{0,2000}}
        |(?<=!)\[[^\]\n]{{0,300}}\](?=\[[^\]\n]{{0,100}}\])
        |(?<=<)img\b[^<>]{{0,2000}}>?)
    |(?P<token>(?<=[<＜])[|｜](?=[ \t]{{0,4}}[\w/▁])[^<>＜＞\n]{{0,80}}[>＞]?
        |(?<=[<＜])[ \t]{{0,4}}/?[ \t]{{0,4}}(?:{_ELEMENTS})(?![\w.@])[^<>＜＞\n]{{0,300}}[>＞]?
        |(?<=<)<[ \t]{{0,4}}/?SYS[ \t]{{0,4}}>>
        |(?<=\[)[ \t]{{0,4}}/?(?:{_BRACKETED})[ \t]{{0,4}}\])
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_TURN = re.compile(
    rf"""
    [\n\r][ \t]{{0,8}}(?:
    (?P<role>\#{{1,6}}[ \t]{{0,4}}(?:{_ROLES}|instructions?|response|tool)(?:[ \t]+\w{{1,20}})?[ \t]{{0,4}}:)
    |(?P<label>(?:{_ROLES})(?:[ \t]+(?:message|prompt|instructions?))?[ \t]{{0,4}}:)
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
# Everyday text in other surroundings (HTML, logs, rows): neutralised without a warning.
_EVERYDAY = re.compile(r"[<＜]\s*/?\s*(?:s|user|documents?|pad|unk|invoke)\b|\s*(?:[Uu]ser|[a-z]+)\s*:")
_HIDDEN = re.compile(
    "(?P<tags>[\U000e0000-\U000e007f]+)"
    "|(?P<bidi>[\u202a-\u202e\u2066-\u2069]+)"
    # One joiner or break between letters of scripts that need them, or inside an emoji, is proper text.
    "|(?P<invisible>[\u180e\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb]+"
    "|(?<=[ -~])[\u200b-\u200d]+|[\u200b-\u200d]{2,}|[\u200b-\u200d](?=[ -~])"
    # One variation selector belongs to the character before it; several, and fillers in a row, can only carry data.
    "|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}|[\u115f\u1160\u2800\u3164\uffa0]{2,}|\u034f+)"
    "|(?P<control>[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]+)"
)
_MAY_HIDE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f\u034f\u115f\u1160\u180e\u200b-\u200d\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f")
# Letters that look like Latin ones; a word that mixes them with Latin letters, and with no other, is a disguise.
_LOOKALIKE_LETTERS = "аеорсухіјѕԁһԛԝАВЕЅЗІЈКМНОРСТХУѴοΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"
_DISGUISES = re.compile(
    rf"(?<![^\W_])(?=[0-9{_LOOKALIKE_LETTERS}]*[A-Za-z])(?=[A-Za-z0-9]*[{_LOOKALIKE_LETTERS}])"
    rf"[A-Za-z0-9{_LOOKALIKE_LETTERS}]{{3,}}(?![^\W_])"
    "|[\U0001d400-\U0001d7ff]{3,}"
)
_MAY_DISGUISE = re.compile(f"[{_LOOKALIKE_LETTERS}\U0001d400-\U0001d7ff]")
_MESSAGES = {
    "homoglyph": "Letters that look like others, so that people and filters read another word: {detail}.",
    "tags": "Unicode tag characters that people cannot see; they spell {detail}.",
    "bidi": "Characters that change the direction of writing, so that people read another order.",
    "invisible": "Characters of no width that people cannot see.",
    "control": "Control characters.",
    "comment": "An HTML comment, which people do not see where the page is shown.",
    "encoded": "Text in base64, which people do not read and a model may: {detail}.",
    "image": "An image that a viewer would fetch from elsewhere: {detail}.",
    "token": "Text that imitates the structure of a prompt: {detail}.",
    "role": "Text that imitates a turn of a conversation: {detail}.",
    "label": "Text that imitates a turn of a conversation: {detail}.",
    "nonce": "The boundary code of this request.",
}
_KINDS = {
    "homoglyph": "homoglyph",
    "tags": "hidden_text",
    "bidi": "hidden_text",
    "invisible": "hidden_text",
    "control": "control_characters",
    "comment": "html_comment",
    "encoded": "encoded_text",
    "image": "remote_image",
    "token": "special_token",
    "role": "role_marker",
    "label": "role_marker",
    "nonce": "boundary_code",
}
_DETAIL_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a text that was made visible; ``span`` lies in the original text."""

    kind: str
    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Shown:
    """A text as a model may see it.

    Attributes:
        text: As long as the original, place for place.
        findings: In order of place, at most ``FINDINGS_PER_TEXT``.
        more: How many findings were left out.
    """

    text: str
    findings: tuple[Finding, ...]
    more: int = 0


def neutralise(text: str, nonce: str = "") -> Shown:
    """Make structure and hidden characters in an untrusted text harmless and visible.

    Args:
        text: Any text.
        nonce: The boundary code; should a document contain it, it is blotted out.

    Returns:
        A text of the same length, and what was found.
    """
    visible, hidden = _show_hidden(text)
    shown, found = _show_structure(visible)
    shown, turns = _show_turns(shown)
    found += turns
    found += hidden
    if not text.isascii() and _MAY_DISGUISE.search(text):
        found += [(*match.span(), "homoglyph") for match in _DISGUISES.finditer(text)]
    if max(map(len, text.split()), default=0) >= SHORTEST_ENCODED:
        found += [(*run.span(), "encoded") for run in RUN.finditer(text) if _is_prose(run[0])]
    if nonce and nonce in shown:
        found += [(*match.span(), "nonce") for match in re.finditer(re.escape(nonce), shown)]
        shown = shown.replace(nonce, _REPLACEMENT * len(nonce))
    found.sort()
    kept = tuple(_finding(text, *each) for each in found[:FINDINGS_PER_TEXT])
    return Shown(shown, kept, len(found) - len(kept))


def neutralise_label(text: str, nonce: str = "", *, limit: int = 200) -> str:
    """A title, place or address for one line of the evidence: no quotes or angle brackets, cut at ``limit``."""
    line = " ".join(text[: limit * 4].split())
    shown = neutralise(line, nonce).text.translate(_IN_LABELS)
    return shortened(shown, limit)


_IN_LABELS = str.maketrans({"<": "‹", ">": "›", '"': "”"})
_Found = tuple[int, int, str]


def _show_hidden(text: str) -> tuple[str, list[_Found]]:
    if not _MAY_HIDE.search(text):
        return text, []
    found: list[_Found] = []
    flags = {match.start() + 1 for match in _FLAG.finditer(text)}

    def show(match: re.Match[str]) -> str:
        if match.start() in flags:
            return match[0]
        found.append((*match.span(), match.lastgroup or "invisible"))
        return _REPLACEMENT * len(match[0])

    return _HIDDEN.sub(show, text), found


def _show_structure(text: str) -> tuple[str, list[_Found]]:
    found: list[_Found] = []
    closing = 0  # where the comment that was looked at last ends; searched once per stretch of text

    def show(match: re.Match[str]) -> str:
        nonlocal closing
        kind = match.lastgroup or ""
        start, end = match.span()
        if kind == "comment":
            if closing <= start:
                closing = text.find("-->", end) + 3
                closing = len(text) if closing < end else closing
            found.append((start, closing, kind))
        elif kind == "image" or (kind == "token" and not _EVERYDAY.match(match[0])):
            found.append((start, end, kind))
        if kind == "image":
            return match[0][0].translate(_LOOKALIKES) + match[0][1:]
        return match[0].translate(_LOOKALIKES)

    return _STRUCTURE.sub(show, text), found


def _show_turns(text: str) -> tuple[str, list[_Found]]:
    found: list[_Found] = []

    def show(match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        if kind == "role" or not _EVERYDAY.match(match[0]):
            # The line feed put before the text makes up for the one the match begins with.
            found.append((match.start(), match.end() - 1, kind))
        return match[0].translate(_LOOKALIKES)

    return _TURN.sub(show, "\n" + text)[1:], found


def _is_prose(run: str) -> bool:
    """Whether base64 holds words; images, hashes and keys do not."""
    found = decoded(run)
    words = found.text.split() if found else ()
    return sum(word[:2].isalpha() and len(word) > 1 for word in words) >= FEWEST_WORDS


def _finding(text: str, start: int, end: int, kind: str) -> Finding:
    excerpt = text[start : min(end, start + 4 * _DETAIL_CHARACTERS)]
    if kind == "encoded" and (found := decoded(text[start:end])):
        excerpt = found.text
    if kind == "tags":
        excerpt = "".join(chr(ord(character) - 0xE0000) for character in excerpt)
    printable = "".join(character if character.isprintable() else _REPLACEMENT for character in excerpt.strip())
    message = _MESSAGES[kind].format(detail=repr(printable[:_DETAIL_CHARACTERS]))
    return Finding(_KINDS[kind], message, Span(start=start, end=end))
