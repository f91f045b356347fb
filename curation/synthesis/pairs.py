"""Preference pairs: an example's answer, and a worse one whose fault is known.

    wrong_route    {"part":"strings"}  over  {"part":"lists"}           another label, rather one that is easily confused
    wrong_format   {"part":"strings"}  over  The answer is strings.     the right content in the wrong form
    ungrounded     what the source says  over  what it does not say     written by the teacher

Pairs are made from the teacher's examples and from demonstrations alike; kinds that do not fit an example are passed over.
"""

import dataclasses
import functools
import json
from dataclasses import dataclass
from typing import Any

from curation.ids import stable_bucket
from curation.records import Example, PreferencePair
from curation.synthesis.config import GenerateConfig, PairKind
from curation.synthesis.routes import RoutingConfig, answer_of, label_in, wrong_labels


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedPair:
    """A pair to be made: of which example, as which of its pairs, with which fault."""

    example: Example
    index: int
    kind: PairKind
    rank: int
    """How many pairs of this kind the example has already."""

    @property
    def key(self) -> str:
        """Key of the pair, and of its rejection."""
        return f"{self.example.key}~pair/{self.index}"


def plan_pairs(example: Example, config: GenerateConfig) -> list[PlannedPair]:
    """Return the pairs to make from an example; which kind comes first is drawn by a stable hash of its key."""
    if config.pairs is None:
        return []
    kinds = [kind for kind in config.pairs.kinds if _num_possible(example, kind, config) > 0]
    if not kinds:
        return []
    start = stable_bucket(example.key, len(kinds), salt=f"pair kind {config.seed}")
    planned: list[PlannedPair] = []
    for turn in range(config.pairs.per_example):
        kind, rank = kinds[(start + turn) % len(kinds)], turn // len(kinds)
        if rank < _num_possible(example, kind, config):
            planned.append(PlannedPair(example=example, index=len(planned), kind=kind, rank=rank))
    return planned


def _num_possible(example: Example, kind: PairKind, config: GenerateConfig) -> int:
    """Return how many different wrong answers of a kind there are for an example."""
    if kind == "wrong_route":
        label = label_in(example.answer, config.routing) if config.routing else None
        return len(config.routing.routes) - 1 if config.routing and label is not None else 0
    if kind == "wrong_format":
        return len(_misformatted(example.answer))
    return int(example.provenance.method == "grounded_qa")


def wrong_answer(planned: PlannedPair, config: GenerateConfig) -> str:
    """Return the wrong answer of a kind that needs no teacher (`wrong_route`, `wrong_format`)."""
    example = planned.example
    if planned.kind == "wrong_route":
        assert config.routing is not None
        return _wrong_route(example, planned.rank, config.routing, config.seed)
    forms = _misformatted(example.answer)
    first = stable_bucket(example.key, len(forms), salt=f"wrong_format {config.seed}")
    return forms[(first + planned.rank) % len(forms)]


def _wrong_route(example: Example, rank: int, routing: RoutingConfig, seed: int) -> str:
    label = label_in(example.answer, routing)
    assert label is not None
    return answer_of(wrong_labels(label, example.key, routing, seed=seed)[rank], routing)


@functools.lru_cache(maxsize=4096)
def _misformatted(answer: str) -> tuple[str, ...]:
    """Return a JSON answer in forms that are not that JSON; nothing if it is no JSON object or list."""
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(value, (dict, list)) or not value:
        return ()
    forms = [f"Here is the answer: {answer}", answer[:-1], f"```json\n{answer}\n```"]
    if isinstance(value, dict) and len(value) == 1 and isinstance(next(iter(value.values())), str):
        name, text = next(iter(value.items()))
        forms += [f"The {name} is {text}.", text, f"{{'{name}': '{text}'}}", f"{name}: {text}"]
    return tuple(form for form in dict.fromkeys(forms) if not _is_same_json(form, value))


def _is_same_json(form: str, value: Any) -> bool:
    try:
        return bool(json.loads(form) == value)
    except (ValueError, RecursionError):
        return False


def build_pair(planned: PlannedPair, rejected: str, **provenance: Any) -> PreferencePair:
    """Return the pair; `provenance` overrides what is taken over from the example (the teacher call of a wrong answer)."""
    example = planned.example
    made = dataclasses.replace(
        example.provenance,
        origin="synthetic",
        method=planned.kind,
        generation_depth=example.provenance.generation_depth + 1,
        parents=(example.key,),
        votes=(),
        **provenance,
    )
    return PreferencePair(
        key=planned.key,
        task=example.task,
        prompt=example.prompt,
        chosen=example.answer,
        rejected=rejected,
        rejected_kind=planned.kind,
        group=example.group,
        split=example.split,
        provenance=made,
    )
