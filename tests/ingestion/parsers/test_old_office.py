from __future__ import annotations

import struct

import pytest

from grounded.errors import EncryptedDocumentError, ParseError, UnsupportedFormatError

from .making import compound, places, read
from .making_old import IN_TABLE, ROW_END, old_slides, old_word
from .test_properties import check

TABLE = [
    (f"{text}\x07", 0, IN_TABLE if text else ROW_END)
    for row in (["Product", "Price", "Stock"], ["Kettle", "49", "3"])
    for text in (*row, "")
]


def test_headings_tables_fields_and_notes_of_an_old_word_document() -> None:
    link = "See \x13 HYPERLINK \x14our site\x15 for more\x1enews.\r"
    paragraphs = [("Warranty\r", 1, b""), ("Two years.\r", 0, b""), *TABLE, (link, 0, b"")]
    parsed = read(old_word(paragraphs, notes="\x02 From delivery.\r"), "a.doc")
    check(parsed)
    assert parsed.text == (
        "Warranty\n\nTwo years.\n\nProduct: Kettle; Price: 49; Stock: 3\n\nSee our site for more-news."
        "\n\nFootnote: From delivery."
    )
    assert parsed.title == "Warranty"
    assert [fields for _, fields in places(parsed, "table_row")] == [{"table": 1, "row": 2}]
    assert [fields["path"] for _, fields in places(parsed, "heading")] == [("Warranty",)]


def test_deleted_text_of_an_old_word_document_is_left_out() -> None:
    parsed = read(old_word([("It lasts two three years.\r", 0, b"")], deleted=(13, 19)), "a.doc")
    assert parsed.text == "It lasts two years."


def test_old_slides_with_titles_from_the_outline_and_notes() -> None:
    parsed = read(old_slides([("Plan", "First\rSecond", "Say hello"), ("Numbers", "None yet", "")]), "a.ppt")
    check(parsed)
    assert places(parsed, "slide") == [
        ("Plan\n\nFirst\nSecond\n\nNotes: Say hello", {"number": 1}),
        ("Numbers\n\nNone yet", {"number": 2}),
    ]
    assert [fields["path"] for _, fields in places(parsed, "heading")] == [("Plan",), ("Numbers",)]


def test_protected_and_older_files_are_typed() -> None:
    with pytest.raises(EncryptedDocumentError):
        read(old_word([("x\r", 0, b"")], encrypted=True), "a.doc")
    with pytest.raises(EncryptedDocumentError):
        read(old_slides([("x", "y", "")], encrypted=True), "a.ppt")
    with pytest.raises(UnsupportedFormatError, match="Word 97"):
        read(compound({"WordDocument": struct.pack("<HH", 0xA5DC, 0x65).ljust(600, b"\0")}), "a.doc")


def test_a_compound_file_whose_parts_overlap_or_run_in_a_circle_is_refused() -> None:
    content = bytearray(old_word([("x\r", 0, b"")]))
    fat = 512 * (1 + struct.unpack_from("<I", content, 76)[0])
    circle = bytearray(content)
    struct.pack_into("<I", circle, fat, 0)
    with pytest.raises(ParseError, match="circle"):
        read(bytes(circle), "a.doc")
    many = {f"stream {number}": b"x" * 600 for number in range(40)}
    overlapping = bytearray(compound({"WordDocument": b"y" * 40_000, **many}))
    directory = 512 * (1 + struct.unpack_from("<I", overlapping, 48)[0])
    first = struct.unpack_from("<I", overlapping, directory + 128 * 41 + 116)[0]
    for entry in range(1, 42):
        struct.pack_into("<IQ", overlapping, directory + 128 * entry + 116, first, 40_000)
    with pytest.raises(ParseError, match="overlap"):
        read(bytes(overlapping), "a.doc")
