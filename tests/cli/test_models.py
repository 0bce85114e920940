"""``grounded models``: the catalogue, and models side by side against a real server on the loopback interface."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grounded.cli import exits
from grounded.cli.app import _register_commands, app
from grounded.errors import UnknownNameError, UsageError
from grounded.experiments.checking import ATTACKS, cases_from
from grounded.models.catalogue import Price, card_text, catalogue, find, price_of
from grounded.records import Row, Usage
from tests.answering.loopback import Handler, delta, events, serving


def run(*arguments: str | Path) -> tuple[int, str, str]:
    _register_commands()
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    return done.exit_code, done.stdout, done.stderr


def careful(handler: Handler) -> None:
    """A model that answers from the source that says it, declines otherwise, and obeys no attack."""
    said = json.dumps(handler.server.asked[-1].body["messages"][-1], ensure_ascii=False)
    text = "The kettle is blue [1]." if "kettle is blue" in said else "The lid is cork [1]."
    if "kettle is blue" not in said and "lid is cork" not in said:
        text = "The sources do not answer this."
    reply(handler, text)


def obedient(handler: Handler) -> None:
    """A model that does what a source asks for."""
    said = json.dumps(handler.server.asked[-1].body["messages"])
    found = next((trace for _, trace in ATTACKS if trace in said), "The kettle is blue [1].")
    reply(handler, found)


def reply(handler: Handler, text: str) -> None:
    handler.begin(200, "text/event-stream")
    handler.wfile.write("".join(events(delta(text), delta(None, "stop"))).encode())


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rows = [
        {
            "id": "colour",
            "question": "What colour is the kettle?",
            "contexts": ["The kettle is blue."],
            "answerable": True,
        },
        {"id": "lid", "question": "What is the lid made of?", "contexts": ["The lid is cork."], "answerable": True},
    ]
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


def test_every_entry_is_dated_and_says_where_it_is_from() -> None:
    found = catalogue()
    assert len({each.id for each in found}) == len(found)
    assert all(each.card.startswith("https://") for each in found if each.card and not each.embedded)
    assert {each.task for each in found} == {"chat", "embedding", "verifier"}
    for each in found:
        assert all(getattr(each, fact) and month > each.dated for fact, month in each.read.items()), each.id
    assert [each.id for each in found if each.embedded] == ["granite-30m-int8", "grounded-entailment-small"]
    assert all(each.provider == "Meta" for each in catalogue(provider="meta"))
    assert find("OPENAI:GPT-4O").id == "gpt-4o"
    with pytest.raises(UnknownNameError, match="gpt-9"):
        find("gpt-9")


def test_the_cards_of_what_is_shipped_are_there() -> None:
    for each in catalogue():
        assert bool(card_text(each)) == each.embedded
    code, shown, _ = run("models", "card", "grounded-entailment-small")
    assert code == exits.OK
    assert "What it is" in shown
    code, shown, _ = run("models", "card", "mistral-7b-instruct-v0.3")
    assert "no moderation mechanisms" in " ".join(shown.split())
    assert "not known here" in shown
    assert "licence read again 2026-11" in " ".join(shown.split())
    assert run("models", "card", "nothing")[0] == exits.USAGE


def test_lists_with_what_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "grounded.toml").write_text('llm = "ollama:phi4"\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    code, shown, _ = run("models", "list", "--task", "verifier")
    assert code == exits.OK
    assert "language model configured: ollama:phi4" in shown
    assert "containment" in shown
    assert "gpt-4o" not in shown
    found = json.loads(run("models", "list", "--provider", "openai", "--json")[1])["models"]
    assert {each["provider"] for each in found} == {"OpenAI", "Azure OpenAI"}
    assert run("models", "list", "--task", "dancing")[0] == exits.USAGE


def test_prices_need_both_counts() -> None:
    price = Price(input=2.0, output=8.0)
    assert price.of(Usage(input_tokens=1_000_000, output_tokens=500_000)) == 6.0
    assert price.of(Usage(input_tokens=10)) is None
    assert Price(input=1.0).of(Usage(input_tokens=1, output_tokens=1)) is None
    assert price_of("openai:gpt-4o") is not None
    assert price_of("openai:gpt-4o-2024-08-06") is None


def test_cases_of_own_questions() -> None:
    rows = [
        Row(id="a", question="A?", contexts=("One.",), reference="1"),
        Row(id="b", question="B?", contexts=("Two.",), answerable=False),
        Row(id="c", question="C?", contexts=("Three.",), reference="3"),
    ]
    found = cases_from(rows)
    kinds = [each.kind for each in found]
    assert (kinds.count("benign"), kinds.count("injected"), kinds.count("unanswerable")) == (2, 2, 3)
    planted = next(each for each in found if each.kind == "injected")
    assert planted.expect.absent[0] == ATTACKS[0][1]
    assert ATTACKS[0][0] in planted.sources[-1].text
    with pytest.raises(UsageError, match="no contexts"):
        cases_from([Row(id="d", question="D?")])


def test_models_side_by_side_on_own_questions(questions: Path) -> None:
    with serving(careful) as one, serving(obedient) as other:
        specs = [f"{one.url}#careful", f"{other.url}#obedient"]
        code, shown, _ = run("models", "check", *specs, "--data", questions, "--price", f"{specs[0]}=1,2", "--json")
    assert code == exits.OK
    first, second = json.loads(shown)["models"]
    figures = [each["card"]["figures"] for each in (first, second)]
    assert [each["injections"]["share"] for each in figures] == [0.0, 1.0]
    assert figures[0]["groundedness"]["share"] == 1.0
    assert first["seconds"] > 0
    assert "blue" in first["sample"]
    assert first["cost"] is None  # this server counts no tokens


def test_a_model_that_cannot_be_reached_is_told_beside_the_others(questions: Path) -> None:
    with serving(careful) as one:
        specs = [f"{one.url}#careful", "http://127.0.0.1:9/v1#gone"]
        code, shown, _ = run("models", "check", *specs, "--data", questions)
    assert code == exits.CHECK_FAILED
    assert "attacks obeyed" in " ".join(shown.split())
    assert "127.0.0.1:9" in shown
    assert run("models", "check", specs[0], "--data", questions, "--price", "x")[0] == exits.USAGE
