"""What evaluation stores: one row an item, one an answer, one a score. Same conventions as `curation.records`.

EvalItem(key="api/polars.Expr.str.head#routing/0", task="held_out", prompt=(Message(role="user", ...),),
         reference='{"part":"strings"}', group="head", slices=("source=api", "length=short"))
EvalAnswer(key="candidate/api/polars.Expr.str.head#routing/0", comparator="candidate", model_hash="9f...",
           item_key="api/polars.Expr.str.head#routing/0", reference='{"part":"strings"}', answer='{"part":"strings"}', ...)
AnswerTiming(key="candidate/api/polars.Expr.str.head#routing/0", latency_s=0.11, machine_s=0.02)
AnswerConfidence(key="candidate/api/polars.Expr.str.head#routing/0", mean_log_probability=-0.08)
Score(key="candidate/api/polars.Expr.str.head#routing/0#exact_match", metric="exact_match", value=1.0, ...)
"""

from dataclasses import dataclass

from curation.records import Message

DEFAULT_TASK = "held_out"
"""The task of a recipe that names none: its own held-out rows."""


def storable(text: str) -> str:
    """Return a text that a table can hold: halves of surrogate pairs, which replies may hold as JSON, become `?`."""
    return text.encode("utf-8", "replace").decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalItem:
    """One question of one task, as every comparator is asked it."""

    key: str
    """Unique over all tasks: that of the held-out example, or `TASK/ID` for a row of a file."""
    task: str
    prompt: tuple[Message, ...]
    reference: str
    """What the grader compares with: an answer, a number, a label, JSON, tests."""
    choices: tuple[str, ...] = ()
    """The texts to choose from, in order; empty if nothing is to be chosen."""
    sources: tuple[str, ...] = ()
    """The documents that quotes of an answer have to stand in, by the number in the prompt (from 1)."""
    tools: str = ""
    """As in `Example`: shown to everybody who answers, as in training."""
    group: str
    """Items of one group are never treated as independent."""
    slices: tuple[str, ...] = ()
    """`NAME=VALUE`, one for each slice that the task names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalAnswer:
    """What one comparator answered to one item."""

    key: str
    """`COMPARATOR/ITEM_KEY`."""
    comparator: str
    model_hash: str
    """Hash of the model folder; of the training answers for `majority`; of model name and revision for `teacher`."""
    item_key: str
    item_hash: str
    """Record hash of the item as it was asked."""
    group: str
    prompt: str
    """The question as text, without the system message and the shots."""
    reference: str
    answer: str
    num_tokens: int
    """Tokens generated, the end of turn included; 0 where no model was asked."""
    task: str = DEFAULT_TASK
    num_prompt_tokens: int = 0
    """Tokens of the prompt, shots and passages included."""
    log_likelihoods: tuple[float, ...] = ()
    """Natural log-likelihood of each choice, or of the reference alone; empty where it was not measured."""
    num_scored_tokens: tuple[int, ...] = ()
    """Tokens of each text in `log_likelihoods`."""
    cost_usd: float = 0.0
    """What the endpoint charged; 0 for local models."""
    error: str = ""
    """Why there is no answer; then every metric is 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerTiming:
    """How long one answer took. Apart from `EvalAnswer`, so that the version of answers depends on what was said alone."""

    key: str
    """That of the answer."""
    latency_s: float = 0.0
    """Seconds from asking to the answer; in a batch, those of the batch. 0 where no model was asked."""
    machine_s: float = 0.0
    """Seconds of the machine that it took: in a batch, those of the batch divided by its answers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerConfidence:
    """How sure a model was of an answer that it wrote. Apart from `EvalAnswer`: it is rounded otherwise in another batch."""

    key: str
    """That of the answer."""
    mean_log_probability: float
    """Mean natural log-probability of the tokens generated, the end of turn included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How good one answer is by one metric (see `evaluation.tasks.metrics` for its range and direction)."""

    key: str
    """`ANSWER_KEY#METRIC`."""
    comparator: str
    task: str
    item_key: str
    group: str
    metric: str
    value: float
    weight: float = 1.0
    """How much the item counts in the mean: its number of instructions, or of tokens; 1 for most metrics."""
    label: str = ""
    """The right label, for metrics over classes."""
    predicted: str = ""
    """The label that the answer gives, for metrics over classes; empty if it gives none."""
