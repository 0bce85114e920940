"""Reading order and rows of tables on labelled pages, against other readers; pages per CPU second.

    python benchmarks/reading.py [--peers pypdfium2,pdfplumber,unstructured] [--verbose] [--shift 1]
    python benchmarks/reading.py --files FOLDER

Order: the share of a page's words that stand in the right order (longest increasing run of their places, by the
words there are). Rows: the share of table rows whose cells stand together on one line, in order, with no other cell.
"""

from __future__ import annotations

import argparse
import io
import re
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from reading_pages import Labelled, labelled_set
from reportlab.pdfgen.canvas import Canvas

Reader = Callable[[bytes], str]


def grounded(content: bytes) -> str:
    from grounded.ingestion.parsers.formats import run_parser
    from grounded.ingestion.parsers.source import Source

    return run_parser("pdf", Source(content, name="page.pdf")).text


def pypdfium2(content: bytes) -> str:
    import pypdfium2

    document = pypdfium2.PdfDocument(content)
    return "\n\n".join(page.get_textpage().get_text_range() for page in document)


def pdfplumber(content: bytes) -> str:
    import pdfplumber

    with pdfplumber.open(io.BytesIO(content)) as document:
        return "\n\n".join(page.extract_text() for page in document.pages)


def pdfplumber_tables(content: bytes) -> str:
    """Its text, then the rows its table finder gives; only for the rows, the order is that of the text."""
    import pdfplumber

    parts = [pdfplumber_text(content)]
    with pdfplumber.open(io.BytesIO(content)) as document:
        for page in document.pages:
            for table in page.extract_tables():
                parts.extend(" ".join(" ".join((cell or "").split()) for cell in row) for row in table)
    return "\n".join(parts)


pdfplumber_text = pdfplumber


def unstructured(content: bytes) -> str:
    """Without its language model, which only names the kinds of its elements and is not in the package registries."""
    from grounded.ingestion.parsers.longtail import partitioner

    elements = partitioner("pdf")(file=io.BytesIO(content), strategy="fast", languages=["eng"])
    return "\n\n".join(element.text for element in elements)


READERS: dict[str, Reader] = {
    "grounded": grounded,
    "pypdfium2": pypdfium2,
    "pdfplumber": pdfplumber,
    "pdfplumber with tables": pdfplumber_tables,
    "unstructured": unstructured,
}


def order(text: str, blocks: list[str]) -> float:
    """The share of words in the right order."""
    wanted = _words(" ".join(blocks))
    first: dict[str, int] = {}
    for at, word in enumerate(_words(text)):
        first.setdefault(word, at)
    tails: list[int] = []
    for place in (first[word] for word in wanted if word in first):
        at = bisect_left(tails, place)
        tails[at : at + 1] = [place]
    return len(tails) / len(wanted)


def rows(text: str, labelled: list[list[str]], *, header: bool) -> float:
    """The share of rows that stand on a line with nothing of other rows but the names of the columns."""
    lines = [_words(line) for line in text.splitlines()]
    owned = [frozenset(word for cell in row for word in _words(cell)) for row in labelled]
    right = 0
    for at, row in enumerate(labelled):
        cells = _words(" ".join(row))
        # Column names may stand with the values of the first row, or in every row.
        others: frozenset[str] = frozenset().union(*(o for n, o in enumerate(owned) if n != at and n > 0))
        if header and at == 0:
            others = frozenset().union(*owned[2:])
        right += any(_inside(cells, line) and not others & set(line) for line in lines)
    return right / len(labelled)


def _inside(cells: list[str], line: list[str]) -> bool:
    found = iter(line)
    return all(cell in found for cell in cells)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+|\d+(?:\.\d+)?", text.lower())


def plain_pages(count: int = 300) -> bytes:
    """Pages of plain text: 50 lines of 13 words each."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    words = re.findall(
        r"\w+", "the of warranty kettle customer return purchase within months price order shipping and to is are"
    )
    for page in range(count):
        for line in range(50):
            canvas.drawString(60, 780 - 14 * line, " ".join(words[(page + line * 7 + at * 5) % 16] for at in range(13)))
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default="pypdfium2,pdfplumber,pdfplumber with tables,unstructured")
    parser.add_argument("--shift", type=int, default=0, help="Other pages of the same kinds.")
    parser.add_argument("--verbose", action="store_true", help="Name the pages that are not right.")
    parser.add_argument("--files", type=Path, help="Only read every file of a folder and count what comes of it.")
    options = parser.parse_args()
    if options.files:
        outcomes(options.files)
        return
    pages = labelled_set(options.shift)
    print(f"{len(pages)} labelled documents, {sum(len(p.rows) for p in pages)} table rows")
    names = ["grounded", *(name for name in options.peers.split(",") if name)]
    for name in names:
        try:
            READERS[name](pages[0].content)
        except ImportError as error:
            print(f"{name}: not installed ({error})")
            continue
        report(name, READERS[name], pages, verbose=options.verbose)
    plain = plain_pages()
    for name in ("grounded", "pypdfium2"):
        best = min(_cpu_seconds(READERS[name], plain) for _ in range(3))
        print(f"{name}: {300 / best:.0f} pages of plain text per CPU second")


def outcomes(folder: Path) -> None:
    """What comes of every file below a folder: text, or which error."""
    from grounded.errors import GroundedError
    from grounded.ingestion.parsers import parse
    from grounded.records import RawDocument

    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        try:
            parse(RawDocument(key="file", content=path.read_bytes(), name=path.name))
            found["text"].append(path.name)
        except GroundedError as error:
            found[type(error).__name__].append(path.name)
    for kind, names in sorted(found.items(), key=lambda item: -len(item[1])):
        print(f"{kind}: {len(names)}" + ("" if kind == "text" else f" ({', '.join(names)})"))


def report(name: str, read: Reader, pages: list[Labelled], *, verbose: bool) -> None:
    began = time.process_time()
    by_kind: dict[str, list[tuple[float, float | None]]] = defaultdict(list)
    for page in pages:
        text = read(page.content)
        found = (order(text, page.blocks), rows(text, page.rows, header=page.header) if page.rows else None)
        by_kind[page.kind].append(found)
        if verbose and (found[0] < 1 or (found[1] or 1) < 1):
            print(f"   {page.name}: order {found[0]:.3f} rows {found[1]}")
    spent = time.process_time() - began
    everything = [found for kind in by_kind.values() for found in kind]
    print(f"{name}: {_figures(everything)}; {len(pages) / spent:.0f} documents per CPU second")
    for kind, found in by_kind.items():
        print(f"   {kind:24} {_figures(found)}")


def _figures(found: list[tuple[float, float | None]]) -> str:
    right = sum(one == 1.0 for one, _ in found)
    shares = [share for _, share in found if share is not None]
    text = f"order {sum(one for one, _ in found) / len(found):.3f} (all right {right}/{len(found)})"
    return text + (f", rows {sum(shares) / len(shares):.3f}" if shares else "")


def _cpu_seconds(read: Reader, content: bytes) -> float:
    began = time.process_time()
    read(content)
    return time.process_time() - began


if __name__ == "__main__":
    main()
