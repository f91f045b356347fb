"""Small faults to put into a module, one at a time: the mutants of `benchmarks.mutation`.

    list_mutants(source)      [Mutant(line=14, change="a < b -> a <= b", ...)]

A mutant is an edit of the text of one node. Comparisons lose or gain their boundary, `and` turns into `or`, sums into
differences; numbers grow by one, truth values flip, texts are emptied, short lists of names lose one; a returned value turns
into None; calls made for their effect, raises and assignments to fields are removed; a plain condition is negated. Texts that
are SQL are changed as SQL. Left alone: docstrings, annotations, type aliases, decorators, keys and column names (those fail
at once and would only raise the score), and what stands inside f-strings (Python 3.11 does not say where).
"""

import ast
import copy
import re
from collections.abc import Iterator
from typing import NamedTuple


class Mutant(NamedTuple):
    """One edit of a source text."""

    line: int
    first: int
    """First and last line of the statement (of its head, where it has a body), both numbered from 1."""
    last: int
    start: int
    end: int
    """Which characters of the source are replaced, from 0."""
    text: str
    change: str

    def apply(self, source: str) -> str:
        """Return the source with the fault."""
        return source[: self.start] + self.text + source[self.end :]


_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_JOINED = (ast.JoinedStr, ast.List, ast.Tuple, ast.ListComp, ast.Dict)
_REMOVED = (ast.AugAssign, ast.Raise, ast.Continue, ast.Break, ast.Delete)
_IS_SQL = re.compile(r"\b(SELECT|UPDATE|INSERT|DELETE|WHERE|AND|EXISTS|DESC|FOR UPDATE|ON CONFLICT)\b|\b[a-z]\.[a-z_]+, ")
_SQL: tuple[tuple[str, str], ...] = (
    (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" <> ", " = "),
    (r"(?<=AND) [\w.{}]+ =(?= )| item_key =(?= )", ""), (r"\bAND\b", "OR"), (r"\bOR\b", "AND"),
    (r"\bNOT (?=EXISTS|\()", ""), (r" DESC\b", ""), (r"\+ 1\b", "- 1"), (r"\b0\b", "1"), (r"\bDISTINCT ", ""),
    (r"^FOR UPDATE.*$", ""), (r"\bMAX\b", "MIN"), (r" AND [a-z]\.is_listed", ""), (r"\bELSE [:\w]+", "ELSE NULL"),
    (r"(ORDER BY [a-z_.]+\b)(?! DESC)", r"\1 DESC"),
)  # fmt: skip
"""Regular expression, replacement; an empty one for a comparison swaps `=` for `<>`."""


def list_mutants(source: str) -> list[Mutant]:
    """Return every mutant of a module, in the order of the text."""
    return sorted(_Finder(source).find(), key=lambda mutant: (mutant.start, mutant.end, mutant.text))


class _Finder:
    """Walks the syntax tree of one module."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tree = ast.parse(source)
        starts = [0]
        for line in source.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        self.starts = starts

    def find(self) -> Iterator[Mutant]:
        for statement in self.tree.body:
            if not _is_alias(statement):
                yield from self._statement(statement)

    def _statement(self, node: ast.stmt) -> Iterator[Mutant]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        body = getattr(node, "body", None) or getattr(node, "cases", None)
        last = _line(body[0]) - 1 if body else node.end_lineno or node.lineno
        span = (node.lineno, max(node.lineno, last))
        for start, end, text, change in self._edits(node):
            yield Mutant(self.source.count("\n", 0, start) + 1, *span, start, end, text, change)
        for child in _bodies(node):
            yield from self._statement(child)

    def _edits(self, node: ast.stmt) -> Iterator[tuple[int, int, str, str]]:
        if _is_removable(node):
            yield self._edit(node, "pass", "removed")
        if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
            yield self._edit(node.value, "None", "returns None")
        for expression, is_condition in _expressions(node):
            yield from self._expression(expression, is_condition=is_condition)

    def _edit(self, node: ast.AST, text: str, change: str = "") -> tuple[int, int, str, str]:
        at: ast.expr = node  # type: ignore[assignment]
        start = self.starts[at.lineno - 1] + at.col_offset
        end = self.starts[(at.end_lineno or at.lineno) - 1] + (at.end_col_offset or 0)
        was = " ".join(self.source[start:end].split())
        return start, end, text, f"{was} {change}" if change else f"{was} -> {text}"

    def _expression(self, node: ast.AST, *, is_condition: bool = False) -> Iterator[tuple[int, int, str, str]]:
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            yield from self._text(node)
            return
        if is_condition and isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
            yield self._edit(node, f"(not {ast.unparse(node)})")
        for changed in _changed(node):
            yield self._edit(node, f"({ast.unparse(changed)})")
        yield from self._shorter(node)
        for child, condition in _parts(node):
            yield from self._expression(child, is_condition=condition)

    def _text(self, node: ast.expr) -> Iterator[tuple[int, int, str, str]]:
        start, end, _, _ = self._edit(node, "")
        written = self.source[start:end]
        if not _IS_SQL.search(written):
            empty = '"mutant"' if written == '""' else '""'
            yield self._edit(node, empty)
            return
        for pattern, new in _SQL:
            for found in re.finditer(pattern, written):
                old = found.group()
                swapped = found.expand(new) if new or not old.endswith("=") else old[:-1] + "<>"
                yield start + found.start(), start + found.end(), swapped, f"SQL {old.strip()!r} -> {swapped.strip()!r}"

    def _shorter(self, node: ast.AST) -> Iterator[tuple[int, int, str, str]]:
        if isinstance(node, ast.Tuple) and _is_names(node):
            for number, name in enumerate(node.elts):
                rest = ast.Tuple([other for at, other in enumerate(node.elts) if at != number], ast.Load())
                yield *self._edit(node, ast.unparse(rest))[:3], f"{ast.unparse(name)} left out"


def _line(node: ast.AST) -> int:
    return node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno  # type: ignore[attr-defined]


def _is_alias(node: ast.stmt) -> bool:
    """Tell whether a statement of a module names a type."""
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp) and _has_types(node.value)


def _has_types(node: ast.expr) -> bool:
    first = node.value if isinstance(node, ast.Subscript) else node.left if isinstance(node, ast.BinOp) else node
    return isinstance(first, ast.Name) and first.id[0].isupper() and not first.id.isupper()


def _is_removable(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Attribute | ast.Subscript)
    return isinstance(node, _REMOVED)


def _bodies(node: ast.stmt) -> Iterator[ast.stmt]:
    for name in ("body", "orelse", "finalbody"):
        yield from getattr(node, name, [])
    for part in (*getattr(node, "handlers", []), *getattr(node, "cases", [])):
        yield from part.body


def _expressions(node: ast.stmt) -> Iterator[tuple[ast.AST, bool]]:
    """Yield the expressions of a statement that run, and whether each is a condition."""
    match node:
        case ast.FunctionDef(args=args):
            yield from ((default, False) for default in (*args.defaults, *args.kw_defaults) if default is not None)
        case ast.If(test=test) | ast.While(test=test):
            yield test, True
        case ast.For(iter=each):
            yield each, False
        case ast.With(items=items):
            yield from ((item.context_expr, False) for item in items)
        case ast.Match(subject=subject, cases=cases):
            yield subject, False
            patterns = (found for case in cases for found in ast.walk(case.pattern) if isinstance(found, ast.MatchValue))
            yield from ((pattern.value, False) for pattern in patterns)
            yield from ((case.guard, True) for case in cases if case.guard is not None)
        case ast.Assign(value=value) | ast.AugAssign(value=value) | ast.Expr(value=value):
            yield value, False
        case ast.AnnAssign(value=value) | ast.Return(value=value) if value is not None:
            yield value, False
        case ast.Raise(exc=exc) if exc is not None:
            yield exc, False


def _parts(node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """Yield the children of an expression; no keys, no names of columns, no types."""
    match node:
        case ast.Dict(values=values):
            yield from ((value, False) for value in values)
        case ast.Subscript(value=value, slice=index):
            yield value, False
            if not isinstance(index, ast.Constant) or isinstance(index.value, int):
                yield index, False
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield from ((test, True), (body, False), (orelse, False))
        case ast.comprehension(iter=each, ifs=conditions):
            yield from ((each, False), *((condition, True) for condition in conditions))
        case ast.Tuple() if _is_names(node):
            return
        case ast.Lambda(body=body):
            yield body, False
        case _:
            is_logic = isinstance(node, ast.BoolOp)
            yield from ((child, is_logic) for child in ast.iter_child_nodes(node))


def _is_names(node: ast.Tuple) -> bool:
    texts = [element.value for element in node.elts if isinstance(element, ast.Constant)]
    return len(node.elts) >= 2 and len(texts) == len(node.elts) and all(isinstance(text, str) and text for text in texts)


def _changed(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Compare(ops=ops):
            for number, operator in enumerate(ops):
                changed = copy.deepcopy(node)
                changed.ops[number] = _COMPARE[type(operator)]()
                yield changed
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.BinOp(left=left, op=binary, right=right) if type(binary) in _ARITHMETIC:
            if not any(isinstance(side, _JOINED) for side in (left, right)):
                yield ast.BinOp(left, _ARITHMETIC[type(binary)](), right)
        case ast.Constant(value=bool() as truth):
            yield ast.Constant(not truth)
        case ast.Constant(value=int() | float() as number):
            yield ast.Constant(number + 1)
