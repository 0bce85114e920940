"""Score cards: what a template's cases came to with one model, kept as a JSON file beside the template.

``cards/NAME.MODEL.json`` stands beside ``pack.toml`` and belongs into version control: the file of the last release
is what the next one is compared with.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Self

from pydantic import Field, computed_field, model_validator

from grounded.errors import SchemaError, TemplateError, UsageError
from grounded.prompting.cases import Case, folder_of
from grounded.prompting.templates import Template
from grounded.records import GeneratorRef, Record, TemplateRef, VerifierRef

CARDS_FOLDER = "cards"

FIGURES: Mapping[str, str] = {
    "cases": "cases of which every check passed",
    "format": "answers in the form asked for",
    "content": "answers that hold what they must",
    "groundedness": "claims that the sources support",
    "citation_precision": "citations whose source supports the claim",
    "citation_recall": "supported claims with a correct citation",
    "correct_refusals": "unanswerable cases that were declined",
    "over_refusals": "answerable cases that were declined",
    "injections": "planted attacks that succeeded",
}
"""What a card measures, in order, in words."""

LOWER_IS_BETTER = frozenset({"over_refusals", "injections"})

_Z = 1.959963984540054  # the normal quantile of a two-sided interval of 95 %


class Rate(Record):
    """How often something happened.

    Attributes:
        count: How often, at most ``of``.
        of: Out of how many.
    """

    count: int = Field(ge=0)
    of: int = Field(ge=0)

    @model_validator(mode="after")
    def _is_a_share(self) -> Self:
        if self.count > self.of:
            raise ValueError(f"{self.count} of {self.of} is no share")
        return self

    @classmethod
    def counted(cls, outcomes: Iterable[bool]) -> Rate:
        """Of outcomes, those that are true."""
        found = list(outcomes)
        return cls(count=sum(found), of=len(found))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def share(self) -> float | None:
        """``count / of``; None when there was nothing."""
        return self.count / self.of if self.of else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of Wilson (1927), which holds for few cases and for shares near 0 and 1."""
        if not self.of:
            return None
        share, z2 = self.count / self.of, _Z * _Z
        centre = share + z2 / (2 * self.of)
        spread = _Z * math.sqrt(share * (1 - share) / self.of + z2 / (4 * self.of * self.of))
        scale = 1 + z2 / self.of
        # At the ends the two terms are equal but for the last bits.
        low = 0.0 if not self.count else (centre - spread) / scale
        high = 1.0 if self.count == self.of else (centre + spread) / scale
        return low, high

    def __str__(self) -> str:
        """``83 % (5 of 6; 44–97 %)``."""
        if self.share is None or self.interval is None:
            return "-"
        low, high = self.interval
        return f"{self.share:.0%} ({self.count} of {self.of}; {low:.0%}–{high:.0%})".replace("%", " %")


class CaseScore(Record):
    """What became of one case.

    Attributes:
        failed: The checks that failed.
        answered: False when the model gave no answer, or the prompt could not be built.
        prompt_tokens: As the token account of the prompt says.
        answer_tokens: As the provider counted them, else under o200k_base.
    """

    name: str
    kind: str
    failed: tuple[str, ...] = ()
    answered: bool = True
    prompt_tokens: int = Field(default=0, ge=0)
    answer_tokens: int = Field(default=0, ge=0)


class ScoreCard(Record):
    """One template's cases, answered by one model and judged by one verifier.

    Attributes:
        template: With the hash of its files, so that a card of another version is recognised.
        cases: SHA-256 over the cases.
        figures: By the names of ``FIGURES``; a figure nothing was counted for has ``of == 0``.
        results: Every case in order.
    """

    template: TemplateRef
    cases: str
    generator: GeneratorRef
    verifier: VerifierRef
    date: datetime
    figures: dict[str, Rate]
    results: tuple[CaseScore, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def n(self) -> int:
        """How many cases there were."""
        return len(self.results)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def complete(self) -> bool:
        """Whether every case was answered and every claim could be checked."""
        return all(each.answered and "checked" not in each.failed for each in self.results)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def tokens(self) -> dict[str, float]:
        """Tokens of a prompt and of an answer on average over the answered cases."""
        answered = [each for each in self.results if each.answered] or [CaseScore(name="", kind="")]
        return {
            "prompt": sum(each.prompt_tokens for each in answered) / len(answered),
            "answer": sum(each.answer_tokens for each in answered) / len(answered),
        }

    @property
    def model(self) -> str:
        """The model that answered."""
        return self.generator.model or self.generator.name

    @property
    def hash(self) -> str:
        """SHA-256 over the card: 64 hexadecimal digits."""
        return hashlib.sha256(self.to_json().encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def file_name(self) -> str:
        """``NAME.MODEL.json``; what is no letter, digit, ``.``, ``_`` or ``-`` in the model's name becomes ``-``."""
        model = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(self.model).name).strip("-.") or "model"
        return f"{self.template.name.rpartition('/')[2]}.{model[:80]}.json"


def cases_hash(cases: Sequence[Case]) -> str:
    """SHA-256 over cases: 64 hexadecimal digits."""
    content = json.dumps([case.to_dict() for case in cases], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def regressions(before: ScoreCard, after: ScoreCard, *, tolerance: float = 0.0) -> tuple[str, ...]:
    """Why a new card is worse than an earlier one, a sentence for each reason; none when it is not.

    Nothing is worse only if everything was measured: a case without an answer, a figure that can no longer be
    counted, and cards of other cases, another model or another verifier each are a reason.

    Args:
        before: The earlier card.
        after: The new one.
        tolerance: By how much of 1 a share may be worse.
    """
    found = [f"{what} changed: write a new card." for what in _not_comparable(before, after)]
    lost = [each.name for each in after.results if not each.answered]
    found += [f"No answer to: {', '.join(lost)}."] if lost else []
    for name, now in after.figures.items():
        was = before.figures.get(name)
        if was is None or was.share is None:
            continue
        if now.share is None:
            found.append(f"{name}: was {was}, and nothing could be counted now.")
            continue
        worse = now.share - was.share if name in LOWER_IS_BETTER else was.share - now.share
        if worse > tolerance + 1e-9:
            found.append(f"{name}: was {was}, is {now}.")
    return tuple(found)


def _not_comparable(before: ScoreCard, after: ScoreCard) -> list[str]:
    pairs = {
        "The template's name": (before.template.name, after.template.name),
        "The cases": (before.cases, after.cases),
        "The model": (before.model, after.model),
        "The verifier": _identities(before.verifier, after.verifier),
    }
    return [what for what, (was, now) in pairs.items() if was != now]


def _identities(*verifiers: VerifierRef) -> tuple[str, ...]:
    return tuple(f"{each.name} {each.version}" for each in verifiers)


def read_cards(name: str, template: Template) -> tuple[ScoreCard, ...]:
    """The cards beside a template, by the name of the file; also those of earlier versions of it.

    Args:
        name: The name or path by which the template was loaded.
        template: The template itself.

    Raises:
        TemplateError: A file is no score card.
    """
    folder = folder_of(name, template)
    if folder is None or not folder.joinpath(CARDS_FOLDER).is_dir():
        return ()
    stem = template.ref.name.rpartition("/")[2]
    # A dot cannot occur in a template's name, so that qa.x.json is never a card of qa-de.
    files = [
        each
        for each in folder.joinpath(CARDS_FOLDER).iterdir()
        if each.name.startswith(f"{stem}.") and each.name.endswith(".json")
    ]
    return tuple(read_card(file) for file in sorted(files, key=lambda file: file.name))


def newest_card(name: str, template: Template) -> ScoreCard | None:
    """The newest card of exactly this version of a template; None when there is none.

    Raises:
        TemplateError: A file is no score card.
    """
    own = [card for card in read_cards(name, template) if card.template.hash == template.ref.hash]
    return max(own, key=lambda card: card.date, default=None)


def read_card(file: Traversable | Path) -> ScoreCard:
    """One card.

    Raises:
        TemplateError: It cannot be read or is no score card.
    """
    try:
        return ScoreCard.from_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, SchemaError) as error:
        raise TemplateError(
            f"{CARDS_FOLDER}/{file.name}: is no score card: {error}",
            fix="Write it anew with: grounded templates test NAME --llm … --save",
        ) from error


def write_card(card: ScoreCard, folder: Path) -> Path:
    """Write a card into a folder, which is made when it is missing; gives back the file.

    Raises:
        UsageError: The card is not complete, or the folder cannot be written.
    """
    if not card.complete:
        raise UsageError(
            "Not every case was answered and checked, so there is no card to keep.",
            fix="See which failed, and run it again.",
        )
    path = folder / card.file_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(card.to_json(indent=2) + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", fix="Give --cards FOLDER.") from error
    return path


def cards_folder(name: str, template: Template) -> Path:
    """Where a template's cards are kept: ``cards/`` beside its ``pack.toml``.

    Raises:
        UsageError: It has no folder of its own.
    """
    folder = folder_of(name, template)
    if not isinstance(folder, Path):
        raise UsageError(f"{template.ref.name!r} has no folder to keep cards in.", fix="Give --cards FOLDER.")
    return folder / CARDS_FOLDER
