"""Runs template files nobody has to trust: an allow-list over the syntax tree and an account of the work done.

Python cannot interrupt a template that loops or builds a huge string, so nothing that could is let in: no
assignment, macro, import, arithmetic, string formatting or attribute access, no call but ``range`` and one ``super``
in a block, and only the filters and tests named in ``filters`` and ``grammar``. What is left costs in proportion to
the nodes it runs; loops, includes and filters pay for them from ``WORK_LIMIT``. Documents and user input are data;
they are never template source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, cast

from jinja2 import FunctionLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError, nodes
from jinja2 import Template as JinjaTemplate
from jinja2.runtime import BlockReference, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from grounded import errors
from grounded.prompting.filters import FILTERS, OUTPUT_LIMIT, WORK_LIMIT, LimitError, bounded_range, loop, spend, work
from grounded.prompting.grammar import LOOP_FIELDS, TESTS, forbidden, free_variables, is_super, misplaced, named_in

SOURCE_LIMIT = 65_536
"""Code points in one template file."""

DEPTH_LIMIT = 40
"""Deepest nesting of the syntax tree."""

CHAIN_LIMIT = 5
"""Most files in a chain in which each extends the next."""

_COMPILED_IN = frozenset({"_block_vars", "_loop_vars"})  # what Jinja adds to calls in blocks and loops


class Sandbox:
    """The files of one pack, checked and compiled on demand.

    Args:
        files: Text of every file a template of this pack may use, by its name in the pack; ``PACK:NAME`` for the
            files of another pack, whose own names are looked up there.
        label: What stands before a file name in messages, such as ``core``.
    """

    def __init__(self, files: Mapping[str, str], label: str) -> None:
        self._files = files
        self._label = label
        self._environment = _Environment(self)

    def where(self, file: str, line: int) -> str:
        """A place for messages: ``core/qa/profile.j2:3``."""
        if ":" in file:
            return f"{file.replace(':', '/', 1)}:{line}"
        return f"{self._label}/{file}:{line}" if self._label else f"{file}:{line}"

    def variables(self, file: str) -> dict[str, tuple[str, int]]:
        """Every free variable of a file and of those it is made from, with the file and line of its first use.

        Raises:
            TemplateError: The file is missing, too large, malformed or uses something forbidden.
        """
        found: dict[str, tuple[str, int]] = {}
        for name in (file, *self.sources(file)):
            for variable, line in free_variables(self.parse(name)).items():
                found.setdefault(variable, (name, line))
        return found

    def sources(self, file: str) -> tuple[str, ...]:
        """The other files a file is made from: what it extends, and what these and itself include, in order."""
        chain = self._chain(file)
        included = [name for each in chain for name in self._includes(each)]
        return tuple(dict.fromkeys((*chain[1:], *included)))

    def text(self, file: str) -> str:
        """The text of a file."""
        return self._files[file]

    def _includes(self, file: str) -> list[str]:
        included = [self._resolve(named_in(node), file) for node in self.parse(file).find_all(nodes.Include)]
        for name in included:
            if any(True for _ in self.parse(name).find_all((nodes.Include, nodes.Extends, nodes.Block))):
                raise errors.TemplateError(
                    f"{self.where(name, 1)}: an included file includes another, or holds blocks.",
                    fix="Include it from the component itself, and keep blocks there.",
                )
        return included

    def _chain(self, file: str) -> list[str]:
        """A file, the one it extends, the one that extends, and so on."""
        chain = [file]
        while parent := self.parent(chain[-1]):
            if parent in chain or len(chain) == CHAIN_LIMIT:
                problem = "extends itself" if parent in chain else f"extends more than {CHAIN_LIMIT - 1} files"
                raise errors.TemplateError(
                    f"{self.where(chain[-1], 1)}: {problem}: {' -> '.join((*chain, parent))}.",
                    fix="Break the chain of extends.",
                )
            self._check_blocks(chain[-1], parent)
            chain.append(parent)
        return chain

    def parent(self, file: str) -> str:
        """The file that a file extends; empty when there is none."""
        extended = next(iter(self.parse(file).find_all(nodes.Extends)), None)
        return self._resolve(named_in(extended), file) if extended else ""

    def _check_blocks(self, file: str, parent: str) -> None:
        known = {block.name for block in self.parse(parent).find_all(nodes.Block)}
        for block in self.parse(file).find_all(nodes.Block):
            if block.name not in known:
                raise errors.TemplateError(
                    f"{self.where(file, block.lineno)}: {parent!r} has no block {block.name!r}.",
                    fix=f"It has: {', '.join(sorted(known)) or 'none'}.",
                )

    def _resolve(self, name: str, file: str) -> str:
        """The name by which a file knows another."""
        pack, colon, _ = file.rpartition(":")
        return name if ":" in name else f"{pack}{colon}{name}"

    def parse(self, file: str) -> nodes.Template:
        """The checked syntax tree of a file, without the accounting that running it adds."""
        if file not in self._files:
            raise errors.TemplateError(
                f"The template pack {self._label!r} has no file {file!r}.",
                fix="Names are relative to the pack's folder; known: " + ", ".join(sorted(self._files)) + ".",
            )
        source = self._files[file]
        if len(source) > SOURCE_LIMIT:
            raise errors.TemplateError(
                f"{self.where(file, 1)}: {len(source)} characters; a template file may have {SOURCE_LIMIT}.",
                fix="Split it, or pass long text as a variable.",
            )
        try:
            tree = self._environment.parse_plain(source, file)
        except TemplateSyntaxError as error:
            raise errors.TemplateError(
                f"{self.where(file, error.lineno)}: {error.message}.", fix="Correct the template's syntax."
            ) from error
        except (RecursionError, ValueError, MemoryError) as error:
            raise errors.TemplateError(
                f"{self.where(file, 1)}: too deeply nested or malformed.", fix="Simplify the expression."
            ) from error
        self._check(tree, file)
        return tree

    def compile(self, file: str) -> JinjaTemplate:
        """A file ready to be rendered."""
        self.variables(file)
        try:
            return self._environment.get_template(file)
        except (SyntaxError, RecursionError, MemoryError, TemplateSyntaxError) as error:
            line = error.lineno if isinstance(error, TemplateSyntaxError) else 1
            raise errors.TemplateError(
                f"{self.where(file, line)}: cannot be compiled: {error}.", fix="Simplify the template."
            ) from error

    def render(self, template: JinjaTemplate, values: Mapping[str, Any]) -> str:
        """Render within the limits.

        Raises:
            TemplateError: A variable is missing or unfit, or a limit is exceeded; the message names file and line.
        """
        token = work.set([WORK_LIMIT])
        pieces: list[str] = []
        length = 0
        try:
            for piece in template.generate(values):
                length += len(piece)
                if length > OUTPUT_LIMIT:
                    raise LimitError(f"more than {OUTPUT_LIMIT} characters of output")
                pieces.append(piece)
            text = "".join(pieces)
            text.encode()  # half a character cannot be sent
        except (TemplateError, TypeError, ValueError, LookupError, RecursionError, ArithmeticError) as error:
            place = self._place(error.__traceback__, template.name or "")
            raise errors.TemplateError(f"{place}: {error}.", fix=_fix_for(error)) from error
        finally:
            work.reset(token)
        return text

    def load(self, file: str) -> tuple[str, str, Callable[[], bool]]:
        """What Jinja's loader asks for; only files of the pack exist."""
        if file not in self._files:
            raise TemplateNotFound(file)
        return self._files[file], file, lambda: True

    def weight(self, file: str) -> int:
        """What running a file costs at least."""
        return len(self._files.get(file, "")) // 8 + 1

    def _check(self, tree: nodes.Template, file: str) -> None:
        waiting: list[tuple[nodes.Node, int]] = [(tree, 0)]
        while waiting:
            node, depth = waiting.pop()
            self._refuse("nested too deeply" if depth > DEPTH_LIMIT else forbidden(node), file, node)
            if not is_super(node):
                waiting += [(child, depth + 1) for child in node.iter_child_nodes()]
        for node, problem in misplaced(tree):
            self._refuse(problem, file, node)

    def _refuse(self, problem: str, file: str, node: nodes.Node) -> None:
        if problem:
            raise errors.TemplateError(
                f"{self.where(file, node.lineno or 1)}: {problem}.",
                fix="Templates may use variables, if, for, include, extends, block and the filters "
                + ", ".join(sorted(FILTERS))
                + ".",
            )

    def _place(self, trace: TracebackType | None, fallback: str) -> str:
        place = (fallback, 1)
        while trace is not None:
            if trace.tb_frame.f_code.co_filename in self._files:
                place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
            trace = trace.tb_next
        return self.where(*place)


class _Environment(ImmutableSandboxedEnvironment):
    """Reads items of plain data and nothing else."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # the optimiser would run filters while compiling
            loader=FunctionLoader(sandbox.load),
            auto_reload=False,
        )
        self._sandbox = sandbox
        self.filters = {**FILTERS, "_loop": loop, "_include": self._include}
        self.tests = {name: test for name, test in self.tests.items() if name in TESTS}
        self.globals = {"range": bounded_range}

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """A plain copy, as nothing changes: looking through a chain of mappings is most of a short rendering."""
        return {**self.globals, **(d or {})}

    def parse_plain(self, source: str, file: str) -> nodes.Template:
        """The syntax tree as written."""
        return super()._parse(source, file, file)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = self._sandbox.parse(name or "")
        for repeated in list(tree.find_all(nodes.For)):
            size = sum(1 for _ in repeated.find_all(nodes.Node))
            repeated.iter = _filter(repeated.iter, "_loop", [nodes.Const(size)])
        for include in list(tree.find_all(nodes.Include)):
            include.template = _filter(self._resolved(include, name), "_include", [])
        for extended in tree.find_all(nodes.Extends):
            extended.template = self._resolved(extended, name)
        tree.set_environment(self)
        return tree

    def _resolved(self, node: nodes.Include | nodes.Extends, file: str | None) -> nodes.Const:
        return nodes.Const(self._sandbox._resolve(named_in(node), file or ""), lineno=node.lineno)

    def _include(self, file: str) -> str:
        spend(self._sandbox.weight(file))
        return file

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext) and attribute in LOOP_FIELDS:
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping | list | tuple) and isinstance(argument, str | int):
            try:
                return obj[argument]  # type: ignore[index,call-overload,unused-ignore]
            except (LookupError, TypeError):
                pass
        return self.undefined(obj=obj, name=str(argument)[:40])

    def call(self, *args: Any, **kwargs: Any) -> Any:
        _context, function, *rest = args
        kwargs = {key: value for key, value in kwargs.items() if key not in _COMPILED_IN}
        if isinstance(function, BlockReference) and not (rest or kwargs):
            return function()
        if function is not bounded_range or kwargs:
            raise LimitError("only range() may be called")
        return bounded_range(*rest)


def _filter(node: nodes.Node, name: str, arguments: list[nodes.Expr]) -> nodes.Filter:
    return nodes.Filter(cast(nodes.Expr, node), name, arguments, [], None, None, lineno=node.lineno)


def _fix_for(error: BaseException) -> str:
    if "is undefined" in str(error):
        return "Pass it in variables, or declare it with a default in pack.toml."
    if isinstance(error, LimitError):
        return "Make the template smaller."
    return "Correct the template, or pass a value of the declared type."
