"""The prompt of `conversation`: several turns about one document, each answer with its quote.

render_conversation(document, num_turns=3).template.template_id       "conversation-1"

The reply is a list of turns, a question and its answer each, so that no reply can break the alternation of roles.
"""

from curation.records import Document
from curation.synthesis.prompts.documents import SYSTEM, about, render_about
from curation.synthesis.prompts.template import STRING, Prompt, Template, object_schema

_CONVERSATION = """\
Write a conversation of exactly {num} turns between a person and an assistant that knows this document. A turn is what the
person says and what the assistant answers.
- The first turn must be understandable by itself: name what it is about. The person has not seen the document, so neither side
  ever mentions "the document" or "the text above".
- Later turns follow from what was said: a detail, a condition, a doubt, a next step. Each needs another part of the document.
- The person writes as people do: short, sometimes incomplete, but always understandable from what was said before.
- The assistant says only what the document says. Every number in its answers stands in the document.
- For each turn, copy the sentence or lines that support the answer, character by character, into "quote".
Reply with JSON: {{"turns": [{{"user": "...", "assistant": "...", "quote": "..."}}]}}"""

CONVERSATION = Template(
    template_id="conversation-1",
    system=SYSTEM,
    text=about("conversation", _CONVERSATION),
    schema=object_schema(
        {"turns": {"type": "array", "items": object_schema({"user": STRING, "assistant": STRING, "quote": STRING})}}
    ),
)


def render_conversation(document: Document, *, num_turns: int) -> Prompt:
    """Ask for a conversation about a document."""
    return render_about(CONVERSATION, document, num=num_turns)
