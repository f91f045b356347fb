"""The prompts of `document_qa`: questions that a document answers, questions that it does not, and the check of the latter.

render_questions(document, num=3).template.template_id       "document_qa-1"
"""

from collections.abc import Sequence

from curation.ids import canonical_json
from curation.records import Document
from curation.synthesis.prompts.documents import SYSTEM, about, render_about
from curation.synthesis.prompts.template import STRING, Prompt, Template, object_schema

_ANSWERED = """\
Write {num} different questions that this document answers, each with its answer.
- Each question must be understandable by itself: name what it is about, never "this document" or "the text above".
- Vary them: facts, reasons, conditions, steps, limits. Ask as people who need the answer would.
- The answer says only what the document says, in one to three sentences. Every number in it stands in the document.
- Copy the sentences or lines that support the answer, character by character, into "quotes": one to three, as short as will do.
Reply with JSON: {{"questions": [{{"question": "...", "answer": "...", "quotes": ["..."]}}]}}"""

_UNANSWERED = """\
Write {num} different questions that somebody who reads about this subject could well ask, and that this document does not
answer, not even in part.
- They must sound as if the document might answer them: same subject, same words, same level of detail.
- Each must be understandable by itself: name what it is about, never "this document" or "the text above".
- Do not ask about what the document says, and build no question on something false.
- In "missing", say in one sentence what the document would have to say.
Reply with JSON: {{"questions": [{{"question": "...", "missing": "..."}}]}}"""

_CHECK = """\
Here are {num} questions, one JSON object a line:
{questions}

For each, look for the answer in the document. If the document answers the question, even in part, copy the sentence or line
that does so, character by character, into "quote". If it does not, leave "quote" empty. Do not answer from what you know.
Reply with JSON, one entry for each question, in order: {{"answers": [{{"quote": "..."}}]}}"""

DOCUMENT_QA = Template(
    template_id="document_qa-1",
    system=SYSTEM,
    text=about("document_qa", _ANSWERED),
    schema=object_schema(
        {
            "questions": {
                "type": "array",
                "items": object_schema(
                    {"question": STRING, "answer": STRING, "quotes": {"type": "array", "items": STRING}},
                ),
            }
        }
    ),
)
UNANSWERABLE = Template(
    template_id="unanswerable-1",
    system=SYSTEM,
    text=about("unanswerable", _UNANSWERED),
    schema=object_schema({"questions": {"type": "array", "items": object_schema({"question": STRING, "missing": STRING})}}),
)
ANSWER_CHECK = Template(
    template_id="answer_check-1",
    system=SYSTEM,
    text=about("answer_check", _CHECK),
    schema=object_schema({"answers": {"type": "array", "items": object_schema({"quote": STRING})}}),
)


def render_questions(document: Document, *, num: int) -> Prompt:
    """Ask for questions with answers and the quotes that support them."""
    return render_about(DOCUMENT_QA, document, num=num)


def render_unanswerable(document: Document, *, num: int) -> Prompt:
    """Ask for plausible questions that the document does not answer."""
    return render_about(UNANSWERABLE, document, num=num)


def render_answer_check(document: Document, questions: Sequence[str]) -> Prompt:
    """Ask where the document answers each of some questions; an empty quote says that it does not."""
    lines = "\n".join(canonical_json({"question": question}) for question in questions)
    return render_about(ANSWER_CHECK, document, num=len(questions), questions=lines)
