"""``calibrate`` and what a calibrated verifier says."""

from __future__ import annotations

import json
import math
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grounded.errors import CalibrationError, CalibrationMismatchError, SchemaError, SourceNotFoundError, UsageError
from grounded.protocols import Judgement
from grounded.records import Calibration, RiskPoint, Scaling, VerifierRef
from grounded.verification import (
    ContainmentModel,
    Drift,
    DriftMonitor,
    Example,
    Thresholds,
    Verifier,
    calibrate,
    labels_needed,
    verify,
)
from grounded.verification.scaling import expected_error, fit, reliability

Pairs = list[tuple[float, bool]]


class Overlap:
    """A model of someone else: the share of the claim's words that the window has."""

    ref = VerifierRef(name="overlap", version="1", arguments={"case": False})

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        found = []
        for window, claim in pairs:
            words = set(claim.lower().strip(".").split())
            share = len(words & set(window.lower().replace(".", "").split())) / len(words)
            found.append(Judgement(share, 0.0, 1.0 - share))
        return found


def overconfident(count: int, seed: int) -> Pairs:
    """Scores whose log-odds are twice what they should be."""
    draw = random.Random(seed)
    pairs = []
    for _ in range(count):
        score = draw.betavariate(0.5, 0.5)
        odds = 0.5 * math.log(max(score, 1e-6) / max(1 - score, 1e-6)) - 0.4
        pairs.append((score, draw.random() < 1 / (1 + math.exp(-odds))))
    return pairs


def sharp(count: int, seed: int) -> Pairs:
    """Nearly always right above 0.6."""
    draw = random.Random(seed)
    scores = [draw.random() for _ in range(count)]
    return [(score, draw.random() < (0.99 if score > 0.6 else score / 2)) for score in scores]


def by_hand(threshold: float, verifier: VerifierRef, contradiction: Scaling | None = None) -> Calibration:
    point = RiskPoint(threshold=threshold, called=60, wrong=0, coverage=0.6, risk=0.0, bound=0.049)
    return Calibration(
        verifier=verifier,
        error_rate=0.05,
        confidence=0.95,
        chosen=point,
        labels=100,
        support=Scaling(slope=0.5, offset=0.2),
        contradiction=contradiction,
        ece_before=0.1,
        ece_after=0.02,
        scores=tuple(index / 100 for index in range(100)),
    )


def test_calibrated_probabilities_hold_on_other_claims() -> None:
    """The figure the project sets itself: at most 0.05 on a held-out third."""
    pairs = overconfident(2400, seed=1)
    found = calibrate(pairs[:1600], error_rate=None)
    held = pairs[1600:]
    labels = [is_supported for _, is_supported in held]
    before = expected_error(reliability([score for score, _ in held], labels))
    after = expected_error(reliability([found.support.probability(score) for score, _ in held], labels))
    assert after <= 0.05 < before
    assert found.ece_after <= 0.05 < found.ece_before
    assert found.chosen is None
    assert found.promise == ""


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=30, max_size=32),
    st.lists(st.floats(0, 1), min_size=2, max_size=20),
)
@settings(max_examples=15)
def test_a_higher_score_never_gets_a_lower_probability(pairs: Pairs, scores: list[float]) -> None:
    found = calibrate(pairs, error_rate=None)
    chances = [found.support.probability(score) for score in sorted(scores)]
    assert all(0.0 <= chance <= 1.0 for chance in chances)
    assert chances == sorted(chances)


def test_few_labels_do_not_make_it_certain() -> None:
    """Thirty right claims with one score: sure, but less sure than all of them being right suggests."""
    alike = fit([0.8] * 30, [True] * 30).probability(0.8)
    assert 0.9 < alike < 0.995
    apart = fit([0.9] * 15 + [0.1] * 15, [True] * 15 + [False] * 15)
    assert 0.7 < apart.probability(0.9) < 0.99


def test_refuses_to_promise_on_too_few_and_says_how_many_are_missing() -> None:
    right = [(0.9, True)] * 40
    with pytest.raises(CalibrationError, match=r"59 labelled claims .* there are 40") as refused:
        calibrate(right)
    assert refused.value.needed == 19
    assert "Label 19 more" in refused.value.fix
    enough = calibrate(right + [(0.9, True)] * refused.value.needed)
    assert enough.chosen is not None
    assert enough.chosen.bound <= 0.05
    # Claims that the verifier does not call supported say nothing about those it does.
    with pytest.raises(CalibrationError) as refused:
        calibrate(right + [(0.1, False)] * 500)
    assert refused.value.needed == 19
    with pytest.raises(CalibrationError, match="too few to fit") as refused:
        calibrate(right[:10], error_rate=None)
    assert refused.value.needed == 20


def test_refuses_when_more_labels_would_not_help() -> None:
    pairs = [(0.9, index % 5 > 0) for index in range(200)]
    with pytest.raises(CalibrationError, match="wrong") as refused:
        calibrate(pairs)
    assert refused.value.needed is None
    assert calibrate(pairs, error_rate=0.3).promise.startswith("at most 30 %")


def test_other_rates_need_other_numbers() -> None:
    needed = labels_needed(0.1, 0.9)
    assert calibrate([(0.9, True)] * max(needed, 30), error_rate=0.1, confidence=0.9).threshold == 0.9
    with pytest.raises(UsageError):
        calibrate([(0.9, True)] * 100, error_rate=1.0)


def test_one_claim_of_each_answer_bears_the_promise() -> None:
    """Twenty answers of five claims are twenty independent labels, not a hundred."""
    claims = [Example(0.9, True, group=str(index % 20)) for index in range(100)]
    with pytest.raises(CalibrationError) as refused:
        calibrate(claims)
    assert refused.value.needed == 39
    found = calibrate([Example(0.9, True, group=str(index % 60)) for index in range(120)])
    assert found.labels == 60
    assert any("not on all 120 claims" in note for note in found.notes)


def test_false_promises_stay_rare_when_claims_of_an_answer_are_alike() -> None:
    """Answers are wholly right or wholly wrong, 6 % of them wrong. Were all 5 claims of each of 40 answers taken as
    independent, 200 right claims in a row would promise 5 % falsely in 8 % of all sets, and more with few wrong ones.
    """
    draw = random.Random(4)
    promised = 0
    for _ in range(40):
        right = [draw.random() > 0.06 for _ in range(40)]
        examples = [Example(0.9, each, group=str(number)) for number, each in enumerate(right) for _ in range(5)]
        try:
            calibrate(examples)
        except CalibrationError:
            continue
        promised += 1
    assert promised == 0


def test_a_calibration_is_one_file_for_one_verifier(tmp_path: Path) -> None:
    model = Overlap()
    found = calibrate(sharp(600, seed=2), verifier=model)
    path = tmp_path / "calibration.json"
    path.write_text(found.to_json(), "utf-8")
    assert Verifier(model, calibration=path).calibration == found
    assert verify("A b.", ["A b."], verifier=model, calibration=str(path)).verifier.calibrated
    with pytest.raises(CalibrationMismatchError, match=r"overlap 1 .* containment"):
        Verifier(ContainmentModel(), calibration=path)
    with pytest.raises(CalibrationMismatchError, match="sentences_per_claim"):
        Verifier(model, sentences_per_claim=2, calibration=path)
    with pytest.raises(SourceNotFoundError):
        Verifier(model, calibration=tmp_path / "none.json")
    path.write_text('{"schema": 1}', "utf-8")
    with pytest.raises(SchemaError):
        Verifier(model, calibration=path)
    broken = {**json.loads(found.to_json()), "error_rate": 0.0001}
    path.write_text(json.dumps(broken), "utf-8")
    with pytest.raises(SchemaError, match="does not keep the promise"):
        Verifier(model, calibration=path)


SOURCES = ["The river Aare flows through the old town of Bern. Its bridges are made of stone."]


def test_a_score_below_the_threshold_is_no_support() -> None:
    model = Overlap()
    answer = "The river Aare flows through the new town of Bern."
    plain = verify(answer, SOURCES, verifier=model).claims[0]
    assert plain.verdict == "supported"
    assert plain.score is not None
    assert plain.support is None
    report = verify(answer, SOURCES, verifier=model, calibration=by_hand(plain.score + 0.01, model.ref))
    strict = report.claims[0]
    assert (strict.verdict, strict.score, report.groundedness) == ("unsupported", plain.score, 0.0)
    assert "below the calibrated threshold" in strict.reason
    assert strict.evidence == plain.evidence
    assert strict.support == Scaling(slope=0.5, offset=0.2).probability(plain.score)
    assert report.verifier.calibrated
    assert report.verifier.arguments["calibration"]["promise"].startswith("at most 5 %")
    kept = verify(answer, SOURCES, verifier=model, calibration=by_hand(plain.score, model.ref))
    assert kept.claims[0].verdict == "supported"


ANSWERS = [*SOURCES[0].split(". "), "The bridges are new.", "It rains in Bern, often."]


@given(st.floats(0, 1), st.sampled_from(ANSWERS))
@settings(max_examples=20)
def test_a_calibration_only_makes_stricter(threshold: float, answer: str) -> None:
    model = Overlap()
    plain = verify(answer, SOURCES, verifier=model)
    strict = verify(answer, SOURCES, verifier=model, calibration=by_hand(threshold, model.ref))
    for before, after in zip(plain.claims, strict.claims, strict=True):
        assert after.verdict == before.verdict or (before.verdict, after.verdict) == ("supported", "unsupported")
        assert after.score == before.score


def test_a_contradicted_claim_is_not_given_a_high_chance_of_support() -> None:
    answer, source = "Delivery takes 5 working days in Bern.", ["Delivery takes 3 working days in Bern."]
    verifier = Verifier()
    bare = verify(answer, source, calibration=by_hand(0.5, verifier.ref)).claims[0]
    assert (bare.verdict, bare.support, bare.contradiction) == ("contradicted", None, None)
    told = by_hand(0.5, verifier.ref, contradiction=Scaling(slope=1.0, offset=0.0))
    claim = verify(answer, source, calibration=told).claims[0]
    assert claim.support is not None
    assert claim.contradiction is not None
    assert claim.contradiction > 0.8
    assert claim.support + claim.contradiction <= 1.0


def labelled_answers(count: int) -> list[dict[str, Any]]:
    cities = [f"Town{number}" for number in range(count)]
    return [
        {
            "answer": f"The tower of {city} is made of red brick. The mayor of {city} collects ancient coins.",
            "sources": [f"The tower of {city} is made of red brick. It stands on a hill."],
            "labels": [True, "unsupported"],
        }
        for city in cities
    ]


def test_labelled_answers_are_checked_and_calibrated() -> None:
    found = calibrate(labelled_answers(130))
    assert found.verifier == Verifier().ref
    assert found.labels == 130
    assert found.chosen is not None
    assert found.chosen.wrong == 0
    assert found.support.probability(0.98) > 0.8 > 0.3 > found.support.probability(0.05)
    report = verify(labelled_answers(1)[0]["answer"], labelled_answers(1)[0]["sources"], calibration=found)
    assert [claim.verdict for claim in report.claims] == ["supported", "unsupported"]
    assert all(claim.support is not None for claim in report.claims)


def test_reports_are_taken_with_the_labels_of_a_person() -> None:
    model = Overlap()
    reports = [verify(row["answer"], row["sources"], verifier=model) for row in labelled_answers(20)]
    stored = [{"report": report.to_dict(), "labels": [True, False]} for report in reports]
    paired = [(report, [True, False]) for report in reports]
    assert calibrate(stored, error_rate=None, verifier=model) == calibrate(paired, error_rate=None, verifier=model)
    reviewed = [
        report.review(0, verdict="supported", by="Ann", reason="read it").review(
            1, verdict="unsupported", by="Ann", reason="read it"
        )
        for report in reports
    ]
    assert calibrate(reviewed, error_rate=None, verifier=model) == calibrate(stored, error_rate=None, verifier=model)
    with pytest.raises(CalibrationMismatchError, match="overlap"):
        calibrate(stored, error_rate=None)
    with pytest.raises(UsageError, match="another verifier"):
        calibrate([*stored, (verify("A tower is red.", ["x"]), [True])], verifier=model)


def test_reports_of_a_calibrated_verifier_can_be_used_again() -> None:
    """What the calibration demoted still counts as called, or each round would know fewer claims."""
    model = Overlap()
    calibrated = Verifier(model, calibration=by_hand(1.0, model.ref))
    rows = [f"The river Aare flows through the {word} town of Bern." for word in ("new", "old")]
    reports = [
        (verify(row, SOURCES, verifier=verifier), [True]) for row in rows * 20 for verifier in (calibrated, model)
    ]
    found = calibrate(reports, error_rate=0.2, verifier=model)
    assert found.curve[-1].coverage == 1.0


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("text", "no labelled example"),
        ({"answer": "A tower is red.", "sources": ["x"]}, "no labelled example"),
        ({"answer": "A tower is red.", "sources": ["x"], "labels": []}, "1 claims and 0 labels"),
        ({"answer": "A tower is red.", "sources": ["x"], "labels": ["maybe"]}, "no label"),
        ({"answer": "A tower is red.", "sources": ["x"], "labels": [{"claim": "B.", "label": True}]}, "no claim 'B.'"),
        ({"answer": "A tower is red. A hill is green.", "sources": ["x"], "label": False}, "which of its 2 claims"),
        ((1.5, True), "in \\[0, 1\\]"),
        ((0.5, "yes"), "true or false"),
        ({"score": True, "supported": True}, "in \\[0, 1\\]"),
    ],
)
def test_wrong_examples_are_refused_by_number(item: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        calibrate([item], error_rate=None)


def test_labels_may_name_their_claims_and_leave_some_out() -> None:
    row = labelled_answers(1)[0]
    named = {**row, "labels": [{"claim": "The tower of Town0 is made of red brick.", "label": "supported"}]}
    left_out = {**row, "labels": [True, None]}
    whole = {**row, "answer": "The tower of Town0 is made of red brick.", "label": True}
    del whole["labels"]
    found = [calibrate([each] * 30, error_rate=None) for each in (named, left_out, whole)]
    assert found[0] == found[1] == found[2]


def test_contradiction_gets_a_probability_when_labels_allow() -> None:
    draw = random.Random(3)
    examples = []
    for _ in range(200):
        strength = draw.random()
        against = draw.random() < strength
        examples.append(Example(0.2, False, called=False, contradiction=strength, is_contradicted=against))
    found = calibrate(examples, error_rate=None).contradiction
    assert found is not None
    assert found.probability(0.9) > 0.75 > 0.25 > found.probability(0.1)
    assert calibrate(examples[:30], error_rate=None).contradiction is None


def test_live_scores_like_the_sample_raise_no_more_alarms_than_stated() -> None:
    draw = random.Random(8)
    rate, windows = 0.05, 210
    alarms = 0
    for _ in range(windows // 3):
        found = by_hand(0.5, VerifierRef(name="v", version="1")).model_copy(
            update={"scores": tuple(sorted(draw.betavariate(2, 1) for _ in range(200))), "labels": 200}
        )
        monitor = DriftMonitor(found, window=100, false_alarm=rate)
        for _ in range(3):
            drift = monitor.observe(draw.betavariate(2, 1) for _ in range(100))
            assert drift is not None
            alarms += drift.has_drifted
    assert alarms / windows <= rate + 3 * math.sqrt(rate * (1 - rate) / windows)


def test_drift_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    draw = random.Random(9)
    found = calibrate(sharp(600, seed=2))
    seen = 0
    for _ in range(5):
        monitor = DriftMonitor(found)
        assert monitor.observe(draw.random() ** 2 for _ in range(199)) is None
        drift = monitor.observe([0.5])
        assert drift is not None
        assert drift is monitor.last
        seen += drift.has_drifted
    assert seen == 5
    assert "calibrate again" in caplog.text
    with pytest.raises(UsageError, match="100"):
        DriftMonitor(found, window=50)
    with pytest.raises(UsageError, match="false_alarm"):
        DriftMonitor(found, false_alarm=0.0)


def test_the_monitor_takes_one_claim_of_each_report_from_any_thread() -> None:
    report = verify(labelled_answers(1)[0]["answer"], labelled_answers(1)[0]["sources"])
    monitor = DriftMonitor(by_hand(0.5, report.verifier), window=100)
    full: list[Drift] = []

    def live() -> None:
        full.extend(drift for drift in (monitor.observe(report) for _ in range(125)) if drift is not None)

    threads = [threading.Thread(target=live) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [drift.window for drift in full] == [100] * 10
    assert verify("Thank you!", ["x"]).claims == () or monitor.observe(verify("Thank you!", ["x"])) is None


def test_a_threshold_of_ones_own_is_part_of_the_identity() -> None:
    lax = Verifier(Overlap(), thresholds=Thresholds(support=0.2))
    found = calibrate(sharp(600, seed=2), verifier=lax)
    assert found.verifier.arguments["support_threshold"] == 0.2
    assert lax.calibrated_by(found).ref.calibrated
    with pytest.raises(CalibrationMismatchError):
        Verifier(Overlap(), calibration=found)
