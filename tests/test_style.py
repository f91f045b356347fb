"""The rules of style that no linter knows: sizes, names, annotations, light imports, and a README that tells the truth."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import typer.main

ROOT = Path(__file__).parent.parent
PACKAGES = ("pipelines", "assets", "curation", "training", "evaluation")
FOLDERS = (*PACKAGES, "benchmarks", "tests")
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
WAITS = {"wait", "join", "communicate", "run", "result"}
CLOCKS = {"monotonic", "perf_counter", "process_time", "thread_time"}
HEAVY = ("torch", "great_expectations", "trl", "transformers", "peft", "datasets", "openai")
FILES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def functions_in(file: Path) -> Iterator[Function]:
    return (
        node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )


def parameters_of(function: Function) -> Iterator[ast.arg]:
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    is_method = bool(positional) and positional[0].arg in ("self", "cls")
    yield from positional[is_method:]
    yield from given.kwonlyargs
    yield from (argument for argument in (given.vararg, given.kwarg) if argument is not None)


def test_there_is_something_to_check() -> None:
    assert {file.relative_to(ROOT).parts[0] for file in FILES} >= {*PACKAGES, "tests"}


def test_files_are_short() -> None:
    sizes = {name_of(file): len(file.read_text().splitlines()) for file in FILES}
    assert {name: size for name, size in sizes.items() if size > MAX_FILE_LINES} == {}


def test_functions_are_short() -> None:
    sizes = {
        f"{name_of(file)}:{function.lineno} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for file in FILES
        for function in functions_in(file)
    }
    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION_LINES} == {}


def is_below(limit: ast.expr, seconds: float) -> bool:
    return isinstance(limit, ast.Constant) and isinstance(limit.value, (int, float)) and limit.value < seconds


def is_short_wait(node: ast.AST) -> bool:
    """Tell whether a call waits less than a minute for something, or a time that passed has to be under half a minute."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WAITS:
        return any(keyword.arg == "timeout" and is_below(keyword.value, 60) for keyword in node.keywords)
    if isinstance(node, ast.Compare) and isinstance(node.left, ast.BinOp) and isinstance(node.ops[0], ast.Lt):
        reads = {name.attr for name in ast.walk(node.left) if isinstance(name, ast.Attribute)}
        return bool(reads & CLOCKS) and is_below(node.comparators[0], 30)
    return False


def test_no_test_is_red_because_a_machine_is_slow() -> None:
    texts = {file: file.read_text() for file in FILES if file.relative_to(ROOT).parts[0] == "tests"}
    short = [
        f"{name_of(file)}:{node.lineno}"  # type: ignore[attr-defined]
        for file, text in texts.items()
        if any(word in text for word in ("timeout=", *CLOCKS))
        for node in ast.walk(ast.parse(text))
        if is_short_wait(node)
    ]
    assert short == []


def test_functions_of_the_packages_are_annotated() -> None:
    bare = [
        f"{name_of(file)}:{function.lineno} {function.name}"
        for file in FILES
        if file.relative_to(ROOT).parts[0] in PACKAGES
        for function in functions_in(file)
        if function.returns is None or any(argument.annotation is None for argument in parameters_of(function))
    ]
    assert bare == []


def test_annotations_are_not_postponed() -> None:
    """Dagster reads them when it looks for resources and config."""
    pattern = re.compile(r"^from __future__ import .*\bannotations\b", re.MULTILINE)
    assert [name_of(file) for file in FILES if pattern.search(file.read_text())] == []


def test_module_names_say_something() -> None:
    parts = {name_of(file): {*file.relative_to(ROOT).with_suffix("").parts} for file in FILES}
    assert [name for name, words in parts.items() if words & VAGUE_NAMES] == []


def test_every_module_says_what_it_is() -> None:
    silent = [
        name_of(file)
        for file in FILES
        if file.name != "__init__.py"
        and file.relative_to(ROOT).parts[0] in PACKAGES
        and not ast.get_docstring(ast.parse(file.read_bytes()))
    ]
    assert silent == []


def test_source_is_ascii() -> None:
    assert [
        name_of(file) for file in FILES if file.relative_to(ROOT).parts[0] in PACKAGES and not file.read_bytes().isascii()
    ] == []


def test_code_location_loads_without_heavy_libraries() -> None:
    code = f"import sys, pipelines.definitions; print(*[name for name in {HEAVY} if name in sys.modules])"
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def documents() -> str:
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return "\n".join(file.read_text() for file in files)


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", documents(), re.MULTILINE))
    assert {"demo", "dev", "test", "test-all", "lint"} <= named
    assert named - targets == set()


def commands() -> set[str]:
    from pipelines.cli import app

    found: set[str] = set()

    def visit(command: object, path: str) -> None:
        found.add(path)
        for name, child in getattr(command, "commands", {}).items():
            visit(child, f"{path} {name}".strip())

    visit(typer.main.get_command(app), "")
    return found


def test_commands_that_are_named_exist() -> None:
    known = commands()
    groups = {command.split()[0] for command in known if " " in command}
    named = set()
    for first, second in re.findall(r"(?:^|[`/])tunewright ([a-z-]+)(?: ([a-z-]+)\b)?", documents(), re.MULTILINE):
        named.add(f"{first} {second}".strip() if first in groups else first)
    assert {"run", "recipe check", "trace", "status"} <= named
    assert named - known == set()
