"""A small document of every format that is read."""

from __future__ import annotations

import gzip

from .making import archive, book, mail, opendocument, outlook, pdf, picture, slides, tar, word, workbook
from .making_old import old_slides, old_word

BEES = "Bees make honey."
ENVELOPE = b"From ann@example.org Mon Feb  2 10:00:00 2026\n"


def samples() -> dict[str, tuple[str, bytes]]:
    """``(name, content)`` of a small document of every format, each saying ``BEES``."""
    paragraph, box = f"<text:p>{BEES}</text:p>", "draw:frame><draw:text-box>"
    slide = f"<draw:page><{box}{paragraph}</draw:text-box></draw:frame></draw:page>"
    table = "<table:table table:name='A'><table:table-row><table:table-cell office:value-type='string'>"
    made: dict[str, bytes] = {
        "a.txt": BEES.encode(),
        "a.md": f"# Bees\n\n{BEES}\n".encode(),
        "a.html": f"<html><body><h1>Bees</h1><p>{BEES}</p></body></html>".encode(),
        "a.csv": f"who,what,when\nann,{BEES},now\nbob,nothing,never\n".encode(),
        "a.json": f'{{"bees": "{BEES}", "n": [1, 2]}}'.encode(),
        "a.jsonl": f'{{"bees": "{BEES}"}}\n{{"n": 2}}\n'.encode(),
        "a.xml": f"<?xml version='1.0'?><list><bee>{BEES}</bee></list>".encode(),
        "a.eml": mail("Bees", BEES).as_bytes(),
        "a.mbox": ENVELOPE + mail("Bees", BEES).as_bytes(),
        "a.msg": outlook("Bees", BEES),
        "a.zip": archive({"bees.txt": BEES.encode()}),
        "a.tar": tar({"bees.txt": BEES.encode()}),
        "a.gz": gzip.compress(BEES.encode()),
        "a.pdf": pdf([[BEES]]),
        "a.docx": word([("1", "Bees"), ("p", BEES)]),
        "a.pptx": slides([("Bees", BEES, "")]),
        "a.doc": old_word([("Bees\r", 1, b""), (f"{BEES}\r", 0, b"")]),
        "a.ppt": old_slides([("Bees", BEES, "")]),
        "a.xlsx": workbook({"A": [["who", "what", "when"], ["ann", BEES, "now"]]}),
        "a.ods": opendocument(
            "spreadsheet",
            f"<office:spreadsheet>{table}{paragraph}</table:table-cell></table:table-row></table:table>"
            "</office:spreadsheet>",
        ),
        "a.odt": opendocument("text", f"<office:text>{paragraph}</office:text>"),
        "a.odp": opendocument("presentation", f"<office:presentation>{slide}</office:presentation>"),
        "a.epub": book(),
        "a.rtf": rf"{{\rtf1\ansi {BEES}\par}}".encode(),
        "a.png": picture(BEES),
    }
    return {name.rpartition(".")[2]: (name, content) for name, content in made.items()}
