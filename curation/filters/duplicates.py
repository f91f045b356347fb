"""Contradictions and duplicates among examples, near ones and exact ones, also across the split.

drop_duplicates([first, second], CurateConfig())     ([first], [Rejection(key=second.key, reason="near_duplicate", ...)])
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from curation.filters.config import CurateConfig
from curation.filters.near_duplicates import Candidate, find_near_duplicates
from curation.filters.siblings import sibling_signature
from curation.filters.split import split_of
from curation.records import Example, Message, Rejection, reject

STAGE = "curated_examples"
PromptKey = tuple[tuple[str, str], ...]


def prompt_key(messages: Iterable[Message]) -> PromptKey:
    """Return what makes two prompts the same: roles and texts, white space aside."""
    return tuple((message.role, " ".join(message.content.split())) for message in messages)


def answer_key(answer: str) -> str:
    """Return what makes two answers the same: the text, white space aside."""
    return " ".join(answer.split())


def drop_duplicates(examples: Sequence[Example], config: CurateConfig) -> tuple[list[Example], list[Rejection]]:
    """Return the examples that stay, by priority (human before synthetic, then by key), and why the others do not."""
    rejections: list[Rejection] = []
    ordered = sorted(examples, key=lambda example: (example.provenance.origin != "human", example.key))
    ordered = _drop_conflicts(ordered, rejections)
    ordered = _drop_exact(ordered, rejections)
    return _drop_near(ordered, config, rejections), rejections


def _drop_conflicts(examples: list[Example], rejections: list[Rejection]) -> list[Example]:
    """Drop every example whose prompt has different answers: nobody knows which one is right."""
    answers: dict[PromptKey, dict[str, str]] = defaultdict(dict)
    keys = [(prompt_key(example.prompt), answer_key(example.answer)) for example in examples]
    for example, (prompt, answer) in zip(examples, keys, strict=True):
        answers[prompt].setdefault(answer, example.key)
    kept = []
    for example, (prompt, answer) in zip(examples, keys, strict=True):
        if len(answers[prompt]) == 1:
            kept.append(example)
            continue
        other = next(key for rival, key in answers[prompt].items() if rival != answer)
        detail = f"The same prompt has another answer in '{other}'."
        rejections.append(reject(example, stage=STAGE, reason="conflicting_answers", detail=detail))
    return kept


def _drop_exact(examples: list[Example], rejections: list[Rejection]) -> list[Example]:
    first: dict[PromptKey, Example] = {}
    for example in examples:
        winner = first.setdefault(prompt_key(example.prompt), example)
        if winner is not example:
            detail = f"Same prompt and answer as '{winner.key}'."
            rejections.append(reject(example, stage=STAGE, reason="exact_duplicate", detail=detail))
    return list(first.values())


def _drop_near(examples: list[Example], config: CurateConfig, rejections: list[Rejection]) -> list[Example]:
    """Drop near copies: those with the same answer, and across the split also those with another one."""
    candidates = [_candidate(example, config) for example in examples]
    found = find_near_duplicates(candidates, config.near_duplicate_threshold)
    for position, match in found.items():
        dropped, winner = examples[position], examples[match.of]
        same_answer = answer_key(dropped.answer) == answer_key(winner.answer)
        reason = "near_duplicate" if same_answer else "near_duplicate_across_split"
        rest = "and the same answer" if same_answer else "on the other side of the split"
        detail = f"Nearly the same prompt as '{winner.key}' (similarity {match.similarity:.3f}) {rest}."
        rejections.append(reject(dropped, stage=STAGE, reason=reason, detail=detail))
    return [example for position, example in enumerate(examples) if position not in found]


def _candidate(example: Example, config: CurateConfig) -> Candidate:
    """Describe what an example is compared by: the words of the conversation before the answer, system message aside."""
    text = "\n".join(message.content for message in example.prompt if message.role != "system")
    signature, side = sibling_signature(text), split_of(example.group, config)
    same_answer = ("answer", signature, answer_key(example.answer))
    other_side = "train" if side == "eval" else "eval"
    return Candidate(
        text=" ".join(text.casefold().split()),
        filed_under=(same_answer, ("side", signature, side)),
        looks_under=(same_answer, ("side", signature, other_side)),
    )
