"""Verifiers from a local folder, with tiny random weights whose outputs are computed here a second time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grounded.errors import ConfigurationError, ModelFileError, VerificationError
from grounded.verification import verify
from grounded.verifiers import CrossEncoder, TokenClassifier, from_folder
from tests.verifiers import tiny

PAIRS = [
    ("the kettle is red", "the kettle is blue"),
    ("it has a lid", "it has two"),
    ("the old kettle is warm and it has a lid or two but not three", "not old"),
    ("", "a lid"),
]


def classifier(folder: Path, outputs: dict[str, int], **more: object) -> CrossEncoder:
    tiny.write_tokenizer(folder)
    tiny.write_classifier(folder / "model.onnx", tiny.weights(len(outputs)))
    tiny.write_settings(folder, kind="cross-encoder", outputs=outputs, **more)
    return CrossEncoder.from_folder(folder, threads=1, batch_size=3)


def pair_ids(window: str, claim: str) -> list[int]:
    return [*tiny.ids_of(window), *tiny.ids_of(claim, special=False), tiny.VOCABULARY["[SEP]"]]


@pytest.mark.parametrize(
    "outputs",
    [
        {"support": 0, "neither": 1},
        {"neither": 0, "support": 1},
        {"contradiction": 0, "support": 1, "neither": 2},
        {"support": 2, "neither": 0, "contradiction": 1},
    ],
)
def test_each_output_means_what_the_settings_say(tmp_path: Path, outputs: dict[str, int]) -> None:
    model, table = classifier(tmp_path, outputs), tiny.weights(len(outputs))
    for (window, claim), judged in zip(PAIRS, model.judge(PAIRS), strict=True):
        shares = tiny.softmax(table[pair_ids(window, claim)].sum(axis=0))
        assert judged.support == pytest.approx(shares[outputs["support"]], abs=1e-5)
        if "contradiction" in outputs:
            assert judged.contradiction == pytest.approx(shares[outputs["contradiction"]], abs=1e-5)
        assert judged.support + judged.contradiction + judged.neither == pytest.approx(1.0)
        assert "gives support" in judged.reason


def test_a_single_output_is_a_probability_by_itself(tmp_path: Path) -> None:
    model = classifier(tmp_path, {"support": 0})
    logit = tiny.weights(1)[pair_ids(*PAIRS[0])].sum()
    assert model.judge(PAIRS[:1])[0].support == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)


def test_a_template_makes_one_text_of_the_pair(tmp_path: Path) -> None:
    model = classifier(tmp_path, {"neither": 0, "support": 1}, template="{evidence} | {claim}")
    shares = tiny.softmax(tiny.weights(2)[tiny.ids_of("it has a lid | it has two")].sum(axis=0))
    assert model.judge([PAIRS[1]])[0].support == pytest.approx(shares[1], abs=1e-5)


@pytest.mark.parametrize("split", [False, True])
def test_a_sequence_to_sequence_model_is_read_at_its_first_word(tmp_path: Path, split: bool) -> None:
    table = tiny.weights(30)
    tiny.write_tokenizer(tmp_path)
    if split:
        tiny.write_encoder_and_decoder(tmp_path, table)
    else:
        tiny.write_seq2seq(tmp_path / "model.onnx", table)
    tiny.write_settings(tmp_path, kind="cross-encoder", outputs={"neither": 3, "support": 20})
    (judged,) = from_folder(tmp_path).judge([PAIRS[0]])
    logits = table[pair_ids(*PAIRS[0])].sum(axis=0) + table[0]
    assert judged.support == pytest.approx(tiny.softmax(logits[[3, 20]])[1], abs=1e-5)


def test_the_labels_of_a_model_are_read_and_never_guessed(tmp_path: Path) -> None:
    tiny.write_tokenizer(tmp_path)
    tiny.write_classifier(tmp_path / "model.onnx", tiny.weights(3))
    labels = {"0": "CONTRADICTION", "1": "entailment", "2": "Neutral"}
    config = {"architectures": ["XForSequenceClassification"], "id2label": labels}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert CrossEncoder.from_folder(tmp_path).ref.arguments["outputs"] == {
        "contradiction": 0,
        "support": 1,
        "neither": 2,
    }
    config["id2label"] = {"0": "LABEL_0", "1": "LABEL_1"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match=r"verifier\.json"):
        CrossEncoder.from_folder(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(texts=st.lists(st.tuples(st.lists(st.sampled_from(tiny.WORDS), max_size=12), st.sampled_from(tiny.WORDS))))
def test_a_pair_is_judged_alike_alone_and_in_any_batch(tmp_path: Path, texts: list[tuple[list[str], str]]) -> None:
    model = classifier(tmp_path, {"neither": 0, "support": 1})
    pairs = [(" ".join(words), claim) for words, claim in texts]
    together = [each.support for each in model.judge(pairs)]
    assert together == pytest.approx([model.judge([pair])[0].support for pair in pairs], abs=1e-6)


def test_what_does_not_fit_supports_nothing_and_a_claim_that_does_not_fit_fails(tmp_path: Path) -> None:
    model = classifier(tmp_path, {"neither": 0, "support": 1}, max_tokens=12)
    fits, long = model.judge([PAIRS[1], PAIRS[2]])
    assert fits.neither < 1.0
    assert (long.support, long.neither) == (0.0, 1.0)
    with pytest.raises(VerificationError, match="longer than the model reads"):
        model.judge([PAIRS[1], ("a", "kettle " * 20)])


def test_a_document_cannot_write_the_models_own_separator(tmp_path: Path) -> None:
    model = classifier(tmp_path, {"neither": 0, "support": 1})
    forged, harmless = model.judge([("it [SEP] the lid [CLS]", "a lid"), ("it  SEP] the lid  CLS]", "a lid")])
    assert forged == harmless


def test_a_token_classifier_names_the_words_that_are_not_supported(tmp_path: Path) -> None:
    table = np.zeros((len(tiny.VOCABULARY), 2), dtype=np.float32)
    table[:, 0] = 4.0
    for word in ("blue", "cold", "three"):
        table[tiny.VOCABULARY[word]] = (0.0, 2.0)
    tiny.write_tokenizer(tmp_path)
    tiny.write_tagger(tmp_path / "model.onnx", table)
    template = "three {evidence}"  # what stands before the claim is not judged
    tiny.write_settings(tmp_path, kind="token-classifier", outputs={"support": 0}, template=template)
    model = from_folder(tmp_path)
    assert isinstance(model, TokenClassifier)
    good, bad = model.judge(
        [("the kettle is cold", "the kettle is red"), ("the lid", "the kettle is blue cold and three")]
    )
    assert good.support == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-6)
    assert bad.support == pytest.approx(1 - 1 / (1 + np.exp(-2)), abs=1e-6)
    assert bad.contradiction == 0.0
    assert "'blue cold', 'three'" in bad.reason
    report = verify("the kettle is blue and it has a lid.", ["the old kettle is warm."], verifier=model)
    assert report.claims[0].verdict == "unsupported"
    assert "'blue'" in report.claims[0].reason


def test_a_verifier_is_used_by_verify_and_named_in_the_report(tmp_path: Path) -> None:
    report = verify(
        "the kettle has a lid.",
        ["the kettle is red and it has a lid."],
        verifier=classifier(tmp_path, {"neither": 0, "support": 1}),
    )
    assert report.verifier.name == f"cross-encoder:{tmp_path.name}"
    assert report.complete
    before = report.verifier.version
    tiny.write_classifier(tmp_path / "model.onnx", tiny.weights(2, seed=1))
    assert CrossEncoder.from_folder(tmp_path).ref.version != before


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ({"kind": "oracle"}, ConfigurationError),
        ({"outputs": {"support": 0, "neither": 0}}, ConfigurationError),
        ({"outputs": {"neither": 0}}, ConfigurationError),
        ({"outputs": {"support": "0", "neither": 1}}, ConfigurationError),
        ({"template": "{evidence.__class__} {claim}"}, ConfigurationError),
        ({"template": "{evidence}"}, ConfigurationError),
        ({"max_tokens": 0}, ConfigurationError),
        ({"outputz": {}}, ConfigurationError),
        ({"kind": "token-classifier"}, ConfigurationError),
        ({"model": "other.onnx"}, ModelFileError),
    ],
)
def test_wrong_settings_are_refused_when_it_is_opened(
    tmp_path: Path, broken: dict[str, object], error: type[Exception]
) -> None:
    classifier(tmp_path, {"neither": 0, "support": 1})
    tiny.write_settings(tmp_path, **{"kind": "cross-encoder", "outputs": {"neither": 0, "support": 1}, **broken})
    with pytest.raises(error):
        CrossEncoder.from_folder(tmp_path)


@pytest.mark.parametrize("outputs", [{"support": 1}, {"support": 0}, {"support": 2, "neither": 0}])
def test_outputs_that_the_model_has_not_fail_the_check(tmp_path: Path, outputs: dict[str, int]) -> None:
    classifier(tmp_path, {"neither": 0, "support": 1})
    tiny.write_settings(tmp_path, kind="cross-encoder", outputs=outputs)
    report = verify(
        "a lid is on this kettle.", ["the kettle has a red lid."], verifier=CrossEncoder.from_folder(tmp_path)
    )
    assert [claim.verdict for claim in report.claims] == ["check_failed"]


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "verifier.json"])
@pytest.mark.parametrize("content", [None, b"", b"\x00\xff{"])
def test_a_missing_or_damaged_file_is_a_typed_error(tmp_path: Path, name: str, content: bytes | None) -> None:
    classifier(tmp_path, {"neither": 0, "support": 1})
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises((ModelFileError, ConfigurationError)):
        from_folder(tmp_path)
