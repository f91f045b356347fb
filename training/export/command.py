"""One export in its own process: `python -m training.export.command SPEC.json`.

Exit codes: 0 proved and written; 3 refused or failed, with one sentence in WORK/error.json and nothing left of the export.
"""

import contextlib
import json
import logging
import os
import sys
import traceback
import warnings
from pathlib import Path

from curation.errors import ExportError, TunewrightError
from curation.files import write_atomically
from curation.garbage import relax_collector
from training.export.build import export_model
from training.export.spec import ExportSpec
from training.launch import SILENT
from training.parent_watch import Stop
from training.progress import open_voice

FAILED = 3


def build_command(spec_path: Path) -> list[str]:
    """Return the command line of an export."""
    return [sys.executable, "-m", "training.export.command", str(spec_path)]


def main(arguments: list[str]) -> int:
    """Run the export of a spec file and return the exit code."""
    relax_collector()
    Stop().install()
    os.environ.update({name: value for name, value in SILENT.items() if name not in os.environ})
    warnings.simplefilter("ignore", FutureWarning)  # of the libraries, about each other
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it misses kernels for inference
    try:
        spec = ExportSpec.read(Path(arguments[0]))
    except (TunewrightError, OSError, IndexError) as error:
        print(f"usage: python -m training.export.command SPEC.json\n{error}", file=sys.stderr)  # noqa: T201
        return FAILED
    with open_voice() as say:
        try:
            export_model(spec, say)
            return 0
        except Exception as error:
            _leave_error(spec, error)
            return FAILED


def _leave_error(spec: ExportSpec, error: Exception) -> None:
    known = error if isinstance(error, TunewrightError) else None
    if known is None:
        traceback.print_exception(error)
        known = ExportError(name=spec.name, reason=f"{type(error).__name__}: {' '.join(str(error).split())[:500]}")
    said = {"error": type(known).__name__, "message": str(known)}
    with contextlib.suppress(OSError):
        write_atomically(Path(spec.work_folder) / "error.json", json.dumps(said, indent=1, sort_keys=True).encode())
    print(f"error: {known}", file=sys.stderr)  # noqa: T201 - a terminal is watching


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
