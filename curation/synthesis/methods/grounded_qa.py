"""Questions about a document, each with an answer that a verbatim quote supports. One call a document.

GroundedQa(GroundedQaConfig()).plan(inputs)[0].key        "guides/intro.md#grounded_qa"
"""

from collections.abc import Sequence

from curation.config import check, config
from curation.synthesis.asking import Ask, Session
from curation.synthesis.methods.about_document import Asked, read_answers
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.prompts.grounded import render_grounded_qa
from curation.synthesis.routes import MAX_QUESTIONS


@config
class GroundedQaConfig:
    """Questions with an answer that a verbatim quote from the document supports."""

    questions_per_document: int = 3
    """Questions that the teacher is asked for, for each document."""

    system_prompt: str = ""
    """System message of every example; empty: none."""

    def __post_init__(self) -> None:
        number = self.questions_per_document
        check(1 <= number <= MAX_QUESTIONS, "questions_per_document", f"must lie in 1..{MAX_QUESTIONS}", number)


class GroundedQa:
    """Asks for questions, answers and quotes."""

    name = "grounded_qa"

    def __init__(self, config: GroundedQaConfig) -> None:
        self._config = config

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return one unit a document."""
        return [Unit(key=f"{document.key}#{self.name}", payload=document) for document in inputs.documents]

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Ask about the documents and read the replies."""
        number = self._config.questions_per_document
        prompts = [render_grounded_qa(unit.payload, num_questions=number) for unit in units]
        asks = [Ask(key=unit.key, prompt=prompt, is_lenient=True) for unit, prompt in zip(units, prompts, strict=True)]
        answers = session.ask(asks)
        asked = [
            Asked(document=unit.payload, answer=answer, num_questions=number)
            for unit, answer in zip(units, answers, strict=True)
        ]
        return read_answers(asked, method=self.name, system_prompt=self._config.system_prompt)
