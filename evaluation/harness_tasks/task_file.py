r"""Task files of EleutherAI's lm-evaluation-harness 0.4, read without it.

    task = read_task(Path("tasks/arc_easy.yaml"))
    task.output_type                "multiple_choice"
    task.doc_to_text                "Question: {{question}}\nAnswer:"

What is read: templates and column names, choices, few-shot examples, filters, metrics, and data in local files. What runs
Python (`!function`, `process_docs`, ...) or fetches a data set from a hub is refused by name: such tasks run by their name,
through the harness itself (`lm_eval_bridge`, extra `harness`).
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from curation.errors import EvaluationError

OUTPUT_TYPES = ("multiple_choice", "generate_until", "loglikelihood", "loglikelihood_rolling")
DEFAULT_METRICS = {
    "multiple_choice": ("acc", "acc_norm"),
    "generate_until": ("exact_match",),
    "loglikelihood": ("perplexity", "acc"),
    "loglikelihood_rolling": ("word_perplexity", "byte_perplexity", "bits_per_byte"),
}
MAX_FILE_BYTES = 1 << 20
MAX_INCLUDES = 8
_TEXTS = ("task", "dataset_path", "doc_to_text", "description", "target_delimiter", "fewshot_delimiter")
_WITHOUT_EFFECT = frozenset(
    {"tag", "group", "task_alias", "metadata", "should_decontaminate", "doc_to_decontamination_query", "dataset_name"}
)
_NEEDS_HARNESS = frozenset(
    {"process_docs", "process_results", "use_prompt", "doc_to_image", "doc_to_audio", "custom_dataset", "class", "unsafe_code"}
)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of a task, with its settings: `ignore_case`, `ignore_punctuation`, `ignore_numbers`, `regexes_to_ignore`."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A named chain of steps that a generated text goes through before it is scored."""

    name: str
    steps: tuple[dict[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class HarnessTask:
    """A task file; names and meanings are those of the harness."""

    task: str
    folder: Path
    """Where the file lies: relative paths of data begin here, or in the working folder."""
    output_type: str
    dataset_path: str
    dataset_kwargs: dict[str, Any]
    training_split: str | None = None
    validation_split: str | None = None
    test_split: str | None = None
    fewshot_split: str | None = None
    fewshot_config: dict[str, Any] = field(default_factory=dict)
    num_fewshot: int = 0
    description: str = ""
    doc_to_text: str
    doc_to_target: str | int | list[str]
    doc_to_choice: str | list[str] | dict[str, str] | None = None
    target_delimiter: str = " "
    fewshot_delimiter: str = "\n\n"
    gen_prefix: str | None = None
    generation_kwargs: dict[str, Any] = field(default_factory=dict)
    metrics: tuple[Metric, ...]
    filters: tuple[Filter, ...] = (Filter(name="none", steps=()),)

    @property
    def eval_split(self) -> str:
        """The split whose documents are evaluated."""
        split = self.test_split or self.validation_split
        assert split is not None, "checked when it was read"
        return split


def read_task(path: Path) -> HarnessTask:
    """Read a task file with what it includes.

    Raises:
        EvaluationError: it cannot be read, has an unknown key, or needs the harness itself.
    """
    return build_task(_read_yaml(path, 0), path)


def build_task(data: Mapping[str, Any], path: Path) -> HarnessTask:
    """Build a task from the content of a file. Raises EvaluationError, with the file and the key named."""
    known = {item.name for item in fields(HarnessTask)} - {"folder", "metrics", "filters"}
    known |= {"metric_list", "filter_list", "repeats", "include"}
    for key, value in data.items():
        if key in _NEEDS_HARNESS and value not in (None, False):
            raise _refused(path, f"`{key}` runs through the harness only: install the extra `harness` and give the task's name")
        if key not in known | _WITHOUT_EFFECT | _NEEDS_HARNESS:
            near = difflib.get_close_matches(str(key), sorted(known), n=1)
            raise _refused(path, f"unknown key `{key}`" + (f"; did you mean `{near[0]}`?" if near else ""))
    if data.get("repeats") not in (None, 1):
        raise _refused(path, "`repeats` above 1 has no effect on greedy answers")
    output_type = str(data.get("output_type") or "generate_until")
    if output_type not in OUTPUT_TYPES:
        raise _refused(path, f"`output_type` must be one of {', '.join(OUTPUT_TYPES)}, not {output_type!r}")
    plain = {name: data[name] for name in known & data.keys() if data[name] is not None}
    for name in ("metric_list", "filter_list", "repeats", "include", "dataset_kwargs", "output_type"):
        plain.pop(name, None)
    plain.setdefault("doc_to_text", "" if output_type == "loglikelihood_rolling" else None)
    for name in ("task", "dataset_path", "doc_to_text", "doc_to_target"):
        if plain.get(name) is None:
            raise _refused(path, f"`{name}` is missing")
    task = HarnessTask(
        **plain,
        folder=path.absolute().parent,
        output_type=output_type,
        dataset_kwargs=dict(data.get("dataset_kwargs") or {}),
        metrics=_metrics(data.get("metric_list"), output_type, path),
        filters=_filters(data.get("filter_list"), path),
    )
    _check(task, path)
    return task


def _check(task: HarnessTask, path: Path) -> None:
    optional = ("training_split", "validation_split", "test_split", "fewshot_split", "gen_prefix")
    kinds: list[tuple[tuple[str, ...], str, tuple[type, ...]]] = [
        (_TEXTS, "a text", (str,)),
        (optional, "a text", (str, type(None))),
        (("num_fewshot",), "a number", (int,)),
        (("fewshot_config", "generation_kwargs"), "a mapping", (dict,)),
        (("doc_to_target",), "a text, a number or a list", (str, int, list)),
        (("doc_to_choice",), "a text, a list or a mapping", (str, list, dict, type(None))),
    ]
    for names, wanted, types in kinds:
        for name in names:
            value = getattr(task, name)
            if not isinstance(value, types) or isinstance(value, bool):
                raise _refused(path, f"`{name}` must be {wanted}, not {value!r:.60}")
    if not task.test_split and not task.validation_split:
        raise _refused(path, "it names neither a `test_split` nor a `validation_split`")
    if task.num_fewshot < 0 or task.num_fewshot > 1000:
        raise _refused(path, f"`num_fewshot` must lie in 0..1000, not {task.num_fewshot}")
    if task.output_type == "multiple_choice" and task.doc_to_choice is None:
        raise _refused(path, "`doc_to_choice` is missing")
    settings = task.generation_kwargs
    if settings.get("do_sample") or settings.get("temperature") not in (None, 0, 0.0):
        raise _refused(path, "answers are greedy here; leave `do_sample` and `temperature` out of `generation_kwargs`")


def _metrics(listed: Any, output_type: str, path: Path) -> tuple[Metric, ...]:
    if not listed:
        return tuple(Metric(name=name) for name in DEFAULT_METRICS[output_type])
    metrics = []
    for entry in listed:
        if not isinstance(entry, dict) or not isinstance(entry.get("metric"), str):
            raise _refused(path, f"`metric_list` has an entry without the name of a metric: {entry!r:.60}")
        settings = {key: value for key, value in entry.items() if key not in ("metric", "aggregation", "higher_is_better")}
        metrics.append(Metric(name=entry["metric"], settings=settings))
    return tuple(metrics)


def _filters(listed: Any, path: Path) -> tuple[Filter, ...]:
    if not listed:
        return (Filter(name="none", steps=()),)
    filters = []
    for entry in listed:
        steps = entry.get("filter") if isinstance(entry, dict) else None
        if not isinstance(steps, list) or not all(isinstance(step, dict) and "function" in step for step in steps):
            raise _refused(path, f"`filter_list` has an entry that is no list of functions: {entry!r:.60}")
        filters.append(Filter(name=str(entry.get("name", "none")), steps=tuple(steps)))
    return tuple(filters)


class _Loader(yaml.SafeLoader):
    """A safe loader of its own, so that the tags of the harness can be refused by name."""


def _refuse_function(_loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    raise yaml.constructor.ConstructorError(None, None, f"`!function {node.value}` is Python", node.start_mark)


_Loader.add_constructor("!function", _refuse_function)


def _read_yaml(path: Path, depth: int) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _refused(path, "it is larger than 1 MiB")
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (derived from SafeLoader)
    except yaml.constructor.ConstructorError as error:
        if "!function" in str(error):
            reason = f"{error.problem}, which runs through the harness only: install the extra `harness`, give the task's name"
            raise _refused(path, reason) from error
        raise _refused(path, f"{error.problem}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise _refused(path, " ".join(str(error).split())[:200]) from error
    if not isinstance(data, dict):
        raise _refused(path, "it is no mapping")
    included = data.pop("include", None)
    if included is None:
        return data
    if depth >= MAX_INCLUDES:
        raise _refused(path, "it includes files without end")
    names = included if isinstance(included, list) else [included]
    merged: dict[str, Any] = {}
    for name in names:
        merged |= _read_yaml(path.parent / str(name), depth + 1)
    return merged | data


def _refused(path: Path, problem: str) -> EvaluationError:
    return EvaluationError(reason=f"the task file {path} cannot be used: {problem}.")
