"""Which sentences have nothing to check: greetings, questions, offers, refusals, lead-ins, titles.

Every rule is written so that it fails towards checking: a sentence that also carries an amount, or goes on with
"but", stays a claim.
"""

from __future__ import annotations

import re

from grounded.text.terms import STOP_WORDS, terms
from grounded.verification.analysis import clean
from grounded.verification.quantities import quantities

_POLITE_TEXT = """
    hello hi hey dear greetings good morning afternoon evening day welcome thank thanks please sorry apologies
    apologise apologize sure certainly absolutely okay ok yes no well course glad happy pleased help helpful
    helps assist assistance question questions ask asking asked great excellent interesting understand
    understanding let know feel free hesitate contact reach anything else need needed want like further
    information details detail clarification clarify hope best regards sincerely cheers bye goodbye nice
    pleasure wonderful inquiry enquiry request reaching today time ahead answer look forward hearing wish luck
    problem worries mention would have other more if any again very much
"""
_POLITE_WORDS = frozenset(_POLITE_TEXT.split())
_SUMMARY_TEXT = """
    summary answer overview list breakdown found know information details detail steps step quick short brief
    options response explanation examples example points point main key following based provided sources source
    given passages documents context excerpts above below short detailed complete full results findings
"""
_SUMMARY_WORDS = frozenset(_SUMMARY_TEXT.split())
_QUESTION = re.compile(
    r"^(?:(?:and|but|so|or|then|also|well)\s+)?(?:what|which|who|whom|whose|when|where|why|how|do|does|did|is|are"
    r"|was|were|can"
    r"|could|will|would|shall|should|may|might|has|have|had|am|any|need|want|anything)\b",
    re.IGNORECASE,
)
_ASSERTING_QUESTION = re.compile(
    r"^(?:did|do|don't|didn't|are|aren't) you (?:know|aware|realise|realize)|^(?:isn't|aren't|wasn't|weren't"
    r"|doesn't|don't)\b"
    r"|,\s*(?:right|correct|no|yes|(?:is|are|was|were|do|does|did|has|have|can|will)(?:n't)? \w+)\s*[?？]",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"^(?:please\s+)?(?:(?:just\s+)?let me know (?:if|whether|what|which|how|should)|feel free to (?:ask|contact"
    r"|reach|let)"
    r"|(?:do not|don't) hesitate to (?:ask|contact|reach|let)|i(?:'d| would| will|'ll) be (?:happy|glad) to (?:help"
    r"|assist|answer)"
    r"|if you (?:have|need|want|would like) (?:any |further |more |additional |other )*(?:questions?|help|details?"
    r"|information"
    r"|assistance|clarification)|i hope (?:this|that|it) helps)\b",
    re.IGNORECASE,
)
_SOURCES = (
    r"(?:(?:the|these|those|your|our|any|any of the|none of the|all|all of the)\s+)?(?:\w+\s+)?"
    r"(?:sources?|passages?|documents?|documentation|context|excerpts?|texts?|information|materials?|snippets?"
    r"|search results|results|knowledge base|evidence|data)(?:\s+(?:provided|given|available|above|at hand|i have"
    r"|you provided))*"
)
_REFUSAL = re.compile(
    r"^(?:(?:i(?:'m| am) )?(?:sorry|afraid),?\s+(?:but\s+|that\s+)?|unfortunately,?\s+|based on [^,]{1,60},\s+"
    r"|however,?\s+)*"
    r"(?:i (?:could not|couldn't|can not|cannot|can't|was unable to|am unable to|was not able to|am not able to"
    r"|did not|didn't)"
    r" (?:find|locate|answer|determine|say|tell|provide|confirm|verify|help|see|identify|give|access)"
    r"|i (?:do not|don't) (?:know|have)|i(?:'m| am) (?:not sure|unable|not able)"
    rf"|{_SOURCES} (?:do|does|did) ?(?:not|n't) (?:mention|contain|say|provide|specify|state|address|describe"
    rf"|discuss|answer"
    r"|indicate|give|cover|explain|reveal|tell|(?:include|have) (?:any |enough |sufficient )?(?:information"
    r"|details?|answer))"
    rf"|(?:none of )?{_SOURCES} (?:mentions?|contains?|says?|provides?|states?|covers?|answers?) (?:no|nothing"
    rf"|neither)\b"
    r"|there (?:is|was) (?:no|not any|not enough|insufficient) (?:mention|information|details?|evidence|answer|data)"
    r"|(?:this|that|it) is not (?:mentioned|stated|specified|covered|addressed|described|given)"
    rf" (?:in|by) {_SOURCES}"
    r"|(?:not enough|insufficient|no) (?:information|evidence|context|data|relevant information)\b"
    r"|nothing (?:in|among) (?:the|these|your) )",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"[;:]|\b(?:but|however|although|though|except|yet|because|since|while|whereas|nevertheless|still)\b|\.\s",
    re.IGNORECASE,
)
_HERE_IS = re.compile(
    r"^(?:here(?:'s| is| are)|below (?:is|are)|the following(?: is| are)?|in summary|to summari[sz]e|i found)\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|do|does|did|can|could|will|would|shall|should|may|might|must|lasts?"
    r"|lasted"
    r"|costs?|takes?|took|covers?|covered|includes?|included|contains?|gets?|got|makes?|made|needs?|requires?"
    r"|required"
    r"|applies|apply|applied|opens?|closes?|starts?|ends?|expires?|runs?|ran|pays?|paid|receives?|received"
    r"|provides?|provided"
    r"|offers?|offered|allows?|allowed|grew|rose|fell|won|lost|born|died|sells?|sold|bought|buys?|uses?|used|works?"
    r"|worked"
    r"|weighs?|measures?|remains?|remained|becomes?|became|founded|signed|acquired|announced|said|says|goes|went"
    r"|comes|came"
    r"|\w{3,}(?:ed|ies))\b|n't\b",
    re.IGNORECASE,
)
_LINK_ONLY = re.compile(
    r"(?:https?://\S+|www\.\S+|[\w./\\-]+\.(?:pdf|docx?|html?|md|txt|csv|xlsx?|pptx?))\W*", re.IGNORECASE
)
_REFERENCE_LABEL = re.compile(r"^(?:sources?|references?|citations?|see(?: also)?)\s*:?\s*(?=\n|:|$|\S)", re.IGNORECASE)
_PLACE = re.compile(r"[\s,·(]+(?:page|p\.|pp\.|row|section|line|slide|sheet)\s*\d+\)?\.?$", re.IGNORECASE)
_INTERJECTION = re.compile(r"(?:yes|no|yeah|nope|correct|exactly|indeed|right|true|false)\W*", re.IGNORECASE)
_SHORT = 12


def has_verb(text: str) -> bool:
    """Whether an English finite verb was recognised; False proves nothing."""
    return bool(_VERB.search(text))


def before_verb(text: str) -> str:
    """What stands before the first recognised verb: the subject, in a plain sentence."""
    match = _VERB.search(text)
    return text[: match.start()] if match else ""


def is_interjection(text: str) -> bool:
    """Whether a sentence is a bare yes or no."""
    return bool(_INTERJECTION.fullmatch(clean(text).strip()))


def nothing_to_check(text: str, *, heading: bool = False, titles: frozenset[str] = frozenset()) -> str:
    """Why a sentence has nothing to check; empty when it has to be checked.

    Args:
        text: The sentence without its markers.
        heading: It stands as a heading.
        titles: Folded titles and addresses of the sources; a line that only names one is a reference.
    """
    plain = clean(text).strip().strip("\"'“”").strip()
    words = [term.text for term in terms(plain)]
    if not words:
        return "no words"
    if _is_reference(plain, titles):
        return "a reference"
    amounts = [quantity for quantity in quantities(plain) if quantity.kind != "ordinal"]
    if heading and not (has_verb(plain) and len(words) > 3) and not plain.endswith((".", "!")):
        return "a heading"
    if plain.endswith(("?", "？", "؟")):
        return _question(plain, bool(amounts))
    if plain.endswith((":", "：")) and not amounts:
        return "a lead-in"
    return _courtesy(
        plain, words, amounts=bool(amounts), measured=any(q.kind not in ("date", "number", "code") for q in amounts)
    )


def _is_reference(plain: str, titles: frozenset[str]) -> bool:
    bare = _REFERENCE_LABEL.sub("", plain, count=1)
    names = {_PLACE.sub("", bare).casefold().strip(" .-–:·"), bare.casefold().strip(" .-–:·")}
    return bool(names & titles) or bool(_LINK_ONLY.fullmatch(bare)) or not bare.strip()


def _question(plain: str, amounts: bool) -> str:
    if _ASSERTING_QUESTION.search(plain):
        return ""
    return "a question" if _QUESTION.match(plain) or not amounts else ""


def _courtesy(plain: str, words: list[str], *, amounts: bool, measured: bool) -> str:
    content = [word for word in words if word not in STOP_WORDS]
    if not amounts and len(words) <= _SHORT and content and all(word in _POLITE_WORDS for word in content):
        return "" if is_interjection(plain) else "a courtesy"
    if not amounts and _OFFER.match(plain) and not _TURN.search(plain.rstrip(".!")):
        return "an offer"
    refusal = _REFUSAL.match(plain)
    if refusal and not measured and not _TURN.search(plain[refusal.end() :].rstrip(".!")):
        return "a refusal"
    here = _HERE_IS.match(plain)
    if (
        here
        and not amounts
        and all(term.text in _SUMMARY_WORDS or term.is_stop_word for term in terms(plain[here.end() :]))
    ):
        return "a lead-in"
    return ""
