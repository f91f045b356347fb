r"""The prompt of a document: description, few-shot examples, question, in the harness's own order and spacing.

contexts = Contexts(task, documents, seed=1234)
contexts.build(document)            [Turn("system", "..."), Turn("user", "Question: ...\nAnswer:")]
join_turns(turns)                   one text, for models that are asked without a chat template

Few-shot examples are drawn as the harness draws them (one generator for a task, documents in their order), so that both ask
the same questions.
"""

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from curation.errors import EvaluationError
from evaluation.harness_tasks.documents import Document
from evaluation.harness_tasks.task_file import HarnessTask
from evaluation.harness_tasks.templates import DocumentError, Templates

FEWSHOT_SEED = 1234
"""Default of the harness."""


class Turn(NamedTuple):
    """A message, and what separates it from the next where all are one text."""

    role: str
    text: str
    delimiter: str = ""


class Contexts:
    """Builds the prompts of one task. Draws few-shot examples anew for each document: ask for them in order."""

    def __init__(
        self,
        task: HarnessTask,
        documents: Mapping[str, Sequence[Document]],
        templates: Templates,
        *,
        num_fewshot: int,
        seed: int,
    ) -> None:
        self._task, self._templates, self._num_fewshot = task, templates, num_fewshot
        self._random = random.Random(seed)  # noqa: S311 (the harness's generator)
        self._pool = _pool(task, documents) if num_fewshot else []
        split = task.fewshot_config.get("split", task.fewshot_split)
        self._leaves_out = split == task.test_split
        self._is_first_n = task.fewshot_config.get("sampler", "default") == "first_n"
        if num_fewshot and len(self._pool) < num_fewshot + self._leaves_out:
            reason = f"task '{task.task}' has {len(self._pool)} examples for few-shot prompts, and {num_fewshot} are asked for."
            raise EvaluationError(reason=reason)

    def build(self, document: Document) -> list[Turn]:
        """Return the prompt of a document. Raises DocumentError."""
        shots = self._draw(document)  # also for a document that then fails: the next ones must not change
        description = self._templates.description(document)
        turns = [Turn("system", description)] if description else []
        for shot in shots:
            turns += self._shot(shot)
        text, prefix = self._templates.text(document), self._templates.prefix(document)
        turns.append(Turn("user", text, self._task.target_delimiter if prefix and _needs_space(text, prefix) else ""))
        return [*turns, Turn("assistant", prefix)] if prefix else turns

    def _draw(self, document: Document) -> Sequence[Document]:
        number = self._num_fewshot
        if not number:
            return []
        if self._is_first_n:
            return [row for row in self._pool if not self._leaves_out or row != document][:number]
        if not self._leaves_out:
            return self._random.sample(self._pool, number)
        drawn = [row for row in self._random.sample(self._pool, number + 1) if row != document][:number]
        return drawn if len(drawn) == number else self._draw_from_others(document)

    def _draw_from_others(self, document: Document) -> Sequence[Document]:
        others = [row for row in self._pool if row != document]
        if len(others) < self._num_fewshot:
            raise DocumentError("there are not enough other documents for its few-shot examples")
        return self._random.sample(others, self._num_fewshot)

    def _shot(self, shot: Document) -> list[Turn]:
        settings = self._task.fewshot_config
        text, prefix = self._templates.text(shot, is_shot=True), self._templates.prefix(shot, is_shot=True)
        answer = self._answer(shot)
        delimiter = str(settings.get("target_delimiter") or self._task.target_delimiter)
        has_space = answer != "" and not prefix or (prefix != "" and _needs_space(text, prefix))
        end = str(settings.get("fewshot_delimiter") or self._task.fewshot_delimiter)
        turns = [Turn("user", text, delimiter if has_space else "")]
        return [*turns, Turn("assistant", _joined(prefix, answer), end)] if answer or prefix else turns

    def _answer(self, shot: Document) -> str:
        target = self._templates.target(shot, is_shot=True)
        choices = self._templates.choices(shot, is_shot=True)
        if isinstance(target, int) and choices is not None:
            if not 0 <= target < len(choices):
                raise DocumentError(f"a few-shot example names the choice {target} of {len(choices)}")
            return choices[target]
        if isinstance(target, list):
            return str(target[0]) if target else ""
        return str(target)


def join_turns(turns: Sequence[Turn]) -> str:
    """Return a prompt as one text."""
    return "".join(turn.text + turn.delimiter for turn in turns)


def _pool(task: HarnessTask, documents: Mapping[str, Sequence[Document]]) -> list[Document]:
    """Return the documents that few-shot examples are drawn from; never the evaluated ones unless the file says so."""
    settings = task.fewshot_config
    split = settings.get("split", task.fewshot_split) or task.training_split or task.validation_split
    if split is None and isinstance(settings.get("samples"), list):
        return list(settings["samples"])
    has_own = settings.get("split", task.fewshot_split) is not None
    if isinstance(settings.get("samples"), list) and not has_own:
        return list(settings["samples"])
    if split is None or (split == task.eval_split and not has_own and task.test_split is not None):
        raise EvaluationError(reason=f"task '{task.task}' has no `fewshot_split` to draw few-shot examples from.")
    if split not in documents:
        raise EvaluationError(reason=f"task '{task.task}' draws few-shot examples from the split '{split}', which has no file.")
    return list(documents[split])


def _needs_space(before: str, after: str) -> bool:
    return before != "" and not (before[-1].isspace() or after[:1].isspace())


def _joined(prefix: str, answer: str) -> str:
    if not prefix or not answer:
        return prefix or answer
    return f"{prefix} {answer}" if _needs_space(prefix, answer) else prefix + answer
