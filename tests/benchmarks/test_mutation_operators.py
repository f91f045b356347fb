"""The faults that are put into modules: each is one edit, leaves a module that Python reads, and changes what it says."""

import ast
from pathlib import Path

import pytest

from benchmarks.mutation import MODULES, ROOT
from benchmarks.mutation_operators import list_mutants


def changes(source: str) -> list[str]:
    return [mutant.apply(source).strip() for mutant in list_mutants(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", {"x = (a <= b)"}),
        ("x = a <= b < c", {"x = (a < b < c)", "x = (a <= b <= c)"}),
        ("x = a and not b", {"x = (a or not b)", "x = a and (b)", "x = (not a) and not b"}),
        ("x = y + 1", {"x = (y - 1)", "x = y + (2)"}),
        ("x = f(True, 'a', '')", {"x = f((False), 'a', '')", "x = f(True, \"\", '')", "x = f(True, 'a', \"\")"}),
        ("f(x)", {"pass"}),
        ("x.y = z", {"pass"}),
        ("x = z", set()),
        ("x = {'a': b['c']}", set()),
        ("x = ('a', 'b')", {"x = ('b',)", "x = ('a',)"}),
        ("x: int = 3", {"x: int = (4)"}),
        ('"""Says."""', set()),
        ("Kind = Literal['a', 'b']", set()),
        ("x = [y for y in z if y]", {"x = [y for y in z if (not y)]"}),
        ("x = 'WHERE a > 0 AND b'", {"x = 'WHERE a >= 0 AND b'", "x = 'WHERE a > 1 AND b'", "x = 'WHERE a > 0 OR b'"}),
        ("x = f'WHERE {a} AND {b}'", {"x = f'WHERE {a} OR {b}'"}),
    ],
)
def test_each_kind_of_fault(source: str, expected: set[str]) -> None:
    assert set(changes(source)) >= expected
    assert bool(changes(source)) == bool(expected)


def test_a_returned_value_and_a_raise_are_lost_and_a_condition_is_turned() -> None:
    source = "def f(x):\n    if x:\n        raise KeyError\n    return x\n"
    found = changes(source)
    assert "def f(x):\n    if (not x):\n        raise KeyError\n    return x" in found
    assert "def f(x):\n    if x:\n        pass\n    return x" in found
    assert "def f(x):\n    if x:\n        raise KeyError\n    return None" in found
    assert [(mutant.line, mutant.first, mutant.last) for mutant in list_mutants(source)] == [(2, 2, 2), (3, 3, 3), (4, 4, 4)]


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_every_mutant_of_the_review_queue_is_another_program(module: str) -> None:
    source = (Path(ROOT) / module).read_text()
    tree = ast.dump(ast.parse(source))
    mutants = list_mutants(source)
    assert len(mutants) > 5
    for mutant in mutants[::7]:
        assert ast.dump(ast.parse(mutant.apply(source))) != tree, mutant
