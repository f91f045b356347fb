"""Every kind of task on answers that are right, wrong and hostile."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import ConfigError, EvaluationError
from evaluation.config import EvaluationConfig
from evaluation.records import EvalAnswer, EvalItem
from evaluation.scoring import WORST_LOG_LOSS, score_all
from evaluation.tasks.config import METRICS_OF_KIND, TaskConfig
from evaluation.tasks.measures import chosen_position, find_label, position_of
from evaluation.tasks.metrics import METRICS

DOCUMENT = "<document 1>\nTitle: Returns\n\nReturns ship free within 30 days.\n</document 1>\n\nQuestion: What does it cost?"
CONSTRAINTS = json.dumps(
    [
        {"id": "punctuation:no_comma"},
        {"id": "length_constraints:number_words", "kwargs": {"num_words": 3, "relation": "at least"}},
    ]
)


def make_answer(text: str, reference: str, **changes: Any) -> EvalAnswer:
    fields: dict[str, Any] = {
        "key": "candidate/t/1",
        "comparator": "candidate",
        "model_hash": "a",
        "item_key": "t/1",
        "item_hash": "b",
        "group": "g",
        "prompt": "?",
        "reference": reference,
        "answer": text,
        "num_tokens": 1,
        "task": "t",
    }
    return EvalAnswer(**{**fields, **changes})


def score(kind: str, reference: str, text: str, *, scoring: str = "generation", **changes: Any) -> dict[str, float]:
    item_fields = {name: changes.pop(name) for name in ("choices", "sources") if name in changes}
    item = EvalItem(key="t/1", task="t", prompt=(), reference=reference, group="g", **item_fields)
    task = TaskConfig(name="t", kind=kind, scoring=scoring, data="x.jsonl")  # type: ignore[arg-type]
    found = score_all([make_answer(text, reference, **changes)], [item], EvaluationConfig(tasks=(task,)))
    return {row.metric: round(row.value, 4) for row in found.scores}


def test_classes_are_compared_by_label_whatever_stands_around_them() -> None:
    assert score("classification", '{"part":"dates"}', '{"part": "Dates"}') == {"accuracy": 1.0, "macro_f1": 1.0}
    assert score("classification", "dates", "Let me see. The answer is: **dates**.")["accuracy"] == 1.0
    assert score("classification", "dates", "strings")["accuracy"] == 0.0
    assert score("classification", "dates", "")["accuracy"] == 0.0
    assert find_label('<think>dates?</think>{"part":"strings"}') == "strings"


@pytest.mark.parametrize("text", ["B", "(B)", "The answer is B.", "Paris", "paris.", "Answer: Paris"])
def test_a_choice_is_named_by_letter_or_text(text: str) -> None:
    assert score("choice", "Paris", text, choices=("Rome", "Paris", "Oslo"))["accuracy"] == 1.0
    assert score("choice", "B", text, choices=("Rome", "Paris", "Oslo"))["accuracy"] == 1.0
    assert score("choice", "2", text, choices=("Rome", "Paris", "Oslo"))["accuracy"] == 0.0


def test_a_choice_by_likelihood_is_the_most_likely_one_with_and_without_its_length() -> None:
    choices = ("no", "certainly not at all")
    found = score("choice", "no", "", scoring="likelihood", choices=choices, log_likelihoods=(-3.0, -5.0))
    assert found == {"accuracy": 1.0, "accuracy_norm": 0.0}
    missing = score("choice", "no", "no", scoring="likelihood", choices=choices)
    assert missing == {"accuracy": 0.0, "accuracy_norm": 0.0}
    nan = score("choice", "no", "", scoring="likelihood", choices=choices, log_likelihoods=(math.nan, -5.0))
    assert nan["accuracy"] == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 5.0])
def test_what_is_no_log_likelihood_is_the_worst_and_not_the_best(value: float) -> None:
    task = TaskConfig(name="t", kind="perplexity")
    scored = score_all(
        [make_answer("", "abcd", log_likelihoods=(value,))],
        [EvalItem(key="t/1", task="t", prompt=(), reference="abcd", group="g")],
        EvaluationConfig(tasks=(task,)),
    )
    assert [(score.metric, score.value, score.weight) for score in scored.scores] == [("log_loss", 100.0, 4.0)]
    assert "is no log-likelihood" in scored.failures[0].error


def test_positions_of_choices() -> None:
    assert position_of("C", ("Rome", "Paris", "Oslo")) == 2
    assert position_of("D", ("Rome", "Paris", "Oslo")) is None
    assert chosen_position("none of these", ("Rome", "Paris")) is None


def test_json_is_compared_by_value_schema_and_fields() -> None:
    reference = json.dumps({"schema": {"type": "object", "required": ["a", "b"]}, "reference": {"a": 1, "b": [1, 2]}})
    assert score("json", reference, 'So: {"b": [1, 2], "a": 1.0}') == {"json_match": 1.0, "schema_valid": 1.0, "field_f1": 1.0}
    partly = score("json", reference, '{"a": 1, "b": [1, 3]}')
    assert (partly["json_match"], partly["schema_valid"]) == (0.0, 1.0)
    assert partly["field_f1"] == pytest.approx(2 / 3, abs=1e-4)
    assert score("json", reference, '{"a": 1}')["schema_valid"] == 0.0
    assert score("json", '{"a": 1}', "no json at all") == {"json_match": 0.0, "schema_valid": 0.0, "field_f1": 0.0}


def test_constraints_give_the_four_figures_with_their_weights() -> None:
    task = TaskConfig(name="t", kind="constraints", data="x.jsonl")
    found = score_all([make_answer("one two, three", CONSTRAINTS)], (), EvaluationConfig(tasks=(task,)))
    by_metric = {row.metric: row for row in found.scores}
    assert by_metric["prompt_strict"].value == 0.0
    assert (by_metric["instruction_strict"].value, by_metric["instruction_strict"].weight) == (0.5, 2.0)
    assert score("constraints", CONSTRAINTS, "one two three")["prompt_loose"] == 1.0


def test_an_answer_is_grounded_if_its_quotes_stand_where_they_say() -> None:
    reference = '<quote document="1">Returns ship free</quote>\n\nNothing.'
    sources = ("Returns ship free within 30 days.", "Other text.")
    assert score("grounded", reference, reference, sources=sources) == {
        "grounded": 1.0,
        "citation_precision": 1.0,
        "citation_recall": 1.0,
        "token_f1": 1.0,
    }
    made_up = score("grounded", reference, '<quote document="1">Returns cost ten</quote>\n\nNothing.', sources=sources)
    assert (made_up["grounded"], made_up["citation_recall"], made_up["token_f1"]) == (0.0, 0.0, 1.0)
    assert score("grounded", reference, "Nothing.", sources=sources)["grounded"] == 0.0
    assert score("grounded", "I do not know.", "I do not know.", sources=sources)["grounded"] == 1.0
    wrong_place = score("grounded", reference, '<quote document="2">Returns ship free</quote>\n\nNothing.', sources=sources)
    assert wrong_place["citation_precision"] == 0.0


def test_translation_summary_and_perplexity_have_known_values() -> None:
    assert score("translation", "The tea is hot.", "The tea is hot.")["chrf"] == 1.0
    found = score("summary", "police killed the gunman", "police kill the gunman")
    assert found == {"rouge1": 0.75, "rouge2": 0.3333, "rouge_l": 0.75}
    loss = score("perplexity", "abcd", "", log_likelihoods=(-8.0,), num_scored_tokens=(3,))
    assert loss == {"log_loss": 2.0}
    assert score("perplexity", "abcd", "") == {"log_loss": WORST_LOG_LOSS}


def test_code_runs_in_the_sandbox_and_calls_and_patterns_are_graded() -> None:
    assert (
        score("tool_call", '{"name": "f", "arguments": {"n": 1}}', '{"name": "f", "arguments": {"n": 1}}')["call_match"] == 1.0
    )
    assert score("regex", r"\d{4}", " 2026 ")["pattern_match"] == 1.0
    assert score("number", "#### 18", "9 * 2 = 18\nA: 18")["accuracy"] == 1.0
    right = score("code", json.dumps({"tests": "assert f(1) == 2", "entry_point": "f"}), "def f(x):\n    return x + 1\n")
    assert right == {"tests_pass": 1.0, "tests_share": 1.0}


def test_a_grader_that_raises_is_counted_named_and_scores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from evaluation.tasks import measures

    def explode(*_: object) -> measures.Measures:
        raise RuntimeError("boom")

    monkeypatch.setitem(measures._MEASURES, "number", explode)
    task = TaskConfig(name="t", kind="number", data="x.jsonl")
    found = score_all([make_answer("18", "18")], (), EvaluationConfig(tasks=(task,)))
    assert [row.value for row in found.scores] == [0.0]
    assert [(each.answer, each.grader, each.error) for each in found.failures] == [
        ("candidate/t/1", "number", "RuntimeError: boom")
    ]


def test_an_answer_that_was_not_given_scores_the_worst_and_is_counted() -> None:
    tasks = tuple(TaskConfig(name=kind, kind=kind, data="x.jsonl") for kind in METRICS_OF_KIND)
    rows = [make_answer("", "x", task=task.name, key=f"a/{task.name}", error="the endpoint died") for task in tasks]
    found = score_all(rows, (), EvaluationConfig(tasks=tasks))
    assert len(found.failures) == len(tasks)
    assert {each.grader for each in found.failures} == {"answering"}
    for row in found.scores:
        assert row.value == (0.0 if METRICS[row.metric].is_higher_better else WORST_LOG_LOSS)


def test_an_answer_of_an_unknown_task_is_refused() -> None:
    with pytest.raises(EvaluationError, match="task 't', which the recipe has not"):
        score_all([make_answer("", "x")])


@given(st.text(max_size=80), st.text(max_size=80), st.sampled_from([kind for kind in METRICS_OF_KIND if kind != "code"]))
def test_whatever_is_written_every_metric_has_a_value_in_its_range(reference: str, text: str, kind: str) -> None:
    found = score(kind, reference, text, choices=("a", "b") if kind == "choice" else ())
    assert set(found) == set(TaskConfig(name="t", kind=kind, data="x").measured)  # type: ignore[arg-type]
    for metric, value in found.items():
        assert 0 <= value <= (1 if METRICS[metric].is_higher_better else WORST_LOG_LOSS)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"name": "Bad Name"}, "lower-case"),
        ({"metrics": ("accuracy",)}, "measures exact_match"),
        ({"prompt": "{a}"}, "files only"),
        ({"data": "x.jsonl", "prompt": "{a.__class__}"}, "braces"),
        ({"data": "x.jsonl", "prompt": "no column"}, "braces"),
        ({"data": "x.jsonl", "prompt": "{a!r}"}, "braces"),
        ({"data": "x.jsonl", "rows": ("routing",)}, "eval_set"),
        ({"scoring": "likelihood"}, "choice"),
        ({"labels": ("a",)}, "classification"),
        ({"slices": ("source", "source")}, "twice"),
        ({"max_items": 0}, "at least 1"),
    ],
)
def test_impossible_tasks_are_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        TaskConfig(**{"name": "t", **values})


def test_tasks_have_names_of_their_own_and_metrics_stand_in_one_place() -> None:
    with pytest.raises(ConfigError, match="names must differ"):
        EvaluationConfig(tasks=(TaskConfig(name="t"), TaskConfig(name="t")))
    with pytest.raises(ConfigError, match="has no effect beside"):
        EvaluationConfig(tasks=(TaskConfig(name="t"),), metrics=("exact_match",))
    with pytest.raises(ConfigError, match="belong to"):
        EvaluationConfig(metrics=("chrf",))
