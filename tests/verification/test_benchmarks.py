"""What the benchmarks of the verifier compute, on numbers that can be checked by hand."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def test_agreement_takes_chance_out(benchmark: Any) -> None:
    judge = benchmark("judge")
    one = np.array([True, True, False, False])
    assert judge.agreement(one, one) == (1.0, 1.0)
    assert judge.agreement(one, np.array([True, False, True, False])) == (0.5, 0.0)
    share, kappa = judge.agreement(np.array([True] * 4), np.array([True] * 4))
    assert share == 1.0
    assert math.isnan(kappa)


def test_kept_replies_are_not_asked_for_again(benchmark: Any, tmp_path: Path) -> None:
    judge = benchmark("judge")
    path = tmp_path / "replies.jsonl"
    assert judge.Replies(path, "m").of("a prompt", None) is None
    key = judge.hashlib.sha256(b"a prompt").hexdigest()
    path.write_text(json.dumps({"model": "m", "prompt": key, "reply": "Yes."}) + "\n", "utf-8")
    assert judge.Replies(path, "m").of("a prompt", None) == "Yes."


def test_the_error_of_true_probabilities_is_that_of_chance(benchmark: Any) -> None:
    calibration = benchmark("calibration")
    draw = np.random.default_rng(1)
    true = draw.random(3000)
    label = (draw.random(3000) < true) * 1.0
    chance = calibration.by_chance(true, draw)
    assert abs(calibration.error(true, label) - chance) < 0.01
    assert calibration.error(np.clip(true + 0.2, 0, 1), label) > chance + 0.1


def test_a_table_is_put_between_its_comments(benchmark: Any) -> None:
    board = benchmark("scoreboard")
    page = "before\n<!-- scores -->\nold\n<!-- /scores -->\nafter\n<!-- judge -->\n<!-- /judge -->\n"
    assert board.with_section(page, "scores", "new") == page.replace("old", "new")
    assert board.with_section(page, "judge", "new") == page.replace("<!-- judge -->\n", "<!-- judge -->\nnew\n")


def test_the_page_has_a_place_for_every_table_it_is_written_with() -> None:
    page = (BENCHMARKS.parent / "docs" / "verification.md").read_text("utf-8")
    for name in ("scores", "thresholds", "adversarial", "calibration", "checks", "streaming", "judge"):
        assert page.count(f"<!-- {name} -->\n") == page.count(f"<!-- /{name} -->") == 1
