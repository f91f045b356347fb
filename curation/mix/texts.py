"""The texts of any trainable record, and what they cost in tokens.

prompt_text(example)       "What is ...?"       system messages do not count
estimate_tokens(example)   31                   characters / 4, rounded up
"""

from typing import Any

CHARS_PER_TOKEN = 4


def prompt_messages(row: Any) -> tuple[Any, ...]:
    """Return the messages that the model is given, of an Example, PreferencePair, UnpairedPreference or VerifiableTask."""
    return tuple(row.prompt)


def prompt_text(row: Any) -> str:
    """Return what is asked, turn by turn, without system messages."""
    return "\n".join(message.content for message in prompt_messages(row) if message.role != "system")


def answer_text(row: Any) -> str:
    """Return the text to be learnt: the answer, the chosen answer, or the reference."""
    for name in ("answer", "chosen", "reference"):
        if hasattr(row, name):
            return str(getattr(row, name))
    return ""


def estimate_tokens(row: Any) -> int:
    """Estimate the tokens of a row as all its characters / CHARS_PER_TOKEN, rounded up; at least 1."""
    parts = [len(message.content) + sum(len(call.arguments) for call in message.tool_calls) for message in prompt_messages(row)]
    parts += [len(answer_text(row)), len(getattr(row, "rejected", "")), len(getattr(row, "tools", ""))]
    return max(1, -(-sum(parts) // CHARS_PER_TOKEN))
