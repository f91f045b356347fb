"""The names that a suite may use: expectation types and the columns of the flat tables.

check_type("expect_column_values_to_be_uniqe")    ConfigError: ... did you mean expect_column_values_to_be_unique? ...
"""

import difflib
import functools
import importlib.util
from pathlib import Path

from curation.errors import ConfigError

PROVENANCE_COLUMNS = (
    ("origin", "method", "teacher", "teacher_revision", "template_id", "generation_depth", "num_spans", "num_parents")
    + ("license", "output_terms")
)  # fmt: skip
EXAMPLE_COLUMNS = (
    ("key", "task", "group", "split", "system", "prompt", "answer", "num_messages", "num_prompt_chars", "num_answer_chars")
    + PROVENANCE_COLUMNS
)  # fmt: skip
PAIR_COLUMNS = (
    ("key", "task", "group", "split", "system", "prompt", "chosen", "rejected", "rejected_kind", "num_messages")
    + ("num_prompt_chars", "num_chosen_chars", "num_rejected_chars")
    + PROVENANCE_COLUMNS
)  # fmt: skip
_NEEDS_SQL = frozenset({"expect_query_results_to_match_comparison", "expect_table_row_count_to_equal_other_table"})


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
