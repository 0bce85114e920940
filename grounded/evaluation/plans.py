"""What an experiment is to do: a TOML file or arguments, checked before anything is asked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from grounded.errors import ConfigurationError, SourceNotFoundError
from grounded.records import Record


class Prices(Record):
    """What a model costs per million tokens, in any one currency."""

    input: float = Field(ge=0.0)
    output: float = Field(ge=0.0)

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """The price of so many tokens."""
        return (input_tokens * self.input + output_tokens * self.output) / 1e6


class Setup(Record):
    """One variant as it is asked for.

    Attributes:
        name: Unique in the experiment.
        options: Options of ``ask``: ``llm``, ``template``, ``k``, ``policy``, ``layout`` and so on.
        given: Judge the answers that the rows hold instead of asking for new ones.
        prices: None when the cost is not known.
    """

    name: str = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)
    given: bool = False
    prices: Prices | None = None

    @classmethod
    def of(cls, variant: Mapping[str, Any]) -> Setup:
        """A variant from a mapping: its own fields, and every other key as an option.

        Raises:
            ConfigurationError: A field has a wrong value, or there is no name.
        """
        own = {key: value for key, value in variant.items() if key in ("name", "given", "prices")}
        options = {key: value for key, value in variant.items() if key not in own}
        try:
            return cls.model_validate({**own, "options": options})
        except ValidationError as error:
            raise ConfigurationError(f"A variant is wrong: {first_problem(error)}.") from error


class Plan(Record):
    """What an experiment is to do.

    Attributes:
        dataset: Path of the data set, relative to the file the plan stands in.
        kb: Path of the knowledge base; None when the rows bring their own texts.
        variants: The first is the one that others are compared with.
        metrics: Names; None takes all that can be measured on this machine.
        judge: A language model that judges, such as ``ollama:NAME``; None asks none.
        repeats: How often each judgement is asked for, to see how far they agree.
        verifier: Name of an installed verifier; None takes the default one.
        concurrency: Questions at the same time.
        requests_per_minute: At most so many questions are begun in a minute; None sets no limit.
        cost_ceiling: Stop before new answers have cost more than this; None sets no limit.
        reference_date: ``YYYY-MM-DD``, the day on which sources are in force; None takes the day of the first run.
        cache: Path of the cache; None puts it beside the plan.
    """

    name: str = Field(min_length=1)
    dataset: str
    kb: str | None = None
    variants: tuple[Setup, ...] = Field(min_length=1)
    metrics: tuple[str, ...] | None = None
    judge: str | None = None
    repeats: int = Field(default=1, ge=1, le=25)
    verifier: str | None = None
    concurrency: int = Field(default=4, ge=1, le=256)
    requests_per_minute: float | None = Field(default=None, gt=0.0)
    cost_ceiling: float | None = Field(default=None, ge=0.0)
    reference_date: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    cache: str | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        check_names([each.name for each in self.variants])
        return self

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """Read a plan; its paths become relative to the working directory.

        Raises:
            SourceNotFoundError: The file cannot be read.
            ConfigurationError: It is no TOML, or a value is wrong or unknown.
        """
        file = Path(path)
        try:
            content = tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            raise SourceNotFoundError(f"The plan {str(file)!r} cannot be read: {error.strerror}.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file.name} is not valid TOML: {error}.") from error
        content.setdefault("name", file.stem)
        variants = content.get("variants")
        if not isinstance(variants, list) or not all(isinstance(each, dict) for each in variants):
            raise ConfigurationError(f"{file.name} names no variants.", fix="Write [[variants]] with a name for each.")
        try:
            plan = cls.model_validate({**content, "variants": tuple(map(Setup.of, variants))})
        except ValidationError as error:
            known = ", ".join(cls.model_fields)
            raise ConfigurationError(f"{file.name}: {first_problem(error)}.", fix=f"It may hold: {known}.") from error
        return plan.beside(file)

    def beside(self, file: Path) -> Plan:
        """The plan with its paths taken as relative to a file's folder."""
        at = {name: str(file.parent / value) for name in ("dataset", "kb", "cache") if (value := getattr(self, name))}
        return self.model_copy(update={"cache": str(file.with_suffix(".cache")), **at})


def check_names(names: Sequence[str]) -> None:
    """Refuse two variants of one name.

    Raises:
        ConfigurationError: There are two.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"Two variants are called {twice[0]!r}.", fix="Give each a name of its own.")


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, with its place."""
    found = error.errors()[0]
    where = ".".join(map(str, found["loc"]))
    return f"{where}: {found['msg'][:1].lower()}{found['msg'][1:]}" if where else found["msg"]
