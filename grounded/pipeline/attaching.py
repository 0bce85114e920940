"""Somebody else's Qdrant collection as a source of answers: read, asked and checked, never written to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

from pydantic import Field

from grounded.embedders import embedder as embedder_of
from grounded.errors import (
    EmbedderMismatchError,
    KnowledgeBaseError,
    KnowledgeBaseExistsError,
    KnowledgeBaseNotFoundError,
    UsageError,
)
from grounded.models.remembering import RememberingEmbedder
from grounded.pipeline.asking import Asking
from grounded.pipeline.computing import compute
from grounded.pipeline.questions import Reading, check_k, check_names, check_question, viewer_of
from grounded.pipeline.streamed import Streamed, answer_of
from grounded.protocols import Embedder
from grounded.records import (
    DEFAULT_TENANT,
    Absent,
    AllOf,
    Answer,
    AnswerRecord,
    AnyOf,
    Condition,
    Event,
    KeyKind,
    OneOf,
    Passage,
    Prompt,
    Record,
    Report,
    Segment,
    check_kinds,
    conditions_from,
)
from grounded.rerankers import reranker
from grounded.retrieval.reranking import RERANKED, reranked
from grounded.retrieval.search import Found, SearchResult
from grounded.settings import PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE
from grounded.twins import twin

if TYPE_CHECKING:
    from grounded.pipeline.questions import AskOptions, PromptOptions, VerifyOptions
    from grounded.retrieval.foreign import ForeignCollection

ATTACHED_FILE = "attached.json"
CANDIDATES = 50
DEFAULT_K = 8


class Attachment(Record):
    """What ``attached.json`` holds: how a foreign collection is read. No key of the server is among it.

    Attributes:
        url: ``qdrant://host:6333/collection``.
        vector: Name of its dense vector; None for the only one.
        text: Payload key of a text; None for a usual one.
        title: Payload key of a title; None for a usual one.
        uri: Payload key of an address; None for a usual one.
        principals: Payload key of who may see a point; None when everybody may see everything.
        kinds: Kinds of payload keys to filter on that have no index.
        embedder: Identity of the embedding model that questions are embedded with.
        model: What it was named by; empty for the shipped one and for an object.
    """

    url: str
    vector: str | None = None
    text: str | None = None
    title: str | None = None
    uri: str | None = None
    principals: str | None = None
    kinds: dict[str, KeyKind] = Field(default_factory=dict)
    embedder: str
    model: str = ""


def attach(
    url: str,
    *,
    embedder: object = None,
    vector: str | None = None,
    text: str | None = None,
    title: str | None = None,
    uri: str | None = None,
    principals: str | None = None,
    kinds: Mapping[str, KeyKind] | None = None,
    api_key: str | None = None,
) -> Attached:
    """Read a Qdrant collection that was made by something else. Nothing is written to it.

    What is found is cited by its chunk only: where in a document it stands is not known there.

    Args:
        url: ``qdrant://host:6333/collection``.
        embedder: The model its vectors were made with: a name such as ``ollama:NAME`` or an object; None takes the
            shipped one.
        vector: Name of its dense vector; None takes the only one.
        text: Payload key of the text, a dot leads into an object; None looks under the usual ones, those of LangChain
            and LlamaIndex among them.
        title: Payload key of a title; None looks for a usual one.
        uri: Payload key of an address; None looks for a usual one.
        principals: Payload key of the names that may see a point; one without any is visible to everybody. None: a
            caller who names principals is refused, since nothing would be hidden from them.
        kinds: ``keyword``, ``integer``, ``float`` or ``bool`` for payload keys to filter on; those with an index are
            known.
        api_key: The server's key, a read-only one will do; ``QDRANT_API_KEY`` when left out.

    Raises:
        KnowledgeBaseNotFoundError: There is no such collection.
        EmbedderMismatchError: Its vectors have another dimension than the model's.
        UnknownNameError: There is no such vector, or no text under the key.
        StoreUnavailableError: The server cannot be reached.
        StoreError: The server refused.
    """
    from grounded.retrieval.foreign import ForeignCollection

    model = embedder_of(embedder)
    wanted: dict[str, KeyKind] = {**(kinds or {}), **({} if principals is None else {principals: "keyword"})}
    collection = ForeignCollection(
        url,
        dimension=model.dimension,
        vector=vector,
        text=text,
        title=title,
        uri=uri,
        kinds=wanted,
        api_key=api_key,
    )
    names = {"vector": vector, "text": text, "title": title, "uri": uri, "principals": principals}
    named = embedder if isinstance(embedder, str) else ""
    return Attached(collection, Attachment(url=url, embedder=model.identity, model=named, kinds=wanted, **names), model)


class Attached(Streamed):
    """A foreign collection that can be searched, asked and checked against like a ``KnowledgeBase``. Thread-safe.

    Made by ``attach``, or by ``Attached.open`` from a folder that ``save`` wrote. Close it or use it in a ``with``
    block.
    """

    def __init__(self, collection: ForeignCollection, attachment: Attachment, embedder: Embedder) -> None:
        self.attachment = attachment
        self._collection = collection
        self._embedder = RememberingEmbedder(embedder)
        self._asking = Asking(self._search, _NoOrigins(), self._embedder.similarity, compute)
        self._is_closed = False

    @classmethod
    def open(cls, path: str | Path, *, embedder: object = None, api_key: str | None = None) -> Attached:
        """Attach what ``save`` described in a folder.

        Raises:
            KnowledgeBaseNotFoundError: There is no such description, or no such collection any more.
            SchemaError: The description is damaged.
            EmbedderMismatchError: It was attached with another embedding model.
        """
        file = Path(path).expanduser() / ATTACHED_FILE
        try:
            kept = Attachment.from_json(file.read_bytes())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise KnowledgeBaseNotFoundError(
                f"Nothing is attached at {file.parent}.", fix="Attach a collection with: grounded attach URL"
            ) from error
        model = embedder if embedder is not None else kept.model or None
        described = kept.model_dump(exclude={"url", "embedder", "model"})
        attached = attach(kept.url, embedder=model, api_key=api_key, **described)
        if attached.attachment.embedder != kept.embedder:
            attached.close()
            raise EmbedderMismatchError(
                f"{kept.url} was attached with the embedding model {kept.embedder!r}; "
                f"this is {attached.attachment.embedder!r}.",
                fix="Give the model it was attached with.",
            )
        return attached

    def save(self, path: str | Path) -> None:
        """Write how it is read into a folder, so that commands find it with ``--kb``. No key is written.

        Raises:
            KnowledgeBaseExistsError: The folder holds something already.
        """
        folder = Path(path).expanduser()
        if folder.exists() and (not folder.is_dir() or any(each.name != ATTACHED_FILE for each in folder.iterdir())):
            raise KnowledgeBaseExistsError(f"{folder} holds other files.", fix="Name an empty or a new folder.")
        folder.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
        (folder / ATTACHED_FILE).touch(mode=PRIVATE_FILE_MODE)
        (folder / ATTACHED_FILE).write_text(self.attachment.to_json(indent=2) + "\n", encoding="utf-8")

    def search(self, query: str, **reading: Unpack[Reading]) -> tuple[Passage, ...]:
        """The passages nearest in meaning, best first; see ``KnowledgeBase.search``.

        Raises:
            UsageError: The query is empty, a filter key or an option is unknown, or it is one that a foreign
                collection cannot honour: ``tenant``, ``on``, ``expand`` and ``diversity``, and ``principals`` without
                a key for them.
        """
        return self._search(query, reading).passages

    def prompt(self, question: str, **options: Unpack[PromptOptions]) -> Prompt:
        """Messages for any model; see ``KnowledgeBase.prompt``."""
        return self._asking.prompt(question, options)

    def ask(self, question: str, **options: Unpack[AskOptions]) -> Answer:
        """Answer and check every sentence; see ``KnowledgeBase.ask``. ``record`` is refused: there is no ledger."""
        return answer_of(self.stream(question, **options))

    def stream(self, question: str, **options: Unpack[AskOptions]) -> Iterator[Event]:
        """The events of ``ask``; see ``KnowledgeBase.stream``."""
        if options.get("record"):
            raise UsageError("An attached collection keeps no answer records.", fix="Leave record out.")
        return self._asking.stream(question, options)

    def verify(self, answer: str, **options: Unpack[VerifyOptions]) -> Report:
        """Check an answer that came from anywhere; see ``KnowledgeBase.verify``."""
        return self._asking.verify(answer, options)

    def count(self) -> int:
        """How many points the collection has, exactly."""
        return self._collection.count()

    def close(self) -> None:
        """Let go of the connection; closing twice changes nothing."""
        self._is_closed = True
        self._collection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    asearch, aprompt, averify = twin(search), twin(prompt), twin(verify)
    asave, acount, aclose = twin(save), twin(count), twin(close)
    aopen = classmethod(twin(open.__func__))  # type: ignore[attr-defined]

    def _search(self, query: str, reading: Reading) -> SearchResult:
        if self._is_closed:
            raise KnowledgeBaseError("This collection is closed.", fix="Attach it again.")
        check_question(query)
        check_names(reading, Reading)
        k = reading.get("k", DEFAULT_K)
        check_k(k)
        if reading.get("expand", "none") != "none" or reading.get("diversity"):
            raise UsageError("An attached collection knows only its chunks.", fix="Leave expand and diversity out.")
        second = reranker(reading.get("rerank"))
        condition = AllOf(conditions=(*self._permitted(reading), *self._filters(reading)))
        depth = max(CANDIDATES, 2 * k)
        near = self._collection.nearest(self._embedder.embed_query(query), limit=depth, condition=condition)
        unique = {each.passage.text: (rank, each) for rank, each in reversed(list(enumerate(near, start=1)))}
        best = sorted(unique.values(), key=lambda pair: pair[0])
        passages = [each.passage.model_copy(update={"score": each.cosine}) for _, each in best]
        why = {each.passage.id: Found(dense_rank=rank, dense=each.cosine) for rank, each in best}
        if second is not None:
            passages, said = reranked(query, passages, second, depth=max(k, RERANKED))
            why |= {id: why[id].model_copy(update={"rerank": score}) for id, score in said.items()}
        return SearchResult(
            passages=tuple(passages[:k]),
            found=tuple(why[each.id] for each in passages[:k]),
            best_dense=max((each.cosine for each in near), default=0.0),
            examined=len(near),
        )

    def _filters(self, reading: Reading) -> tuple[Condition, ...]:
        conditions = conditions_from(reading.get("where"))
        check_kinds(conditions, self._collection.kinds)
        return conditions

    def _permitted(self, reading: Reading) -> tuple[Condition, ...]:
        """Who asks, as a condition; what cannot be one is refused rather than ignored."""
        viewer, key = viewer_of(reading), self.attachment.principals
        if viewer.tenant != DEFAULT_TENANT or viewer.on is not None:
            raise UsageError("An attached collection knows no tenants and no dates in force.", fix="Use where=.")
        if key is None:
            if viewer.principals:
                raise UsageError(
                    "This collection was attached without a key for principals, so nothing would be hidden from them.",
                    fix="Attach it with principals=KEY (--principals KEY).",
                )
            return ()
        open_to_all = Absent(key=key)
        if not viewer.principals:
            return (open_to_all,)
        return (OneOf(conditions=(open_to_all, AnyOf(key=key, values=viewer.principals))),)


class _NoOrigins:
    """Where nothing is known but the chunk itself."""

    def segments(self, document_id: str, version: str | None = None) -> tuple[Segment, ...]:
        return ()

    def live_since(self, document_ids: Sequence[str]) -> dict[str, datetime]:
        return {}

    def watermark(self, document_ids: Sequence[str]) -> datetime | None:
        return None

    def last_success(self) -> datetime | None:
        return None

    def record(self, answer: AnswerRecord) -> None:
        raise UsageError("An attached collection keeps no answer records.", fix="Leave record out.")
