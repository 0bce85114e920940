"""How sources are laid out, and where the question stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from grounded.errors import UsageError
from grounded.prompting.sandbox import Sandbox
from grounded.prompting.templates import Component

LayoutName = Literal["xml", "numbered", "quote_first"]
"""``xml``: the template's own layout, elements in ours. ``numbered``: plain blocks that begin with ``[n]``.
``quote_first``: as ``xml``, and the reply begins with the quotations it rests on."""

QuestionPosition = Literal["after", "before", "both"]
"""Where the question stands: where the template puts it (in ours at the very end), before the sources, or both."""

QUOTE_FIRST = """\
**Quotes first.** Write the reply in two parts and nothing besides:
<quotes>
[1] "the words of source 1 that bear on the question, copied exactly"
[3] "the same from source 3; one quotation on each line, with its id"
</quotes>
<answer>
the answer, resting on these quotations, under all rules above
</answer>
If the sources do not answer the question, leave the first part empty and put only the sentence for that case into the \
second."""
"""What the system message says in addition when the layout is ``quote_first``."""

_NUMBERED = """\
[{{ number }}]{% if title %} {{ title }}{% endif %}{% if place %} · {{ place }}{% endif %}\
{% if dates %} · in force {{ dates }}{% endif %}{% if note %} · {{ note }}{% endif %}

{{ text }}
"""
_FORGED_NUMBER = re.compile(r"[\[［]([ \t]{0,4}\d{1,6}[ \t]{0,4})[\]］]")
PART = re.compile(r"</?(?:quotes|answer)>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one source is laid out.

    Attributes:
        component: Renders it.
        between: Ends each source.
    """

    name: LayoutName
    component: Component
    between: str = "\n"

    @property
    def rule(self) -> str:
        """What the system message says in addition."""
        return QUOTE_FIRST if self.name == "quote_first" else ""

    def prepare(self, text: str) -> str:
        """A source's text, as long as before, without what imitates this layout: ``[3]`` becomes ``⟦3⟧``."""
        return prepared(self.name, text)


def layout_of(name: str, component: Component) -> Layout:
    """The layout of that name.

    Args:
        name: One of ``LayoutName``.
        component: The template's own evidence layout.

    Raises:
        UsageError: There is no such layout.
    """
    match name:
        case "xml":
            return Layout("xml", component)
        case "quote_first":
            return Layout("quote_first", component)
        case "numbered":
            return Layout("numbered", _numbered(), between="\n\n")
    raise UsageError(f"There is no layout {name!r}.", fix=f"Use one of {', '.join(get_args(LayoutName))}.")


def prepared(name: LayoutName, text: str) -> str:
    """A source's text, as long as before, without what imitates the layout of that name."""
    match name:
        case "numbered":
            return _FORGED_NUMBER.sub(r"⟦\1⟧", text)
        case "quote_first":
            return PART.sub(lambda part: f"‹{part[0][1:-1]}›", text)
    return text


def check_position(position: str) -> None:
    """Refuse a place for the question that does not exist.

    Raises:
        UsageError: There is no such place.
    """
    if position not in get_args(QuestionPosition):
        raise UsageError(
            f"The question cannot stand {position!r}.", fix=f"Use one of {', '.join(get_args(QuestionPosition))}."
        )


@lru_cache(maxsize=1)
def _numbered() -> Component:
    name = "numbered.j2"
    sandbox = Sandbox({name: _NUMBERED}, "layouts")
    return Component(
        name="layout-numbered",
        kind="evidence",
        version="1.0.0",
        file=name,
        source=_NUMBERED,
        description="One source as a block that begins with its number.",
        compiled=sandbox.compile(name),
        sandbox=sandbox,
        used=sandbox.variables(name),
    )
