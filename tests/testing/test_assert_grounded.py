"""``assert_grounded`` and the pytest plugin."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points

import pytest

from grounded.errors import UsageError
from grounded.protocols import Judgement
from grounded.records import VerifierRef
from grounded.testing import assert_grounded

pytest_plugins = ["pytester"]

SOURCES = [
    {"text": "The tower of Bern is made of red brick. Delivery takes 3 working days.", "title": "Guide"},
    {"text": "Goats are kept on the hill.", "title": "Hill"},
]
RIGHT = "The tower of Bern is made of red brick."
WRONG = "Delivery takes 5 working days."
UNKNOWN = "Nobody on the hill has ever eaten purple cheese."
CHATTER = "Thank you for your question!"


class Broken:
    """A model that fails."""

    ref = VerifierRef(name="broken", version="1")

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        raise RuntimeError("no memory")


def test_passes_and_returns_the_report() -> None:
    assert assert_grounded(RIGHT, SOURCES).groundedness == 1.0


def test_says_which_sentence_why_and_what_comes_nearest() -> None:
    with pytest.raises(AssertionError) as failed:
        assert_grounded(f"{RIGHT} {WRONG} {UNKNOWN}", SOURCES)
    lines = str(failed.value).splitlines()
    assert lines[0] == "The answer is not grounded: 1 of 3 sentences are supported, 100% must be."
    assert lines[1] == f"  ✗ contradicted: {WRONG}"
    assert "why: the source says" in lines[2]
    assert lines[3].startswith("      nearest: contradicts Delivery takes 3 working days. (Guide")
    assert lines[4] == f"  ? unsupported: {UNKNOWN}"
    assert lines[6] == "      nearest: source 2 Hill Goats are kept on the hill."
    assert not any(RIGHT in line and "supported" in line for line in lines)


def test_a_lower_bar_and_what_is_allowed() -> None:
    assert_grounded(f"{RIGHT} {UNKNOWN}", SOURCES, min_groundedness=0.5)
    assert_grounded(f"{RIGHT} {UNKNOWN}", SOURCES, allow="unsupported")
    with pytest.raises(AssertionError, match="contradicted"):
        assert_grounded(f"{RIGHT} {UNKNOWN} {WRONG}", SOURCES, allow=("unsupported",))


def test_fails_closed() -> None:
    with pytest.raises(AssertionError, match=r"1 of 2 sentences could not be checked(.|\n)*RuntimeError"):
        assert_grounded(f"{RIGHT} {UNKNOWN}", SOURCES, verifier=Broken(), min_groundedness=0.0)
    for nothing in ("", CHATTER, "<think>The tower is red.</think>"):
        with pytest.raises(AssertionError, match="nothing that can be checked"):
            assert_grounded(nothing, SOURCES, min_groundedness=0.0)
    assert_grounded(CHATTER, SOURCES, allow="no_claims")
    with pytest.raises(AssertionError, match="There are no sources"):
        assert_grounded(RIGHT, [])


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(UsageError, match="nothing"):
        assert_grounded(RIGHT, SOURCES, allow="nothing")
    with pytest.raises(UsageError, match="min_groundedness"):
        assert_grounded(RIGHT, SOURCES, min_groundedness=100)


def test_the_plugin_offers_the_fixture_and_lists_what_was_found(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        SOURCES = {SOURCES!r}

        def test_right(assert_grounded):
            assert assert_grounded({RIGHT!r}, SOURCES).complete

        def test_wrong(assert_grounded):
            assert_grounded({RIGHT + " " + WRONG!r}, SOURCES)
        """
    )
    installed = any(point.value == "grounded.testing.plugin" for point in entry_points(group="pytest11"))
    arguments = ["-p", "no:cacheprovider", *([] if installed else ["-p", "grounded.testing.plugin"])]
    done = pytester.runpytest_subprocess(*arguments)
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["E * ✗ contradicted: Delivery takes 5 working days.", "*groundedness*"])
    done.stdout.re_match_lines([r" +100%  .*test_right", r" +50%  .*test_wrong"])
    done.stdout.no_fnmatch_line("*asserting.py*")
