"""The code version of an asset: a hash of the domain code that it runs, comments and docstrings left out.

    code_version("curation.filters.curate")    # changes when that module, or one that it imports, changes

The hash covers the module, every first-party module that it imports (found by reading the syntax tree, nothing is
executed), and the `.sql`, `.j2`, `.html` and `.mako` files in folders beside it that it names (for a package: all in it), so an
edited template counts and an edited comment does not.
"""

import ast
import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from curation.ids import content_hash, hash_bytes

OWN_PACKAGES = ("curation", "training", "evaluation")
TEMPLATE_SUFFIXES = (".sql", ".j2", ".html", ".mako")


@functools.cache
def code_version(*modules: str) -> str:
    """Return one hash over modules and all first-party modules that they import.

    Raises:
        ModuleNotFoundError: if a module does not exist.
    """
    pending, hashes = list(modules), dict[str, str]()
    while pending:
        module = pending.pop()
        if module not in hashes:
            hashes[module], imports = _read_module(module)
            pending.extend(imports)
    return content_hash(hashes)[:16]


@functools.cache
def _read_module(module: str) -> tuple[str, tuple[str, ...]]:
    path = _path_of(module)
    tree = ast.parse(path.read_bytes())
    imports = tuple(_own_imports(tree))
    return content_hash([_code_text(tree), _templates_beside(path, tree)]), imports


def _path_of(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module named {module!r}")
    return Path(spec.origin)


def _own_imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in OWN_PACKAGES and _is_module(name))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _code_text(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [statement for statement in node.body if not _is_docstring(statement)] or [ast.Pass()]
    return ast.dump(tree)


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
    )


def _templates_beside(path: Path, tree: ast.Module) -> dict[str, str]:
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    is_package = path.name == "__init__.py"
    places = [place for place in path.parent.iterdir() if is_package or place.name in named]
    found = {file for place in places for file in (place, *place.rglob("*"))}
    files = sorted(file for file in found if file.suffix in TEMPLATE_SUFFIXES and file.is_file())
    return {str(file.relative_to(path.parent)): hash_bytes(file.read_bytes()) for file in files}
