"""What goes wrong in practice, through the whole pipeline: typed, named, and nothing stored is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grounded import KnowledgeBase, verify
from grounded.errors import GroundedError, ProviderError, ProviderUnavailableError, UnknownNameError, UsageError
from grounded.protocols import Judgement
from grounded.records import Generation, GeneratorRef, Prompt, VerifierRef

BEES = "Bees make honey from the nectar of flowers."


@pytest.fixture
def bees(tmp_path: Path) -> Iterator[KnowledgeBase]:
    with KnowledgeBase.open(tmp_path / "kb", create=True) as knowledge_base:
        knowledge_base.ingest([{"key": "bees", "text": BEES}])
        yield knowledge_base
        assert knowledge_base.search("honey")[0].text == BEES


class Scripted:
    """A generator that writes what it is told; a real implementation of the seam."""

    window = 8192

    def __init__(self, *texts: str, finish: str = "stop") -> None:
        self.ref = GeneratorRef(name="scripted", label="scripted")
        self._pieces = [Generation(text=text) for text in texts[:-1]]
        self._last = Generation(text=texts[-1] if texts else "", finish=finish)

    def generate(self, prompt: Prompt) -> Generation:
        return Generation(text="".join(piece.text for piece in [*self._pieces, self._last]))

    def stream(self, prompt: Prompt) -> Iterator[Generation]:
        yield from self._pieces
        yield self._last


@pytest.mark.parametrize("source", [3, None, b"bytes"])
def test_what_is_no_source_is_a_usage_error(bees: KnowledgeBase, source: object) -> None:
    with pytest.raises(UsageError):
        bees.ingest(source)  # type: ignore[arg-type]


def test_nothing_to_ingest_is_a_usage_error(bees: KnowledgeBase) -> None:
    with pytest.raises(UsageError):
        bees.ingest()


def test_an_unknown_scheme_lists_the_connectors(bees: KnowledgeBase) -> None:
    with pytest.raises(UnknownNameError, match="files"):
        bees.ingest("gopher://old.example/1")


def test_a_missing_path_names_the_path(bees: KnowledgeBase, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        bees.ingest(tmp_path / "nowhere")


def test_bad_records_are_failures_and_good_ones_arrive(bees: KnowledgeBase) -> None:
    report = bees.ingest(
        [{"key": "good", "text": "Ants live in colonies."}, {"text": "no key"}, {"key": "x", "size": 3}]
    )
    assert report.documents_added == 1
    assert len(report.failures) == 2
    assert all(failure.message for failure in report.failures)


def test_binary_rubbish_with_a_good_name_is_refused(bees: KnowledgeBase, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(bytes(range(256)) * 64)
    (failure,) = bees.ingest(tmp_path / "notes.txt").failures
    assert failure.error == "UnsupportedFormatError"


def test_a_symlink_loop_ends(bees: KnowledgeBase, tmp_path: Path) -> None:
    folder = tmp_path / "loop"
    folder.mkdir()
    (folder / "self").symlink_to(folder, target_is_directory=True)
    (folder / "a.txt").write_text("Wasps build nests of paper.")
    assert bees.ingest(folder).documents_added == 1


@pytest.mark.parametrize("text", ["", " \n ", "<think>only thoughts</think>", "<think>never closed"])
def test_an_empty_answer_is_no_answer(bees: KnowledgeBase, text: str) -> None:
    answer = bees.ask("What do bees make?", llm=Scripted(text))
    assert not answer.answered
    assert answer.report is None


def test_hostile_thinking_is_neither_shown_nor_checked(bees: KnowledgeBase) -> None:
    answer = bees.ask("What do bees make?", llm=Scripted("Bees sting.</think>", f"{BEES[:-1]} [1]."))
    assert "sting" not in answer.text
    assert answer.report is not None
    assert answer.report.groundedness == 1.0


def test_invented_markers_dangle(bees: KnowledgeBase) -> None:
    answer = bees.ask("What do bees make?", llm=Scripted(f"{BEES[:-1]} [7]."))
    (citation,) = answer.citations
    assert citation.status == "dangling"
    assert answer.report is not None
    assert answer.report.citation_precision == 0.0


@pytest.mark.parametrize("finish", ["filtered", "refused"])
def test_a_provider_filter_is_an_outcome(bees: KnowledgeBase, finish: str) -> None:
    assert bees.ask("What do bees make?", llm=Scripted("", finish=finish)).outcome == "blocked_by_provider"


def test_an_unreachable_model_names_the_fix(bees: KnowledgeBase) -> None:
    with pytest.raises(ProviderUnavailableError) as caught:
        bees.ask("What do bees make?", llm="http://127.0.0.1:9/v1#none")
    assert caught.value.fix


def test_a_model_that_raises_is_a_typed_error(bees: KnowledgeBase) -> None:
    class Broken(Scripted):
        def stream(self, prompt: Prompt) -> Iterator[Generation]:
            raise ProviderError("rubbish came back")
            yield

    with pytest.raises(ProviderError):
        bees.ask("What do bees make?", llm=Broken("x"))


@pytest.mark.parametrize("judgements", [[], [Judgement(2.0, -1.0, 0.0)], [Judgement(float("nan"), 0.0, 0.0)]])
def test_a_verifier_that_fails_never_supports(bees: KnowledgeBase, judgements: list[Judgement]) -> None:
    class Failing:
        ref = VerifierRef(name="failing", version="1")

        def judge(self, pairs: object) -> list[Judgement]:
            return judgements

    answer = bees.ask("What do bees make?", llm=Scripted("Flowers give bees their honey."), verifier=Failing())
    assert answer.outcome == "check_failed"
    report = verify("Flowers give bees honey.", [BEES], verifier=Failing())
    assert report.claims[0].verdict == "check_failed"
    assert (report.groundedness, report.complete) == (0.0, False)


def test_verify_without_sources_supports_nothing() -> None:
    report = verify(BEES, [])
    assert report.groundedness == 0.0
    assert report.warnings


def test_an_unknown_policy_is_a_usage_error(bees: KnowledgeBase) -> None:
    with pytest.raises(UsageError, match="flag"):
        bees.ask("What do bees make?", policy="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("turn", [{"role": "pirate", "content": "x"}, {"content": "x"}, "text", 3])
def test_a_wrong_history_is_a_usage_error(bees: KnowledgeBase, turn: object) -> None:
    with pytest.raises(UsageError, match="history"):
        bees.ask("What do bees make?", history=[turn])  # type: ignore[list-item]


def test_an_unknown_option_is_refused(bees: KnowledgeBase) -> None:
    with pytest.raises(UnknownNameError, match="principals"):
        bees.ask("What do bees make?", principal=["hr"])  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="threshold"):
        bees.ask("What do bees make?", sufficiency_threshold=7)


@pytest.mark.parametrize("principals", ["boss", 3, [""], [None]])
def test_principals_are_a_list_of_names(bees: KnowledgeBase, principals: object) -> None:
    for call in (bees.search, bees.prompt, bees.ask):
        with pytest.raises(UsageError):
            call("What do bees make?", principals=principals)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        bees.ingest([{"key": "x", "text": "y"}], principals=principals)  # type: ignore[arg-type]


@pytest.mark.parametrize("question", [None, 3, b"honey"])
def test_a_question_is_text(bees: KnowledgeBase, question: object) -> None:
    for call in (bees.search, bees.prompt, bees.ask):
        with pytest.raises(UsageError):
            call(question)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"k": 0}, {"k": "3"}, {"where": "a=b"}])
def test_wrong_search_options_are_usage_errors(bees: KnowledgeBase, options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        bees.search("honey", **options)  # type: ignore[arg-type]


def test_a_filter_of_another_kind_is_refused_rather_than_empty(bees: KnowledgeBase) -> None:
    bees.ingest([{"key": "year", "text": "The census of bees.", "metadata": {"year": 2024}}])
    assert bees.search("census", where={"year": 2024})
    for wanted in ("2024", True, {"gte": 2024, "not": "x"}):
        with pytest.raises(UsageError, match="integer"):
            bees.search("census", where={"year": wanted})


def test_documents_that_replace_each_other_cancel_out(bees: KnowledgeBase) -> None:
    bees.ingest(
        [
            {"key": "a", "text": "Alpha costs 5 euros.", "supersedes": "b"},
            {"key": "b", "text": "Alpha costs 6 euros.", "supersedes": "a"},
            {"key": "z", "text": "Zebras have stripes."},
        ]
    )
    answer = bees.ask("What does Alpha cost?")
    assert "Zebras" not in answer.text
    assert answer.report is None or answer.report.groundedness != 1.0


def test_an_answer_from_an_expired_document_says_so(bees: KnowledgeBase) -> None:
    old = {"key": "old", "text": "The ferry costs 3 euros.", "effective_to": "2020-01-01"}
    bees.ingest([old])
    answer = bees.ask("What does the ferry cost?")
    assert answer.report is None or answer.report.groundedness == 0.0
    assert not answer.answered or any("not in force" in note for note in answer.notes)


def test_cancelling_a_stream_closes_the_model(bees: KnowledgeBase) -> None:
    closed = threading.Event()

    class Slow(Scripted):
        def stream(self, prompt: Prompt) -> Iterator[Generation]:
            try:
                for _ in range(200):
                    time.sleep(0.05)
                    yield Generation(text="word ")
            finally:
                closed.set()

    async def main() -> None:
        task = asyncio.create_task(bees.aask("What do bees make?", llm=Slow("")))
        await asyncio.sleep(0.4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert closed.wait(2)


FULL_DISK = """
import sys
from pathlib import Path
from grounded import KnowledgeBase
from grounded.errors import KnowledgeBaseError
folder = Path(sys.argv[1])
with KnowledgeBase.open(folder / "kb", create=True) as kb:
    kb.ingest([{"key": "bees", "text": "Bees make honey."}])
    (folder / "filler").write_bytes(b"x" * (int(sys.argv[2]) * 1024 * 1024))
    try:
        kb.ingest([{"key": str(n), "text": f"Entry {n}. " + "word " * 200} for n in range(3000)])
    except KnowledgeBaseError as error:
        print(type(error).__name__, error)
    else:
        print("no error")
(folder / "filler").unlink()
with KnowledgeBase.open(folder / "kb") as kb:
    print(kb.search("honey")[0].text, kb.status().drifted)
"""


def test_a_full_disk_is_a_typed_error_and_loses_nothing(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not on this machine (Linux only)")
    mounted = tmp_path / "small"
    mounted.mkdir()
    script = tmp_path / "script.py"
    script.write_text(FULL_DISK)
    command = f"mount -t tmpfs -o size=160m tmpfs {mounted} && {sys.executable} {script} {mounted} 100"
    done = subprocess.run(
        [unshare, "--mount", "--map-root-user", "sh", "-c", command],
        capture_output=True, text=True, check=False, timeout=120, env=dict(os.environ),
    )  # fmt: skip
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"mounting a small disk is not permitted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    refused, kept = done.stdout.strip().splitlines()
    assert "Error" in refused
    assert "space" in refused or "full" in refused
    assert kept == "Bees make honey. False"


def test_errors_carry_a_fix(tmp_path: Path) -> None:
    with pytest.raises(GroundedError) as caught:
        KnowledgeBase.open(tmp_path / "nowhere")
    assert caught.value.fix in str(caught.value)
