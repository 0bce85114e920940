"""How prompts, differences and findings about templates look in a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from grounded.prompting.comparing import Comparison
from grounded.prompting.costs import Cost
from grounded.prompting.linting import Finding
from grounded.prompting.packs import STATIC_KINDS
from grounded.records import Prompt
from grounded.render.common import harmless, on_one_line

_STYLES = {
    "profile": "cyan",
    "format": "green",
    "examples": "magenta",
    "guardrails": "yellow",
    "evidence": "blue",
    "task": "bold",
}
_SIGNS = {"+": "green", "-": "red", "@": "cyan"}


def rendered(prompt: Prompt, costs: Sequence[Cost]) -> RenderableType:
    """The messages, the components in their colours, then where the tokens went."""
    parts: list[RenderableType] = []
    for message in prompt.messages:
        text = _system(costs) if message.role == "system" else _user(message.content, prompt)
        parts.append(Panel(text, title=message.role, title_align="left", border_style="dim"))
    table = Table("Component", "Kind", "Version", "Tokens", box=None, padding=(0, 2, 0, 0))
    for cost in costs:
        each = cost.component
        table.add_row(Text(each.name, _STYLES[each.kind]), each.kind, each.version, str(cost.tokens))
    parts += [table, *_account(prompt)]
    return Group(*parts)


def compared(comparison: Comparison) -> RenderableType:
    """What a model would read otherwise, component by component."""
    left, right = comparison.left, comparison.right
    lines = [Text(f"{left.name}@{left.version} {left.hash[:12]} → {right.name}@{right.version} {right.hash[:12]}")]
    if comparison.no_answer[0] != comparison.no_answer[1]:
        lines += [Text(f"-no answer: {comparison.no_answer[0]}", "red")]
        lines += [Text(f"+no answer: {comparison.no_answer[1]}", "green")]
    lines += [Text(f"variable {each}", "magenta") for each in comparison.variables]
    for part in comparison.parts:
        if part.changed:
            lines.append(Text(f"{part.kind}: {part.name}", "bold"))
            lines += [Text(harmless(line), _SIGNS.get(line[:1], "dim")) for line in part.lines()]
    if not comparison.changed:
        lines.append(Text("A model reads the same.", "green"))
    before, after = comparison.tokens
    lines.append(Text(f"system message: {before} → {after} tokens ({after - before:+})", "dim"))
    return Group(*lines)


def linted(name: str, findings: Sequence[Finding]) -> RenderableType:
    """One line per finding and how to mend it."""
    if not findings:
        return Text(f"✓ {name}: nothing found", "green")
    lines = [Text(name, "bold")]
    for each in findings:
        style = "red" if each.level == "error" else "yellow"
        lines.append(Text.assemble((f"{each.level:8}", style), f"{each.place}: {each.message} [{each.rule}]"))
        lines.append(Text(f"        {each.fix}", "dim"))
    return Group(*lines)


def _system(costs: Sequence[Cost]) -> Text:
    shown = [cost for cost in costs if cost.component.kind in STATIC_KINDS and cost.text]
    return Text("\n\n").join(Text(harmless(cost.text), _STYLES[cost.component.kind]) for cost in shown)


def _user(content: str, prompt: Prompt) -> Text:
    """The boundary is dim, sources are blue, the question is bold."""
    text = Text(harmless(content))
    nonce = re.escape(prompt.nonce)
    text.highlight_regex(re.compile(rf"<sources-{nonce}>.*?</sources-{nonce}>", re.DOTALL), _STYLES["evidence"])
    text.highlight_regex(re.compile(rf"</?sources-{nonce}>"), "dim")
    text.highlight_regex(re.compile(re.escape(prompt.question) + r"\s*$"), _STYLES["task"])
    return text


def _account(prompt: Prompt) -> list[RenderableType]:
    budget = prompt.budget
    spent = ", ".join(f"{name} {tokens}" for name, tokens in budget.parts.items())
    exact = "exact" if budget.exact else "with a margin"
    lines = [Text(f"{budget.used} tokens ({exact}, {budget.encoding}): {spent}; {budget.left} left", "dim")]
    lines += [Text(f"Left out: {each.part} {each.what}: {each.reason}", "yellow") for each in budget.dropped]
    lines += [Text(f"Warning: {on_one_line(each.message)}", "yellow") for each in prompt.warnings]
    return [*lines]
