r"""Templates of task files, in a sandbox: from a document to its question, its choices and its answer.

template = Templates(task)
template.text({"question": "2 + 2?"})            "Question: 2 + 2?\nAnswer:"
template.choices(document)                       ["3", "4"]
template.target(document)                        1, or "4", or ["4", "four"]

A field is the name of a column, or a Jinja template with the filter `regex_replace`. A template can call nothing that
changes anything, and what it raises concerns its document only (`DocumentError`).
"""

import ast
from collections.abc import Sequence
from typing import Any

import jinja2
import jinja2.sandbox
import regex

from evaluation.harness_tasks.documents import Document
from evaluation.harness_tasks.task_file import HarnessTask

REGEX_SECONDS = 2.0
MAX_CHARACTERS = 1_000_000


class DocumentError(Exception):
    """A document that the task cannot be asked about."""


class Templates:
    """The fields of a task, ready to be filled in. Few-shot examples may have fields of their own."""

    def __init__(self, task: HarnessTask, columns: Sequence[str]) -> None:
        self._task = task
        self._columns = frozenset(columns)
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
        environment.filters["regex_replace"] = _replace
        self._environment = environment
        self._compiled: dict[str, jinja2.Template] = {}

    def render(self, field: str, document: Document) -> Any:
        """Return a column, or a filled-in template. Raises DocumentError."""
        if field in self._columns:
            if field not in document:
                raise DocumentError(f"it has no column {field!r}")
            return document[field]
        try:
            if field not in self._compiled:
                self._compiled[field] = self._environment.from_string(field)
            text = self._compiled[field].render(**document)
        except Exception as error:  # templates raise what they like
            raise DocumentError(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error
        if len(text) > MAX_CHARACTERS:
            raise DocumentError(f"its text has {len(text)} characters")
        return text

    def text(self, document: Document, *, is_shot: bool = False) -> str:
        """Return the question. Raises DocumentError."""
        text = self.render(str(self._field("doc_to_text", is_shot)), document)
        if not isinstance(text, str) or (text.isdigit() and self._task.doc_to_choice is not None):
            raise DocumentError("its question is the number of a choice, which only the harness itself reads")
        return text

    def choices(self, document: Document, *, is_shot: bool = False) -> list[str] | None:
        """Return the choices; None for tasks without. Raises DocumentError."""
        field = self._field("doc_to_choice", is_shot)
        if field is None:
            return None
        if isinstance(field, str):
            value = self.render(field, document)
            field = _literal(value) if field not in self._columns else value
        if isinstance(field, dict):
            field = list(field.values())
        if not isinstance(field, (list, tuple)) or not field or not all(isinstance(choice, str) for choice in field):
            raise DocumentError(f"its choices are no list of texts: {field!r:.80}")
        return list(field)

    def target(self, document: Document, *, is_shot: bool = False) -> int | str | list[Any]:
        """Return the answer: a text, several, or the number of a choice. Raises DocumentError."""
        field = self._field("doc_to_target", is_shot)
        if isinstance(field, (int, list)):
            return field
        value = self.render(str(field), document)
        if field in self._columns:
            return value if isinstance(value, (int, str, list)) else str(value)
        if value.isdigit() and self._task.doc_to_choice is not None:
            return int(value)
        if len(value) >= 2 and value[0] == "[" and value[-1] == "]":
            try:
                return list(ast.literal_eval(value))
            except (SyntaxError, ValueError, MemoryError, RecursionError):
                return str(value)
        return str(value)

    def prefix(self, document: Document, *, is_shot: bool = False) -> str:
        """Return what the answer begins with; empty for most tasks. Raises DocumentError."""
        field = self._field("gen_prefix", is_shot)
        return str(self.render(str(field), document)) if field else ""

    def description(self, document: Document) -> str:
        """Return what stands in front of everything. Raises DocumentError."""
        field = self._task.description
        return str(self.render(field, document)) if field else ""

    def _field(self, name: str, is_shot: bool) -> Any:
        own = self._task.fewshot_config.get(name) if is_shot else None
        return own if own is not None else getattr(self._task, name)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise DocumentError(f"its choices are no list: {text[:80]!r}") from error


def _replace(text: str, pattern: str, replacement: str, count: int = 0) -> str:
    return str(regex.sub(pattern, replacement, text, count=count, timeout=REGEX_SECONDS))
