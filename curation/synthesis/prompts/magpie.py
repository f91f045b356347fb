"""The prompts of `magpie`: nothing but the beginning of a user's turn, so that the teacher writes what users write.

render_chat("cooking")          "magpie_chat-1": a system message alone, for endpoints that only chat
render_raw("cooking")           "magpie_raw-1": no message of ours at all; the template of the model goes with the ask
"""

from curation.records import Message
from curation.synthesis.prompts.template import Prompt, Template

_CHAT = """\
You are a person who uses an AI assistant{about}. Your next message is the first one that you send to it. Write that message and
nothing else: no greeting from an assistant, no answer, no quotation marks, no explanation. It asks for one thing, is written in
your own words, and can be answered from its own text."""

MAGPIE_CHAT = Template(template_id="magpie_chat-1", system=_CHAT, text="", schema=None)
MAGPIE_RAW = Template(template_id="magpie_raw-1", system="", text="", schema=None)


def render_chat(topic: str) -> Prompt:
    """Ask for a user's message; there is no user's message in the prompt."""
    text = _CHAT.replace("{about}", f" about {' '.join(topic.split())}" if topic else "")
    return Prompt(template=MAGPIE_CHAT, messages=(Message(role="system", content=text),))


def render_raw(topic: str) -> Prompt:
    """Return the system message of the conversation whose user's turn the model writes; what is sent is `raw_prompt`."""
    text = f"You are a helpful assistant for questions about {' '.join(topic.split())}." if topic else ""
    return Prompt(template=MAGPIE_RAW, messages=(Message(role="system", content=text),) if text else ())
