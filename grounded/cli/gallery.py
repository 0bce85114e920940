"""Writes the page that shows templates rendered: ``python -m grounded.cli.gallery docs/gallery.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from grounded.prompting import Template, list_templates, load_template
from grounded.prompting.cards import FIGURES, ScoreCard, read_cards
from grounded.prompting.cases import check_structure, prompt_of, read_cases
from grounded.prompting.costs import costs

_HEAD = """\
# Gallery of templates

Every first-party template as a model sees it, with what each component costs, which risks it lowers and what it does
not do. Tokens are counted under o200k_base. Written by `python -m grounded.cli.gallery docs/gallery.md`; a test checks
that it is up to date. [Templates](templates.md) says how to use and to write one.

"""


def gallery(names: Iterable[str] | None = None) -> str:
    """The page as Markdown.

    Args:
        names: Which templates to show; by default those of the pack ``core``.

    Raises:
        TemplateError: A template or its cases cannot be read.
    """
    chosen = names or [name for name in list_templates() if name.startswith("core/")]
    sections = [_section(name, load_template(name)) for name in chosen]
    return _HEAD + "\n".join(sections)


def _section(name: str, template: Template) -> str:
    cases = read_cases(name, template)
    lines = [f"## {name}", "", template.description, ""]
    lines += [f"Version {template.ref.version}. When the sources hold no answer: `{template.no_answer}`", ""]
    lines += _variables(template)
    if not cases:
        return "\n".join([*lines, "It ships no test cases."])
    prompt = prompt_of(template, cases[0])
    lines += _table(("component", "kind", "version", "tokens"), [
        (f"`{each.component.name}`", each.component.kind, each.component.version, str(each.tokens))
        for each in costs(template, cases[0].variables)
    ])  # fmt: skip
    lines += _table(("risk it lowers", "limits"), [
        (each.risk, each.limits) for each in template.components if each.risk or each.limits
    ])  # fmt: skip
    for message in prompt.messages:
        lines += [f"The {message.role} message:", "", "````text", message.content.strip("\n"), "````", ""]
    passed = sum(all(check.passed for check in check_structure(template, case)) for case in cases)
    kinds = ", ".join(sorted({case.kind for case in cases}))
    lines += [f"Of its {len(cases)} test cases ({kinds}) {passed} pass without a model.", ""]
    for card in read_cards(name, template):
        lines += _card(card, template)
    return "\n".join(lines)


def _card(card: ScoreCard, template: Template) -> list[str]:
    changed = "" if card.template.hash == template.ref.hash else " The template has changed since."
    return [
        f"Score card: {card.model}, {card.date:%Y-%m-%d}, verifier {card.verifier.name} {card.verifier.version}, "
        f"template {card.template.version} `{card.template.hash[:12]}`; {card.tokens['prompt']:.0f} tokens a prompt, "
        f"{card.tokens['answer']:.0f} an answer.{changed}",
        "",
        *_table(("figure", "share (95 % interval)"), [(FIGURES.get(k, k), str(v)) for k, v in card.figures.items()]),
    ]


def _variables(template: Template) -> list[str]:
    if not template.variables:
        return []
    rows = []
    for name, each in template.variables.items():
        default = "required" if each.required else f"`{each.default}`" if each.default else "none"
        rows.append((f"`{name}`", each.type, default, each.description))
    return _table(("variable", "type", "default", "for"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [" | ".join(row).join(("| ", " |")) for row in (head, ("---",) * len(head), *rows)]
    return [*lines, ""]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(gallery(), encoding="utf-8", newline="\n")
