"""Scores a model on a task file.

    task = read_task(Path("tasks/arc_easy.yaml"))
    result = score_task(task, model, batch_size=32, on_progress=print)
    result.totals                   {"acc": 0.71, "acc_norm": 0.68}
    result.items[0].scores          {"acc": 1.0, "acc_norm": 1.0}

A document that cannot be asked about (a column is missing, a template raises, a choice does not fit) scores 0 and says why;
a perplexity leaves it out. Nothing is dropped in silence: `num_errors`, `num_cut`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from curation.errors import EvaluationError
from curation.ids import content_hash
from curation.records import Message
from evaluation.answering.generated import Generated
from evaluation.answering.likelihood import ChoiceLikelihood, TextLikelihood
from evaluation.harness_tasks.contexts import FEWSHOT_SEED, Contexts, Turn, join_turns
from evaluation.harness_tasks.documents import Document, read_documents
from evaluation.harness_tasks.filters import apply_filter, check_filters
from evaluation.harness_tasks.metrics import KNOWN, LOWER_IS_BETTER, ROLLING_METRICS, exact_match, score_choices, summarize
from evaluation.harness_tasks.task_file import Filter, HarnessTask, Metric
from evaluation.harness_tasks.templates import DocumentError, Templates

MAX_NEW_TOKENS = 256
"""Default of the harness."""
_TOKEN_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")


class Model(Protocol):
    """What is asked of a model: `LanguageModel`, `VllmModel`."""

    context_length: int

    def tokenize(self, text: str, *, has_special_tokens: bool = True) -> list[int]:
        """Return a text in tokens."""
        ...

    def render(self, messages: Sequence[Message]) -> str:
        """Return a conversation as the text that the model goes on with."""
        ...

    def write(
        self,
        prompts: Sequence[list[int]],
        *,
        max_new_tokens: int,
        stop_texts: Sequence[str] = (),
        batch_size: int = 0,
        on_answer: Callable[[int, Generated], None] = ...,
    ) -> list[Generated]:
        """Go on with prompts."""
        ...

    def choice_log_likelihoods(
        self,
        prompts: Sequence[str],
        choices: Sequence[Sequence[str]],
        *,
        batch_size: int = 16,
        on_progress: Callable[[int], None] = ...,
    ) -> list[tuple[ChoiceLikelihood, ...]]:
        """Return how likely choices are."""
        ...

    def text_log_likelihoods(
        self, texts: Sequence[str], *, batch_size: int = 4, on_progress: Callable[[int], None] = ...
    ) -> list[TextLikelihood]:
        """Return how likely texts are."""
        ...


@dataclass(kw_only=True)
class HarnessItem:
    """One document, as it was asked and scored."""

    key: str
    """`TASK/NUMBER`."""
    document_hash: str
    prompt: str = ""
    answer: str = ""
    """What was generated, or the most likely choice."""
    reference: str = ""
    choices: tuple[ChoiceLikelihood, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    """`METRIC`, or `METRIC,FILTER` where filters have names; log-likelihood for perplexities."""
    weights: dict[str, float] = field(default_factory=dict)
    """Words or bytes; 1 where there is none."""
    num_cut: int = 0
    """Tokens at the start of the prompt that the model could not read."""
    latency_s: float = 0.0
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class HarnessResult:
    """A model on a task."""

    task: str
    items: list[HarnessItem]
    totals: dict[str, float]
    lower_is_better: frozenset[str]
    num_errors: int
    num_cut: int
    """Prompts that were cut."""


def score_task(
    task: HarnessTask,
    model: Model,
    *,
    num_fewshot: int | None = None,
    limit: int | None = None,
    has_chat_template: bool = False,
    seed: int = FEWSHOT_SEED,
    batch_size: int = 16,
    on_progress: Callable[[str], None] = lambda _: None,
) -> HarnessResult:
    """Ask and score.

    Args:
        task: from `read_task`.
        model: that answers.
        num_fewshot: instead of the task's own.
        limit: documents, from the first.
        has_chat_template: ask through the model's chat template, few-shot examples as turns; otherwise as one text.
        seed: of the choice of few-shot examples.
        batch_size: prompts or choices at once.
        on_progress: told a line now and then.

    Raises:
        EvaluationError: the task cannot be asked at all, or the model fails.
    """
    documents = read_documents(task)
    check_filters(task)
    unknown = [metric.name for metric in task.metrics if metric.name not in KNOWN[task.output_type]]
    if unknown:
        known = ", ".join(KNOWN[task.output_type])
        raise EvaluationError(
            reason=f"task '{task.task}' has the metric '{unknown[0]}'; known for {task.output_type}: {known}."
        )
    asked = list(documents[task.eval_split])[:limit]
    templates = Templates(task, sorted({column for document in asked for column in document}))
    shots = task.num_fewshot if num_fewshot is None else num_fewshot
    contexts = Contexts(task, documents, templates, num_fewshot=shots, seed=seed)
    work = _Work(task, model, templates, has_chat_template=has_chat_template, batch_size=batch_size, tell=on_progress)
    items = list(work.run(asked, contexts))
    totals = _totals(task, items)
    return HarnessResult(
        task=task.task,
        items=items,
        totals=totals,
        lower_is_better=frozenset(name for name in totals if name.partition(",")[0] in LOWER_IS_BETTER),
        num_errors=sum(item.error != "" for item in items),
        num_cut=sum(item.num_cut > 0 for item in items),
    )


def _totals(task: HarnessTask, items: Sequence[HarnessItem]) -> dict[str, float]:
    """Return each metric over all documents; one without a score counts as 0, except for perplexities."""
    totals = {}
    for name in dict.fromkeys(score_name(metric, chain) for chain in task.filters for metric in task.metrics):
        metric = name.partition(",")[0]
        lost = [] if metric in LOWER_IS_BETTER else [(0.0, 1.0) for item in items if name not in item.scores]
        values = [(item.scores[name], item.weights.get(name, 1.0)) for item in items if name in item.scores]
        totals[name] = summarize(metric, values + lost)
    return totals


def score_name(metric: Metric, chain: Filter) -> str:
    """Return the name of a score: that of the metric, with that of the filter where it has one."""
    return metric.name if chain.name == "none" else f"{metric.name},{chain.name}"


@dataclass(frozen=True)
class _Question:
    """A document that can be asked about."""

    item: HarnessItem
    prompt: str
    choices: tuple[str, ...]
    gold: Any


class _Work:
    def __init__(
        self,
        task: HarnessTask,
        model: Model,
        templates: Templates,
        *,
        has_chat_template: bool,
        batch_size: int,
        tell: Callable[[str], None],
    ) -> None:
        self._task, self._model, self._templates = task, model, templates
        self._has_chat_template, self._batch_size, self._tell = has_chat_template, batch_size, tell
        self._metrics = [metric.name for metric in task.metrics]

    def run(self, documents: Sequence[Document], contexts: Contexts) -> Iterator[HarnessItem]:
        """Give one item a document, in their order."""
        items = []
        questions = []
        for number, document in enumerate(documents):
            item = HarnessItem(key=f"{self._task.task}/{number}", document_hash=_hash(document))
            items.append(item)
            try:
                questions.append(self._question(item, document, contexts))
            except DocumentError as error:
                item.error = str(error)
        ask = {
            "multiple_choice": self._ask_choices,
            "generate_until": self._ask_text,
            "loglikelihood": self._ask_likelihood,
            "loglikelihood_rolling": self._ask_rolling,
        }[self._task.output_type]
        if questions:
            ask(questions)
        yield from items

    def _question(self, item: HarnessItem, document: Document, contexts: Contexts) -> _Question:
        is_text = self._task.output_type == "loglikelihood_rolling"
        prompt = "" if is_text else self._prompt(contexts.build(document))
        target = self._templates.target(document)
        choices = self._templates.choices(document) or []
        item.prompt = prompt
        if self._task.output_type == "multiple_choice":
            gold: Any = _numbers(target, choices)
            item.reference = " | ".join(choices[number] for number in gold if 0 <= number < len(choices))
            if not item.reference and not any(0 <= number < len(choices) for number in gold):
                raise DocumentError(f"its answer {target!r:.60} is none of its {len(choices)} choices")
        elif self._task.output_type == "generate_until":
            gold = _references(target, choices)
            item.reference = gold[0]
        else:
            gold = str(target)
            item.reference = gold
        return _Question(item, prompt, tuple(choices), gold)

    def _prompt(self, turns: Sequence[Turn]) -> str:
        if not self._has_chat_template:
            return join_turns(turns)
        if turns[-1].role == "assistant":
            raise DocumentError("`gen_prefix` cannot be asked through a chat template here")
        messages = [Message(role=turn.role, content=turn.text) for turn in turns]  # type: ignore[arg-type]
        try:
            return self._model.render(messages)
        except EvaluationError as error:
            raise DocumentError(str(error)) from error

    def _ask_choices(self, questions: list[_Question]) -> None:
        delimiter = "" if self._has_chat_template else self._task.target_delimiter
        questions = [question for question in questions if self._fits(question, question.choices, delimiter)]
        total = sum(len(question.choices) for question in questions)
        scored = self._model.choice_log_likelihoods(
            [question.prompt for question in questions],
            [[f"{delimiter}{choice}" for choice in question.choices] for question in questions],
            batch_size=self._batch_size,
            on_progress=lambda done: self._tell(f"{self._task.task}: {done} of {total} choices"),
        )
        for question, scores in zip(questions, scored, strict=True):
            item = question.item
            item.choices = scores
            item.num_cut = max(score.num_cut for score in scores)
            best = max(range(len(scores)), key=lambda number: (scores[number].log_likelihood, -number))
            item.answer = question.choices[best]
            item.scores = score_choices(scores, question.choices, gold=question.gold, names=self._metrics)

    def _fits(self, question: _Question, choices: Sequence[str], delimiter: str) -> bool:
        """Tell whether all choices can be read, and note it where not."""
        lengths = [len(self._model.tokenize(delimiter + choice, has_special_tokens=False)) for choice in choices]
        if min(lengths) < 1 or max(lengths) >= self._model.context_length:
            limit = self._model.context_length
            question.item.error = f"a choice has {max(lengths)} tokens, the shortest {min(lengths)}; the model reads {limit}"
            return False
        return True

    def _ask_text(self, questions: list[_Question]) -> None:
        settings = self._task.generation_kwargs
        limit = int(next((settings[name] for name in _TOKEN_LIMITS if settings.get(name) is not None), MAX_NEW_TOKENS))
        until = settings.get("until", [self._task.fewshot_delimiter])
        stop_texts = [until] if isinstance(until, str) else [str(text) for text in until or ()]
        room = self._model.context_length - limit
        if room < 1 or limit < 1:
            reason = f"task '{self._task.task}' asks for {limit} new tokens, and the model reads {self._model.context_length}."
            raise EvaluationError(reason=reason)
        prompts = [self._model.tokenize(question.prompt) for question in questions]
        done = 0

        def count(_index: int, _answer: Generated) -> None:
            nonlocal done
            done += 1
            if done % self._batch_size == 0 or done == len(questions):
                self._tell(f"{self._task.task}: {done} of {len(questions)} answers")

        written = self._model.write(
            [prompt[-room:] for prompt in prompts],
            max_new_tokens=limit,
            stop_texts=stop_texts,
            batch_size=self._batch_size,
            on_answer=count,
        )
        for question, prompt, answer in zip(questions, prompts, written, strict=True):
            item = question.item
            item.answer, item.latency_s, item.num_cut = answer.text, answer.latency_s, max(len(prompt) - room, 0)
            self._score_text(item, question.gold)

    def _score_text(self, item: HarnessItem, references: Sequence[str]) -> None:
        for chain in self._task.filters:
            for metric in self._task.metrics:
                name = score_name(metric, chain)
                try:
                    item.scores[name] = exact_match(apply_filter(chain, item.answer), references, metric.settings)
                except TimeoutError:
                    item.scores[name], item.error = 0.0, f"a pattern of {name} takes too long on its answer"

    def _ask_likelihood(self, questions: list[_Question]) -> None:
        questions = [question for question in questions if self._fits(question, [question.gold], "")]
        scored = self._model.choice_log_likelihoods(
            [question.prompt for question in questions],
            [[question.gold] for question in questions],
            batch_size=self._batch_size,
            on_progress=lambda done: self._tell(f"{self._task.task}: {done} of {len(questions)} documents"),
        )
        for question, (score,) in zip(questions, scored, strict=True):
            found = {"acc": float(score.is_greedy), "perplexity": score.log_likelihood}
            item = question.item
            item.choices, item.num_cut = (score,), score.num_cut
            item.scores = {name: found[name] for name in self._metrics}

    def _ask_rolling(self, questions: list[_Question]) -> None:
        texts = [question.gold for question in questions]
        scored = self._model.text_log_likelihoods(
            texts,
            batch_size=self._batch_size,
            on_progress=lambda done: self._tell(f"{self._task.task}: {done} windows of {len(texts)} texts"),
        )
        for question, text, score in zip(questions, texts, scored, strict=True):
            words, num_bytes = float(len(re.split(r"\s+", text))), float(score.num_bytes)
            weights = dict(zip(ROLLING_METRICS, (words, num_bytes, num_bytes), strict=True))
            question.item.scores = dict.fromkeys(self._metrics, score.log_likelihood)
            question.item.weights = {name: weights[name] for name in self._metrics}


def _numbers(target: int | str | list[Any], choices: Sequence[str]) -> list[int]:
    """Return the numbers of the right choices."""
    if isinstance(target, list):
        return [number for part in target for number in _numbers(part, choices)]
    if isinstance(target, int):
        return [target]
    return [choices.index(target)] if target in choices else []


def _references(target: int | str | list[Any], choices: Sequence[str]) -> list[str]:
    if choices:
        numbers = _numbers(target, choices)
        if not numbers or not all(0 <= number < len(choices) for number in numbers):
            raise DocumentError(f"its answer {target!r:.60} is none of its {len(choices)} choices")
        return [choices[number] for number in numbers]
    references = [str(part) for part in target] if isinstance(target, list) else [str(target)]
    if not references:
        raise DocumentError("it has no answer")
    return references


def _hash(document: Document) -> str:
    try:
        return content_hash(document)
    except (TypeError, ValueError):  # dates and decimals of Parquet files
        return content_hash(str(sorted(document.items(), key=lambda pair: pair[0])))
