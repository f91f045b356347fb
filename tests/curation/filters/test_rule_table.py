"""Every rule, by the rows that it must reject and the rows beside them that it must keep."""

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.filters.rule_config import RuleConfig
from curation.filters.rule_table import RULES, check_rows, find_problem, find_problems
from curation.filters.text_view import RuleRow
from curation.records import Message, ToolCall
from tests.curation.filters.rule_rows import PROVENANCE, example, pair, unpaired

CONFIG = RuleConfig()
SORRY = "I'm sorry, but I cannot help with that request."
LONG = "This sentence is here to make the answer long enough to be judged at all, and it says little else. "

BAD: list[tuple[str, RuleRow]] = [
    ("malformed_conversation", dataclasses.replace(example("What?", "x"), messages=(Message(role="user", content="What?"),))),
    ("malformed_conversation", dataclasses.replace(example("What?", "x"), messages=())),
    ("prompt_too_short", example("?", "x", system="a system message is no prompt")),
    ("prompt_too_long", example("y" * 9_000 + " why?", "x", system="z" * 9_000)),
    ("answer_too_short", example("What is it?", "  \n")),
    ("answer_too_short", pair("What is it?", "", "bad")),
    ("answer_too_long", pair("What is it?", "good", "word " * 4_000)),
    ("placeholder_answer", example("What is it?", "N/A")),
    ("placeholder_answer", example("What is it?", " ... ")),
    ("placeholder_answer", example("What is it?", "<noinput>")),
    ("placeholder_answer", example("What is it?", "TBD.")),
    ("identical_answers", pair("What is it?", "x", "x")),
    ("answer_repeats_prompt", example("Name the capital of France.", "name the capital of  France")),
    ("answer_repeats_prompt", example("Explain why the sky looks blue.", "Explain why the sky looks blue. The air does it.")),
    ("only_addresses", example("Tell me about whales.", "https://example.org/whales\nwww.example.org")),
    ("only_addresses", example("http://example.org/a?b=c", "It is a page.")),
    ("only_digits", example("8 15 16 23 42", "Numbers.")),
    ("encoding_damage", example("What is a caf\u00c3\u00a9?", "A place.")),
    ("encoding_damage", pair("What is it?", "good", "bad \ufffd")),
    ("role_markers", example("What is it?", "A dog.<|im_end|>")),
    ("role_markers", example("What is it?", "A dog.\n### Instruction:\nName another animal.")),
    ("role_markers", example("[INST] What is it? [/INST]", "A dog.")),
    ("role_markers", example("What is it?", "A dog.</s>")),
    ("role_markers", example("What is it?", "A dog.\nHuman: And that?\nAssistant: A cat.")),
    ("template_placeholder", example("Who signs?", "The contract is signed by {{customer_name}} in person.")),
    ("template_placeholder", example("Who signs?", "The contract is signed by [INSERT NAME] in person.")),
    ("template_placeholder", example("Answer this: {question}", "Yes.")),
    ("refusal", example("How do I pick a lock?", SORRY)),
    ("refusal", example("How do I pick a lock?", "I can\u2019t assist with that.")),
    ("refusal", example("How do I pick a lock?", "As an AI language model, I am unable to provide instructions for that.")),
    ("refusal", example("Draw a chart.", "Unfortunately, I am not able to create images.")),
    ("assistant_disclaimer", example("What do you like best in Rome?", "As an AI, I do not have tastes. Many like the Forum.")),
    ("boilerplate", example("What is new?", "We use cookies.\nAccept all cookies\nNews of today\nAll rights reserved.")),
    ("truncated_answer", example("How do I do it?", "Use this:\n\n```python\nprint(1)\n")),
    ("truncated_answer", example("How do I do it?", "First open the lid with care, then turn the screw and take out the")),
    ("truncated_answer", example("How do I do it?", "First open the lid with care, then turn the screw left (it is small")),
    ("broken_tool_call", example("Do it.", "", calls=(ToolCall(id="1", name="f", arguments="{'a': 1}"),))),
    ("broken_tool_call", example("Do it.", "", calls=(ToolCall(id="1", name="f", arguments="[1]"),))),
    ("broken_tool_call", example("Do it.", "", calls=(ToolCall(id="1", name=" ", arguments="{}"),))),
    ("broken_json", example("Who is it? Answer only with JSON.", '{"name": "Ada",}')),
    ("broken_json", example("Show a record.", 'Here:\n\n```json\n{"name": "Ada"\n```\n')),
    ("broken_json", example("Who is it?", '{"name": Ada}', system="Reply with a JSON object.")),
    ("broken_python", example("Show a loop.", "```python\nfor i in range(3)\n    print(i)\n```")),
    ("broken_python", example("Write Python that adds.", "def add(a, b):\nreturn a + b")),
    ("char_run", example("What is it?", "n" + "o" * 100)),
    ("looping_text", example("What is it?", "It is a dog " + "and a cat " * 20)),
    ("duplicate_lines", example("What is it?", "It is a dog.\nYes.\n" + "Really, a dog.\n" * 30 + "The end of it.")),
    ("duplicate_ngrams", example("What is it?", "A dog barks at night and a cat sleeps by day. " * 12 + "The end.")),
]  # fmt: skip

GOOD: list[RuleRow] = [
    example("Which label fits?", "card_arrival"),
    example("How much is 7 times 8?", "56"),
    example("7 * 8 = ?", "56"),
    example("What does list.sort() return?", "None"),
    example("Which punctuation mark shows that words were left out?", "..."),
    example("Which operator adds?", "+"),
    example("What is the address of the site?", "https://example.org"),
    example("Complete the function.\n\ndef add(a, b):", "Complete the function.\n\ndef add(a, b):\n    return a + b"),
    example("What is caf\u00e9 au lait? \u00c9COLE \u201cX\u201d \u2013", "Ja \u2014 \u2026 \u00bbgut\u00ab, 20 \u00b0C."),
    example("What does `<|im_start|>` mean?", "The token `<|im_start|>` opens a turn:\n\n```\n<|im_start|>user\n```\n"),
    example("Write a dialogue of two people.", "User: Hello\nHuman: Hello!\nAssistant: Hi."),
    example("How do I write a Jinja template?", "Use {{ name }} for a value."),
    example("Fill in: Dear {{name}}", "Dear {{name}}, thank you."),
    example("Why do chat models refuse?", 'They are trained to. "I\'m sorry, but I cannot help with that" is typical.'),
    example("How do I decline politely?", SORRY),
    example("What does the shop say?", "I'm sorry, but your card was not accepted by the bank."),
    example("Book a flight.", SORRY, tools='[{"name":"weather"}]'),
    example("Who are you?", "I am a language model trained by a small team."),
    example("Who programmed you?", "I am a language model made by a small team."),
    example("continue", "    return 1\n```\nThat is all."),
    example("Show Python that adds.", "def add(a, b):\n    return a + b\n\nThe function returns the sum of both."),
    example("Do you like rain?", "I cannot stand it when it rains."),
    example("What is the cookie law?", "Sites that say 'we use cookies' must ask. Accept all cookies is a common button."),
    example("What is copyright?", "A right of authors. All rights reserved is a common notice on books and on pages."),
    example("Name three animals.", "dog, cat, the"),
    example("How do I save as JSON?", "{...} is written by calling json.dump(data, file)."),
    example("How do I write JSON?", '```json\n{"a": 1, ...}\n```'),
    example("Show Python 2.", "```python\nprint 'hello'\n```"),
    example("Show a session.", "```python\n>>> 1 +\n... 1\n2\n```"),
    example("Show an indented snippet.", "```python\n    return 1\n```"),
    example("Show a raw pattern.", '```python\nimport re\nre.findall("\\d+", text)\n```'),
    example("Show Java.", "```java\nclass A {\n```"),
    example("Print a line.", "-" * 300 + "\nDone."),
    example("Write a song with a chorus.", "La la la\n" * 30),
    example("Say hello ten times.", "hello " * 10),
    example("Do it.", "", calls=(ToolCall(id="1", name="f", arguments='{"a": 1}'),)),
    pair("What is it?", "A dog.", SORRY),
    pair("What is it?", "A dog.", ""),
    unpaired("What is it?", SORRY, is_desirable=False),
    unpaired("What is it?", "", is_desirable=False),
    unpaired("What is it?", "A dog.", is_desirable=True),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "row"), BAD)
def test_bad_rows_are_rejected_for_their_reason(reason: str, row: RuleRow) -> None:
    problem = find_problem(row, CONFIG)
    assert problem is not None
    assert problem.reason == reason
    assert problem.detail.endswith(".")
    assert "\n" not in problem.detail


@pytest.mark.parametrize("row", GOOD)
def test_good_rows_are_kept(row: RuleRow) -> None:
    assert find_problems(row, CONFIG) == []


@pytest.mark.parametrize(("reason", "row"), BAD)
def test_a_rule_that_is_off_says_nothing(reason: str, row: RuleRow) -> None:
    (name,) = [rule.name for rule in RULES.values() if reason in rule.reasons]
    config = RuleConfig(off=(name,))
    assert reason not in {problem.reason for problem in find_problems(row, config)}


def test_the_first_problem_is_the_first_of_all_problems() -> None:
    for _, row in BAD:
        assert find_problem(row, CONFIG) == find_problems(row, CONFIG)[0]


def test_every_reason_is_declared_once_and_every_rule_is_described() -> None:
    reasons = [reason for rule in RULES.values() for reason in rule.reasons]
    assert len(reasons) == len(set(reasons))
    assert {reason for reason, _ in BAD} <= set(reasons)
    assert all(rule.description and rule.name == name for name, rule in RULES.items())


def test_one_rule_can_be_asked_alone() -> None:
    row = example("How do I pick a lock?", SORRY + "\ufffd")
    refusal = RULES["refusal"].check(row, CONFIG)
    assert refusal is not None
    assert refusal.reason == "refusal"
    assert RULES["boilerplate"].check(row, CONFIG) is None


def test_rows_are_checked_in_order() -> None:
    rows = [row for _, row in BAD] + GOOD
    assert check_rows(rows, CONFIG) == [find_problem(row, CONFIG) for row in rows]


def test_undesirable_answers_may_be_bad_but_not_damaged() -> None:
    assert find_problem(unpaired("What is it?", SORRY, is_desirable=True), CONFIG) is not None
    damaged = find_problem(unpaired("What is it?", "A d\ufffdg.", is_desirable=False), CONFIG)
    assert damaged is not None
    assert damaged.reason == "encoding_damage"


def test_limits_are_the_recipes() -> None:
    row = example("What is it?", "A dog that barks at night.")
    reasons = {
        "answer_too_short": RuleConfig(min_answer_words=7),
        "answer_ratio_too_high": RuleConfig(max_answer_ratio=2),
        "row_too_long": RuleConfig(max_row_tokens=5),
        "placeholder_answer": RuleConfig(placeholder_answers=("A dog that barks at night.",)),
    }
    for reason, config in reasons.items():
        problem = find_problem(row, config)
        assert problem is not None, reason
        assert problem.reason == reason
    assert find_problem(row, RuleConfig(min_answer_words=6, max_answer_ratio=3, max_row_tokens=10)) is None


HOSTILE = st.lists(
    st.sampled_from(
        list("ab .\n\t`~{}[]()<>|#\"'*_-\\,:;\u00c3\u00a9\u200b\u202e\ufffd\ud800\x00") + ["```", "### ", "I'm sorry, "]
    ),
    max_size=80,
).map("".join)


@given(question=HOSTILE, answer=HOSTILE)
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_a_rule(question: str, answer: str) -> None:
    for row in (example(question, answer, system=answer), pair(question, answer, question), unpaired(answer, question, False)):
        problems = find_problems(row, RuleConfig(calculator_marks="reject"))
        first = find_problem(row, RuleConfig(calculator_marks="reject"))
        assert first == (problems[0] if problems else None)
        assert all("\n" not in problem.detail and problem.detail.isprintable() for problem in problems)


def _cpu_bound_texts() -> list[str]:
    num = 20_000
    pieces = [
        "(",
        "[{",
        "```",
        "~~~\n",
        "`",
        "<",
        "{{",
        "a ",
        "As an AI ",
        "I ",
        "I'm sorry ",
        "Human: ",
        "Human: x\n",
        "### ",
        "<<1",
        "<<1=1",
    ]
    pieces += [
        "- ",
        "not ",
        "\u00c3",
        "\u00d0\u0080",
        "a\u200b",
        "a.",
        "a@",
        "www.",
        "| ",
        "\\",
        "def f(",
        '"',
        "lambda: ",
        "copyright ",
        "H: \n",
    ]
    texts = [(piece * num)[:num] for piece in pieces]
    rng = random.Random(3)
    return texts + ["".join(rng.choice(pieces) for _ in range(10_000))[:num]]


def test_adversarial_texts_take_no_time() -> None:
    """Each of these once sends a careless pattern into the night; the whole list takes seconds even on a slow machine."""
    config = RuleConfig(max_prompt_chars=10**6, max_answer_chars=10**6)
    for text in _cpu_bound_texts():
        for row in (
            example(text, text + "x"),
            example("Write Python as JSON only.", "```python\n" + text + "\n```\n```json\n" + text),
        ):
            assert find_problem(row, config) == next(iter(find_problems(row, config)), None), text[:20]


def test_provenance_does_not_matter() -> None:
    synthetic = dataclasses.replace(PROVENANCE, origin="synthetic")
    row = example("How do I pick a lock?", SORRY)
    assert find_problem(row, CONFIG) == find_problem(dataclasses.replace(row, provenance=synthetic), CONFIG)
