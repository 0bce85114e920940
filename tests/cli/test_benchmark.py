"""``grounded benchmark`` as a script runs it: both kinds of sets, by the shipped parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grounded.benchmarking import LabelledClaim, read_claims, try_verifier
from grounded.cli import exits
from grounded.cli.app import _register_commands, app
from grounded.cli.benchmark import _code, _tables
from grounded.protocols import Judgement
from grounded.records import VerifierRef
from grounded.verification import Verifier


def run(*arguments: str | Path) -> tuple[int, str, str]:
    _register_commands()
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    rows = [
        ("The kettle has a steel body.", "The kettle has a steel body and a cork lid.", 1),
        ("Delivery takes 3 days.", "Delivery takes 5 days.", 0),
        ("The lid is made of cork.", "The kettle has a steel body. The lid is made of cork.", 1),
        ("The lid is made of gold.", "The kettle has a steel body.", 0),
    ]
    file = tmp_path / "lfqa.jsonl"
    file.write_text(
        "".join(json.dumps({"dataset": "LFQA", "doc": d, "claim": c, "label": n}) + "\n" for c, d, n in rows), "utf-8"
    )
    return file


def test_ours_the_floors_and_what_others_published_stand_in_one_table(claims: Path) -> None:
    code, shown, _ = run("benchmark", claims, "--verifier", "containment")
    assert code == exits.OK
    assert "100.0" in shown
    assert "overlap" in shown
    assert "MiniCheck-FT5" in shown
    assert "Published there, not measured here" in " ".join(shown.split())
    code, shown, _ = run("benchmark", claims, "--verifier", "containment", "--verifier", "trained", "--json")
    found = json.loads(shown)
    assert found["verification"][0]["verifier"]["name"] == "containment"
    first = found["verification"][0]
    assert (first["claims"], first["called_supported"], first["precision"]) == (4, 2, 100.0)
    assert set(first["figures"]["balanced_accuracy"]) == {"value", "low", "high"}
    assert found["verification"][1]["floors"] == {}
    assert {each["set"] for each in found["published"]} == {"lfqa"}


class Dead:
    """A model that fails at every call."""

    ref = VerifierRef(name="dead", version="1")

    def judge(self, pairs: object) -> list[Judgement]:
        raise RuntimeError("dead")


def test_what_cannot_be_checked_counts_as_not_supported_and_is_told() -> None:
    claim = LabelledClaim("made up", "1", "The kettle is green.", ("A kettle.",), is_supported=True)
    trial = try_verifier([claim], Verifier(Dead()), floors=False)
    assert (trial.failed, trial.called_supported, trial.complete) == (1, 0, False)
    assert _code([trial], []) == exits.CHECK_FAILED
    assert any("could not be checked" in str(each) for each in _tables([trial], []))


def test_stopping_shows_what_was_tried(claims: Path) -> None:
    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    trial = try_verifier(read_claims(claims), Verifier("containment"), progress=stop)
    assert (trial.claims, trial.of, trial.complete) == (2, 4, False)


def test_a_beir_folder_is_ingested_and_asked(tmp_path: Path) -> None:
    place = tmp_path / "scifact"
    (place / "qrels").mkdir(parents=True)
    texts = ["Kettles boil water.", "Cork floats on water.", "Gold is heavy.", "Tea is made of leaves."]
    corpus = [{"_id": f"d/{n}", "title": "", "text": text} for n, text in enumerate(texts)]
    (place / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus), "utf-8")
    (place / "queries.jsonl").write_text('{"_id": "1", "text": "What is gold like?"}\n', "utf-8")
    (place / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\td/2\t1\n", "utf-8")
    code, shown, _ = run("benchmark", place, "--json")
    assert code == exits.OK
    (found,) = json.loads(shown)["retrieval"]
    assert found["figures"]["ndcg@10"]["value"] == 100.0
    assert found["figures"]["recall@100"]["value"] == 100.0
    assert found["documents"] == 4
    code, shown, _ = run("benchmark", place)
    assert "BM25 *" in shown


def test_wrong_use(tmp_path: Path, claims: Path) -> None:
    assert run("benchmark", tmp_path / "nothing")[0] == exits.USAGE
    assert run("benchmark", claims, "--verifier", "no-such")[0] == exits.USAGE
