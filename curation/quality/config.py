"""Data quality: which Great Expectations run on which table, as native asset checks.

quality:
  suites:
    sft_dataset:
      - {type: expect_column_values_to_not_be_null, column: answer}
      - {type: expect_table_row_count_to_be_between, args: {min_value: 100}, severity: warning}
"""

from dataclasses import field

from curation.config import as_plain, check, config
from curation.ids import canonical_json
from curation.quality.defaults import default_suites
from curation.quality.expectation import ExpectationConfig, OnFailure, Severity
from curation.quality.gallery import TABLE_NAMES, TableName, check_column, columns_of

__all__ = ["TABLE_NAMES", "ExpectationConfig", "OnFailure", "QualityConfig", "Severity", "TableName", "default_suites"]


@config
class QualityConfig:
    """The suites of a recipe."""

    suites: dict[TableName, tuple[ExpectationConfig, ...]] = field(default_factory=default_suites)
    """Expectations by table: `documents`, `demonstrations`, `candidates`, `curated_examples`, `verified_examples`,
    `sft_dataset`, `eval_set`, `preference_dataset`, `unpaired_preferences`. A table that is left out has no expectations."""

    def __post_init__(self) -> None:
        for table, suite in self.suites.items():
            check(table in TABLE_NAMES, "suites", f"knows only {', '.join(TABLE_NAMES)}", table)
            columns = columns_of(table)
            for item in suite:
                for name in item.columns():
                    check_column(name, columns, f"suites.{table}")
            texts = [canonical_json(as_plain(item)) for item in suite]
            doubled = [text for text in texts if texts.count(text) > 1]
            check(not doubled, f"suites.{table}", "holds the same expectation twice", doubled[:1])

    def is_default(self, table: TableName) -> bool:
        """Tell whether the recipe leaves the suite of a table as it is by default."""
        return self.suite(table) == default_suites().get(table, ())

    def suite(self, table: str) -> tuple[ExpectationConfig, ...]:
        """Return the expectations of a table; none if the recipe has none for it."""
        return next((suite for name, suite in self.suites.items() if name == table), ())
