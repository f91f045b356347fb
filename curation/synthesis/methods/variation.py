"""`variation`: the same request in other words, or as another person would write it.

    method = Variation(VariationConfig(kinds=("persona",), personas=("A tired night nurse.", "A student in haste.")))
    made = method.make(method.plan(Inputs(examples=demonstrations)), session)
    made.examples[0].key             "faq/7#variation/persona/0/0"

The last message of the prompt is reworded. Its numbers, negations, names, code and quoted text must stay, in their order
(`curation.duplicates.siblings`): a "variation" without its "not" asks for something else. The answer stays as it is, or is
rewritten under the same rule. Personas come from the recipe, drawn by hash, or the teacher invents one for each request (Ge et
al. 2024, "Scaling synthetic data creation with 1,000,000,000 personas", arXiv 2406.20094).
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from curation.config import check, config
from curation.duplicates.siblings import are_siblings, read_marks
from curation.ids import stable_bucket, stable_fraction
from curation.records import Example, Message, record_hash
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.grounding import read_answer
from curation.synthesis.injection import find_instructions
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.methods.tally import Tally
from curation.synthesis.parse import UnusableError, check_text
from curation.synthesis.prompts.template import Prompt
from curation.synthesis.prompts.variation import render_answer, render_new_persona, render_paraphrase, render_persona

Kind = Literal["paraphrase", "persona"]
MIN_PROMPT_CHARS, MAX_PROMPT_CHARS = 2, 20_000
MAX_PERSONA_CHARS = 400
MAX_GROWTH = 3.0
"""A variation that is this many times longer than the request has become another one."""


@config
class VariationConfig:
    """Variations of each demonstration."""

    kinds: tuple[Kind, ...] = ("paraphrase",)
    """`paraphrase`: in other words. `persona`: as somebody else would write it."""

    per_example: int = 1
    """Variations of each kind for each demonstration."""

    personas: tuple[str, ...] = ()
    """One sentence for each person; which one writes is drawn by hash. Empty: the teacher invents one for each request."""

    answer: Literal["keep", "rewrite"] = "keep"
    """Whether the answer stays word for word, or the teacher words it anew to fit."""

    def __post_init__(self) -> None:
        distinct = 0 < len(self.kinds) == len(set(self.kinds))
        check(distinct, "kinds", "needs at least one kind, each once", list(self.kinds))
        check(1 <= self.per_example <= 20, "per_example", "must lie in 1..20", self.per_example)
        useful = "persona" in self.kinds or not self.personas
        check(useful, "personas", "has no effect without the kind 'persona'", list(self.personas))
        usable = all(0 < len(text.strip()) <= MAX_PERSONA_CHARS for text in self.personas)
        check(usable, "personas", f"must be sentences of 1 to {MAX_PERSONA_CHARS} characters", list(self.personas))
        check(len(set(self.personas)) == len(self.personas), "personas", "must differ", list(self.personas))


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What a unit asks for."""

    example: Example
    kind: Kind
    number: int
    persona: str
    """Empty where the teacher invents one, or none is needed."""

    @property
    def request(self) -> str:
        """What is reworded: the last message of the prompt."""
        return self.example.prompt[-1].content


@dataclass(frozen=True, kw_only=True)
class _Variant:
    """A reworded request on its way to a row."""

    unit: Unit
    answer: Answer
    text: str
    earlier: tuple[str, ...]
    """Calls before this one: the persona's."""


class Variation:
    """Makes rows of rows."""

    name = "variation"

    def __init__(self, config: VariationConfig) -> None:
        self.config = config

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return a unit for each variation. Rows whose prompt does not end with what a person wrote are left alone."""
        rows = [
            row for row in inputs.examples if row.prompt and row.prompt[-1].role == "user" and row.prompt[-1].content.strip()
        ]
        units = [
            self._unit(row, kind, number, inputs.seed)
            for row in rows
            for kind in self.config.kinds
            for number in range(self.config.per_example)
        ]
        return sorted(units, key=lambda unit: stable_fraction(unit.key, f"{self.name} {inputs.seed}"))

    def _unit(self, row: Example, kind: Kind, number: int, seed: int) -> Unit:
        key = f"{row.key}#{self.name}/{kind}/{number}"
        personas = self.config.personas if kind == "persona" else ()
        persona = personas[stable_bucket(key, len(personas), salt=f"persona {seed}")] if personas else ""
        return Unit(key=key, slice=kind, payload=_Work(example=row, kind=kind, number=number, persona=persona))

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Ask in up to three rounds: for personas, for requests, for answers. Each unit ends as one row or one rejection."""
        tally = Tally()
        personas = self._find_personas(units, session, tally)
        asked = [unit for unit in units if unit.key in personas]
        asks = [
            Ask(key=unit.key, prompt=_prompt(unit.payload, personas[unit.key][0]), sample_index=unit.payload.number)
            for unit in asked
        ]
        variants: list[_Variant] = []
        for unit, answer in zip(asked, session.ask(asks) if asks else [], strict=True):
            digest = record_hash(unit.payload.example)
            if answer.problem is not None:
                tally.reject(answer, digest)
                continue
            with tally.guard(answer, f"{unit.key}/0", digest):
                text = read_variant(answer.value["prompt"], unit.payload.request)
                variants.append(_Variant(unit=unit, answer=answer, text=text, earlier=personas[unit.key][1]))
        self._add_answers(variants, session, tally)
        return tally.made({"share_kept": len(tally.examples) / max(1, len(units))})

    def _find_personas(self, units: Sequence[Unit], session: Session, tally: Tally) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Return the persona of each unit (empty for paraphrases) and the calls that it took."""
        found = {
            unit.key: (unit.payload.persona, ()) for unit in units if unit.payload.persona or unit.payload.kind != "persona"
        }
        personas: dict[str, tuple[str, tuple[str, ...]]] = dict(found)
        missing = [unit for unit in units if unit.key not in personas]
        asks = [
            Ask(key=unit.key, prompt=render_new_persona(unit.payload.request), sample_index=unit.payload.number)
            for unit in missing
        ]
        for unit, answer in zip(missing, session.ask(asks) if asks else [], strict=True):
            digest = record_hash(unit.payload.example)
            if answer.problem is not None:
                tally.reject(answer, digest)
                continue
            with tally.guard(answer, f"{unit.key}/0", digest):
                text = " ".join(answer.value["persona"].split())
                check_text(text, "persona", 8, MAX_PERSONA_CHARS)
                personas[unit.key] = (text, answer.request_ids)
        return personas

    def _add_answers(self, variants: Sequence[_Variant], session: Session, tally: Tally) -> None:
        if self.config.answer == "keep":
            for variant in variants:
                tally.examples.append(self._build(variant, variant.unit.payload.example.messages[-1]))
            return
        asks = [
            Ask(
                key=f"{variant.unit.key}~answer",
                prompt=render_answer(variant.unit.payload.request, variant.unit.payload.example.answer, variant.text),
                sample_index=variant.unit.payload.number,
            )
            for variant in variants
        ]
        for variant, answer in zip(variants, session.ask(asks) if asks else [], strict=True):
            digest = record_hash(variant.unit.payload.example)
            if answer.problem is not None:
                tally.reject(answer, digest, key=variant.unit.key)
                continue
            with tally.guard(answer, f"{variant.unit.key}/0", digest):
                text = read_answer(answer.value["answer"])
                check_same_marks(variant.unit.payload.example.answer, text, "answer")
                row = self._build(variant, Message(role="assistant", content=text))
                tally.examples.append(tally.also_asked(row, answer))

    def _build(self, variant: _Variant, answer: Message) -> Example:
        row: Example = variant.unit.payload.example
        origin = row.provenance
        changed = dataclasses.replace(row.prompt[-1], content=variant.text)
        provenance = variant.answer.provenance(
            method=self.name,
            license=origin.license,
            output_terms=tuple(filter(None, origin.output_terms.split("; "))),
            spans=origin.spans,
            parents=(row.key,),
            generation_depth=origin.generation_depth + 1,
            request_ids=variant.earlier,
        )
        return dataclasses.replace(
            row, key=f"{variant.unit.key}/0", messages=(*row.prompt[:-1], changed, answer), split="", provenance=provenance
        )


def _prompt(work: _Work, persona: str) -> Prompt:
    return render_persona(work.request, persona) if work.kind == "persona" else render_paraphrase(work.request)


def read_variant(text: str, request: str) -> str:
    """Return a reworded request.

    Raises:
        UnusableError: if it is the same, far longer, or asks for something else.
    """
    variant = text.strip()
    check_text(variant, "prompt", MIN_PROMPT_CHARS, MAX_PROMPT_CHARS)
    if read_marks(variant).words == read_marks(request).words:
        raise UnusableError("unchanged", "The variation has the same words as the request.")
    if len(variant) > MAX_GROWTH * max(len(request), 80):
        raise UnusableError("grown", f"The variation has {len(variant)} characters, the request {len(request)}.")
    if find_instructions(variant) and not find_instructions(request):
        raise UnusableError("instruction_in_reply", "The variation tries to instruct its reader, which the request does not.")
    check_same_marks(request, variant, "variation")
    return variant


def check_same_marks(before: str, after: str, what: str) -> None:
    """Check that a reworded text has the numbers, negations and identifiers of the text before, in their order.

    Raises:
        UnusableError: `numbers_changed`, `negation_changed`, or `meaning_changed` (names, code, opposites).
    """
    old, new = read_marks(before), read_marks(after)
    if old.numbers != new.numbers:
        raise UnusableError("numbers_changed", f"The {what} has other numbers: {_few(new.numbers)} for {_few(old.numbers)}.")
    if old.negations != new.negations:
        raise UnusableError(
            "negation_changed", f"The {what} negates differently: {_few(new.negations)} for {_few(old.negations)}."
        )
    if are_siblings(old, new):
        raise UnusableError("meaning_changed", f"The {what} has other names, code or opposites than the text that it rewords.")


def _few(values: Sequence[str]) -> str:
    return ", ".join(values[:5])[:80] or "none"
