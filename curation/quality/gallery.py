"""The names that a suite may use: tables, expectation types, and the columns of the flat tables.

check_type("expect_column_values_to_be_uniqe")    ConfigError: ... did you mean expect_column_values_to_be_unique? ...
columns_of("documents")                           ("key", "source", "title", "kind", "text", ...)
"""

import difflib
import functools
import importlib.util
from pathlib import Path
from typing import Literal, get_args

from curation.errors import ConfigError

TableName = Literal[
    "documents",
    "demonstrations",
    "candidates",
    "curated_examples",
    "verified_examples",
    "sft_dataset",
    "eval_set",
    "preference_dataset",
    "unpaired_preferences",
]
TABLE_NAMES: tuple[TableName, ...] = get_args(TableName)

PROVENANCE_COLUMNS = (
    ("origin", "method", "teacher", "teacher_revision", "template_id", "generation_depth", "num_spans", "num_parents")
    + ("num_votes", "judge_score", "license", "output_terms", "terms_verdict", "created_at")
)  # fmt: skip
_ROW_COLUMNS = (
    ("key", "source", "has_odd_id", "task", "group", "split", "system", "prompt", "prompt_copy", "has_tools")
    + ("num_messages", "num_turns", "num_prompt_chars", "num_prompt_words", "num_tokens_estimate")
)  # fmt: skip
_ANSWER_COLUMNS = ("answer", "answer_ends_properly", "num_answer_chars", "num_answer_words")
DOCUMENT_COLUMNS = (
    ("key", "source", "has_odd_id", "title", "kind", "group", "text", "text_copy", "num_sections", "num_chars", "num_words")
    + ("num_tokens_estimate", "license", "output_terms")
)  # fmt: skip
EXAMPLE_COLUMNS = _ROW_COLUMNS + _ANSWER_COLUMNS + PROVENANCE_COLUMNS
UNPAIRED_COLUMNS = (*_ROW_COLUMNS, *_ANSWER_COLUMNS, "is_desirable", *PROVENANCE_COLUMNS)
PAIR_COLUMNS = (
    _ROW_COLUMNS
    + ("chosen", "rejected", "rejected_kind", "answer_ends_properly")
    + ("num_chosen_chars", "num_chosen_words", "num_rejected_chars", "num_rejected_words")
    + PROVENANCE_COLUMNS
)  # fmt: skip
OPTIONAL_COLUMNS = ("language",)
"""Columns that a table has only if the caller passes them in."""
_NEEDS_SQL = frozenset({"expect_query_results_to_match_comparison", "expect_table_row_count_to_equal_other_table"})


def columns_of(table: TableName) -> tuple[str, ...]:
    """Return the columns that a suite of this table may name, the optional ones last."""
    special = {"documents": DOCUMENT_COLUMNS, "preference_dataset": PAIR_COLUMNS, "unpaired_preferences": UNPAIRED_COLUMNS}
    return (*special.get(table, EXAMPLE_COLUMNS), *OPTIONAL_COLUMNS)


@functools.cache
def expectation_types() -> tuple[str, ...]:
    """Return the expectation types of the installed Great Expectations, from its file names: importing it takes seconds."""
    spec = importlib.util.find_spec("great_expectations")
    folders = spec.submodule_search_locations if spec is not None and spec.submodule_search_locations else []
    names = {path.stem for folder in folders for path in Path(folder).glob("expectations/core/expect_*.py")}
    return tuple(sorted(names - _NEEDS_SQL))


def check_type(name: str) -> None:
    """Raise a ConfigError that names the nearest valid type unless there is such an expectation."""
    _check_name(name, expectation_types(), "type", "is not an expectation")


def check_column(name: str, columns: tuple[str, ...], path: str) -> None:
    """Raise a ConfigError that names the nearest column unless the flat table has this one."""
    _check_name(name, columns, path, "is not a column of the table")


def _check_name(name: str, valid: tuple[str, ...], path: str, problem: str) -> None:
    if name in valid:
        return
    nearest = difflib.get_close_matches(name, valid, n=1, cutoff=0.0)
    raise ConfigError(path=path, problem=f"{problem}; did you mean {nearest[0]}?" if nearest else problem, value=name)
