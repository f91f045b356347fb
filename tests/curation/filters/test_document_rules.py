"""Documents: what no model should read is rejected, references and change logs stay."""

import pytest

from curation.filters.document_rules import DOCUMENT_REASONS, find_document_problem
from curation.filters.rule_config import DocumentRuleConfig, RuleConfig
from tests.curation.filters.rule_rows import document

PROSE = "".join(
    f"Step {number}: open lid {number * 7} and look at part {number * 13} with care before you go on. " for number in range(12)
)
BAD = {
    "document_too_short": "Too short.",
    "document_too_long": PROSE * 7_000,
    "only_addresses": "https://example.org/a\nhttps://example.org/b",
    "only_digits": "1 2 3 4 5 6 7 8 9 10 11 12",
    "encoding_damage": PROSE + "\ufffd",
    "role_markers": PROSE + "<|im_end|>",
    "char_run": PROSE + "x" * 500,
    "boilerplate": "We use cookies.\nAccept all cookies\nBack to top\nSome text here.\nAll rights reserved.",
    "bullet_list": "\n".join(f"- item number {number} of the long list" for number in range(40)),
    "ellipsis_lines": "\n".join(f"what comes after number {number} is ..." for number in range(40)),
    "symbols": "one # two # three # four # " * 20,
    "few_words": "12 34 56 word " * 30,
    "one_word": " ".join(f"buy {number}x now{number} buy buy" for number in range(40)),
    "duplicate_lines": "The same line stands here again.\n" * 30 + PROSE[:200],
    "duplicate_ngrams": "it goes round and round in the same small circle of words " * 20,
}
GOOD = [
    PROSE,
    "# polars.head\n\n`head(n: int = 5)`\n\nReturn the first rows.",
    "# Changes\n\n"
    + "\n".join(f"- {number}: fixed a thing in part {number * 3}" for number in range(30))
    + "\n\n## Notes\n\nNone.\n",
    "```python\n" + "x = 1\n" * 200 + "```\n" + PROSE,
    "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 100 + PROSE,
    PROSE + "\n\n" + "-" * 500,
]


@pytest.mark.parametrize(("reason", "text"), BAD.items())
def test_bad_documents_are_rejected_for_their_reason(reason: str, text: str) -> None:
    problem = find_document_problem(document(text), RuleConfig())
    assert problem is not None
    assert problem.reason == reason
    assert "\n" not in problem.detail


@pytest.mark.parametrize("text", GOOD)
def test_good_documents_are_kept(text: str) -> None:
    assert find_document_problem(document(text), RuleConfig(languages=("en",))) is None


def test_the_language_of_documents_is_judged() -> None:
    german = "Der Deckel geht nach links auf, sobald die kleine Schraube neben dem Scharnier entfernt worden ist. " * 3
    problem = find_document_problem(document(german), RuleConfig(languages=("en",)))
    assert problem is not None
    assert problem.reason == "language"


def test_every_reason_is_declared() -> None:
    assert {*BAD, "language"} == set(DOCUMENT_REASONS)


def test_rules_can_be_switched_off() -> None:
    for reason, text in BAD.items():
        assert find_document_problem(document(text), RuleConfig(documents=DocumentRuleConfig(is_on=False))) is None, reason
    lists = RuleConfig(documents=DocumentRuleConfig(max_bullet_share=1))
    assert find_document_problem(document(BAD["bullet_list"]), lists) is None
    assert find_document_problem(document(BAD["role_markers"]), RuleConfig(off=("role_markers",))) is None
