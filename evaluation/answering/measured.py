"""Answers that are likelihoods: of each choice of a question, or of a text as a whole.

measure_likelihoods(model, [(prompt, item)], Asking(comparator, (), "choices", 24))
    [Given(text="stone", num_tokens=0, log_likelihoods=(-19.7, -2.1), num_scored_tokens=(2, 1))]

The text of such an answer is the most likely choice, so that people see what the model would have said.
"""

from collections.abc import Sequence
from typing import NamedTuple

from curation.records import Example, Message
from evaluation.answering.cache import Given
from evaluation.answering.engines import Engine
from evaluation.answering.prompts import with_shots
from evaluation.answering.spec import ComparatorSpec, Way
from evaluation.records import EvalItem


class Asking(NamedTuple):
    """How one comparator is asked some items."""

    comparator: ComparatorSpec
    shots: tuple[Example, ...]
    way: Way
    max_new_tokens: int


def measure_likelihoods(model: Engine, asked: Sequence[tuple[tuple[Message, ...], EvalItem]], asking: Asking) -> list[Given]:
    """Return how likely the choices, or the references as texts, are, in order.

    Args:
        model: the comparator's.
        asked: prompts as they are shown, and the items that they belong to.
        asking: `choices` or `text`, and the shots that stand before a question with choices.

    Raises:
        EvaluationError: the model computes something that is not a number, or a choice is longer than its context.
    """
    if asking.way == "text":
        texts = model.text_log_likelihoods([item.reference for _, item in asked])
        return [
            Given(
                "",
                0,
                num_prompt_tokens=text.num_tokens,
                log_likelihoods=(text.log_likelihood,),
                num_scored_tokens=(text.num_tokens,),
            )
            for text in texts
        ]
    prompts = [with_shots(prompt, asking.shots) for prompt, _ in asked]
    choices = [item.choices for _, item in asked]
    found = model.choice_log_likelihoods(prompts, choices)
    return [
        Given(
            _likeliest(own, [each.log_likelihood for each in each_choice]),
            0,
            log_likelihoods=tuple(each.log_likelihood for each in each_choice),
            num_scored_tokens=tuple(each.num_tokens for each in each_choice),
        )
        for own, each_choice in zip(choices, found, strict=True)
    ]


def _likeliest(choices: Sequence[str], likelihoods: Sequence[float]) -> str:
    return choices[max(range(len(choices)), key=lambda at: (likelihoods[at], -at))] if choices else ""
