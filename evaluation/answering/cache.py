"""Answers that were given before, so that nothing is generated twice: by model, prompt and settings.

    cache = AnswerCache(work_folder / "answers", settings_hash)
    cache.get(prompt_key)               Given or None
    cache.put({prompt_key: given})      one file a batch, written atomically; a kill loses at most the batch in work

Layout: `answers/SETTINGS/BATCH.json`. A damaged file counts as absent.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from curation.files import write_atomically
from curation.ids import canonical_json, content_hash


class Given(NamedTuple):
    """What a model gave for one prompt, and what that took; see `EvalAnswer` for the fields."""

    text: str
    num_tokens: int
    num_prompt_tokens: int = 0
    latency_s: float = 0.0
    machine_s: float = 0.0
    log_likelihoods: tuple[float, ...] = ()
    num_scored_tokens: tuple[int, ...] = ()
    mean_log_probability: float | None = None
    """See `Generated`; None for answers of before it was kept."""


class AnswerCache:
    """The answers of one model under one set of generation settings."""

    def __init__(self, folder: Path, settings: str) -> None:
        self._folder = folder / settings
        self._answers: dict[str, Given] = {}
        for path in sorted(self._folder.glob("*.json")):
            self._answers.update(_read(path))

    def get(self, prompt_key: str) -> Given | None:
        """Return the answer to a prompt, or None if it was not given yet."""
        return self._answers.get(prompt_key)

    def put(self, answers: Mapping[str, Given]) -> None:
        """Keep a batch of answers, durable when this returns."""
        rows = [[key, *answer] for key, answer in sorted(answers.items())]
        text = canonical_json({"rows": rows, "hash": content_hash(rows)})
        write_atomically(self._folder / f"{content_hash(sorted(answers))}.json", text.encode("utf-8", "surrogatepass"))
        self._answers.update(answers)


def _read(path: Path) -> dict[str, Given]:
    try:
        data = json.loads(path.read_bytes())
        if data["hash"] != content_hash(data["rows"]):
            return {}
        return {str(row[0]): _given(*row[1:]) for row in data["rows"]}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return {}


def _given(
    text: str,
    num_tokens: int,
    num_prompt: int,
    latency: float,
    machine: float,
    likelihoods: list[float],
    scored: list[int],
    mean_log_probability: float | None = None,
) -> Given:
    return Given(
        str(text),
        int(num_tokens),
        int(num_prompt),
        float(latency),
        float(machine),
        tuple(float(value) for value in likelihoods),
        tuple(int(value) for value in scored),
        None if mean_log_probability is None else float(mean_log_probability),
    )
