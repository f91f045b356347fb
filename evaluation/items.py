"""Which held-out items are asked, and the proof that none of them was trained on.

items = choose_items(eval_examples, config)
assert_held_out(items, training_examples)      # EvaluationError names the first shared key, prompt or group
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from curation.chat_turns import as_turn
from curation.errors import EvaluationError
from curation.ids import content_hash, stable_fraction
from curation.records import Example, Message
from evaluation.config import EvaluationConfig


def choose_items(examples: Iterable[Example], config: EvaluationConfig, *, limit: int | None = None) -> list[Example]:
    """Return at most `limit` (default: `max_items`) held-out examples by key: a subset that stays put as others come and go.

    Raises:
        EvaluationError: if a row is not of the `eval` split, two rows share a key, or there is none.
    """
    rows = sorted(examples, key=lambda row: row.key)
    for row, following in zip(rows, rows[1:], strict=False):
        if row.key == following.key:
            raise EvaluationError(reason=f"the evaluation set holds two rows with the key '{row.key}'.")
    for row in rows:
        if row.split != "eval":
            raise EvaluationError(reason=f"row '{row.key}' of the evaluation set belongs to the split '{row.split or 'none'}'.")
    if not rows:
        raise EvaluationError(reason="the evaluation set is empty. Add sources, or raise `curate.eval_share`.")
    salt = f"items:{config.seed}"
    chosen = sorted(rows, key=lambda row: (stable_fraction(row.key, salt), row.key))[
        : config.max_items if limit is None else limit
    ]
    return sorted(chosen, key=lambda row: row.key)


class Asked(Protocol):
    """What is asked and must be held out: an example or an item."""

    @property
    def key(self) -> str:
        """The stable name."""

    @property
    def group(self) -> str:
        """Split group."""

    @property
    def prompt(self) -> tuple[Message, ...]:
        """What the model is given; empty for a text whose likelihood is measured."""


def assert_held_out(items: Sequence[Asked], training_examples: Iterable[Example]) -> None:
    """Prove that no item shares its key, its prompt or its group with a training row.

    Raises:
        EvaluationError: naming the item, the training row and what they share.
    """
    keys = {item.key: item.key for item in items}
    prompts = {prompt_hash(item.prompt): item.key for item in items if item.prompt}
    groups = {item.group: item.key for item in items}
    for row in training_examples:
        for seen, value, what in (
            (keys, row.key, "key"),
            (prompts, prompt_hash(row.prompt), "prompt"),
            (groups, row.group, "group"),
        ):
            if value in seen:
                raise EvaluationError(
                    reason=f"item '{seen[value]}' was trained on: it has the {what} of the training row '{row.key}'."
                )


def prompt_hash(prompt: tuple[Message, ...]) -> str:
    """Return a hash of what is asked, blind to case and white space."""
    return content_hash([[message.role, " ".join(message.text.split()).casefold()] for message in prompt])


def question_text(item: Asked) -> str:
    """Return the prompt as plain text for people, see `prompt_text`."""
    return prompt_text(item.prompt)


def prompt_text(prompt: Sequence[Message]) -> str:
    """Return a prompt as plain text for people: the user's words, or every turn with its role when there are several."""
    turns = [message for message in prompt if message.role != "system"]
    if len(turns) == 1:
        return turns[0].text
    return "\n".join(f"{message.role}: {message.text}" for message in turns)


def spread_shots(training_examples: Iterable[Example], num_shots: int, seed: int) -> tuple[Example, ...]:
    """Return training examples to show, as many different answers as possible; the same ones whatever the row order."""
    rows = sorted(training_examples, key=lambda row: (stable_fraction(row.key, f"shots:{seed}"), row.key))
    rank: dict[str, int] = {}
    order: list[tuple[int, int]] = []
    for index, row in enumerate(rows):
        order.append((rank.get(row.answer, 0), index))
        rank[row.answer] = rank.get(row.answer, 0) + 1
    return tuple(rows[index] for _, index in sorted(order)[:num_shots])


def most_frequent_answer(training_examples: Iterable[Example]) -> str:
    """Return the answer that occurs most often; of equally frequent ones the first in alphabetical order.

    Raises:
        EvaluationError: if there are no training examples.
    """
    counts: dict[str, int] = {}
    for row in training_examples:
        counts[row.answer] = counts.get(row.answer, 0) + 1
    if not counts:
        raise EvaluationError(reason="there are no training examples, so there is no most frequent answer.")
    return min(counts, key=lambda answer: (-counts[answer], answer))


def shots_hash(shots: Sequence[Example]) -> str:
    """Return one hash over the messages shown."""
    return content_hash([[as_turn(message) for message in shot.messages] for shot in shots])
