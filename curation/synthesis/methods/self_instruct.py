"""Self-Instruct: new instructions beside those of a few seeds, kept if they are new, then answered.

    method = SelfInstruct(SelfInstructConfig(instructions_per_seed=2))
    made = method.make(method.plan(Inputs(examples=demonstrations)), session)
    made.examples[0].key         "faq/1#self_instruct/0"

Wang et al., "Self-Instruct: aligning language models with self-generated instructions", 2022. Each seed leads one prompt; the
other seeds in it are drawn by stable hash, so a seed more changes only the prompts that it is drawn into. A second round
puts one accepted row of the same seed among the seeds: its rows are two generations from people's, and no row is three.
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from curation.config import check, config
from curation.ids import stable_bucket, stable_fraction
from curation.records import Example
from curation.synthesis.asking import Ask, Session
from curation.synthesis.injection import find_instructions
from curation.synthesis.methods.invented_rows import InventedRows, check_request, conversation, origin_of, request_in
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.novelty import NoveltyPool
from curation.synthesis.parse import UnusableError
from curation.synthesis.prompts.invented import render_answer
from curation.synthesis.prompts.self_instruct import render_new_instructions

MAX_DEPTH = 2
"""Most generations between a row and a person's."""


@config
class SelfInstructConfig:
    """New instructions from demonstrations."""

    instructions_per_seed: int = 4
    """Instructions that the teacher is asked for, for each demonstration and round."""

    seeds_per_prompt: int = 4
    """Seeds shown in each prompt: the one that leads it and others drawn by stable hash."""

    rounds: int = 1
    """1: only demonstrations are seeds. 2: a second round shows an accepted row of the first among the seeds."""

    max_similarity: float = 0.6
    """Jaccard similarity of character 5-grams from which an instruction repeats a demonstration or another row, 0.5 to 1;
    1 refuses nothing."""

    sibling_guard: bool = False
    """Let instructions in that differ from another by a number, a name or a negation only."""

    system_prompt: str = ""
    """System message of every example; empty: none."""

    def __post_init__(self) -> None:
        number = self.instructions_per_seed
        check(1 <= number <= 50, "instructions_per_seed", "must lie in 1..50", number)
        check(1 <= self.seeds_per_prompt <= 16, "seeds_per_prompt", "must lie in 1..16", self.seeds_per_prompt)
        check(1 <= self.rounds <= MAX_DEPTH, "rounds", f"must lie in 1..{MAX_DEPTH}", self.rounds)
        check(0.5 <= self.max_similarity <= 1, "max_similarity", "must lie in [0.5, 1]", self.max_similarity)
        guarded = not self.sibling_guard or self.max_similarity < 1
        check(guarded, "sibling_guard", "has no effect with max_similarity 1", self.sibling_guard)


@dataclass(frozen=True, kw_only=True)
class _Seeds:
    """The payload of a unit."""

    seeds: tuple[Example, ...]
    pool: NoveltyPool
    seed: int


@dataclass(frozen=True, kw_only=True)
class _Proposal:
    """An instruction that was proposed."""

    key: str
    unit: Unit
    text: str
    seeds: tuple[Example, ...]
    request_ids: tuple[str, ...]


class SelfInstruct:
    """See the module."""

    name = "self_instruct"

    def __init__(self, config: SelfInstructConfig) -> None:
        self.config = config

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return one unit for each single-turn demonstration; all share one pool, which grows as units are made."""
        usable = [example for example in inputs.examples if request_in(example)]
        pool = NoveltyPool(
            [(example.key, request_in(example)) for example in usable],
            max_similarity=self.config.max_similarity,
            sibling_guard=self.config.sibling_guard,
        )
        fresh = [example for example in usable if example.provenance.generation_depth < MAX_DEPTH]
        plain = [example for example in fresh if not find_instructions(request_in(example))]
        ring = _Ring(plain, f"{self.name} {inputs.seed}")
        units = [
            Unit(
                key=f"{example.key}#{self.name}",
                payload=_Seeds(seeds=ring.draw(example, self.config.seeds_per_prompt), pool=pool, seed=inputs.seed),
            )
            for example in fresh
        ]
        return sorted(units, key=lambda unit: stable_fraction(unit.key, f"order {inputs.seed}"))

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Ask for instructions, keep the new ones, ask for their answers; then once more if the recipe says so."""
        rows = InventedRows(self.name)
        seeds_of = {unit.key: unit.payload.seeds for unit in units if not _is_refused(unit, rows)}
        num_new = num_proposed = 0
        for turn in range(self.config.rounds):
            asked = [unit for unit in units if unit.key in seeds_of]
            proposed = self._propose(asked, seeds_of, turn, session, rows)
            new = self._keep_new(proposed, rows)
            num_new, num_proposed = num_new + len(new), num_proposed + len(proposed)
            accepted = self._answer(new, session, rows)
            seeds_of = {unit.key: _with_row(unit, accepted[unit.key]) for unit in asked if unit.key in accepted}
            seeds_of = {key: seeds for key, seeds in seeds_of.items() if _depth(seeds) < MAX_DEPTH}
        return rows.made(**({"novelty": num_new / num_proposed} if num_proposed else {}))

    def _propose(
        self, units: Sequence[Unit], seeds_of: dict[str, tuple[Example, ...]], turn: int, session: Session, rows: InventedRows
    ) -> list[_Proposal]:
        """Return the instructions that can be read; each place of each reply is one row's key."""
        number = self.config.instructions_per_seed
        asks = [
            Ask(
                key=unit.key,
                prompt=render_new_instructions([request_in(seed) for seed in seeds_of[unit.key]], num=number),
            )
            for unit in units
        ]
        found: list[_Proposal] = []
        for unit, answer in zip(units, session.ask(asks), strict=True):
            seeds = seeds_of[unit.key]
            if rows.refuse(answer, f"{unit.key}/{turn * number}" if turn else unit.key, origin_of(seeds)):
                continue
            texts = answer.value["instructions"]
            if not texts:
                rows.reject(unit.key, origin_of(seeds), UnusableError("empty_reply", "The reply holds no instruction."), "")
            for place, text in enumerate(texts):
                key = f"{unit.key}/{turn * number + place}"
                try:
                    if place >= number:
                        key = f"{unit.key}/surplus/{turn}/{place}"
                        raise UnusableError("surplus_instruction", f"Only {number} instructions were asked for.")
                    check_request(text.strip())
                except UnusableError as problem:
                    rows.reject(key, origin_of(seeds), problem, text)
                    continue
                found.append(_Proposal(key=key, unit=unit, text=text.strip(), seeds=seeds, request_ids=answer.request_ids))
        return found

    def _keep_new(self, proposed: Sequence[_Proposal], rows: InventedRows) -> list[_Proposal]:
        if not proposed:
            return []
        repeats = proposed[0].unit.payload.pool.admit([(item.key, item.text) for item in proposed])
        for at, repeat in repeats.items():
            item = proposed[at]
            detail = f"The instruction repeats '{repeat.key[:200]}' (similarity {repeat.similarity:.2f})."
            problem = UnusableError("not_new", detail)
            rows.reject(item.key, origin_of(item.seeds), problem, item.text, other_key=repeat.key)
        return [item for at, item in enumerate(proposed) if at not in repeats]

    def _answer(self, new: Sequence[_Proposal], session: Session, rows: InventedRows) -> dict[str, list[Example]]:
        """Ask for the answers; return the accepted rows by unit."""
        accepted: dict[str, list[Example]] = {}
        asks = [Ask(key=item.key, prompt=render_answer(item.text)) for item in new]
        for item, answer in zip(new, session.ask(asks), strict=True):
            origin = origin_of(item.seeds)
            if rows.refuse(answer, item.key, origin):
                continue
            messages = conversation(item.text, answer.text, self.config.system_prompt)
            example = rows.add_example(item.key, messages, answer, origin=origin, earlier=item.request_ids)
            if example is not None:
                accepted.setdefault(item.unit.key, []).append(example)
        return accepted


def _is_refused(unit: Unit, rows: InventedRows) -> bool:
    lead = unit.payload.seeds[0]
    return rows.refuse_source(unit.key, origin_of([lead]), request_in(lead))


class _Ring:
    """Seeds on a circle, each where its hash says: a seed more changes only the draws that end just before it."""

    def __init__(self, seeds: Sequence[Example], salt: str) -> None:
        self._salt = salt
        self._seeds = sorted(seeds, key=lambda seed: (stable_fraction(seed.key, salt), seed.key))
        self._keys = {seed.key for seed in seeds}
        self._places = [stable_fraction(seed.key, salt) for seed in self._seeds]

    def draw(self, lead: Example, number: int) -> tuple[Example, ...]:
        """Return the seed that leads a prompt and others, at most `number` together, all different."""
        chosen = {lead.key: lead}
        for turn in range(1, min(number, len({lead.key, *self._keys}))):
            at = bisect.bisect_left(self._places, stable_fraction(f"{lead.key}\n{turn}", self._salt))
            while (seed := self._seeds[at % len(self._seeds)]).key in chosen:
                at += 1
            chosen[seed.key] = seed
        return tuple(chosen.values())


def _with_row(unit: Unit, accepted: Sequence[Example]) -> tuple[Example, ...]:
    """Return the seeds of the second round: an accepted row in the place of the last seed that was drawn."""
    row = accepted[stable_bucket(unit.key, len(accepted), salt=f"second round {unit.payload.seed}")]
    seeds = unit.payload.seeds
    return (seeds[0], *seeds[1:-1], row) if len(seeds) > 1 else (seeds[0], row)


def _depth(seeds: Sequence[Example]) -> int:
    return max(seed.provenance.generation_depth for seed in seeds)
