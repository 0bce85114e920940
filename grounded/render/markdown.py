"""A report as Markdown; foreign text is escaped, so that it cannot become markup."""

from __future__ import annotations

import re

from grounded.records import Claim, Report
from grounded.render.common import SYMBOLS, WORDS, on_one_line, summary

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$<>&-])|(?<=\d)(\.)(?=\s)|(:)(?=//)|(?<=\bwww)(\.)")


def report_markdown(report: Report, *, title: str = "Verification report") -> str:
    """The report as a Markdown document: figures, then each claim with its verdict, evidence and citations."""
    lines = [f"# {_text(title)}", ""]
    lines += [f"- **{_text(label)}:** {_text(value)}" for label, value in summary(report)]
    lines += [f"- **Warning:** {_text(warning)}" for warning in report.warnings]
    checked = [claim for claim in report.claims if claim.verdict != "not_a_claim"]
    lines += ["", "## Claims", ""]
    for number, claim in enumerate(checked, start=1):
        lines += _claim(claim, number)
    if not checked:
        lines += ["There is nothing to check.", ""]
    lines += ["## Sources", ""]
    lines += [f"{number}. {_text(passage.place())}" for number, passage in enumerate(report.passages, start=1)]
    return "\n".join(lines).rstrip() + "\n"


def _claim(claim: Claim, number: int) -> list[str]:
    conflict = " (sources disagree)" if claim.conflict else ""
    lines = [f"### {number}. {SYMBOLS[claim.verdict]} {WORDS[claim.verdict]}{conflict}", "", _text(claim.text), ""]
    if claim.reason:
        lines += [f"*{_text(claim.reason)}*", ""]
    lines += [f"- {SYMBOLS[part.verdict]} {WORDS[part.verdict]}: {_text(part.text)}" for part in claim.parts]
    for evidence in claim.evidence:
        lines += [f"> {_text(evidence.text)}", ">", f"> {evidence.relation}: {_text(evidence.place())}", ""]
    lines += [f"- {_text(c.marker)}: {c.status.replace('_', ' ')}" for c in claim.citations]
    return [*lines, ""] if lines[-1] else lines


def _text(text: str) -> str:
    return _SPECIAL.sub(lambda match: "\\" + match.group(), on_one_line(text))
