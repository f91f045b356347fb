"""Documents of task files, asked and scored."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.errors import EvaluationError
from evaluation.harness_tasks.score import HarnessResult, score_task
from evaluation.harness_tasks.task_file import read_task

Write = Callable[..., Path]
GENERATE = {"output_type": "generate_until", "doc_to_choice": None, "doc_to_target": "text"}


@pytest.fixture
def score(write_task: Write, rule_model: Any) -> Callable[..., HarnessResult]:
    def run(model: Any = None, **changes: Any) -> HarnessResult:
        settings = {name: changes.pop(name) for name in ("has_chat_template", "limit", "num_fewshot") if name in changes}
        return score_task(read_task(write_task(**changes)), model or rule_model(), **settings)

    return run


def test_choices_are_ranked_by_sum_and_by_length(score: Any) -> None:
    result = score(metric_list=[{"metric": name} for name in ("acc", "acc_norm", "acc_bytes", "exact_match")])
    assert [item.key for item in result.items] == ["boats/0", "boats/1"]
    assert result.items[0].scores == {"acc": 1.0, "acc_norm": 0.0, "acc_bytes": 0.0, "exact_match": 1.0}
    assert result.items[1].scores == {"acc": 0.0, "acc_norm": 1.0, "acc_bytes": 1.0, "exact_match": 0.0}
    assert result.totals == {"acc": 0.5, "acc_norm": 0.5, "acc_bytes": 0.5, "exact_match": 0.5}
    assert (result.items[0].answer, result.items[0].reference, result.items[0].prompt) == ("b", "b", "Q: One?\nA:")


def test_the_first_of_equal_choices_wins(score: Any) -> None:
    rows = [{"question": "?", "choices": ["x", "y"], "answer": number} for number in (0, 1)]
    assert [item.scores["acc"] for item in score(rows=rows).items] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("target", "choices", "rows"),
    [
        ("{{answer}}", "{{choices}}", None),
        ("{{choices[answer]}}", "choices", None),
        ("{{[answer]}}", "choices", None),
        (1, ["a stone", "b"], [{"question": "One?"}]),
        ("key", {"first": "a stone", "second": "b"}, [{"question": "One?", "key": "b"}]),
    ],
)
def test_answers_are_a_number_a_text_or_several(score: Any, target: Any, choices: Any, rows: Any) -> None:
    result = score(doc_to_target=target, doc_to_choice=choices, rows=rows)
    assert (result.num_errors, result.items[0].reference, result.items[0].scores["acc"]) == (0, "b", 1.0)


def test_answers_are_filtered_before_they_are_compared(score: Any, rule_model: Any) -> None:
    model = rule_model()
    filters = [
        {"name": "strict", "filter": [{"function": "regex", "regex_pattern": "#### ([0-9,]+)"}, {"function": "take_first"}]},
        {"name": "last", "filter": [{"function": "regex", "regex_pattern": "(x)|([a-z]+)", "group_select": -1}]},
        {"name": "whole", "filter": [{"function": "uppercase"}, {"function": "lowercase"}]},
    ]
    metrics = [{"metric": "exact_match", "regexes_to_ignore": [","], "aggregation": "mean", "higher_is_better": True}]
    rows = [{"question": "?", "text": text} for text in ("1007", "TEA", ["no", "1,007"])]
    result = score(model, rows=rows, filter_list=filters, metric_list=metrics, generation_kwargs={"until": "\n"}, **GENERATE)
    assert [item.scores["exact_match,strict"] for item in result.items] == [1.0, 0.0, 1.0]
    assert [item.scores["exact_match,last"] for item in result.items] == [0.0, 0.0, 0.0]
    assert result.totals["exact_match,strict"] == pytest.approx(2 / 3)
    assert model.stop_texts == ("\n",)
    assert result.items[0].latency_s == 0.5
    metrics[0]["ignore_case"] = True
    assert score(rows=rows, filter_list=filters, metric_list=metrics, **GENERATE).items[1].scores["exact_match,last"] == 1.0
    assert score(rows=rows, **GENERATE).totals == {"exact_match": 0.0}


def test_case_punctuation_and_numbers_can_be_ignored(score: Any, rule_model: Any) -> None:
    rows = [{"question": "?", "text": "tea"}]
    metrics = [{"metric": "exact_match", "ignore_case": True, "ignore_punctuation": True, "ignore_numbers": True}]
    assert score(rule_model("T.e!a 7"[:-2]), rows=rows, metric_list=metrics, **GENERATE).totals == {"exact_match": 1.0}
    assert score(rule_model("T.e!a"), rows=rows, **GENERATE).totals == {"exact_match": 0.0}


def test_perplexity_weighs_by_words_and_bytes(score: Any) -> None:
    rows = [{"page": "one two"}, {"page": "three"}]
    result = score(rows=rows, output_type="loglikelihood_rolling", doc_to_text="", doc_to_target="page", doc_to_choice=None)
    assert result.totals["bits_per_byte"] == pytest.approx(2 / math.log(2))
    assert result.totals["byte_perplexity"] == pytest.approx(math.exp(2))
    assert result.totals["word_perplexity"] == pytest.approx(math.exp(24 / 3))
    assert result.lower_is_better == {"bits_per_byte", "byte_perplexity", "word_perplexity"}
    word = score(rows=[{"question": "?", "text": " b"}], output_type="loglikelihood", doc_to_target="text", doc_to_choice=None)
    assert word.totals == {"perplexity": pytest.approx(math.exp(2)), "acc": 1.0}


def test_few_shot_examples_stand_in_front(score: Any, rule_model: Any) -> None:
    model = rule_model()
    shots = [{"question": f"S{number}?", "choices": ["x", "y"], "answer": number % 2} for number in range(5)]
    score(model, shots=shots, fewshot_split="train", num_fewshot=2, description="Choose.\n\n")
    for prompt, question in zip(model.prompts, ("One?", "Two?"), strict=True):
        assert prompt.startswith("Choose.\n\nQ: S")
        assert prompt.endswith(f"\n\nQ: {question}\nA:")
        parts = prompt.split("\n\n")
        assert len(parts) == 4
        assert all(part[-1] == ("x" if int(part[4]) % 2 == 0 else "y") for part in parts[1:3])
    assert model.prompts[0].split("\n\n")[1:3] != model.prompts[1].split("\n\n")[1:3]
    score(model, shots=shots, fewshot_split="train", num_fewshot=2, fewshot_config={"sampler": "first_n"})
    assert model.prompts[0] == "Q: S0?\nA: x\n\nQ: S1?\nA: y\n\nQ: One?\nA:"


def test_a_document_is_never_its_own_example(score: Any, rule_model: Any) -> None:
    model = rule_model()
    rows = [{"question": f"R{number}?", "choices": ["x", "y"], "answer": 0} for number in range(6)]
    for settings in ({}, {"fewshot_config": {"sampler": "first_n"}}):
        score(model, rows=rows, fewshot_split="test", num_fewshot=3, **settings)
        assert all(prompt.count(f"R{number}?") == 1 for number, prompt in enumerate(model.prompts))
    with pytest.raises(EvaluationError, match="no `fewshot_split`"):
        score(model, rows=rows, num_fewshot=3)
    with pytest.raises(EvaluationError, match="has 6 examples for few-shot prompts, and 9"):
        score(model, rows=rows, fewshot_split="test", num_fewshot=9)


def test_a_chat_template_gets_the_examples_as_turns(score: Any, rule_model: Any) -> None:
    model = rule_model()
    shots = [{"question": "S?", "choices": ["x", "y"], "answer": 1}]
    score(model, shots=shots, fewshot_split="train", num_fewshot=1, description="Choose.", has_chat_template=True)
    assert model.prompts[0] == "<system>Choose.<user>Q: S?\nA:<assistant>y<user>Q: One?\nA:<assistant>"


def test_documents_that_cannot_be_asked_score_nothing_and_say_why(score: Any) -> None:
    good = {"question": "Q", "choices": ["x", "yy"], "answer": 0}
    bad = [
        {"choices": ["x", "yy"], "answer": 0},
        {**good, "choices": "no list"},
        {**good, "choices": []},
        {**good, "answer": 7},
        {**good, "answer": None},
        {**good, "choices": ["x" * 500, "y"]},
    ]
    result = score(rows=[good, *bad])
    assert result.num_errors == len(bad)
    assert result.totals["acc"] == pytest.approx(1 / 7)
    assert result.items[0].scores["acc"] == 1.0
    for item, part in zip(
        result.items[1:], ("'question' is undefined", "no list", "no list", "none of its", "none of its", "501"), strict=True
    ):
        assert part in item.error
        assert item.scores == {}
    assert score(rows=bad).totals == {"acc": 0.0, "acc_norm": 0.0}


def test_templates_are_in_a_sandbox(score: Any) -> None:
    for attack in (
        "{{ ''.__class__.__mro__ }}",
        "{{ question.__init__.__globals__ }}",
        "{{ cycler.__init__ }}",
        "{% import 'os' %}",
    ):
        result = score(doc_to_text=attack)
        assert result.num_errors == 2, attack
    result = score(doc_to_text="{{ 'x' * 20000000 }}")
    assert "characters" in result.items[0].error


def test_a_pattern_that_never_ends_is_stopped(score: Any, rule_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("filters", "metrics"):
        monkeypatch.setattr(f"evaluation.harness_tasks.{module}.REGEX_SECONDS", 0.05)
    model = rule_model("a" * 40)
    metrics = [{"metric": "exact_match", "regexes_to_ignore": ["(a|aa)+$x|(a+)+b"]}]
    result = score(model, limit=1, metric_list=metrics, **GENERATE)
    assert "takes too long" in result.items[0].error
    assert result.totals == {"exact_match": 0.0}
    filters = [{"name": "f", "filter": [{"function": "regex", "regex_pattern": "(a+)+b", "fallback": "none"}]}]
    assert score(model, limit=1, filter_list=filters, **GENERATE).totals == {"exact_match,f": 0.0}


def test_data_comes_from_csv_and_parquet(score: Any, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    table = pyarrow.table({"question": ["One?", "Two?"], "answer": [1, 0]})
    pyarrow.csv.write_csv(table, tmp_path / "t.csv")
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "t.json").write_text(json.dumps(table.to_pylist()))
    for kind in ("csv", "parquet", "json"):
        data = {"data_files": {"test": f"t.{kind}"}}
        result = score(dataset_path=kind, dataset_kwargs=data, doc_to_choice=["a stone", "b"])
        assert [item.scores["acc"] for item in result.items] == [1.0, 0.0], kind


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset_path": "allenai/ai2_arc"}, "which is no local format .*extra `harness`"),
        ({"dataset_kwargs": {}}, "no `data_files`"),
        ({"dataset_kwargs": {"data_files": {"test": "missing.jsonl"}}}, "missing.jsonl of task 'boats' cannot be read"),
        ({"rows": []}, "no documents in its split 'test'"),
        ({"rows": [[1]]}, "row 1 is no record"),
        ({"metric_list": [{"metric": "mcc"}]}, "metric 'mcc'; known for multiple_choice: acc"),
        ({"filter_list": [{"name": "f", "filter": [{"function": "custom"}]}]}, "filter 'custom'; known are"),
        ({"filter_list": [{"name": "f", "filter": [{"function": "regex", "regex_pattern": "("}]}]}, "a pattern that is none"),
        ({**GENERATE, "generation_kwargs": {"max_gen_toks": 900}}, "asks for 900 new tokens, and the model reads 400"),
    ],
)
def test_tasks_that_cannot_be_asked_are_refused(score: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        score(**changes)


def test_a_damaged_line_is_named(score: Any, write_task: Write, tmp_path: Path, rule_model: Any) -> None:
    path = write_task()
    (tmp_path / "test.jsonl").write_text('{"question": "One?"}\n{"question":\n')
    with pytest.raises(EvaluationError, match=r"test\.jsonl of task 'boats' cannot be read \(line 2"):
        score_task(read_task(path), rule_model())


def test_the_real_model_can_be_asked(write_task: Write, build_model: Any) -> None:
    from evaluation.answering.language_model import load_model

    model = load_model("tiny", str(build_model()), max_new_tokens=4)
    result = score_task(read_task(write_task()), model)
    assert len(result.items[0].choices) == 2
    assert all(score.log_likelihood < 0 for item in result.items for score in item.choices)
    lines: list[str] = []
    chat = score_task(
        read_task(write_task(**GENERATE, generation_kwargs={"max_gen_toks": 8})),
        model,
        has_chat_template=True,
        on_progress=lines.append,
    )
    assert all(item.prompt.startswith("<s><|user|>") and item.latency_s > 0 for item in chat.items)
    assert lines == ["boats: 2 of 2 answers"]


def test_a_prompt_that_is_too_long_keeps_its_end(score: Any, rule_model: Any) -> None:
    model = rule_model("tea")
    rows = [{"question": "x" * 500, "text": "tea"}, {"question": "?", "text": "tea"}]
    result = score(model, rows=rows, generation_kwargs={"max_gen_toks": 100}, **GENERATE)
    assert [item.num_cut for item in result.items] == [506 - 300, 0]
    assert len(model.prompts[0]) == 300
    assert model.prompts[0].endswith("x\nA:")
    assert result.num_cut == 1
