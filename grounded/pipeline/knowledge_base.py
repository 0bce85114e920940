"""The knowledge base: joins ingestion, retrieval, prompting, answering and verification."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from grounded import telemetry
from grounded.errors import KnowledgeBaseError, UsageError
from grounded.models.remembering import RememberingEmbedder
from grounded.pipeline.connecting import Source, as_sources, connector
from grounded.pipeline.indexes import Current, Index, Part
from grounded.pipeline.keeping import Keeping
from grounded.pipeline.opening import model_of, open_parts
from grounded.pipeline.streamed import Streamed, answer_of
from grounded.protocols import Connector, Embedder, VectorStore
from grounded.records import (
    DEFAULT_TENANT,
    SYSTEM_KEYS,
    AllOf,
    Answer,
    BackupReport,
    Event,
    IngestReport,
    Passage,
    Prompt,
    Report,
    Scalar,
    as_principals,
    check_kinds,
    conditions_from,
)
from grounded.settings import KnowledgeBaseSettings
from grounded.twins import twin

if TYPE_CHECKING:
    from grounded.ingestion.considering import Parse
    from grounded.ingestion.ledger import Ledger
    from grounded.ingestion.sync import Progress
    from grounded.pipeline.asking import Asking
    from grounded.pipeline.questions import AskOptions, PromptOptions, Reading, VerifyOptions
    from grounded.retrieval.search import SearchResult

DEFAULT_K = 8
"""Passages looked up for a question."""
SEARCH_RETRIES = 2


class KnowledgeBase(Keeping, Streamed):
    """A folder that holds documents, their vectors and where every piece came from.

    Open it with ``KnowledgeBase.open``; close it or use it in a ``with`` block. One process holds an embedded
    knowledge base at a time. Within the process it is thread-safe: searches run side by side, and so do ingests of
    different sources.
    """

    def __init__(
        self,
        path: Path,
        *,
        settings: KnowledgeBaseSettings,
        ledger: Ledger,
        store: VectorStore,
        embedder: Embedder,
    ) -> None:
        self.path = path
        self._ledger = ledger
        self._current = Current(Index(settings, store, embedder))
        # An ingest that waits for its turn while the model is changed goes on with the new store and model.
        self._store = cast(VectorStore, Part(lambda: self._current.index.store))
        self._embedder = cast(RememberingEmbedder, Part(lambda: self._current.index.embedder))
        self._is_closed = False

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        create: bool = False,
        store: str | None = None,
        ledger: str | None = None,
        embedder: Embedder | str | object | None = None,
        wait: float = 0.0,
    ) -> Self:
        """Open a knowledge base, and repair whatever a crash left half done.

        Args:
            path: Its folder.
            create: Make it when it is not there.
            store: ``qdrant://host:6333/name`` for a server instead of the embedded store; fixed at creation.
            ledger: ``postgresql://user@host/database`` without a password, or the path of a SQLite file, relative
                to the knowledge base's folder, instead of ``ledger.sqlite``; fixed at creation.
            embedder: Another embedding model than the shipped one: a name such as ``ollama:NAME``, which is remembered,
                or an object, which must be given at every opening (``grounded.embedders.embedder``). ``rebuild``
                changes it.
            wait: Seconds to wait while another process holds it.

        Raises:
            KnowledgeBaseNotFoundError: There is none, and ``create`` is False.
            KnowledgeBaseExistsError: The path is a file, or a folder with other things in it.
            KnowledgeBaseLockedError: Another process holds it; ``pid`` names the holder.
            EmbedderMismatchError: It was made with another embedding model.
            GenerationError: The endpoint of the embedding model refused, or cannot be reached.
            ConfigurationError: ``store`` or ``ledger`` is impossible, holds a password, or is not what the
                knowledge base was made with.
            LedgerError: The ledger is missing although the vectors are there; nothing was changed.
        """
        from grounded.embedders import embedder as embedder_of
        from grounded.ingestion.repair import repair
        from grounded.retrieval.bm25 import document_vector

        folder = Path(path).expanduser().absolute()
        named = embedder if embedder is not None else model_of(folder)
        model = embedder_of(named)
        settings, opened_store, opened_ledger = open_parts(
            folder,
            create=create,
            store=store,
            ledger=ledger,
            embedder=model,
            model=named if isinstance(named, str) else "",
            wait=wait,
        )
        try:
            repair(opened_ledger, opened_store, model, document_vector)
        except BaseException:
            opened_ledger.close()
            opened_store.close()
            raise
        return cls(folder, settings=settings, ledger=opened_ledger, store=opened_store, embedder=model)

    def ingest(
        self,
        *sources: Source,
        tenant: str = DEFAULT_TENANT,
        metadata: Mapping[str, Scalar] | None = None,
        principals: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
        max_retire_share: float = 0.2,
        force_retire: bool = False,
        quarantine: bool = False,
        wait: bool = True,
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> IngestReport:
        """Bring in what is new, re-embed what changed, retire what is gone.

        Args:
            sources: Paths, folders, globs, URIs, connectors (``grounded.connector`` makes one with options),
                LlamaIndex readers, or iterables of documents, raw documents or mappings with ``key`` and ``text``.
            tenant: Whose documents these are.
            metadata: Values for filters, for documents that do not declare their own.
            principals: Who may see documents that do not declare it themselves; ``()`` means everybody who may read the
                tenant. None, the default, leaves a document that is restricted already as it is. A mapping gives them
                by pattern of key, such as ``{"*/hr/*": ["hr"], "*": []}``; the first that matches decides.
            max_retire_share: Stop and ask before a listing retires a larger share than this of what it covers.
            force_retire: Retire whatever the listing no longer names.
            quarantine: Refuse new and changed documents that hold hidden or misleading text (``screening.py``).
            wait: Wait while another worker syncs the same source; False raises ``SourceBusyError``.
            progress: Called after each document.
            cancel: Asked between documents; True stops at the next batch border, and what is committed stays.

        Returns:
            What was done. ``report.ok`` is False when anything failed, was refused or interrupted.

        Raises:
            SourceError: A source as a whole cannot be read.
            UsageError: A source is none of the kinds above.
        """
        self._check_open()
        connectors = [connector(source) for source in as_sources(sources)]
        reports = []
        for each in connectors:
            report = self._sync(
                each,
                tenant=tenant,
                metadata=metadata,
                principals=principals,
                max_retire_share=max_retire_share,
                force_retire=force_retire,
                quarantine=quarantine,
                wait=wait,
                progress=progress,
                cancel=cancel,
            )
            reports.append(report)
            if report.interrupted:
                break
        if not reports:
            raise UsageError("Nothing to ingest was given.", fix="Give at least one source.")
        return reduce(IngestReport.plus, reports)

    def search(self, query: str, **reading: Unpack[Reading]) -> tuple[Passage, ...]:
        """The passages most likely to answer, best first; ties in a stable order.

        Args:
            query: A question or key words.
            reading: ``k``: how many passages, at most (8). ``where``: conditions on metadata, such as
                ``{"product": "kettle", "year": {"gte": 2024}}``. ``tenant``: whose documents. ``principals``: on
                whose behalf; documents with principals are invisible to a caller without one of them. ``on``: only
                documents in force on this day.

        Raises:
            UsageError: The query is empty, or a filter key or an option is unknown.
        """
        return self._search(query, reading).passages

    def prompt(self, question: str, **options: Unpack[PromptOptions]) -> Prompt:
        """Messages for any model: metaprompt, passages within the token budget, question. Calls no model.

        Args:
            question: The question; it is never cut.
            options: Those of ``search``; ``history``, ``summary``, ``tools``, ``template``, ``window``, ``reserve``,
                ``model``, ``encoding``, ``nonce``, ``variables``, ``language``, ``layout``, ``question_position``,
                ``spotlight`` and ``quarantine`` as for ``build_prompt``; ``queries``: allowed ones by name
                (``grounded.Query``), of which the one that the question is meant for is run instead of the search.

        Raises:
            UsageError: The question is empty or an option is wrong.
            BudgetError: The metaprompt and the question alone exceed the window.
            TemplateError: The template is missing or broken.
        """
        return self._asking().prompt(question, options)

    def ask(self, question: str, **options: Unpack[AskOptions]) -> Answer:
        """Answer from the knowledge base and check every sentence.

        Args:
            question: The question.
            options: Those of ``prompt`` except ``tools``, ``model`` and ``encoding``; ``llm`` (a spec such as
                ``ollama:NAME``, a LlamaIndex LLM, a ``Generator``, or None for quotes); ``standalone`` (``llm``: with a
                ``history`` the model first writes what to search for; ``rules`` saves that call); ``policy`` (``flag``,
                ``strip``, ``abstain`` or ``repair``, with at most ``tries`` rewritings), ``verifier`` and
                ``reference_date`` as for ``grounded.verify``; ``sufficiency_threshold``; ``record`` (keep an answer
                record) and ``redact``.

        Returns:
            An answer whose ``outcome`` says whether it is one. Declining, a provider's filter and a failed check
            are outcomes, not errors.

        Raises:
            UsageError: The question is empty or an option is wrong.
            GenerationError: The model cannot be reached or returned rubbish.
            SourceError: The database of a query cannot be read.
        """
        return answer_of(self.stream(question, **options))

    def stream(self, question: str, **options: Unpack[AskOptions]) -> Iterator[Event]:
        """The events of ``ask``: ``text, claim, verdict, citation, retract``, and ``done`` last.

        No event marks text as verified before it is. With ``hold=True`` a sentence is shown only after its verdict.
        ``grounded.verification.replay`` puts the events together. Closing the iterator stops the model.
        """
        return self._asking().stream(question, options)

    def verify(self, answer: str, **options: Unpack[VerifyOptions]) -> Report:
        """Check an answer that came from anywhere against what the knowledge base holds.

        For each sentence the ``k`` best passages are looked up; every sentence is checked against all of them. Markers
        in the answer count other passages than these, so they are not judged.

        Args:
            answer: The text to check.
            options: Those of ``search``, where ``k`` (3) counts passages for each sentence; ``question``,
                ``reference_date``, ``verifier``, ``policy``, ``rewrite`` and ``tries`` as for ``grounded.verify``.
        """
        return self._asking().verify(answer, options)

    def text(self, document_id: str, version: str | None = None) -> str:
        """The canonical text of a document's live version, or of the version given, into which its spans point.

        Superseded versions are kept, so that a stored citation still resolves. This is the operator's view: no
        principals are checked.

        Raises:
            LedgerError: There is no such document or version.
        """
        self._check_open()
        return self._ledger.document(document_id, version)

    def backup(self, file: str | Path, *, cancel: Callable[[], bool] | None = None) -> BackupReport:
        """Write it into one new file, vectors included, also during an ingest; see ``grounded.backup``."""
        from grounded.pipeline.backups import write_backup

        self._check_open()
        with self._current.reading() as index:
            return write_backup(self.path, index.settings, index.store, file, cancel=cancel)

    def close(self) -> None:
        """Flush and release; another process may open it then. Closing twice does nothing."""
        self._is_closed = True
        self._store.close()
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    aingest, asearch, aprompt, averify = twin(ingest), twin(search), twin(prompt), twin(verify)
    atext, abackup, aclose = twin(text), twin(backup), twin(close)
    aopen = classmethod(twin(open.__func__))  # type: ignore[attr-defined]

    def _sync(
        self, each: Connector, *, principals: Any = None, quarantine: bool = False, **options: Any
    ) -> IngestReport:
        from grounded.ingestion.parsers import parse
        from grounded.ingestion.sync import sync
        from grounded.retrieval.bm25 import document_vector

        reading: Parse = parse
        if quarantine:
            from grounded.pipeline.screening import screened

            reading = screened(parse)
        with telemetry.stage("ingest", source=each.source):
            return sync(
                each,
                ledger=self._ledger,
                store=self._store,
                embedder=self._embedder,
                parse=reading,
                split=self._split,
                sparse=document_vector,
                settings=self._pipeline_settings(),
                principals=principals if isinstance(principals, Mapping | None) else as_principals(principals),
                **options,
            )

    def _search(self, query: str, reading: Reading) -> SearchResult:
        from grounded.pipeline.questions import Reading, check_expand, check_k, check_names, check_question, viewer_of
        from grounded.rerankers import reranker
        from grounded.retrieval import search, visible_to
        from grounded.retrieval.expansion import expanded

        self._check_open()
        check_question(query)
        check_names(reading, Reading)
        k, viewer, expand = reading.get("k", DEFAULT_K), viewer_of(reading), reading.get("expand", "none")
        check_k(k)
        check_expand(expand)
        conditions = conditions_from(reading.get("where"))
        if conditions:
            check_kinds(conditions, {**SYSTEM_KEYS, **self._ledger.filter_keys()})
        condition = AllOf(conditions=(visible_to(viewer), *conditions))
        second = reranker(reading.get("rerank"))
        ledger = self._ledger

        def once(index: Index) -> SearchResult:
            result = search(
                query,
                embedder=index.embedder,
                store=index.store,
                lookup=lambda ids: ledger.passages(ids, viewer),
                slice_text=ledger.slice_text,
                k=k,
                condition=condition,
                reranker=second,
                diversity=reading.get("diversity", 0.0),
            )
            if expand == "none":
                return result
            wider = expanded(
                result.passages,
                expand,
                near=lambda *place: ledger.near(*place, viewer=viewer),
                slice_text=ledger.slice_text,
            )
            return result.widened(wider)

        with telemetry.stage("search", k=k), self._current.reading() as index:
            revision, result = ledger.revision, once(index)
            # A commit between store and ledger could hide a document that is being updated.
            for _ in range(SEARCH_RETRIES):
                if ledger.revision == revision:
                    break
                revision, result = ledger.revision, once(index)
        return result

    def _check_open(self) -> None:
        if self._is_closed:
            raise KnowledgeBaseError("This knowledge base is closed.", fix="Open it again with KnowledgeBase.open.")

    def _asking(self) -> Asking:
        from grounded.pipeline.asking import Asking
        from grounded.pipeline.computing import compute

        return Asking(self._search, self._ledger, self._embedder.similarity, compute)

    def _split(self, document: Any, document_id: str) -> Any:
        from grounded.ingestion.splitting import split

        return split(
            document,
            document_id=document_id,
            token_starts=self._embedder.token_starts,
            max_tokens=self._embedder.max_tokens,
        )
