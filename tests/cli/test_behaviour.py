"""What a person or a script meets when something is not as it should be."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from grounded import Prompt, Report
from grounded.cli import exits
from grounded.cli.ingest import STOPPING, _progress
from grounded.ingestion.sync import Progress
from grounded.records import Status


def run(*arguments: str | Path, folder: Path, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "GROUNDED_KB"}
    return subprocess.run(
        [sys.executable, "-m", "grounded", *map(str, arguments)],
        cwd=folder,
        env={**environment, "COLUMNS": "200", **more},
        input=stdin,
        capture_output=True,
        encoding=more.get("PYTHONIOENCODING", "utf-8"),
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "docs").mkdir()
    (folder / "docs" / "kettle.txt").write_text("The kettle costs 49 euros – with tax.", encoding="utf-8")
    assert run("ingest", "docs", folder=folder).returncode == exits.OK
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source.txt").write_text("The kettle costs 49 euros – with tax.", encoding="utf-8")
    return tmp_path


def test_a_page_that_cannot_be_written_is_one_line(source: Path) -> None:
    done = run("verify", "-", "--against", "source.txt", "--html", "no/x.html", folder=source, stdin="It is red.")
    assert done.returncode == exits.INTERNAL_ERROR
    assert done.stderr == "no/x.html: No such file or directory.\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("form", [("--json",), ()])
def test_a_full_disk_is_one_line(source: Path, form: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "grounded", "verify", "-", "--against", "source.txt", *form],
            cwd=source, input="The kettle costs 49 euros.", stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == exits.INTERNAL_ERROR
    assert "No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_during_the_first_imports_leaves_without_a_traceback() -> None:
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from grounded.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (exits.INTERRUPTED, "")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_any_encoding_of_the_terminal_will_do(source: Path, encoding: str) -> None:
    arguments = ("verify", "-", "--against", "source.txt")
    done = run(*arguments, folder=source, stdin="The kettle costs 49 euros.", PYTHONIOENCODING=encoding)
    assert done.returncode == exits.OK, done.stderr
    assert "supported" in done.stdout
    as_json = run(*arguments, "--json", folder=source, stdin="The kettle costs 49 euros.", PYTHONIOENCODING=encoding)
    assert Report.from_json(as_json.stdout).claims[0].evidence[0].text.endswith("– with tax.")
    assert as_json.stdout.isascii()


def test_status_reads_the_ledger_and_checks_when_asked(shop: Path, tmp_path: Path) -> None:
    broken = tmp_path / "kb"
    shutil.copytree(shop / "kb", broken)
    shutil.rmtree(broken / "shard")
    plain = run("status", "--json", "--kb", broken, folder=tmp_path)
    assert (plain.returncode, Status.from_json(plain.stdout).points) == (exits.OK, None)
    assert not (broken / "shard").exists()
    checked = run("status", "--check", "--kb", broken, folder=tmp_path)
    assert checked.returncode == exits.PARTIAL_INGEST
    assert "disagree" in checked.stdout
    whole = run("status", "--check", "--json", folder=shop)
    assert (whole.returncode, Status.from_json(whole.stdout).points) == (exits.OK, 1)


def test_shared_options_may_stand_after_the_command(shop: Path) -> None:
    asked = run("ask", "How much is the kettle?", "--on", "2026-01-01", "--wait", "1", "-v", folder=shop)
    assert asked.returncode == exits.OK, asked.stderr
    built = run("prompt", "How much is the kettle?", "--on", "2026-01-01", "--wait", "1", "--verbose", folder=shop)
    assert built.returncode == exits.OK, built.stderr
    again = run("ingest", "docs", "--max-retire-share", "0.5", "--wait", "1", folder=shop)
    assert again.returncode == exits.OK, again.stderr


@pytest.mark.parametrize(
    "arguments",
    [("search", "kettle", "-k", "0"), ("ingest", "docs", "--max-retire-share", "2"), ("status", "--wait", "-1")],
)
def test_a_number_out_of_range_is_wrong_use(shop: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, folder=shop)
    assert done.returncode == exits.USAGE
    assert "Invalid value" in done.stderr


@pytest.mark.parametrize("wrong", [("nope",), ("gopher://old",), (".", "-m", "year")])
def test_wrong_sources_leave_no_knowledge_base_behind(tmp_path: Path, wrong: tuple[str, ...]) -> None:
    assert run("ingest", *wrong, folder=tmp_path).returncode == exits.USAGE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", ["", " \n", "<think>The kettle is red.</think>"])
def test_an_empty_answer_is_a_failed_check(source: Path, answer: str) -> None:
    done = run("verify", "-", "--against", "source.txt", folder=source, stdin=answer)
    assert done.returncode == exits.CHECK_FAILED
    assert "empty" in done.stderr


def test_an_answer_that_states_nothing_says_so(source: Path) -> None:
    done = run("verify", "-", "--against", "source.txt", folder=source, stdin="I cannot help with that.")
    assert done.returncode == exits.OK
    assert "nothing that could be checked" in done.stderr


def test_a_source_that_cannot_be_read_is_named_and_fails_closed(source: Path) -> None:
    (source / "bad.pdf").write_bytes(b"%PDF-1.4 rubbish")
    done = run(
        "verify", "-", "--against", ".", "--json", folder=source, stdin="The kettle costs 49 euros – with tax [2]."
    )
    assert done.returncode == exits.CHECK_FAILED
    assert "bad.pdf could not be read" in done.stderr
    report = Report.from_json(done.stdout)
    assert report.citations[0].status == "correct"
    assert any("bad.pdf" in warning for warning in report.warnings)


def test_a_home_folder_in_the_settings_is_found(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "grounded.toml").write_text('kb = "~/kb"\n')
    done = run("status", "--json", folder=tmp_path, HOME=str(shop), USERPROFILE=str(shop))
    assert Status.from_json(done.stdout).documents == 1, done.stderr


def test_doctor_tells_sizes_and_prints_to_an_ascii_terminal(tmp_path: Path) -> None:
    done = run("doctor", "--no-network", "--json", folder=tmp_path)
    (size,) = [each for each in json.loads(done.stdout)["findings"] if each["subject"] == "package size"]
    whole, models = (float(word) for word in size["message"].split() if word[0].isdigit())
    assert whole > models > 10
    assert "ok " in run("doctor", "--no-network", folder=tmp_path, PYTHONIOENCODING="ascii").stdout


def test_the_bar_takes_any_file_name_and_says_that_it_stops() -> None:
    shown = io.StringIO()
    with _progress(Console(file=shown, force_terminal=True, width=100)) as (advance, stopping):
        advance(Progress(done=1, total=2, document="[/red] notes.txt", chunks=1))
        time.sleep(0.3)
        stopping()
        advance(Progress(done=2, total=2, document="b.txt", chunks=2))
    assert "[/red] notes.txt" in shown.getvalue()
    assert "Stopping" in shown.getvalue()
    assert "b.txt" not in shown.getvalue()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_says_that_it_is_stopping(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for number in range(3000):
        (tmp_path / "docs" / f"{number}.txt").write_text(f"Note {number}. " + f"It is about topic {number}. " * 30)
    process = subprocess.Popen(
        [sys.executable, "-m", "grounded", "ingest", "docs"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "kb" / "ledger.sqlite").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == exits.INTERRUPTED
    assert STOPPING in err


def test_a_prompt_takes_variables_history_summary_and_tools(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text(
        '[{"role": "user", "content": "Which kettles are there?"}]', encoding="utf-8"
    )
    (tmp_path / "tools.json").write_text('[{"type": "function", "function": {"name": "look"}}]', encoding="utf-8")
    options = ("--var", "organisation=Acme", "--history", "history.json", "--summary", "Kettles were the matter.")
    sizes = ("--tools", "tools.json", "--encoding", "o200k_base", "--reserve", "300", "--question-position", "both")
    kb = ("--kb", str(shop / "kb"), "--json")
    done = run("prompt", "What does it cost?", *options, *sizes, *kb, folder=tmp_path)
    assert done.returncode == exits.OK, done.stderr
    prompt = Prompt.from_json(done.stdout)
    assert "Acme" in prompt.messages[0].content
    assert "Kettles were the matter." in prompt.messages[1].content
    assert prompt.messages[2].content == "Which kettles are there?"
    assert prompt.messages[-1].content.count("What does it cost?") == 2
    assert (prompt.budget.reserved, prompt.budget.parts["tools"] > 0) == (300, True)
    (tmp_path / "object.json").write_text("{}", encoding="utf-8")
    for wrong, says in (
        (("--var", "colour=red"), "sets no variable"),
        (("--history", "none.json"), "none.json, the history, cannot be read"),
        (("--tools", "object.json"), "object.json, the tools, holds no list"),
    ):
        failed = run("prompt", "What does it cost?", *wrong, *kb, folder=tmp_path)
        assert failed.returncode == exits.USAGE, failed.stderr
        assert says in failed.stderr
