"""What is written down: ``kb.toml`` inside a knowledge base and ``grounded.toml`` beside a project."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from grounded.errors import ConfigurationError, KnowledgeBaseError, KnowledgeBaseNotFoundError, SchemaError
from grounded.records import SCHEMA, Policy, Query, Record, Scalar
from grounded.records.durations import Duration

KB_FILE = "kb.toml"
PROJECT_FILE = "grounded.toml"
PRIVATE_FILE_MODE = 0o600
PRIVATE_FOLDER_MODE = 0o700

_SECRET = re.compile(
    r"(^|_)(password|passwd|passphrase|token|secret|sas|connection_string)$|(api|access|account)_?key$"
)
_PASSWORD = re.compile(r"://[^/@\s:]*:(?!\$\{)[^/@\s]+@")
_REFERENCE = "${"


class KnowledgeBaseSettings(Record):
    """What ``kb.toml`` holds: the facts without which a knowledge base cannot be opened.

    Attributes:
        embedder: Identity of the embedding model that made the vectors.
        dimension: Length of a vector.
        model: What the embedding model was named by, such as ``ollama:NAME``; empty for the shipped one and for an
            object, which must be given at every opening.
        store: ``edge`` for the embedded store, or a ``qdrant://`` address.
        shard: The folder of the embedded store; a rebuild makes another one.
        ledger: ``sqlite`` for ``ledger.sqlite`` in the folder, another path relative to it, or a SQLAlchemy URL
            without a password.
    """

    embedder: str
    dimension: int = Field(gt=0)
    model: str = ""
    store: str = "edge"
    shard: str = Field(default="shard", pattern=r"^shard(-[0-9a-f]{8})?$")
    ledger: str = "sqlite"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read ``kb.toml``.

        Raises:
            KnowledgeBaseNotFoundError: There is none in that folder.
            SchemaError: It is damaged or from a newer release.
            KnowledgeBaseError: It cannot be read.
        """
        try:
            data = tomllib.loads((folder / KB_FILE).read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise KnowledgeBaseNotFoundError(
                f"There is no knowledge base at {folder}.",
                fix=f"Make one with: grounded ingest PATH --kb {folder}, or name another with --kb or GROUNDED_KB.",
            ) from error
        except OSError as error:
            raise KnowledgeBaseError(
                f"{folder / KB_FILE} cannot be read: {error.strerror or error}.", fix="Check its permissions."
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SchemaError(f"{folder / KB_FILE} is not valid TOML: {error}") from error
        return cls.from_dict(data)

    def write(self, folder: Path) -> None:
        """Write ``kb.toml`` so that a crash leaves either the old or the new file."""
        lines = [f"{key} = {_toml(value)}" for key, value in self.to_dict().items()]
        target, fresh = folder / KB_FILE, folder / f".{KB_FILE}.new"
        fresh.touch(mode=PRIVATE_FILE_MODE)
        with fresh.open("w", encoding="utf-8") as file:
            file.write("# Written by grounded; identity of this knowledge base.\n" + "\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)


class SourceSettings(Record):
    """A table ``[sources.NAME]`` of ``grounded.toml``: a source to ingest and to watch.

    What is none of these keys is an option of the connector.

    Attributes:
        uri: A path, relative to the file, or a URI whose scheme names the connector.
        live: Follow it as it changes; None does so where the connector can. A folder is followed with ``true``.
        every: Otherwise, read it so often: seconds, or a text such as ``10m``.
        at: Otherwise, read it once a day at this local time, such as ``"02:30"``.
        tenant: Whose documents these are; empty takes the file's.
        metadata: Values for filters, for documents that do not declare their own.
        principals: Who may see documents that do not declare it; ``[]`` is everybody.
        max_retire_share: Stop and ask before a listing retires a larger share than this.
        options: Those of the connector, secrets as ``${NAME}`` or ``${keyring:SERVICE/USER}`` only.
    """

    uri: str = Field(min_length=1)
    live: bool | None = None
    every: Duration | None = Field(default=None, gt=0)
    at: time | None = None
    tenant: str = ""
    metadata: dict[str, Scalar] = Field(default_factory=dict)
    principals: tuple[str, ...] | None = None
    max_retire_share: float = Field(default=0.2, ge=0.0, le=1.0)
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _options_stand_beside(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValueError("a source is a table with a uri")
        own = {key: value for key, value in data.items() if key in cls.model_fields}
        others = {key: value for key, value in data.items() if key not in cls.model_fields}
        return {**own, "options": {**others, **own.get("options", {})}}

    @model_validator(mode="after")
    def _keeps_secrets_elsewhere(self) -> Self:
        """No message of these says what the secret is."""
        if self.every is not None and self.at is not None:
            raise ValueError("every and at exclude each other")
        _check_uri(self.uri)
        for name, value in self.options.items():
            if _SECRET.search(name) and isinstance(value, str) and _REFERENCE not in value:
                raise ValueError(f"{name} holds a secret; write ${{NAME}} or ${{keyring:SERVICE/USER}} instead of it")
        return self

    @property
    def is_path(self) -> bool:
        """Whether it names files."""
        return "://" not in self.uri

    def arguments(self, tenant: str) -> dict[str, Any]:
        """What ``KnowledgeBase.ingest`` takes beside the source; ``tenant`` is the file's."""
        return {
            "tenant": self.tenant or tenant,
            "metadata": self.metadata or None,
            "principals": self.principals,
            "max_retire_share": self.max_retire_share,
        }


class ProjectSettings(Record):
    """What ``grounded.toml`` may set; every value has a default, and the command line overrules it.

    Attributes:
        kb: Path of the knowledge base, relative to the file.
        embedder: ``ollama:NAME``, ``openai:NAME``, ``azure:DEPLOYMENT``, ``URL#MODEL`` or ``fastembed:NAME`` for a
            new knowledge base; None takes the shipped model.
        llm: ``ollama:NAME``, ``openai:NAME``, ``azure:DEPLOYMENT`` or ``URL#MODEL``; None quotes without a model.
        template: Name or path of a template.
        variables: Values of its variables: the table ``[variables]``.
        language: Use the template's texts in this language; empty takes its own.
        layout: How sources are laid out: ``xml``, ``numbered`` or ``quote_first``.
        spotlight: How sources are marked as data: ``delimit``, ``datamark`` or ``encode``.
        quarantine: Leave out untrusted sources in which something was flagged.
        policy: What to do about unsupported sentences: ``flag`` shows them, ``strip``, ``abstain`` or ``repair``.
        sufficiency_threshold: Below it an answer is declined; None takes the built-in one.
        k: Passages per question.
        expand: Read each with what stands around it: ``neighbours`` or ``section``.
        diversity: How much a passage that is like a better one gives way, in [0, 1].
        rerank: ``folder:PATH`` of a cross-encoder that puts the best passages into its own order.
        principals: On whose behalf the command line reads.
        tenant: The tenant it reads and writes.
        record_answers: Keep answer records in the ledger.
        sources: What ``grounded watch`` follows, by name: the tables ``[sources.NAME]``.
        queries: What ``ask`` may run, by name: the tables ``[queries.NAME]``, see ``grounded.Query``. One without a
            tenant is of the file's.
    """

    kb: str | None = None
    embedder: str | None = None
    llm: str | None = None
    template: str = "core/qa"
    variables: dict[str, Any] = Field(default_factory=dict)
    language: str = ""
    layout: str = "xml"
    spotlight: str = "delimit"
    quarantine: bool = False
    policy: Policy = "flag"
    sufficiency_threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    k: int = Field(default=8, ge=1, le=100)
    expand: Literal["none", "neighbours", "section"] = "none"
    diversity: float = Field(default=0.0, ge=0.0, le=1.0)
    rerank: str | None = None
    principals: tuple[str, ...] = ()
    tenant: str = "default"
    record_answers: bool = False
    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    queries: dict[str, Query] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _queries_are_of_the_tenant(cls, data: Any) -> Any:
        tenant, queries = data.get("tenant"), data.get("queries")
        if not tenant or not isinstance(queries, Mapping):
            return data
        with_tenant = {k: {"tenant": tenant, **v} if isinstance(v, Mapping) else v for k, v in queries.items()}
        return {**data, "queries": with_tenant}

    @model_validator(mode="after")
    def _queries_keep_secrets_elsewhere(self) -> Self:
        for query in self.queries.values():
            _check_uri(query.uri)
        return self

    @classmethod
    def find(cls, start: Path | None = None) -> Self:
        """Settings of the nearest ``grounded.toml``, from ``start`` (default: the working directory) upwards.

        Raises:
            ConfigurationError: The file is not valid TOML, or has an unknown key or a wrong value.
        """
        here = (start or Path.cwd()).absolute()
        for folder in (here, *here.parents):
            path = folder / PROJECT_FILE
            if path.is_file():
                return cls.read(path)
        return cls()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Settings of one file; see ``find`` for what it raises."""
        try:
            settings = cls(**_flat(tomllib.loads(path.read_text("utf-8"))))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}") from error
        except ValidationError as error:
            # Not what was written there: it may be a secret.
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            known = ", ".join(cls.model_fields)
            raise ConfigurationError(f"{path} has a wrong setting: {problems}.", fix=f"Allowed: {known}.") from None
        changed: dict[str, Any] = {"sources": {name: _beside(path, each) for name, each in settings.sources.items()}}
        if settings.kb is not None:
            changed["kb"] = str(path.parent / settings.kb)
        return settings.model_copy(update=changed)


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """Accept the keys at the top or under ``[grounded]``."""
    nested = data.get("grounded", {})
    rest = {key: value for key, value in data.items() if key != "grounded"}
    return {**rest, **nested} if isinstance(nested, Mapping) else dict(data)


def _check_uri(uri: str) -> None:
    if _PASSWORD.search(uri):
        raise ValueError("the uri holds a password; write ${NAME} for an environment variable instead of it")


def _beside(file: Path, source: SourceSettings) -> SourceSettings:
    """A source whose path is relative to the file."""
    if not source.is_path or source.uri.startswith("~"):
        return source
    return source.model_copy(update={"uri": str(file.parent / source.uri)})


def _toml(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


__all__ = ["SCHEMA", "KnowledgeBaseSettings", "ProjectSettings", "SourceSettings"]
