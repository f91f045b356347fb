"""Evol-Instruct: instructions grow harder step by step, or give way to rarer ones; failed evolutions are told and dropped.

    method = EvolInstruct(EvolInstructConfig(rounds=2))
    made = method.make(method.plan(Inputs(examples=demonstrations)), session)
    made.examples[0].key         "faq/1#evol_instruct/0/1": the second step of the first chain of a seed

Xu et al., "WizardLM: empowering large language models to follow complex instructions", 2023. Each chain starts at a seed;
each step is drawn by stable hash among the operations of the recipe and starts from the last good step. Every good step is
answered and becomes a row whose parent is the step before.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from curation.config import check, config
from curation.ids import stable_bucket, stable_fraction
from curation.records import Example
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.methods.invented_rows import InventedRows, check_request, conversation, origin_of, request_in
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.novelty import gram_similarity
from curation.synthesis.parse import UnusableError
from curation.synthesis.prompts.evol_instruct import OPERATIONS, Operation, render_evolution
from curation.synthesis.prompts.invented import render_answer

MAX_ROUNDS = 4
_WORD = re.compile(r"\w+")
_SPEAKS_OF_PROMPT = re.compile(
    r"#\s?(?:the )?(?:given|rewritten|created|original|new) (?:prompt|task|instruction)"
    r"|\b(?:given|rewritten|created|original|evolved|harder|previous) (?:prompt|task|instruction|version)\b"
    r"|\b(?:harder|new) version of (?:this|the) (?:task|prompt)\b|</?task mark=",
    re.I,
)
_SAID_IN_PROMPT = (
    "do not answer it",
    "write the task only",
    "still a task that a person would send",
    "of about the same length and difficulty",
    "reply with json",
)


@config
class EvolInstructConfig:
    """Harder and rarer versions of demonstrations."""

    operations: tuple[Operation, ...] = OPERATIONS
    """Ways to evolve: `add_constraints`, `deepen`, `concretise`, `more_reasoning` make the instruction harder, `breadth` puts a
    rarer one of the same field in its place."""

    rounds: int = 2
    """Steps of each chain. Every step is one generation more between the row and people."""

    chains_per_seed: int = 1
    """Chains that start at each demonstration."""

    max_similarity: float = 0.9
    """Jaccard similarity of character 5-grams from which a step is a copy of the one before, 0 to 1. A step
    without a word that is new is a copy as well."""

    max_instruction_chars: int = 3_000
    """Longer instructions have failed."""

    system_prompt: str = ""
    """System message of every example; empty: none."""

    def __post_init__(self) -> None:
        distinct = 0 < len(self.operations) == len(set(self.operations))
        check(distinct, "operations", "needs at least one operation, each once", list(self.operations))
        unknown = [name for name in self.operations if name not in OPERATIONS]
        check(not unknown, "operations", f"must be of {', '.join(OPERATIONS)}", unknown)
        check(1 <= self.rounds <= MAX_ROUNDS, "rounds", f"must lie in 1..{MAX_ROUNDS}", self.rounds)
        check(1 <= self.chains_per_seed <= 20, "chains_per_seed", "must lie in 1..20", self.chains_per_seed)
        check(0 < self.max_similarity <= 1, "max_similarity", "must lie in (0, 1]", self.max_similarity)
        limit = self.max_instruction_chars
        check(20 <= limit <= 8_000, "max_instruction_chars", "must lie in 20..8000", limit)


@dataclass(frozen=True, kw_only=True)
class _Chain:
    """The payload of a unit."""

    start: Example
    seed: int


@dataclass(frozen=True, kw_only=True)
class _Step:
    """An evolved instruction that is worth an answer."""

    key: str
    unit: Unit
    parent: Example
    text: str
    evolved: Answer


class EvolInstruct:
    """See the module."""

    name = "evol_instruct"

    def __init__(self, config: EvolInstructConfig) -> None:
        self.config = config

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return the chains that start at single-turn demonstrations."""
        units = [
            Unit(key=f"{example.key}#{self.name}/{number}", payload=_Chain(start=example, seed=inputs.seed))
            for example in inputs.examples
            if 0 < len(request_in(example)) <= self.config.max_instruction_chars
            for number in range(self.config.chains_per_seed)
        ]
        return sorted(units, key=lambda unit: (stable_fraction(unit.key, f"order {inputs.seed}"), unit.key))

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Take all chains one step at a time; a failed step is a rejection, and its chain goes on from the last good one."""
        rows = InventedRows(self.name)
        units = [unit for unit in units if not _is_refused(unit, rows)]
        last = {unit.key: unit.payload.start for unit in units}
        num_failed = 0
        for turn in range(self.config.rounds):
            steps = self._evolve(units, last, turn, session, rows)
            num_failed += len(units) - len(steps)
            answers = session.ask([Ask(key=step.key, prompt=render_answer(step.text)) for step in steps])
            for step, answer in zip(steps, answers, strict=True):
                row = self._add(step, answer, rows)
                num_failed += row is None
                if row is not None:
                    last[step.unit.key] = row
        return rows.made(**({"failed_evolutions": num_failed / (len(units) * self.config.rounds)} if units else {}))

    def _evolve(
        self, units: Sequence[Unit], last: dict[str, Example], turn: int, session: Session, rows: InventedRows
    ) -> list[_Step]:
        asks = [
            Ask(
                key=f"{unit.key}/{turn}",
                prompt=render_evolution(request_in(last[unit.key]), self._operation(unit, turn)),
                sample_index=MAX_ROUNDS * int(unit.key.rpartition("/")[2]) + turn,
            )
            for unit in units
        ]
        steps: list[_Step] = []
        for unit, answer in zip(units, session.ask(asks), strict=True):
            parent = last[unit.key]
            if rows.refuse(answer, answer.ask.key, origin_of([parent])):
                continue
            text = answer.value["instruction"].strip()
            try:
                self._check(text, request_in(parent))
            except UnusableError as problem:
                rows.reject(answer.ask.key, origin_of([parent]), problem, text)
                continue
            steps.append(_Step(key=answer.ask.key, unit=unit, parent=parent, text=text, evolved=answer))
        return steps

    def _operation(self, unit: Unit, turn: int) -> Operation:
        """Return the operation of a step: the chains of a seed begin with different ones where there are enough."""
        start, _, number = unit.key.rpartition("/")
        first = stable_bucket(start, len(self.config.operations), salt=f"operation {unit.payload.seed}")
        jump = stable_bucket(f"{unit.key}\n{turn}", len(self.config.operations), salt=f"step {unit.payload.seed}")
        return self.config.operations[(first + int(number) + (jump if turn else 0)) % len(self.config.operations)]

    def _check(self, text: str, parent: str) -> None:
        """Tell a failed evolution. Raises UnusableError."""
        check_request(text, maximum=self.config.max_instruction_chars)
        words, before = _WORD.findall(text.casefold()), _WORD.findall(parent.casefold())
        if words == before:
            raise UnusableError("no_change", "The evolved instruction is the one before.")
        similarity = gram_similarity(text, parent)
        if similarity >= self.config.max_similarity or set(words) <= set(before):
            raise UnusableError("near_copy", f"The evolved instruction is nearly the one before (similarity {similarity:.2f}).")
        found = _SPEAKS_OF_PROMPT.search(text)
        if found is not None and found[0].casefold() not in parent.casefold():
            raise UnusableError("speaks_of_prompt", f"The evolved instruction speaks of the prompt: '{found[0]}'.")
        copied = next((said for said in _SAID_IN_PROMPT if said in text.casefold() and said not in parent.casefold()), None)
        if copied is not None:
            raise UnusableError("copies_prompt", f"The evolved instruction copies the prompt: '{copied}'.")

    def _add(self, step: _Step, answer: Answer, rows: InventedRows) -> Example | None:
        origin = origin_of([step.parent])
        if rows.refuse(answer, step.key, origin):
            return None
        if gram_similarity(answer.text, step.text) >= self.config.max_similarity:
            problem = UnusableError("copies_instruction", "The answer repeats the instruction.")
            rows.reject(step.key, origin, problem, answer.text)
            return None
        messages = conversation(step.text, answer.text, self.config.system_prompt)
        return rows.add_example(step.key, messages, answer, origin=origin, earlier=step.evolved.request_ids)


def _is_refused(unit: Unit, rows: InventedRows) -> bool:
    start = unit.payload.start
    return rows.refuse_source(unit.key, origin_of([start]), request_in(start))
