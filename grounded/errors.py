"""Every error the package raises on purpose.

    GroundedError
    ├── UsageError (ValueError)                an argument is wrong
    │   └── UnknownNameError (LookupError)     no plug-in, template, filter key or model of that name
    ├── ConfigurationError (ValueError)        grounded.toml, kb.toml or an environment variable is wrong
    ├── MissingExtraError (ImportError)        an optional package is not installed
    ├── PluginError                            a plug-in cannot be loaded, or two claim one name
    ├── SchemaError (ValueError)               a stored record is not one, or is from a newer release
    ├── KnowledgeBaseError
    │   ├── KnowledgeBaseNotFoundError (FileNotFoundError)
    │   ├── KnowledgeBaseExistsError (FileExistsError)
    │   ├── KnowledgeBaseLockedError           another process holds it (``pid``)
    │   ├── EmbedderMismatchError              it was built with another embedding model
    │   ├── BackupError                        a backup is damaged, or cannot be read or written
    │   ├── LedgerError                        the ledger refused or failed
    │   │   └── LeaseLostError                 another worker has taken the source over
    │   ├── SourceBusyError (Retryable)        another worker syncs the source
    │   └── StoreError                         the vector store refused or failed
    │       └── StoreUnavailableError (ConnectionError, Retryable)
    ├── SourceError                            a source cannot be read
    │   ├── SourceNotFoundError (FileNotFoundError)
    │   ├── SourceAccessError (PermissionError) the source refuses these credentials, or an address is forbidden
    │   ├── SourceUnavailableError (ConnectionError, Retryable)
    │   ├── GapError                           messages of a stream were gone before they could be read
    │   └── RetirementRefusedError             a listing would retire more than the allowed share
    ├── ParseError                             one document cannot be read
    │   ├── UnsupportedFormatError
    │   ├── EncryptedDocumentError
    │   ├── EmptyDocumentError
    │   ├── UnreadableTextError                its fonts or pictures hide which letters it is made of
    │   ├── LimitExceededError                 size, nesting, time or memory limit
    │   ├── QuarantinedError                   hidden or misleading text, and quarantine was asked for
    │   ├── ClockSkewError                     an event claims to happen in the future
    │   └── WorkerCrashError                   the parsing process died
    ├── RerankerError                          the reranker failed, or returned no score for a passage
    ├── TemplateError                          a template or pack is missing, broken or forbidden
    ├── BudgetError                            the required parts do not fit the token budget
    ├── GenerationError
    │   ├── ProviderError                      the model's endpoint answered with an error or rubbish
    │   ├── ProviderTimeoutError (TimeoutError, Retryable)
    │   └── ProviderUnavailableError (ConnectionError, Retryable)
    ├── DataSetError (ValueError)              a data set has broken rows (``problems``)
    ├── ExperimentError                        an experiment could not be finished; what was answered is kept
    └── VerificationError
        ├── ModelFileError (FileNotFoundError) a shipped model file is missing or corrupted
        ├── CalibrationError                   the labels do not bear the promise out (``needed``: how many more)
        └── CalibrationMismatchError (ValueError) a calibration of another verifier

A message says what was wrong; ``fix`` says what to do about it. Both are part of ``str(error)``.
"""

from __future__ import annotations


class GroundedError(Exception):
    """Base of every error raised on purpose.

    Attributes:
        message: What was wrong and what was allowed, one or two sentences.
        fix: What to do about it; may be empty.
    """

    def __init__(self, message: str, *, fix: str = "") -> None:
        self.message = message
        self.fix = fix
        super().__init__(f"{message} {fix}".strip())


class Retryable:
    """Mixed into errors after which the same call may succeed."""


class UsageError(GroundedError, ValueError):
    """An argument is wrong."""


class UnknownNameError(UsageError, LookupError):
    """No plug-in, template, filter key or model has that name.

    Attributes:
        name: What was asked for.
        known: The names that exist, sorted.
    """

    def __init__(self, what: str, name: str, known: tuple[str, ...] = (), *, fix: str = "") -> None:
        self.name = name
        self.known = tuple(sorted(known))
        listing = ", ".join(self.known) if self.known else "none"
        super().__init__(f"There is no {what} named {name!r}; known: {listing}.", fix=fix)


class ConfigurationError(GroundedError, ValueError):
    """A configuration file or environment variable is wrong."""


class MissingExtraError(GroundedError, ImportError):
    """An optional package is not installed.

    Attributes:
        package: The package that is missing.
        extra: The extra of ``grounded-rag`` that brings it.
    """

    def __init__(self, feature: str, *, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{feature} needs the package {package!r}, which is not installed.",
            fix=f'Run: pip install "grounded-rag[{extra}]"',
        )


class PluginError(GroundedError):
    """A plug-in cannot be loaded, or two packages claim one name."""


class SchemaError(GroundedError, ValueError):
    """A stored record is not one of ours, is damaged, or comes from a newer release."""


class KnowledgeBaseError(GroundedError):
    """Something is wrong with a knowledge base."""


class KnowledgeBaseNotFoundError(KnowledgeBaseError, FileNotFoundError):
    """There is no knowledge base at that path."""


class KnowledgeBaseExistsError(KnowledgeBaseError, FileExistsError):
    """The path is in use by something that is not a knowledge base."""


class KnowledgeBaseLockedError(KnowledgeBaseError):
    """Another process holds the knowledge base.

    Attributes:
        pid: The holder's process id, or None when it cannot be read.
    """

    def __init__(self, message: str, *, pid: int | None, fix: str = "") -> None:
        self.pid = pid
        super().__init__(message, fix=fix)


class EmbedderMismatchError(KnowledgeBaseError):
    """The knowledge base was built with another embedding model."""


class BackupError(KnowledgeBaseError):
    """A backup is damaged, is none, or cannot be read or written."""


class LedgerError(KnowledgeBaseError):
    """The ledger refused or failed."""


class LeaseLostError(LedgerError):
    """Another worker has taken the source over; nothing more was committed."""


class SourceBusyError(KnowledgeBaseError, Retryable):
    """Somebody else syncs the source at the moment."""


class StoreError(KnowledgeBaseError):
    """The vector store refused or failed."""


class StoreUnavailableError(StoreError, ConnectionError, Retryable):
    """The vector store's server cannot be reached or did not answer in time."""


class SourceError(GroundedError):
    """A source cannot be read."""


class SourceNotFoundError(SourceError, FileNotFoundError):
    """The source does not exist."""


class SourceAccessError(SourceError, PermissionError):
    """The source refuses these credentials, or reading from that address is forbidden."""


class SourceUnavailableError(SourceError, ConnectionError, Retryable):
    """The source cannot be reached, went away, or did not answer in time."""


class GapError(SourceError):
    """Messages of a stream were gone at the source before they could be read."""


class RetirementRefusedError(SourceError):
    """A listing would retire more documents than the allowed share.

    Attributes:
        gone: How many documents the listing no longer names.
        live: How many live documents the listing covers.
    """

    def __init__(self, message: str, *, gone: int, live: int, fix: str = "") -> None:
        self.gone = gone
        self.live = live
        super().__init__(message, fix=fix)


class ParseError(GroundedError):
    """One document cannot be read."""


class UnsupportedFormatError(ParseError):
    """No parser reads this content."""


class EncryptedDocumentError(ParseError):
    """The document is protected by a password or rights management."""


class EmptyDocumentError(ParseError):
    """The document holds no text."""


class UnreadableTextError(ParseError):
    """The document shows text, but does not say which letters it is made of."""


class LimitExceededError(ParseError):
    """The document exceeds a limit of size, nesting, time or memory."""


class QuarantinedError(ParseError):
    """The document holds hidden or misleading text and the ingest was told to keep such out."""


class ClockSkewError(ParseError):
    """An event claims to happen further in the future than clocks may differ."""


class WorkerCrashError(ParseError):
    """The parsing process died on this document."""


class RerankerError(GroundedError):
    """The reranker failed, or what it returned is not one finite number for each passage."""


class TemplateError(GroundedError):
    """A template or pack is missing, broken or uses something forbidden."""


class BudgetError(GroundedError):
    """The required parts of a prompt do not fit the token budget.

    Attributes:
        needed: Tokens the required parts take.
        limit: Tokens that were allowed for them.
    """

    def __init__(self, message: str, *, needed: int, limit: int, fix: str = "") -> None:
        self.needed = needed
        self.limit = limit
        super().__init__(message, fix=fix)


class GenerationError(GroundedError):
    """No answer could be generated."""


class ProviderError(GenerationError):
    """The model's endpoint answered with an error or with something that is not an answer."""


class ProviderTimeoutError(GenerationError, TimeoutError, Retryable):
    """The model's endpoint did not answer in time."""


class ProviderUnavailableError(GenerationError, ConnectionError, Retryable):
    """The model's endpoint cannot be reached or is overloaded."""


class VerificationError(GroundedError):
    """An answer could not be verified."""


class ModelFileError(VerificationError, FileNotFoundError):
    """A shipped model file is missing or corrupted."""


class CalibrationError(VerificationError):
    """The labelled claims do not bear the promise out.

    Attributes:
        needed: How many more claims that the verifier calls supported must be labelled, if they turn out like those
            at hand; None when more of the same would not help.
    """

    def __init__(self, message: str, *, needed: int | None, fix: str = "") -> None:
        self.needed = needed
        super().__init__(message, fix=fix)


class CalibrationMismatchError(VerificationError, ValueError):
    """A calibration was made with another verifier, version or setting than the one it is to be used with."""


class DataSetError(GroundedError, ValueError):
    """A data set has broken rows.

    Attributes:
        problems: One sentence for each, with its line, column and what to write instead.
    """

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), fix: str = "") -> None:
        self.problems = problems
        super().__init__(message, fix=fix)


class ExperimentError(GroundedError):
    """An experiment could not be finished; what was answered is kept and is not asked again."""
