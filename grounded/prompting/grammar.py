"""Which syntax templates may use: an allow-list over Jinja's syntax tree, and where blocks may stand."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

from grounded.prompting.filters import FILTERS

LOOP_FIELDS = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})
"""What may be read of ``loop``."""

_RESERVED = frozenset({"self", "super", "caller", "varargs", "kwargs"})
TESTS = frozenset({
    "boolean", "defined", "eq", "even", "false", "ge", "gt", "in", "le", "lt", "ne", "none", "number", "odd",
    "sequence", "string", "true", "undefined",
})  # fmt: skip
_NODES: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.List,
    nodes.Tuple,
    nodes.If,
    nodes.For,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Filter,
    nodes.Test,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.CondExpr,
    nodes.Call,
    nodes.Include,
    nodes.Keyword,
    nodes.Extends,
    nodes.Block,
)


def forbidden(node: nodes.Node) -> str:
    """Why a node is not allowed; empty when it is."""
    match node:
        case nodes.Getattr():
            in_loop = node.attr in LOOP_FIELDS and isinstance(node.node, nodes.Name) and node.node.name == "loop"
            return "" if in_loop else f"attribute {node.attr!r} is not allowed"
        case nodes.Getitem():
            return "" if _is_index(node.arg) else "an index must be a number, a text or a variable"
        case nodes.Call():
            return "" if _is_range(node) or is_super(node) else "only range() may be called"
        case nodes.Filter() | nodes.Test():
            known = FILTERS if isinstance(node, nodes.Filter) else TESTS
            return "" if node.name in known else f"{type(node).__name__.lower()} {node.name!r} is not allowed"
        case nodes.For():
            return "a recursive loop is not allowed" if node.recursive else ""
        case nodes.Include() | nodes.Extends():
            return "" if named_in(node) else f"{type(node).__name__.lower()} needs a file name in quotes"
        case nodes.Name():
            return f"name {node.name!r} is not allowed" if node.name in _RESERVED or node.name[0] == "_" else ""
    return "" if type(node) in _NODES else f"{type(node).__name__.lower()} is not allowed"


def _is_index(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Name) or (isinstance(node, nodes.Const) and isinstance(node.value, str | int))


def _is_range(node: nodes.Call) -> bool:
    plain = not (node.kwargs or node.dyn_args or node.dyn_kwargs)
    return plain and isinstance(node.node, nodes.Name) and node.node.name == "range"


def is_super(node: nodes.Node) -> bool:
    """``super()``: the block as the extended file has it."""
    if not isinstance(node, nodes.Call) or node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        return False
    return isinstance(node.node, nodes.Name) and node.node.name == "super"


def misplaced(tree: nodes.Template) -> Iterator[tuple[nodes.Node, str]]:
    """What may not stand where it does, and why.

    Without these rules blocks that hold blocks, or call ``super()`` more than once, could double the work with
    every level; and text that Jinja leaves out in silence would be lost.
    """
    blocks = list(tree.find_all(nodes.Block))
    for outer in (*blocks, *tree.find_all(nodes.For)):
        for inner in outer.find_all(nodes.Block):
            yield inner, "a block may not stand in a block or a loop"
    once = []
    for block in blocks:
        looped = [call for loop in block.find_all(nodes.For) for call in loop.find_all(nodes.Call)]
        calls = [call for call in block.find_all(nodes.Call) if is_super(call)]
        once += [call for call in calls[:1] if not any(call is each for each in looped)]
    for call in tree.find_all(nodes.Call):
        if is_super(call) and not any(call is each for each in once):
            yield call, "super() may stand once in a block, outside loops"
    extended = list(tree.find_all(nodes.Extends))
    body = [node for node in tree.body if not _is_blank(node)] if extended else []
    for node in extended:
        if node is not body[0]:
            yield node, "extends must come first and once"
    for part in body[1:]:
        if not isinstance(part, nodes.Block):
            yield part, "a file that extends another holds blocks only; this would be left out"


def _is_blank(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Output) and all(
        isinstance(part, nodes.TemplateData) and not part.data.strip() for part in node.nodes
    )


def named_in(node: nodes.Include | nodes.Extends) -> str:
    """The file that a node names; empty when it is not named by a text."""
    name = node.template.value if isinstance(node.template, nodes.Const) else ""
    return name if isinstance(name, str) else ""


def free_variables(tree: nodes.Template) -> dict[str, int]:
    """Names that no loop binds, with the line of their first use."""
    bound = {"range", "loop"}
    for loop in tree.find_all(nodes.For):
        bound |= {
            name.name for name in (loop.target, *loop.target.find_all(nodes.Name)) if isinstance(name, nodes.Name)
        }
    free: dict[str, int] = {}
    for name in tree.find_all(nodes.Name):
        if name.name not in bound and name.name != "super":
            free[name.name] = min(name.lineno, free.get(name.name, name.lineno))
    return free
