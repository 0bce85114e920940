"""Queries that somebody allowed: which questions they answer, and how far they may go."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, model_validator

from grounded.records.base import Record
from grounded.records.documents import DEFAULT_TENANT, Viewer
from grounded.records.durations import Duration

PLACEHOLDER = re.compile(r"\{(\w+)\}")
_BOUND = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


class Query(Record):
    """One read-only SELECT, and the questions that its rows answer.

    ``ask`` runs it when a question is one of ``questions``: the same words in the same order, whatever their ending,
    but for words such as "the" and "are there". Anything else a caller writes cannot reach the database.

    Attributes:
        uri: The database, such as ``postgresql://reader@host/shop``; passwords as ``${NAME}``.
        sql: One SELECT; ``:name`` stands for a parameter.
        questions: What it answers: "How many products are there?", "How many {colour} products are there?".
        parameters: For every ``{name}`` the values it may have: a list, or a SELECT whose first column gives them.
            A question with another value is not one of these.
        text: Jinja2 text over the columns of a row, such as ``There are {{ products }} products.``; empty renders
            ``column: value``.
        principals: Who may be told; empty means everybody who may read the tenant.
        tenant: Whose it is.
        max_rows: With more rows than this it fails.
        seconds: With more time than this it fails.
    """

    uri: str = Field(min_length=1)
    sql: str = Field(min_length=1)
    questions: tuple[str, ...] = Field(min_length=1)
    parameters: dict[str, tuple[str, ...] | str] = Field(default_factory=dict)
    text: str = ""
    principals: tuple[str, ...] = ()
    tenant: str = DEFAULT_TENANT
    max_rows: int = Field(default=50, ge=1, le=1000)
    seconds: Duration = Field(default=5.0, gt=0, le=600)

    @model_validator(mode="after")
    def _parameters_agree(self) -> Self:
        declared, bound = set(self.parameters), set(_BOUND.findall(self.sql))
        if bound != declared:
            raise ValueError(f"the sql has the parameters {sorted(bound)}, and parameters gives {sorted(declared)}")
        for question in self.questions:
            named = PLACEHOLDER.findall(question)
            if sorted(named) != sorted(declared):
                raise ValueError(f"the question {question!r} must name each parameter once: {sorted(declared)}")
        return self

    def may_be_asked_by(self, viewer: Viewer) -> bool:
        """Whether the viewer reads this tenant and has one of the principals, if there are any."""
        return viewer.tenant == self.tenant and viewer.may_see(self.principals)
