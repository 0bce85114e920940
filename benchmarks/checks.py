"""How often the deterministic checks are right on public labelled claims, kind by kind.

    python benchmarks/checks.py [--overlap 0.9] [--examples]

A check that speaks against a claim which people found supported is false; against one they found refuted, or against
a copy of a supported claim in which one number or date was changed, it is true. Changed copies come from two places:
the supported claims, and sentences of the sources themselves (FROM SOURCE), whose unchanged form counts as supported.
A veto makes a claim ``contradicted``, and has to keep a precision of 0.95; unsaid only forbids support. Objections
stand against claims whose words a source has, where no rule decides: the firmer, the surer a model must be.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from labelled import Row, rows

from grounded.text.sentences import sentences
from grounded.verification.agreement import unsaid
from grounded.verification.analysis import Analysis, analyse, clean
from grounded.verification.checks import Clash, slot_conflict
from grounded.verification.containment import CONFLICT_OVERLAP, ContainmentModel
from grounded.verification.objections import decides, objection_of
from grounded.verification.quantities import Quantity, quantities
from grounded.verification.sources import passages_from
from grounded.verification.windows import WindowIndex

FLOOR = 0.95
WINDOWS = 6


@dataclass
class Count:
    """Claims a check spoke against and those it was asked about, by what they are."""

    against: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def kind_of(quantity: Quantity) -> str:
    """The kind as a row of the table."""
    if quantity.kind.startswith("money"):
        return "money"
    if quantity.kind in ("length", "weight", "volume", "speed", "celsius", "fahrenheit", "data", "power", "energy"):
        return "measure"
    return "date" if quantity.kind == "period" else quantity.kind


def changed(text: str, quantity: Quantity, rng: random.Random) -> str | None:
    """The text with another number in the place of one."""
    number = re.search(r"\d+", text[quantity.start : quantity.end])
    if number is None or quantity.kind in ("code", "ordinal"):
        return None
    value = int(number.group())
    step = rng.choice([1, 2, 3, 5, 7]) * (1 if value < 1000 else rng.choice([1, 2]))
    other = str(value + step if value <= step or rng.random() < 0.5 else value - step)
    start = quantity.start + number.start()
    return text[:start] + other + text[start + len(number.group()) :]


def changed_twice(text: str, own: list[Quantity], rng: random.Random) -> str | None:
    """The text with its first two numbers changed, the later one first so that places hold."""
    if len(own) < 2:
        return None
    once = changed(text, own[1], rng)
    return changed(once, own[0], rng) if once else None


def from_sources(row: Row, rng: random.Random) -> Iterator[str]:
    """A sentence of the sources that counts something."""
    text = " ".join(source["text"] for source in row.sources)
    told = [clean(span.slice(text)) for span in sentences(text)[:80]]
    told = [
        each
        for each in told
        if 40 < len(each) < 250 and any(q.kind not in ("code", "ordinal") for q in quantities(each))
    ]
    if told:
        yield rng.choice(told)


def speaks(claim: Analysis, windows: list[Analysis], overlap: float) -> tuple[str, list[Quantity], str]:
    """The kind and reason of a veto, and what no window says."""
    missing = unsaid(claim, windows)
    for window in windows:
        clash = slot_conflict(claim, window, least_overlap=overlap)
        if clash:
            return named(clash), missing, f"{clash.reason(claim, window)}  <<  {window.text[:300]}"
    return "", missing, ""


def named(clash: Clash) -> str:
    """The row of a clash."""
    return "several" if len(clash.pairs) > 1 else kind_of(clash.pairs[0][0])


def measure(overlap: float, *, examples: bool) -> tuple[dict[str, Count], dict[str, Count]]:
    """Veto and unsaid, kind by kind."""
    rng = random.Random(7)
    vetoes: dict[str, Count] = defaultdict(Count)
    silent: dict[str, Count] = defaultdict(Count)
    for row in rows():
        passages = passages_from(list(row.sources))
        index = WindowIndex.of(passages)
        told = [("from source", text) for text in from_sources(row, rng)] if row.supported else []
        label = "supported" if row.supported else "refuted" if row.refuted else "not supported"
        for what, text in [(label, clean(row.claim)), *told]:
            own = [q for q in quantities(text) if q.kind not in ("code", "ordinal")]
            copies = [(what, text, own)]
            if row.supported:
                edited = [(q, changed(text, q, rng)) for q in own]
                copies += [("changed " + what, copy, [q]) for q, copy in edited if copy]
                twice = changed_twice(text, own, rng)
                copies += [("changed " + what, twice, own[:2])] if twice else []
            for kind, copy, counted in copies:
                claim = analyse(copy)
                chosen = index.choose(index.rank(copy), limit=WINDOWS)
                windows = [analyse(passages[w.passage].text[w.start : w.end]) for w in chosen]
                windows += [analyse(passage.title) for passage in passages if not passage.title.isdigit()]
                veto, missing, reason = speaks(claim, windows, overlap)
                kinds = {kind_of(q) for q in counted}
                for each in {"several"} if kind.startswith("changed") and len(counted) > 1 else kinds:
                    vetoes[each].asked[kind] += 1
                    silent[each].asked[kind] += 1
                if veto:
                    vetoes[veto].against[kind] += 1
                for each in {kind_of(q) for q in missing}:
                    silent[each].against[kind] += 1
                if examples and veto and not kind.startswith("changed"):
                    print(f"{kind} | {row.data} | {veto} | {copy} | {reason}")
    return vetoes, silent


def table(counts: dict[str, Count]) -> str:
    """One row per kind: false and true, precision, and the share of changed copies that is found, in Markdown."""
    lines = [
        "| kind | right claims | refuted claims | others not supported | changed copies | precision | |",
        "|---|---|---|---|---|---|---|",
    ]
    total = Count()
    for kind, count in [*sorted(counts.items()), ("all", total)]:
        if kind != "all":
            for name in count.asked.keys() | count.against.keys():
                total.asked[name] += count.asked[name]
                total.against[name] += count.against[name]
        false = count.against["supported"] + count.against["from source"]
        right = count.asked["supported"] + count.asked["from source"]
        true = count.against["changed supported"] + count.against["changed from source"]
        copies = count.asked["changed supported"] + count.asked["changed from source"]
        spoken = false + true + count.against["refuted"]
        precision = (true + count.against["refuted"]) / spoken if spoken else float("nan")
        verdict = "" if not spoken else "kept" if precision >= FLOOR else "below the floor"
        lines.append(
            f"| {kind} | {false} of {right} | {count.against['refuted']} | {count.against['not supported']} "
            f"| {true} of {copies} | {precision:.3f} | {verdict} |"
        )
    return "\n".join(lines)


def objections() -> str:
    """What the firmest objection is against claims that no rule decides, by what people say of the claim."""
    rules, counts = ContainmentModel(), defaultdict(lambda: defaultdict(int))  # type: ignore[var-annotated]
    for row in rows():
        passages = passages_from(list(row.sources))
        claim = clean(row.claim)
        index = WindowIndex.of(passages)
        windows = index.choose(index.rank(claim), limit=WINDOWS)
        judged = rules.judge([(window.text(passages), claim) for window in windows])
        found = [each for judgement in judged if (each := objection_of(judgement)) is not None]
        if found and not any(map(decides, judged)):
            counts[max(found, key=lambda each: each.yields_to).kind][row.supported] += 1
    lines = ["| objection | against supported claims | against others | share of others |", "|---|---|---|---|"]
    for kind, each in sorted(counts.items()):
        lines.append(f"| {kind} | {each[True]} | {each[False]} | {each[False] / (each[True] + each[False]):.2f} |")
    return "\n".join(lines)


def report(overlap: float = CONFLICT_OVERLAP, *, examples: bool = False) -> str:
    """All tables in Markdown."""
    vetoes, silent = measure(overlap, examples=examples)
    parts = {
        "Veto: another value in the same place (`contradicted`)": table(vetoes),
        "Unsaid: no window says the value in any form (no model may support it)": table(silent),
        "Objections: the words of the claim stand in the source and something speaks against it": objections(),
    }
    return "\n\n".join(f"{title}\n\n{found}" for title, found in parts.items())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--overlap", type=float, default=CONFLICT_OVERLAP, help="share of a claim before a clash counts"
    )
    parser.add_argument("--examples", action="store_true", help="print every veto on an unchanged claim")
    chosen = parser.parse_args()
    print(report(chosen.overlap, examples=chosen.examples))


if __name__ == "__main__":
    main()
