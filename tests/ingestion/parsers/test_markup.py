from __future__ import annotations

import pytest

from grounded.errors import LimitExceededError
from grounded.ingestion.parsers import Limits

from .making import places, read
from .test_properties import check

LIST = """<?xml version="1.0"?>
<!DOCTYPE list [<!ENTITY me "expanded"><!ENTITY file SYSTEM "file:///etc/hostname">]>
<list xmlns="urn:example" updated="2026-02-02">
  <!-- not text -->
  <book id="1"><title>Bees</title><price currency="EUR">9</price></book>
  <book id="2"><title>Ants</title><price>8</price></book>
  <note>Prices of <b>January</b>, see &me; and &file;.</note>
  <store><city><name>Ulm</name><street>Weg 1</street></city></store>
</list>"""


def test_xml_values_have_the_paths_of_their_elements() -> None:
    parsed = read(LIST, "a.xml")
    check(parsed)
    assert places(parsed, "xml_element") == [
        ("list: updated: 2026-02-02", {"path": "/list"}),
        ("id: 1; title: Bees; price: 9 (currency: EUR)", {"path": "/list/book[1]"}),
        ("id: 2; title: Ants; price: 8", {"path": "/list/book[2]"}),
        ("note: Prices of January, see &me; and &file;.", {"path": "/list/note"}),
        ("name: Ulm; street: Weg 1", {"path": "/list/store/city"}),
    ]
    assert parsed.media_type == "application/xml"


def test_a_long_record_has_a_line_for_every_value() -> None:
    parsed = read(f"<r><item><a>{'x ' * 800}</a><b>short</b></item></r>", "a.xml")
    assert [fields["path"] for _, fields in places(parsed, "xml_element")] == ["/r/item/a", "/r/item/b"]


def test_xml_that_is_not_well_formed_is_kept_as_text() -> None:
    parsed = read("<?xml version='1.0'?><list><a>Bees make honey</list>", "a.xml")
    assert "Bees make honey" in parsed.text
    assert "not well-formed" in parsed.warnings[0]


@pytest.mark.parametrize("depth", [201, 5_000])
def test_deep_xml_is_refused(depth: int) -> None:
    content = "<?xml version='1.0'?>" + "<a>" * depth + "x" + "</a>" * depth
    with pytest.raises(LimitExceededError, match="too deeply"):
        read(content, "a.xml", Limits(depth=100))
