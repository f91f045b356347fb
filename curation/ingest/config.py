"""Where raw data comes from: one `SourceConfig` a source of the recipe.

sources:
  - {name: polars_api, kind: python_package, package: polars, shards: 4, license: MIT}
  - {name: handbook, kind: files, path: "docs/**/*.md"}
  - {name: tickets, kind: files, role: demonstrations, path: "s3://bucket/tickets/*.jsonl.zst"}
  - {name: faq, kind: files, role: demonstrations, path: "faq/**/*.xml", record_path: QAPair}
  - {name: crm, kind: sql, role: demonstrations, url_env: CRM_URL, query: "SELECT id, question, answer FROM faq ORDER BY id"}
  - {name: math, kind: huggingface, role: demonstrations, dataset: openai/gsm8k, config: main, split: train}
"""

import codecs
import re
from typing import Literal, get_args

from curation.config import check, config
from curation.ingest.shapes.config import ShapeConfig

MAX_SHARDS = 1024
FormatName = Literal[
    "json", "jsonl", "csv", "tsv", "parquet", "arrow", "xml", "html", "markdown", "rst", "text", "pdf", "docx"
]  # fmt: skip
RECORD_FORMATS = ("json", "jsonl", "csv", "tsv", "parquet", "arrow", "xml")
"""Formats that hold rows; the others hold one document a file."""
TEXT_FORMATS = ("json", "jsonl", "csv", "tsv", "xml", "html", "markdown", "rst", "text")
"""Formats that have a character encoding."""
RECORD_PATH_FORMATS = ("json", "xml")
_FIELDS_OF_KIND = {
    "python_package": ("package",),
    "files": ("path", "format", "encoding", "delimiter", "record_path"),
    "sql": ("url", "url_env", "password_env", "query"),
    "huggingface": ("dataset", "config", "split", "revision"),
}
"""Fields that have an effect for one kind of source only."""


@config
class SourceConfig:
    """One source of documents or demonstrations."""

    name: str
    """Short name, lower-case letters, digits, `_` and `-`; the first part of every record key of this source."""

    kind: Literal["python_package", "files", "sql", "huggingface"]
    """`python_package`: signatures and docstrings of an installed package. `files`: files of any known format. `sql`: the
    rows of a query. `huggingface`: the rows of a data set, by name or local folder."""

    role: Literal["documents", "demonstrations"] = "documents"
    """`documents` are text to learn from and to ask about; `demonstrations` are finished conversations written by people."""

    package: str = ""
    """Importable name of the package (kind `python_package`)."""

    path: str = ""
    """File, folder or glob, local or any fsspec URL (kind `files`). A folder means every file below it."""

    format: FormatName | Literal[""] = ""
    """Format of every file (kind `files`). Empty: by the suffix of each file; `.json` by what it holds."""

    encoding: str = ""
    """Character encoding of every text file, such as `cp1252`. Empty: UTF-8, what a byte order mark says, or what is
    detected beyond doubt; the report of the source says which."""

    delimiter: str = ""
    """What stands between the cells of a CSV file. Empty: `,` unless the head of the file is cut clearly by `;`, tab or `|`."""

    record_path: str = ""
    """Where the records are: in XML the element of one record, `QAPair` or `QAPairs/QAPair`; in JSON the keys down to the
    list, `data` or `result/items`. Empty: the one repeated element, the one list of objects."""

    url: str = ""
    """SQLAlchemy URL without a password, such as `postgresql+psycopg://reader@db/crm` (kind `sql`)."""

    url_env: str = ""
    """Environment variable that holds the whole URL, password included (kind `sql`, instead of `url`)."""

    password_env: str = ""
    """Environment variable that holds the password for `url` (kind `sql`)."""

    query: str = ""
    """One SELECT statement (kind `sql`). Give it an ORDER BY, or a key column, so that its rows keep their names."""

    dataset: str = ""
    """Name of a Hugging Face data set, or the path of a local one (kind `huggingface`)."""

    config: str = ""
    """Configuration of the data set. Empty: its only or default one."""

    split: str = "train"
    """Split of the data set (kind `huggingface`)."""

    revision: str = ""
    """Branch, tag or commit of the data set. Give a commit, and nothing changes under you."""

    shards: int = 1
    """Number of partitions that the source is cut into by a stable hash of the path or of the object's name."""

    license: str = ""
    """Licence of the source, copied into every row made from it."""

    license_url: str = ""
    """Where the licence stands."""

    origin: Literal["human", "synthetic"] = "human"
    """Who wrote the rows: people, or a model."""

    output_terms: str = ""
    """What may be done with text made from this source, copied into every row."""

    task: str = "demonstration"
    """Task name of the examples (role `demonstrations`)."""

    key_column: str = "id"
    """Column that names a row of a table or JSONL file; rows without it are named by their number."""

    group_column: str = ""
    """Column with the split group of a row (customer, thread). Empty: the key, or else the hash of the row."""

    date_column: str = ""
    """Column that says when a row was written (ISO 8601, a date of the table, or seconds since 1970)."""

    text_columns: tuple[str, ...] = ()
    """Columns that make up a document's text. Empty: `text`, `content` or `body` if there is one, else all text columns."""

    messages_column: str = "messages"
    """Column with a whole conversation, a list of `{role, content}`; rows without it use question and answer."""

    question_column: str = "question"
    """Column with the user's message of a demonstration."""

    answer_column: str = "answer"
    """Column with the assistant's message of a demonstration."""

    shape: ShapeConfig = ShapeConfig()
    """How rows become records; without it the shape is detected."""

    def __post_init__(self) -> None:
        check(
            re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", self.name) is not None,
            "name",
            "must be a slug such as polars_api",
            self.name,
        )
        check(1 <= self.shards <= MAX_SHARDS, "shards", f"must lie in 1..{MAX_SHARDS}", self.shards)
        self._check_kind()
        self._check_role()
        check(not self.license_url or "://" in self.license_url, "license_url", "must be a URL", self.license_url)

    def _check_kind(self) -> None:
        for kind, names in _FIELDS_OF_KIND.items():
            for name in names if kind != self.kind else ():
                value = getattr(self, name)
                default = "train" if name == "split" else ""
                check(value == default, name, f"has no effect for kind '{self.kind}'", value)
        {
            "python_package": self._check_package,
            "files": self._check_files,
            "sql": self._check_sql,
            "huggingface": self._check_huggingface,
        }[self.kind]()

    def _check_role(self) -> None:
        check(self.role == "documents" or self.task.strip() != "", "task", "must not be empty", self.task)
        names = (self.messages_column, self.question_column, self.answer_column)
        check(self.role == "documents" or all(names), "question_column", "column names must not be empty", self.question_column)
        both = self.role == "demonstrations" and self.text_columns != ()
        check(not both, "text_columns", "has no effect for role 'demonstrations'", self.text_columns)
        dateless = self.role == "documents" and self.date_column != ""
        check(not dateless, "date_column", "has no effect for role 'documents': documents carry no date", self.date_column)
        prose = self.role == "demonstrations" and self.format in set(get_args(FormatName)) - set(RECORD_FORMATS)
        check(not prose, "format", "holds documents, not rows, and cannot have the role 'demonstrations'", self.format)

    def _check_package(self) -> None:
        parts = self.package.split(".")
        valid = all(part.isidentifier() for part in parts)
        check(valid, "package", "must be the importable name of a package for kind 'python_package'", self.package)
        check(self.role == "documents", "role", "must be 'documents' for kind 'python_package'", self.role)
        check(self.origin == "human", "origin", "must be 'human' for kind 'python_package'", self.origin)

    def _check_files(self) -> None:
        check(self.path.strip() != "", "path", "is required for kind 'files'", self.path)
        if self.encoding:
            check(_is_encoding(self.encoding), "encoding", "is not a text encoding that Python knows", self.encoding)
            texts = self.format in ("", *TEXT_FORMATS)
            check(texts, "encoding", f"has no effect for format '{self.format}'", self.encoding)
        if self.record_path:
            holds = self.format in ("", *RECORD_PATH_FORMATS)
            check(holds, "record_path", f"has no effect for format '{self.format}'", self.record_path)
            plain = all(part and part.strip() == part for part in self.record_path.split("/"))
            check(plain, "record_path", "must be names with '/' between them", self.record_path)
        if self.delimiter:
            one = len(self.delimiter) == 1 and self.delimiter not in '"\r\n' and self.delimiter.isascii()
            check(one, "delimiter", "must be one ASCII character other than a quote or a line end", self.delimiter)
            holds = self.format in ("", "csv")
            check(holds, "delimiter", f"has no effect for format '{self.format}'", self.delimiter)

    def _check_sql(self) -> None:
        check(
            (self.url == "") != (self.url_env == ""),
            "url",
            "exactly one of url and url_env is required for kind 'sql'",
            self.url,
        )
        for name in ("url_env", "password_env"):
            value = getattr(self, name)
            check(not value or value.isidentifier(), name, "must be the name of an environment variable", value)
        check(not (self.url_env and self.password_env), "password_env", "has no effect beside url_env", self.password_env)
        check(not self.url or "://" in self.url, "url", "must be a SQLAlchemy URL such as sqlite:///crm.db", self.url)
        secret = re.search(r"^[^/]*://[^/@]*:[^/@]+@|[?&](password|passwd|pwd)=", self.url) is not None
        check(not secret, "url", "must not hold a password; name its variable in password_env, or use url_env", "(not shown)")
        reads = re.match(r"\s*(select|with|values|table)\b", self.query, re.IGNORECASE) is not None
        check(reads, "query", "must be one SELECT statement for kind 'sql'", self.query)
        single = ";" not in self.query.strip().rstrip(";")
        check(single, "query", "must be one statement, without ';'", self.query)

    def _check_huggingface(self) -> None:
        check(self.dataset.strip() != "", "dataset", "is required for kind 'huggingface'", self.dataset)
        check(self.split.strip() != "", "split", "must not be empty", self.split)


def _is_encoding(name: str) -> bool:
    try:
        return bool("".encode(name).decode(name) == "" and codecs.lookup(name).name)
    except (LookupError, ValueError, TypeError):
        return False
