"""What cannot be evaluated is told from what is violated; and Great Expectations stays silent, offline and off the disk."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from curation.quality.config import ExpectationConfig, QualityConfig
from curation.quality.suites import run_suite

TABLE = pa.table(
    {"key": ["a", "b"], "text": ["x", "x"], "number": [1.0, float("nan")], "nothing": pa.array([None, None], pa.string())}
)


def _status(kind: str, column: str | None = None, table: pa.Table = TABLE, **args: object) -> str:
    return run_suite((ExpectationConfig(type=kind, column=column, args=args),), table)[-1].status


@pytest.mark.parametrize(
    ("kind", "column", "args"),
    [
        ("expect_column_values_to_be_unique", "nope", {}),
        ("expect_column_mean_to_be_between", "nope", {"min_value": 0}),
        ("expect_column_mean_to_be_between", "text", {"min_value": 0}),
        ("expect_compound_columns_to_be_unique", None, {"column_list": ["text", "nope"]}),
        ("expect_column_pair_values_to_be_equal", None, {"column_A": "text", "column_B": "nope"}),
        ("expect_column_values_to_match_regex", "text", {"regex": "("}),
        ("expect_column_values_to_match_regex", "number", {"regex": "["}),
        ("expect_column_values_to_be_between", "text", {"min_value": 1}),
    ],
)
def test_missing_columns_bad_regexes_and_wrong_types_are_errors(kind: str, column: str | None, args: dict[str, object]) -> None:
    assert _status(kind, column, **args) == "errored"


@pytest.mark.parametrize(
    ("kind", "column", "args"),
    [
        ("expect_column_values_to_be_unique", "text", {}),
        ("expect_column_values_to_not_be_null", "nothing", {}),
        ("expect_compound_columns_to_be_unique", None, {"column_list": ["text", "nothing"]}),
        ("expect_column_to_exist", "nope", {}),
        ("expect_column_values_to_match_regex", "text", {"regex": "y"}),
        ("expect_table_row_count_to_equal", None, {"value": 3}),
    ],
)
def test_what_is_violated_is_no_error(kind: str, column: str | None, args: dict[str, object]) -> None:
    assert _status(kind, column, **args) == "violated"


@pytest.mark.parametrize("args", [{"max_value": 10}, {"min_value": 0}, {}])
def test_an_empty_table_fails_whatever_the_suite_says_about_rows(args: dict[str, int]) -> None:
    suite = (ExpectationConfig(type="expect_table_row_count_to_be_between", args=args),)
    assert [outcome.status for outcome in run_suite(suite, TABLE.slice(0, 0))][0] == "violated"
    unrelated = (ExpectationConfig(type="expect_column_values_to_not_be_null", column="text"),)
    assert [outcome.status for outcome in run_suite(unrelated, TABLE.slice(0, 0))] == ["violated", "passed"]


@pytest.mark.parametrize("table", QualityConfig().suites)
def test_empty_tables_fail_every_default_suite(table: str) -> None:
    from curation.quality.flatten import flatten_table, record_class
    from curation.tables import schema_of

    empty = flatten_table(table, schema_of(record_class(table)).empty_table())  # type: ignore[arg-type]
    outcomes = run_suite(QualityConfig().suite(table), empty)
    assert outcomes[0].status == "violated"
    assert [outcome.name for outcome in outcomes if outcome.errored] == []


PROGRAM = """
import os, socket, sys, tempfile
def refuse_folder(*arguments, **named):
    print("FOLDER", arguments); raise OSError("no folder here")
tempfile.mkdtemp = refuse_folder
def refuse(*arguments, **named):
    print("NETWORK", arguments); raise OSError("no network here")
socket.socket.connect = refuse; socket.getaddrinfo = refuse
import pyarrow as pa
from curation.quality.config import ExpectationConfig
from curation.quality.suites import run_suite
suite = (ExpectationConfig(type="expect_column_values_to_be_unique", column="key"),)
outcomes = run_suite(suite, pa.table({"key": ["a"] * 2000}))
assert [outcome.num_failing for outcome in outcomes] == [0, 2000], outcomes
"""


@pytest.mark.slow
def test_nothing_is_printed_written_or_sent(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    home, work, temporary = (tmp_path / name for name in ("home", "work", "temporary"))
    for folder in (home, work, temporary):
        folder.mkdir()
    environment = {
        "PYTHONPATH": str(root),
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "GX_ANALYTICS_ENABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
