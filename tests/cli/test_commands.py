"""Every command as a person or a script runs it: in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from grounded import Answer, IngestReport, Passage, Prompt, Report, verify
from grounded.cli import exits
from grounded.cli.app import run as run_here
from grounded.demo import handbook
from grounded.ingestion.parsers import ocr
from grounded.records import Status


def run(*arguments: str | Path, folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "GROUNDED_KB"}
    return subprocess.run(
        [sys.executable, "-m", "grounded", *map(str, arguments)],
        cwd=folder,
        env={**environment, "COLUMNS": "120"},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's handbook ingested into ./kb."""
    folder = tmp_path_factory.mktemp("shop")
    done = run("ingest", handbook(), "--json", folder=folder)
    assert done.returncode == exits.OK, done.stderr
    assert IngestReport.from_json(done.stdout).documents_added == 7
    return folder


def test_help_names_every_command(tmp_path: Path) -> None:
    shown = run("--help", folder=tmp_path).stdout
    for command in (
        "demo",
        "ingest",
        "search",
        "prompt",
        "ask",
        "verify",
        "cite",
        "review",
        "templates",
        "status",
        "doctor",
    ):
        assert command in shown


def test_version(tmp_path: Path) -> None:
    assert run("--version", folder=tmp_path).stdout.startswith("grounded-rag ")


def test_ask_answers_with_citations(shop: Path) -> None:
    done = run("ask", "How much is express delivery?", folder=shop)
    assert done.returncode == exits.OK
    assert "12 euros" in done.stdout
    assert "shipping" in done.stdout.lower()
    as_json = run("ask", "How much is express delivery?", "--json", folder=shop)
    assert Answer.from_json(as_json.stdout).answered


def test_ask_declines_with_its_own_exit_code(shop: Path) -> None:
    done = run("ask", "Who is the chief executive of the company?", folder=shop)
    assert done.returncode == exits.DECLINED
    assert "do not hold an answer" in done.stdout


def test_search_prompt_and_status_speak_json(shop: Path) -> None:
    found = json.loads(run("search", "warranty", "-k", "2", "--json", folder=shop).stdout)
    assert found["schema"] == 1
    assert len(found["passages"]) == 2
    assert Passage.from_dict(found["passages"][0]).text
    prompt = Prompt.from_json(run("prompt", "How long is the warranty?", "--json", folder=shop).stdout)
    assert prompt.passages
    status = Status.from_json(run("status", "--json", folder=shop).stdout)
    assert (status.documents, status.drifted) == (7, False)


def test_search_takes_filters(shop: Path) -> None:
    found = json.loads(run("search", "warranty", "--where", "product=kettle", "--json", folder=shop).stdout)
    assert {passage["title"] for passage in found["passages"]} == {"Warranty terms 2024", "Warranty terms 2026"}
    done = run("search", "warranty", "--where", "colour=red", folder=shop)
    assert done.returncode == exits.USAGE
    assert "product" in done.stderr


def test_metadata_given_at_ingest_is_found_with_the_same_words(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("The kettle boils.")
    assert run("ingest", "note.txt", "-m", "year=2024", folder=tmp_path).returncode == exits.OK
    found = run("search", "kettle", "-w", "year=2024", "--json", folder=tmp_path)
    assert "The kettle boils." in found.stdout, found.stderr


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("Our warranty lasts 24 months from delivery.", exits.OK),
        ("Our warranty lasts 12 months from delivery.", exits.UNSUPPORTED_CONTENT),
        ("Elephants cannot jump.", exits.UNSUPPORTED_CONTENT),
    ],
)
def test_verify_leaves_with_what_it_found(tmp_path: Path, answer: str, code: int) -> None:
    (tmp_path / "source.txt").write_text("Our warranty lasts 24 months from delivery.\n")
    done = run("verify", "-", "--against", "source.txt", "--json", folder=tmp_path, stdin=answer)
    assert done.returncode == code
    assert Report.from_json(done.stdout).text == answer


def test_verify_against_a_saved_prompt_and_as_a_page(shop: Path) -> None:
    (shop / "prompt.json").write_text(run("prompt", "What does express delivery cost?", "--json", folder=shop).stdout)
    done = run(
        "verify", "-", "--prompt", "prompt.json", "--html", "report.html",
        folder=shop, stdin="Express delivery costs 12 euros and arrives on the next working day.",
    )  # fmt: skip
    assert done.returncode in (exits.OK, exits.UNSUPPORTED_CONTENT)
    assert "Express delivery" in (shop / "report.html").read_text("utf-8")


def test_verify_prints_markdown(tmp_path: Path) -> None:
    (tmp_path / "source.txt").write_text("The fee is 12 euros.\n")
    done = run("verify", "-", "--against", "source.txt", "--markdown", folder=tmp_path, stdin="The fee is 9 euros.")
    assert done.returncode == exits.UNSUPPORTED_CONTENT
    assert done.stdout.startswith("# Verification report\n")
    assert "### 1. ✗ contradicted" in done.stdout


def test_a_person_may_review_a_saved_report(tmp_path: Path) -> None:
    place = tmp_path / "report.json"
    place.write_text(verify("The fee is 9 euros.", ["The fee is 12 euros."]).to_json(), encoding="utf-8")
    said = ("--claim", "1", "--verdict", "supported", "--by", "Ana", "--reason", "An older order.")
    done = run("review", "report.json", *said, folder=tmp_path)
    assert done.returncode == exits.OK, done.stderr
    assert "contradicted" in done.stdout
    assert "rejected by Ana" in done.stdout
    (review,) = Report.from_json(place.read_bytes()).claims[0].reviews
    assert (review.verdict, review.by, review.reason) == ("supported", "Ana", "An older order.")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_cite_writes_the_answer_with_its_markers(tmp_path: Path) -> None:
    (tmp_path / "source.md").write_text("Our warranty lasts 24 months from delivery.\n")
    answer = "Our warranty lasts 24 months from delivery. It is made of gold [1]."
    done = run("cite", "-", "--against", "source.md", "--style", "[title]", folder=tmp_path, stdin=answer)
    assert done.stdout == "Our warranty lasts 24 months from delivery [source.md]. It is made of gold.\n"
    assert done.returncode == exits.UNSUPPORTED_CONTENT
    done = run("cite", "-", "--against", "source.md", "--json", folder=tmp_path, stdin=answer)
    assert Report.from_json(done.stdout).text.startswith("Our warranty lasts 24 months from delivery [1].")
    assert run("cite", "-", "--against", "source.md", "--style", "x", folder=tmp_path).returncode == exits.USAGE


def test_templates_can_be_listed_and_shown(tmp_path: Path) -> None:
    assert "core/qa" in run("templates", "list", folder=tmp_path).stdout
    assert "source" in run("templates", "show", "core/qa", folder=tmp_path).stdout.lower()
    listed: list[dict[str, Any]] = json.loads(run("templates", "list", "--json", folder=tmp_path).stdout)["templates"]
    assert listed[0]["hash"]
    assert run("templates", "show", "no/such", folder=tmp_path).returncode != exits.OK


def test_doctor_checks_this_installation(tmp_path: Path) -> None:
    done = run("doctor", "--json", folder=tmp_path)
    document = json.loads(done.stdout)
    findings = document["findings"]
    assert document["schema"] == 1
    assert done.returncode == exits.OK, findings
    assert {"python", "grounded-rag", "embedding model", "knowledge base"} <= {each["subject"] for each in findings}


def test_demo_shows_the_catch_the_answers_and_the_refusal(tmp_path: Path) -> None:
    done = run("demo", folder=tmp_path)
    assert done.returncode == exits.OK, done.stderr
    for shown in ("contradicted", "12 euros", "page 2", "row 4", "do not hold an answer", "36 months"):
        assert shown in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_demo_speaks_json(tmp_path: Path) -> None:
    document = json.loads(run("demo", "--json", folder=tmp_path).stdout)
    assert document["schema"] == 1
    scanned = int(ocr.is_available())
    assert IngestReport.from_dict(document["ingest"]).documents_added == 7 + scanned
    assert Report.from_dict(document["catch"]).contradicted
    assert len([Answer.from_dict(each) for each in document["answers"]]) == 7 + scanned


def test_the_demo_says_why_a_scan_is_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tesserocr", None)  # as if it were not installed
    assert run_here(["demo"]) == exits.OK
    said = " ".join(capsys.readouterr().out.split())
    assert "Skipped: recall-notice.pdf is a scanned page" in said
    assert 'pip install "grounded-rag[ocr]"' in said
    assert "first Saturday" in said


def test_project_settings_are_found_upwards(shop: Path) -> None:
    below = shop / "deep" / "down"
    below.mkdir(parents=True)
    (shop / "grounded.toml").write_text('kb = "kb"\nk = 1\n')
    try:
        assert len(json.loads(run("search", "warranty", "--json", folder=below).stdout)["passages"]) == 1
        (shop / "grounded.toml").write_text("speed = 3\n")
        done = run("status", folder=below)
        assert done.returncode == exits.USAGE
        assert "speed" in done.stderr
        assert "sufficiency_threshold" in done.stderr
    finally:
        (shop / "grounded.toml").unlink()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("ask", "anything?"), exits.USAGE, "grounded ingest"),
        (("ingest", "no-such-folder"), exits.USAGE, "no-such-folder"),
        (("ingest", "gopher://old"), exits.USAGE, "files"),
        (("ask", " ", "--kb", "KB"), exits.USAGE, "empty"),
        (("ask", "q?", "--llm", "carrier-pigeon:x", "--kb", "KB"), exits.USAGE, "ollama"),
        (("verify", "missing.txt", "--against", "."), exits.USAGE, "missing.txt"),
        (("verify", "-"), exits.USAGE, "--against"),
        (("verify", "-", "--json", "--markdown"), exits.USAGE, "not as both"),
        (("review", "missing.json"), exits.USAGE, "missing.json"),
        (("no-such-command",), exits.USAGE, "no-such-command"),
    ],
)
def test_wrong_use_names_the_fix(shop: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    given = [str(shop / "kb") if argument == "KB" else argument for argument in arguments]
    done = run(*given, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_with_a_bad_file_leaves_with_five(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "good.txt").write_text("All is well.")
    (tmp_path / "docs" / "bad.pdf").write_bytes(b"%PDF-1.4 rubbish")
    done = run("ingest", "docs", folder=tmp_path)
    assert done.returncode == exits.PARTIAL_INGEST
    assert "bad.pdf" in done.stdout


def test_opened_twice_names_the_holder(shop: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; from grounded import KnowledgeBase\n"
         "kb = KnowledgeBase.open('kb'); print('open', flush=True); sys.stdin.read()"],
        cwd=shop, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        refused = run("search", "warranty", folder=shop)
        assert refused.returncode == exits.INTERNAL_ERROR
        assert str(holder.pid) in refused.stderr
        status = run("status", "--json", folder=shop)
        assert status.returncode == exits.OK
        assert Status.from_json(status.stdout).points is None
    finally:
        holder.communicate()
    assert run("search", "warranty", folder=shop).returncode == exits.OK


def test_ctrl_c_keeps_what_is_committed(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for number in range(3000):
        (tmp_path / "docs" / f"{number:04}.txt").write_text(f"Note {number}. " + f"It is about topic {number}. " * 30)
    process = subprocess.Popen(
        [sys.executable, "-m", "grounded", "ingest", "docs", "--json"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    ledger = tmp_path / "kb" / "ledger.sqlite"
    deadline = time.monotonic() + 60
    while not ledger.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == exits.INTERRUPTED, err
    report = IngestReport.from_json(out)
    assert report.interrupted
    status = Status.from_json(run("status", "--check", "--json", folder=tmp_path).stdout)
    assert status.documents == report.documents_added < 3000
    assert not status.drifted
