"""Answers that were given before, so that nothing is generated twice: by model, prompt and settings.

    cache = AnswerCache(work_folder / "answers", settings_hash)
    cache.get(prompt_key)               Generated or None
    cache.put({prompt_key: generated})  one file a batch, written atomically; a kill loses at most the batch in work

Layout: `answers/SETTINGS/BATCH.json`. A damaged file counts as absent.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from curation.files import write_atomically
from curation.ids import canonical_json, content_hash
from evaluation.language_model import Generated


class AnswerCache:
    """The answers of one model under one set of generation settings."""

    def __init__(self, folder: Path, settings: str) -> None:
        self._folder = folder / settings
        self._answers: dict[str, Generated] = {}
        for path in sorted(self._folder.glob("*.json")):
            self._answers.update(_read(path))

    def get(self, prompt_key: str) -> Generated | None:
        """Return the answer to a prompt, or None if it was not given yet."""
        return self._answers.get(prompt_key)

    def put(self, answers: Mapping[str, Generated]) -> None:
        """Keep a batch of answers, durable when this returns."""
        rows = [[key, answer.text, answer.num_tokens] for key, answer in sorted(answers.items())]
        text = canonical_json({"rows": rows, "hash": content_hash(rows)})
        write_atomically(self._folder / f"{content_hash(sorted(answers))}.json", text.encode("utf-8", "surrogatepass"))
        self._answers.update(answers)


def _read(path: Path) -> dict[str, Generated]:
    try:
        data = json.loads(path.read_bytes())
        if data["hash"] != content_hash(data["rows"]):
            return {}
        return {str(key): Generated(str(text), int(num_tokens)) for key, text, num_tokens in data["rows"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
