import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grounded.errors import SourceNotFoundError, UsageError
from grounded.models.embedder import tokenizer_of
from grounded.models.entailment import CLAIM_TOKENS, FOLDER, VOCABULARY, EntailmentNetwork, default_network
from grounded.protocols import Judgement
from grounded.records import Budget, Message, Passage, Prompt, Report, Span, TemplateRef, VerifierRef
from grounded.verification import ContainmentModel, Thresholds, Verifier, passages_from
from grounded.verification import verify as verify_by_default
from grounded.verification.network import TrainedModel

WARRANTY = "Our warranty lasts 24 months from delivery."


def verify(answer: Any, sources: Any, **options: Any) -> Report:
    """``verify`` without a model, whose rules most tests here are about."""
    return verify_by_default(answer, sources, **({"verifier": "containment"} | options))


def verdicts(report: Report) -> list[str]:
    return [claim.verdict for claim in report.claims]


# -- the example of the README ----------------------------------------------------------------------------------------


def test_a_supported_claim_carries_its_exact_place() -> None:
    report = verify("The warranty is 24 months [1].", [WARRANTY], question="How long is the warranty?")
    (claim,) = report.claims
    assert claim.verdict == "supported"
    assert (claim.support, claim.contradiction) == (None, None)
    assert claim.score == 1.0
    assert [(e.relation, e.span.slice(WARRANTY), e.text) for e in claim.evidence] == [("supports", WARRANTY, WARRANTY)]
    assert [citation.status for citation in report.citations] == ["correct"]
    assert (report.groundedness, report.citation_precision, report.citation_recall) == (1.0, 1.0, 1.0)
    assert not report.verifier.calibrated


def test_a_contradicted_claim_shows_what_contradicts_it() -> None:
    (claim,) = verify("The warranty is 12 months [1].", [WARRANTY]).claims
    assert claim.verdict == "contradicted"
    assert [(e.relation, e.text) for e in claim.evidence] == [("contradicts", WARRANTY)]
    assert "24 months" in claim.reason
    assert [citation.status for citation in claim.citations] == ["wrong_source"]


def test_evidence_counts_from_the_start_of_the_document() -> None:
    canonical = f"# Handbook\n\nSome words first. {WARRANTY} More follows."
    start = canonical.index("Some")
    passage = Passage(
        id="p", document_id="d", version="v", text=canonical[start:], span=Span(start=start, end=len(canonical))
    )
    (claim,) = verify("The warranty lasts 24 months from delivery.", [passage]).claims
    (evidence,) = claim.evidence
    assert evidence.span.slice(canonical) == evidence.text == WARRANTY
    assert (evidence.document_id, evidence.version) == ("d", "v")


def test_a_fragment_is_read_with_the_question() -> None:
    assert verdicts(verify("24 months.", [WARRANTY], question="How long is the warranty?")) == ["supported"]
    assert verdicts(verify("24 months.", [WARRANTY], question="How long is the licence?")) == ["unsupported"]
    assert verdicts(verify("24 months.", [WARRANTY])) == ["unsupported"]
    history = [Message(role="user", content="How long is the warranty?"), Message(role="assistant", content="?")]
    assert verdicts(verify("24 months.", [WARRANTY], history=history)) == ["supported"]
    made = "The kettle is made in the United States."
    assert verdicts(verify("the United States", [made], question="Where is the kettle made?")) == ["supported"]


def test_a_pronoun_in_a_later_part_means_what_the_first_is_about() -> None:
    sources = ["The copper kettle is red. It weighs 2 kg."]
    claim = verify("The warranty ended. The copper kettle is red, but it weighs 2 kg.", sources).claims[1]
    assert claim.verdict == "supported"


def test_a_pronoun_needs_its_subject_near_the_evidence() -> None:
    source = "The licence is new. It lasts 24 months."
    assert verdicts(verify("The licence is new. It lasts 24 months.", [source])) == ["supported", "supported"]
    assert verdicts(verify("The kettle is new. It lasts 24 months.", [source]))[1] == "unsupported"


def test_yesterday_counts_from_the_reference_date() -> None:
    source = "The shop opened on 3 March 2026."
    day = date(2026, 3, 4)
    assert verdicts(verify("The shop opened yesterday.", [source], reference_date=day)) == ["supported"]
    assert verdicts(verify("The shop opened yesterday.", [source])) == ["unsupported"]


# -- citations --------------------------------------------------------------------------------------------------------


def test_every_marker_is_judged() -> None:
    answer = "Hello [1]. The warranty lasts 24 months from delivery [1][2][1][7][^x]."
    report = verify(answer, [WARRANTY, "Refunds take 30 days."])
    assert [(c.marker, c.number, c.status) for c in report.citations] == [
        ("[1]", 1, "unchecked"),
        ("[1]", 1, "correct"),
        ("[2]", 2, "wrong_source"),
        ("[1]", 1, "redundant"),
        ("[7]", 7, "dangling"),
        ("[^x]", None, "dangling"),
    ]
    assert report.citation_precision == 1 / 4
    assert all(c.span.slice(answer) == c.marker for c in report.citations)


# -- sources that disagree --------------------------------------------------------------------------------------------

OLD = {"text": "The warranty lasts 12 months.", "title": "Handbook 2023", "document_id": "old"}
NEW = {"text": "The warranty lasts 24 months.", "title": "Handbook 2024", "document_id": "new"}


def test_sources_in_force_that_disagree_are_a_conflict() -> None:
    (claim,) = verify("The warranty lasts 24 months.", [OLD, NEW]).claims
    assert (claim.verdict, claim.conflict) == ("contradicted", True)
    assert {e.relation for e in claim.evidence} == {"supports", "contradicts"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD, {**NEW, "supersedes": "old"}),
        ({**OLD, "effective_to": "2024-01-01"}, NEW),
        ({**OLD, "effective_from": "2031-01-01"}, NEW),
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_the_source_in_force_decides_and_the_other_is_shown(
    old: dict[str, str], new: dict[str, str], turn: int
) -> None:
    sources = [old, new][::turn]
    day = date(2026, 1, 1)
    (right,) = verify("The warranty lasts 24 months.", sources, reference_date=day).claims
    assert (right.verdict, right.conflict) == ("supported", False)
    assert [e.title for e in right.evidence] == ["Handbook 2024", "Handbook 2023"]
    assert "Handbook 2023" in right.reason
    (wrong,) = verify("The warranty lasts 12 months.", sources, reference_date=day).claims
    assert (wrong.verdict, wrong.conflict) == ("contradicted", False)
    assert [e.title for e in wrong.evidence] == ["Handbook 2024", "Handbook 2023"]


def test_a_source_out_of_force_alone_supports_nothing() -> None:
    (claim,) = verify("The warranty lasts 12 months.", [{**OLD, "effective_to": "2024-01-01"}]).claims
    assert claim.verdict == "unsupported"
    assert "no longer in force since 2024-01-01" in claim.reason
    assert [e.relation for e in claim.evidence] == ["supports"]


def test_documents_that_replace_each_other_are_both_in_force() -> None:
    (claim,) = verify(
        "The warranty lasts 24 months.", [{**OLD, "supersedes": "new"}, {**NEW, "supersedes": "old"}]
    ).claims
    assert claim.conflict


# -- parts ------------------------------------------------------------------------------------------------------------


def test_the_worst_part_decides() -> None:
    answer = "The kettle is red, and the warranty lasts 12 months [1]."
    (claim,) = verify(answer, ["The kettle is red.", WARRANTY]).claims
    assert [part.verdict for part in claim.parts] == ["supported", "contradicted"]
    assert claim.verdict == "contradicted"
    assert [part.span.slice(answer) for part in claim.parts] == [part.text for part in claim.parts]


# -- adversarial: what containment must see, and what it honestly cannot ----------------------------------------------


@pytest.mark.parametrize(
    ("source", "claim", "expected"),
    [
        ("Staff get 25 days of annual leave.", "Staff get 30 days of annual leave.", "contradicted"),
        ("Staff get 25 days of annual leave.", "Staff get twenty-five days of annual leave.", "supported"),
        ("The warranty lasts two years.", "The warranty lasts 24 months.", "supported"),
        ("The box weighs 1.5 kg.", "The box weighs 1500 g.", "supported"),
        ("The box weighs 1.5 kg.", "The box weighs 15 kg.", "contradicted"),
        ("The fee is 5 euros.", "The fee is 5 dollars.", "unsupported"),
        ("The fee is €5.", "The fee is 5 euros.", "supported"),
        ("Delivery by courier costs 12 euros.", "Delivery costs 9 euros.", "unsupported"),
        ("The contract was signed on 3 March 2026.", "The contract was signed on 2026-03-03.", "supported"),
        ("The contract was signed on 3 March 2026.", "The contract was signed in March 2026.", "supported"),
        ("The contract was signed on 3 March 2026.", "The contract was signed on 5 March 2026.", "contradicted"),
        ("Refunds are paid within 30 days.", "Refunds are paid within 14 days.", "contradicted"),
        ("Refunds are paid within 30 days.", "Refunds are paid after 30 days.", "unsupported"),
        ("The warranty lasts up to 24 months.", "The warranty lasts 24 months.", "unsupported"),
        ("The warranty lasts at least 24 months.", "The warranty lasts 36 months.", "unsupported"),
        ("The warranty covers water damage.", "The warranty does not cover water damage.", "contradicted"),
        ("The warranty does not cover water damage.", "The warranty covers water damage.", "contradicted"),
        ("It is not true that the warranty covers water damage.", "The warranty covers water damage.", "contradicted"),
        ("Prices include delivery.", "Prices exclude delivery.", "unsupported"),
        ("Returns are accepted before opening the box.", "Returns are accepted after opening the box.", "unsupported"),
        ("Alice sued Bob in London.", "Bob sued Alice in London.", "unsupported"),
        ("Alice sued Bob in London.", "Alice sued Bob in London.", "supported"),
        ("Alice sued Bob in London.", "Carol sued Bob in London.", "unsupported"),
        ("Alice sued Bob and Carol married Dave.", "Alice married Dave.", "unsupported"),
        (
            "The kettle has a 12-month and the toaster a 24-month warranty.",
            "The kettle has a 24-month warranty.",
            "unsupported",
        ),
        ("The kettle costs 20 euros. The toaster costs 30 euros.", "The kettle costs 30 euros.", "contradicted"),
        ("The extended warranty is 36 months.", "The warranty is 36 months.", "unsupported"),
        ("You may return items if they are unused.", "You may return items.", "unsupported"),
        ("Some items are refundable.", "All items are refundable.", "unsupported"),
        ("The drug may cure malaria.", "The drug cures malaria.", "unsupported"),
        ("Is copper more reactive than iron?", "Copper is more reactive than iron.", "unsupported"),
        ('He said "the plant will close in May".', 'He said "the plant will open in May".', "unsupported"),
        ("In 2019, Acme acquired Beta.", "Acme acquired Beta in 2019.", "supported"),
        ("product: kettle; price: 12; warranty_months: 24", "The kettle has a warranty of 24 months.", "supported"),
        ("product: kettle; warranty_months: 12; price: 24", "The kettle has a warranty of 24 months.", "unsupported"),
        ("保证期为24个月。从交货起算。", "保证期为24个月。", "supported"),
        ("保证期不为24个月。", "保证期为24个月。", "unsupported"),
        ("Die Garantie deckt Schäden durch Wasser.", "Die Garantie deckt Schäden durch Wasser.", "supported"),
        ("Die Garantie deckt keine Schäden durch Wasser.", "Die Garantie deckt Schäden durch Wasser.", "unsupported"),
        # A paraphrase is out of reach: containment says so rather than guess.
        ("The guarantee period amounts to two years.", "The warranty lasts 24 months.", "unsupported"),
    ],
)
def test_adversarial_pairs(source: str, claim: str, expected: object) -> None:
    assert verdicts(verify(claim, [source])) == [expected]


# -- failing closed ---------------------------------------------------------------------------------------------------


@dataclass
class FakeModel:
    """A model of ours to order; it is the seam that is tested, not the model."""

    answer: object
    calibrated: bool = False
    calls: list[int] = field(default_factory=list)

    @property
    def ref(self) -> VerifierRef:
        return VerifierRef(name="fake", version="1", calibrated=self.calibrated)

    def judge(self, pairs: Any) -> Any:
        self.calls.append(len(pairs))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer(pairs) if callable(self.answer) else self.answer


YES = Judgement(0.97, 0.01, 0.02)
GUARANTEE = f"{WARRANTY} The guarantee."
"""Says it in other words, so that a model is asked."""


@pytest.mark.parametrize(
    "answer",
    [
        RuntimeError("boom"),
        TimeoutError("too slow"),
        MemoryError(),
        [],
        None,
        "yes",
        lambda pairs: [YES] * (len(pairs) + 1),
        lambda pairs: [True] * len(pairs),
        lambda pairs: [Judgement(math.nan, 0.0, 1.0)] * len(pairs),
        lambda pairs: [Judgement(1.5, -0.5, 0.0)] * len(pairs),
        lambda pairs: [Judgement(0.9, 0.9, 0.9)] * len(pairs),
    ],
)
def test_a_model_that_fails_supports_nothing(answer: Any) -> None:
    report = verify(
        "The guarantee runs for two years [1]. Hello!", [GUARANTEE], verifier=FakeModel(answer, calibrated=True)
    )
    assert verdicts(report) == ["check_failed", "not_a_claim"]
    assert (report.groundedness, report.complete, report.citation_precision) == (0.0, False, 0.0)
    assert report.claims[0].reason
    assert (report.claims[0].support, report.claims[0].score) == (None, None)


@pytest.mark.parametrize("damage", ["cut off", "gone"])
def test_a_damaged_model_fails_the_check_and_says_what_to_do(damage: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "model"))
    (folder / "model.onnx").write_bytes(b"onnx")
    if damage == "gone":
        (folder / "model.onnx").unlink()
    model = TrainedModel(EntailmentNetwork(folder))
    report = verify("Every shop in town honours the warranty.", [WARRANTY], verifier=model)
    assert verdicts(report) == ["check_failed"]
    assert "Reinstall grounded-rag" in report.claims[0].reason
    assert not report.complete


def test_one_poisonous_claim_does_not_spoil_the_others() -> None:
    def judge(pairs: Any) -> Any:
        if any("poison" in claim for _, claim in pairs):
            raise ValueError("poison")
        return [YES] * len(pairs)

    report = verify("The kettle is green. The kettle is poison.", ["A kettle."], verifier=FakeModel(judge))
    assert verdicts(report) == ["supported", "check_failed"]


def test_a_dead_model_is_not_asked_for_every_claim() -> None:
    model = FakeModel(RuntimeError("dead"))
    report = verify("The kettle is green. " * 50, ["A kettle."], verifier=model)
    assert set(verdicts(report)) == {"check_failed"}
    assert len(model.calls) <= 4


def test_no_model_overrules_a_different_number_or_plain_containment() -> None:
    model = FakeModel(lambda pairs: [YES] * len(pairs), calibrated=True)
    report = verify("The warranty is 12 months.", [WARRANTY], verifier=model)
    assert verdicts(report) == ["contradicted"]
    no = FakeModel(lambda pairs: [Judgement(0.0, 0.9, 0.1)] * len(pairs))
    assert verdicts(verify(WARRANTY, [WARRANTY], verifier=no)) == ["supported"]


def says(support: float, contradiction: float) -> Judgement:
    return Judgement(support, contradiction, 1.0 - support - contradiction)


def test_a_model_that_reads_one_source_both_ways_decides_nothing() -> None:
    def judge(pairs: Any) -> Any:
        return [says(0.1, 0.8) if "sand" in window else says(0.7, 0.1) for window, _ in pairs]

    near, far = "The kettle has a copper body. ", "The kettle was found in the sand. "
    padding = "Nothing else is known of that day, and nobody ever asked for it again. " * 10
    (torn,) = verify("The kettle looks reddish.", [near + padding + far], verifier=FakeModel(judge)).claims
    assert (torn.verdict, torn.conflict) == ("unsupported", False)
    assert {each.relation for each in torn.evidence} == {"supports", "contradicts"}
    (cited,) = verify("The kettle looks reddish [1].", [near + padding + far], verifier=FakeModel(judge)).claims
    assert [citation.status for citation in cited.citations] == ["wrong_source"]
    (split,) = verify("The kettle looks reddish.", [near, far], verifier=FakeModel(judge)).claims
    assert (split.verdict, split.conflict) == ("contradicted", True)


def test_support_by_a_source_out_of_force_hides_no_contradiction() -> None:
    def judge(pairs: Any) -> Any:
        return [says(0.9, 0.0) if "24" in window else says(0.1, 0.6) for window, _ in pairs]

    old, new = "A kettle has 24 months of guarantee.", "A kettle has 36 months of guarantee."
    sources = [{"text": old, "document_id": "old"}, {"text": new, "supersedes": "old"}]
    (claim,) = verify("The guarantee for our kettle is two years.", sources, verifier=FakeModel(judge)).claims
    assert (claim.verdict, claim.conflict) == ("contradicted", False)
    assert [(each.relation, each.text) for each in claim.evidence] == [("contradicts", new), ("supports", old)]


# -- the network of the package: what holds whatever it has learned ---------------------------------------------------

LONG = "The first kettle of the series, which was made of copper, had a lid of wood, " * 6 + "and a blue handle."


def test_a_claim_longer_than_the_network_reads_is_supported_only_as_far_as_every_piece() -> None:
    network = default_network()
    pieces = network.pieces(LONG)
    assert len(pieces) > 1
    assert " ".join(pieces) == LONG
    assert pieces[-1].endswith("and a blue handle.")
    model = TrainedModel()
    for context in ("The first kettle of the series was made of copper and had a lid of wood.", LONG):
        (whole,) = model.judge([(context, LONG)])
        single = model.judge([(context, piece) for piece in pieces])
        assert whole.support == min(each.support for each in single)
        assert whole.contradiction == max(each.contradiction for each in single)


@given(st.text(alphabet="ab,. \n\u4e2d\u0301", max_size=400))
def test_no_word_of_a_claim_is_cut_off(claim: str) -> None:
    network = default_network()
    pieces = network.pieces(claim)
    assert "".join("".join(pieces).split()) == "".join(claim.split()) or len(pieces) == 1
    tokenizer = tokenizer_of(VOCABULARY)
    assert all(len(tokenizer.ids(piece)) <= CLAIM_TOKENS for piece in pieces)


def test_the_network_contradicts_no_fragment_behind_its_question() -> None:
    model = TrainedModel()
    context = "Reef are a band from Glastonbury. Simple Plan are a band from Montreal."
    for question in (
        "Which band is from Montreal?",
        f"Of {'these and those many ' * 30}bands, which is from Montreal?",
    ):
        (found,) = model.judge([(context, f"{question} Reef")])
        assert found.contradiction == 0.0
        assert "against" not in found.reason


def test_a_calibrated_model_gives_probabilities() -> None:
    model = FakeModel(lambda pairs: [YES] * len(pairs), calibrated=True)
    (claim,) = verify("The guarantee runs for two years.", [GUARANTEE], verifier=Verifier(model)).claims
    assert (claim.verdict, claim.support) == ("supported", 0.97)


# -- edges ------------------------------------------------------------------------------------------------------------


def test_formulas_at_their_edges() -> None:
    for answer in ("", "   ", "Hello!", "<think>It is 5 months."):
        report = verify(answer, [WARRANTY])
        assert (report.groundedness, report.complete) == (None, True)
        assert (report.citation_precision, report.citation_recall) == (None, None)
    nothing = verify("The warranty is 24 months [1].", [])
    assert (verdicts(nothing), nothing.groundedness, nothing.citation_recall) == (["unsupported"], 0.0, None)
    assert nothing.citations[0].status == "dangling"
    assert nothing.warnings


def test_unreadable_sources_are_named() -> None:
    report = verify("The warranty is 24 months [3].", ["  \n", "\x00\x01\x02", WARRANTY])
    assert verdicts(report) == ["supported"]
    assert report.warnings == ("Source 1 has no readable text.", "Source 2 has no readable text.")


@pytest.mark.parametrize(
    "hidden",
    [
        "The war\u200branty is 24\u00a0months.",
        "\u202eThe warranty is 24 months.\u202c",
        "The **warranty** is <b>24</b> months.",
        "The warranty is ２４ months.",
        "<p>The warranty&nbsp;is <em>24</em> months.</p><script>steal('9 months')</script>",
    ],
)
def test_invisible_and_decorated_text_is_read_as_people_see_it(hidden: str) -> None:
    wrong = hidden.replace("24", "12").replace("２４", "１２")
    assert verify(hidden, [WARRANTY]).claims[0].verdict == "supported"
    assert verify(wrong, [WARRANTY]).claims[0].verdict == "contradicted"


@pytest.mark.parametrize("wrong", [None, 5, b"bytes", [None], [b"bytes"], [{"title": "no text"}], [object()], {"a": 1}])
def test_wrong_sources_are_refused(wrong: Any) -> None:
    with pytest.raises(UsageError):
        verify("x", wrong)


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    wrong: Any = 5
    with pytest.raises(UsageError, match="flag"):
        verify("x", [], policy="burn")
    with pytest.raises(UsageError):
        verify(wrong, [])
    with pytest.raises(UsageError):
        verify("x", [], question=wrong)
    with pytest.raises(UsageError):
        verify("x", [], verifier=wrong)
    with pytest.raises(UsageError, match="YYYY"):
        verify("x", [{"text": "y", "effective_from": "soon"}])
    with pytest.raises(SourceNotFoundError):
        verify("x", tmp_path / "missing.json")


# -- the kinds of sources ---------------------------------------------------------------------------------------------


@dataclass
class LangChainLike:
    page_content: str
    metadata: dict[str, str]


@dataclass
class NodeLike:
    text: str
    metadata: dict[str, str]
    node_id: str = "node-1"

    def get_content(self) -> str:
        return self.text


@dataclass
class NodeWithScoreLike:
    node: NodeLike
    score: float = 0.5


def test_other_libraries_documents_are_read() -> None:
    found = passages_from(
        [
            LangChainLike("a", {"source": "a.pdf", "title": "A"}),
            NodeLike("b", {"file_name": "b.pdf"}),
            NodeWithScoreLike(NodeLike("c", {})),
            {"text": "d", "title": "D", "uri": "u", "id": "i"},
            "e",
        ]
    )
    assert [(p.text, p.title, p.uri) for p in found] == [
        ("a", "A", "a.pdf"),
        ("b", "b.pdf", ""),
        ("c", "Source 3", ""),
        ("d", "D", "u"),
        ("e", "Source 5", ""),
    ]
    assert found[1].id == "node-1"
    assert found[3].id == "i"


def test_a_saved_prompt_is_a_source(tmp_path: Path) -> None:
    prompt = Prompt(
        messages=(),
        passages=passages_from([WARRANTY]),
        question="?",
        budget=Budget(limit=1, reserved=0, parts={}, exact=True, encoding="x"),
        template=TemplateRef(name="t", version="1", hash="h"),
        nonce="n",
    )
    path = tmp_path / "prompt.json"
    path.write_text(prompt.to_json(), encoding="utf-8")
    for source in (prompt, prompt.to_dict(), path, str(path)):
        assert verdicts(verify(WARRANTY, source)) == ["supported"]
    path.write_text(json.dumps({"no": "prompt"}), encoding="utf-8")
    with pytest.raises(UsageError, match="not a saved prompt"):
        verify("x", path)


# -- properties -------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "The warranty lasts 24 months. ",
        "Warranty",
        "12 days",
        " not ",
        "\n",
        "\n\n",
        "- ",
        "[1]",
        "[2]",
        "【1】",
        "<think>",
        "</think>",
        "`",
        "```",
        "| a |",
        "é",
        "保证",
        "\u202e",
        "\u200b",
        "\ud800",
        "\x00",
        "; ",
        " and it is ",
        "“x y z” ",
        "<b>",
        "&amp;",
        ": ",
        "3 March 2026 ",
        "It lasts 5 kg. ",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join)


@given(answer=TEXTS, sources=st.lists(TEXTS, max_size=3), offset=st.integers(0, 5))
@example(answer="The warranty is 24 months.", sources=["\ud800 The warranty is 24 months."], offset=2)
def test_spans_slice_back_and_nothing_is_supported_without_evidence(
    answer: Any, sources: list[str], offset: int
) -> None:
    passages = [
        Passage(id=str(n), title=f"T{n}", text=text, span=Span(start=offset, end=offset + len(text)))
        for n, text in enumerate(sources)
    ]
    report = verify(answer, passages)
    canonical = {passage.id: " " * offset + passage.text for passage in passages}
    for claim in report.claims:
        assert claim.span.slice(answer) == claim.text
        assert (claim.verdict == "supported") <= any(e.relation == "supports" for e in claim.evidence)
        assert (claim.verdict == "contradicted") <= any(e.relation == "contradicts" for e in claim.evidence)
        for evidence in claim.evidence:
            assert evidence.span.slice(canonical[evidence.passage_id]) == evidence.text
    for citation in report.citations:
        assert citation.span.slice(answer) == citation.marker
    failing = verify(answer, passages, verifier=FakeModel(RuntimeError("x")))
    assert not any(claim.is_supported and claim.score is None for claim in failing.claims)


def test_the_containment_model_judges_pairs_in_order() -> None:
    judged = ContainmentModel().judge(
        [(WARRANTY, "The warranty is 24 months."), (WARRANTY, "The warranty is 12 months.")]
    )
    assert [j.support >= 0.5 for j in judged] == [True, False]
    assert [j.contradiction >= 0.5 for j in judged] == [False, True]
    assert all(math.isclose(j.support + j.contradiction + j.neither, 1.0) for j in judged)


# -- size -------------------------------------------------------------------------------------------------------------


def test_what_is_no_sentence_is_not_judged() -> None:
    report = verify(f"{WARRANTY} {'1, ' * 20_000}", [WARRANTY])
    assert verdicts(report) == ["supported", "check_failed"]
    assert "one piece may have" in report.claims[1].reason


def test_long_answers_and_many_passages_stay_linear() -> None:
    answer = "The warranty is 24 months [1]. " * 3300
    assert len(answer) > 100_000
    assert verify(answer, [WARRANTY]).groundedness == 1.0
    many = [f"Item {n} costs {n} euros." for n in range(10_000)]
    assert verdicts(verify("Item 4711 costs 4711 euros.", many)) == ["supported"]
    big = "word " * 1_000_000 + WARRANTY
    assert verdicts(verify("The warranty lasts 24 months from delivery.", [big])) == ["supported"]


def test_the_month_of_may_is_no_doubt() -> None:
    report = verify_by_default(
        "Ayodhya is in Uttar Pradesh.", ["Anushka Sharma was born on 1 May 1988 in Ayodhya, Uttar Pradesh."]
    )
    assert "less certain" not in report.claims[0].reason


def test_a_name_with_an_accent_leaves_a_sentence_english() -> None:
    report = verify_by_default("Maxi López was a teammate.", ["Maxi López and Icardi played side by side."])
    assert report.claims[0].verdict != "check_failed"
    foreign = verify_by_default("Größe und Gewicht sind gleich.", ["Der Katalog nennt Größe und Farbe."])
    assert foreign.claims[0].verdict == "check_failed"


def test_one_stretch_that_does_not_say_it_is_no_conflict_with_one_that_does() -> None:
    class Model:
        ref = VerifierRef(name="two-minded", version="1", calibrated=True)

        def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
            return [
                Judgement(0.9, 0.0, 0.1, reason="yes") if "1996" in window else Judgement(0.1, 0.8, 0.1, reason="no")
                for window, _ in pairs
            ]

    filler = " ".join(f"Line {number} is about the weather of that day." for number in range(30))
    source = f"In 1996 he went to the academy to learn. {filler} He left the academy, people who learned there say."
    claim = verify("He learned at the academy.", [source], verifier=Model()).claims[0]
    assert (claim.verdict, claim.conflict) == ("supported", False)


@pytest.mark.parametrize(
    "question", ["How long is the warranty", "How long is the warranty. ", "How long is the warranty?"]
)
def test_a_model_reads_a_fragment_behind_its_question(question: str) -> None:
    read: list[str] = []

    def judge(pairs: Any) -> Any:
        read.extend(claim for _, claim in pairs)
        return [YES] * len(pairs)

    verify("24 months.", ["The warranty runs for two years or so."], question=question, verifier=FakeModel(judge))
    assert set(read) == {"How long is the warranty? 24 months."}


def test_a_year_on_its_own_is_said_by_a_date() -> None:
    source = "Mary Herbert (née Sidney; 27 October 1561 – 25 September 1621) led the Wilton Circle of poets."
    question = "The Wilton Circle of poets was led by a woman born in what year?"
    assert "no source says" not in verify_by_default("1561", [source], question=question).claims[0].reason
    assert verify_by_default("1571", [source], question=question).claims[0].verdict != "supported"


def test_a_name_in_the_place_of_another_is_not_supported() -> None:
    source = "A total of 134 experts in 16 countries took part in a three-round Delphi process held by the university."
    assert verify_by_default(source, [source]).claims[0].verdict == "supported"
    (claim,) = verify_by_default(source.replace("Delphi", "Oxford"), [source]).claims
    assert claim.verdict in ("unsupported", "contradicted")


@pytest.mark.parametrize(
    ("support", "marker", "parts_read"),
    [(0.9, "", False), (0.9, " [1]", False), (0.9, " [2]", True), (0.1, "", True)],
)
def test_parts_are_read_only_where_they_matter(support: float, marker: str, parts_read: bool) -> None:
    read: set[str] = set()

    def judge(pairs: Any) -> Any:
        read.update(claim for _, claim in pairs)
        likely = [support if "Buyers" in window else 0.0 for window, _ in pairs]
        return [Judgement(each, 0.0, 1.0 - each) for each in likely]

    answer = f"The kettle is liked by many buyers, and the toaster is liked by few{marker}."
    sources = ["Buyers praise the kettle and not the toaster.", "Bern is a town on a river."]
    (claim,) = verify(answer, sources, verifier=FakeModel(judge)).claims
    assert claim.verdict == ("supported" if support > 0.5 else "unsupported")
    assert bool(read - {answer.replace(marker, "")}) is parts_read


# -- a low threshold lets a model say more, and the rules no more -----------------------------------------------------

LOW = Thresholds(support=0.1, contradiction=0.1)


@pytest.mark.parametrize(
    ("answer", "source"),
    [
        ("The kettle heats the red pot.", "The red pot heats the kettle."),
        ("Most kettles of 2024 are recalled.", "Some say that most kettles of 2024 are not recalled."),
        ("It lasts 24 months after the kettle was bought.", "It lasts 24 weeks after the kettle was bought."),
        ("The kettle is made in Bern. It lasts 24 months.", "The toaster lasts 24 months."),
        ("The lid of the kettle is blue and heavy.", "The lid of the kettle is blue."),
    ],
)
def test_what_the_rules_object_to_is_supported_at_no_threshold(answer: str, source: str) -> None:
    assert "supported" not in verdicts(verify(answer, [source], verifier=Verifier("containment", thresholds=LOW)))


@given(answer=TEXTS, sources=st.lists(TEXTS, max_size=3))
def test_rules_support_the_same_at_every_threshold_up_to_a_half(answer: str, sources: list[str]) -> None:
    usual = verdicts(verify(answer, sources))
    low = verdicts(verify(answer, sources, verifier=Verifier("containment", thresholds=Thresholds(support=0.01))))
    assert low == usual


def test_a_model_below_a_half_must_find_a_source_that_speaks_of_the_topic() -> None:
    class Lenient:
        ref = VerifierRef(name="lenient", version="1")

        def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
            return [Judgement(0.4, 0.0, 0.6) for _ in pairs]

    answer = "The kettle is made in Bern. It is loved by most of its buyers."
    lenient = Verifier(Lenient(), thresholds=Thresholds(support=0.3))
    off, on = (
        verify(answer, [source], verifier=lenient)
        for source in ("Buyers have praised the toaster for years.", "Buyers have praised the kettle for years.")
    )
    assert verdicts(off)[1] == "unsupported"
    assert verdicts(on)[1] == "supported"
