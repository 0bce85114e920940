"""Replies of a language model kept in a file: asked once, measured again anywhere without the model.

The first line of a recording says which model replied; each further line is one reply and the hash of the messages it
replies to. A prompt that differs in one character was not recorded, and is refused rather than answered with another's
reply.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from grounded.errors import ExperimentError, GenerationError, SourceNotFoundError
from grounded.protocols import Generator
from grounded.records import Generation, GeneratorRef, Prompt, Record


class RecordedModel(Record):
    """Which model replied.

    Attributes:
        model: Name, size and quantisation.
        weights: SHA-256 of the weights' file; empty when they are not at hand, as behind an endpoint.
        recorded: The day.
        arguments: Settings it was asked with.
        window: Tokens of its context window, as the prompts were made for; None when unknown.
    """

    model: str = Field(min_length=1)
    weights: str = ""
    recorded: date
    arguments: dict[str, Any] = Field(default_factory=dict)
    window: int | None = None


class Recorded:
    """Replies from a recording. Thread-safe.

    Args:
        path: A recording.

    Attributes:
        recorded: Which model replied.
        replies: By the hash of the messages that they reply to.

    Raises:
        SourceNotFoundError: The file cannot be read.
        ExperimentError: It is no recording.
    """

    def __init__(self, path: str | Path) -> None:
        file = Path(path)
        try:
            content = file.read_bytes()
            head, *lines = content.decode("utf-8").splitlines()
            self.recorded = RecordedModel.model_validate_json(head)
            self.replies = dict(_read(line) for line in lines)
        except OSError as error:
            raise SourceNotFoundError(f"The recording {file.name!r} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise ExperimentError(f"{file.name} is no recording of replies.", fix="Record it again.") from error
        self._hash = hashlib.sha256(content).hexdigest()

    @property
    def ref(self) -> GeneratorRef:
        """The model that replied, and which recording of it this is."""
        known = self.recorded
        return GeneratorRef(
            name="recorded",
            label=f"{known.model}, replies recorded on {known.recorded}",
            model=f"{known.model}, replies recorded on {known.recorded}",
            arguments={**known.arguments, "weights": known.weights, "recording": self._hash},
        )

    @property
    def window(self) -> int | None:
        """That of the model when it was recorded."""
        return self.recorded.window

    def generate(self, prompt: Prompt) -> Generation:
        """The reply to exactly these messages.

        Raises:
            GenerationError: They were not recorded.
        """
        found = self.replies.get(_key(prompt))
        if found is None:
            raise GenerationError(
                "No reply to these messages was recorded: the template, the passages or the question have changed.",
                fix="Record the replies again, or ask a model.",
            )
        return found

    def stream(self, prompt: Prompt) -> Iterator[Generation]:
        """The reply in one piece."""
        yield self.generate(prompt)


class Recorder:
    """Passes prompts on to a model and writes its replies to a recording, each as it comes. Thread-safe.

    What the file holds already is not asked again, so that an interrupted recording goes on where it was.

    Args:
        generator: What is asked.
        path: The recording; made when it is missing.
        model: Which model it is, for those who read the recording.
        weights: SHA-256 of its weights' file, when it is at hand.
        today: The day that a new recording bears.

    Raises:
        ExperimentError: The file is a recording of something else.
    """

    def __init__(self, generator: Generator, path: str | Path, *, model: str, weights: str = "", today: date) -> None:
        self._generator = generator
        self._path = Path(path)
        self._lock = threading.Lock()
        asked = {name: value for name, value in generator.ref.arguments.items() if name not in ("endpoint", "model")}
        head = RecordedModel(model=model, weights=weights, recorded=today, arguments=asked, window=generator.window)
        if not self._path.exists():
            self._write(head.model_dump(mode="json"))
        self._kept = Recorded(self._path)
        if self._kept.recorded.model_copy(update={"recorded": today}) != head:
            raise ExperimentError(f"{self._path.name} holds replies of another model.", fix="Name another file.")

    @property
    def ref(self) -> GeneratorRef:
        """As the recording tells of it."""
        return self._kept.ref

    @property
    def window(self) -> int | None:
        """That of the model."""
        return self._generator.window

    def generate(self, prompt: Prompt) -> Generation:
        """The reply, recorded already or asked for and written.

        Raises:
            GenerationError: The model cannot be reached or returned rubbish; nothing is written.
        """
        try:
            return self._kept.generate(prompt)
        except GenerationError:
            # The name that the endpoint gives may be a path on its machine.
            found = self._generator.generate(prompt).model_copy(update={"model": self._kept.recorded.model})
        key = _key(prompt)
        self._write({"messages": key, **found.model_dump(mode="json", exclude_defaults=True)})
        self._kept.replies[key] = found
        return found

    def stream(self, prompt: Prompt) -> Iterator[Generation]:
        """The reply in one piece."""
        yield self.generate(prompt)

    def _write(self, content: object) -> None:
        with self._lock, self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(content, ensure_ascii=False) + "\n")


def _read(line: str) -> tuple[str, Generation]:
    content = json.loads(line)
    key = content.pop("messages")
    return str(key), Generation.model_validate(content)


def _key(prompt: Prompt) -> str:
    said = [[message.role, message.content] for message in prompt.messages]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
