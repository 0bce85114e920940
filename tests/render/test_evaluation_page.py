"""The page of an experiment: hostile text stays text, places lead to their words, and a real browser shows it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from grounded import verify
from grounded.cli.app import _register_commands, app
from grounded.evaluation.packing import Packing
from grounded.records import Answer, Experiment, Gate, GateCheck, Passage
from grounded.render.evaluation import experiment_html
from grounded.render.evaluation_files import experiment_junit, experiment_markdown, experiment_sarif
from grounded.render.evaluation_words import needed_words
from tests.evaluation.made_up import experiment

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u202egp"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --virtual-time-budget=20000 --window-size=1280,900"
)


def parts(page: str) -> dict[str, Any]:
    found = re.findall(r'<script type="text/plain" data-part="([\w-]+)">([A-Za-z0-9+/=]+)</script>', page)
    return {name: json.loads(gzip.decompress(base64.b64decode(content))) for name, content in found}


def hostile() -> Experiment:
    """An experiment in which every text that comes from outside is an attack, with signs outside the first plane."""
    made = experiment(3)
    packing = Packing()
    passage = Passage.from_text(
        f"🫖 {HOSTILE} The kettle is blue 🫖 and light.", title=HOSTILE, uri="javascript:alert(1)"
    )
    answer = made.answer_of(made.trials[0])
    assert answer is not None
    report = verify(f"The kettle is blue 🫖 and light. {HOSTILE}", [passage])
    changed = {"text": report.text, "report": report, "passages": (passage,), "prompt": None, "notes": (HOSTILE,)}
    trial = packing.answered("q1", "plain", answer.model_copy(update=changed), values=made.trials[0].values)
    rows = (made.rows[0].model_copy(update={"question": HOSTILE, "tags": (HOSTILE,)}), *made.rows[1:])
    update = {"rows": rows, "trials": (trial,), "passages": tuple(packing.passages), "texts": (), "name": HOSTILE}
    return made.model_copy(update=update)


def browse(page: Path, profile: Path) -> str:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    command = [CHROMIUM, *FLAGS.split(), f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, timeout=120, check=True).stdout.decode("utf-8")


def test_the_policy_allows_our_script_alone_and_nothing_is_loaded() -> None:
    page = experiment_html(experiment(5))
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert "innerHTML" not in script[0]
    assert experiment_html(experiment(5)) == page


def test_hostile_text_is_escaped_everywhere() -> None:
    page = experiment_html(hostile())
    assert "<img" not in page
    assert page.count("<script>") == 1
    assert "\u202e" not in page
    assert "javascript:" not in json.dumps(parts(page))


def test_evidence_is_a_place_in_a_passage_counted_as_browsers_count() -> None:
    found = parts(experiment_html(hostile()))
    claims = found["rows-0"][0][0]["answer"]["claims"]
    evidence = claims[0]["evidence"][0]
    text = found["passages-0"][evidence["passage"]][0].encode("utf-16-le")
    assert "The kettle is blue 🫖" in text[2 * evidence["start"] : 2 * evidence["end"]].decode("utf-16-le")


def test_each_passage_stands_in_the_page_once_and_every_row_is_there() -> None:
    made = experiment(120)
    found = parts(experiment_html(made))
    assert len(found["passages-0"]) == len(made.passages) == 3
    assert [row["id"] for row in found["index"]["rows"]] == [row.id for row in made.rows]
    assert sum(len(found[name]) for name in found if name.startswith("rows-")) == 120
    trial = next(each for each in made.trials if each.messages)
    packed = found["rows-0"][0][0]
    pieces = [found["passages-0"][at][0] if at >= 0 else found["texts-0"][-at - 1] for at in packed["messages"][0][1]]
    assert "".join(pieces) == made.messages_of(trial)[0].content


def test_figures_link_to_their_rows_and_missing_ones_say_why() -> None:
    page = experiment_html(experiment(12))
    assert 'href="#rows?variant=1&amp;sort=groundedness"' in page
    assert 'href="#rows?variant=1&amp;against=0&amp;sort=latency&amp;order=difference"' in page
    assert "about 240 more questions needed" in page
    assert re.search(r"\d+ rows, \d+ failed", page)
    assert "AI system" in page


@pytest.mark.slow
def test_a_browser_shows_rows_and_no_attack_runs(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(experiment_html(hostile()), "utf-8")
    shown = browse(tmp_path / "page.html", tmp_path / "profile")
    assert "data-ready" in shown
    assert "<title>owned" not in shown
    assert "<img" not in shown
    assert 'class="claim supported"' in shown
    (tmp_path / "page.html").write_text(experiment_html(experiment(60)), "utf-8")
    shown = browse(tmp_path / "page.html", tmp_path / "profile")
    assert "60 of 60 rows" in shown
    assert "[object" not in shown
    assert 0 < shown.count('class="row"') < 40


@pytest.mark.slow
def test_a_person_filters_reads_labels_and_follows_a_figure(tmp_path: Path) -> None:
    page = experiment_html(experiment(30))
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)  # it forbids the script that drives
    drive = Path(__file__).with_name("drive.js").read_text("utf-8")
    (tmp_path / "page.html").write_text(page.replace("</body>", f"<script>{drive}</script></body>"), "utf-8")
    shown = re.search(r'data-log="([^"]*)"', browse(tmp_path / "page.html", tmp_path / "profile"))
    assert shown is not None
    found = shown[1].split("; ")
    contradicted = sum(t.answer is not None and t.answer.report is not None and bool(t.answer.report.contradicted)
                       for t in experiment(30).trials if t.variant == "plain")  # fmt: skip
    assert found[0] == f"contradicted: {contradicted} of 30 rows"
    assert found[1] == "found: 7 of 30 rows"
    assert found[2].startswith("focused: 29, drawn: ")
    assert int(found[2].rpartition(" ")[2]) < 30
    assert found[3:] == ["Save 1 label", "shown: strict", "named: true", "focus: strict", "row named: true, heads: 4",
                         "messages: 2", "back to: row", "labelled: 1 of 30 rows", "linked: delivery 1"]  # fmt: skip


@pytest.mark.slow
def test_five_thousand_rows_stay_small_and_open_fast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    measured = importlib.import_module("report_page")
    page = experiment_html(measured.large(5000))
    assert len(page.encode()) <= 15_000_000
    times = {}
    for name, content in (("one", experiment_html(experiment(1))), ("all", page)):
        (tmp_path / "page.html").write_text(content, "utf-8")
        started = time.perf_counter()
        assert "data-ready" in browse(tmp_path / "page.html", tmp_path / "profile")
        times[name] = time.perf_counter() - started
    # The machine may be busy; docs/performance.md has the figure.
    assert times["all"] - times["one"] < 8.0, times


def test_markdown_junit_and_sarif() -> None:
    made = hostile()
    check = GateCheck(
        kind="floor", variant="plain", metric="groundedness", passed=False, message="Too <low>.", rows=("q1",)
    )
    gate = Gate(variant="plain", checks=(check,))
    written = experiment_markdown(made, gate)
    assert "<script>" not in written.replace("\\", "\\\\")
    assert "✗ Too" in written
    suites = ElementTree.fromstring(experiment_junit(made, gate).encode())
    assert [suite.get("name") for suite in suites] == ["gate for plain", "plain", "strict"]
    assert [suite.get("failures") for suite in suites] == ["1", "0", "0"]
    assert suites[0][0][0].get("message") == "Too <low>."
    alone = ElementTree.fromstring(experiment_junit(experiment(12)).encode())
    assert int(alone[0].get("failures", "0")) > 0
    assert int(alone[0].get("errors", "0")) == 1
    found = json.loads(experiment_sarif(experiment(12), gate, dataset="tests/questions.jsonl"))
    results = found["runs"][0]["results"]
    assert {each["ruleId"] for each in results} == {"contradicted", "unsupported", "no_answer", "gate"}
    place = results[0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "tests/questions.jsonl"}, "region": {"startLine": 2}}


def test_the_command_writes_what_it_is_asked_for(tmp_path: Path) -> None:
    _register_commands()
    saved = tmp_path / "experiment.json"
    saved.write_text(experiment(4).to_json(), "utf-8")
    files = [tmp_path / name for name in ("a.html", "a.md", "a.xml", "a.sarif")]
    options = [
        each
        for pair in zip(("--html", "--markdown", "--junit", "--sarif"), map(str, files), strict=True)
        for each in pair
    ]
    done = CliRunner().invoke(app, ["report", str(saved), *options])
    assert (done.exit_code, done.output) == (0, "")
    assert all(each.stat().st_size for each in files)
    done = CliRunner().invoke(app, ["report", str(saved)])
    assert "2 variants on 4 questions" in done.output
    assert CliRunner().invoke(app, ["report", str(tmp_path / "none.json")]).exit_code == 2


def test_answers_without_report_or_prompt_are_shown() -> None:
    made = experiment(9)
    found = parts(experiment_html(made))
    declined = found["rows-0"][8][0]
    assert isinstance(made.trials[16].answer, Answer)
    assert declined["answer"]["pieces"] == [["The sources do not hold an answer.", None]]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, ""),
        (0, ""),
        (1, "about 1 more question needed"),
        (1240, "about 1,240 more questions needed"),
        (4_264_832, "more than 10,000 more questions needed"),
    ],
)
def test_how_many_more_questions_in_words(count: int | None, words: str) -> None:
    assert needed_words(count) == words
