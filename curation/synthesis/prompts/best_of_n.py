"""The prompt of `best_of_n` is the row's own: the model is asked exactly as it will be in use.

render_sample(example.prompt).messages == example.prompt
"""

from collections.abc import Sequence

from curation.records import Message
from curation.synthesis.prompts.template import Prompt, Template

SAMPLE = Template(template_id="best_of_n-1", system="", text="{request}", schema=None)


def render_sample(messages: Sequence[Message]) -> Prompt:
    """Ask with a row's own messages and nothing else."""
    return Prompt(template=SAMPLE, messages=tuple(messages))
