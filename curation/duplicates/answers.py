"""Which answers count as the same: equal ones, or near copies of each other.

label_answers(["Yes.", "yes", "No."], DuplicateConfig())       [AnswerLabels(own="Yes."), ("yes"), ("No.")]
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from curation.duplicates.config import DuplicateConfig
from curation.duplicates.near_duplicates import SiblingGuard
from curation.duplicates.near_pairs import find_near_classes


class AnswerLabels(NamedTuple):
    """The label of an answer, and the labels of those that count as the same."""

    own: Hashable
    similar: tuple[Hashable, ...] = ()


def label_answers(answers: Sequence[str], config: DuplicateConfig) -> list[AnswerLabels]:
    """Return the labels of answers; similar ones only if the configuration asks for near answers."""
    if config.answers == "equal" or config.near_threshold >= 1 or not answers:
        return [AnswerLabels(answer) for answer in answers]
    classes = find_near_classes(answers, config.near_threshold)
    guard = SiblingGuard(answers, config.sibling_guard)
    similar: dict[int, list[int]] = {}
    for left, right, similarity in zip(*(part.tolist() for part in classes.pairs), strict=True):
        if not guard.refuses(int(classes.firsts[left]), int(classes.firsts[right]), similarity, "near"):
            similar.setdefault(left, []).append(right)
            similar.setdefault(right, []).append(left)
    return [AnswerLabels(group, tuple(similar.get(group, ()))) for group in classes.class_of.tolist()]
