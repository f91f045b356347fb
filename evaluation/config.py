"""The configuration of evaluation.

evaluation:
  max_items: 400
  shots: 4
  comparators: [base, base_few_shot, majority, candidate]
  tasks: [{name: routing, kind: classification, slices: [source]}]
"""

from typing import Literal, get_args

from curation.config import check, config
from evaluation.answering.endpoint_config import EndpointConfig
from evaluation.judge.config import PairwiseConfig
from evaluation.records import DEFAULT_TASK
from evaluation.tasks.config import METRICS_OF_KIND, TaskConfig
from evaluation.tasks.metrics import Metric

Comparator = Literal[
    "base",
    "base_few_shot",
    "base_retrieval",
    "majority",
    "dapt",
    "sft",
    "candidate",
    "candidate_retrieval",
    "champion",
    "teacher",
    "endpoint",
]
"""`candidate` is the last model that the recipe trains; `champion`, the model promoted last (when there is one)."""
COMPARATORS: tuple[Comparator, ...] = get_args(Comparator)
RETRIEVING: frozenset[str] = frozenset({"base_retrieval", "candidate_retrieval"})
"""Asked with passages of the training documents before the question."""

METRICS = METRICS_OF_KIND["text"]
"""What is measured where the recipe names no task."""


@config
class EvaluationConfig:
    """What is answered, by which models, and how sure the intervals are."""

    max_items: int = 400
    """Held-out items of each task that every comparator answers; a stable subset when there are more."""
    max_new_tokens: int = 24
    """Longest answer in tokens; what is longer is cut there."""
    batch_size: int = 64
    """Prompts answered at once."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """What computes answers of local models. `vllm` has to be installed beside this project, and needs a GPU."""
    shots: int = 4
    """Training examples shown to `base_few_shot` before each question."""
    passages: int = 3
    """Passages of the training documents shown to `base_retrieval` and `candidate_retrieval` before each question."""
    confidence: float = 0.95
    """Confidence of all intervals."""
    bootstrap_samples: int = 2000
    """Resamples of the paired bootstrap, and sign flips of the group test."""
    seed: int = 0
    """Seed of item choice, shots and resampling."""
    comparators: tuple[Comparator, ...] = ("base", "base_few_shot", "majority", "sft", "candidate", "champion")
    """Who answers. `champion` is left out while there is none; `base` and `candidate` are always needed."""
    metrics: tuple[Metric, ...] = METRICS
    """What is measured where there are no `tasks`; the release metric has to be among them."""
    tasks: tuple[TaskConfig, ...] = ()
    """What is asked; empty: the held-out rows of the recipe, graded as text. The first one is the main task."""
    gpu_usd_per_hour: float | None = None
    """Price of the machine that answers, for the cost of 1,000 requests; null: not known."""
    endpoint: EndpointConfig | None = None
    """The served model that the comparator `endpoint` asks; null: none."""
    judge: PairwiseConfig | None = None
    """Models that say which of two answers is better; null: none does."""

    def __post_init__(self) -> None:
        check(self.max_items >= 1, "evaluation.max_items", "must be at least 1", self.max_items)
        check(1 <= self.max_new_tokens <= 32768, "evaluation.max_new_tokens", "must lie in [1, 32768]", self.max_new_tokens)
        check(1 <= self.batch_size <= 4096, "evaluation.batch_size", "must lie in [1, 4096]", self.batch_size)
        check(0 <= self.shots <= 64, "evaluation.shots", "must lie in [0, 64]", self.shots)
        check(1 <= self.passages <= 32, "evaluation.passages", "must lie in [1, 32]", self.passages)
        check(0.5 <= self.confidence < 1, "evaluation.confidence", "must lie in [0.5, 1)", self.confidence)
        samples = self.bootstrap_samples
        check(100 <= samples <= 1_000_000, "evaluation.bootstrap_samples", "must lie in [100, 1000000]", samples)
        check(self.seed >= 0, "evaluation.seed", "must not be negative", self.seed)
        check(_unique(self.comparators), "evaluation.comparators", "names a comparator twice", self.comparators)
        needed = {"base", "candidate"} <= set(self.comparators)
        check(needed, "evaluation.comparators", "must contain both base and candidate", self.comparators)
        few_shot = "base_few_shot" in self.comparators
        check(not few_shot or self.shots > 0, "evaluation.shots", "must be at least 1 for base_few_shot", self.shots)
        price = self.gpu_usd_per_hour
        check(price is None or 0 <= price < 10_000, "evaluation.gpu_usd_per_hour", "must lie in [0, 10000)", price)
        is_asked = "endpoint" in self.comparators
        problem = "is what the comparator `endpoint` asks: give both or none"
        check(is_asked == (self.endpoint is not None), "evaluation.endpoint", problem, self.endpoint)
        self._check_tasks()

    def _check_tasks(self) -> None:
        check(bool(self.metrics) and _unique(self.metrics), "evaluation.metrics", "must name each metric once", self.metrics)
        unknown = [metric for metric in self.metrics if metric not in METRICS]
        problem = f"are those of text ({', '.join(METRICS)}); other metrics belong to `evaluation.tasks`"
        check(not unknown, "evaluation.metrics", problem, unknown)
        has_effect = not self.tasks or self.metrics == METRICS
        check(has_effect, "evaluation.metrics", "has no effect beside `tasks`: name the metrics there", self.metrics)
        names = tuple(task.name for task in self.tasks)
        check(_unique(names), "evaluation.tasks", "names must differ", names)
        if self.judge is not None:
            strange = [name for name in self.judge.against if name not in self.comparators]
            check(not strange, "evaluation.judge.against", "must be among `evaluation.comparators`", strange)
            strange = [name for name in self.judge.tasks if self.task(name) is None]
            check(not strange, "evaluation.judge.tasks", "must be among `evaluation.tasks`", strange)
            silent = [task.name for task in self.all_tasks if task.kind == "perplexity" or task.scoring == "likelihood"]
            named = [name for name in self.judge.tasks or [task.name for task in self.all_tasks] if name in silent]
            is_heard = not named or (not self.judge.tasks and len(silent) < len(self.all_tasks))
            problem = "measure likelihoods, so nothing is written that could be judged"
            check(is_heard, "evaluation.judge.tasks", f"{', '.join(named)}: {problem}", self.judge.tasks)

    @property
    def all_tasks(self) -> tuple[TaskConfig, ...]:
        """The tasks that are asked; the first one is the main task."""
        return self.tasks or (TaskConfig(name=DEFAULT_TASK, metrics=self.metrics),)

    def task(self, name: str) -> TaskConfig | None:
        """Return a task by name; the main task for an empty name; None if there is none of that name."""
        return next((task for task in self.all_tasks if name in ("", task.name)), None)


def _unique(values: tuple[str, ...]) -> bool:
    return len(set(values)) == len(values)
