"""Further metrics, tasks and slices in the verdict: what is won, what is lost, and which slice it is."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given as every
from hypothesis import strategies as st

from curation.errors import ConfigError, EvaluationError
from evaluation.config import EvaluationConfig
from evaluation.gate.class_counts import classes_of, count_classes, macro_f1
from evaluation.gate.comparator_table import comparator_table, comparison_values, guard_table, slice_table, task_table
from evaluation.gate.comparison import Comparison, compare, comparison_from_json
from evaluation.gate.costs import measure_costs
from evaluation.gate.paired import estimate_metric, hold_p_value, measure_scores
from evaluation.records import AnswerTiming, EvalAnswer, EvalItem, Score
from evaluation.release.config import ReleaseConfig
from evaluation.release.requirements import GuardConfig, RequirementConfig
from evaluation.tasks.config import TaskConfig

TASKS = (
    TaskConfig(name="main", slices=("topic",)),
    TaskConfig(name="sums", kind="number", data="x.jsonl", area="arithmetic"),
    TaskConfig(name="prose", kind="perplexity", data="y.jsonl"),
)
CONFIG = EvaluationConfig(bootstrap_samples=400, tasks=TASKS)


def values(name: str, share: float, num: int) -> list[float]:
    right = set(random.Random(name).sample(range(num), round(share * num)))
    return [float(number in right) for number in range(num)]


def rows(comparator: str, task: str, metric: str, given: list[float], weight: float = 1.0) -> list[Score]:
    return [
        Score(
            key=f"{comparator}/{task}/{number}#{metric}",
            comparator=comparator,
            task=task,
            item_key=f"{task}/{number}",
            group=f"{task}/{number}",
            metric=metric,
            value=value,
            weight=weight,
        )
        for number, value in enumerate(given)
    ]


def make_scores(base: dict[str, list[float]], candidate: dict[str, list[float]]) -> list[Score]:
    found = []
    for name, given in (("base", base), ("candidate", candidate)):
        for metric in ("exact_match", "json_valid", "token_f1"):
            found += rows(name, "main", metric, given["main"])
        found += rows(name, "sums", "accuracy", given["sums"])
        found += rows(name, "prose", "log_loss", given["prose"], weight=50.0)
    return found


ITEMS = [
    EvalItem(key=f"main/{n}", task="main", prompt=(), reference="x", group=f"main/{n}", slices=(f"topic={'ab'[n % 2]}",))
    for n in range(400)
]


def decide(base: dict[str, list[float]], candidate: dict[str, list[float]], **release: object) -> Comparison:
    return compare(make_scores(base, candidate), CONFIG, ReleaseConfig(**release), items=ITEMS)  # type: ignore[arg-type]


def usual() -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    base = {"main": values("b", 0.4, 400), "sums": values("s", 0.5, 300), "prose": [1.0] * 100}
    return base, {"main": values("c", 0.8, 400), "sums": list(base["sums"]), "prose": [0.9] * 100}


def test_a_task_that_stays_as_it_was_is_held() -> None:
    guards = (
        GuardConfig(metric="accuracy", task="sums", margin=0.05),
        GuardConfig(metric="log_loss", task="prose", margin=0.1),
    )
    seen = decide(*usual(), guards=guards)
    assert seen.verdict == "pass"
    assert seen.reason.endswith("No loss on 2 guarded metrics and slices.")
    assert [(item.task, item.verdict) for item in seen.guards] == [("sums", "pass"), ("prose", "pass")]
    assert seen.guards[1].difference == pytest.approx(0.1)


def test_the_slice_that_became_worse_is_named() -> None:
    base, candidate = usual()
    base["main"] = [0.9 if number % 2 else 0.1 for number in range(400)]
    base["main"] = [float(random.Random(number).random() < share) for number, share in enumerate(base["main"])]
    candidate["main"] = [0.0 if number % 2 and number % 3 == 0 else 1.0 for number in range(400)]
    seen = decide(base, candidate, guards=(GuardConfig(metric="exact_match", slice="topic", margin=0.05),))
    assert seen.verdict == "fail"
    assert "behind the base on Exact match of the task main in the slice topic=b" in seen.reason
    assert [(item.slice, item.verdict) for item in seen.guards] == [("topic=a", "pass"), ("topic=b", "fail")]
    assert [item.slice for item in seen.slices if item.task == "main"] == ["topic=a", "topic=b"]
    assert seen.against("base").verdict == "pass"  # type: ignore[union-attr]


def test_items_that_are_too_few_to_rule_a_loss_out_decide_nothing_unless_the_recipe_allows_it() -> None:
    base, candidate = usual()
    base["sums"], candidate["sums"] = values("s", 0.5, 30), values("t", 0.5, 30)
    guard = GuardConfig(metric="accuracy", task="sums", margin=0.02)
    seen = decide(base, candidate, guards=(guard,))
    assert seen.verdict == "undecided"
    assert "cannot be ruled out with 30 items" in seen.reason
    assert decide(base, candidate, guards=(replace(guard, on_undecided="allow"),)).verdict == "pass"


def test_level_answers_of_a_few_items_prove_nothing() -> None:
    base, candidate = usual()
    base["sums"] = candidate["sums"] = values("s", 0.5, 20)
    seen = decide(base, candidate, guards=(GuardConfig(metric="accuracy", task="sums", margin=0.05),))
    assert seen.guards[0].low == seen.guards[0].high == 0.0
    assert seen.verdict == "undecided"


def test_a_slice_with_a_few_items_is_shown_and_guards_nothing() -> None:
    base, candidate = usual()
    items = [replace(item, slices=("topic=rare",)) if number < 5 else item for number, item in enumerate(ITEMS)]
    base["main"][:5], candidate["main"][:5] = [1.0] * 5, [0.0] * 5
    guards = (GuardConfig(metric="exact_match", slice="topic", margin=0.2),)
    seen = compare(make_scores(base, candidate), CONFIG, ReleaseConfig(guards=guards), items=items)
    rare = next(item for item in seen.guards if item.slice == "topic=rare")
    assert not rare.decisive
    assert seen.verdict == "pass"


@pytest.mark.parametrize("rare", [[1.0] * 5, [0.0] * 5])
def test_a_slice_that_was_asked_for_by_value_and_has_too_few_items_decides_nothing_and_holds_the_release(
    rare: list[float],
) -> None:
    base, candidate = usual()
    items = [replace(item, slices=("topic=rare",)) if number < 5 else item for number, item in enumerate(ITEMS)]
    base["main"][:5], candidate["main"][:5] = [1.0] * 5, rare
    guard = GuardConfig(metric="exact_match", slice="topic=rare", margin=0.2)
    seen = compare(make_scores(base, candidate), CONFIG, ReleaseConfig(guards=(guard,)), items=items)
    assert (seen.verdict, seen.guards[0].verdict, seen.guards[0].decisive) == ("undecided", "undecided", True)
    assert "5 items cannot decide: a guard on one slice needs 10" in seen.reason
    for easier in ({"minimum_items": 5, "margin": 0.9}, {"on_undecided": "allow"}):
        release = ReleaseConfig(guards=(replace(guard, **easier),))  # type: ignore[arg-type]
        decided = compare(make_scores(base, candidate), CONFIG, release, items=items)
        assert "needs" not in decided.reason


def test_a_further_metric_has_to_be_won_and_p_values_are_corrected() -> None:
    base, candidate = usual()
    requires = (RequirementConfig(metric="accuracy", task="sums"),)
    level = decide(base, candidate, requires=requires)
    assert level.verdict == "fail"
    assert level.reason.startswith("On Accuracy of the task sums: the candidate is level with the base")
    candidate["sums"] = values("u", 0.75, 300)
    won = decide(base, candidate, requires=requires)
    assert won.verdict == "pass"
    assert won.reason.count("The candidate is") + won.reason.count("the candidate is") == 2
    ours, theirs = rows("candidate", "sums", "accuracy", candidate["sums"]), rows("base", "sums", "accuracy", base["sums"])
    assert won.requirements[0].p_value == pytest.approx(2 * measure_scores(ours, theirs, CONFIG).largest_p)


def test_one_of_many_slices_by_chance_is_no_loss() -> None:
    """With 40 slices of equal models one is behind by more than the margin nearly always; Holm names none of them."""
    num_named = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        both = {name: [float(value) for value in rng.random(400) < 0.6] for name in ("base", "candidate")}
        items = [replace(item, slices=(f"topic={number % 40}",)) for number, item in enumerate(ITEMS)]
        scores = [row for name, given in both.items() for row in rows(name, "main", "exact_match", given)]
        tasks = (TaskConfig(name="main", slices=("topic",), metrics=("exact_match",)),)
        release = ReleaseConfig(guards=(GuardConfig(metric="exact_match", slice="topic", margin=0.05),))
        seen = compare(scores, EvaluationConfig(bootstrap_samples=100, tasks=tasks), release, items=items)
        assert any(item.difference <= -0.05 for item in seen.guards)
        num_named += any(item.verdict == "fail" and item.high > -0.05 for item in seen.guards)
    assert num_named <= 1


def test_what_was_not_measured_is_refused() -> None:
    for guard, told in (
        (GuardConfig(metric="chrf"), "the metric 'chrf' was not measured on the task 'main'"),
        (GuardConfig(metric="accuracy", task="other"), "no item of the task 'other' was answered, but of main, sums, prose"),
        (GuardConfig(metric="exact_match", slice="colour"), "the slice 'colour', and no item has it"),
        (GuardConfig(metric="exact_match", slice="topic=z"), "the slice 'topic=z', and no item has it"),
    ):
        with pytest.raises(EvaluationError, match=told):
            decide(*usual(), guards=(guard,))
    with pytest.raises(EvaluationError, match="not measured on the task 'sums'"):
        decide(*usual(), task="sums")
    assert decide(*usual(), task="sums", metric="accuracy").task == "sums"


def test_impossible_guards_are_refused() -> None:
    for fields in ({"margin": 0.0}, {"margin": 1.0}, {"minimum_items": 1}):
        with pytest.raises(ConfigError, match="release.guards"):
            GuardConfig(metric="accuracy", **fields)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="NAME=VALUE"):
        RequirementConfig(metric="accuracy", slice="topic")


def test_json_keeps_everything_and_unknown_fields_are_refused() -> None:
    seen = decide(*usual(), guards=(GuardConfig(metric="exact_match", slice="topic", margin=0.3),))
    plain = json.loads(json.dumps(seen.as_json()))
    assert comparison_from_json(plain) == seen
    with pytest.raises(EvaluationError, match="cannot be read"):
        comparison_from_json({**plain, "more": 1})
    with pytest.raises(EvaluationError, match="cannot be read"):
        comparison_from_json({**plain, "guards": 5})


def test_tables_name_everybody_and_values_are_numbers() -> None:
    seen = decide(*usual(), guards=(GuardConfig(metric="accuracy", task="sums"),))
    assert "| base | 40.0 % (" in comparator_table(seen)
    assert "not measured" in comparator_table(seen)
    assert "| sums | arithmetic | Accuracy | 300 |" in task_table(seen.tasks)
    assert "| main | topic=a | Exact match | 200 |" in slice_table(seen)
    assert guard_table(seen).count("| pass |") == 1
    found = comparison_values(seen)
    assert found["exact_match_candidate"] == pytest.approx(0.8)
    assert found["sums_accuracy_base"] == pytest.approx(0.5)
    assert found["prose_log_loss_candidate"] == pytest.approx(0.9)


def labelled(pairs: list[tuple[str, str]], comparator: str = "candidate") -> list[Score]:
    return [
        Score(
            key=f"{comparator}/{number}#macro_f1",
            comparator=comparator,
            task="t",
            item_key=str(number),
            group=str(number),
            metric="macro_f1",
            value=float(label == predicted),
            label=label,
            predicted=predicted,
        )
        for number, (label, predicted) in enumerate(pairs)
    ]


LABELS = st.sampled_from(["a", "b", "c"])


@every(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=40))
def test_macro_f1_is_that_of_a_plain_count(pairs: list[tuple[str, str]]) -> None:
    def f1(label: str) -> float:
        hits = sum(pair == (label, label) for pair in pairs)
        wrong = sum(label in pair and pair[0] != pair[1] for pair in pairs)
        return 2 * hits / (2 * hits + wrong)

    expected = [f1(label) for label in sorted({label for label, _ in pairs})]
    scores = labelled(pairs)
    counted = count_classes(scores, classes_of(scores))
    assert float(macro_f1(counted.sum(axis=0))) == pytest.approx(sum(expected) / len(expected))
    found = estimate_metric(scores, EvaluationConfig(bootstrap_samples=100))
    assert 0 <= found.low <= found.high <= 1


def test_macro_f1_of_two_models_is_compared_by_swapping_them() -> None:
    rng = random.Random(0)
    truth = [rng.choice("abc") for _ in range(300)]
    good = labelled([(label, label if rng.random() < 0.9 else "a") for label in truth])
    poor = labelled([(label, label if rng.random() < 0.6 else "") for label in truth], "base")
    config = EvaluationConfig(bootstrap_samples=400)
    seen = measure_scores(good, poor, config)
    assert seen.difference > 0.15
    assert seen.interval.low < seen.difference < seen.interval.high
    assert seen.largest_p < 0.01
    assert measure_scores(good, good, config).largest_p == 1.0


def test_a_few_equal_labels_do_not_show_that_macro_f1_is_held() -> None:
    def labelled(comparator: str, num: int) -> list[Score]:
        found = rows(comparator, "main", "macro_f1", [1.0] * num)
        return [replace(row, label="ab"[at % 2], predicted="ab"[at % 2]) for at, row in enumerate(found)]

    for num, is_held in ((10, False), (400, True)):
        ours, theirs = labelled("candidate", num), labelled("base", num)
        seen = measure_scores(ours, theirs, CONFIG)
        assert (hold_p_value(ours, theirs, 0.05, seen.interval) < 0.025) == is_held


def test_less_is_better_where_it_is() -> None:
    worse, better = rows("base", "prose", "log_loss", [1.0] * 50), rows("candidate", "prose", "log_loss", [0.8] * 50)
    assert measure_scores(better, worse, CONFIG).difference == pytest.approx(0.2)
    assert measure_scores(better, worse, CONFIG).num_better == 50


def test_weights_count() -> None:
    light, heavy = rows("base", "main", "token_f1", [1.0], 1.0), rows("base", "main", "token_f1", [1.0, 0.0], 3.0)
    assert estimate_metric([*light, heavy[1]], CONFIG).mean == pytest.approx(0.25)


def test_long_texts_do_not_make_a_loss_uncertain_by_their_length() -> None:
    def texts(comparator: str, loss: float) -> list[Score]:
        return [
            replace(rows(comparator, "prose", "log_loss", [loss + 0.01 * (number % 3)])[0], weight=10.0 + 97 * number,
                    item_key=f"prose/{number}", group=f"prose/{number}", key=f"{comparator}/prose/{number}#log_loss")
            for number in range(60)
        ]  # fmt: skip

    found = estimate_metric(texts("base", 1.0), CONFIG)
    assert 1.0 < found.low < found.mean < found.high < 1.02
    seen = measure_scores(texts("candidate", 0.9), texts("base", 1.0), CONFIG)
    assert (seen.difference, seen.interval.low, seen.interval.high) == pytest.approx((0.1, 0.1, 0.1))


@pytest.mark.parametrize("metric", ["accuracy", "token_f1", "macro_f1"])
def test_items_of_one_group_name_no_loss_and_show_no_hold(metric: str) -> None:
    def of_one_group(comparator: str, given: list[float]) -> list[Score]:
        found = rows(comparator, "main", metric, given)
        return [replace(row, group="doc", label="ab"[at % 2], predicted="ab"[at % 2]) for at, row in enumerate(found)]

    ours, theirs = of_one_group("candidate", [0.0] * 20 + [1.0] * 20), of_one_group("base", [1.0] * 40)
    seen = measure_scores(ours, theirs, CONFIG)
    assert (seen.interval.low, seen.interval.high, seen.largest_p) == (-1.0, 1.0, 1.0)
    same = measure_scores(theirs, theirs, CONFIG)
    assert same.interval == (-1.0, 1.0)
    assert hold_p_value(theirs, theirs, 0.05, same.interval) > 0.05


def test_names_out_of_files_cannot_write_markup_into_a_table() -> None:
    """A slice is a cell of somebody's file: it brings no link, no tag and no end of the cell."""
    hostile = "topic=[here](https://evil.example) <img src=x> `a` | b"
    given = usual()
    items = [replace(item, slices=(hostile,)) for item in ITEMS]
    found = compare(make_scores(*given), CONFIG, ReleaseConfig(), items=items)
    line = next(line for line in slice_table(found).split("\n") if "topic" in line)
    assert "topic=\\[here](https://evil.example) &lt;img src=x> \\`a\\` \\| b" in line


def test_what_can_be_found_is_told_in_the_unit_of_the_metric() -> None:
    """For scores that are not right or wrong: by the spread of the differences, and as good as promised."""
    draw = np.random.default_rng(2)
    base = list(draw.normal(1.0, 0.2, 400))
    seen = measure_scores(
        rows(
            "candidate",
            "prose",
            "log_loss",
            [loss - 0.01 + noise for loss, noise in zip(base, draw.normal(0, 0.05, 400), strict=True)],
        ),
        rows("base", "prose", "log_loss", base),
        CONFIG,
    )
    smallest = seen.detectable(0.05)
    assert smallest == pytest.approx(2.8 * 0.05 / 20, rel=0.1)
    assert seen.needed(smallest, 0.05) == pytest.approx(400, abs=1)
    assert seen.needed(smallest / 2, 0.05) == pytest.approx(1600, abs=4)
    found = sum(abs(float(draw.normal(smallest, seen.error))) > 1.96 * seen.error for _ in range(1000))
    assert 0.75 <= found / 1000 <= 0.85
    alone = [replace(score, group="g") for score in rows("candidate", "prose", "log_loss", [1.0, 0.9, 1.1])]
    other = [replace(score, group="g") for score in rows("base", "prose", "log_loss", [1.0, 1.0, 1.0])]
    one_group = measure_scores(alone, other, CONFIG)
    assert (one_group.detectable(0.05), one_group.needed(0.1, 0.05)) == (1.0, 0)


def test_an_item_that_counts_less_for_one_of_two_is_refused() -> None:
    ours, theirs = rows("candidate", "prose", "log_loss", [1.0, 1.0]), rows("base", "prose", "log_loss", [1.0, 1.0], 50.0)
    with pytest.raises(EvaluationError, match="counts 1 and 'base/prose/0#log_loss' 50"):
        measure_scores(ours, theirs, CONFIG)


def test_costs_are_measured_or_unknown_and_never_zero_by_default() -> None:
    def answer(number: int, **fields: object) -> EvalAnswer:
        given = {"num_prompt_tokens": 10, "num_tokens": 4, **fields}
        return EvalAnswer(
            key=f"base/{number}", comparator="base", model_hash="", item_key=str(number), item_hash="", group="", prompt="",
            reference="", answer="", **given,  # type: ignore[arg-type]
        )  # fmt: skip

    given = [answer(number) for number in range(20)]
    took = [AnswerTiming(key=f"base/{number}", latency_s=0.1 * (number + 1), machine_s=0.36) for number in range(20)]
    unpriced = measure_costs(given, took, EvaluationConfig())["base"]
    assert (unpriced.latency_p50_s, unpriced.latency_p95_s) == (pytest.approx(1.0), pytest.approx(1.9))
    assert (unpriced.prompt_tokens, unpriced.completion_tokens, unpriced.cost_per_1000_usd) == (10.0, 4.0, None)
    assert measure_costs(given, took, EvaluationConfig(gpu_usd_per_hour=2.0))["base"].cost_per_1000_usd == pytest.approx(0.2)
    paid = [answer(number, cost_usd=0.003) for number in range(4)]
    assert measure_costs(paid, (), EvaluationConfig())["base"].cost_per_1000_usd == pytest.approx(3.0)
    untimed = measure_costs(given, (), EvaluationConfig(gpu_usd_per_hour=2.0))["base"]
    assert (untimed.latency_p95_s, untimed.cost_per_1000_usd, untimed.prompt_tokens) == (None, None, 10.0)
    silent = [answer(0, num_prompt_tokens=0)]
    assert measure_costs(silent, (), EvaluationConfig(gpu_usd_per_hour=2.0)) == {}
