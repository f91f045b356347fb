"""What the measuring child is told, and what it says at the end.

spec = ProbeSpec(store_url=..., items=suite_root, models=(ProbedModel(name="base_model", path=..., model_hash=...), ...), ...)
child.write_spec(spec)            WORK_FOLDER/spec.json, for `python -m evaluation.forgetting.measure SPEC`
read_result(spec.work_folder)     ProbeOutcome, or the child's error raised again
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.errors import EvaluationError
from evaluation.answering.child import read_outcome
from evaluation.answering.engines import EngineName
from evaluation.memorisation.config import MemorisationConfig


@dataclass(frozen=True, kw_only=True)
class ProbedModel:
    """A local model folder and the hash under which the store has it."""

    name: str
    """Name of the model asset."""
    path: str
    model_hash: str


@dataclass(frozen=True, kw_only=True)
class RowTables:
    """Table roots of the rows that memorisation is measured on; empty for none."""

    training: str = ""
    """Example."""
    held_out: str = ""
    """Example."""
    documents: str = ""
    """Document."""


@dataclass(frozen=True, kw_only=True)
class ProbeSpec:
    """The task of one measuring child."""

    store_url: str
    items: str
    """Table root of the suite (SuiteItem)."""
    models: tuple[ProbedModel, ...]
    """All that are measured on the suite, the base first; the first and the last one are tried on rows."""
    rows: RowTables
    memorisation: MemorisationConfig | None
    max_new_tokens: int
    batch_size: int
    seed: int
    work_folder: str
    """Keeps what was measured between runs."""
    engine: EngineName = "transformers"
    """What computes it, as for the answers of the evaluation."""


@dataclass(frozen=True, kw_only=True)
class ProbeOutcome:
    """What the child did."""

    results: str
    """Table root of ProbeResult."""
    num_results: int
    rows: str
    """Table root of RowProbe."""
    num_rows: int
    num_measured: int
    """Items and rows measured now, over all models."""
    num_reused: int
    seconds: float


def read_spec(path: Path) -> ProbeSpec:
    """Read a spec. Raises EvaluationError if it is not one."""
    try:
        data: dict[str, Any] = json.loads(path.read_bytes())
        limits = data["memorisation"]
        return ProbeSpec(
            **{
                **data,
                "models": tuple(ProbedModel(**item) for item in data["models"]),
                "rows": RowTables(**data["rows"]),
                "memorisation": MemorisationConfig(**{**limits, "prefix_tokens": tuple(limits["prefix_tokens"])})
                if limits
                else None,
            }
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(reason=f"the specification {path} cannot be read ({error}).") from error


def read_result(work_folder: str | Path) -> ProbeOutcome:
    """Return what the child did.

    Raises:
        EvaluationError: with the child's own message if it failed, or saying that it died without one.
    """
    return read_outcome(Path(work_folder), lambda data: ProbeOutcome(**data), name="measuring")
