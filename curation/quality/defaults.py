r"""The suites of a recipe that names none: nothing empty, nothing twice, each row on its side, and the usual dirt named.

default_suites()["demonstrations"]       row count, unique keys, ..., repeated prompts, calculator marks, damaged characters
"""

from typing import Any

from curation.quality.expectation import ExpectationConfig, Severity
from curation.quality.gallery import TableName

DAMAGE = (
    "[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f]"  # replacement mark, control characters
    "|[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac|\u00ef\u00bb\u00bf"  # UTF-8 that was read as Latin-1
)
REFUSAL = (
    r"(?i)\bas an? (ai|artificial intelligence)\b|\bas a (large )?language model\b"
    r"|^\W*(i'?m|i am) (very |so |really )?sorry,? but i\b"
    r"|^\W*i (can'?t|cannot|am (unable|not able) to) (help|assist|provide|fulfil)"
)
CALCULATOR_MARK = r"<<[^<>\n]{0,200}=[^<>\n]{0,100}>>"
MAX_TOKENS = 8192


def _rows(**args: Any) -> ExpectationConfig:
    return ExpectationConfig(type="expect_table_row_count_to_be_between", args=args)


def _column(column: str, rule: str, severity: Severity = "critical", **args: Any) -> ExpectationConfig:
    return ExpectationConfig(type=f"expect_column_values_to_{rule}", column=column, severity=severity, args=args)


def _at_most(column: str, number: int, severity: Severity) -> ExpectationConfig:
    return _column(column, "be_between", severity, max_value=number)


_WHOLE = (_rows(min_value=1), _column("key", "be_unique"), _column("prompt", "not_be_null"), _column("group", "not_be_null"))
_ANSWERED = (*_WHOLE, _column("answer", "not_be_null"))
_TRAIN_ONLY = _column("split", "be_in_set", value_set=["train"])
_ORIGIN = _column("origin", "be_in_set", value_set=["human", "synthetic"])
_LICENSED = _column("license", "not_be_null", "info")


def _clean(answer: str) -> tuple[ExpectationConfig, ...]:
    """Return what a text to be learnt should not hold."""
    return (
        _column("prompt", "not_match_regex", "warning", regex=DAMAGE),
        _column(answer, "not_match_regex", "warning", regex=DAMAGE),
        _column(answer, "not_match_regex", "warning", regex=REFUSAL),
        _column(answer, "not_match_regex", "warning", regex=CALCULATOR_MARK),
        _column("answer_ends_properly", "be_in_set", "info", value_set=[True]),
    )


_SHAPE = (
    _at_most("prompt_copy", 1, "warning"),
    _at_most("num_turns", 1, "info"),
    _column("has_odd_id", "be_in_set", "warning", value_set=[False]),
    _at_most("num_tokens_estimate", MAX_TOKENS, "warning"),
)


def default_suites() -> dict[TableName, tuple[ExpectationConfig, ...]]:
    """Return the default expectations of every table."""
    return {
        "documents": (
            *(_rows(min_value=1), _column("key", "be_unique"), _column("text", "not_be_null"), _column("group", "not_be_null")),
            _column("text", "not_match_regex", "warning", regex=DAMAGE),
            _at_most("text_copy", 1, "warning"),
            _column("has_odd_id", "be_in_set", "warning", value_set=[False]),
            _LICENSED,
        ),
        "demonstrations": (*_ANSWERED, *_clean("answer"), *_SHAPE, _LICENSED),
        "candidates": (*_ANSWERED, _ORIGIN, *_clean("answer"), _at_most("prompt_copy", 1, "info"), _LICENSED),
        "curated_examples": (
            *(*_ANSWERED, _column("split", "be_in_set", value_set=["train", "eval"]), _ORIGIN, *_clean("answer")),
            *(_at_most("num_tokens_estimate", MAX_TOKENS, "warning"), _LICENSED),
        ),
        "verified_examples": _ANSWERED,
        "sft_dataset": (*_ANSWERED, _TRAIN_ONLY),
        "eval_set": (*_ANSWERED, _column("split", "be_in_set", value_set=["eval"])),
        "preference_dataset": (
            *(*_WHOLE, _column("chosen", "not_be_null"), _TRAIN_ONLY, _column("rejected_kind", "not_be_null", "warning")),
            *(*_clean("chosen"), _at_most("num_messages", 1, "info"), _at_most("num_turns", 1, "info")),
        ),
        "unpaired_preferences": (
            *(*_ANSWERED, _TRAIN_ONLY, *_clean("answer"), _at_most("num_turns", 1, "info")),
            ExpectationConfig(
                type="expect_column_distinct_values_to_equal_set",
                column="is_desirable",
                severity="warning",
                args={"value_set": [True, False]},
            ),
        ),
    }
