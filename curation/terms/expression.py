"""Licence expressions: SPDX text into a small tree, its names written in one way.

    parse_license("mit or GPL-2.0 with Classpath-exception-2.0") == AnyOf((Name("MIT"), Name("GPL-2.0-only")))

A known exception only adds permissions, so it is left out; an unknown one makes the licence unknown. Text that is no
expression is one unknown name: nothing is guessed.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from curation.terms.licenses import find_license

MAX_LENGTH = 1000
"""Longest expression that is parsed, characters; a longer one is unknown."""


class Name(NamedTuple):
    """One licence, as the catalogue spells it if it is listed there."""

    text: str


class AllOf(NamedTuple):
    """Every part has to be kept to (AND)."""

    parts: "tuple[Expression, ...]"


class AnyOf(NamedTuple):
    """One part may be chosen (OR)."""

    parts: "tuple[Expression, ...]"


Expression: TypeAlias = Name | AllOf | AnyOf


@functools.lru_cache(maxsize=4096)
def parse_license(text: str) -> Expression:
    """Return the tree of a licence expression; never fails (see the module)."""
    flat = " ".join(text.split())
    listed = find_license(flat)
    if listed is not None:
        return Name(listed.name)
    if len(flat) > MAX_LENGTH:
        return Name(flat[:MAX_LENGTH])
    return _parse(flat) or Name(flat)


def _parse(text: str) -> Expression | None:
    import boolean  # type: ignore[import-untyped]
    import license_expression  # type: ignore[import-untyped]

    try:
        parsed = _licensing().parse(text)
        return None if parsed is None else _tree(parsed)
    except (license_expression.ExpressionError, license_expression.ExpressionParseError, boolean.ParseError):
        return None
    except (RecursionError, TypeError, ValueError, AttributeError, IndexError, KeyError):  # it was made for well-formed text
        return None


@functools.cache
def _licensing() -> Any:
    import license_expression

    return license_expression.get_spdx_licensing()


def _tree(node: Any) -> Expression:
    import license_expression

    if isinstance(node, license_expression.LicenseWithExceptionSymbol):
        known = _licensing().known_symbols.get(node.exception_symbol.key)
        if known is not None and known.is_exception:
            return _tree(node.license_symbol)
        return Name(str(node))
    if isinstance(node, license_expression.LicenseSymbol):
        listed = find_license(node.key)
        return Name(listed.name if listed else str(node.key))
    parts = tuple(sorted({_tree(part) for part in node.args}, key=repr))
    if len(parts) == 1:
        return parts[0]
    return AllOf(parts) if isinstance(node, license_expression.AND) else AnyOf(parts)


def names_in(expression: Expression) -> Iterator[str]:
    """Yield every licence name in an expression."""
    if isinstance(expression, Name):
        yield expression.text
    else:
        for part in expression.parts:
            yield from names_in(part)


def spell(expression: Expression, *, nested: bool = False) -> str:
    """Write an expression in one way, whatever its original spelling and order."""
    if isinstance(expression, Name):
        return expression.text
    joined = (" AND " if isinstance(expression, AllOf) else " OR ").join(spell(part, nested=True) for part in expression.parts)
    return f"({joined})" if nested else joined
