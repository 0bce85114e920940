from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from grounded.evaluation.packing import Packing
from grounded.records import Answer, Experiment, Message
from tests.evaluation.made_up import QUESTIONS, SOURCES, _answer, experiment
from tests.records import strategies as make
from tests.records.test_records import answer_with


def test_an_experiment_survives_being_written() -> None:
    made = experiment(23)
    assert Experiment.from_json(made.to_json()) == made


def test_each_passage_and_each_piece_is_kept_once() -> None:
    made = experiment(40)
    assert len(made.passages) == len(SOURCES)
    assert len(set(made.texts)) == len(made.texts)
    system = made.messages_of(made.trials[0])[0].content
    assert sum(system == text for text in made.texts) == 1


def test_answers_are_restored_with_their_prompts_scores_and_reports() -> None:
    made = experiment(len(QUESTIONS), ("only",))
    for number, trial in enumerate(made.trials):
        assert made.answer_of(trial) == _answer(number)


@settings(max_examples=10)
@given(make.reports(), st.lists(make.passages(), max_size=4), st.text(max_size=30))
def test_whatever_the_passages_say_messages_come_back(report, given_passages, around) -> None:  # type: ignore[no-untyped-def]
    passages = tuple(given_passages)
    answer: Answer = answer_with(report)
    content = around.join(["", *(passage.text for passage in passages), ""])
    assert answer.prompt is not None
    prompt = answer.prompt.model_copy(
        update={"messages": (Message(role="user", content=content),), "passages": passages}
    )
    held = report.model_copy(update={"passages": passages})
    answer = answer.model_copy(update={"prompt": prompt, "passages": passages, "report": held})
    packing = Packing()
    trial = packing.answered("1", "v", answer)
    bare = experiment(1, ("v",))
    made = bare.model_copy(update={"passages": tuple(packing.passages), "texts": tuple(packing.texts)})
    assert made.answer_of(trial) == answer
