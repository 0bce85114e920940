"""An experiment for other programs: a Markdown summary, JUnit XML for test reports, SARIF for code scanning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from grounded.records import Claim, Experiment, Gate, Trial, Verdict
from grounded.render.common import NOTICE, WORDS, on_one_line, why
from grounded.render.evaluation_charts import between, change_of, with_interval
from grounded.render.evaluation_words import conclusions, finding_words, headline, scope
from grounded.render.markdown import escaped

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_DOUBTFUL: tuple[Verdict, ...] = ("contradicted", "unsupported", "check_failed")
_LEVELS = {"contradicted": "error", "unsupported": "warning", "check_failed": "error", "no_answer": "error"}
_RULES = {
    "contradicted": "A source says otherwise.",
    "unsupported": "No source says it.",
    "check_failed": "A claim could not be checked.",
    "no_answer": "There is no answer, because something failed.",
    "gate": "A check of the gate did not pass.",
}
_WORST_ROWS = 10
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def experiment_markdown(experiment: Experiment, gate: Gate | None = None) -> str:
    """A summary: what was found, the gate, figures by variant, differences, and the rows that most need a look."""
    lines = [f"# {escaped(experiment.name)}", "", f"**{escaped(headline(experiment))}**", ""]
    lines += [f"- {escaped(each)}" for each in conclusions(experiment)]
    if gate is not None:
        lines += ["", "## Gate", "", f"**{'Passed' if gate.passed else 'Failed'}** for {escaped(gate.variant)}.", ""]
        lines += [f"- {'✓' if each.passed else '✗'} {escaped(each.message)}" for each in gate.checks]
    names = [variant.name for variant in experiment.variants]
    lines += ["", "## Variants", "", _md_row(["Metric", *names]), _md_row(["---"] * (1 + len(names)), raw=True)]
    for card in experiment.metrics:
        found = (experiment.summary(name, card.name) for name in names)
        lines.append(_md_row([card.title, *("–" if each is None else with_interval(each, card) for each in found)]))
    shown = [each for each in experiment.comparisons if not each.tag]
    if shown:
        heads = ["Metric", "Variants", "Finding", "Difference (95 %)"]
        lines += ["", "## Differences", "", _md_row(heads), _md_row(["---"] * 4, raw=True)]
    for each in shown:
        known = experiment.card(each.metric)
        ends = between(each.low, each.high, known)
        change = change_of(each.difference, known) + (f" ({ends})" if ends else "")
        title = (known.title if known else each.metric) + (" (claims)" if each.level == "claim" else "")
        lines.append(_md_row([title, f"{each.second} against {each.first}", finding_words(each), change]))
    worst = list(_worst(experiment))[:_WORST_ROWS]
    if worst:
        lines += ["", "## Rows that need a look", ""]
    for trial, claim in worst:
        said = f"“{on_one_line(claim.text)[:160]}” {WORDS[claim.verdict]}{f': {why(claim)}' if why(claim) else ''}"
        lines.append(f"- {escaped(trial.row)}, {escaped(trial.variant)}: {escaped(said)}")
    return "\n".join([*lines, "", escaped(scope(experiment)), "", f"*{NOTICE}*", ""])


def experiment_junit(experiment: Experiment, gate: Gate | None = None) -> str:
    """JUnit XML: a suite for the gate with a case for each check, and one for each variant with a case for each row.

    A row fails when one of its claims is contradicted or unsupported, and is an error when it has no answer or a claim
    could not be checked. With a gate the gate alone fails: rows that do not weigh in it are only written out.
    """
    root = ElementTree.Element("testsuites", name=_xml(experiment.name))
    if gate is not None:
        suite = ElementTree.SubElement(root, "testsuite", name=_xml(f"gate for {gate.variant}"))
        for number, check in enumerate(gate.checks, start=1):
            named = " ".join(filter(None, (f"{number}:", check.kind, check.metric)))
            case = ElementTree.SubElement(suite, "testcase", classname="gate", name=_xml(named))
            if not check.passed:
                failure = ElementTree.SubElement(case, "failure", message=_xml(check.message))
                failure.text = _xml(f"{check.message}\nRows: {', '.join(check.rows) or 'none named'}")
        _count(suite)
    for variant in experiment.variants:
        suite = ElementTree.SubElement(root, "testsuite", name=_xml(variant.name))
        for trial in (each for each in experiment.trials if each.variant == variant.name):
            case = ElementTree.SubElement(suite, "testcase", classname=_xml(variant.name), name=_xml(trial.row))
            if trial.seconds is not None:
                case.set("time", f"{trial.seconds:.3f}")
            _outcome(case, trial, fails=gate is None)
        _count(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def experiment_sarif(experiment: Experiment, gate: Gate | None = None, *, dataset: str = "") -> str:
    """SARIF 2.1.0: every claim that is contradicted, unsupported or unchecked, rows without an answer, failed checks.

    Args:
        experiment: What to report.
        gate: What the gate found, if it was asked.
        dataset: Path of the data set's file, relative to the repository, for the places of results; its name when
            left out. A row stands on the line of its number, as in JSON Lines.
    """
    place = dataset or experiment.dataset.name
    lines = {row.id: number for number, row in enumerate(experiment.rows, start=1)}
    results = [
        _result(claim.verdict, f"{trial.variant}, {trial.row}: {_told(claim)}", place, lines[trial.row])
        for trial, claim in _worst(experiment)
    ]
    results += [
        _result("no_answer", f"{each.variant}, {each.row}: {each.problem.message}", place, lines[each.row])
        for each in experiment.trials
        if each.problem is not None
    ]
    for check in gate.failed if gate is not None else ():
        at = next((lines[row] for row in check.rows if row in lines), 1)
        results.append(_result("gate", check.message, place, at))
    name, _, version = experiment.software.partition(" ")
    rules = [{"id": name, "shortDescription": {"text": text}} for name, text in _RULES.items()]
    driver = {"name": name or "grounded-rag", "version": version, "rules": rules}
    document = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _worst(experiment: Experiment) -> Iterator[tuple[Trial, Claim]]:
    """Doubtful claims with their trials, worst verdict first, then in order."""
    for verdict in ("contradicted", "check_failed", "unsupported"):
        for trial in experiment.trials:
            report = trial.answer.report if trial.answer is not None else None
            yield from ((trial, claim) for claim in (report.claims if report else ()) if claim.verdict == verdict)


def _outcome(case: ElementTree.Element, trial: Trial, *, fails: bool) -> None:
    if trial.problem is not None:
        problem = trial.problem
        text = f"{problem.error}: {problem.message} {problem.fix}".rstrip()
        ElementTree.SubElement(case, "error", message=_xml(on_one_line(text)))
        return
    report = trial.answer.report if trial.answer is not None else None
    doubtful = [claim for claim in (report.claims if report else ()) if claim.verdict in _DOUBTFUL]
    if not doubtful:
        return
    told = "\n".join(map(_told, doubtful))
    unchecked = any(claim.verdict == "check_failed" for claim in doubtful)
    if fails:
        kind = "error" if unchecked else "failure"
        ElementTree.SubElement(case, kind, message=_xml(_told(doubtful[0]))).text = _xml(told)
    else:
        ElementTree.SubElement(case, "system-out").text = _xml(told)


def _count(suite: ElementTree.Element) -> None:
    cases = list(suite)
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", str(sum(case.find("error") is not None for case in cases)))


def _told(claim: Claim) -> str:
    reason = why(claim)
    return f"“{on_one_line(claim.text)}” {WORDS[claim.verdict]}{f': {on_one_line(reason)}' if reason else ''}"


def _result(rule: str, text: str, place: str, line: int) -> dict[str, Any]:
    where = {"artifactLocation": {"uri": place}, "region": {"startLine": line}}
    level = _LEVELS.get(rule, "error")
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": on_one_line(text)},
        "locations": [{"physicalLocation": where}],
    }


def _md_row(cells: list[str], *, raw: bool = False) -> str:
    return f"| {' | '.join(cells if raw else map(escaped, cells))} |"


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
