"""The prompt of `conversion`: from a raw record (ticket, thread, log of a chat) to one request and the answer that solved it.

render_conversion(document).template.template_id       "conversion-1"
"""

from curation.records import Document
from curation.synthesis.prompts.documents import SYSTEM, about, render_about
from curation.synthesis.prompts.template import STRING, Prompt, Template, object_schema

_CONVERSION = """\
This document is a raw record: a ticket, a thread, a log of a chat or of mails. Turn it into one example of a request and its
good answer.
- "prompt" is what the person asks for, in the person's words as far as possible, and complete: add what is known only from the
  rest of the record. Leave out greetings, signatures, names of people, addresses and numbers of customers or orders.
- "answer" is the solution that the record itself gives, as one helpful reply. Add nothing that the record does not say.
- Copy the lines that the prompt rests on, character by character, into "prompt_quotes", and those that the answer rests on into
  "answer_quotes".
- If the record holds no solution, or the solution was wrong, set "is_solved" to false and leave the rest empty.
Reply with JSON: {{"is_solved": true, "prompt": "...", "prompt_quotes": ["..."], "answer": "...", "answer_quotes": ["..."]}}"""

_QUOTES = {"type": "array", "items": STRING}
CONVERSION = Template(
    template_id="conversion-1",
    system=SYSTEM,
    text=about("conversion", _CONVERSION),
    schema=object_schema(
        {
            "is_solved": {"type": "boolean"},
            "prompt": STRING,
            "prompt_quotes": _QUOTES,
            "answer": STRING,
            "answer_quotes": _QUOTES,
        }
    ),
)


def render_conversion(document: Document) -> Prompt:
    """Ask for the request and the answer that a raw record holds."""
    return render_about(CONVERSION, document, num=1)
