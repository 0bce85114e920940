"""A model in a local folder: its settings, its tokenizer, and how a batch of it runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any, Literal, get_args

from grounded.errors import ConfigurationError, MissingExtraError, ModelFileError, VerificationError
from grounded.models import runtime
from grounded.records import VerifierRef

Kind = Literal["cross-encoder", "token-classifier"]
Meaning = Literal["support", "contradiction", "neither"]

SETTINGS_FILE = "verifier.json"
MAX_TOKENS = 512
"""Tokens of one pair, special tokens counted, unless the settings say otherwise."""
BATCH_SIZE = 16
_FEW = 16
"""With so few outputs each of them is a class, and leaving one out of the comparison would be a mistake."""
_FIELDS = frozenset({"evidence", "claim", "question"})
_MEANINGS: dict[str, Meaning] = {
    **dict.fromkeys(("entailment", "supported", "support", "supports", "consistent", "faithful"), "support"),
    **dict.fromkeys(("contradiction", "contradicted", "contradicts", "refutes", "refuted"), "contradiction"),
    **dict.fromkeys(
        ("neutral", "neither", "unsupported", "not_entailment", "inconsistent", "hallucinated", "hallucination"),
        "neither",
    ),
}
_FIX = (
    f'Write {SETTINGS_FILE} into the folder, such as {{"kind": "cross-encoder", "outputs": {{"neither": 0, '
    '"support": 1}}.'
)


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """What ``verifier.json`` may say; what it leaves out comes from ``config.json`` or has these defaults.

    Attributes:
        kind: What the model is.
        outputs: Which of its outputs means what. Only those named are compared (softmax); a single one is read by
            itself (sigmoid). A sequence-to-sequence model has one output per word: name the two it was trained on.
        name: Shown in reports; the folder's name when empty.
        template: The text of one pair with ``{evidence}``, ``{claim}`` and ``{question}``, for models that read
            one text. For a token classifier the text before the claim. Empty: evidence and claim as a pair.
        max_tokens: Tokens of one pair that the model reads, special tokens counted.
        model: The model's file.
    """

    kind: Kind
    outputs: Mapping[Meaning, int]
    name: str = ""
    template: str = ""
    max_tokens: int = MAX_TOKENS
    model: str = "model.onnx"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            ConfigurationError: A value is wrong.
        """
        used = {name for _, name, _, _ in Formatter().parse(self.template) if name is not None}
        numbers = list(self.outputs.values())
        needed = {"evidence"} if self.kind == "token-classifier" else {"evidence", "claim"}
        if self.kind not in get_args(Kind):
            raise ConfigurationError(f"kind is {self.kind!r}.", fix=f"Allowed: {', '.join(get_args(Kind))}.")
        if "support" not in self.outputs or not set(self.outputs) <= set(get_args(Meaning)):
            raise ConfigurationError(f"The outputs are {dict(self.outputs)}; which one means support?", fix=_FIX)
        if len(set(numbers)) < len(numbers) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ConfigurationError(f"The outputs {dict(self.outputs)} are not places from 0 up.", fix=_FIX)
        if self.template and not needed <= used <= _FIELDS:
            raise ConfigurationError(
                f"The template {self.template!r} must hold {sorted(needed)} and nothing but {sorted(_FIELDS)}."
            )
        if type(self.max_tokens) is not int or self.max_tokens < 8:
            raise ConfigurationError(f"max_tokens is {self.max_tokens!r}; it must be a whole number from 8 up.")


def read_settings(path: str | os.PathLike[str], defaults: Mapping[str, Any] | None = None) -> FolderSettings:
    """The settings of a folder; ``defaults`` for what neither of its files says.

    Raises:
        ModelFileError: There is no such folder, or neither file is in it.
        ConfigurationError: A file is damaged, or nothing says what the outputs mean.
    """
    folder = Path(path)
    own, theirs = _json(folder / SETTINGS_FILE), _json(folder / "config.json")
    if own is None and theirs is None:
        raise ModelFileError(f"There is neither {SETTINGS_FILE} nor config.json in {folder}.", fix=_FIX)
    given = {**(defaults or {}), **_from_config(theirs or {}), **(own or {})}
    known = FolderSettings.__dataclass_fields__
    for name in set(given) - set(known) - {"schema"}:
        raise ConfigurationError(f"{SETTINGS_FILE} has no setting {name!r}; known: {', '.join(known)}.")
    if not isinstance(given.get("outputs"), Mapping):
        raise ConfigurationError(f"Nothing in {folder} says what the model's outputs mean.", fix=_FIX)
    given = {name: value for name, value in given.items() if name != "schema"}
    return FolderSettings(**{"name": folder.resolve().name, **given})


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path} is not a JSON object.")
    return found


def _from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a model's own ``config.json`` gives away; label names that say nothing are not guessed at."""
    found: dict[str, Any] = {}
    names = " ".join(map(str, config.get("architectures") or ()))
    found["kind"] = "token-classifier" if "ForTokenClassification" in names else "cross-encoder"
    labels = config.get("id2label")
    if isinstance(labels, Mapping):
        meant = {int(n): _MEANINGS.get(str(label).strip().lower()) for n, label in labels.items() if str(n).isdigit()}
        if None not in meant.values() and len(set(meant.values())) == len(meant):
            found["outputs"] = {meaning: number for number, meaning in meant.items()}
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and positions < MAX_TOKENS:
        found["max_tokens"] = positions
    return found


@dataclass(frozen=True)
class LocalModel:
    """A model with its tokenizer, ready to run. Thread-safe.

    Attributes:
        identity: A hash over model, weights beside it, tokenizer and settings.
    """

    folder: Path
    settings: FolderSettings
    tokenizer: Any = field(repr=False)
    sessions: tuple[Any, ...] = field(repr=False)
    identity: str
    specials: re.Pattern[str] | None = field(repr=False)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        kind: Kind,
        threads: int | None,
        *,
        defaults: Mapping[str, Any] | None = None,
    ) -> LocalModel:
        """Load what a folder holds; see ``grounded.verifiers.from_folder`` for what is raised."""
        folder, settings = Path(path), read_settings(path, defaults)
        if settings.kind != kind:
            raise ConfigurationError(f"{folder} holds a {settings.kind}, not a {kind}.")
        tokenizer = _tokenizer(folder / "tokenizer.json")
        files = _model_files(folder, settings.model)
        number = runtime.threads_to_use(threads)
        names = [token.content for token in tokenizer.get_added_tokens_decoder().values() if token.content]
        return cls(
            folder=folder,
            settings=settings,
            tokenizer=tokenizer,
            sessions=tuple(runtime.own_session(file, number) for file in files),
            identity=_identity(settings, [folder / "tokenizer.json", *files]),
            specials=re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True)))) if names else None,
        )

    @property
    def ref(self) -> VerifierRef:
        """Name, version (the identity's beginning) and settings."""
        arguments = {name: value for name, value in asdict(self.settings).items() if name != "name"}
        name = f"{self.settings.kind}:{self.settings.name}"
        return VerifierRef(name=name, version=self.identity[:16], arguments=arguments, calibrated=False)

    def plain(self, text: str) -> str:
        """Text as long as before, in which nothing is one of the tokenizer's special tokens.

        Otherwise a document could write the model's own separator and a claim of its choice behind it.
        """
        return self.specials.sub(lambda found: " " + found[0][1:], text) if self.specials else text

    def batches(self, encoded: Sequence[Any], size: int) -> Iterator[tuple[list[int], Any]]:
        """Run encodings in batches of about equal length: their indices, and what the model gave for them.

        Longer encodings than the model reads are left out.
        """
        order = [n for n in range(len(encoded)) if len(encoded[n].ids) <= self.settings.max_tokens]
        order.sort(key=lambda n: len(encoded[n].ids))
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            yield chosen, self._run([encoded[n] for n in chosen])

    def _run(self, encoded: Sequence[Any]) -> Any:
        import numpy as np

        width = max(len(each.ids) for each in encoded)
        ids = np.full((len(encoded), width), self._padding, dtype=np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for row, each in enumerate(encoded):
            ids[row, : len(each.ids)], mask[row, : len(each.ids)] = each.ids, 1
            types[row, : len(each.ids)] = each.type_ids
        start = np.zeros((len(encoded), 1), dtype=np.int64)  # T5 begins to write with its padding token, 0
        first, *rest = self.sessions
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types, "decoder_input_ids": start}
        output = _outputs(first, given)
        if rest:
            output = _outputs(
                rest[0], {"input_ids": start, "encoder_hidden_states": output, "encoder_attention_mask": mask}
            )
        return output

    @property
    def _padding(self) -> int:
        found = (self.tokenizer.token_to_id(name) for name in ("[PAD]", "<pad>"))
        return next((number for number in found if number is not None), 0)


def probabilities(logits: Any, columns: Sequence[int]) -> Any:
    """Softmax over the named columns of the last axis; a single column is a sigmoid.

    Raises:
        VerificationError: The model has fewer outputs, or gave something that is not a number.
    """
    import numpy as np

    if max(columns) >= logits.shape[-1]:
        raise VerificationError(
            f"The model has {logits.shape[-1]} outputs; the settings name output {max(columns)}.", fix=_FIX
        )
    if logits.shape[-1] != len(columns) and logits.shape[-1] <= _FEW:
        raise VerificationError(
            f"The model has {logits.shape[-1]} outputs; the settings name only {len(columns)} of them.", fix=_FIX
        )
    chosen = logits[..., list(columns)].astype(np.float64)
    if not np.isfinite(chosen).all():
        raise VerificationError("The model gave something that is not a number.")
    if len(columns) == 1:
        return 1.0 / (1.0 + np.exp(-np.clip(chosen, -60.0, 60.0)))
    powers = np.exp(chosen - chosen.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _outputs(session: Any, given: Mapping[str, Any]) -> Any:
    inputs = {each.name for each in session.get_inputs()}
    if missing := inputs - set(given):
        raise VerificationError(
            f"The model wants inputs that a verifier does not have: {', '.join(sorted(missing))}.",
            fix="Export it without past key values.",
        )
    return session.run(None, {name: value for name, value in given.items() if name in inputs})[0]


def _tokenizer(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError("A verifier from a folder", package="tokenizers", extra="tokenizers") from error
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelFileError(
            f"{path} cannot be read: {error}", fix="Save the fast tokenizer into the folder."
        ) from error
    try:
        tokenizer = Tokenizer.from_str(content)
    except Exception as error:
        # The package raises plain Exception for a damaged file.
        raise ModelFileError(f"{path} is damaged: {error}", fix="Save the fast tokenizer again.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _model_files(folder: Path, name: str) -> list[Path]:
    """One file, or encoder and decoder as separate files, in the folder or in its ``onnx`` folder."""
    for place in (folder, folder / "onnx"):
        if (place / name).is_file():
            return [place / name]
        pair = [place / "encoder_model.onnx", place / "decoder_model.onnx"]
        if all(file.is_file() for file in pair):
            return pair
    raise ModelFileError(f"There is no {name} in {folder}.", fix="Export the model to ONNX into that folder.")


def _identity(settings: FolderSettings, files: Sequence[Path]) -> str:
    digest = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode())
    for file in files:
        # Large models keep their weights in files beside the model, named after it.
        for part in sorted({file, *file.parent.glob(f"{file.name}_data*"), *file.parent.glob(f"{file.name}.data*")}):
            with part.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
