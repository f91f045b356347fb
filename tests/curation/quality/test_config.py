"""Suites are checked when the recipe is read, without importing Great Expectations."""

import re
import subprocess
import sys

import pytest

from curation.errors import ConfigError
from curation.quality.config import TABLE_NAMES, ExpectationConfig, QualityConfig
from curation.quality.suites import expectation_names

UNIQUE = "expect_column_values_to_be_unique"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "expect_column_values_to_be_uniqe", "column": "key"}, f"did you mean {UNIQUE}"),
        ({"type": UNIQUE}, "is required"),
        ({"type": UNIQUE, "column": "key", "args": {"severity": "info"}}, "must not set severity"),
    ],
)
def test_wrong_expectations_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ExpectationConfig(**fields)


def test_unknown_columns_tables_and_repetitions_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean answer"):
        QualityConfig(suites={"sft_dataset": (ExpectationConfig(type=UNIQUE, column="anser"),)})
    with pytest.raises(ConfigError, match="did you mean chosen"):
        QualityConfig(suites={"preference_dataset": (ExpectationConfig(type=UNIQUE, column="chosn"),)})
    pair = ExpectationConfig(type="expect_column_pair_values_to_be_equal", args={"column_A": "prompt", "column_B": "nope"})
    with pytest.raises(ConfigError, match="nope"):
        QualityConfig(suites={"sft_dataset": (pair,)})
    with pytest.raises(ConfigError, match="knows only"):
        QualityConfig(suites={"sft": ()})  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match="twice"):
        QualityConfig(suites={"sft_dataset": (ExpectationConfig(type=UNIQUE, column="key"),) * 2})


def test_names_are_unique_and_fit_for_asset_checks() -> None:
    for table in TABLE_NAMES:
        names = expectation_names(QualityConfig().suite(table))
        assert len(set(names)) == len(names) > 3
        assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in names)


def test_names_survive_reordering_and_a_row_count_is_always_there() -> None:
    one = ExpectationConfig(type=UNIQUE, column="key")
    two = ExpectationConfig(type=UNIQUE, column="key", severity="info")
    other = ExpectationConfig(type=UNIQUE, column="prompt")
    names = expectation_names((one, two, other))
    assert names[0] == "expect_table_row_count_to_be_between"
    assert names[3] == f"{UNIQUE}__prompt"
    assert set(expectation_names((other, two, one))) == set(names)
    assert expectation_names(()) == ()
    assert QualityConfig(suites={}).suite("sft_dataset") == ()


def test_names_do_not_import_great_expectations() -> None:
    program = (
        "import sys; from curation.quality.config import QualityConfig; from curation.quality.suites import expectation_names;"
        "assert expectation_names(QualityConfig().suite('sft_dataset'));"
        "print('great_expectations' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
