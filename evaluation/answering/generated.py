"""What an engine returns: answers, with what they took.

Generated(text='{"part":"strings"}', num_tokens=9, num_prompt_tokens=61, latency_s=0.12, is_cut=False, error="")
"""

from collections.abc import Sequence
from typing import NamedTuple

PLAIN_STOP = "\nuser:"
"""Where an answer ends that a model without a chat template writes: at its own next question."""


class Generated(NamedTuple):
    """An answer, and what it took."""

    text: str
    num_tokens: int
    """Tokens generated, the end of turn included."""
    num_prompt_tokens: int = 0
    latency_s: float = 0.0
    """Seconds from the moment the prompt was read (sent, for an endpoint) to the last token, beside others of its batch."""
    is_cut: bool = False
    """Whether it was still going on when `max_new_tokens` were written."""
    cost_usd: float = 0.0
    """What an endpoint charged."""
    error: str = ""
    """Why an endpoint gave no answer; asked again in the next run."""
    mean_log_probability: float | None = None
    """Mean natural log-probability of the tokens generated, the end of turn included, by the model that wrote them; None where
    the engine does not say."""


def cut_at_stop(text: str, stop_texts: Sequence[str]) -> tuple[str, bool]:
    """Return a text up to the first of the stop texts, and whether there was one."""
    ends = [text.index(stop) for stop in stop_texts if stop and stop in text]
    return (text[: min(ends)], True) if ends else (text, False)
