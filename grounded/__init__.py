"""Ground any LLM's answers in your data, under responsible-AI metaprompts, and prove each sentence.

    from grounded import KnowledgeBase, verify

Importing this package loads no model, opens no file and touches no network; every name below is loaded when it
is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grounded.answering import llm as llm
    from grounded.asynchronous import aattach as aattach
    from grounded.asynchronous import abackup as abackup
    from grounded.asynchronous import abuild_prompt as abuild_prompt
    from grounded.asynchronous import acite as acite
    from grounded.asynchronous import amove as amove
    from grounded.asynchronous import arebuild as arebuild
    from grounded.asynchronous import arestore as arestore
    from grounded.asynchronous import averify as averify
    from grounded.errors import GroundedError as GroundedError
    from grounded.experiments.evaluating import aevaluate as aevaluate
    from grounded.experiments.evaluating import evaluate as evaluate
    from grounded.pipeline.attaching import attach as attach
    from grounded.pipeline.backups import backup as backup
    from grounded.pipeline.connecting import connector as connector
    from grounded.pipeline.knowledge_base import KnowledgeBase as KnowledgeBase
    from grounded.pipeline.moving import move as move
    from grounded.pipeline.rebuilding import rebuild as rebuild
    from grounded.pipeline.repairing import rewriter as rewriter
    from grounded.pipeline.restoring import restore as restore
    from grounded.pipeline.watching import watch as watch
    from grounded.prompting import build_prompt as build_prompt
    from grounded.records import Answer as Answer
    from grounded.records import Citation as Citation
    from grounded.records import Claim as Claim
    from grounded.records import Document as Document
    from grounded.records import Evidence as Evidence
    from grounded.records import IngestReport as IngestReport
    from grounded.records import Locator as Locator
    from grounded.records import Message as Message
    from grounded.records import Passage as Passage
    from grounded.records import Prompt as Prompt
    from grounded.records import Query as Query
    from grounded.records import Report as Report
    from grounded.records import Span as Span
    from grounded.verification import cite as cite
    from grounded.verification import verify as verify
    from grounded.verification import verify_stream as verify_stream

_HOMES = {
    "KnowledgeBase": "grounded.pipeline.knowledge_base",
    "attach": "grounded.pipeline.attaching",
    "backup": "grounded.pipeline.backups",
    "move": "grounded.pipeline.moving",
    "rebuild": "grounded.pipeline.rebuilding",
    "restore": "grounded.pipeline.restoring",
    **dict.fromkeys(
        ("aattach", "abackup", "abuild_prompt", "acite", "amove", "arebuild", "arestore", "averify"),
        "grounded.asynchronous",
    ),
    "build_prompt": "grounded.prompting",
    "connector": "grounded.pipeline.connecting",
    "watch": "grounded.pipeline.watching",
    "evaluate": "grounded.experiments.evaluating",
    "aevaluate": "grounded.experiments.evaluating",
    "llm": "grounded.answering",
    "rewriter": "grounded.pipeline.repairing",
    "cite": "grounded.verification",
    "verify": "grounded.verification",
    "verify_stream": "grounded.verification",
    "GroundedError": "grounded.errors",
    **dict.fromkeys(
        (
            "Answer",
            "Citation",
            "Claim",
            "Document",
            "Evidence",
            "IngestReport",
            "Locator",
            "Message",
            "Passage",
            "Prompt",
            "Query",
            "Report",
            "Span",
        ),
        "grounded.records",
    ),
}

__all__ = sorted(_HOMES)  # one list, not three copies of it
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'grounded' has no attribute {name!r}; public names: {', '.join(__all__)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
