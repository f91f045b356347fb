from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import EvaluationError
from curation.records import Example, Message
from evaluation.config import EvaluationConfig
from evaluation.items import assert_held_out, choose_items, most_frequent_answer, question_text, spread_shots

Make = Callable[..., Example]


def test_a_subset_stays_put_when_items_are_added_and_order_changes(example: Make) -> None:
    config = EvaluationConfig(max_items=50)
    rows = [example(number) for number in range(100)]
    chosen = {row.key for row in choose_items(rows, config)}
    grown = {row.key for row in choose_items([*(example(number) for number in range(100, 110)), *reversed(rows)], config)}
    assert len(chosen) == len(grown) == 50
    assert len(chosen & grown) >= 40


def test_a_training_row_is_refused(example: Make) -> None:
    with pytest.raises(EvaluationError, match="'api/train/0003' of the evaluation set belongs to the split 'train'"):
        choose_items([example(1), example(3, split="train")], EvaluationConfig())


def test_two_rows_with_one_key_and_no_rows_are_refused(example: Make) -> None:
    with pytest.raises(EvaluationError, match="two rows with the key"):
        choose_items([example(1), example(1)], EvaluationConfig())
    with pytest.raises(EvaluationError, match="empty"):
        choose_items([], EvaluationConfig())


def _same_key(item: Example, row: Example) -> Example:
    return replace(row, key=item.key)


def _same_prompt(item: Example, row: Example) -> Example:
    shouted = Message(role="user", content=item.messages[0].content.upper() + " \n")
    return replace(row, messages=(shouted, row.messages[1]))


def _same_group(item: Example, row: Example) -> Example:
    return replace(row, group=item.group)


@pytest.mark.parametrize(("leak", "what"), [(_same_key, "key"), (_same_prompt, "prompt"), (_same_group, "group")])
def test_a_leak_is_found_and_named(example: Make, leak: Callable[[Example, Example], Example], what: str) -> None:
    items = [example(number) for number in range(6)]
    training = [example(number, split="train") for number in range(6)]
    assert_held_out(items, training)
    training[4] = leak(items[2], training[4])
    with pytest.raises(
        EvaluationError, match=f"'api/eval/000(2|3)' was trained on: it has the {what} of the training row '{training[4].key}'"
    ):
        assert_held_out(items, training)


@given(st.permutations(range(12)))
def test_shots_spread_over_answers_whatever_the_order(example: Make, order: list[int]) -> None:
    shots = spread_shots([example(number, split="train") for number in order], 3, seed=0)
    assert {shot.answer for shot in shots} == {'{"part":"strings"}', '{"part":"dates"}', '{"part":"lists"}'}
    assert shots == spread_shots([example(number, split="train") for number in range(12)], 3, seed=0)


def test_the_majority_answer_breaks_ties_by_name(example: Make) -> None:
    assert most_frequent_answer([example(1), example(0)]) == '{"part":"dates"}'
    with pytest.raises(EvaluationError, match="no training examples"):
        most_frequent_answer([])


def test_the_question_leaves_the_system_message_out(example: Make) -> None:
    row = example(1)
    system = Message(role="system", content="Be short.")
    assert question_text(replace(row, messages=(system, *row.messages))) == row.messages[0].content
    talk = (*row.messages, Message(role="user", content="And?"), Message(role="assistant", content="x"))
    assert question_text(replace(row, messages=talk)).endswith("\nuser: And?")
