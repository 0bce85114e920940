"""Labels such as ``production`` that name a version of a template in one project, and the record of every move.

``grounded.templates.toml`` stands beside ``grounded.toml`` and belongs into version control. It is only added to:
the last move of a label is where it points.
"""

from __future__ import annotations

import json
import re
import tomllib
from datetime import datetime
from pathlib import Path

from pydantic import Field, ValidationError

from grounded.errors import ConfigurationError, TemplateError, UsageError
from grounded.prompting.cards import ScoreCard
from grounded.prompting.loading import load_template
from grounded.prompting.templates import Template
from grounded.records import Record, TemplateRef
from grounded.settings import PROJECT_FILE

LABELS_FILE = "grounded.templates.toml"

_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_HEAD = "# Where labels of templates point; written by: grounded templates pin. The last move of a label counts.\n"


class Move(Record):
    """One move of a label.

    Attributes:
        template: The template's name, such as ``core/qa``.
        label: Lower-case letters, digits, ``-`` and ``_``; begins with a letter.
        version: The version it points to from now on, with the hash of its files.
        previous: The version it pointed to before; empty for the first move.
        card: The score card it rests on, by the name of its file; empty when there is none.
        card_hash: SHA-256 over that card.
        who: Whoever moved it.
        why: The reason given.
        when: With time zone.
    """

    template: str
    label: str = Field(pattern=f"^{_LABEL.pattern}$")
    version: str
    hash: str
    previous: str = ""
    card: str = ""
    card_hash: str = ""
    who: str
    why: str = Field(min_length=1)
    when: datetime


def labels_path(start: Path | None = None) -> Path:
    """The labels file of the project: beside the nearest file of either name upwards, else in ``start`` itself."""
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / LABELS_FILE).is_file() or (folder / PROJECT_FILE).is_file():
            return folder / LABELS_FILE
    return here / LABELS_FILE


def read_moves(path: Path) -> tuple[Move, ...]:
    """Every move, oldest first; none when there is no file.

    Raises:
        ConfigurationError: The file is no valid TOML, or something in it is missing or unknown.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}", fix="Restore it from version control.") from error
    moves = content.get("moves", [])
    try:
        return tuple(Move(**move) for move in moves)
    except (ValidationError, TypeError) as error:
        raise ConfigurationError(
            f"{path} holds a move that cannot be read: {error}", fix="Restore it from version control."
        ) from error


def pin(
    template: Template,
    label: str,
    *,
    who: str,
    why: str,
    when: datetime,
    path: Path,
    card: ScoreCard | None = None,
) -> Move:
    """Let a label point to a template as it is now, and record the move.

    Raises:
        UsageError: The label has no fit name, no reason is given, or the card is that of another version.
        ConfigurationError: The file cannot be read.
    """
    if not _LABEL.fullmatch(label):
        raise UsageError(f"{label!r} is no label.", fix="Use up to 32 lower-case letters, digits, - and _.")
    if not why.strip():
        raise UsageError("A move needs a reason.", fix='Give --reason "…".')
    if card and card.template.hash != template.ref.hash:
        raise UsageError(
            f"The score card is that of {card.template.name}@{card.template.version} ({card.template.hash[:12]}), "
            f"not of {template.ref.name}@{template.ref.version} ({template.ref.hash[:12]}).",
            fix="Test this version: grounded templates test NAME --llm … --save",
        )
    before = _current(read_moves(path), template.ref.name, label)
    move = Move(
        template=template.ref.name,
        label=label,
        version=template.ref.version,
        hash=template.ref.hash,
        previous=before.version if before else "",
        card=card.file_name if card else "",
        card_hash=card.hash if card else "",
        who=who,
        why=why.strip(),
        when=when,
    )
    with path.open("a", encoding="utf-8") as file:
        file.write(("" if file.tell() else _HEAD) + _toml(move))
    return move


def resolve(name: str, *, start: Path | None = None) -> str:
    """The installed name that ``NAME@LABEL`` stands for; any other name is given back as it is.

    Raises:
        TemplateError: The label was never moved to a version of the template, or another version is installed.
        ConfigurationError: The labels file cannot be read.
    """
    stem, _, label = name.partition("@")
    if "/" not in stem or not _LABEL.fullmatch(label) or Path(name).exists():
        return name
    path = labels_path(start)
    moves = read_moves(path)
    move = _current(moves, stem, label)
    if move is None:
        known = ", ".join(sorted({each.label for each in moves if each.template == stem})) or "none"
        raise TemplateError(
            f"The template {stem!r} has no label {label!r} in {path.name}; it has: {known}.",
            fix=f"Set it with: grounded templates pin {stem} --label {label} --reason …",
        )
    loaded = load_template(stem)
    if loaded.ref != TemplateRef(name=stem, version=move.version, hash=move.hash):
        raise TemplateError(
            f"{name} stands for version {move.version} ({move.hash[:12]}); installed is {loaded.ref.version} "
            f"({loaded.ref.hash[:12]}).",
            fix="Install the package that holds the pinned version, or move the label with: grounded templates pin",
        )
    return stem


def _current(moves: tuple[Move, ...], template: str, label: str) -> Move | None:
    return next((each for each in reversed(moves) if (each.template, each.label) == (template, label)), None)


def _toml(move: Move) -> str:
    fields = {key: value for key, value in move.to_dict().items() if key not in ("when", "schema")}
    lines = [f"{key} = {_quoted(str(value))}" for key, value in fields.items()]
    return "\n[[moves]]\n" + "\n".join([*lines, f"when = {move.when.isoformat(timespec='seconds')}"]) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are among TOML's, but for the delete character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
