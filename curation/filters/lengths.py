"""Rules of size and form: is there a conversation, and are its parts as long as they may be?

check_length(view, RuleConfig(max_answer_chars=9))    Problem("answer_too_long", "The answer has 25 characters, more than 9.")
"""

from curation.filters.rule_config import RuleConfig
from curation.filters.rules import Problem
from curation.filters.text_view import TextView


def check_form(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject a conversation without a prompt or without an answer of the assistant at its end."""
    if view.is_well_formed:
        return None
    return Problem("malformed_conversation", "An example needs a prompt and ends with the assistant's message.")


def check_length(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject rows with a prompt or an answer that is too short or too long."""
    return _prompt_problem(view, config) or _answer_problem(view, config) or _size_problem(view, config)


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens a text has, within about 25 % for English and code: 4 characters each, 1 outside ASCII.

    A tokenizer says it exactly; this one needs no model and never says less than one for a text that is not empty.
    """
    if text.isascii():
        return -(-len(text) // 4)
    wide = sum(1 for char in text if ord(char) > 0x2E7F)
    foreign = sum(1 for char in text if 0x7F < ord(char) <= 0x2E7F)
    return wide + -(-foreign // 2) + -(-(len(text) - wide - foreign) // 4)


def _prompt_problem(view: TextView, config: RuleConfig) -> Problem | None:
    asked = len(view.prompt.strip())
    if asked < config.min_prompt_chars:
        return Problem("prompt_too_short", f"The prompt has {asked} characters, fewer than {config.min_prompt_chars}.")
    if view.prompt_chars > config.max_prompt_chars:
        return Problem(
            "prompt_too_long", f"The prompt has {view.prompt_chars} characters, more than {config.max_prompt_chars}."
        )
    return None


def _answer_problem(view: TextView, config: RuleConfig) -> Problem | None:
    name = "chosen answer" if view.kind == "pair" else "answer"
    if view.has_good_answer:
        length = len(view.answer.strip())
        if length < config.min_answer_chars and not view.tool_calls:
            return Problem("answer_too_short", f"The {name} has {length} characters, fewer than {config.min_answer_chars}.")
        if config.min_answer_words and not view.tool_calls and (words := len(view.answer.split())) < config.min_answer_words:
            return Problem("answer_too_short", f"The {name} has {words} words, fewer than {config.min_answer_words}.")
    for called, text in ((name, view.answer), ("rejected answer", view.rejected)):
        if len(text) > config.max_answer_chars:
            return Problem("answer_too_long", f"The {called} has {len(text)} characters, more than {config.max_answer_chars}.")
    return None


def _size_problem(view: TextView, config: RuleConfig) -> Problem | None:
    if config.max_answer_ratio and len(view.answer) > config.max_answer_ratio * max(1, len(view.prompt)):
        ratio = len(view.answer) / max(1, len(view.prompt))
        return Problem(
            "answer_ratio_too_high",
            f"The answer is {ratio:.1f} times as long as the prompt, more than {config.max_answer_ratio}.",
        )
    if config.max_row_tokens:
        tokens = sum(estimate_tokens(text) for text in view.texts) - estimate_tokens(view.rejected)
        if tokens > config.max_row_tokens:
            return Problem("row_too_long", f"The row has about {tokens} tokens, more than {config.max_row_tokens}.")
    return None
