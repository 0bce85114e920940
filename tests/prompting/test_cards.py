"""Score cards: figures that follow from counts, comparison that fails closed, and files that survive."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounded.errors import TemplateError, UsageError
from grounded.prompting import load_template
from grounded.prompting.cards import (
    CaseScore,
    Rate,
    ScoreCard,
    cases_hash,
    newest_card,
    read_card,
    read_cards,
    regressions,
    write_card,
)
from grounded.prompting.cases import check_answer, prompt_of, read_cases
from grounded.prompting.labels import LABELS_FILE, pin, read_moves
from grounded.records import GeneratorRef, VerifierRef
from tests.prompting.packs import starter

CORE_PACK = resources.files("grounded_templates.core") / "pack.toml"
WHEN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def card(**fields: object) -> ScoreCard:
    given = {
        "template": load_template("core/qa").ref,
        "cases": "0" * 64,
        "generator": GeneratorRef(name="ollama", label="m", model="org/Model 7B:q4"),
        "verifier": VerifierRef(name="containment", version="1"),
        "date": WHEN,
        "figures": {"format": Rate(count=5, of=6), "injections": Rate(count=1, of=2), "content": Rate(count=0, of=0)},
        "results": (CaseScore(name="a", kind="benign", prompt_tokens=10, answer_tokens=4),),
    }
    return ScoreCard.model_validate({**given, **fields})


def worse(**figures: Rate) -> tuple[str, ...]:
    before = card()
    return regressions(before, card(figures={**before.figures, **figures}), tolerance=0.01)


@given(st.integers(0, 400), st.integers(0, 400))
def test_wilson_intervals(count: int, more: int) -> None:
    rate = Rate(count=count, of=count + more)
    if not rate.of:
        assert rate.share is None
        assert rate.interval is None
        return
    assert rate.share is not None
    assert rate.interval is not None
    low, high = rate.interval
    assert 0 <= low <= rate.share <= high <= 1
    # The bounds are where the score test just rejects: |p - bound| = z * sqrt(bound (1 - bound) / n).
    for bound in (each for each in (low, high) if 0 < each < 1):
        distance = abs(rate.share - bound) / (bound * (1 - bound) / rate.of) ** 0.5
        assert distance == pytest.approx(1.959964, abs=1e-4)


def test_more_than_all_is_no_share() -> None:
    with pytest.raises(ValueError, match="is no share"):
        Rate(count=3, of=2)


def test_what_is_worse_is_named() -> None:
    assert regressions(card(), card(template=load_template("core/qa").ref)) == ()
    assert worse(format=Rate(count=6, of=6), injections=Rate(count=0, of=2)) == ()
    assert [each.split(":")[0] for each in worse(format=Rate(count=4, of=6))] == ["format"]
    assert [each.split(":")[0] for each in worse(injections=Rate(count=2, of=2))] == ["injections"]
    assert worse(format=Rate(count=825, of=1000)) == ()  # within the tolerance


def test_what_was_not_measured_is_worse() -> None:
    assert "nothing could be counted" in worse(format=Rate(count=0, of=0))[0]
    lost = card(results=(CaseScore(name="a", kind="benign", answered=False, failed=("answered",)),))
    assert regressions(card(), lost) == ("No answer to: a.",)
    for changed in (
        {"cases": "1" * 64},
        {"generator": GeneratorRef(name="ollama", label="other", model="other")},
        {"verifier": VerifierRef(name="containment", version="2")},
        {"template": load_template("core/chat").ref},
    ):
        assert "changed: write a new card" in regressions(card(), card(**changed))[0]


def test_a_card_survives_its_file(tmp_path: Path) -> None:
    folder = starter(tmp_path / "acme")
    template = load_template(folder)
    own = card(template=template.ref)
    path = write_card(own, folder / "cards")
    assert path.name == "answers.Model-7B-q4.json"
    assert read_card(path) == own
    write_card(card(template=template.ref.model_copy(update={"hash": "1" * 64}), date=WHEN.replace(year=2027),
                    generator=GeneratorRef(name="x", label="x")), folder / "cards")  # fmt: skip
    assert len(read_cards(str(folder), template)) == 2
    assert newest_card(str(folder), template) == own  # a newer one of another version does not count
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(TemplateError, match="is no score card"):
        read_cards(str(folder), template)


def test_an_incomplete_card_is_not_kept(tmp_path: Path) -> None:
    for failed in (
        CaseScore(name="a", kind="benign", answered=False),
        CaseScore(name="a", kind="benign", failed=("checked",)),
    ):
        with pytest.raises(UsageError, match="no card to keep"):
            write_card(card(results=(failed,)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_label_rests_on_a_card_of_its_version(tmp_path: Path) -> None:
    path, template = tmp_path / LABELS_FILE, load_template("core/qa")
    pin(template, "production", who="Ada", why="It is better.", when=WHEN, path=path, card=card())
    move = read_moves(path)[0]
    assert (move.card, move.card_hash) == ("qa.Model-7B-q4.json", card().hash)
    with pytest.raises(UsageError, match="The score card is that of core/chat"):
        pin(template, "x", who="A", why="b", when=WHEN, path=path, card=card(template=load_template("core/chat").ref))


CORE = sorted(f"core/{name}" for name in tomllib.loads(CORE_PACK.read_text("utf-8"))["templates"])


@pytest.mark.parametrize("name", CORE)
def test_every_first_party_template_has_a_card_of_its_present_files(name: str) -> None:
    template = load_template(name)
    cards = read_cards(name, template)
    assert cards
    for each in cards:
        assert each.template == template.ref, "it was changed: `grounded templates test NAME --llm MODEL --save` anew"
        assert each.cases == cases_hash(read_cases(name, template))
        assert each.complete


@pytest.mark.parametrize(
    ("before", "after", "failed"), [("", "", False), ("```json\n", "\n```", False), ("Here it is: ", "", True)]
)
def test_a_fence_around_json_is_no_fault_but_prose_is(before: str, after: str, failed: bool) -> None:
    template = load_template("core/extract")
    case = next(each for each in read_cases("core/extract", template) if each.kind == "benign")
    field = {"value": ", ".join(case.expect.contains), "sources": [1]}
    reply = before + json.dumps({"anything": field}) + after
    checks = {each.name: each.passed for each in check_answer(template, case, prompt_of(template, case), reply)}
    assert checks["content"]
    assert checks["format"] is not failed
