"""One expectation of a suite, as the recipe declares it.

{type: expect_column_values_to_not_match_regex, column: answer, args: {regex: "TODO"}, severity: warning, on_failure: review}
"""

from dataclasses import field
from typing import Any, Literal

from curation.config import check, config
from curation.quality.gallery import check_type

Severity = Literal["critical", "warning", "info"]
OnFailure = Literal["report", "reject", "review"]
_ROW_WISE = (
    "expect_column_values_",
    "expect_column_value_",
    "expect_column_pair_values_",
    "expect_multicolumn_",
    "expect_compound_columns_",
    "expect_select_column_values_",
)
_ABOUT_TYPES = ("expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list")
_HITS_EVERY_COPY = ("expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique")


@config
class ExpectationConfig:
    """One expectation, which becomes one asset check."""

    type: str
    """Name as in the Great Expectations gallery, for example `expect_column_values_to_be_unique`."""

    column: str | None = None
    """Column of the flattened table (see `curation.quality.gallery`); leave out for table expectations."""

    severity: Severity = "critical"
    """`critical` blocks what follows, `warning` warns, `info` is only recorded."""

    on_failure: OnFailure = "report"
    """What happens to the rows that break a row-wise expectation: `report` only names them, `reject` takes them out as
    rejections, `review` sends them to people. `mostly` decides whether the check passes, not which rows go."""

    args: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the expectation, such as `min_value` or `mostly`."""

    def __post_init__(self) -> None:
        check_type(self.type)
        reserved = sorted({"column", "severity", "meta"} & set(self.args))
        check(not reserved, "args", f"must not set {', '.join(reserved)}", self.args)
        wants_column = self.type.startswith(("expect_column_values_", "expect_column_value_"))
        check(not wants_column or self.column is not None, "column", f"is required by {self.type}", self.column)
        routes = self.on_failure != "report"
        check(not routes or self.is_row_wise(), "on_failure", f"must be report: {self.type} names no rows", self.on_failure)
        drops_all = self.on_failure == "reject" and self.type in _HITS_EVERY_COPY
        check(
            not drops_all, "on_failure", "would drop every copy; use prompt_copy or text_copy with max_value 1", self.on_failure
        )

    def is_row_wise(self) -> bool:
        """Say whether it judges single rows, so that failing ones can be named."""
        return self.type.startswith(_ROW_WISE) and self.type not in _ABOUT_TYPES

    def columns(self) -> tuple[str, ...]:
        """Return the columns that it reads: `column` and the column arguments of pair and multi-column expectations."""
        found = [self.column] if self.column is not None else []
        found += [self.args[name] for name in ("column_A", "column_B") if isinstance(self.args.get(name), str)]
        listed = self.args.get("column_list")
        found += [name for name in listed if isinstance(name, str)] if isinstance(listed, (list, tuple)) else []
        return tuple(dict.fromkeys(found))
