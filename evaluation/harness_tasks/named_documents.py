r"""The process in which lm-evaluation-harness reads one of its tasks: documents as it asks them, with choices and targets.

    python -m evaluation.harness_tasks.named_documents arc_easy "" rows.json

writes {"made_by": {"task": "arc_easy", "lm_eval": "0.4.13", "task_version": "1.0", "num_fewshot": 0, ...},
"rows": [{"columns": {"id": "0", "question": "Question: ...\nAnswer:", "choices": ["a", "b"], "answer": "b"}, "problem": ""}]}.
Prompts are the harness's own, few-shot examples (seed 1234, its default) and description included. Which metrics it would
compute plays no part: how answers are graded says the task of the recipe.
"""

import importlib.metadata
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.errors import EvaluationError, TunewrightError
from curation.files import write_atomically
from curation.ids import canonical_json
from evaluation.answering.child import EXIT_ERROR, describe, die_with_parent
from evaluation.harness_tasks.as_rows import as_columns
from evaluation.harness_tasks.contexts import FEWSHOT_SEED
from evaluation.harness_tasks.lm_eval_bridge import find_tasks
from evaluation.harness_tasks.templates import DocumentError


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the task and write the file; 0, or 3 with one sentence as the last line of the standard error."""
    die_with_parent()
    name, folder, output = sys.argv[1:] if arguments is None else arguments
    try:
        read = read_documents(name, Path(folder) if folder else None)
        write_atomically(Path(output), canonical_json(read).encode("utf-8", "surrogatepass"))
    except TunewrightError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_ERROR
    return 0


def read_documents(name: str, folder: Path | None) -> dict[str, Any]:
    """Return what made the rows, and the rows.

    Raises:
        EvaluationError: the harness has no such task, it is a group, it is of no use here, or its data set cannot be had.
    """
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    task = _load(name, folder)
    task.set_fewshot_seed(FEWSHOT_SEED)
    num_fewshot = int(task.config.num_fewshot or 0)
    rows: list[dict[str, Any]] = []
    for number, document in enumerate(task.eval_docs):
        try:
            rows.append({"columns": _columns(task, document, num_fewshot, number), "problem": ""})
        except Exception as error:  # tasks are templates and Python, and raise what they like
            problem = str(error) if isinstance(error, DocumentError) else describe(error)
            rows.append({"columns": None, "problem": problem})
    made_by = {
        "task": name,
        "folder": str(folder or ""),
        "lm_eval": importlib.metadata.version("lm_eval"),
        "task_version": str(task.VERSION),
        "dataset": [str(task.DATASET_PATH or ""), str(task.DATASET_NAME or "")],
        "num_fewshot": num_fewshot,
        "output_type": str(task.OUTPUT_TYPE),
    }
    return {"made_by": made_by, "rows": rows}


def _load(name: str, folder: Path | None) -> Any:
    manager = find_tasks([name], folder)
    try:
        tasks = manager.load([name])["tasks"]
    except Exception as error:  # the harness, datasets and the hub raise what they like
        raise EvaluationError(
            reason=f"the data set of the harness's task '{name}' cannot be had ({describe(error)}). Materialize once where the "
            "hub can be reached and HF_HUB_OFFLINE is not set, or copy its cache (HF_HOME) here; what was read is kept."
        ) from error
    if list(tasks) != [name]:
        some = ", ".join(sorted(tasks)[:5])
        raise EvaluationError(
            reason=f"'{name}' is no task of the harness but a group or tag ({len(tasks)}: {some}). Name a task."
        )
    task = tasks[name]
    if task.config.doc_to_image or task.config.doc_to_audio:
        raise EvaluationError(
            reason=f"the harness's task '{name}' shows pictures or plays sounds, and only text is asked here."
        )
    return task


def _columns(task: Any, document: Any, num_fewshot: int, number: int) -> dict[str, Any]:
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        return {"id": str(number), "text": str(task.doc_to_target(document))}
    context = task.fewshot_context(document, num_fewshot=num_fewshot, gen_prefix=task.doc_to_prefix(document))
    if not isinstance(context, str):
        raise DocumentError("it has a question for each choice, which only the harness itself asks")
    system = str(task.resolve_field(document, task.config.description) or "")
    system = system if context.startswith(system) else ""
    choices = task.doc_to_choice(document) if task.config.doc_to_choice is not None else None
    return as_columns(
        number=number,
        system=system,
        question=context.removeprefix(system),
        bare_question=str(task.doc_to_text(document)),
        target=task.doc_to_target(document),
        choices=None if choices is None else [str(choice) for choice in choices],
    )


if __name__ == "__main__":
    raise SystemExit(main())
