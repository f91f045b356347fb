"""The configuration of the rules: every limit is checked, and YAML builds it."""

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from curation.errors import ConfigError
from curation.filters.rule_config import DocumentRuleConfig, RuleConfig, RuleName
from curation.filters.rule_table import RULES


def test_the_names_of_the_config_are_the_names_of_the_table() -> None:
    assert get_args(RuleName) == tuple(RULES)


@pytest.mark.parametrize(
    "fields",
    [
        *(
            {"min_prompt_chars": 0},
            {"max_prompt_chars": 2},
            {"min_answer_chars": 0},
            {"min_answer_chars": 5, "max_answer_chars": 4},
        ),
        *({"min_answer_words": -1}, {"max_row_tokens": -1}, {"max_answer_ratio": -0.1}, {"min_language_letters": 0}),
        *({"min_language_confidence": 0.0}, {"max_duplicate_line_share": 1.1}, {"max_duplicate_ngram_share": 0.0}),
        *({"max_bad_char_share": -0.1}, {"max_toxicity": 2.0}, {"max_char_run": 1}, {"max_loop_repeats": 1}),
    ],
)
def test_limits_are_checked(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(reversed(fields))):
        RuleConfig(**fields)


@pytest.mark.parametrize("name", ["max_bullet_share", "max_ellipsis_share", "min_alphabetic_share", "max_boilerplate_share"])
def test_document_shares_are_checked(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        DocumentRuleConfig(**{name: 1.5})


def test_yaml_builds_it() -> None:
    built = TypeAdapter(RuleConfig).validate_python(
        {"off": ["boilerplate"], "languages": ["en"], "documents": {"min_chars": 5}}, strict=False
    )
    assert built.off == ("boilerplate",)
    assert built.documents.min_chars == 5
    with pytest.raises(ValidationError):
        TypeAdapter(RuleConfig).validate_python({"off": ["no_such_rule"]}, strict=False)
