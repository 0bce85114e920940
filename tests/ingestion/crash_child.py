"""Syncs one step after the other until it is killed; says on standard output which step it begins."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.ingestion.crash_steps import steps
from tests.ingestion.support import Base, listing


def main(folder: Path, first: int) -> None:
    base = Base(folder)
    base.repair()
    documents = steps()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for number in range(first, len(documents)):
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        base.sync(listing(documents[number]), force_retire=True)
    base.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
