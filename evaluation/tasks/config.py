"""The configuration of one task: which items, how they are asked, how answers are graded.

evaluation:
  tasks:
    - {name: routing, data: eval_set, kind: classification, slices: [source, length]}
    - {name: gsm8k, data: data/gsm8k/test.jsonl, kind: number, max_items: 200, max_new_tokens: 256}
"""

import re
from string import Formatter
from typing import Literal

from curation.config import check, config
from evaluation.tasks.metrics import Metric

Kind = Literal[
    "text",
    "classification",
    "choice",
    "number",
    "json",
    "tool_call",
    "code",
    "constraints",
    "regex",
    "grounded",
    "translation",
    "summary",
    "perplexity",
]
Scoring = Literal["generation", "likelihood"]
_HARNESS_NAME = re.compile(r"harness:(?:[^\x00-\x1f]*/)?[A-Za-z0-9][\w.+-]{0,199}", re.ASCII)

EVAL_SET = "eval_set"
HARNESS = "harness:"
"""In front of the name of a task of lm-evaluation-harness."""
METRICS_OF_KIND: dict[Kind, tuple[Metric, ...]] = {
    "text": ("exact_match", "json_valid", "token_f1"),
    "classification": ("accuracy", "macro_f1"),
    "choice": ("accuracy",),
    "number": ("accuracy",),
    "json": ("json_match", "schema_valid", "field_f1"),
    "tool_call": ("call_match", "call_share"),
    "code": ("tests_pass", "tests_share"),
    "constraints": ("prompt_strict", "instruction_strict", "prompt_loose", "instruction_loose"),
    "regex": ("pattern_match",),
    "grounded": ("grounded", "citation_precision", "citation_recall", "token_f1"),
    "translation": ("chrf", "token_f1"),
    "summary": ("rouge_l", "rouge1", "rouge2"),
    "perplexity": ("log_loss",),
}
"""What each kind measures; the first one decides unless the recipe says otherwise."""
LIKELIHOOD_METRICS: tuple[Metric, ...] = ("accuracy", "accuracy_norm")
"""What `choice` measures when it compares likelihoods."""


@config
class TaskConfig:
    """One task of the evaluation."""

    name: str
    """Short name in lower case; it stands in keys, plots and guards."""
    kind: Kind = "text"
    """How answers are graded."""
    data: str = EVAL_SET
    """`eval_set`, or the path or glob of files of rows (JSONL, JSON, CSV, Parquet; any fsspec URL), or `harness:NAME`, a task
    of lm-evaluation-harness by its name (`harness:FOLDER/NAME`: one of your own task files in a folder)."""
    rows: tuple[str, ...] = ()
    """Of the eval_set only the rows of these tasks (`routing`, `document_qa`, ...); empty for all."""
    area: str = ""
    """What the task stands for (`arithmetic`, `domain`); shown, and grouped by."""
    prompt: str = ""
    """Question with the row's columns in braces, such as `Translate: {source}`; empty: the column that holds the question."""
    reference: str = ""
    """Column of the reference; empty: the first one called answer, target, label, ..."""
    scoring: Scoring = "generation"
    """For `choice`: what the model writes, or the choice that it finds most likely."""
    labels: tuple[str, ...] = ()
    """For `classification`: labels that the confusion matrix knows besides those that occur as references."""
    metrics: tuple[Metric, ...] = ()
    """What is measured; empty: all that the kind measures."""
    slices: tuple[str, ...] = ()
    """Shown and guarded one by one: `source`, `topic`, `length`, `method`, or a column of the files."""
    max_items: int | None = None
    """Items of this task at most, a stable subset; null: `evaluation.max_items`."""
    max_new_tokens: int | None = None
    """Longest answer in tokens; null: `evaluation.max_new_tokens`."""

    def __post_init__(self) -> None:
        at = f"evaluation.tasks.{self.name}"
        check(
            re.fullmatch(r"[a-z][a-z0-9_]{0,62}", self.name) is not None,
            "evaluation.tasks.name",
            "must be lower-case letters, digits and _",
            self.name,
        )
        check(bool(self.data.strip()), f"{at}.data", "must be `eval_set` or a path", self.data)
        is_named = not self.data.startswith(HARNESS) or _HARNESS_NAME.fullmatch(self.data) is not None
        check(is_named, f"{at}.data", "must be `harness:NAME` or `harness:FOLDER/NAME`, the name without blanks", self.data)
        check(self.data == EVAL_SET or not self.rows, f"{at}.rows", "has an effect on `data: eval_set` only", self.rows)
        check(self.data != EVAL_SET or not self.prompt, f"{at}.prompt", "has an effect on files only", self.prompt)
        check(self.data != EVAL_SET or not self.reference, f"{at}.reference", "has an effect on files only", self.reference)
        check(
            self.scoring == "generation" or self.kind == "choice", f"{at}.scoring", "has an effect on `choice` only", self.kind
        )
        check(
            not self.labels or self.kind == "classification",
            f"{at}.labels",
            "has an effect on `classification` only",
            self.kind,
        )
        check(self.max_items is None or self.max_items >= 1, f"{at}.max_items", "must be at least 1", self.max_items)
        tokens = self.max_new_tokens
        check(tokens is None or 1 <= tokens <= 32768, f"{at}.max_new_tokens", "must lie in [1, 32768]", tokens)
        for name, values in (("metrics", self.metrics), ("slices", self.slices), ("labels", self.labels)):
            check(len(set(values)) == len(values), f"{at}.{name}", "names one twice", values)
        known = self.known_metrics
        unknown = [metric for metric in self.metrics if metric not in known]
        check(not unknown, f"{at}.metrics", f"kind '{self.kind}' measures {', '.join(known)} only", unknown)
        check(_is_template(self.prompt), f"{at}.prompt", "must hold columns in braces, such as {question}", self.prompt)

    @property
    def known_metrics(self) -> tuple[Metric, ...]:
        """Everything that the task can measure."""
        return LIKELIHOOD_METRICS if self.scoring == "likelihood" else METRICS_OF_KIND[self.kind]

    @property
    def measured(self) -> tuple[Metric, ...]:
        """What the task does measure; the first one is its main metric."""
        return self.metrics or self.known_metrics


def _is_template(prompt: str) -> bool:
    """Tell whether a prompt only asks for columns by name: no attribute, index or conversion, so a row cannot reach further."""
    if not prompt:
        return True
    try:
        parts = list(Formatter().parse(prompt))
    except ValueError:
        return False
    fields = [(name, spec, conversion) for _, name, spec, conversion in parts if name is not None]
    return bool(fields) and all(
        re.fullmatch(r"[^\W\d][\w -]*", name) is not None and not spec and not conversion for name, spec, conversion in fields
    )
