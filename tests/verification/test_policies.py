"""What is done about failing sentences, and that whatever is returned was checked."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grounded.errors import ProviderUnavailableError, UsageError
from grounded.protocols import Judgement
from grounded.records import Claim, Policy, Report, VerifierRef
from grounded.text.regions import thought_spans
from grounded.verification import POLICIES, fails, verify
from tests.verification.test_verify import TEXTS

SOURCES = ["The warranty lasts 24 months from delivery. Returns take 30 days.", "The kettle is red."]
GOOD = "The warranty lasts 24 months from delivery [1]."
WRONG = "The warranty lasts 12 months from delivery [1]."
INVENTED = "Bananas grow on Jupiter [2]."


def keep(report: Report, failing: Sequence[Claim]) -> list[str]:
    """A model that gives every sentence back as it is."""
    return [claim.text for claim in failing]


def test_flag_changes_nothing() -> None:
    report = verify(f"{GOOD} {WRONG}", SOURCES)
    assert (report.policy, report.original, report.text) == ("flag", None, f"{GOOD} {WRONG}")


@pytest.mark.parametrize("policy", ["strip", "abstain", "repair"])
def test_an_answer_without_a_failing_sentence_stays(policy: Policy) -> None:
    report = verify(f"Hello! {GOOD}", SOURCES, policy=policy, rewrite=keep)
    assert (report.policy, report.original, report.text) == (policy, None, f"Hello! {GOOD}")


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (f"{GOOD} {WRONG} {INVENTED}", GOOD),
        (f"{WRONG} {GOOD}", GOOD),
        (f"{GOOD} {INVENTED} Returns take 30 days [1].", f"{GOOD} Returns take 30 days [1]."),
        (f"- {INVENTED}\n- {GOOD}\n- {WRONG}\n", f"- {GOOD}"),
        (f"1. {GOOD}\n2. {INVENTED}\n3. Returns take 30 days.\n", f"1. {GOOD}\n2. Returns take 30 days.\n"),
        (f"{GOOD}\n\n{INVENTED}\n\nReturns take 30 days.", f"{GOOD}\n\nReturns take 30 days."),
        (f"## Fruit\n\n{INVENTED}\n\n## Terms\n\n{GOOD}", f"## Terms\n\n{GOOD}"),
        (f"It grows:\n\n- {INVENTED}\n- {INVENTED}\n\n{GOOD}", GOOD),
        (f"It says:\n- {GOOD}\n- {INVENTED}", f"It says:\n- {GOOD}"),
        (f"Yes. {INVENTED} {GOOD}", GOOD),
        (f"{GOOD}\n\n| fruit | place |\n|---|---|\n| banana | Jupiter grows it |\n\nBye!", f"{GOOD}\n\nBye!"),
        (f"- Bananas grow\n  on Jupiter. {GOOD}", f"- {GOOD}"),
        (f"<think>{INVENTED}</think>{GOOD}", GOOD),
    ],
)
def test_strip_leaves_a_tidy_answer(answer: str, left: str) -> None:
    report = verify(answer, SOURCES, policy="strip")
    assert report.text == left
    assert report.original == verify(answer, SOURCES)
    assert "strip" in report.warnings[-1]


def test_a_sentence_that_leant_on_one_that_went_is_looked_at_again() -> None:
    source = "The licence is new. It lasts 24 months."
    answer = f"The licence is new. The kettle flies to Mars. It lasts 24 months. {INVENTED}"
    report = verify(answer, [source], policy="strip")
    assert "Mars" not in report.text
    assert [claim.verdict for claim in report.claims] == [c.verdict for c in verify(report.text, [source]).claims]
    assert not any(map(fails, report.claims))


@pytest.mark.parametrize("policy", ["strip", "abstain", "repair"])
def test_an_answer_of_which_nothing_stands_is_withheld(policy: Policy) -> None:
    report = verify(f"Here is what I found. {WRONG}", SOURCES, policy=policy, rewrite=keep)
    assert (report.text, report.claims, report.groundedness, report.is_withheld) == ("", (), None, True)
    assert report.original is not None
    assert report.original.groundedness == 0.0
    assert "1 of 1 checked" in report.warnings[-1]


def test_abstain_withholds_for_one_failing_sentence() -> None:
    assert verify(f"{GOOD} {INVENTED}", SOURCES, policy="abstain").is_withheld


class Unwilling:
    """A verifier that gives no judgement of anything about bananas."""

    ref = VerifierRef(name="unwilling", version="1")

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        if any("anana" in claim for _, claim in pairs):
            raise TimeoutError
        return [Judgement(1.0, 0.0, 0.0)] * len(pairs)


@pytest.mark.parametrize("policy", ["strip", "abstain", "repair"])
def test_what_could_not_be_checked_is_not_let_through(policy: Policy) -> None:
    sources = [*SOURCES, "Ecuador has farms of bananas."]
    report = verify(f"{GOOD} Bananas grow in Ecuador.", sources, policy=policy, rewrite=keep, verifier=Unwilling())
    assert report.original is not None
    assert [claim.verdict for claim in report.original.claims] == ["supported", "check_failed"]
    assert "Bananas" not in report.text
    assert report.complete


# -- repair -----------------------------------------------------------------------------------------------------------


def test_repair_rewrites_only_what_fails_and_checks_it() -> None:
    asked: list[list[str]] = []

    def rewrite(report: Report, failing: Sequence[Claim]) -> list[str]:
        asked.append([claim.text for claim in failing])
        return ["The warranty lasts\n24 months from delivery [1].", ""]

    report = verify(f"- {WRONG}\n- The kettle is red [2].\n- {INVENTED}", SOURCES, policy="repair", rewrite=rewrite)
    assert asked == [[WRONG, INVENTED]]
    assert report.text == f"- {GOOD}\n- The kettle is red [2]."
    assert [claim.verdict for claim in report.claims] == ["supported", "supported"]
    assert report.original is not None
    assert WRONG in report.original.text


def test_repair_gives_up_after_its_tries() -> None:
    calls = 0

    def rewrite(report: Report, failing: Sequence[Claim]) -> list[str]:
        nonlocal calls
        calls += 1
        return [f"The warranty lasts {calls} months from delivery [1]."]

    report = verify(f"{WRONG} The kettle is red.", SOURCES, policy="repair", rewrite=rewrite)
    assert report.is_withheld
    assert calls == 2


def test_a_model_that_is_gone_withholds_the_answer() -> None:
    def rewrite(report: Report, failing: Sequence[Claim]) -> list[str]:
        raise ProviderUnavailableError("Nothing answers there.")

    report = verify(f"{GOOD} {WRONG}", SOURCES, policy="repair", rewrite=rewrite)
    assert report.is_withheld
    assert "Nothing answers there" in report.warnings[-1]


@pytest.mark.parametrize("hostile", ["``` code {0}", "<think>", "</think>", "~~~", "```\n"])
def test_a_rewritten_sentence_hides_nothing(hostile: str) -> None:
    def rewrite(report: Report, failing: Sequence[Claim]) -> list[str]:
        return [f"{hostile} {GOOD}"] * len(failing)

    report = verify(f"{WRONG}\n{INVENTED} The kettle is red.", SOURCES, policy="repair", rewrite=rewrite)
    assert not thought_spans(report.text)
    assert "Jupiter" not in report.text


def test_policies_that_cannot_be_followed_are_refused() -> None:
    with pytest.raises(UsageError, match="language model"):
        verify(GOOD, SOURCES, policy="repair")
    with pytest.raises(UsageError, match="flag, strip, abstain, repair"):
        verify(GOOD, SOURCES, policy="burn")  # type: ignore[arg-type]


# -- properties -------------------------------------------------------------------------------------------------------

LINES = st.sampled_from(
    [GOOD, WRONG, INVENTED, "The kettle is red [2].", "It lasts 24 months.", "Here is what I found:", "Yes.", "Bye!"]
)
LAYOUT = st.sampled_from([" ", "\n", "\n\n", "\n- ", "\n1. ", "\n2. ", "\n# ", "\n| ", " |\n|---|\n", "  ", "> "])
ANSWERS = st.lists(st.tuples(LINES | TEXTS, LAYOUT), max_size=8).map(
    lambda parts: "".join(text + between for text, between in parts)
)


@given(answer=ANSWERS, policy=st.sampled_from(POLICIES), proposals=st.lists(LINES | TEXTS, min_size=1, max_size=3))
@example(answer=f"{WRONG} {INVENTED}", policy="repair", proposals=["```", GOOD])
def test_what_a_policy_returns_was_checked(answer: str, policy: Policy, proposals: list[str]) -> None:
    def rewrite(report: Report, failing: Sequence[Claim]) -> list[str]:
        return [proposals[number % len(proposals)] for number in range(len(failing))]

    report = verify(answer, SOURCES, policy=policy, rewrite=rewrite)
    plain = verify(answer, SOURCES)
    assert (report.original or report).model_copy(update={"policy": "flag"}) == plain
    if policy == "flag":
        assert report == plain
        return
    assert not any(map(fails, report.claims))
    assert report.is_withheld or report.claims == verify(report.text, SOURCES).claims
    assert not thought_spans(report.text)
    assert Report.from_json(report.to_json()) == report
