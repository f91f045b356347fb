"""Data quality: which Great Expectations run on which table, as native asset checks.

quality:
  suites:
    sft_dataset:
      - {type: expect_column_values_to_not_be_null, column: answer}
      - {type: expect_table_row_count_to_be_between, args: {min_value: 100}, severity: warning}
"""

from dataclasses import field
from typing import Any, Literal, get_args

from curation.config import as_plain, check, config
from curation.ids import canonical_json
from curation.quality.gallery import EXAMPLE_COLUMNS, PAIR_COLUMNS, check_column, check_type

Severity = Literal["critical", "warning", "info"]
TableName = Literal["curated_examples", "verified_examples", "sft_dataset", "preference_dataset"]
TABLE_NAMES: tuple[TableName, ...] = get_args(TableName)


@config
class ExpectationConfig:
    """One expectation, which becomes one asset check."""

    type: str
    """Name as in the Great Expectations gallery, for example `expect_column_values_to_be_unique`."""

    column: str | None = None
    """Column of the flattened table (see `curation.quality.flatten`); leave out for table expectations."""

    severity: Severity = "critical"
    """`critical` blocks what follows, `warning` warns, `info` is only recorded."""

    args: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the expectation, such as `min_value` or `mostly`."""

    def __post_init__(self) -> None:
        check_type(self.type)
        reserved = sorted({"column", "severity", "meta"} & set(self.args))
        check(not reserved, "args", f"must not set {', '.join(reserved)}", self.args)
        wants_column = self.type.startswith(("expect_column_values_", "expect_column_value_"))
        check(not wants_column or self.column is not None, "column", f"is required by {self.type}", self.column)

    def columns(self) -> tuple[str, ...]:
        """Return the columns that it reads: `column` and the column arguments of pair and multi-column expectations."""
        found = [self.column] if self.column is not None else []
        found += [self.args[name] for name in ("column_A", "column_B") if isinstance(self.args.get(name), str)]
        listed = self.args.get("column_list")
        found += [name for name in listed if isinstance(name, str)] if isinstance(listed, (list, tuple)) else []
        return tuple(dict.fromkeys(found))


def _rows(**args: Any) -> ExpectationConfig:
    return ExpectationConfig(type="expect_table_row_count_to_be_between", args=args)


def _column(column: str, rule: str, severity: Severity = "critical", **args: Any) -> ExpectationConfig:
    return ExpectationConfig(type=f"expect_column_values_to_{rule}", column=column, severity=severity, args=args)


def default_suites() -> dict[TableName, tuple[ExpectationConfig, ...]]:
    """Return the suites of a recipe that names none: nothing empty, nothing twice, each row on its side."""
    whole = (_rows(min_value=1), _column("key", "be_unique"), _column("prompt", "not_be_null"), _column("group", "not_be_null"))
    answered = (*whole, _column("answer", "not_be_null"))
    damage = "\ufffd"
    return {
        "curated_examples": (
            *answered,
            _column("split", "be_in_set", value_set=["train", "eval"]),
            _column("origin", "be_in_set", value_set=["human", "synthetic"]),
            _column("answer", "not_match_regex", "warning", regex=damage),
            _column("answer", "not_match_regex", "warning", regex="(?i)as an ai (language )?model|i('m| am) sorry, but i"),
            _column("license", "not_be_null", "info"),
        ),
        "verified_examples": answered,
        "sft_dataset": (*answered, _column("split", "be_in_set", value_set=["train"])),
        "preference_dataset": (
            *whole,
            _column("chosen", "not_be_null"),
            _column("split", "be_in_set", value_set=["train"]),
            _column("rejected_kind", "not_be_null", "warning"),
        ),
    }


@config
class QualityConfig:
    """The suites of a recipe."""

    suites: dict[TableName, tuple[ExpectationConfig, ...]] = field(default_factory=default_suites)
    """Expectations by table: `curated_examples`, `verified_examples`, `sft_dataset`, `preference_dataset`. A table that is
    left out has no expectations."""

    def __post_init__(self) -> None:
        for table, suite in self.suites.items():
            check(table in TABLE_NAMES, "suites", f"knows only {', '.join(TABLE_NAMES)}", table)
            columns = PAIR_COLUMNS if table == "preference_dataset" else EXAMPLE_COLUMNS
            for item in suite:
                for name in item.columns():
                    check_column(name, columns, f"suites.{table}")
            texts = [canonical_json(as_plain(item)) for item in suite]
            doubled = [text for text in texts if texts.count(text) > 1]
            check(not doubled, f"suites.{table}", "holds the same expectation twice", doubled[:1])

    def suite(self, table: str) -> tuple[ExpectationConfig, ...]:
        """Return the expectations of a table; none if the recipe has none for it."""
        return next((suite for name, suite in self.suites.items() if name == table), ())
