"""How the parent starts the answering process. The parent never imports torch.

subprocess.run(build_command(write_spec(spec)), env=child_environment())
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import evaluation

SILENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PYTHONUNBUFFERED": "1",
}
"""No telemetry, no progress bars over ours, and lines that arrive when they are written."""


def build_command(spec_path: Path) -> list[str]:
    """Return the command line of a run."""
    return [sys.executable, "-m", "evaluation.answering.answer", str(spec_path)]


def child_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a run: the given one (default: our own), quiet, with our packages importable.

    Waiting threads sleep soon: torch's threads otherwise spin, and on a busy machine that takes ten times as long.
    """
    given = os.environ if environment is None else environment
    merged = {"GOMP_SPINCOUNT": "10000", **given, **SILENT}
    root = str(Path(evaluation.__file__).parent.parent)
    merged["PYTHONPATH"] = os.pathsep.join(part for part in (root, merged.get("PYTHONPATH", "")) if part)
    return merged
