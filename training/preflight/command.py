"""The preflight alone, in a process of its own: `python -m training.preflight.command SPEC.json [--colour] [--json]`.

Exit codes: 0 ready to train, 1 something would spoil the training (the report is printed), 3 it could not be looked at.
"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from curation.errors import TunewrightError
from curation.garbage import relax_collector
from curation.store import Store
from training.base_model import load_tokenizer
from training.chat_format import ChatFormat
from training.config import StageConfig
from training.launch import SILENT
from training.learning import resolved_stage
from training.preflight.findings import FOLDER, PreflightReport
from training.preflight.inspect import inspect_rows
from training.preflight.plain_text import render_text
from training.preflight.saving import save_report
from training.preflight.stage import describe_stage
from training.rows import read_rows
from training.run import RECORD_OF
from training.spec import RunSpec
from training.trial_failure import explain_trial_failure

STOPPED, FAILED = 1, 3
ADVICE = "Stop what else uses the memory of this machine, or look at fewer or shorter rows (`max_length` of the stage)."


def main(arguments: list[str]) -> int:
    """Look at the stage of a spec file, print what was found, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.preflight.command")
    parser.add_argument("spec", type=Path)
    parser.add_argument("--colour", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    relax_collector()
    os.environ.update({name: value for name, value in SILENT.items() if name not in os.environ})
    warnings.simplefilter("ignore", FutureWarning)  # of the libraries, about each other
    try:
        report, page = _look(RunSpec.read(given.spec))
    except (TunewrightError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a terminal is watching
        return FAILED
    plain = json.dumps({**report.as_plain(), "page": str(page)}, sort_keys=True)
    sys.stdout.write(plain + "\n" if given.json else f"{render_text(report, has_colour=given.colour)}page: {page}\n\n")
    return 0 if report.passed else STOPPED


def _look(spec: RunSpec) -> tuple[PreflightReport, Path]:
    try:
        report = inspect_stage(spec)
        return report, save_report(report, Path(spec.work_folder) / FOLDER)
    except (TunewrightError, OSError):
        raise
    except Exception as error:
        raise explain_trial_failure(error, spec, what="preflight", advice=ADVICE) from error


def inspect_stage(spec: RunSpec) -> PreflightReport:
    """Read the rows of a stage as its training would, and look at them. Raises TunewrightError."""
    assert isinstance(spec.config, StageConfig)
    data, store = spec.config.data, Store(spec.store_url)
    root, stage = spec.tables[data.table], resolved_stage(spec)
    tokenizer = load_tokenizer(spec.parent_model)
    rows = read_rows(store, root, ChatFormat(tokenizer), stage, seed=spec.stage_seed)
    records: Iterable[Any] = store.read_table(RECORD_OF[data.table], root, asset=data.dataset)
    return inspect_rows(describe_stage(spec, stage, rows, tokenizer, records=records))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
