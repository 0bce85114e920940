"""Release notes in a JSON file, ``{"version": {"day": "2026-01-31", "notes": "…"}}``, one document per version."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from grounded.errors import SourceError, SourceNotFoundError
from grounded.records import Change, Document, Failed, Listing, Upsert


class ReleasesConnector:
    """Reads ``releases:///path/to/file.json``; ``product`` is shown in titles."""

    def __init__(self, uri: str, *, product: str = "Acme") -> None:
        self._path = Path(uri.partition("://")[2]).absolute()
        self._product = product

    @property
    def source(self) -> str:
        """Stable, and without credentials: with the key it makes a document's identity."""
        return f"releases://{self._path}"

    @property
    def scope(self) -> str:
        """All of the source."""
        return self.source

    def covers(self, key: str) -> bool:
        """Every version is listed, so whatever is not is gone."""
        return True

    def changes(self, checkpoint: Mapping[str, Any] | None) -> Iterator[Change]:
        """Every version; unchanged ones are recognised by their text and cost no embedding."""
        try:
            releases = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError as error:
            raise SourceNotFoundError(f"There is no {self._path}.") from error
        except (OSError, ValueError) as error:
            raise SourceError(f"{self._path} cannot be read: {error}.") from error
        for version, release in sorted(releases.items()):
            yield self._change(version, release)
        yield Listing(complete=True)

    def _change(self, version: str, release: Any) -> Change:
        try:
            text, day = str(release["notes"]), str(release["day"])
        except (TypeError, KeyError) as error:
            # One bad record fails alone; what is stored of it stays.
            return Failed(key=version, error="SourceError", message=f"Release {version} lacks {error}.")
        title = f"{self._product} {version}"
        return Upsert(document=Document(key=version, text=text, title=title, metadata={"day": day}))
