"""The prompt of `raft`: questions about one chunk, with reasoning, answer and quotes.

render_raft(chunk, num=1).template.template_id       "raft-1"

The teacher is shown the oracle only. The distractors come from the corpus, so a corpus that grows costs no new call for
what was there.
"""

from curation.records import Document
from curation.synthesis.prompts.documents import SYSTEM, about, render_about
from curation.synthesis.prompts.template import STRING, Prompt, Template, object_schema

_RAFT = """\
Write {num} different questions that this document answers and that could only be answered from a document like it.
- Each question must be understandable among many documents: name what it is about, never "this document" or "the text above".
- Copy what the answer rests on, character by character, into "quotes": one to three sentences or lines, as short as will do.
- In "reasoning", say in one to three sentences how the quotes lead to the answer.
- The answer is short: one sentence if that will do. Every number in it stands in the document.
Reply with JSON: {{"questions": [{{"question": "...", "quotes": ["..."], "reasoning": "...", "answer": "..."}}]}}"""

RAFT = Template(
    template_id="raft-1",
    system=SYSTEM,
    text=about("raft", _RAFT),
    schema=object_schema(
        {
            "questions": {
                "type": "array",
                "items": object_schema(
                    {
                        "question": STRING,
                        "quotes": {"type": "array", "items": STRING},
                        "reasoning": STRING,
                        "answer": STRING,
                    }
                ),
            }
        }
    ),
)


def render_raft(document: Document, *, num: int) -> Prompt:
    """Ask for questions about a chunk, each with its quotes, reasoning and answer."""
    return render_about(RAFT, document, num=num)
