"""What one answer is worth by the metrics of its task: one function a kind of task.

    measure_answer(answer, item, TaskConfig(name="gsm8k", kind="number"))     {"accuracy": Measure(1.0)}

Answers are hostile input. Graders are meant not to raise; `evaluation.scoring` contains those that do.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from curation.character_f import chrf
from curation.graders.choice import find_choice, grade_choice
from curation.graders.code import Patience, grade_code
from curation.graders.constraints.grading import Constraint, measure_constraints, read_constraints
from curation.graders.exact import fold_answer, strip_marks
from curation.graders.grade import MAX_ANSWER_CHARS, final_part, without_thoughts
from curation.graders.json_schema import grade_json_schema, measure_fields
from curation.graders.json_value import NO_VALUE, find_json, is_same_json, read_json
from curation.graders.number import grade_number
from curation.graders.pattern import grade_regex
from curation.graders.tool_call import grade_tool_call
from evaluation.records import EvalAnswer, EvalItem
from evaluation.tasks.config import Kind, TaskConfig
from evaluation.tasks.grounding import find_sources, measure_citations
from evaluation.tasks.rouge import measure_rouge
from evaluation.tasks.text_metrics import canonical_answer, exact_match, json_valid, token_f1

BUSY_MACHINE, ALONE = Patience(clock=6.0), Patience(clock=12.0, processor=2.0)
"""For code that a busy machine ended, and for the few answers whose grade a second grading does not give again."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Measure(NamedTuple):
    """The value of one metric, and what aggregates need besides."""

    value: float
    weight: float = 1.0
    label: str = ""
    predicted: str = ""


Measures = dict[str, Measure]


def measure_answer(answer: EvalAnswer, item: EvalItem, task: TaskConfig, patience: Patience = BUSY_MACHINE) -> Measures:
    """Return the value of every metric that the task measures; code that met its limit of time is run again with `patience`."""
    is_code = task.kind == "code"
    measured = _measure_code(answer, item, patience) if is_code else _MEASURES[task.kind](answer, item, task)
    return {metric: measured[metric] for metric in task.measured}


def worst_measures(item: EvalItem, task: TaskConfig) -> Measures:
    """Return what an answer earns that could not be given or graded."""
    zeros: Measures = dict.fromkeys(task.measured, Measure(0.0))
    if "macro_f1" in zeros:
        zeros["macro_f1"] = Measure(0.0, label=label_of(item.reference))
    if task.kind == "constraints":
        constraints = _constraints_of(item.reference)
        for metric in ("instruction_strict", "instruction_loose"):
            if metric in zeros:
                zeros[metric] = Measure(0.0, weight=float(max(1, len(constraints))))
    if task.kind == "perplexity":  # a text that could not be measured counts as much as one that was
        zeros["log_loss"] = Measure(0.0, weight=float(max(1, _num_bytes(item.reference))))
    return zeros


def _measure_text(answer: EvalAnswer, item: EvalItem, task: TaskConfig) -> Measures:
    return {
        "exact_match": Measure(exact_match(item.reference, answer.answer)),
        "json_valid": Measure(json_valid(answer.answer)),
        "token_f1": Measure(token_f1(item.reference, answer.answer)),
    }


def _measure_classification(answer: EvalAnswer, item: EvalItem, task: TaskConfig) -> Measures:
    label, predicted = label_of(item.reference), find_label(answer.answer)
    is_right = float(fold_answer(label) == fold_answer(predicted) != "")
    predicted = label if is_right else predicted
    return {"accuracy": Measure(is_right), "macro_f1": Measure(is_right, label=label, predicted=predicted)}


def _measure_choice(answer: EvalAnswer, item: EvalItem, task: TaskConfig) -> Measures:
    right = position_of(item.reference, item.choices)
    if task.scoring == "likelihood":
        found = answer.log_likelihoods
        if len(found) != len(item.choices) or right is None:
            return {"accuracy": Measure(0.0), "accuracy_norm": Measure(0.0)}
        by_length = [value / max(1, len(text)) for value, text in zip(found, item.choices, strict=True)]
        return {"accuracy": Measure(float(_best(found) == right)), "accuracy_norm": Measure(float(_best(by_length) == right))}
    if not item.choices:
        return {"accuracy": Measure(float(grade_choice(answer.answer, item.reference).is_right))}
    return {"accuracy": Measure(float(right is not None and chosen_position(answer.answer, item.choices) == right))}


def _measure_number(answer: EvalAnswer, item: EvalItem, task: TaskConfig) -> Measures:
    return {"accuracy": Measure(float(grade_number(answer.answer, item.reference).is_right))}


def _measure_json(answer: EvalAnswer, item: EvalItem, task: TaskConfig) -> Measures:
    fields = read_json(item.reference)
    has_schema = isinstance(fields, dict) and fields.keys() == {"schema", "reference"}
    wanted = fields["reference"] if has_schema and isinstance(fields, dict) else fields
    value = find_json(without_thoughts(answer.answer))
    fits = value is not NO_VALUE
    if has_schema and isinstance(fields, dict) and fits:
        fits = grade_json_schema(answer.answer, json.dumps(fields["schema"])).is_right
    try:
        share = 0.0 if value is NO_VALUE else measure_fields(value, wanted)
        is_equal = value is not NO_VALUE and is_same_json(value, wanted)
    except RecursionError:
        share, is_equal = 0.0, False
    return {"json_match": Measure(float(is_equal)), "schema_valid": Measure(float(fits)), "field_f1": Measure(share)}


def _measure_calls(answer: EvalAnswer, item: EvalItem, task: TaskConfig) -> Measures:
    grade = grade_tool_call(answer.answer, item.reference)
    return {"call_match": Measure(float(grade.is_right)), "call_share": Measure(grade.reward)}


def _measure_code(answer: EvalAnswer, item: EvalItem, patience: Patience) -> Measures:
    grade = grade_code(answer.answer, item.reference, patience)
    return {"tests_pass": Measure(float(grade.is_right)), "tests_share": Measure(grade.reward)}


def _measure_constraints(answer: EvalAnswer, item: EvalItem, task: TaskConfig) -> Measures:
    constraints = _constraints_of(item.reference)
    if not constraints:
        return worst_measures(item, replace(task, metrics=()))
    kept = measure_constraints(answer.answer, constraints)
    weight = float(len(constraints))
    found = {}
    for name, verdicts in (("strict", kept.strict), ("loose", kept.loose)):
        found[f"prompt_{name}"] = Measure(float(all(verdicts)))
        found[f"instruction_{name}"] = Measure(sum(verdicts) / weight, weight=weight)
    return found


def _constraints_of(reference: str) -> list[Constraint]:
    fields = read_json(reference.strip())
    constraints = read_constraints(fields.get("constraints") if isinstance(fields, dict) else fields)
    return [] if isinstance(constraints, str) else constraints


def _measure_regex(answer: EvalAnswer, item: EvalItem, task: TaskConfig) -> Measures:
    return {"pattern_match": Measure(float(grade_regex(answer.answer, item.reference).is_right))}


def _measure_grounded(answer: EvalAnswer, item: EvalItem, task: TaskConfig) -> Measures:
    sources = item.sources or tuple(text for message in item.prompt for text in find_sources(message.text))
    found = measure_citations(without_thoughts(answer.answer), item.reference, sources)
    wanted = measure_citations(item.reference, item.reference, sources).text
    return {
        "grounded": Measure(float(found.is_grounded)),
        "citation_precision": Measure(found.precision),
        "citation_recall": Measure(found.recall),
        "token_f1": Measure(token_f1(wanted, found.text)),
    }


def _measure_translation(answer: EvalAnswer, item: EvalItem, task: TaskConfig) -> Measures:
    text = without_thoughts(answer.answer)
    return {"chrf": Measure(chrf(text, item.reference)), "token_f1": Measure(token_f1(item.reference, text))}


def _measure_summary(answer: EvalAnswer, item: EvalItem, task: TaskConfig) -> Measures:
    found = measure_rouge(item.reference, without_thoughts(answer.answer))
    return {"rouge1": Measure(found.one), "rouge2": Measure(found.two), "rouge_l": Measure(found.longest)}


def _measure_perplexity(answer: EvalAnswer, item: EvalItem, task: TaskConfig) -> Measures:
    num_bytes = _num_bytes(item.reference)
    if not answer.log_likelihoods or not num_bytes:
        raise ValueError("no log-likelihood was measured")
    return {"log_loss": Measure(max(0.0, -sum(answer.log_likelihoods) / num_bytes), weight=float(num_bytes))}


def _num_bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


_MEASURES: dict[Kind, Callable[[EvalAnswer, EvalItem, TaskConfig], Measures]] = {
    "text": _measure_text,
    "classification": _measure_classification,
    "choice": _measure_choice,
    "number": _measure_number,
    "json": _measure_json,
    "tool_call": _measure_calls,
    "constraints": _measure_constraints,
    "regex": _measure_regex,
    "grounded": _measure_grounded,
    "translation": _measure_translation,
    "summary": _measure_summary,
    "perplexity": _measure_perplexity,
}


def label_of(text: str) -> str:
    """Return the one value of `{"part":"strings"}`, or the text itself."""
    canonical = canonical_answer(text)
    parsed = json.loads(canonical) if canonical is not None else None
    if isinstance(parsed, dict) and len(parsed) == 1:
        value = next(iter(parsed.values()))
        if isinstance(value, str):
            return value
    return text.strip()


def find_label(answer: str) -> str:
    """Return the label that an answer gives: its JSON's one value, else its marked final part, else all of it."""
    text = without_thoughts(answer[-MAX_ANSWER_CHARS:]).strip()
    label = label_of(text)
    if label == text and (marked := final_part(answer)) is not None:
        label = label_of(marked)
    return strip_marks(label)[:200]


def position_of(reference: str, choices: Sequence[str]) -> int | None:
    """Return which choice is right: the reference is its text, its letter, or its number from 0; None if it is none of them."""
    folded = fold_answer(reference)
    texts = [fold_answer(choice) for choice in choices]
    if folded in texts:
        return texts.index(folded)
    letter = find_choice(reference)
    if letter and LETTERS.index(letter) < len(choices):
        return LETTERS.index(letter)
    return int(reference) if reference.strip().isdecimal() and int(reference) < len(choices) else None


def chosen_position(answer: str, choices: Sequence[str]) -> int | None:
    """Return which choice an answer names: by its text, or by its letter; None if by neither."""
    marked = final_part(answer, is_choice=True)
    folded = fold_answer(without_thoughts(answer) if marked is None else marked)
    texts = [fold_answer(choice) for choice in choices]
    if folded in texts:
        return texts.index(folded)
    letter = find_choice(answer)
    return LETTERS.index(letter) if letter and LETTERS.index(letter) < len(choices) else None


def _best(values: Sequence[float]) -> int:
    """Return the position of the greatest value, the first of several; a value that is not a number is never it."""
    return max(range(len(values)), key=lambda at: (values[at] if values[at] == values[at] else float("-inf"), -at))
