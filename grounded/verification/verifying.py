"""``verify``: an answer against its sources, sentence by sentence."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from grounded import registry
from grounded.errors import GroundedError, UsageError
from grounded.protocols import EntailmentModel
from grounded.records import Calibration, Message, Policy, Report, VerifierRef
from grounded.verification.aggregation import Thresholds
from grounded.verification.calibration import matching, reference
from grounded.verification.network import TrainedModel
from grounded.verification.policies import REPAIR_TRIES, Rewrite, check_policy
from grounded.verification.prepared import Locate, Prepared
from grounded.verification.sources import passages_from

SENTENCES_PER_CLAIM = 6
"""Source sentences considered for a claim; each gives at most three windows, so cost stays linear."""
_loaded: set[str] = set()  # versions of the model


class Verifier:
    """A verifier with its settings. Thread-safe when its model is.

    Attributes:
        model: What judges evidence; the trained model of the package when none is given.
        sentences_per_claim: Source sentences considered for each claim, at least 1.
        thresholds: What a judgement must reach.
        calibration: What ``calibrate`` found of this verifier, or None; given as a record or the path of one.
    """

    def __init__(
        self,
        model: EntailmentModel | str | None = None,
        *,
        sentences_per_claim: int = SENTENCES_PER_CLAIM,
        thresholds: Thresholds | None = None,
        calibration: Calibration | str | Path | None = None,
    ) -> None:
        if sentences_per_claim < 1:
            raise UsageError(f"sentences_per_claim must be at least 1, not {sentences_per_claim}.")
        chosen = _named(model) if isinstance(model, str) else model
        if chosen is not None and not callable(getattr(chosen, "judge", None)):
            raise UsageError(
                f"A verifier needs a model with a method 'judge', not a {type(chosen).__name__}.",
                fix="Pass an EntailmentModel, or nothing for the model of the package.",
            )
        self.model: EntailmentModel = chosen if chosen is not None else TrainedModel()
        self.sentences_per_claim = sentences_per_claim
        self.thresholds = thresholds if thresholds is not None else Thresholds()
        self.calibration = matching(calibration, self._ref()) if calibration is not None else None

    @property
    def ref(self) -> VerifierRef:
        """The model's, with the settings here that are not the default, and the calibration when there is one."""
        return reference(self._ref(), self.calibration)

    def _ref(self) -> VerifierRef:
        settings = {"sentences_per_claim": self.sentences_per_claim, **self.thresholds.settings()}
        usual = {"sentences_per_claim": SENTENCES_PER_CLAIM, **Thresholds().settings()}
        changed = {name: value for name, value in settings.items() if value != usual[name]}
        ref = self.model.ref
        return ref.model_copy(update={"arguments": {**ref.arguments, **changed}}) if changed else ref

    def calibrated_by(self, calibration: Calibration | str | Path | None) -> Verifier:
        """The same verifier with another calibration, or with none.

        Raises:
            CalibrationMismatchError: The calibration was made with another verifier.
        """
        return Verifier(
            self.model,
            sentences_per_claim=self.sentences_per_claim,
            thresholds=self.thresholds,
            calibration=calibration,
        )

    def warm_up(self) -> None:
        """Load the model of the package, so that no sentence waits for it; others may cost, and are left alone."""
        version = self.model.ref.version
        if isinstance(self.model, TrainedModel) and version not in _loaded:
            with suppress(GroundedError):
                self.model.judge([("The kettle is red.", "The kettle is red.")])
                _loaded.add(version)

    def prepare(
        self,
        sources: Any,
        *,
        question: str | None = None,
        history: Sequence[Message] | None = None,
        reference_date: date | None = None,
        locate: Locate | None = None,
    ) -> Prepared:
        """Read the sources once, so that sentences can be checked as they come.

        Args:
            sources: As in ``verify``.
            question: What the answer answers; helps to read fragments and pronouns, is never evidence.
            history: Earlier turns; the last user turn stands in for a missing question.
            reference_date: The day that decides what is in force (default: today) and, when given, what
                ``yesterday`` means.
            locate: Finds the places of a piece of evidence; without it they are those of the whole passage.

        Raises:
            UsageError: A source or argument has the wrong type.
        """
        asked = question if question is not None else _last_question(history)
        if not isinstance(asked, str):
            raise UsageError(f"The question must be text, not {type(asked).__name__}.")
        return Prepared(self, passages_from(sources), asked, reference_date, locate)


def verify(
    answer: str,
    sources: Any,
    *,
    question: str | None = None,
    history: Sequence[Message] | None = None,
    reference_date: date | None = None,
    policy: Policy = "flag",
    verifier: Verifier | EntailmentModel | str | None = None,
    rewrite: Rewrite | None = None,
    tries: int = REPAIR_TRIES,
    calibration: Calibration | str | Path | None = None,
) -> Report:
    """Check every sentence of an answer against its sources.

    Args:
        answer: The text to check. Reasoning inside ``<think>`` is never a claim.
        sources: Strings, mappings with ``text``, ``Passage``s, LangChain and Haystack documents, LlamaIndex nodes, or a
            saved prompt (record, mapping or path). ``[n]`` in the answer is the n-th of them. What the user said and
            what a tool returned are mappings with ``kind`` (``user``, ``tool``) or ``Message``s; evidence shows it.
        question: What the answer answers; helps to read fragments and pronouns, is never evidence.
        history: Earlier turns; the last user turn stands in for a missing question.
        reference_date: The day that decides what is in force (default: today) and, when given, what ``yesterday``
            means.
        policy: ``flag`` reports and changes nothing, ``strip`` takes failing sentences out, ``abstain`` withholds an
            answer that holds one, ``repair`` has them rewritten, and abstains when that does not succeed.
        verifier: A ``Verifier``, an ``EntailmentModel`` to judge with, or the name of an installed one, with what it
            is made of behind a colon (``folder:./minicheck``, ``llm-judge:ollama:NAME``); by default the trained
            model of the package, ``containment`` for the check without a model.
        rewrite: Who rewrites for ``repair``: ``grounded.rewriter(llm)``.
        tries: How often to have sentences rewritten before the answer is withheld.
        calibration: What ``calibrate`` found of this verifier, a record or the path of one; replaces the verifier's.

    Returns:
        A report whose spans point into its ``text`` and whose evidence points into the sources. Under a policy
        ``text`` may differ from ``answer``; ``original`` is then the report of the answer as written.

    Raises:
        UsageError: An argument has the wrong type, or the policy is unknown.
        CalibrationMismatchError: The calibration was made with another verifier.
    """
    check_policy(policy, can_rewrite=rewrite is not None)
    chosen = verifier if isinstance(verifier, Verifier) else Verifier(verifier)
    if calibration is not None:
        chosen = chosen.calibrated_by(calibration)
    prepared = chosen.prepare(sources, question=question, history=history, reference_date=reference_date)
    return prepared.follow(policy, answer, rewrite=rewrite, tries=tries)


def _named(name: str) -> Any:
    """A verifier by the name it is installed under, or ``NAME:ARGUMENT``, such as ``folder:./minicheck``."""
    name, colon, argument = name.partition(":")
    maker = registry.load("verifiers", name)
    try:
        inspect.signature(maker).bind(*([argument] if colon else []))
    except TypeError as error:
        wrong = f"takes nothing behind its name, but got {argument!r}" if colon else "needs something behind its name"
        raise UsageError(f"The verifier {name!r} {wrong}.", fix="Write NAME or NAME:ARGUMENT.") from error
    return maker(argument) if colon else maker()


def _last_question(history: Sequence[Message] | None) -> str:
    return next((turn.content for turn in reversed(history or ()) if turn.role == "user"), "")
