"""``grounded verify`` on files, pipes, saved prompts of every layout, and other verifiers."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest

from grounded import build_prompt
from grounded.cli import exits
from grounded.cli.app import run
from grounded.prompting.layouts import LayoutName
from grounded.records import Report
from tests.verifiers import tiny

LID = "The lid of the kettle is made of red steel."
CORD = "The cord of the kettle is two metres long."


class Desk:
    """A folder to work in, and the command line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def verify(self, *arguments: str, stdin: str = "", code: int = exits.OK) -> Report:
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        found = run(["verify", *arguments, "--json"])
        out, err = self._capfd.readouterr()
        assert found == code, err
        return Report.from_json(out)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text(LID, encoding="utf-8")
    (tmp_path / "docs" / "b.md").write_text(CORD, encoding="utf-8")
    return Desk(monkeypatch, capfd)


@pytest.mark.parametrize("piped", [True, False])
@pytest.mark.parametrize("against", [["docs"], ["docs/*"], ["docs/a.txt", "docs/b.md"], ["docs/a.txt", "docs/**/*.md"]])
def test_files_folders_and_globs_number_the_same_sources(desk: Desk, piped: bool, against: list[str]) -> None:
    text = f"{LID} [1] {CORD} [2]"
    Path("answer.txt").write_text(text, encoding="utf-8")
    places = [argument for place in against for argument in ("--against", place)]
    report = desk.verify("-" if piped else "answer.txt", *places, stdin=text)
    assert report.text == text
    assert [citation.status for citation in report.citations] == ["correct", "correct"]


@pytest.mark.parametrize(
    ("layout", "reply"),
    [
        ("xml", f"{LID} [1]"),
        ("numbered", f"{LID} [1]"),
        ("quote_first", f'<quotes>\n[1] "{LID}"\n</quotes>\n<answer>\n{LID} [1]\n</answer>'),
    ],
)
@pytest.mark.parametrize("piped", [True, False])
def test_a_reply_is_read_as_its_prompt_asks(desk: Desk, layout: LayoutName, reply: str, piped: bool) -> None:
    prompt = build_prompt("What is the lid made of?", [LID, CORD], layout=layout)
    Path("prompt.json").write_text(prompt.to_json(), encoding="utf-8")
    Path("reply.txt").write_text(reply, encoding="utf-8")
    report = desk.verify("-" if piped else "reply.txt", "--prompt", "prompt.json", stdin=reply)
    assert report.text == f"{LID} [1]"
    assert [citation.status for citation in report.citations] == ["correct"]
    assert not report.warnings


def test_a_reply_in_base64_is_verified_as_the_text_it_holds(desk: Desk) -> None:
    prompt = build_prompt("What is the lid made of?", [LID, CORD], layout="quote_first", spotlight="encode")
    Path("prompt.json").write_text(prompt.to_json(), encoding="utf-8")
    lid, green = (base64.b64encode(text.encode()).decode() for text in (LID, LID.replace("red", "green")))
    reply = f'<quotes>\n[1] "{lid[:24]}"\n</quotes>\n<answer>\n{lid} [1]\n</answer>'
    report = desk.verify("-", "--prompt", "prompt.json", stdin=reply)
    assert report.text == f"{LID} [1]"
    assert [citation.status for citation in report.citations] == ["correct"]
    assert not report.warnings
    rules = ("--prompt", "prompt.json", "--verifier", "containment")
    wrong = desk.verify("-", *rules, stdin=f"{green} [1]", code=exits.UNSUPPORTED_CONTENT)
    assert wrong.text == f"{LID.replace('red', 'green')} [1]"


def test_an_invented_quotation_is_told(desk: Desk) -> None:
    prompt = build_prompt("What is the lid made of?", [LID], layout="quote_first")
    Path("prompt.json").write_text(prompt.to_json(), encoding="utf-8")
    reply = f'<quotes>\n[1] "The lid is made of gold."\n</quotes>\n<answer>\n{LID}\n</answer>'
    report = desk.verify("-", "--prompt", "prompt.json", stdin=reply)
    assert any("made of gold" in warning for warning in report.warnings)


def test_further_sources_follow_those_of_the_prompt(desk: Desk) -> None:
    Path("prompt.json").write_text(build_prompt("And the lid?", [LID]).to_json(), encoding="utf-8")
    report = desk.verify("-", "--prompt", "prompt.json", "--against", "docs/b.md", stdin=f"{LID} [1] {CORD} [2]")
    assert [citation.status for citation in report.citations] == ["correct", "correct"]


def test_the_prompts_question_helps_to_read_a_fragment(desk: Desk) -> None:
    Path("prompt.json").write_text(build_prompt("How long is the cord of the kettle?", [CORD]).to_json(), "utf-8")
    assert desk.verify("-", "--prompt", "prompt.json", stdin="Two metres long.").claims[0].verdict == "supported"


def test_another_verifier_by_name_or_by_folder(desk: Desk) -> None:
    folder = Path("model")
    folder.mkdir()
    tiny.write_tokenizer(folder)
    tiny.write_classifier(folder / "model.onnx", tiny.weights(2))
    tiny.write_settings(folder, kind="cross-encoder", outputs={"neither": 0, "support": 1})
    named = desk.verify("-", "--against", "docs", "--verifier", "containment", stdin=LID)
    assert named.verifier.name == "containment"
    assert (
        desk.verify("-", "--against", "docs", "--verifier", "model", stdin=LID).verifier.name == "cross-encoder:model"
    )


@pytest.mark.parametrize("arguments", [["--against", "docs", "--verifier", "oracle"], ["--prompt", "none.json"], []])
def test_what_is_not_there_is_wrong_use(
    desk: Desk, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LID.encode())))
    assert run(["verify", "-", *arguments]) == exits.USAGE
    assert capfd.readouterr().err.strip()
