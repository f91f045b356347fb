"""Questions whose answer is the part of an API that a document belongs to. The teacher never sees the answer.

Routing(RoutingConfig(routes=...)).plan(inputs)[0].key    "api/polars.Expr.str.head#routing"
"""

from collections.abc import Sequence

from curation.records import Document, Rejection, record_hash
from curation.synthesis.asking import Ask, Session
from curation.synthesis.methods.about_document import Asked, read_answers
from curation.synthesis.methods.method import STAGE, Inputs, Made, Unit
from curation.synthesis.parse import excerpt_of
from curation.synthesis.prompts.grounded import render_routing
from curation.synthesis.routes import RoutingConfig, answer_of, route_of


class Routing:
    """Asks for questions; the label comes from the document's title."""

    name = "routing"

    def __init__(self, config: RoutingConfig) -> None:
        self._config = config

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return one unit a document, in the slice of its label; documents without one have none and end as rejections."""
        labels = [(document, route_of(document.title, self._config)) for document in inputs.documents]
        return [Unit(key=f"{item.key}#{self.name}", slice=label or "", payload=item) for item, label in labels]

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Ask about the documents that have a label and read the replies."""
        number = self._config.questions_per_document
        asked = [unit for unit in units if unit.slice]
        prompts = [render_routing(unit.payload, num_questions=number) for unit in asked]
        asks = [Ask(key=unit.key, prompt=prompt, is_lenient=True) for unit, prompt in zip(asked, prompts, strict=True)]
        items = [
            Asked(
                document=unit.payload,
                answer=answer,
                num_questions=number,
                known_answer=answer_of(unit.slice, self._config),
            )
            for unit, answer in zip(asked, session.ask(asks), strict=True)
        ]
        without = tuple(_without_label(unit) for unit in units if not unit.slice)
        return Made(rejections=without) + read_answers(items, method=self.name, system_prompt=self._config.system_prompt)


def _without_label(unit: Unit) -> Rejection:
    document: Document = unit.payload
    return Rejection(
        key=unit.key,
        stage=STAGE,
        reason="no_route",
        detail=f"No pattern of generate.routing.routes fits the title '{document.title[:200]}'.",
        record_hash=record_hash(document),
        excerpt=excerpt_of(document.text),
    )
