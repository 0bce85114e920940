"""Small packs to read, changed one thing at a time."""

from __future__ import annotations

from pathlib import Path

from grounded.prompting.starter import write_pack


def starter(folder: Path, **changes: tuple[str, str]) -> Path:
    """A new pack with one text replaced in some of its files; a file is named by its stem."""
    written = {path.stem: path for path in write_pack(folder)}
    for stem, (old, new) in changes.items():
        text = written[stem].read_text("utf-8")
        assert old in text
        written[stem].write_text(text.replace(old, new), encoding="utf-8")
    return folder
