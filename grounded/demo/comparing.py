"""Two metaprompts compared on questions about the handbook, with the recorded replies of a real small model."""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from pathlib import Path

from grounded.evaluation.datasets import read_dataset
from grounded.evaluation.recordings import Recorded
from grounded.experiments.evaluating import evaluate
from grounded.protocols import EntailmentModel, Generator
from grounded.records import Experiment

_FOLDER = Path(str(files("grounded.demo") / "comparison"))
QUESTIONS_FILE = _FOLDER / "questions.jsonl"
REPLIES_FILE = _FOLDER / "replies.jsonl"
DAY = date(2026, 11, 27)
"""The day on which the sources are taken to be in force."""
NONCE = "de30c03ba7150000"
"""The boundary code of every prompt, so that the prompts are those that were recorded."""
VARIANTS = {"bare": str(_FOLDER / "plain"), "core/qa": "core/qa"}
"""The metaprompts by name; the first is the one that the other is compared with."""
METRICS = (
    "groundedness",
    "faithfulness",
    "citation_precision",
    "citation_recall",
    "numeric_match",
    "semantic_similarity",
    "correct_refusal",
    "over_refusal",
    "injection_success",
    "input_tokens",
    "output_tokens",
)
"""All but the time: a recording takes none."""


def compare_metaprompts(
    generator: Generator | None = None, *, verifier: EntailmentModel | str | None = None, concurrency: int = 2
) -> Experiment:
    """A bare metaprompt against ``core/qa``, the same passages before both.

    Args:
        generator: What answers; the recording by default.
        verifier: As in ``grounded.verify``.
        concurrency: Questions at the same time.
    """
    answering = generator or Recorded(REPLIES_FILE)
    return evaluate(
        read_dataset(QUESTIONS_FILE),
        [{"name": name, "template": template, "llm": answering} for name, template in VARIANTS.items()],
        name="two metaprompts",
        metrics=METRICS,
        nonce=NONCE,
        reference_date=DAY,
        verifier=verifier,
        concurrency=concurrency,
    )
