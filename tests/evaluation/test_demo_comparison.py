"""The demo's comparison of two metaprompts: complete, offline, and the same each time."""

from __future__ import annotations

import pytest

from grounded.demo.comparing import REPLIES_FILE, compare_metaprompts
from grounded.evaluation.recordings import Recorded
from grounded.records import Experiment


@pytest.fixture(scope="module")
def compared() -> Experiment:
    """The demo's comparison, checked by the rules alone."""
    return compare_metaprompts(verifier="containment")


def test_the_demo_holds_a_reply_for_every_question_under_both_metaprompts(compared: Experiment) -> None:
    assert [trial.row for trial in compared.trials if trial.answer is None] == []
    assert len(compared.trials) == 2 * len(compared.rows)
    assert {each.generator.arguments["weights"] for each in compared.variants if each.generator} == {
        Recorded(REPLIES_FILE).recorded.weights
    }


def test_the_demo_gives_the_same_numbers_twice(compared: Experiment) -> None:
    again = compare_metaprompts(verifier="containment")
    assert again.summaries == compared.summaries
    assert again.comparisons == compared.comparisons
    assert [trial.values for trial in again.trials] == [trial.values for trial in compared.trials]
