"""Small words that turn a sentence round: negation, hedges, conditions, quantifiers, antonyms."""

from __future__ import annotations

import re

NOT = "not"
_NEGATION = re.compile(
    r"\b(?:not|never|no|none|nobody|nothing|nowhere|neither|nor|without|cannot|hardly|scarcely|barely|\w+n't|cant"
    r"|wont|dont"
    r"|doesnt|isnt|lacks?|lacked|lacking|fails? to|failed to|refus(?:e|es|ed) to|den(?:y|ies|ied)|false|untrue"
    r"|incorrect|myth|non-?\w+[ai]ble)\b",
    re.IGNORECASE,
)
_NO_NEGATION = re.compile(
    r"\b(?:not only|not just|no more than|not more than|no less than|not less than|no later than|no fewer than"
    r"|no longer than|no earlier than|no\.\s*\d)",
    re.IGNORECASE,
)
_FOREIGN_WORDS = """
    nicht kein keine keinen keinem keiner keines nie niemals ohne pas jamais aucun aucune sans ni nunca ningún
    ninguna ninguno sin nada non mai nessun nessuna senza não nenhum nenhuma sem niet geen nooit zonder nie
    żaden bez нет не без никогда inte aldrig utan ikke aldri uten ej ei koskaan ilman değil hiçbir nem soha δεν
    μην ne nu fără
"""
_FOREIGN_NEGATION = frozenset(_FOREIGN_WORDS.split())
_UNSPACED_NEGATION = re.compile("[不没沒无無非未别勿]|ない|ません|なし|ไม่")

_HEDGE = re.compile(
    r"\b(?:may|might|could|would|possibly|perhaps|probably|allegedly|reportedly|supposedly|likely|unlikely"
    r"|potentially|alleged"
    r"|expected to|plan(?:s|ned)? to|proposed|intend(?:s|ed)? to|hopes? to|claim(?:s|ed)|rumou?red|believed"
    r"|thought to"
    r"|considered|suggests?|suggested|appears? to|seems? to|sometimes|usually|often|rarely|generally|typically"
    r"|in theory"
    r"|was to|were to|used to|formerly|previously|no longer)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:if|unless|except|excluding|only|provided|subject to|other than|apart from|as long as|in case of"
    r"|with the exception"
    r"|one of the(?=(?: \w+)? (?:\w{3,}est|most|best|worst)\b))\b",
    re.IGNORECASE,
)
_QUANTIFIER = re.compile(r"\b(?:some|few|several|partly|partially|many|certain)\b", re.IGNORECASE)
_STRONG = re.compile(
    r"\b(?:all|every|each|always|only|must|any|(?<!\bat )most|exclusively|entirely|completely|fully"
    r"|solely|never|best|largest|highest"
    r"|first|last|definitely|certainly|guaranteed?|regardless|both|unlimited|immediately|automatically)\b",
    re.IGNORECASE,
)

_PAIRS = """
    include exclude; included excluded; includes excludes; including excluding; allow forbid; allowed forbidden;
    allowed prohibited; permit prohibit; permitted prohibited; before after; increase decrease; increased
    decreased; increases decreases; increasing decreasing; rise fall; rose fell; rising falling; grew shrank;
    gain loss; minimum maximum; least most; more less; more fewer; above below; over under; higher lower; larger
    smaller; greater less; greater smaller; up down; open closed; open close; opens closes; start end; starts
    ends; started ended; begin end; begins ends; began ended; accept reject; accepted rejected; accepts rejects;
    enable disable; enabled disabled; internal external; always never; win lose; won lost; buy sell; bought
    sold; hot cold; early late; earlier later; first last; true false; legal illegal; mandatory optional;
    required optional; possible impossible; able unable; eligible ineligible; valid invalid; covered uncovered;
    paid unpaid; agree disagree; agreed disagreed; approve reject; approved rejected; born died; import export;
    male female; north south; east west; northern southern; eastern western; left right; positive negative;
    public private; same different; success failure; succeeded failed; support oppose; supported opposed;
    supports opposes; with without; inside outside; indoor outdoor; young old; younger older;
    youngest eldest; younger elder; youngest oldest;
    long short; longer shorter; longest shortest; largest smallest; highest lowest; best worst; free paid; full
    empty; top bottom; day night; morning evening; summer winter; heavy light; heavier lighter; fast slow;
    faster slower; high low; rich poor; strong weak; wet dry; arrive depart; arrived departed; remember forget;
    love hate; liked disliked; attack defend; ally enemy; guilty innocent; majority minority; mother father; son
    daughter; husband wife; brother sister; man woman; men women; boy girl; king queen; he she; his her; prequel
    sequel; previous next; prior subsequent; preceded followed; predecessor successor; all none; everyone
    nobody; both neither; refundable non-refundable; weekday weekend; weekdays weekends; major minor; upper
    lower; maximum least; raise lower; raised lowered; expand shrink; encourage discourage; encouraged
    discouraged
"""


def _antonyms() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for pair in " ".join(_PAIRS.split()).split(";"):
        left, right = pair.split()
        table.setdefault(left, set()).add(right)
        table.setdefault(right, set()).add(left)
    return {word: frozenset(others) for word, others in table.items()}


ANTONYMS = _antonyms()


def negations(text: str, *, english: bool = True) -> int:
    """How many negating words ``text`` holds; idioms such as ``not only`` do not count."""
    # "no" is a word of many languages; only what is English is read as English.
    count = len(_NEGATION.findall(text)) - len(_NO_NEGATION.findall(text))
    if not english:
        count += sum(word in _FOREIGN_NEGATION for word in re.findall(r"[^\W\d_]+", text.casefold()))
        count += len(_UNSPACED_NEGATION.findall(text))
    return count


_MONTH_OF_MAY = re.compile(r"(?<=[\w,;] )May\b|\bMay(?= \d)")


def hedges(text: str) -> set[str]:
    """Words of ``text`` that make it less certain."""
    return {match.casefold() for match in _HEDGE.findall(_MONTH_OF_MAY.sub("", text))}


def conditions(text: str) -> set[str]:
    """Words of ``text`` that restrict when or to what it applies."""
    return {match.casefold() for match in _CONDITION.findall(text)}


def quantifiers(text: str) -> set[str]:
    """Words of ``text`` that say it of a part only: some, few, partly."""
    return {match.casefold() for match in _QUANTIFIER.findall(text)}


def strengtheners(text: str) -> set[str]:
    """Words of ``text`` that claim more: all, always, only, must."""
    return {match.casefold() for match in _STRONG.findall(text)}


def antonym(mine: set[str], theirs: set[str]) -> tuple[str, str] | None:
    """A word of ``mine`` whose opposite stands in ``theirs`` while neither side has both; folded words."""
    for word in sorted(mine - theirs):
        opposites = ANTONYMS.get(word, frozenset()) & theirs
        for opposite in sorted(opposites - mine):
            return word, opposite
    return None
