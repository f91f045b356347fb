"""What broke a look at a stage that trains nothing (range test, preflight), as one sentence for a terminal.

    error: The range test of 'sft' ran out of memory (CUDA out of memory. Tried to allocate 2.00 GiB). Lower `batch_size` ...

What nobody foresaw leaves its traceback in `WORK/traceback.txt`.
"""

import contextlib
import traceback
from pathlib import Path

from curation.errors import TrialFailedError, TrialMemoryError
from curation.files import write_atomically
from training.memory.oom import is_out_of_memory
from training.spec import RunSpec

LOG = "traceback.txt"
MAX_REASON = 300


def explain_trial_failure(error: Exception, spec: RunSpec, *, what: str, advice: str) -> TrialMemoryError | TrialFailedError:
    """Return what broke a trial as an error whose text is for people.

    Args:
        error: what was raised and is no TunewrightError or OSError.
        spec: the stage that was tried.
        what: name of the trial, `range test`.
        advice: what to do if memory ran out.
    """
    said = str(error).encode("utf-8", "backslashreplace").decode()
    reason = " ".join(said.split())[:MAX_REASON].rstrip(".")
    if is_out_of_memory(error) or isinstance(error, MemoryError):
        return TrialMemoryError(what=what, stage=spec.stage, reason=reason or type(error).__name__, advice=advice)
    log = Path(spec.work_folder) / LOG
    with contextlib.suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(log, "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace"))
    return TrialFailedError(what=what, stage=spec.stage, reason=f"{type(error).__name__}: {reason}".rstrip(": "), log=log)
