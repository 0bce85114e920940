"""XML: every value or short record as ``name: value``, prose as paragraphs, located by the path of the element."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from lxml import etree

from grounded.ingestion.parsers.building import TextBuilder, too_deep
from grounded.ingestion.parsers.rows import clean
from grounded.ingestion.parsers.source import Source
from grounded.records import Parsed

RECORD_CHARACTERS = 1_500
"""A record up to this long is one line; a longer one has a line for every value."""


def parse(source: Source) -> Parsed:
    """The text and the attributes of all elements; places are ``xml_element`` with paths such as ``/list/book[2]``.

    XML that is not well-formed is kept as the text it is, with a warning. Entities of its own are not expanded and
    nothing outside of it is looked up.

    Raises:
        LimitExceededError: It is nested too deeply or too long.
    """
    builder = TextBuilder(source.limits)
    try:
        root = etree.fromstring((source.text or "").encode("utf-8", "replace"), safe_parser(encoding="utf-8"))
    except etree.XMLSyntaxError as error:
        if "depth" in str(error):
            raise too_deep() from error
        builder.warnings.append(f"it is not well-formed XML ({clean(str(error))[:200]}); kept as text")
        builder.add(source.text or "")
        return builder.parsed(media_type="application/xml")
    _Reader(builder, source.limits.depth).element(root, f"/{_name(root)}", 0)
    return builder.parsed(media_type="application/xml")


def safe_parser(*, encoding: str | None = None) -> etree.XMLParser:
    """A parser that expands nothing, fetches nothing and keeps libxml2's own limits."""
    return etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )


class _Reader:
    def __init__(self, builder: TextBuilder, depth: int) -> None:
        self._builder = builder
        self._depth = depth

    def element(self, element: etree._Element, path: str, depth: int) -> None:
        """Append an element and everything below it."""
        if depth > self._depth:
            raise too_deep()
        children = list(_children(element))
        if not children or _is_mixed(element):
            self._line(_value(element), path)
            return
        if depth and all(not list(_children(child)) for child in children):
            self._record(element, children, path)
            return
        attributes = _attributes(element)
        if attributes:
            self._line(f"{_name(element)}: {attributes}", path)
        for child, below in _paths(children, path):
            self.element(child, below, depth + 1)

    def _record(self, element: etree._Element, children: list[etree._Element], path: str) -> None:
        """An element of plain values: one line when it is short, else one for each."""
        start = self._builder.length
        values = [_value(child) for child in children]
        line = "; ".join(filter(None, [_attributes(element), *values]))
        if len(line) <= RECORD_CHARACTERS:
            self._line(line, path)
            return
        self._line(_attributes(element), path)
        for (_, below), value in zip(_paths(children, path), values, strict=True):
            self._line(value, below)
        self._builder.separate(2 if self._builder.length > start else 0)

    def _line(self, text: str, path: str) -> None:
        if text:
            self._builder.mark(self._builder.line(text), "xml_element", path=path)


def _children(element: etree._Element) -> Iterator[etree._Element]:
    return element.iterchildren("*")


def _is_mixed(element: etree._Element) -> bool:
    """Whether words stand between its elements, as in prose."""
    pieces = [element.text, *(child.tail for child in element)]
    return any(piece and not piece.isspace() for piece in pieces)


def _value(element: etree._Element) -> str:
    """``name: value`` of an element that is not cut up any further; its attributes in brackets."""
    text = clean("".join(_pieces(element)))
    attributes = _attributes(element)
    said = f"{text} ({attributes})" if text and attributes else text or attributes
    return f"{_name(element)}: {said}" if said else ""


def _pieces(element: etree._Element) -> Iterator[str]:
    for event, inner in etree.iterwalk(element, events=("start", "end")):
        if event == "start":
            # An entity of the document's own stands as it is written.
            yield (inner.text or "") if isinstance(inner.tag, str) else f"&{getattr(inner, 'name', '')};"
        elif inner is not element:
            yield inner.tail or ""


def _attributes(element: etree._Element) -> str:
    wanted = ((etree.QName(name).localname, clean(str(value))) for name, value in element.attrib.items())
    return ", ".join(f"{name}: {value}" for name, value in wanted if value and name != "schemaLocation")


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname


def _paths(children: list[etree._Element], path: str) -> Iterator[tuple[etree._Element, str]]:
    """Children with their paths; those of one name are numbered from 1."""
    total = Counter(_name(child) for child in children)
    seen: Counter[str] = Counter()
    for child in children:
        name = _name(child)
        seen[name] += 1
        yield child, f"{path}/{name}[{seen[name]}]" if total[name] > 1 else f"{path}/{name}"
