"""Delta Lake tables: the version in every citation, changes by change data feed, deletions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from grounded.credentials import redact, without_credentials
from grounded.errors import (
    GroundedError,
    MissingExtraError,
    SourceAccessError,
    SourceError,
    SourceNotFoundError,
    SourceUnavailableError,
    UsageError,
)
from grounded.records import Change, Checkpoint, Delete, Failed, Listing
from grounded_connectors.rows import RowShape

BATCH_ROWS = 1000
MAX_CHANGES = 200_000
"""More changed rows than this are found by reading the table whole."""

_GONE = ("delete", "update_preimage")


class DeltaConnector:
    """Reads the rows of one version of a Delta table.

    The first run, and every run of a table without change data feed, reads the whole version and retires what is no
    longer in it; unchanged rows cost no embedding. With change data feed only what changed since the last run is
    read. A version that was read already costs one look at the log. A service identity reads with its own rights,
    whoever asks later: permissions of single users are not carried over; see ``principals``.

    Args:
        uri: ``delta:///folder``, ``delta+s3://bucket/table``, ``delta+abfss://container@account.dfs.core.windows.net/…``;
            for Fabric OneLake ``delta+abfss://workspace@onelake.dfs.fabric.microsoft.com/lake.Lakehouse/Tables/name``.
        key: Columns that name a row. Delta tables have no primary key.
        version: Read this version and no later one.
        name: What the table is called in keys and citations; empty takes the last part of the address.
        template: As for tables; so are ``columns``, ``title``, ``metadata`` and ``principals``.
        settings: ``storage_options`` of ``deltalake``; credentials come from the environment or a managed identity.
    """

    def __init__(
        self,
        uri: str,
        *,
        key: Sequence[str],
        version: int | None = None,
        name: str = "",
        template: str = "",
        columns: Sequence[str] = (),
        title: str = "",
        metadata: Sequence[str] = (),
        principals: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        scheme, _, place = uri.partition("://")
        inner = scheme.partition("+")[2]
        if not place.strip("/"):
            raise UsageError("The address of the Delta table is empty.", fix="Write delta:///folder/of/the/table.")
        is_local = inner in ("", "file")
        self._place = os.path.abspath(place) if is_local else f"{inner}://{place}"
        in_user = inner in ("abfs", "abfss")  # container@account, which is no secret
        self._source = f"delta://{self._place}" if is_local else f"delta+{self._place}"
        self._source = (self._source if in_user or is_local else without_credentials(self._source)).rstrip("/")
        self._version, self._settings = version, dict(settings or {})
        self._shape = RowShape(
            table=name or self._source.rsplit("/", 1)[-1],
            key=(key,) if isinstance(key, str) else tuple(key),
            template=template,
            columns=tuple(columns),
            title=title,
            metadata=tuple(metadata),
            principals=principals,
            place=self._source,
        )

    @property
    def source(self) -> str:
        """The table's address without credentials."""
        return self._source

    @property
    def scope(self) -> str:
        """The same."""
        return self._source

    def covers(self, key: str) -> bool:
        """Whether the key is a row of the table."""
        return key.startswith(self._shape.prefix)

    def check(self) -> None:
        """Open the table.

        Raises:
            SourceError: It is not there, cannot be read, or lacks a column that was named.
        """
        with self._typed():
            self._opened()

    def changes(self, checkpoint: Mapping[str, Any] | None = None) -> Iterator[Change]:
        """Rows and deletions since the version of the checkpoint, or all rows and the ``Listing``.

        Raises:
            SourceError: The table cannot be read.
        """
        with self._typed():
            table = self._opened()
        columns = [field.name for field in table.schema().fields]
        made_with, now = self._shape.made_with(columns), int(table.version())
        before = dict(checkpoint or {})
        is_same = before.get("made_with") == made_with and before.get("table") == str(table.metadata().id)
        then = int(before["version"]) if is_same else None
        state = {"version": now, "made_with": made_with, "table": str(table.metadata().id)}
        if then == now:
            yield Checkpoint(state=state)
            return
        fed = self._fed(table, then, now) if then is not None and then < now else None
        if fed is None:
            yield from self._whole(table, now, state)
            return
        for key, (_, is_there, row) in fed.items():
            yield self._shape.change(row, key=key, snapshot=f"version {now}") if is_there else Delete(key=key)
        yield Checkpoint(state=state)

    def _whole(self, table: Any, now: int, state: Mapping[str, Any]) -> Iterator[Change]:
        bad = 0
        with self._typed():
            batches = iter(table.to_pyarrow_dataset().to_batches(batch_size=BATCH_ROWS))
        while True:
            with self._typed():
                batch = next(batches, None)
            if batch is None:
                break
            for row in batch.to_pylist():
                key = self._shape.key_of(row)
                if key:
                    yield self._shape.change(row, key=key, snapshot=f"version {now}")
                    continue
                bad += 1
                if bad == 1:
                    yield self._nameless()
        yield Checkpoint(state=dict(state))
        yield Listing(complete=not bad, reason=f"{bad} row(s) have no key." if bad else "")

    def _fed(self, table: Any, then: int, now: int) -> dict[str, tuple[tuple[int, int], bool, dict[str, Any]]] | None:
        """What became of each changed row; None where the table keeps no feed for these versions, or it is long."""
        import pyarrow as pa
        from deltalake.exceptions import DeltaError

        if str(table.metadata().configuration.get("delta.enableChangeDataFeed", "")).lower() != "true":
            return None
        last: dict[str, tuple[tuple[int, int], bool, dict[str, Any]]] = {}
        try:
            reader = pa.RecordBatchReader.from_stream(table.load_cdf(starting_version=then + 1, ending_version=now))
            for batch in reader:
                for row in batch.to_pylist():
                    kind, version = row.pop("_change_type"), row.pop("_commit_version")
                    row.pop("_commit_timestamp", None)
                    key, order = self._shape.key_of(row), (version, kind not in _GONE)
                    if not key:
                        return None
                    if key not in last or order >= last[key][0]:
                        last[key] = (order, kind not in _GONE, row)
                if len(last) > MAX_CHANGES:
                    return None
        except (DeltaError, OSError, ValueError, pa.ArrowException):
            # Switched on later than ``then``, or vacuumed: the whole version says the same.
            return None
        return last

    def _nameless(self) -> Failed:
        columns = ", ".join(self._shape.key)
        return Failed(
            key=f"{self._shape.prefix}(no key)",
            uri=self._source,
            error="SourceError",
            message=f"A row of {self._shape.table} has no value for {columns}; it was left out.",
            fix="Name other columns as key.",
        )

    def _opened(self) -> Any:
        try:
            from deltalake import DeltaTable
        except ImportError as error:
            raise MissingExtraError("Reading Delta tables", package="deltalake", extra="delta") from error
        table = DeltaTable(self._place, version=self._version, storage_options=self._settings or None)
        self._shape.check([field.name for field in table.schema().fields])
        return table

    @contextmanager
    def _typed(self) -> Iterator[None]:
        """The library's errors as ours."""
        try:
            yield
        except GroundedError:
            raise
        except ImportError as error:
            raise MissingExtraError("Reading Delta tables", package="pyarrow", extra="delta") from error
        except Exception as error:
            said = redact(str(error).strip() or type(error).__name__).splitlines()[0][:300]
            message = f"{self._source} cannot be read: {said}"
            if type(error).__name__ == "TableNotFoundError" or "not found" in said.lower():
                raise SourceNotFoundError(message, fix="Check the address and the version.") from error
            if isinstance(error, PermissionError) or "denied" in said.lower() or "credential" in said.lower():
                raise SourceAccessError(message, fix="Check the credentials.") from error
            if isinstance(error, OSError):
                raise SourceUnavailableError(message, fix="Try again later.") from error
            raise SourceError(message) from error
