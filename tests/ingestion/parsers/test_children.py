"""Documents within documents: attachments, mailboxes, archives, and what all of them together may cost."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from grounded.errors import (
    EmptyDocumentError,
    EncryptedDocumentError,
    LimitExceededError,
    ParseError,
    UnsupportedFormatError,
)
from grounded.ingestion.parsers import Limits
from grounded.records import locate

from .making import Tree, archive, mail, outlook, outlook_text, outlook_tree, pdf, places, read, tar, workbook
from .test_properties import check

BEES = b"Bees make honey."
PRICES = workbook({"Prices": [["Product", "Price"], ["Kettle", 49]]})


def test_attachments_are_read_and_located() -> None:
    message = mail()
    message.add_attachment(pdf([["Kettles last."], ["Two years."]]), "application", "pdf", filename="terms.pdf")
    message.add_attachment(PRICES, "application", "octet-stream", filename="prices.xlsx")
    parsed = read(message.as_bytes(), "a.eml")
    check(parsed)
    assert parsed.title == "Offer"
    assert ("Attachments: terms.pdf, prices.xlsx", {"part": "attachments"}) in places(parsed, "mail_part")
    assert [fields["path"] for _, fields in places(parsed, "member")] == [("terms.pdf",), ("prices.xlsx",)]
    at = parsed.text.index("Two years.")
    span = parsed.segments[0].span.model_copy(update={"start": at, "end": at + 10})
    assert {(each.kind, each.label()) for each in locate(parsed.segments, span) if each.kind != "box"} == {
        ("heading", "terms.pdf"),
        ("member", "terms.pdf"),
        ("page", "page 2"),
    }
    assert places(parsed, "sheet_row") == [
        ("Product: Kettle; Price: 49", {"sheet": "Prices", "row": 2, "cells": "A2:B2"})
    ]
    assert ("prices.xlsx", "Prices") in [fields["path"] for _, fields in places(parsed, "heading")]


def test_a_forwarded_message_is_a_member_with_members() -> None:
    inner = mail("Warranty", "It lasts two years.")
    inner.add_attachment(BEES.decode(), filename="bees.txt")
    outer = mail("Fwd: Warranty")
    outer.add_attachment(inner)
    parsed = read(outer.as_bytes(), "a.eml")
    check(parsed)
    assert [fields["path"] for _, fields in places(parsed, "member")] == [
        ("message 'Warranty'",),
        ("message 'Warranty'", "bees.txt"),
    ]
    at = parsed.text.index("Bees make")
    span = parsed.segments[0].span.model_copy(update={"start": at, "end": at + 4})
    assert [each.label() for each in locate(parsed.segments, span) if each.kind == "member"] == [
        "message 'Warranty' › bees.txt"
    ]


def test_all_inline_texts_of_a_mail_are_read_and_of_alternatives_one() -> None:
    message = mail(text="Plain words.")
    message.add_alternative("<p>Rich words.</p>", subtype="html")
    message.add_attachment(BEES.decode(), disposition="inline", subtype="plain")
    parsed = read(message.as_bytes(), "a.eml")
    assert [text for text, fields in places(parsed, "mail_part") if fields["part"] == "body"] == [
        "Plain words.\n\nBees make honey."
    ]


def test_an_attachment_that_cannot_be_read_is_a_warning() -> None:
    message = mail()
    message.add_attachment(pdf([["secret"]], password="pw"), "application", "pdf", filename="secret.pdf")
    message.add_attachment(b"\x00\x01\x02\xff" * 50, "application", "octet-stream", filename="x.bin")
    parsed = read(message.as_bytes(), "a.eml")
    assert "secret.pdf" in parsed.warnings[0]
    assert "protected by a password" in parsed.warnings[0]
    assert "x.bin was not read" in parsed.warnings[1]
    assert places(parsed, "member") == []


def test_a_mailbox() -> None:
    one, two = mail("One", "First.\n\n>From here on it is quoted.").as_bytes(), mail("Two", "Second.").as_bytes()
    line = b"From ann@example.org Mon Feb  2 10:00:00 2026\n"
    parsed = read(line + one + b"\n" + line + two, "old.mbox")
    check(parsed)
    assert [fields["path"] for _, fields in places(parsed, "member")] == [("message 1",), ("message 2",)]
    assert [text for text, fields in places(parsed, "mail_part") if fields["part"] == "body"] == [
        "First.\n\nFrom here on it is quoted.",
        "Second.",
    ]
    assert [fields["path"] for _, fields in places(parsed, "heading")] == [("message 1: One",), ("message 2: Two",)]


def test_archives_within_archives() -> None:
    inner = tar({"bees.txt": BEES, "prices.xlsx": PRICES}, "w:gz")
    parsed = read(archive({"docs/inner.tgz": inner, "__MACOSX/._x": b"x", "read.md": b"# Read\n\nme"}), "all.zip")
    check(parsed)
    assert [fields["path"] for _, fields in places(parsed, "member")] == [
        ("docs/inner.tgz",),
        ("docs/inner.tgz", "bees.txt"),
        ("docs/inner.tgz", "prices.xlsx"),
        ("read.md",),
    ]
    assert ("read.md", "Read") in [fields["path"] for _, fields in places(parsed, "heading")]
    assert parsed.warnings == ()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (gzip.compress(BEES), "bees.txt.gz"),
        (bz2.compress(BEES) * 2, "bees.txt.bz2"),
        (lzma.compress(BEES), "bees.txt.xz"),
    ],
)
def test_a_compressed_file(content: bytes, name: str) -> None:
    parsed = read(content, name)
    assert parsed.text == "bees.txt\n\n" + BEES.decode() * (2 if name.endswith("bz2") else 1)
    assert [fields["path"] for _, fields in places(parsed, "member")] == [("bees.txt",)]
    with pytest.raises(ParseError, match="damaged"):
        read(content[:-4], name)


def test_a_member_that_says_who_may_see_it_is_not_laid_open() -> None:
    secret = b"---\nprincipals: [hr]\n---\nSalaries rise."
    dated = b"---\neffective_from: 2026-01-01\n---\nBees make honey."
    parsed = read(archive({"secret.md": secret, "dated.md": dated}), "a.zip")
    assert "Salaries" not in parsed.text
    assert "who may see it" in parsed.warnings[0]
    assert "dates of validity" in parsed.warnings[1]


def test_nesting_is_limited() -> None:
    content = BEES
    for depth in range(6):
        content = archive({f"{depth}.zip" if depth else "bees.txt": content})
    assert BEES.decode() in read(content, "a.zip", Limits(nesting=6)).text
    with pytest.raises(ParseError, match="nested too deeply"):
        read(content, "a.zip", Limits(nesting=5))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(archive_bytes=1_000_000), "archive_bytes"),
        (Limits(archive_members=3), "archive_members"),
        (Limits(family_seconds=0.0), "family_seconds"),
    ],
)
def test_what_all_members_together_cost_is_limited(limits: Limits, said: str) -> None:
    inner = archive({f"{number}.txt": b"x " * 100_000 for number in range(3)})
    with pytest.raises(LimitExceededError, match=said):
        read(archive({f"{number}.zip": inner for number in range(3)}), "a.zip", limits)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_bomb_of_one_stream_is_stopped(pack: object) -> None:
    content = pack(bytes(50_000_000))  # type: ignore[operator]
    with pytest.raises(LimitExceededError, match="unpacks"):
        read(content, "a.gz", Limits(input_bytes=1_000_000))


def test_one_member_that_is_too_large_is_a_warning() -> None:
    parsed = read(archive({"big.txt": b"x" * 5_000_000, "bees.txt": BEES}), "a.zip", Limits(input_bytes=1_000_000))
    assert "big.txt was not read" in parsed.warnings[0]
    assert BEES.decode() in parsed.text


def test_an_archive_of_which_nothing_can_be_read_says_why() -> None:
    noise = bytes(range(256)) * 4
    with pytest.raises(UnsupportedFormatError, match="nor 1 others"):
        read(archive({"a.bin": noise, "b.bin": noise}), "a.zip")
    with pytest.raises(EmptyDocumentError):
        read(archive({"a.bin": noise, "b.txt": b""}), "a.zip")
    with pytest.raises(EmptyDocumentError, match="no document"):
        read(archive({"folder/": b""}), "a.zip")


def test_a_directory_that_points_nowhere_is_typed() -> None:
    content = bytearray(workbook({"A": [["x"]]}))
    end = content.rindex(b"PK\x05\x06")
    content[end + 16 : end + 20] = b"\xff\xff\xff\x00"  # where the directory begins
    for name in ("a.xlsx", "a.zip"):
        with pytest.raises(ParseError, match=r"archive|unpacked"):
            read(bytes(content), name)


def test_encrypted_and_damaged_members_are_named() -> None:
    content = bytearray(archive({"secret.txt": BEES, "bees.txt": BEES}))
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        places_of = [info.header_offset for info in made.infolist()]
    content[places_of[0] + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    parsed = read(bytes(content), "a.zip")
    assert "secret.txt was not read: It is encrypted" in parsed.warnings[0]
    cut = tar({"bees.txt": BEES, "long.txt": b"words " * 1000})[:4096]
    damaged = read(cut, "a.tar")
    assert BEES.decode() in damaged.text
    assert damaged.warnings


def test_an_outlook_message_with_attachments_and_an_embedded_message() -> None:
    file: dict[str, Tree | bytes] = {"__properties_version1.0": bytes(8), "__substg1.0_37010102": BEES}
    file.update([outlook_text("3707", "bees.txt")])
    older: dict[str, Tree | bytes] = {"__properties_version1.0": bytes(8)}
    older["__substg1.0_3701000D"] = outlook_tree("Older", "Before.", 24)
    older.update([outlook_text("3001", "Older")])
    content = outlook("Offer", "Hello.", **{"__attach_version1.0_#00": file, "__attach_version1.0_#01": older})
    parsed = read(content, "a.msg")
    check(parsed)
    assert parsed.title == "Offer"
    assert parsed.text.startswith("Subject: Offer\nFrom: Ann\nDate: 2024-01-17 21:20:00+00:00\n\nHello.\n\nAttachments")
    assert [fields["path"] for _, fields in places(parsed, "member")] == [("bees.txt",), ("Older",)]
    assert "Before." in parsed.text
    with pytest.raises(EncryptedDocumentError):
        read(outlook("x", "y", **dict([outlook_text("001A", "IPM.Note.SMIME")])), "a.msg")
    for cut in (600, 1500, len(content) - 700):
        with pytest.raises(ParseError):
            read(content[:cut], "a.msg")
