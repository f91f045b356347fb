"""Scores a local model on tasks of lm-evaluation-harness, from the command line.

    python -m evaluation.harness_tasks.command MODEL tasks/arc_easy.yaml gsm8k --limit 100 --output results

A task is a task file, which needs nothing more, or a name, which needs the extra `harness`. With `--output` each finished task
is one file, `TASK.json` with every item, and is not asked again while model folder, task file and settings are the same.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curation.config import as_plain
from curation.errors import TunewrightError
from curation.files import write_atomically
from curation.ids import canonical_json, content_hash
from evaluation.answering.engines import load_engine
from evaluation.harness_tasks.as_rows import is_task_file, task_file_paths
from evaluation.harness_tasks.lm_eval_bridge import score_by_name
from evaluation.harness_tasks.score import HarnessResult, score_task
from evaluation.harness_tasks.task_file import read_task


def main(arguments: Sequence[str] | None = None) -> int:
    """Score, and print one line a metric and the totals as JSON; 0, or 3 with one sentence."""
    given = _parser().parse_args(arguments)
    try:
        totals = run(given, lambda line: print(line, file=sys.stderr))  # noqa: T201
    except TunewrightError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    sys.stdout.write(json.dumps(totals, sort_keys=True) + "\n")
    return 0


def run(given: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, dict[str, float | None]]:
    """Score what the command line names; totals by task, None where no document gave a number. Raises EvaluationError."""
    totals: dict[str, dict[str, float | None]] = {}
    model: Any = None
    for task in given.tasks:
        kept = _kept_path(given, task)
        if kept is not None and kept.exists():
            totals |= {name: dict(values) for name, values in json.loads(kept.read_bytes())["totals"].items()}
            tell(f"{task}: scored before, see {kept}")
            continue
        model = model or load_engine(given.engine, "model", given.model, max_new_tokens=1)
        results = _score(given, task, model, tell)
        found = {result.task: _finite(result.totals) for result in results}
        for result in results:
            tell(_line(result))
        if kept is not None:
            content = {"totals": found, "items": [_finite(as_plain(item)) for result in results for item in result.items]}
            write_atomically(kept, canonical_json(content).encode("utf-8", "surrogatepass"))
        totals |= found
    return totals


def _finite(value: Any) -> Any:
    """Return plain values with None for numbers that JSON has not: a perplexity of no document, a choice that cannot be."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _score(given: argparse.Namespace, task: str, model: Any, tell: Callable[[str], None]) -> list[HarnessResult]:
    settings = {
        "num_fewshot": given.num_fewshot,
        "limit": given.limit,
        "has_chat_template": given.chat,
        "batch_size": given.batch_size,
    }
    if is_task_file(task):
        return [score_task(read_task(Path(task)), model, on_progress=tell, **settings)]
    return score_by_name([task], model, **settings)


def _line(result: HarnessResult) -> str:
    values = ", ".join(f"{name} {value:.4f}" for name, value in result.totals.items())
    errors = f", {result.num_errors} could not be asked" if result.num_errors else ""
    cut = f", {result.num_cut} prompts were cut" if result.num_cut else ""
    return f"{result.task}: {len(result.items)} documents, {values}{errors}{cut}"


def _kept_path(given: argparse.Namespace, task: str) -> Path | None:
    if given.output is None:
        return None
    files = sorted(path for path in Path(given.model).rglob("*") if path.is_file())
    model = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files] or given.model
    paths = [Path(path) for path in (task_file_paths(task) if is_task_file(task) else [])]
    data = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths if path.exists()]
    settings = [given.num_fewshot, given.limit, given.chat, given.engine]
    name = Path(task).stem if is_task_file(task) else task.replace("/", "_")
    return Path(given.output) / f"{name}-{content_hash([model, task, data, settings])[:12]}.json"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.harness_tasks.command", description="Score a local model on tasks of lm-evaluation-harness."
    )
    parser.add_argument("model", help="folder of the model")
    parser.add_argument("tasks", nargs="+", help="task files (.yaml), or names of the harness's tasks")
    parser.add_argument("--num-fewshot", type=int, help="instead of the tasks' own")
    parser.add_argument("--limit", type=int, help="documents of each task, from the first")
    parser.add_argument("--chat", action="store_true", help="ask through the model's chat template")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--engine", choices=("transformers", "vllm"), default="transformers")
    parser.add_argument("--output", help="folder for one file a task")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
