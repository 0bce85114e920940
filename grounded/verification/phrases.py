"""Which sentences have nothing to check: greetings, questions, offers, refusals, lead-ins, titles.

Every rule is written so that it fails towards checking: a sentence that also carries an amount, or goes on with
"but", stays a claim.
"""

from __future__ import annotations

import re

from grounded.text.terms import STOP_WORDS, terms
from grounded.verification.analysis import analyse, clean
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
_KIND_WORDS = frozenset(("pleasure", "help", "glad", "happy", "welcome", "hope"))
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
    r"|(?!united (?:states|kingdom|nations|arab)\b|series\b|species\b)\w{3,}(?:ed|ies))\b|n't\b",
    re.IGNORECASE,
)
_ABOUT_ITSELF = re.compile(
    r"^(?:(?:yes|no|sorry|i(?:'m| am) sorry|unfortunately|however|but|please note that|\()[,\s]*)*"
    r"(?:as an? (?:\w+ ){0,2}(?:ai|model|assistant|chatbot)(?: (?:language )?model)?,? )?"
    r"i (?:do not|don't|cannot|can't|am not able|am unable|am not capable|am incapable|am only able)\b",
    re.IGNORECASE,
)
_ABILITY = re.compile(
    r"\b(?:have|access|able|capab\w+|ability|create|generate|determine|evaluate|provide|experience|feel|see|perceive"
    r"|browse|verify|answer|know|tell|write|download|display|open|view|read)\b",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    r"^(?:(?:for|to|if) [^,.]{1,90},\s+|(?:therefore|however),\s+)?i(?:'d| would)? (?:strongly )?"
    r"(?:recommend|suggest|advise|encourage)(?: that)?(?: you)?(?: to)?"
    r" (?:check|consult|contact|refer|visit|reach|ask|speak|read|review|look)(?:ing)?\b",
    re.IGNORECASE,
)
_WISH = re.compile(
    r"^(?:enjoy (?:your|the|this|it)\b|thank(?:s| you) (?:so much |very much )?for (?:your|\w+ing)\b"
    r"|good luck\b|(?:hallo|gerne|bitte|danke|bonjour|merci|hola|gracias|ciao|grazie|olá|obrigad[oa])\W*$"
    r"|ich hoffe,? (?:das|dies) hilft|j'espère que (?:cela|ça) (?:vous |t')?aide|espero que (?:esto|isso) (?:te |le )?"
    r"(?:ayude|ajude))",
    re.IGNORECASE,
)
_ANNOUNCES = re.compile(
    r"(?:\b(?:is|are|was|were|be|been|includes?|included|including|contains?|covers?|says?|states?|following|follows"
    r"|below|these|those|this|that|example|instance|such as|as|to|by|of|for|with|from|in|on|at|and|or|has|have"
    r"|you (?:can|could|should|may|need to|must)))\W*$|^(?:here|below|the following|there (?:is|are|were))\b",
    re.IGNORECASE,
)
_STATES_MORE = re.compile(
    r",\s+(?:and|so|while|whereas|because|which (?!are\b|is\b))\s*|;|\s(?:and|because|since|although)\s(?=(?:\w+\s)"
    r"{0,4}(?:is|are|was|were|has|have|had|covers?|includes?|contains?|lasts?|costs?)\b)",
    re.IGNORECASE,
)
_ASKS = re.compile(r"\b(?:what|which|who|whom|whose|when|where|why|how|you|your)\b", re.IGNORECASE)
_ENGLISH = re.compile(r"\b(?:the|of|for|and|your|with|to|from|by)\b", re.IGNORECASE)
_LONGEST_LABEL = 8
_ENDS = re.compile(r"[.!?;:。！？]\W*$")
_LONGEST_LEAD = 20
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


def is_title(text: str) -> bool:
    """Whether a line of a source is short and does not end as a sentence does: a heading, a name."""
    return not _ENDS.search(text) and len(text.split()) <= _LONGEST_LABEL


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
    measured = any(quantity.kind not in ("date", "number", "code") for quantity in amounts)
    if heading and not measured and not (has_verb(plain) and len(words) > 3) and not plain.endswith((".", "!")):
        return "a heading"
    if plain.endswith(("?", "？", "؟")) and not _quotes_a_question(text):
        return _question(plain, bool(amounts))
    if plain.endswith((":", "：")) and not amounts and _is_lead_in(plain, words):
        return "a lead-in"
    return _courtesy(plain, words, amounts=bool(amounts), measured=measured)


def _quotes_a_question(text: str) -> bool:
    """Whether the question mark is a quotation's, within a sentence that states something."""
    written = clean(text).strip()
    return written[-1:] in "\"'”»" and written[:1] not in "\"'“«" and any(mark in written[:-1] for mark in '"“«')


def _is_lead_in(plain: str, words: list[str]) -> bool:
    """Whether what ends with a colon only announces: a label, or a sentence that the next lines complete."""
    bare = plain.rstrip(":： *_")
    if _HERE_IS.match(bare):
        return True
    if not has_verb(bare):
        # In other languages a verb would not be recognised, so only the shortest labels are believed.
        return len(words) <= (_LONGEST_LABEL if _ENGLISH.search(bare) else 2)
    return len(words) <= _LONGEST_LEAD and bool(_ANNOUNCES.search(bare)) and not _STATES_MORE.search(bare)


def _is_reference(plain: str, titles: frozenset[str]) -> bool:
    bare = _REFERENCE_LABEL.sub("", plain, count=1)
    names = {_PLACE.sub("", bare).casefold().strip(" .-–:·"), bare.casefold().strip(" .-–:·")}
    return bool(names & titles) or bool(_LINK_ONLY.fullmatch(bare)) or not bare.strip()


def _question(plain: str, amounts: bool) -> str:
    if _ASSERTING_QUESTION.search(plain):
        return ""
    if _QUESTION.match(plain):
        return "a question"
    # "The warranty is void?" states; in other languages the mark is all there is to go by.
    states = has_verb(plain) and analyse(plain).is_english and not _ASKS.search(plain)
    return "" if amounts or states else "a question"


def _is_polite(words: list[str], content: list[str]) -> bool:
    """Whether all words are those of courtesy, and not said of somebody else: "he is a forward"."""
    of_others = words[0] in ("he", "she", "they", "it", "the") and not _KIND_WORDS & set(words)
    return bool(content) and not of_others and all(word in _POLITE_WORDS for word in content)


def _says_nothing(plain: str, count: int) -> bool:
    """Whether a sentence is a wish, advice to ask elsewhere, or about what the assistant can do, and nothing more."""
    if _TURN.search(plain.rstrip(".!)")) or re.search(r"\b(?:who|which|where|whose)\b", plain, re.IGNORECASE):
        return False
    if _WISH.match(plain):
        return count <= _SHORT and not _STATES_MORE.search(plain)
    if _ADVICE.match(plain):
        return True
    own = _ABOUT_ITSELF.match(plain)
    if own is None or not _ABILITY.search(plain, own.start()):
        return False
    # Every clause must be about "I": what is joined to it may be about anything.
    rest = re.split(r",|\b(?:and|so|as|or|that)\b", plain[own.end() :])
    return all(re.search(r"\bI\b", piece) or not has_verb(piece) for piece in rest[1:])


def _courtesy(plain: str, words: list[str], *, amounts: bool, measured: bool) -> str:
    content = [word for word in words if word not in STOP_WORDS]
    if not amounts and len(words) <= _SHORT and _is_polite(words, content):
        return "" if is_interjection(plain) else "a courtesy"
    if not amounts and _OFFER.match(plain) and not _TURN.search(plain.rstrip(".!")):
        return "an offer"
    if not amounts and _says_nothing(plain, len(words)):
        return "a courtesy" if _WISH.match(plain) else "about the answer itself"
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
