r"""What a grader says about an answer, and where in an answer its final part stands.

    final_part("16 - 3 = 13\n#### 13")                      "13"
    final_part("<think>perhaps 12</think>The answer is 13.")    "13."

Answers are hostile input: graders read text and look at a bounded part of it only; `code` alone runs it, in a sandbox.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

MAX_ANSWER_CHARS = 200_000
"""Only the end of longer answers is read: that is where a final answer stands."""

MAX_SHARE = 0.99
"""The most that a wrong answer earns."""

_THOUGHTS = re.compile(r"</(?:think|thinking|reasoning)>", re.I)
_OPEN_THOUGHT = re.compile(r"<(?:think|thinking|reasoning)>", re.I)
_BOXED = re.compile(r"\\boxed\{([^{}]{0,500})\}")
_MARK = re.compile(r"####|(?<![A-Za-z])A:|\banswer(?:\s+is)?\s*:|\banswer\s+is\b", re.I)
_LONG_MARK = re.compile(r"####|\banswer(?:\s+is)?\s*:|\banswer\s+is\b", re.I)


class Grade(NamedTuple):
    """The verdict on one answer."""

    is_right: bool
    extracted: str
    """The final answer that was found in the text; empty if there was none."""
    detail: str = ""
    """What is wrong with it, in words; empty from graders that compare one value."""
    share: float = 0.0
    """How much of a wrong answer is right, 0 to 1, from graders that know parts."""

    @property
    def reward(self) -> float:
        """1 for right, 0 for wrong; graders that know parts give a wrong answer the share that is right, always below 1."""
        return 1.0 if self.is_right else min(max(0.0, self.share), MAX_SHARE)  # in this order a share that is NaN earns 0


Grader = Callable[[str, str], Grade]
"""Takes the answer and the reference; never raises, whatever the answer holds."""


def without_thoughts(answer: str) -> str:
    """Return what stands after the reasoning; nothing if the reasoning never ends."""
    text = _THOUGHTS.split(answer[-MAX_ANSWER_CHARS:])[-1]
    return "" if _OPEN_THOUGHT.search(text) else text


def final_part(answer: str, *, is_choice: bool = False) -> str | None:
    r"""Return what follows the last mark of a final answer (`####`, `A:`, `Answer:`, `answer is`, `\boxed{}`), or None.

    Args:
        answer: text of the answer, reasoning included.
        is_choice: the answer is a letter, so `A:` may be one of the choices and is no mark.
    """
    text = without_thoughts(answer)
    marks = [*(_LONG_MARK if is_choice else _MARK).finditer(text)]
    boxes = [*_BOXED.finditer(text)]
    if boxes and (not marks or boxes[-1].end() > marks[-1].end()):
        return boxes[-1][1].strip()
    return text[marks[-1].end() :].strip() if marks else None
