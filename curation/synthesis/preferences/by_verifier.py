"""Preference pairs that nobody had to judge: a right answer over a wrong one, by the task's own grader.

    made = pairs_by_verifier([GradedSamples(task=task, samples=(Sample(text="A: 18", ...), Sample(text="A: 26", ...)))])
    made.pairs[0].chosen, made.pairs[0].rejected       ("A: 18", "A: 26")
    made.rejections[0].reason                          "no_wrong_answer": every sample of that task was right

Of all right and wrong answers of a task those two are paired whose lengths differ least, so that a model trained on the
pairs does not learn that longer is better (Park et al., "Disentangling length from quality in DPO", 2024).
"""

import dataclasses
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from curation.graders.grade import Grade
from curation.graders.registry import grade
from curation.ids import stable_fraction
from curation.records import PreferencePair, Provenance, Rejection, VerifiableTask, record_hash
from curation.synthesis.methods.method import STAGE, Made
from curation.synthesis.parse import excerpt_of

METHOD = "right_over_wrong"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One answer to a task."""

    text: str
    provenance: Provenance
    """Where the answer comes from: a teacher, an earlier model, the model being trained."""
    key: str = ""
    """Key of the row that holds it; empty if it is in no table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GradedSamples:
    """A task and the answers that were sampled for it."""

    task: VerifiableTask
    samples: tuple[Sample, ...]


def pairs_by_verifier(
    sampled: Sequence[GradedSamples], *, per_task: int = 1, max_length_ratio: float = 0.0, seed: int = 0
) -> Made:
    """Return pairs of a right over a wrong answer, closest in length first; no answer stands in two pairs of a task.

    Args:
        sampled: tasks with their answers.
        per_task: most pairs of one task.
        max_length_ratio: how many times longer the longer answer of a pair may be; 0 for no limit.
        seed: decides between pairs that are equally close in length.

    Raises:
        UnknownGraderError: a task names a grader that does not exist.
    """
    pairs: list[PreferencePair] = []
    rejections: list[Rejection] = []
    for item in sampled:
        grades = [grade(item.task, sample.text) for sample in item.samples]
        made = [*_pair_up(item, grades, per_task, max_length_ratio, seed)]
        pairs += [_build(item, number, right, wrong) for number, (right, wrong) in enumerate(made)]
        rejections += [] if made else [_no_pair(item, grades)]
    share = {"share_with_pair": len({pair.key.rpartition("~")[0] for pair in pairs}) / len(sampled)} if sampled else {}
    return Made(pairs=tuple(pairs), rejections=tuple(rejections), figures=share)


def _pair_up(
    item: GradedSamples, grades: Sequence[Grade], per_task: int, max_length_ratio: float, seed: int
) -> Iterator[tuple[Sample, Sample]]:
    """Yield the pairs greedily, the closest in length first; answers with equal texts count once."""
    distinct = {sample.text: (sample, found.is_right) for sample, found in zip(item.samples, grades, strict=True)}
    rights = [sample for sample, is_right in distinct.values() if is_right]
    wrongs = [sample for sample, is_right in distinct.values() if not is_right and sample.text.strip()]
    salt = f"{METHOD} {seed}"
    ranked = [
        (length_ratio(right.text, wrong.text), stable_fraction(f"{item.task.key}\n{right.text}\n{wrong.text}", salt), at, to)
        for at, right in enumerate(rights)
        for to, wrong in enumerate(wrongs)
    ]
    heapq.heapify(ranked)
    used: set[tuple[str, int]] = set()
    while ranked and len(used) < 2 * per_task:
        ratio, _, at, to = heapq.heappop(ranked)
        if max_length_ratio and ratio > max_length_ratio:
            return
        if ("right", at) not in used and ("wrong", to) not in used:
            used |= {("right", at), ("wrong", to)}
            yield rights[at], wrongs[to]


def length_ratio(one: str, two: str) -> float:
    """Return how many times longer the longer of two texts is, in characters; 1 for equal lengths."""
    shorter, longer = sorted((len(one), len(two)))
    return longer / max(shorter, 1)


def _build(item: GradedSamples, number: int, right: Sample, wrong: Sample) -> PreferencePair:
    task, parents = item.task, (item.task.provenance, right.provenance, wrong.provenance)
    terms = dict.fromkeys(part for parent in parents for part in parent.output_terms.split("; ") if part)
    made = dataclasses.replace(
        right.provenance,
        origin="synthetic",
        method=METHOD,
        request_ids=tuple(dict.fromkeys((*right.provenance.request_ids, *wrong.provenance.request_ids))),
        spans=task.provenance.spans,
        generation_depth=1 + max(parent.generation_depth for parent in parents),
        parents=tuple(dict.fromkeys(filter(None, (task.key, right.key, wrong.key)))),
        license=task.provenance.license or right.provenance.license,
        output_terms="; ".join(terms),
        votes=(),
    )
    return PreferencePair(
        key=f"{task.key}~{METHOD}/{number}",
        task=task.task,
        prompt=task.prompt,
        chosen=right.text,
        rejected=wrong.text,
        rejected_kind="wrong_answer",
        group=task.group,
        split=task.split,
        provenance=made,
    )


def _no_pair(item: GradedSamples, grades: Sequence[Grade]) -> Rejection:
    num_right = sum(found.is_right for found in grades)
    if not num_right:
        reason, detail = "no_right_answer", f"None of {len(grades)} answers is right."
    elif num_right == len(grades):
        reason, detail = "no_wrong_answer", f"All {len(grades)} answers are right, so there is nothing to prefer them to."
    else:
        reason, detail = "lengths_differ", "No right and wrong answer are close enough in length."
    return Rejection(
        key=f"{item.task.key}~{METHOD}",
        stage=STAGE,
        reason=reason,
        detail=detail,
        record_hash=record_hash(item.task),
        excerpt=excerpt_of(item.task.prompt[-1].text),
    )
