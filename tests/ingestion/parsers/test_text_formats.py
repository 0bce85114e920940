from __future__ import annotations

import time
from contextlib import suppress
from datetime import date

import pytest

from grounded.errors import EmptyDocumentError, EncryptedDocumentError, LimitExceededError, ParseError
from grounded.ingestion.parsers import Limits
from grounded.records import Locator, Span, locate

from .making import places, read

GERMAN = "Die Garantie beträgt zwölf Monate. Für Geräte über 100 € gilt sie länger.\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "cp1252"])
def test_text_in_any_encoding(encoding: str) -> None:
    assert read(GERMAN.encode(encoding), "a.txt").text == GERMAN


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Гарантия составляет двенадцать месяцев со дня доставки товара покупателю. " * 5, "cp1251"),
        ("保証期間は納品日から十二か月です。電池は消耗品のため対象外となります。" * 5, "shift_jis"),
    ],
)
def test_other_scripts_are_guessed_with_a_warning(text: str, encoding: str) -> None:
    parsed = read(text.encode(encoding), "a.txt")
    assert parsed.text == text
    assert any("encoding" in warning for warning in parsed.warnings)


def test_plain_text_is_left_as_it_is() -> None:
    text = "  one\r\n\r\n\ttwo \n# no heading here\n"
    parsed = read(text, "a.txt")
    assert parsed.text == text
    assert (parsed.title, parsed.media_type) == ("a.txt", "text/plain")


def test_a_stray_nul_keeps_its_place() -> None:
    parsed = read(b"a" * 500 + b"\x00" + b"b" * 500, "a.txt")
    assert parsed.text[500] == "\ufffd"
    assert len(parsed.text) == 1001


MARKDOWN = """\
---
title: The handbook
effective_from: 2026-01-01
effective_to: "2027-01-01"
principals: [group:hr, user:ann]
supersedes: old.md
product: kettle
size: 3
when: 2026-02-03
tags: [a, b]
---
Intro.

# Warranty
Two years.

## Kettles
One year.

```
# not a heading
```

Underlined
==========
End.
"""


def test_markdown_sections_nest_and_span_whole_sections() -> None:
    parsed = read(MARKDOWN, "handbook.md")
    assert parsed.text == MARKDOWN
    assert [fields["path"] for _, fields in places(parsed, "heading")] == [
        ("Warranty",),
        ("Warranty", "Kettles"),
        ("Underlined",),
    ]
    warranty, kettles, underlined = (text for text, _ in places(parsed, "heading"))
    assert warranty.startswith("# Warranty\n")
    assert warranty.endswith(kettles)
    assert "# not a heading" in kettles
    assert underlined == "Underlined\n==========\nEnd.\n"
    at = MARKDOWN.index("One year")
    assert locate(parsed.segments, Span(start=at, end=at + 8)) == (
        Locator(kind="heading", path=("Warranty", "Kettles")),
    )


def test_front_matter_declares() -> None:
    parsed = read(MARKDOWN, "handbook.md")
    assert parsed.title == "The handbook"
    assert (parsed.effective_from, parsed.effective_to) == (date(2026, 1, 1), date(2027, 1, 1))
    assert parsed.principals == ("group:hr", "user:ann")
    assert parsed.supersedes == "old.md"
    assert parsed.metadata == {"product": "kettle", "size": 3, "when": "2026-02-03"}
    assert any("tags" in warning for warning in parsed.warnings)
    [(block, _)] = places(parsed, "front_matter")
    assert block.startswith("---\ntitle")
    assert block.endswith("\n---\n")


@pytest.mark.parametrize(
    "block",
    [
        "principals: {a: 1}",
        "principals:",
        "principals: [a, [b]]",
        "effective_from: soon",
        "effective_to: 12",
        "principals: [broken",
    ],
)
def test_permissions_and_dates_that_cannot_be_read_refuse_the_document(block: str) -> None:
    with pytest.raises(ParseError, match=r"principals|effective|permissions"):
        read(f"---\n{block}\n---\ntext", "a.md")


def test_other_broken_front_matter_is_a_warning() -> None:
    parsed = read("---\ntitle: [broken\n---\n# A\n", "a.md")
    assert parsed.title == "A"
    assert any("front matter" in warning for warning in parsed.warnings)
    assert read("---\n- a list\n---\ntext", "a.md").segments == ()
    assert read("---\njust a rule, never closed", "a.md").text.startswith("---")


def test_a_yaml_bomb_in_front_matter_is_harmless() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    parsed = read("---\n" + "\n".join(lines) + "\n---\ntext", "a.md")
    assert parsed.metadata == {}


HTML = """<!DOCTYPE html><html><head><title>Kettle  manual</title><style>p{}</style></head><body>
<!-- a comment --><script>alert(1)</script><h1>Warranty</h1><p>Two <b>years</b> from
delivery, see <a href="x">the terms</a>.</p><p hidden>secret</p><div style="display: none">secret</div>
<ul><li>one</li><li><p>two</p></li></ul><pre>a
  b</pre><h2>Prices</h2>
<table><caption>In euro</caption><tr><th>Product</th><th>Price</th></tr>
<tr><td rowspan="2">Kettle</td><td>49&nbsp;€</td></tr><tr><td>59 €</td></tr></table>
<table><tr><td><p>layout</p></td></tr></table></body></html>"""


def test_html_reads_as_seen() -> None:
    parsed = read(HTML, "manual.html")
    assert parsed.title == "Kettle manual"
    assert parsed.text == (
        "Warranty\n\nTwo years from delivery, see the terms.\n\n- one\n- two\n\na\n  b\n\nPrices\n\n"
        "In euro\nProduct: Kettle; Price: 49 €\nProduct: Kettle; Price: 59 €\n\nlayout"
    )
    assert places(parsed, "table_row") == [
        ("Product: Kettle; Price: 49 €", {"table": 1, "row": 2}),
        ("Product: Kettle; Price: 59 €", {"table": 1, "row": 3}),
    ]
    assert [fields["path"] for _, fields in places(parsed, "heading")] == [("Warranty",), ("Warranty", "Prices")]


def test_html_in_its_declared_encoding() -> None:
    page = '<html><head><meta charset="iso-8859-2"></head><body>Zażółć gęślą jaźń</body></html>'
    assert read(page.encode("iso-8859-2"), "a.html").text == "Zażółć gęślą jaźń"


@pytest.mark.parametrize("depth", [1_000, 20_000])
def test_deep_html_is_read_whole_or_refused(depth: int) -> None:
    page = "<html><body>" + "<div>" * depth + "at the bottom" + "</div>" * depth
    if depth < 2_000:
        assert read(page, "a.html").text == "at the bottom"
    else:
        with pytest.raises(LimitExceededError, match="deep"):
            read(page, "a.html")


def test_html_with_hostile_spans() -> None:
    page = '<html><table><tr><td colspan="999999999">a</td><td rowspan=77777>b</td></tr><tr><td>c</td></tr></table>'
    assert "a | b" in read(page, "a.html").text


CSV = 'product,price,note\nKettle,49,"two\nlines"\n\nToaster,29,\n'


def test_csv_rows_carry_their_column_names_and_numbers() -> None:
    parsed = read(CSV, "prices.csv")
    assert places(parsed, "sheet_row") == [
        ("product: Kettle; price: 49; note: two lines", {"sheet": "prices.csv", "row": 2}),
        ("product: Toaster; price: 29", {"sheet": "prices.csv", "row": 4}),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_dialects(delimiter: str) -> None:
    rows = [["name", "city", "age"], ["Ann", "Berlin, Mitte", "31"], ["Ben", "Rome; Italy", "42"]]
    text = "\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    assert read(text, "a.csv").text.splitlines()[0] == "name: Ann; city: Berlin, Mitte; age: 31"


def test_csv_without_a_header_and_with_one_column() -> None:
    assert read("1,2,3\n4,5,6\n", "a.csv").text == "1 | 2 | 3\n4 | 5 | 6\n"
    assert read("apple\npear\n", "a.csv").text == "apple\npear\n"
    assert read("warranty,24 months\ncolour,red\n", "a.csv").text == "warranty | 24 months\ncolour | red\n"


def test_an_unclosed_quote_is_typed() -> None:
    with pytest.raises(LimitExceededError, match="field"):
        read('a,b,c\n1,2,3\n4,5,"' + "x\n" * 100_000, "a.csv")


def test_json_leaves_and_records() -> None:
    text = '{"shop": {"name": "Kettle & Co", "open": true, "tags": ["a", "b"]}, "items": [{"id": 1, "price": 1.10}]}'
    parsed = read(text, "a.json")
    assert places(parsed, "json_pointer") == [
        ("shop.name: Kettle & Co", {"pointer": "/shop/name"}),
        ("shop.open: true", {"pointer": "/shop/open"}),
        ("shop.tags: a, b", {"pointer": "/shop/tags"}),
        ("items.id: 1; items.price: 1.10", {"pointer": "/items/0"}),
    ]


def test_json_lines_carry_line_numbers_and_keep_broken_lines() -> None:
    parsed = read('{"a": "x", "b": {"c/d": 1}}\n\n{"a": "y"}\n{"a": \n', "a.jsonl")
    assert places(parsed, "json_pointer") == [
        ("a: x; b.c/d: 1", {"pointer": "", "line": 1}),
        ("a: y", {"pointer": "", "line": 3}),
    ]
    assert places(parsed, "line") == [('{"a":', {"number": 4})]
    assert any("line 4" in warning for warning in parsed.warnings)


def test_a_long_json_record_has_a_line_for_every_value() -> None:
    parsed = read('[{"id": 7, "text": "' + "long words\\n" * 300 + '"}]', "a.json")
    assert [fields["pointer"] for _, fields in places(parsed, "json_pointer")] == ["/0/id", "/0/text"]
    assert parsed.text.count("long words\n") == 300


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": NaN}', '[{"a": -Infinity}]'])
def test_json_that_is_not_certain_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        read(text, "a.json")


@pytest.mark.parametrize("depth", [300, 200_000])
def test_deep_json_is_refused(depth: int) -> None:
    with pytest.raises(LimitExceededError, match="deep"):
        read('{"a":' * depth + "1" + "}" * depth, "a.json")
    with pytest.raises(LimitExceededError, match="deep"):
        read("[" * depth + "1" + "]" * depth, "a.json")


def test_a_first_line_that_names_the_delimiter_is_no_row() -> None:
    parsed = read("sep=^\r\nproduct^price\r\nkettle^4,90\r\n", "a.csv")
    assert places(parsed, "sheet_row") == [("product: kettle; price: 4,90", {"sheet": "a.csv", "row": 3})]


MAIL = """\
From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>
To: ann@example.org
Subject: Warranty
Date: Mon, 2 Feb 2026 10:00:00 +0100
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Zw=F6lf Monate.
--b
Content-Type: application/pdf
Content-Disposition: attachment; filename="terms.pdf"

xx
--b--
"""


def test_mail_parts() -> None:
    parsed = read(MAIL, "a.eml")
    assert parsed.title == "Warranty"
    assert [(fields["part"], text) for text, fields in places(parsed, "mail_part")] == [
        (
            "headers",
            "Subject: Warranty\nFrom: Jürgen <j@example.org>\nTo: ann@example.org\n"
            "Date: Mon, 2 Feb 2026 10:00:00 +0100",
        ),
        ("body", "Zwölf Monate."),
        ("attachments", "Attachments: terms.pdf"),
    ]


def test_mail_with_only_html_and_encrypted_mail() -> None:
    head = "From: a@b.c\nTo: d@e.f\nSubject: x\nMIME-Version: 1.0\n"
    parsed = read(f"{head}Content-Type: text/html\n\n<html><h1>Hello</h1><p>there</p></html>", "a.eml")
    assert ("Hello\n\nthere", {"part": "body"}) in places(parsed, "mail_part")
    with pytest.raises(EncryptedDocumentError):
        read(f"{head}Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nxxxx", "a.eml")


@pytest.mark.parametrize("content", [b"", b" \n\t", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00\x00"])
def test_empty_documents(content: bytes) -> None:
    with pytest.raises(EmptyDocumentError):
        read(content, "a.txt")


def test_limits_of_size() -> None:
    with pytest.raises(LimitExceededError, match="bytes"):
        read("x" * 101, "a.txt", Limits(input_bytes=100))
    with pytest.raises(LimitExceededError, match="characters"):
        read("x" * 101, "a.txt", Limits(output_characters=100))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("<!---->" * 100_000 + "x", ""),
        ("# " + " " * 1_000_000 + "x", "a.md"),
        ("# x" + " #" * 500_000, "a.md"),
        ("=" * 500_000 + " " * 500_000 + "x\n" * 2, "a.md"),
        ("[" * 500_000 + "\n===\n", "a.md"),
        ("|" * 1_000_000 + "x", ""),
        ("a,b,c\n" + "1" * 100_000 + "x,y,z\n1,2,3\n", "a.csv"),
        ("From: a@b.c\nSubject: x" + " " * 1_000_000 + "y\nDate: z\nTo: d\n\nbody", "a.eml"),
        ("<html>" + "<table><tr><td>" * 600 + "x", "a.html"),
        ("<html>" + "<p>x" * 200_000, "a.html"),
        ("<html><table>" + "<tr><td rowspan=100 colspan=100>x" * 3_000, "a.html"),
        ("---\n" + "? " * 20_000 + "\n---\n", "a.md"),
    ],
)
def test_hostile_text_takes_no_time(content: str, name: str) -> None:
    started = time.process_time()
    with suppress(ParseError):
        read(content, name)
    assert time.process_time() - started < 5
