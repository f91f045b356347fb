"""The prompt of `self_instruct`: new instructions beside those of a few seeds.

render_new_instructions(["How do I sort?", "Name three seas."], num=4)        "self_instruct-1"
"""

from collections.abc import Sequence

from curation.synthesis.prompts.invented import SYSTEM, enclose
from curation.synthesis.prompts.template import STRING, Prompt, Template, object_schema, render

_NEW_INSTRUCTIONS = """\
Task: self_instruct
Questions: {num}

{seeds}

These are {num_seeds} tasks that people gave to an assistant. Write {num} more tasks that the same people could give to it.
- Each is a new task: other subject, other verb, other kind of answer than the seeds and than each other.
- Vary kind and form: questions, requests, classification, rewriting, explanation, calculation; short and long.
- Each can be answered from its own text alone: put in every text, number or table that it speaks of, and ask for nothing that
  needs a picture, a file, the internet or an action in the world.
- Write the task only, never its answer, and keep to the language of the seeds.
Reply with JSON: {{"instructions": ["...", "..."]}}"""

NEW_INSTRUCTIONS = Template(
    template_id="self_instruct-1",
    system=SYSTEM,
    text=_NEW_INSTRUCTIONS,
    schema=object_schema({"instructions": {"type": "array", "items": STRING}}),
)


def render_new_instructions(seeds: Sequence[str], *, num: int) -> Prompt:
    """Ask for `num` new instructions; `seeds` are the instructions of demonstrations or of accepted rows."""
    fenced = "\n".join(enclose(seed, "seed") for seed in seeds)
    return render(NEW_INSTRUCTIONS, num=num, num_seeds=len(seeds), seeds=fenced)
