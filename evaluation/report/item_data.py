"""The items as the page's viewer reads them, and as a file of JSON lines beside the page.

    packed = pack_items(inputs)          base64 of gzip of JSON, at most MAX_PACKED characters
    write_items(inputs, path)            every item with every answer and every score, nothing cut

In the page texts are cut to the longest length with which all items fit; the file has them whole.
"""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curation.files import write_atomically
from curation.ids import stable_fraction
from evaluation.records import EvalAnswer, EvalItem
from evaluation.report.inputs import ReportInputs
from evaluation.report.right import main_metrics, right_values
from evaluation.report.wording import is_share, name_of, title_of
from evaluation.tasks.measures import LETTERS
from evaluation.tasks.metrics import METRICS

MAX_PACKED = 3_400_000
MAX_ITEMS = 5_000
"""Items in the page; of more, a stable sample."""
CUTS = (4_000, 1_500, 600, 250, 100)
"""Characters of a text, tried in this order."""


class PackedItems(NamedTuple):
    """What stands in the page."""

    text: str
    num_items: int
    num_all: int
    longest: int
    """Characters after which texts are cut."""


class _Items(NamedTuple):
    """Answers by item, in the order of keys."""

    keys: list[str]
    answers: Mapping[str, Mapping[str, EvalAnswer]]
    """Item key -> comparator -> answer."""
    items: Mapping[str, EvalItem]
    comparators: list[str]


def _collect(inputs: ReportInputs) -> _Items:
    answers: dict[str, dict[str, EvalAnswer]] = {}
    for answer in inputs.answers:
        answers.setdefault(answer.item_key, {})[answer.comparator] = answer
    asked = [summary.comparator for summary in inputs.comparison.summaries]
    return _Items(sorted(answers), answers, {item.key: item for item in inputs.items}, asked)


def pack_items(inputs: ReportInputs) -> PackedItems:
    """Return the items for the page, compressed."""
    found = _collect(inputs)
    keys = found.keys
    if len(keys) > MAX_ITEMS:
        keys = sorted(sorted(keys, key=lambda key: stable_fraction(key, "report"))[:MAX_ITEMS])
    while True:
        for longest in CUTS:
            text = _pack(inputs, found, keys, longest)
            if len(text) <= MAX_PACKED:
                return PackedItems(text, len(keys), len(found.keys), longest)
        keys = keys[::2]


def _pack(inputs: ReportInputs, found: _Items, keys: Sequence[str], longest: int) -> str:
    metrics, values = main_metrics(inputs), right_values(inputs)
    tasks = list(dict.fromkeys(_task(found, key) for key in keys))
    slices = sorted({value for key in keys if key in found.items for value in found.items[key].slices})
    number = {value: index for index, value in enumerate(slices)}
    data = {
        "comparators": [{"id": name, "name": name_of(name)} for name in found.comparators],
        "tasks": [_describe_task(task, metrics.get(task, inputs.comparison.metric)) for task in tasks],
        "slices": slices,
        "longest": longest,
        "items": [
            [
                key,
                tasks.index(_task(found, key)),
                [number[value] for value in (found.items[key].slices if key in found.items else ())],
                _cut(_question(found, key), longest),
                _cut(_any(found, key).reference, longest),
                [_answer(found.answers[key].get(name), values, longest) for name in found.comparators],
                [[near.kind, near.key, _cut(near.text, longest)] for near in inputs.nearest.get(key, ())],
                int(is_traceable(key, _task(found, key))),
            ]
            for key in keys
        ],
    }
    plain = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode()
    return base64.b64encode(gzip.compress(plain, 9, mtime=0)).decode()


def _describe_task(task: str, metric: str) -> dict[str, Any]:
    info = METRICS.get(metric)
    return {
        "id": task,
        "metric": title_of(metric),
        "binary": info is None or info.is_binary or info.aggregate == "macro_f1",
        "share": is_share(metric),
    }


def _any(found: _Items, key: str) -> EvalAnswer:
    return next(iter(found.answers[key].values()))


def _question(found: _Items, key: str) -> str:
    """Return the question as text, with the choices where they stand beside it."""
    item, prompt = found.items.get(key), _any(found, key).prompt
    lettered = (f"{letter}. {choice}" for letter, choice in zip(LETTERS, item.choices if item else (), strict=False))
    listed = [line for line in lettered if line not in prompt]
    return "\n".join([prompt, *listed])


def _task(found: _Items, key: str) -> str:
    return _any(found, key).task


def _answer(answer: EvalAnswer | None, values: Mapping[str, float], longest: int) -> list[Any] | None:
    if answer is None:
        return None
    value = values.get(answer.key)
    shown = [_cut(answer.answer, longest), None if value is None else _finite(value)]
    return [*shown, _cut(answer.error, 300)] if answer.error else shown


def _finite(value: float) -> float | None:
    return round(value, 4) if value == value and abs(value) != float("inf") else None


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]} [... {len(text) - longest:,} characters more]"


def is_traceable(key: str, task: str) -> bool:
    """Tell whether `tunewright trace` knows an item: those of the recipe's own rows, not those of a file."""
    return not key.startswith(f"{task}/")


def write_items(inputs: ReportInputs, path: Path) -> None:
    """Write one line of JSON an item: question, reference, slices, everybody's answers with all their scores, nearest rows.

    Raises:
        OSError: if the file cannot be written.
    """
    write_atomically(path, "".join(_lines(inputs)).encode())


def _lines(inputs: ReportInputs) -> Iterator[str]:
    found = _collect(inputs)
    scores: dict[str, dict[str, float | None]] = {}
    for score in inputs.scores:
        scores.setdefault(score.key.removesuffix(f"#{score.metric}"), {})[score.metric] = _exact(score.value)
    taken = {timing.key: timing.latency_s for timing in inputs.timings}
    for key in found.keys:
        first, item = _any(found, key), found.items.get(key)
        line = {
            "key": key,
            "task": first.task,
            "item_hash": first.item_hash,
            "group": first.group,
            "slices": list(item.slices) if item else [],
            "prompt": first.prompt,
            "choices": list(item.choices) if item else [],
            "reference": first.reference,
            "answers": {
                name: {
                    "key": answer.key,
                    "answer": answer.answer,
                    "scores": scores.get(answer.key, {}),
                    "model_hash": answer.model_hash,
                    "num_tokens": answer.num_tokens,
                    **({"latency_s": taken[answer.key]} if answer.key in taken else {}),
                    **({"error": answer.error} if answer.error else {}),
                }
                for name, answer in found.answers[key].items()
            },
            "nearest": [near._asdict() for near in inputs.nearest.get(key, ())],
        }
        yield json.dumps(line, ensure_ascii=True) + "\n"


def _exact(value: float) -> float | None:
    return value if value == value and abs(value) != float("inf") else None
