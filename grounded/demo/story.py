"""What the demo asks and says; the handbook of a shop for kettles and a scanned notice are its only sources."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from grounded.pipeline.knowledge_base import KnowledgeBase
from grounded.records import Report


@dataclass(frozen=True, slots=True)
class Catch:
    """A plausible answer, written as a language model writes them, with one sentence that is wrong."""

    question: str
    answer: str


CATCH = Catch(
    question="How long is the warranty on a kettle, what does express delivery cost, and can I return it?",
    answer=(
        "The warranty on kettles lasts 36 months from the day of delivery. "
        "Express delivery costs 9 euros and arrives on the next working day. "
        "You can return any unused appliance within 30 days of delivery."
    ),
)
QUESTIONS = (
    "How often should I descale the kettle?",
    "What does the copper Kettle K2 cost?",
    "How much is express delivery?",
    "Within how many days can I return an unused appliance?",
)
UNANSWERABLE = "Who is the chief executive of the company?"
LAYOUT = (
    "When does the repair café take place?",
    "Why is the Toaster T3 recalled?",
)
"""Answered by a page in two columns, and by a scanned one."""
VERSIONS = "How long is the warranty on a kettle?"


def handbook() -> Path:
    """The folder with the handbook's files."""
    return Path(str(files("grounded.demo") / "handbook"))


def scanned() -> Path:
    """The folder with a page that is only a picture; reading it needs the extra ``ocr``."""
    return Path(str(files("grounded.demo") / "scanned"))


def catch_report(knowledge_base: KnowledgeBase) -> Report:
    """Check the plausible answer against the handbook."""
    return knowledge_base.verify(CATCH.answer, question=CATCH.question)
