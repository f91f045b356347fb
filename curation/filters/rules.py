"""Cleaning and length rules for single rows.

clean_example(example)                        the same example, its texts normalised
find_problem(example, CurateConfig())         ("answer_too_long", "The answer has 20,000 characters, more than 16,000.")
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from curation.filters.config import CurateConfig
from curation.ingest.text import normalise_text
from curation.records import Example, Message, PreferencePair


class Problem(NamedTuple):
    """Why a row breaks a rule: short reason and one sentence."""

    reason: str
    detail: str


def clean_example(example: Example) -> Example:
    """Return the example with normalised texts."""
    return replace(example, messages=_clean(example.messages))


def clean_pair(pair: PreferencePair) -> PreferencePair:
    """Return the pair with normalised texts."""
    chosen, rejected = normalise_text(pair.chosen), normalise_text(pair.rejected)
    return replace(pair, prompt=_clean(pair.prompt), chosen=chosen, rejected=rejected)


def _clean(messages: Iterable[Message]) -> tuple[Message, ...]:
    return tuple(replace(message, content=normalise_text(message.content)) for message in messages)


def find_problem(example: Example, config: CurateConfig) -> Problem | None:
    """Return the first rule that a cleaned example breaks, or None."""
    if len(example.messages) < 2 or example.messages[-1].role != "assistant":
        return Problem("malformed_conversation", "An example needs a prompt and ends with the assistant's message.")
    return _prompt_problem(example.prompt, config) or _answer_problem("answer", example.answer, config)


def find_pair_problem(pair: PreferencePair, config: CurateConfig) -> Problem | None:
    """Return the first rule that a cleaned pair breaks, or None. The rejected answer may be as short as it likes."""
    if pair.chosen == pair.rejected:
        return Problem("identical_answers", "The chosen and the rejected answer are the same.")
    too_long = len(pair.rejected) > config.max_answer_chars
    problem = _prompt_problem(pair.prompt, config) or _answer_problem("chosen answer", pair.chosen, config)
    return problem or (_answer_problem("rejected answer", pair.rejected, config) if too_long else None)


def _prompt_problem(prompt: tuple[Message, ...], config: CurateConfig) -> Problem | None:
    asked = sum(len(message.content.strip()) for message in prompt if message.role != "system")
    total = sum(len(message.content) for message in prompt)
    if asked < config.min_prompt_chars:
        return Problem("prompt_too_short", f"The prompt has {asked} characters, fewer than {config.min_prompt_chars}.")
    if total > config.max_prompt_chars:
        return Problem("prompt_too_long", f"The prompt has {total} characters, more than {config.max_prompt_chars}.")
    return None


def _answer_problem(name: str, answer: str, config: CurateConfig) -> Problem | None:
    length = len(answer.strip())
    if length < config.min_answer_chars:
        return Problem("answer_too_short", f"The {name} has {length} characters, fewer than {config.min_answer_chars}.")
    if len(answer) > config.max_answer_chars:
        return Problem("answer_too_long", f"The {name} has {len(answer)} characters, more than {config.max_answer_chars}.")
    return None
