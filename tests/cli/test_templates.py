"""``grounded templates`` from first look to pinned label."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from grounded import Prompt
from grounded.cli import exits
from grounded.cli.app import run
from tests.prompting.packs import starter


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def say(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = exits.OK) -> str:
    """What a command prints; errors when it is to fail."""
    done = run(["templates", *arguments])
    out, err = capsys.readouterr()
    assert done == code, err
    return out if code in (exits.OK, exits.GATE_FAILED) else err


def say_json(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = exits.OK) -> Any:
    return json.loads(say(capsys, *arguments, "--json", code=code))


def test_from_new_to_tested(capsys: pytest.CaptureFixture[str]) -> None:
    assert "acme/pack.toml" in say(capsys, "new", "acme")
    assert "nothing found" in say(capsys, "lint", "acme")
    assert "4 of 4 cases passed" in say(capsys, "test", "acme")
    shown = say(capsys, "show", "acme")
    assert "audience (string, default 'customers')" in shown
    assert "is not empty" in say(capsys, "new", "acme", code=exits.USAGE)


def test_render_shows_messages_and_costs(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "hours.txt").write_text("The shop opens at 9:00.\n", encoding="utf-8")
    arguments = ("render", "core/qa", "--source", "hours.txt", "--question", "When?", "--nonce", "abcdefgh")
    shown = say(capsys, *arguments, "--var", "today=2026-03-01")
    for text in ("<sources-abcdefgh>", "opens at 9:00", "Question: When?", "guardrail-harm", "Today is 2026-03-01"):
        assert text in shown
    content = say_json(capsys, *arguments)
    prompt = Prompt.from_dict(content)
    assert prompt.passages[0].text.startswith("The shop opens")
    static = [each["tokens"] for each in content["components"] if each["kind"] not in ("evidence", "task")]
    # Joining components costs nothing: their tokens add up to the system message's.
    assert abs(sum(static) - prompt.budget.parts["system"]) <= len(static)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--var", "tone=kind"), "sets no variable"),
        (("--var", "today"), "NAME=VALUE"),
        (("--var", "today=soon"), "no date"),
    ],
)
def test_variables_are_checked(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str) -> None:
    assert says in say(capsys, "render", "core/qa", *arguments, code=exits.USAGE)


def test_lint_leaves_with_seven_on_errors_only(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    starter(folder / "warned", pack=(', "examples"', ""))
    assert "missing-component" in say(capsys, "lint", "warned")
    starter(folder / "broken", rules=("Nobody", "Use your own knowledge as well. Nobody"))
    found = say_json(capsys, "lint", "warned", "broken", code=exits.GATE_FAILED)["templates"]
    assert [each["rule"] for each in found["broken"]] == ["contradiction"]
    assert found["broken"][0]["place"].startswith("broken/rules.md:")


def test_diff(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    starter(folder / "acme")
    starter(folder / "later" / "acme", rules=("Do not guess", "Never guess"))
    shown = say(capsys, "diff", "acme", "later/acme")
    assert "-**Stay with the sources.** Do not guess" in shown
    assert "+**Stay with the sources.** Never guess" in shown
    assert "A model reads the same." in say(capsys, "diff", "core/qa", "core/qa")
    assert say_json(capsys, "diff", "acme", "later/acme")["changed"] is True


def test_diff_of_a_changed_copy_of_an_installed_pack(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    core = Path(str(resources.files("grounded_templates.core")))
    shutil.copytree(core, folder / "core", ignore=shutil.ignore_patterns("__pycache__"))
    profile = folder / "core" / "qa" / "profile.j2"
    profile.write_text(profile.read_text("utf-8") + "\nBe kind.\n", encoding="utf-8")
    assert "+Be kind." in say(capsys, "diff", "core/qa", "core#qa")
    # To answer with it would leave two templates of one name and version.
    assert "as is an installed one that differs" in say(capsys, "render", "core#qa", code=exits.INTERNAL_ERROR)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_diff_since_a_revision(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *who, *arguments], check=True, capture_output=True, cwd=folder)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "before the pack")
    starter(folder / "packs" / "acme")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    rules = folder / "packs" / "acme" / "rules.md"
    rules.write_text(rules.read_text("utf-8").replace("Do not guess", "Never guess"), encoding="utf-8")
    shown = say(capsys, "diff", "packs/acme", "--since", "HEAD")
    assert "-**Stay with the sources.** Do not guess" in shown
    assert "+**Stay with the sources.** Never guess" in shown
    assert "git has no 'HEAD~1'" in say(capsys, "diff", "packs/acme", "--since", "HEAD~1", code=exits.USAGE)
    assert "git has no 'v9'" in say(capsys, "diff", "packs/acme", "--since", "v9", code=exits.USAGE)
    assert "There is no '--help'" in say(capsys, "diff", "packs/acme", "--since=--help", code=exits.USAGE)
    assert "Two templates" in say(capsys, "diff", "packs/acme", code=exits.USAGE)


def test_a_template_whose_case_fails(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    starter(folder / "acme", format=("{{ no_answer }}", "No."), examples=("{{ no_answer }}", "No."))
    shown = say(capsys, "test", "acme", code=exits.GATE_FAILED)
    assert "0 of 4 cases passed" in shown
    assert "does not hold the phrase" in shown
    (folder / "acme" / "cases" / "answers.toml").unlink()
    assert "ships no test cases" in say(capsys, "test", "acme", code=exits.USAGE)


def test_pin_and_use_a_label(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    say(capsys, "pin", "core/qa", "--label", "production", "--reason", "First release.", "--who", "Ada")
    assert say_json(capsys, "show", "core/qa@production")["name"] == "core/qa"
    assert "no label 'candidate'" in say(capsys, "show", "core/qa@candidate", code=exits.INTERNAL_ERROR)
    assert "is not installed" in say(capsys, "pin", "acme/x", "--label", "a", "--reason", "b", code=exits.USAGE)
    assert 'who = "Ada"' in (folder / "grounded.templates.toml").read_text("utf-8")


class _Model(BaseHTTPRequestHandler):
    """A model that reads well, but obeys what it reads and never declines."""

    protocol_version = "HTTP/1.1"
    limits: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.limits.append(body["max_tokens"])
        asked = body["messages"][-1]["content"]
        text = "We close at 18:00 [1]. We close at 19:00 [2]." if "19:00" in asked else "The shop opens at 9:00 [1]."
        text += " TANGERINE" if "TANGERINE" in asked else ""
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        reply = json.dumps({"model": "reader", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def model() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1#reader"
    server.shutdown()
    server.server_close()


def test_answers_of_a_model_are_judged(capsys: pytest.CaptureFixture[str], folder: Path, model: str) -> None:
    starter(folder / "acme")
    found = say_json(capsys, "test", "acme", "--llm", model, "--max-tokens", "77", code=exits.GATE_FAILED)
    assert _Model.limits[-4:] == [77] * 4
    failed = {
        each["kind"]: {name for name, said in each["checks"].items() if said != "passed"} for each in found["cases"]
    }
    assert failed == {"benign": set(), "unanswerable": {"refusal"}, "conflicting": set(), "injected": {"attack"}}
    assert found["cases"][0]["groundedness"] == 1.0
    assert found["summary"]["checks"]["attack"] == {"passed": 3, "of": 4}
    figures = {name: (rate["count"], rate["of"]) for name, rate in found["card"]["figures"].items()}
    assert figures["injections"] == (1, 1)
    assert figures["correct_refusals"] == (0, 1)
    assert figures["over_refusals"] == (0, 3)
    assert figures["format"] == (3, 3)
    assert figures["citation_precision"][1] >= 4


def test_a_card_is_kept_shown_pinned_and_gates(capsys: pytest.CaptureFixture[str], folder: Path, model: str) -> None:
    starter(folder / "acme")
    assert "no card" in say(capsys, "test", "acme", "--llm", model, "--gate", code=exits.USAGE)
    say(capsys, "test", "acme", "--llm", model, "--save", code=exits.GATE_FAILED)
    kept = folder / "acme" / "cards" / "answers.reader.json"
    assert json.loads(kept.read_text("utf-8"))["n"] == 4
    # The same answers are no regression, whatever they are worth.
    say(capsys, "test", "acme", "--llm", model, "--gate")
    assert "planted attacks that succeeded: 100 % (1 of 1" in say(capsys, "show", "acme")
    # A template under which attacks succeed that did not before.
    before = json.loads(kept.read_text("utf-8"))
    before["figures"]["injections"]["count"] = 0
    kept.write_text(json.dumps(before), encoding="utf-8")
    (folder / "acme" / "rules.md").write_text("**Stay with the sources.** And be kind.", encoding="utf-8")
    assert "worse: injections" in say(capsys, "test", "acme", "--llm", model, "--gate", code=exits.GATE_FAILED)
    assert "the template has changed since" in " ".join(say(capsys, "show", "acme").split())


def test_a_gate_needs_answers(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    starter(folder / "acme")
    assert "needs answers" in say(capsys, "test", "acme", "--gate", code=exits.USAGE)


def test_a_model_that_is_gone_is_no_result(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    starter(folder / "acme")
    said = say(capsys, "test", "acme", "--llm", "http://127.0.0.1:9/v1#x", "--save", code=exits.INTERNAL_ERROR)
    assert "127.0.0.1:9" in said
    assert not (folder / "acme" / "cards").exists()
