"""What Dagster is told of an evaluation: checks with severity, and figures that it plots."""

import random

import dagster as dg
import pytest

from assets.answers import _checks
from assets.scores import _graded, _tables, comparison_checks
from assets.stage import StageRun
from curation.store import Snapshot
from evaluation.config import EvaluationConfig
from evaluation.gate.comparison import Comparison, compare
from evaluation.records import EvalItem, Score
from evaluation.release.config import ReleaseConfig
from evaluation.release.requirements import GuardConfig
from evaluation.tasks.config import TaskConfig

TASK = TaskConfig(name="route", kind="classification", slices=("topic",))
CONFIG = EvaluationConfig(bootstrap_samples=200, tasks=(TASK,))
GUARDED = ReleaseConfig(metric="accuracy", guards=(GuardConfig(metric="accuracy", slice="topic", margin=0.1),))


def decide(candidate: dict[str, float], num_items: int = 400) -> Comparison:
    items, scores = [], []
    for number in range(num_items):
        key, topic, rng = str(number), "ab"[number % 2], random.Random(number)
        items.append(EvalItem(key=key, task="route", prompt=(), reference=topic, group=key, slices=(f"topic={topic}",)))
        for name, share in (("base", 0.5), ("candidate", candidate[topic])):
            is_right = float(rng.random() < share)
            predicted = topic if is_right else "c"
            for metric in ("accuracy", "macro_f1"):
                at = {"key": f"{name}/{key}#{metric}", "comparator": name, "task": "route", "item_key": key, "group": key}
                scores.append(Score(**at, metric=metric, value=is_right, label=topic, predicted=predicted))
    return compare(scores, CONFIG, GUARDED, items=items)


def test_a_shown_loss_is_an_error_and_a_possible_one_a_warning() -> None:
    promotion, guards = comparison_checks(decide({"a": 0.95, "b": 0.95}))
    assert (promotion.passed, guards.passed) == (True, True)
    promotion, guards = comparison_checks(decide({"a": 1.0, "b": 0.1}))
    assert (promotion.passed, guards.passed, guards.severity) == (False, False, dg.AssetCheckSeverity.ERROR)
    assert "in the slice topic=b" in str(guards.description)
    promotion, guards = comparison_checks(decide({"a": 0.9, "b": 0.5}, num_items=60))
    assert (guards.passed, guards.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_tables_are_shown_with_the_confusion_matrix() -> None:
    shown = _tables(decide({"a": 0.9, "b": 0.8}))
    assert set(shown) == {"comparators", "slices", "guards", "confusion_route"}
    assert "| right label | (none of the labels) | a | b |" in str(shown["confusion_route"].value)


def run_of(**values: object) -> StageRun:
    return StageRun(snapshot=Snapshot(asset="x", partition="", version="1", values=dict(values)), is_reused=False)


@pytest.mark.parametrize(("refused", "missing"), [(0, 0), (2, 3)])
def test_refused_rows_and_missing_answers_are_counted_and_named(refused: int, missing: int) -> None:
    run = run_of(items_refused=refused, item_rows=9, first_problem="File 'x', row 2: no.", answers_missing=missing)
    usable, answered = _checks(run)
    assert (usable.passed, answered.passed) == (not refused, not missing)
    assert ("row 2" in str(usable.description)) is bool(refused)
    assert answered.severity == dg.AssetCheckSeverity.ERROR


def test_a_grader_that_raised_is_named() -> None:
    assert _graded(run_of(grader_failures=0, first_failure="")).passed
    found = _graded(run_of(grader_failures=2, first_failure="base/1 (code): ValueError: boom"))
    assert not found.passed
    assert "2 answers could not be graded and score 0. The first: base/1 (code)" in str(found.description)
