"""The prompts of `evol_instruct`: one for each way in which an instruction grows, and one for a new one beside it.

render_evolution("How do I sort?", "add_constraints")          "evol_add_constraints-1"
"""

from typing import Literal, get_args

from curation.synthesis.prompts.invented import SYSTEM, enclose
from curation.synthesis.prompts.template import STRING, Prompt, Template, object_schema, render

Operation = Literal["add_constraints", "deepen", "concretise", "more_reasoning", "breadth"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)

_HARDER = """\
Task: evol_instruct
Questions: 1

{instruction}

Write a version of this task that is somewhat harder for an assistant: {how}
- Somewhat: ten to twenty words more, still a task that a person would send and that can be answered from its own text.
- Keep its language, and every text, number, table or piece of code that stands in it.
- Write the task only. Do not answer it, and do not speak of a task, version or text that was there before.
Reply with JSON: {{"instruction": "..."}}"""

_BESIDE = """\
Task: evol_instruct
Questions: 1

{instruction}

Write one entirely different task from the same field, of about the same length and difficulty, on something rarer.
- It must be a task that a person would send and that can be answered from its own text.
- Keep the language. Write the task only. Do not answer it, and do not speak of a task that was there before.
Reply with JSON: {{"instruction": "..."}}"""

_HOW: dict[Operation, str] = {
    "add_constraints": "add one more condition, limit or requirement that the answer must meet.",
    "deepen": "where it asks about something, make it ask deeper or wider about the same thing.",
    "concretise": "replace what is general in it by something more specific.",
    "more_reasoning": "where it can be solved in a few simple steps, make it need several steps of reasoning.",
}

EVOLUTIONS: dict[Operation, Template] = {
    operation: Template(
        template_id=f"evol_{operation}-1",
        system=SYSTEM,
        text=_BESIDE if operation == "breadth" else _HARDER.replace("{how}", _HOW[operation]),
        schema=object_schema({"instruction": STRING}),
    )
    for operation in OPERATIONS
}


def render_evolution(instruction: str, operation: Operation) -> Prompt:
    """Ask for the next version of an instruction."""
    return render(EVOLUTIONS[operation], instruction=enclose(instruction, "task"))
