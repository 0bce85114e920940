"""Which models there are: a dated catalogue in the package, and what is embedded here. Asks no network."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import Field

from grounded.errors import UnknownNameError
from grounded.records import Record, Usage

Task = Literal["chat", "embedding", "verifier"]


class Price(Record):
    """A list price for a million tokens.

    Attributes:
        input: Of what is read.
        output: Of what is written; None where nothing is.
    """

    input: float = Field(ge=0.0)
    output: float | None = Field(default=None, ge=0.0)
    currency: str = "USD"

    def of(self, usage: Usage) -> float | None:
        """What these tokens cost; None when a count or a price that it takes is not known."""
        written = usage.output_tokens
        if usage.input_tokens is None or written is None or (written and self.output is None):
            return None
        return (usage.input_tokens * self.input + written * (self.output or 0.0)) / 1e6


class Listed(Record):
    """A model and what its maker says of it. None, and an empty text, mean that it is not known here.

    Attributes:
        spec: How it is named to ``llm``, ``--llm`` or ``--verifier``; PATH and DEPLOYMENT stand for your own.
        window: Tokens that fit.
        structured: Whether its output can be held to a JSON schema.
        mitigations: Of risks, as the maker declares them; none was checked here.
        card: Where the maker's card stands: a URL, or a file of this package.
        dated: When this was so, a year and a month.
        read: Facts that were read again at the maker's page later than that, by name, with the month.
        embedded: Whether it is shipped with this package.
    """

    id: str
    provider: str
    collection: str
    task: Task
    spec: str = ""
    window: int | None = Field(default=None, gt=0)
    structured: bool | None = None
    mitigations: tuple[str, ...] = ()
    licence: str = ""
    card: str = ""
    price: Price | None = None
    dated: str = Field(pattern=r"^\d{4}-\d{2}$")
    read: dict[str, str] = Field(default_factory=dict)
    embedded: bool = False


def catalogue(*, provider: str = "", collection: str = "", task: Task | None = None) -> tuple[Listed, ...]:
    """The models known, those of this package first; each argument keeps what has it, in any case."""
    return tuple(
        each
        for each in (*_embedded(), *_others())
        if provider.casefold() in each.provider.casefold()
        and collection.casefold() in each.collection.casefold()
        and task in (None, each.task)
    )


def find(name: str) -> Listed:
    """One model by its id or spec, in any case.

    Raises:
        UnknownNameError: There is none.
    """
    known = catalogue()
    wanted = name.casefold()
    for each in known:
        if wanted in (each.id.casefold(), each.spec.casefold()):
            return each
    raise UnknownNameError("model", name, tuple(each.id for each in known))


def price_of(spec: str) -> Price | None:
    """The list price of a model named as ``llm`` takes it; None when none is known.

    A dated name, such as ``gpt-4o-2024-08-06``, is not taken for its family: its price may differ.
    """
    return next((each.price for each in catalogue() if each.spec and each.spec.casefold() == spec.casefold()), None)


def card_text(model: Listed) -> str:
    """The card that stands in this package; empty for models that are not shipped."""
    return files("grounded.models").joinpath(model.card).read_text("utf-8") if model.embedded else ""


@cache
def _embedded() -> tuple[Listed, ...]:
    return (
        Listed(
            id=_name("granite"),
            provider="grounded",
            collection="embedded",
            task="embedding",
            window=_WINDOWS["granite"],
            licence="Apache-2.0",
            card="granite/MODEL_CARD.md",
            dated=_BUILT,
            embedded=True,
        ),
        Listed(
            id=_name("verifier"),
            provider="grounded",
            collection="embedded",
            task="verifier",
            spec="trained",
            window=_WINDOWS["verifier"],
            licence=str(_build("verifier").get("licence", "")),
            card="verifier/MODEL_CARD.md",
            dated=_BUILT,
            embedded=True,
        ),
    )


_BUILT = "2026-11"
_WINDOWS = {"granite": 254, "verifier": 224}
"""Tokens of text that fit, special ones not counted for the embedder."""


def _name(folder: str) -> str:
    return str(_build(folder).get("name") or _build(folder).get("identity"))


@cache
def _build(folder: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(files("grounded.models").joinpath(folder, "build.json").read_text("utf-8"))
    return found


@cache
def _others() -> tuple[Listed, ...]:
    data = tomllib.loads(files("grounded.models").joinpath("catalogue.toml").read_text("utf-8"))
    return tuple(Listed.model_validate(each) for each in data["models"])
