"""The metrics by name: what people call them, which direction is better, and how items become one figure.

    METRICS["log_loss"].is_higher_better      False: 0.9 is better than 1.1
    METRICS["macro_f1"].aggregate             "macro_f1": no mean of items, but F1 averaged over the labels

All values lie in [0, 1] but for `log_loss`, which is in nats a byte, 0 or more: a byte is the same for every tokenizer.
"""

from typing import Literal, NamedTuple

Metric = Literal[
    "exact_match",
    "json_valid",
    "token_f1",
    "accuracy",
    "accuracy_norm",
    "macro_f1",
    "json_match",
    "schema_valid",
    "field_f1",
    "call_match",
    "call_share",
    "tests_pass",
    "tests_share",
    "prompt_strict",
    "instruction_strict",
    "prompt_loose",
    "instruction_loose",
    "pattern_match",
    "grounded",
    "citation_precision",
    "citation_recall",
    "chrf",
    "rouge1",
    "rouge2",
    "rouge_l",
    "log_loss",
]
Aggregate = Literal["mean", "macro_f1"]


class MetricInfo(NamedTuple):
    """What is known of a metric."""

    title: str
    is_binary: bool = False
    """Whether an item scores 0 or 1, so that Wilson's interval and the exact McNemar test apply."""
    is_higher_better: bool = True
    aggregate: Aggregate = "mean"
    """`mean` is weighted by `Score.weight`."""


METRICS: dict[str, MetricInfo] = {
    "exact_match": MetricInfo("Exact match", is_binary=True),
    "json_valid": MetricInfo("Valid JSON", is_binary=True),
    "token_f1": MetricInfo("Token F1"),
    "accuracy": MetricInfo("Accuracy", is_binary=True),
    "accuracy_norm": MetricInfo("Accuracy, normalised by length", is_binary=True),
    "macro_f1": MetricInfo("Macro F1", aggregate="macro_f1"),
    "json_match": MetricInfo("Equal JSON", is_binary=True),
    "schema_valid": MetricInfo("Fits the schema", is_binary=True),
    "field_f1": MetricInfo("Field F1"),
    "call_match": MetricInfo("Right tool calls", is_binary=True),
    "call_share": MetricInfo("Share of tool calls right"),
    "tests_pass": MetricInfo("Tests pass", is_binary=True),
    "tests_share": MetricInfo("Share of cases passed"),
    "prompt_strict": MetricInfo("Prompts, strict", is_binary=True),
    "instruction_strict": MetricInfo("Instructions, strict"),
    "prompt_loose": MetricInfo("Prompts, loose", is_binary=True),
    "instruction_loose": MetricInfo("Instructions, loose"),
    "pattern_match": MetricInfo("Matches the pattern", is_binary=True),
    "grounded": MetricInfo("Grounded", is_binary=True),
    "citation_precision": MetricInfo("Citation precision"),
    "citation_recall": MetricInfo("Citation recall"),
    "chrf": MetricInfo("chrF"),
    "rouge1": MetricInfo("ROUGE-1"),
    "rouge2": MetricInfo("ROUGE-2"),
    "rouge_l": MetricInfo("ROUGE-L"),
    "log_loss": MetricInfo("Log loss a byte", is_higher_better=False),
}
"""Every metric; the keys are those of `Metric`."""


def is_share(metric: str) -> bool:
    """Tell whether a metric lies in [0, 1] and more of it is better."""
    return metric not in METRICS or METRICS[metric].is_higher_better


def shown(metric: str, value: float) -> str:
    """Return a figure for people: a share in percent, a loss in nats a byte."""
    return f"{value * 100:.1f} %" if is_share(metric) else f"{value:.3f}"


def unit_of(metric: str) -> str:
    """Return what differences of a metric are told in."""
    return "points" if is_share(metric) else "nats a byte"


def title_of(metric: str) -> str:
    """Return what people read for a metric."""
    return METRICS[metric].title if metric in METRICS else metric
