"""All figures of docs/verification.md in one run, as tables in Markdown.

    python benchmarks/scoreboard.py ../shared/data/groundedness [--claims 80] [--edits 30] [--only scores thresholds]
                                    [--write docs/verification.md --plot docs/verification-calibration.svg]

With the sizes given it takes about ten minutes on two cores. ``--write`` puts each table between the comments that bear
the section's name in a page, ``<!-- scores -->`` and ``<!-- /scores -->``, with the command, the sizes and the day.
Sections: ``scores``, ``thresholds``, ``adversarial``, ``calibration``, ``checks``, ``streaming``, ``cost`` (only where
torch and transformers are installed) and ``judge`` (only with ``--replies``). Each is a benchmark of its own as well,
and says by which command.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "verifier"))
import calibration
import verification

from grounded.verification import Thresholds, Verifier
from grounded.verification.remembering import Remembering

THRESHOLDS = (0.3, 0.5, 0.7, 0.9)


def scores(options: argparse.Namespace, verifier: Verifier) -> str:
    """Balanced accuracy set by set, beside the floors, and what becomes of answers of five claims."""
    lines = [
        "| set | kind | claims | balanced accuracy | area | overlap, best threshold | embedding, best threshold "
        "| right among those called supported | answers flagged: right, one wrong | evidence touches gold |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    found = []
    for name, kind in verification.SETS.items():
        rows = verification.sampled(options.root, name, options.claims)
        each = verification.measure(name, rows, verifier, floors=True)
        found.append(each)
        precision, gold = each["precision_of_supported"], each.get("evidence_touches_gold")
        lines.append(
            f"| {name} | {kind} | {each['claims']} | {each['balanced_accuracy']:.1f} "
            f"[{each['low']:.1f}, {each['high']:.1f}] | {each['area']:.1f} | {each['overlap']:.1f} "
            f"| {each['embedding']:.1f} | {'–' if precision is None else f'{precision:.0f} %'} "
            f"of {each['called_supported']} | {each['right_answers_flagged']:.0f} %, "
            f"{each['wrong_answers_flagged']:.0f} % | {'–' if gold is None else f'{gold:.0f} %'} |"
        )
    means = {
        key: float(np.mean([each[key] for each in found])) for key in ("balanced_accuracy", "overlap", "embedding")
    }
    spent = float(np.mean([each["cpu_ms_per_claim"] for each in found]))
    lines.append(f"| mean | | | {means['balanced_accuracy']:.1f} | | {means['overlap']:.1f} "
                 f"| {means['embedding']:.1f} | | | |")  # fmt: skip
    return "\n".join([*lines, "", f"{spent:.0f} ms of processor time a claim, sources read anew for each."])


def thresholds(options: argparse.Namespace, verifier: Verifier) -> str:
    """What a lower or higher threshold does, means over the sets."""
    lines = [
        "| `Thresholds(support=…)` | balanced accuracy | right claims called supported | wrong claims called supported "
        "| answers of five right claims flagged | answers with one wrong of five flagged |",
        "|---|---|---|---|---|---|",
    ]
    model = Remembering(verifier.model, most=10**6)
    rows = {name: verification.sampled(options.root, name, options.claims) for name in verification.SETS}
    for least in THRESHOLDS:
        strict = Verifier(model, thresholds=Thresholds(support=least))
        found = [verification.measure(name, own, strict, floors=False) for name, own in rows.items()]
        means = [
            float(np.mean([each[key] for each in found]))
            for key in (
                "balanced_accuracy",
                "recall",
                "false_support",
                "right_answers_flagged",
                "wrong_answers_flagged",
            )
        ]
        lines.append(f"| {least} | {means[0]:.1f} | " + " | ".join(f"{mean:.0f} %" for mean in means[1:]) + " |")
    return "\n".join(lines)


def adversarial(options: argparse.Namespace, verifier: Verifier) -> str:
    """False support of small edits of true claims, over all three kinds of text."""
    import adversarial as edits

    lines = ["| edit | supported | share | 95 % interval | aim |", "|---|---|---|---|---|"]
    for each in edits.figures(edits.measure(verifier, options.edits, 1, examples=False)):
        if each["data"] == "all" and each["total"]:
            sign = "≥" if each["kind"] == "unchanged" else "<"
            lines.append(
                f"| {each['kind']} | {each['supported']} of {each['total']} | {100 * each['share']:.1f} % "
                f"| {100 * each['low']:.1f}–{100 * each['high']:.1f} % | {sign} {100 * each['aim']:.0f} % |"
            )
    return "\n".join(lines)


def calibrated(options: argparse.Namespace, verifier: Verifier) -> str:
    """The error of probabilities on held-out claims, and the plot where one is asked for."""
    return calibration.table(options.root, options.calibration, verifier, options.scores, options.plot)


def checked(options: argparse.Namespace, verifier: Verifier) -> str:
    """The precision of the rules."""
    import checks

    return checks.report()


def printed(module: str, arguments: Sequence[str] = ()) -> str:
    """What a benchmark prints."""
    kept, sys.argv = sys.argv, [module, *arguments]
    try:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            __import__(module).main()
    finally:
        sys.argv = kept
    return out.getvalue().strip()


def cost(options: argparse.Namespace, verifier: Verifier) -> str:
    """Processor time beside published architectures."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None:
        return ""
    return "\n".join(f"- {line}" for line in printed("architectures").splitlines())


def streamed(options: argparse.Namespace, verifier: Verifier) -> str:
    """How soon verdicts come."""
    return printed("streaming")


def judged(options: argparse.Namespace, verifier: Verifier) -> str:
    """Agreement with a language model, from kept replies."""
    if options.replies is None:
        return ""
    return printed("judge", [str(options.root), "--replies", str(options.replies)])


NEEDS = {"cost": "torch and transformers", "judge": "the replies of a language model, --replies FILE"}
SECTIONS: dict[str, tuple[str, Callable[[argparse.Namespace, Verifier], str]]] = {
    "scores": ("verification.py DATA --per-set {claims}", scores),
    "thresholds": ("scoreboard.py DATA --only thresholds --claims {claims}", thresholds),
    "adversarial": ("adversarial.py --verifier default --per-set {edits}", adversarial),
    "calibration": ("calibration.py DATA --claims {calibration}", calibrated),
    "checks": ("checks.py", checked),
    "streaming": ("streaming.py", streamed),
    "cost": ("architectures.py", cost),
    "judge": ("judge.py DATA --replies FILE", judged),
}


def main() -> None:
    """Measure and print, a section at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="the folder of the labelled sets")
    parser.add_argument("--claims", type=int, default=80, help="of each of seven sets")
    parser.add_argument("--edits", type=int, default=30, help="base claims of each of three kinds of text")
    parser.add_argument("--calibration", type=int, default=600, help="claims of each of two sets")
    parser.add_argument("--scores", type=Path, help="where the scores for the calibration are kept")
    parser.add_argument("--plot", type=Path, help="write the calibration plot there, as SVG")
    parser.add_argument("--write", type=Path, help="the page whose tables are to be replaced")
    parser.add_argument("--replies", type=Path, help="kept replies of benchmarks/judge.py")
    parser.add_argument("--only", nargs="*", choices=list(SECTIONS), default=list(SECTIONS), metavar="SECTION")
    options = parser.parse_args()
    # The benchmarks of edits find the sets by the environment.
    os.environ.setdefault("GROUNDED_DATA", str(options.root.resolve().parent))
    verifier = Verifier()
    made = f"{verifier.ref.name} {verifier.ref.version}, {datetime.now(UTC):%-d %B %Y}"
    for name in options.only:
        command, section = SECTIONS[name]
        started = time.process_time()
        found = section(options, verifier)
        if not found:
            print(f"\n### {name}\n\n# not measured: it needs {NEEDS[name]}", flush=True)
            continue
        shown = f"{found}\n\n`python benchmarks/{command.format(**vars(options))}` ({made})"
        print(f"\n### {name}\n\n{shown}\n\n# {time.process_time() - started:.0f} s of processor time", flush=True)
        if options.write is not None and f"<!-- {name} -->" in options.write.read_text("utf-8"):
            options.write.write_text(with_section(options.write.read_text("utf-8"), name, shown), "utf-8")


def with_section(page: str, name: str, shown: str) -> str:
    """The page with other words between the comments of a section."""
    before, opening, rest = page.partition(f"<!-- {name} -->\n")
    _, closing, after = rest.partition(f"<!-- /{name} -->")
    return f"{before}{opening}{shown}\n{closing}{after}"


if __name__ == "__main__":
    main()
