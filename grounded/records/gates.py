"""Gates: whether a release may go out, and exactly what was let out."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from grounded.records.answers import GeneratorRef
from grounded.records.base import Record
from grounded.records.datasets import DataSetRef
from grounded.records.experiments import KnowledgeBaseRef
from grounded.records.prompts import TemplateRef
from grounded.records.verdicts import VerifierRef


class GateCheck(Record):
    """One thing that a gate asks for.

    Attributes:
        kind: ``floor`` (an absolute limit), ``regression`` (not worse than the baseline), ``missing`` (values that
            could not be measured) or ``comparable`` (the baseline is of the same data set and metrics).
        metric: Empty for what is not about one metric.
        passed: What cannot be told is not passed.
        message: What was found and what is allowed, in one sentence.
        rows: Ids of the rows that weigh most, worst first.
    """

    kind: Literal["floor", "regression", "missing", "comparable"]
    variant: str
    metric: str = ""
    passed: bool
    message: str
    value: float | None = None
    limit: float | None = None
    rows: tuple[str, ...] = ()


class Gate(Record):
    """What a gate found.

    Attributes:
        variant: The variant that is to go out.
        baseline: Hash of the data set of the experiment compared with; empty without one.
    """

    variant: str
    checks: tuple[GateCheck, ...]
    baseline: str = ""

    @property
    def passed(self) -> bool:
        """Whether every check passed; a gate that checks nothing lets nothing through."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[GateCheck, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)


class Manifest(Record):
    """What exactly was gated, so that it can be found again and gone back to.

    Attributes:
        created: When the gate was asked, with time zone.
        software: ``grounded-rag`` and its version.
        options: The variant's options.
        experiment: SHA-256 of the experiment's file: 64 hexadecimal digits.
        thresholds: Settings that decided, such as the sufficiency threshold, and the limits of the gate.
        gate: What the gate found.
    """

    created: datetime
    software: str
    variant: str
    options: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    knowledge_base: KnowledgeBaseRef | None = None
    template: TemplateRef | None = None
    generator: GeneratorRef | None = None
    verifier: VerifierRef
    dataset: DataSetRef
    experiment: str
    thresholds: dict[str, float | str] = Field(default_factory=dict)
    gate: Gate
