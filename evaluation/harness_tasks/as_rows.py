r"""A task file as rows for a task of the recipe, so that its documents are asked, graded and guarded like any others.

    evaluation:
      tasks:
        - {name: arc, data: tasks/arc_easy.yaml, kind: choice, scoring: likelihood}

    list(read_task_rows("tasks/arc_easy.yaml"))
    [("arc_easy.yaml", 1, {"id": "0", "question": "Question: ...\nAnswer:", "choices": ["a", "b"], "answer": "b"}, "")]

The question is what the harness would ask, few-shot examples included; how it is graded says the task of the recipe. For the
harness's own metrics and plain prompts, to the last digit, there is `score.score_task`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curation.errors import EvaluationError
from evaluation.harness_tasks.contexts import FEWSHOT_SEED, Contexts, join_turns
from evaluation.harness_tasks.documents import Document, data_files, read_documents
from evaluation.harness_tasks.task_file import HarnessTask, read_task
from evaluation.harness_tasks.templates import DocumentError, Templates

BARE_QUESTION = "bare_question"
"""Column of the question without few-shot examples: what contamination looks for."""


def is_task_file(path: str) -> bool:
    """Tell whether the data of a task is a task file of the harness, by its name."""
    return path.endswith((".yaml", ".yml"))


def read_task_rows(path: str) -> Iterator[tuple[str, int, dict[str, Any] | None, str]]:
    """Give name of the file, number from 1, columns, and why there are none, for each document.

    Raises:
        EvaluationError: the file cannot be used, or its data not read.
    """
    task = read_task(Path(path))
    documents = read_documents(task)
    asked = documents[task.eval_split]
    templates = Templates(task, sorted({column for document in asked for column in document}))
    contexts = Contexts(task, documents, templates, num_fewshot=task.num_fewshot, seed=FEWSHOT_SEED)
    for number, document in enumerate(asked):
        try:
            columns: dict[str, Any] | None = _columns(task, document, templates, contexts, number)
            problem = ""
        except DocumentError as error:
            columns, problem = None, str(error)
        yield Path(path).name, number + 1, columns, problem


def task_file_paths(path: str) -> list[str]:
    """Return the files that a task file rests on, itself first; only itself where it cannot be read."""
    try:
        return [path, *(str(file) for files in data_files(read_task(Path(path))).values() for file in files)]
    except EvaluationError:
        return [path]


def _columns(task: HarnessTask, document: Document, templates: Templates, contexts: Contexts, number: int) -> dict[str, Any]:
    if task.output_type == "loglikelihood_rolling":
        return {"id": str(number), "text": str(templates.target(document))}
    turns = contexts.build(document)
    system = turns[0].text if turns[0].role == "system" else ""
    return as_columns(
        number=number,
        system=system,
        question=join_turns(turns[bool(system) :]),
        bare_question=templates.text(document),
        target=templates.target(document),
        choices=templates.choices(document),
    )


def as_columns(
    *, number: int, system: str, question: str, bare_question: str, target: Any, choices: list[str] | None
) -> dict[str, Any]:
    """Return the columns of a document that is asked.

    Args:
        number: from 0, in the order of the task.
        system: what stands in front of everything.
        question: as it is asked, with its few-shot examples.
        bare_question: without them; a column only where it differs.
        target: the answer, a list with the one right answer, or the number of a choice.
        choices: None for tasks without.

    Raises:
        DocumentError: the answer is none of the choices, or one of several.
    """
    if isinstance(target, list):
        if len(target) != 1:
            raise DocumentError(f"it has {len(target)} right answers, and a task of a recipe knows one")
        target = target[0]
    if choices is not None and isinstance(target, int):
        if not 0 <= target < len(choices):
            raise DocumentError(f"its answer {target} is none of its {len(choices)} choices")
        target = choices[target]
    columns: dict[str, Any] = {"id": str(number), "question": question, "answer": str(target)}
    columns |= {"system": system.strip()} if system.strip() else {}
    columns |= {BARE_QUESTION: bare_question} if bare_question.strip() and bare_question != question else {}
    return columns | ({"choices": choices} if choices is not None else {})
