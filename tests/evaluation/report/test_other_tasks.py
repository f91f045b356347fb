"""The report of a recipe with tasks of its own: other metrics than those of text, and several tasks at once."""

from dataclasses import replace

from evaluation.config import EvaluationConfig
from evaluation.gate.clean_subset import score_clean_subsets
from evaluation.gate.comparison import compare
from evaluation.records import EvalAnswer, EvalItem
from evaluation.release.config import ReleaseConfig
from evaluation.report.inputs import ReportInputs
from evaluation.report.page import render_report
from evaluation.report.sections.answers import plain_rows
from evaluation.scoring import score_answers
from evaluation.tasks.config import TaskConfig

CONFIG = EvaluationConfig(
    bootstrap_samples=200,
    tasks=(
        TaskConfig(name="route", kind="classification", slices=("topic",)),
        TaskConfig(name="prose", kind="perplexity", data="p.jsonl"),
    ),
)


def make_inputs() -> ReportInputs:
    items, answers = [], []
    for number in range(60):
        for task, reference in (("route", "ab"[number % 2]), ("prose", f"Text {number}.")):
            key, slices = f"{task}/{number}", (f"topic={number % 3}",) if task == "route" else ()
            items.append(EvalItem(key=key, task=task, prompt=(), reference=reference, group=key, slices=slices))
            for name in ("base", "candidate"):
                is_right = name == "candidate" or number % 3 == 0
                said = {"key": f"{name}/{key}", "comparator": name, "item_key": key, "group": key, "reference": reference}
                rest = {"model_hash": "a", "item_hash": "b", "prompt": "?", "num_tokens": 1, "task": task}
                likely = (-20.0,) if task == "prose" else ()
                text = reference if is_right else "c"
                answers.append(EvalAnswer(**said, **rest, answer=text, log_likelihoods=likely))
    scores = score_answers(answers, items, CONFIG)
    compared = compare(scores, CONFIG, ReleaseConfig(metric="accuracy"), items=items, answers=answers)
    return ReportInputs(recipe="demo", comparison=compared, answers=tuple(answers), scores=tuple(scores))


def test_every_metric_has_a_name_and_the_page_is_written() -> None:
    page = render_report(make_inputs())
    assert "Accuracy, %" in page
    assert "Macro F1" in page


def test_right_and_wrong_are_those_of_the_task() -> None:
    states = {row.key: row.state for row in plain_rows(make_inputs())}
    assert states["route/0"] == "right"
    assert states["route/1"] == "gained"
    assert {key.partition("/")[0] for key in states} == {"route"}, "a loss above 1 is not right, nor one below it wrong"


def test_every_task_has_its_clean_subset_and_the_page_names_those_that_lost_items() -> None:
    inputs = make_inputs()
    subsets = score_clean_subsets(inputs.scores, {"prose/3", "prose/4"}, CONFIG)
    assert [(each.task, each.num_items, each.num_contaminated) for each in subsets] == [("route", 60, 0), ("prose", 58, 2)]
    page = render_report(replace(inputs, clean_subsets=subsets))
    assert "No training row gives away any of these items" in page
    assert "Task prose: Training rows give away 2 of these items. On the 58 clean ones: base 2." in page
    assert "Task prose" not in render_report(replace(inputs, clean_subsets=subsets[:1]))
