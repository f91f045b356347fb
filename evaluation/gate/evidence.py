"""What a promotion rests on, all of it by hash, and the reading of it that believes nothing.

    found = read_evidence(evidence, store, config)     # raises unless every part is there and fits the others
    found.scores, found.champion_hash

The items, answers and scores are read from the content-addressed store; scores are computed anew from the answers.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from curation.config import as_plain
from curation.errors import EvaluationError, TunewrightError
from curation.ids import content_hash
from curation.records import Example, record_hash
from curation.store import Store, hash_folder
from evaluation.config import EvaluationConfig
from evaluation.items import assert_held_out
from evaluation.records import AnswerTiming, EvalAnswer, EvalItem, Score
from evaluation.scoring import score_all
from evaluation.tasks.measures import ALONE

MAX_GRADED_AGAIN = 40
"""Answers of code that are run once more at a promotion; when more differ, it is not the machine."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The hashes that a promotion rests on."""

    recipe: str
    model_hash: str
    """Folder hash of the candidate in the store."""
    items_root: str
    """Table of EvalItem: the items asked."""
    answers_root: str
    """Table of EvalAnswer."""
    scores_root: str
    """Table of Score."""
    comparison_hash: str
    """`Comparison.hash()` as it was shown to people."""
    training_roots: tuple[str, ...]
    """Tables of Example that the candidate was trained on (sft_dataset); no item may share a key, prompt or group with them."""
    data_roots: Mapping[str, str]
    """Other data, by asset: dapt_corpus, preference_dataset."""
    config_hash: str
    """Content hash of the whole recipe."""
    code_version: str
    tasks_hash: str
    """`hash_tasks` of the evaluation section: what was asked, how it was graded, who was compared."""
    comparators: Mapping[str, str]
    """Model hash by comparator, as they answered; see `comparators_of`."""
    timings_root: str = ""
    """Table of AnswerTiming, on which limits of latency and cost rest; empty: nothing was timed."""
    judge_evidence_hash: str = ""
    """`JudgeEvidence.hash()` where a release needs the judges; empty where it does not, or nothing was judged."""

    def hash(self) -> str:
        """Return the content hash, which the ledger records."""
        return content_hash(as_plain(self))


@dataclass(frozen=True, kw_only=True)
class EvidenceRows:
    """What the evidence holds, read and checked."""

    items: tuple[EvalItem, ...]
    answers: tuple[EvalAnswer, ...]
    scores: tuple[Score, ...]
    """Computed anew from the answers."""
    timings: tuple[AnswerTiming, ...]
    """One an answer, in their order; none if nothing was timed."""
    champion_hash: str
    """Model hash of the champion among the comparators; empty if there was none."""


def hash_tasks(config: EvaluationConfig) -> str:
    """Return the hash of everything in the evaluation section: tasks, comparators, settings of answers and intervals."""
    return content_hash(as_plain(config))


def comparators_of(answers: Iterable[EvalAnswer]) -> dict[str, str]:
    """Return the model hash by comparator, as answers have it; of several under one name the last."""
    return {answer.comparator: answer.model_hash for answer in answers}


def read_evidence(evidence: Evidence, store: Store, config: EvaluationConfig) -> EvidenceRows:
    """Read items and answers, and compute the scores anew.

    Raises:
        EvaluationError: if parts do not fit together: other items, tasks or models, altered answers or scores.
        TunewrightError: if a part is not in the store or damaged.
    """
    _check(evidence.tasks_hash == hash_tasks(config), "the evaluation section of the recipe was changed since")
    items = {item.key: item for item in store.read_table(EvalItem, evidence.items_root, asset="answers")}
    _check(bool(evidence.training_roots), "it names no training data, so it does not show that the items were held out")
    _check(all(config.task(item.task) for item in items.values()), "an item belongs to a task that the recipe has not")
    for root in evidence.training_roots:
        assert_held_out(list(items.values()), store.read_table(Example, root, asset="sft_dataset"))
    answers = list(store.read_table(EvalAnswer, evidence.answers_root, asset="answers"))
    hashes = _check_answers(answers, items)
    _check(hashes.get("candidate") == {evidence.model_hash}, "the answers are not those of this candidate")
    for comparator, models in hashes.items():
        _check(len(models) == 1, f"the answers of '{comparator}' stem from {len(models)} models")
        named = evidence.comparators.get(comparator, "")
        _check(models == {named}, f"the answers of '{comparator}' are not those of the model that the evidence names")
    _check(set(evidence.comparators) == set(hashes), "a comparator that the evidence names did not answer")
    _check_model(evidence.model_hash, store)
    stored = tuple(sorted(store.read_table(Score, evidence.scores_root, asset="scores"), key=lambda score: score.key))
    scores = _grade_anew(answers, tuple(items.values()), config, stored)
    _check(scores == stored, "the stored scores differ from those of the answers" + _first_difference(scores, stored))
    champion = next(iter(hashes.get("champion", {""})))
    timings = _read_timings(evidence.timings_root, [answer.key for answer in answers], store)
    asked = tuple(items.values())
    return EvidenceRows(items=asked, answers=tuple(answers), scores=scores, timings=timings, champion_hash=champion)


def _grade_anew(
    answers: Sequence[EvalAnswer], items: Sequence[EvalItem], config: EvaluationConfig, stored: Sequence[Score]
) -> tuple[Score, ...]:
    """Return the scores of all answers; those of code that are not the stored ones are computed once more, with more time.

    A program near its limit of time ends one way on an idle machine and another on a busy one. What counts is always what a run
    gave, never what is stored.
    """
    scores = {score.key: score for score in score_all(answers, items, config).scores}
    known = {score.key: score for score in stored}
    runs_code = {task.name for task in config.all_tasks if task.kind == "code"}
    other = {key.rpartition("#")[0] for key, score in scores.items() if score.task in runs_code and known.get(key) != score}
    if other and len(other) <= MAX_GRADED_AGAIN:
        again = [answer for answer in answers if answer.key in other]
        scores |= {score.key: score for score in score_all(again, items, config, patience=ALONE).scores}
    return tuple(scores[key] for key in sorted(scores))


def _first_difference(scores: Sequence[Score], stored: Sequence[Score]) -> str:
    known = {score.key: score.value for score in stored}
    found = next((score for score in scores if known.get(score.key) != score.value), None)
    return f": {found.key} is {found.value:g}, and {known.get(found.key)} is stored" if found else ""


def _read_timings(root: str, keys: Sequence[str], store: Store) -> tuple[AnswerTiming, ...]:
    timings = tuple(store.read_table(AnswerTiming, root, asset="answers")) if root else ()
    is_whole = not root or sorted(timing.key for timing in timings) == sorted(keys)
    _check(is_whole, "the timings are not one for each answer")
    is_time = all(0 <= value < math.inf for timing in timings for value in (timing.latency_s, timing.machine_s))
    _check(is_time, "a timing is no time")
    return timings


def _check_answers(answers: Sequence[EvalAnswer], items: Mapping[str, EvalItem]) -> dict[str, set[str]]:
    expected = {key: (record_hash(item), item.task, item.group, item.reference) for key, item in items.items()}
    asked: dict[str, list[str]] = {}
    hashes: dict[str, set[str]] = {}
    for answer in answers:
        fits = expected.get(answer.item_key) == (answer.item_hash, answer.task, answer.group, answer.reference)
        _check(fits, f"answer '{answer.key}' belongs to no item of the evaluation set as it stands")
        asked.setdefault(answer.comparator, []).append(answer.item_key)
        hashes.setdefault(answer.comparator, set()).add(answer.model_hash)
    for comparator, keys in asked.items():
        _check(sorted(keys) == sorted(expected), f"'{comparator}' did not answer every item exactly once")
    return hashes


def _check_model(model_hash: str, store: Store) -> None:
    found = hash_folder(store.get_folder(model_hash))
    _check(found == model_hash, f"the model's files were changed: they hash to {found}, not {model_hash}")


def _check(holds: bool, problem: str) -> None:
    if not holds:
        raise EvaluationError(reason=f"{problem}.")


def describe_failure(error: Exception) -> str:
    """Return why evidence does not hold, as one sentence."""
    if isinstance(error, EvaluationError):
        return str(error.fields["reason"])
    return str(error) if isinstance(error, TunewrightError) else f"{type(error).__name__}: {error}"
