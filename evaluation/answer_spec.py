"""What the answering child is told, and what it says at the end.

spec = AnswerSpec(store_url=..., items=items.root, training_examples=train.root, work_folder=...,
                  comparators=plan_comparators(config, {"base": ModelFolder(path=..., model_hash=...), ...}),
                  generation=Generation(max_new_tokens=24, batch_size=64, seed=0))
write_spec(spec)                  WORK_FOLDER/spec.json, for `python -m evaluation.answer SPEC`
read_result(spec.work_folder)     AnswerResult, or the child's error raised again
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.config import as_plain
from curation.errors import EvaluationError
from curation.files import write_atomically
from curation.ids import canonical_json
from evaluation.config import EvaluationConfig
from evaluation.verdict import NAMES

EXIT_ERROR = 3
"""Exit code of the child when error.json says why."""
MAJORITY = "majority"
FEW_SHOT = "base_few_shot"


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """A local model folder and the hash under which the store has it."""

    path: str
    model_hash: str


@dataclass(frozen=True, kw_only=True)
class ComparatorSpec:
    """Who answers."""

    name: str
    model: str
    """Local folder; empty for `majority`, which asks no model."""
    model_hash: str
    shots: int = 0


@dataclass(frozen=True, kw_only=True)
class Generation:
    """How answers are generated: always greedily."""

    max_new_tokens: int
    batch_size: int
    seed: int
    """Chooses the shots."""


@dataclass(frozen=True, kw_only=True)
class AnswerSpec:
    """The task of one answering child."""

    store_url: str
    items: str
    """Table root of the held-out items (Example), as `choose_items` returned them."""
    training_examples: str
    """Table root of the training rows (Example): shots and the majority answer come from here only."""
    comparators: tuple[ComparatorSpec, ...]
    generation: Generation
    work_folder: str
    """Keeps answers between runs, so use the same folder for all runs of a recipe."""


@dataclass(frozen=True, kw_only=True)
class AnswerResult:
    """What the child did."""

    table: str
    """Table root of EvalAnswer."""
    num_rows: int
    num_generated: int
    num_reused: int
    tokens_per_s: float
    seconds: float
    notes: tuple[str, ...]
    """What a reader should know: a missing chat template, shots left out because the context is short."""


def plan_comparators(config: EvaluationConfig, models: Mapping[str, ModelFolder]) -> tuple[ComparatorSpec, ...]:
    """Return who answers, in the order of the reports.

    Args:
        config: names the comparators.
        models: `base` and `candidate`, and those of `dapt`, `sft`, `champion` that exist. A model that is not there is left
            out, as is one that is the candidate itself.

    Raises:
        EvaluationError: if base or candidate is missing.
    """
    for name in ("base", "candidate"):
        if name not in models:
            raise EvaluationError(reason=f"the model '{name}' is missing.")
    planned = []
    for name in NAMES:
        model = models.get("base" if name == FEW_SHOT else name)
        if name not in config.comparators or (model is None and name != MAJORITY):
            continue
        if name in ("dapt", "sft", "champion") and model is not None and model.model_hash == models["candidate"].model_hash:
            continue
        shots = config.shots if name == FEW_SHOT else 0
        path, model_hash = (model.path, model.model_hash) if model else ("", "")
        planned.append(ComparatorSpec(name=name, model=path, model_hash=model_hash, shots=shots))
    return tuple(planned)


def write_spec(spec: AnswerSpec) -> Path:
    """Write WORK_FOLDER/spec.json, drop what an earlier child said, and return the path."""
    folder = Path(spec.work_folder)
    for name in ("result.json", "error.json"):
        (folder / name).unlink(missing_ok=True)
    write_atomically(folder / "spec.json", canonical_json(as_plain(spec)).encode())
    return folder / "spec.json"


def read_spec(path: Path) -> AnswerSpec:
    """Read a spec. Raises EvaluationError if it is not one."""
    try:
        data: dict[str, Any] = json.loads(path.read_bytes())
        comparators = tuple(ComparatorSpec(**item) for item in data["comparators"])
        return AnswerSpec(**{**data, "comparators": comparators, "generation": Generation(**data["generation"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(reason=f"the run specification {path} cannot be read ({error}).") from error


def write_result(result: AnswerResult, folder: Path) -> None:
    """Write FOLDER/result.json."""
    write_atomically(folder / "result.json", canonical_json(dataclasses.asdict(result)).encode())


def read_result(work_folder: str | Path) -> AnswerResult:
    """Return what the child did.

    Raises:
        EvaluationError: with the child's own message if it failed, or saying that it died without one.
    """
    folder = Path(work_folder)
    try:
        if (folder / "error.json").exists():
            message = str(json.loads((folder / "error.json").read_bytes())["message"])
            raise EvaluationError(reason=message.removeprefix("Evaluation stopped: "))
        data = json.loads((folder / "result.json").read_bytes())
        return AnswerResult(**{**data, "notes": tuple(data["notes"])})
    except FileNotFoundError as error:
        reason = f"the answering process died without a word (see the log); run it again, answers so far are kept in {folder}."
        raise EvaluationError(reason=reason) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(reason=f"what the answering process left in {folder} cannot be read ({error}).") from error
