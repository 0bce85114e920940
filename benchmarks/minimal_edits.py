"""Small edits that turn a true sentence into one its source does not say, and light ones that keep it true.

They are written for measuring only and share nothing with what any training data is made with.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from itertools import pairwise

_PAIRS = """
increase decrease, increased decreased, increases decreases, increasing decreasing, rise fall, rose fell, rises falls,
rising falling, risen fallen, grew shrank, growing shrinking, gain loss, gained lost, gains losses, more less,
higher lower, highest lowest, high low, larger smaller, largest smallest, large small, big little, bigger smaller,
greater lesser, greatest least, longer shorter, longest shortest, long short, wide narrow, wider narrower, deep shallow,
heavy light, heavier lighter, thick thin, thicker thinner, tall short, fast slow, faster slower, quick slow,
quickly slowly, rapidly slowly, rapid gradual, early late, earlier later, earliest latest, before after, first last,
begin end, began ended, begins ends, beginning ending, start finish, started finished, starts finishes, open closed,
opened closed, opens closes, opening closing, arrive depart, arrived departed, enter leave, entered left, join leave,
joined left, win lose, won lost, wins loses, winning losing, winner loser, victory defeat, success failure,
successful unsuccessful, succeeded failed, pass fail, passed failed, accept reject, accepted rejected, accepts rejects,
approve reject, approved rejected, agree disagree, agreed disagreed, allow forbid, allowed forbidden, allows forbids,
permit prohibit, permitted prohibited, include exclude, included excluded, includes excludes, including excluding,
support oppose, supported opposed, supports opposes, supporter opponent, supporters opponents, attack defend,
attacked defended, create destroy, created destroyed, creates destroys, build demolish, built demolished, buy sell,
bought sold, buys sells, buyer seller, borrow lend, import export, imported exported, imports exports, hire dismiss,
hired dismissed, appointed dismissed, promote demote, promoted demoted, praise criticise, praised criticised,
positive negative, positively negatively, good bad, better worse, best worst, strong weak, stronger weaker,
strongest weakest, strength weakness, strengthen weaken, strengthened weakened, rich poor, richer poorer,
wealthy poor, safe dangerous, safer riskier, healthy ill, easy difficult, easier harder, simple complex, hard soft,
hot cold, hotter colder, warm cool, warmer cooler, dry wet, clean dirty, full empty, old new, older younger,
oldest youngest, ancient modern, young old, male female, men women, man woman, boy girl, boys girls, father mother,
son daughter, sons daughters, brother sister, brothers sisters, husband wife, king queen, uncle aunt, nephew niece,
north south, northern southern, east west, eastern western, northeast southwest, northwest southeast, left right,
upper lower, top bottom, above below, inside outside, inner outer, internal external, indoor outdoor, domestic foreign,
local global, national international, public private, urban rural, central peripheral, major minor, majority minority,
maximum minimum, maximise minimise, most least, many few, always never, often rarely, frequently rarely,
usually seldom, common rare, popular unpopular, famous unknown, same different, similar dissimilar, equal unequal,
legal illegal, legitimate illegitimate, possible impossible, likely unlikely, able unable, necessary unnecessary,
sufficient insufficient, complete incomplete, correct incorrect, accurate inaccurate, true false, valid invalid,
direct indirect, directly indirectly, dependent independent, regular irregular, formal informal, visible invisible,
temporary permanent, permanently temporarily, active inactive, alive dead, born buried, present absent,
peace war, friend enemy, friends enemies, ally rival, allies rivals, love hate, loved hated, liked disliked,
guilty innocent, convicted acquitted, innocence guilt, optimistic pessimistic, voluntary compulsory,
mandatory optional, required forbidden, enable disable, enabled disabled, enables prevents, encourage discourage,
encouraged discouraged, encourages discourages, improve worsen, improved worsened, improves worsens,
improvement deterioration, expand contract, expanded contracted, expansion contraction, raise lower, raised lowered,
raises lowers, accelerate slow, reveal conceal, revealed concealed, remember forget, united divided, single married,
day night, morning evening, summer winter, spring autumn, ascending descending, forward backward, upward downward,
sunrise sunset, predecessor successor, ancestor descendant, teacher student, parent child, employer employee,
employers employees, plaintiff defendant, profit loss, profits losses, profitable unprofitable, income expense,
debit credit, surplus deficit, shortage surplus, cheap expensive, cheaper dearer, benefit harm, benefits harms,
advantage disadvantage, advantages disadvantages, effective ineffective, efficient inefficient, stable unstable,
clear unclear, certain uncertain, known unknown, natural artificial, rough smooth, sharp blunt, loud quiet
"""


def _antonyms() -> dict[str, str]:
    table: dict[str, str] = {}
    for pair in " ".join(_PAIRS.split()).split(","):
        left, right = pair.split()
        table.setdefault(left, right)
        table.setdefault(right, left)
    return table


ANTONYMS = _antonyms()
PAIRS = sum(1 for pair in _PAIRS.split(",") if pair.strip())
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|has|have|had|can|could|will|would|should|must|may|might|does|did)\b(?! not\b)"
)
_NEGATED = re.compile(r"\b(is|are|was|were|has|have|had|can|could|will|would|should|must|may|might) not\b|\bcannot\b")
_PASTS = """
won win, made make, became become, took take, began begin, wrote write, led lead, held hold, built build, left leave,
received receive, released release, played play, served serve, moved move, died die, published publish, joined join,
worked work, created create, developed develop, founded found, announced announce, reached reach, caused cause,
used use, called call, showed show, showed show, found find, gave give, came come, went go, got get, grew grow,
won win, lost lose, sold sell, bought buy, said say, appeared appear, returned return, started start, ended end,
signed sign, produced produce, included include, increased increase, decreased decrease, reduced reduce, rose rise,
fell fall, starred star, married marry, attended attend, graduated graduate, directed direct, premiered premiere,
opened open, closed close, ran run, met meet, kept keep, told tell, saw see, brought bring, defeated defeat
"""
_PRESENT = """
lasts last, includes include, contains contain, covers cover, provides provide, allows allow, requires require,
makes make, takes take, gives give, uses use, has have, shows show, means mean, supports support, costs cost,
begins begin, ends end, plays play, works work, causes cause, reduces reduce, increases increase, describes describe,
lives live, runs run, remains remain, becomes become, leads lead, helps help, occurs occur, belongs belong
"""


def _bases(words: str, auxiliary: str) -> dict[str, str]:
    pairs = (pair.split() for pair in " ".join(words.split()).split(","))
    return {form: f"{auxiliary} not {base}" for form, base in pairs}


_DENIED = {**_bases(_PASTS, "did"), **_bases(_PRESENT, "does")}
_NAME = re.compile(r"[A-Z][\w'’-]+(?:(?:\s(?:of|de|van|von|al|the))?\s[A-Z][\w'’-]+){0,4}")
_MONTH_WORDS = "January February March April May June July August September October November December"
_MONTHS = _MONTH_WORDS.split()
_DAY_WORDS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
_CALENDAR = frozenset([*_MONTHS, *_DAY_WORDS.split()])
_NO_NAME_WORDS = """
    The A An In On At It He She They This That These Those His Her Their Its When While After Before During As For
    From By With However Although Since There But And If Also One Two Some Many Most Other Both All Each I We You Our
    My No Not To Of Or So Then Thus Such What Which Who Where Why How
"""
_NOT_NAMES = frozenset(_NO_NAME_WORDS.split())
_NUMBER = re.compile(r"(?<![\w.,-])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w])|(?<![\w.,-])\d+(?:\.\d+)?(?![\w.]\w|\w)")
_SMALL_WORDS = "two three four five six seven eight nine ten eleven twelve"
_WORDS = _SMALL_WORDS.split()


def _swapped(text: str, start: int, end: int, new: str) -> str:
    old = text[start:end]
    new = new[:1].upper() + new[1:] if old[:1].isupper() else new
    return text[:start] + new + text[end:]


def negation(text: str, rng: random.Random) -> str | None:
    """Negate the main verb, or take a negation away."""
    found = _NEGATED.search(text)
    if found:
        return text[: found.start()] + (found.group(1) or "can") + text[found.end() :]
    found = _AUXILIARY.search(text)
    if found:
        return f"{text[: found.end()]} not{text[found.end() :]}"
    for match in re.finditer(r"\b[a-z]+\b", text):
        if match.group() in _DENIED:
            return text[: match.start()] + _DENIED[match.group()] + text[match.end() :]
    return None


def antonym(text: str, rng: random.Random) -> str | None:
    """One word becomes its opposite."""
    found = [match for match in re.finditer(r"\b[A-Za-z]+\b", text) if match.group().casefold() in ANTONYMS]
    found = [match for match in found if not match.group()[0].isupper() or match.start() == 0]
    found = [match for match in found if ANTONYMS[match.group().casefold()] not in text.casefold().split()]
    if not found:
        return None
    match = rng.choice(found)
    return _swapped(text, match.start(), match.end(), ANTONYMS[match.group().casefold()])


def names(text: str) -> list[tuple[int, int, str]]:
    """Names in a text with their kind: how many words, and whether a place is spoken of."""
    found = []
    for match in _NAME.finditer(text):
        start, written = match.start(), match.group()
        first, *rest = written.split()
        if first in _NOT_NAMES | _CALENDAR:
            if not rest:
                continue
            start, written = start + len(first) + 1, " ".join(rest)
        lead = text[:start].rstrip()
        if (not lead or lead[-1] in ".!?:\n") and " " not in written:
            continue  # perhaps only the first word of a sentence
        if written.split()[0] in _CALENDAR or any(part in _CALENDAR for part in written.split()):
            continue
        before = lead.rsplit(None, 1)[-1].casefold() if lead else ""
        place = "place" if before in ("in", "at", "near", "to", "from") else "name"
        found.append((start, start + len(written), f"{place} {min(len(written.split()), 3)}"))
    return found


def entity(text: str, source: str, rng: random.Random) -> str | None:
    """Another name of the same kind from the same source."""
    mine = names(text)
    used = text.casefold()
    rng.shuffle(mine)
    for start, end, kind in mine:
        old = set(text[start:end].casefold().split())
        others = sorted({source[a:b] for a, b, other in names(source) if other == kind})
        others = [o for o in others if o.casefold() not in used and not old & set(o.casefold().split())]
        if others:
            return text[:start] + rng.choice(others) + text[end:]
    return None


def number(text: str, source: str, rng: random.Random) -> str | None:
    """Another number: one of the source, or one close by. Dates are left alone."""
    found = [m for m in _NUMBER.finditer(text) if not _is_year(m.group()) and not _beside_month(text, m)]
    words = [m for m in re.finditer(r"\b[a-z]+\b", text) if m.group() in _WORDS]
    if not found and not words:
        return None
    match = rng.choice(found or words)
    if match.group() in _WORDS:
        other = rng.choice([word for word in _WORDS if word != match.group()])
        return text[: match.start()] + other + text[match.end() :]
    old = match.group()
    same = [m.group() for m in _NUMBER.finditer(source) if not _is_year(m.group()) and m.group() not in text]
    same = [each for each in same if float(each.replace(",", "")) != float(old.replace(",", ""))]
    new = rng.choice(same) if same and rng.random() < 0.5 else _near(old, rng)
    return text[: match.start()] + new + text[match.end() :]


def date(text: str, rng: random.Random) -> str | None:
    """Another year, month or day."""
    years = [m for m in re.finditer(r"(?<![\w.,-])(?:1[1-9]|20)\d\d(?![\w,]\d|\w)", text)]
    months = [m for m in re.finditer(r"\b[A-Z][a-z]+\b", text) if m.group() in _MONTHS]
    days = [m for m in _NUMBER.finditer(text) if _beside_month(text, m) and not _is_year(m.group())]
    if not (years or months or days):
        return None
    match = rng.choice([*years, *months, *days])
    if match in months:
        new = rng.choice([month for month in _MONTHS if month != match.group()])
    elif match in days:
        new = str(rng.choice([day for day in range(1, 29) if str(day) != match.group()]))
    else:
        new = str(int(match.group()) + rng.choice([-11, -7, -4, -3, -2, -1, 1, 2, 3, 4, 6, 9]))
    return text[: match.start()] + new + text[match.end() :]


def _is_year(written: str) -> bool:
    return re.fullmatch(r"1[1-9]\d\d|20\d\d", written) is not None


def _beside_month(text: str, match: re.Match[str]) -> bool:
    around = text[max(0, match.start() - 12) : match.end() + 14]
    return any(month in around for month in _MONTHS)


def _near(old: str, rng: random.Random) -> str:
    if "." in old:
        digits = len(old.split(".")[1])
        return f"{float(old.replace(',', '')) * rng.choice([0.5, 0.8, 1.3, 2.0]) + 10**-digits:,.{digits}f}"
    value = int(old.replace(",", ""))
    new = value + rng.choice([1, 2, 3, 5]) * max(1, 10 ** (len(str(value)) - 2))
    return f"{new:,}" if "," in old else str(new)


_SYMMETRIC = re.compile(
    r"[,;:]|\b(?:and|or|with|between|met|meets|married|versus|like|as|both|than|near|called|named)\b"
)
_DOING = re.compile(
    r"\b(?:[a-z]+ed|[a-z]+s|won|beat|led|wrote|made|gave|took|sold|bought|left|built|held|taught|sent)\b"
)


def role(text: str, rng: random.Random) -> str | None:
    """Who did it and to whom change places."""
    found = names(text)
    for (a, b, _), (c, d, _) in pairwise(found):
        between = text[b:c]
        one, other = text[a:b], text[c:d]
        if len(between) > 60 or _SYMMETRIC.search(between) or not _DOING.search(between):
            continue
        if re.search(r"\b(?:in|at|on|of|from|to|during|for)\s+(?:the\s+)?$", between) or one in other or other in one:
            continue
        return text[:a] + other + between + one + text[d:]
    return None


_LIGHT = {
    "approximately": "about",
    "began": "started",
    "purchased": "bought",
    "however, ": "",
    "also ": "",
    "in order to": "to",
    "due to": "because of",
    "such as": "like",
    "utilised": "used",
    "utilized": "used",
    "is able to": "can",
    "are able to": "can",
    "prior to": "before",
    "numerous": "many",
    "throughout": "all through",
    "assist": "help",
    "obtain": "get",
    "obtained": "got",
    "demonstrated": "showed",
    "demonstrate": "show",
    "additional": "further",
    "primarily": "mainly",
    "commonly": "often",
    "whilst": "while",
    "located in": "in",
    "attempted to": "tried to",
    "regarding": "about",
    "subsequently": "later",
    "nearly": "almost",
    "children": "kids",
    "a number of": "several",
    "first published": "published for the first time",
    "do not": "don't",
    "does not": "doesn't",
    "is not": "isn't",
    "was not": "wasn't",
    "cannot": "can't",
}
_LEAD = re.compile(r"\A((?:In|During|Since|Between|By|On|At) [^,]{3,40}), ([A-Z]?[^.]{20,})\.\Z")
_DIGIT_WORDS = {str(value): word for value, word in enumerate(_WORDS, start=2)}


def light(text: str) -> str:
    """The same said a little differently: at most two changes that keep its truth."""
    new, left = text, 2
    moved = _LEAD.match(new)
    if moved and not re.search(r"[,;:]", moved.group(2)):
        lead, body = moved.groups()
        new, left = f"{body[0].upper()}{body[1:]} {lead[0].lower()}{lead[1:]}.", 1
    new = re.sub(r"\s\([^()]{1,60}\)", "", new)
    for old, other in _LIGHT.items():
        if left and re.search(rf"\b{re.escape(old)}", new):
            new, left = re.sub(rf"\b{re.escape(old)}(?![a-z])", other, new, count=1), left - 1
    digit = re.search(r"(?<![\w.,$€£-])[2-9](?= [a-z]{4,})(?! (?:million|billion|thousand))", new)
    if digit and left:
        new = new[: digit.start()] + _DIGIT_WORDS[digit.group()] + new[digit.end() :]
    return new


def without(source: str, deciding: Sequence[str]) -> str:
    """The source without the sentences that decide."""
    for sentence in deciding:
        source = source.replace(sentence, " ")
    return source
