"""Where raw data comes from: one `SourceConfig` a source of the recipe.

sources:
  - {name: polars_api, kind: python_package, package: polars, shards: 4, license: MIT}
  - {name: handbook, kind: files, path: "docs/**/*.md"}
  - {name: tickets, kind: files, role: demonstrations, path: "s3://bucket/tickets/*.jsonl"}
"""

import re
from typing import Literal

from curation.config import check, config

MAX_SHARDS = 1024


@config
class SourceConfig:
    """One source of documents or demonstrations."""

    name: str
    """Short name, lower-case letters, digits, `_` and `-`; the first part of every record key of this source."""

    kind: Literal["python_package", "files"]
    """`python_package`: signatures and docstrings of an installed package. `files`: Markdown, text, JSONL, CSV, Parquet."""

    role: Literal["documents", "demonstrations"] = "documents"
    """`documents` are text to learn from and to ask about; `demonstrations` are finished conversations written by people."""

    package: str = ""
    """Importable name of the package (kind `python_package`)."""

    path: str = ""
    """File, folder or glob, local or any fsspec URL (kind `files`). A folder means every file below it."""

    shards: int = 1
    """Number of partitions that the source is cut into by a stable hash of the path or of the object's name."""

    license: str = ""
    """Licence of the source, copied into every row made from it."""

    output_terms: str = ""
    """What may be done with text made from this source, copied into every row."""

    task: str = "demonstration"
    """Task name of the examples (role `demonstrations`)."""

    key_column: str = "id"
    """Column that names a row of a table or JSONL file; rows without it are named by their number."""

    group_column: str = ""
    """Column with the split group of a row (customer, thread). Empty: the key, or else the hash of the row."""

    text_columns: tuple[str, ...] = ()
    """Columns that make up a document's text. Empty: `text`, `content` or `body` if there is one, else all text columns."""

    messages_column: str = "messages"
    """Column with a whole conversation, a list of `{role, content}`; rows without it use question and answer."""

    question_column: str = "question"
    """Column with the user's message of a demonstration."""

    answer_column: str = "answer"
    """Column with the assistant's message of a demonstration."""

    def __post_init__(self) -> None:
        check(
            re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", self.name) is not None,
            "name",
            "must be a slug such as polars_api",
            self.name,
        )
        check(1 <= self.shards <= MAX_SHARDS, "shards", f"must lie in 1..{MAX_SHARDS}", self.shards)
        if self.kind == "python_package":
            self._check_package()
        else:
            check(self.path.strip() != "", "path", "is required for kind 'files'", self.path)
            check(self.package == "", "package", "has no effect for kind 'files'", self.package)
        check(self.role == "documents" or self.task.strip() != "", "task", "must not be empty", self.task)
        names = (self.messages_column, self.question_column, self.answer_column)
        check(self.role == "documents" or all(names), "question_column", "column names must not be empty", self.question_column)
        both = self.role == "demonstrations" and self.text_columns != ()
        check(not both, "text_columns", "has no effect for role 'demonstrations'", self.text_columns)

    def _check_package(self) -> None:
        parts = self.package.split(".")
        valid = all(part.isidentifier() for part in parts)
        check(valid, "package", "must be the importable name of a package for kind 'python_package'", self.package)
        check(self.path == "", "path", "has no effect for kind 'python_package'", self.path)
        check(self.role == "documents", "role", "must be 'documents' for kind 'python_package'", self.role)
