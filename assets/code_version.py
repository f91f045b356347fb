"""The code version of an asset: a hash of the domain code that it runs, comments and docstrings left out.

    code_version("curation.filters.curate")    # changes when that module, or one that it imports, changes

The hash covers the module, every first-party module that it imports (found by reading the syntax tree, nothing is
executed), and the templates, scripts, styles and word lists in folders beside it that it names (for a package: all in it), so
an edited template counts and an edited comment does not. A table of prices does not: a reply is stored with what it cost.
"""

import ast
import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from curation.ids import content_hash, hash_bytes

OWN_PACKAGES = ("curation", "training", "evaluation")
TEMPLATE_SUFFIXES = (".sql", ".j2", ".html", ".mako", ".css", ".js", ".txt")


@functools.cache
def code_version(*modules: str, leaves: tuple[str, ...] = ()) -> str:
    """Return one hash over modules and all first-party modules that they import.

    Args:
        modules: what runs.
        leaves: modules that count without what they import: they choose one of many things, and `modules` names that one.

    Raises:
        ModuleNotFoundError: if a module does not exist.
    """
    return content_hash(modules_behind(*modules, leaves=leaves))[:16]


def modules_behind(*modules: str, leaves: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the hash of each module that `code_version` covers. Raises ModuleNotFoundError."""
    pending, hashes = [*modules, *leaves], dict[str, str]()
    while pending:
        module = pending.pop()
        if module not in hashes:
            hashes[module], imports = _read_module(module)
            pending.extend(() if module in leaves else imports)
    return hashes


@functools.cache
def _read_module(module: str) -> tuple[str, tuple[str, ...]]:
    path = _path_of(module)
    tree = ast.parse(path.read_bytes())
    nodes = list(ast.walk(tree))  # once: this is most of what loading the definitions takes
    docstrings = _drop_docstrings(nodes)
    constants = [node for node in nodes if isinstance(node, ast.Constant) and node not in docstrings]
    texts = {node.value for node in constants if isinstance(node.value, str)}
    return content_hash([ast.dump(tree), _templates_beside(path, texts)]), tuple(_own_imports(nodes))


def _path_of(module: str) -> Path:
    path = _find(module)
    if path is None:
        raise ModuleNotFoundError(f"no module named {module!r}")
    return path


def _find(module: str) -> Path | None:
    """Return the file of a module, or None. `find_spec` of a dotted name would import the packages above it."""
    top, *inner = module.split(".")
    spec = importlib.util.find_spec(top)
    places = list(spec.submodule_search_locations or []) if spec else []
    for place in (Path(folder, *inner) for folder in places):
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                return file
    return None


def _own_imports(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in OWN_PACKAGES and _find(name))


def _drop_docstrings(nodes: list[ast.AST]) -> set[ast.AST]:
    """Take the docstrings out of the tree, and return them."""
    dropped: set[ast.AST] = set()
    for node in nodes:
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            dropped |= {statement.value for statement in node.body if _is_docstring(statement)}
            node.body = [statement for statement in node.body if not _is_docstring(statement)] or [ast.Pass()]
    return dropped


def _is_docstring(statement: ast.stmt) -> TypeGuard[ast.Expr]:
    return (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
    )


def _templates_beside(path: Path, named: set[str]) -> dict[str, str]:
    is_package = path.name == "__init__.py"
    places = [place for place in path.parent.iterdir() if is_package or place.name in named]
    found = {file for place in places for file in (place, *place.rglob("*"))}
    files = sorted(file for file in found if file.suffix in TEMPLATE_SUFFIXES and file.is_file())
    return {str(file.relative_to(path.parent)): hash_bytes(file.read_bytes()) for file in files}
