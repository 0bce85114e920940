"""What sort of answer a question asks for, and whether a text holds one."""

from __future__ import annotations

import re
from typing import Literal

AnswerKind = Literal["duration", "money", "number", "date", "person", "place"]

_NUMBER_WORDS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|"
    "ninety|hundred|thousand|million|billion|half|once|twice|dozen|none|both"
)
_UNIT_OF_TIME = r"(?:second|minute|hour|day|week|fortnight|month|quarter|year|decade|centur|night)"
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b"
)
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b"
_NUMBER = rf"(?:\d|\b(?:{_NUMBER_WORDS})\b)"

_QUESTIONS: tuple[tuple[AnswerKind, str], ...] = (
    (
        "duration",
        rf"\bhow (?:long|old|soon|often|quickly)\b|\bhow many {_UNIT_OF_TIME}\w*|\bfor how long\b"
        r"|\b(?:duration|length of time)\b|\bwie lange\b|\bcombien de temps\b|\bcuánto tiempo\b",
    ),
    (
        "money",
        r"\bhow much (?:does|do|did|is|are|was|will|would|must|should|to pay)\b|\bhow expensive\b"
        r"|\bwhat (?:is|are|was|were|does) [^?]{0,60}\b(?:price|cost|fee|fare|salary|charge|budget|revenue)s?\b",
    ),
    (
        "number",
        r"\bhow (?:many|much|far|tall|high|large|big|fast|deep|heavy|wide|hot|cold)\b"
        r"|\b(?:what|which) (?:\w+ )?(?:number|percentage|percent|share|proportion|size|amount|rate|score|"
        r"temperature|weight|height|limit)\b|\bwie viele?\b|\bcombien\b|\bcuánt[oa]s?\b",
    ),
    (
        "date",
        r"\bwhen\b|\bsince when\b|\buntil when\b|\b(?:what|which|in what|in which) (?:\w+ )?(?:date|day|year|"
        r"month|century|decade|time)\b|\bdeadline\b|\bwann\b|\bquand\b|\bcuándo\b",
    ),
    ("person", r"\bwho(?:m|se)?\b|\bwhich (?:person|team|company|author|player|department)\b|\bwer\b|\bqui\b"),
    ("place", r"\bwhere\b|\b(?:what|which|in what|in which) (?:city|country|place|state|town|region)\b|\bwo\b"),
)
_ASKS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _QUESTIONS)
_CUE_ONLY = re.compile(
    r"\bhow (?:long|old|soon|often|quickly|many|much|far|tall|high|large|big|fast|deep|heavy|wide)\b"
    r"|\b(?:what|which)(?= (?:date|day|year|month|time|number|percentage)\b)",
    re.IGNORECASE,
)

_HOLDS: dict[AnswerKind, re.Pattern[str]] = {
    "duration": re.compile(
        rf"{_NUMBER}[\w.,]*[\s-]+(?:\w+[\s-]+)?{_UNIT_OF_TIME}|\b(?:daily|weekly|monthly|annually|yearly|lifetime)\b"
        rf"|\bevery\s+{_UNIT_OF_TIME}|\b(?:a|an|per)\s+{_UNIT_OF_TIME}|\bfrom\s+\d{{4}}\s+(?:to|until)\b",
        re.IGNORECASE,
    ),
    "money": re.compile(
        r"[$€£¥₹]\s?\d|\d\s?[$€£¥₹]|\d[\d.,]*\s*(?:k|m|bn|million|billion|thousand)?\s*"
        r"(?:usd|eur|gbp|chf|jpy|euros?|dollars?|pounds?|cents?|francs?|yen|%)(?!\w)"
        r"|\bfree\b|\bno (?:charge|cost|fee)\b|(?:price|cost|fee)s?\s*[:=|]\s*\d",
        re.IGNORECASE,
    ),
    "number": re.compile(_NUMBER, re.IGNORECASE),
    "date": re.compile(
        rf"\b(?:1[0-9]|20)\d\d\b|\b{_MONTH}|\b{_WEEKDAY}|\b\d{{1,2}}[:.]\d\d\b|\b\d{{1,2}}\s?[ap]m\b|\b\d{{1,2}}[./]\d{{1,2}}[./]"
        r"|\b\d{1,2}(?:st|nd|rd|th)\b|\b(?:today|tomorrow|yesterday|midnight|noon|before|after|until|immediately)\b",
        re.IGNORECASE,
    ),
    "person": re.compile(
        r"(?<![.!?]\s)(?<!^)\b[A-ZÀ-Þ][\w'’-]+(?:\s+(?:de|van|von|of|the)\s+|\s+)[A-ZÀ-Þ][\w'’-]+|\S@\S+\.\w"
        r"|\b(?:[Tt]he|[Yy]our|[Oo]ur|[Aa]n?)\s+(?:\w+\s+)?(?:manager|team|department|director|officer|owner|"
        r"supervisor|committee|chair\w*|president|head|author|employee|customer)s?\b|\b(?:Mr|Mrs|Ms|Dr|Prof)\b"
        r"|^[A-ZÀ-Þ][\w'’-]+\s+[A-ZÀ-Þ][\w'’-]+"
    ),
    "place": re.compile(
        r"\b(?:in|at|near|from|to|on|into|within)\s+(?:the\s+)?[A-ZÀ-Þ]|https?://|\b(?:street|road|building|room|"
        r"floor|office|portal|page|menu|folder|store|tab)\b"
    ),
}


def expected_kinds(question: str) -> frozenset[AnswerKind]:
    """The kinds of answer that would do; empty when the wording does not tell. "How much" is money or a number."""
    kinds = {kind for kind, pattern in _ASKS if pattern.search(question)}
    if kinds & {"duration", "money"}:
        kinds.discard("number")
    if "money" in kinds and re.search(r"\bhow much\b", question, re.IGNORECASE):
        kinds.add("number")
    return frozenset(kinds)


def holds_kind(kind: AnswerKind, text: str) -> bool:
    """Whether ``text`` holds something that could be an answer of that kind."""
    return _HOLDS[kind].search(text) is not None


def without_cue(question: str) -> str:
    """The question without the words that only say what kind of answer is wanted, such as "how long"."""
    return _CUE_ONLY.sub(" ", question)
