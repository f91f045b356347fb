"""The prompts of `reasoning`: one for each kind of final answer. The reply is plain text that ends with a marked line.

render_reasoning("What is 7 times 8?", "number")        "reasoning_number-1"
"""

from typing import Literal, get_args

from curation.synthesis.prompts.template import Prompt, Template, render

Kind = Literal["number", "choice", "exact", "json"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_SYSTEM = """\
You solve tasks. Think step by step, check your result, and write the steps down so that a reader can follow each of them.
{rule}"""

FINAL_LINE: dict[Kind, str] = {
    "number": 'End with one line that begins with "Answer: " and holds the final number and nothing else.',
    "choice": 'End with one line that begins with "Answer: " and holds the letter of your choice and nothing else.',
    "exact": 'End with one line that begins with "Answer: " and holds the final answer, as short as can be, and nothing else.',
    "json": 'End with one line that begins with "Answer: " and holds the final answer as JSON and nothing else.',
}
"""How a final answer is marked, so that a grader finds it."""

REASONING: dict[Kind, Template] = {
    kind: Template(
        template_id=f"reasoning_{kind}-1", system=_SYSTEM.replace("{rule}", FINAL_LINE[kind]), text="{question}", schema=None
    )
    for kind in KINDS
}


def render_reasoning(question: str, kind: Kind) -> Prompt:
    """Ask for a solution with its steps."""
    return render(REASONING[kind], question=question)
