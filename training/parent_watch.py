"""A training process stops when it is told to, and when whoever started it is gone.

    stop = Stop()
    stop.install()          # SIGTERM, SIGINT, and the death of the parent
    ...
    if stop.signal: ...     # save a checkpoint and leave with 128 + signal

While `stop.can_finish` is set (inside the training loop) a signal is only noted, so that the step ends and a checkpoint is
written; elsewhere, and at a second signal, the process leaves at once. One of several processes, or one that a run of Dagster
started, takes what comes within a few seconds as one signal: Ctrl-C reaches it from the terminal, and again from its starter.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time

PARENT_VARIABLE = "TUNEWRIGHT_PARENT_PID"
"""Process id of the one that started the run, for when a launcher stands in between."""
GRACE_SECONDS = 30.0
ONCE_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1


class Stop:
    """Whether the process was asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.signal = 0
        self.can_finish = False
        self._noted = 0.0
        is_told_twice = int(os.environ.get("WORLD_SIZE", "1")) > 1 or bool(os.environ.get(PARENT_VARIABLE))
        self._once_seconds = ONCE_SECONDS if is_told_twice else 0.0

    def install(self) -> None:
        """Handle SIGTERM and SIGINT, and treat the parent's death as a SIGTERM."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        if sys.platform == "linux":
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        watched = os.environ.get(PARENT_VARIABLE, "")
        starter = int(watched) if watched.isdigit() else 0
        threading.Thread(target=_watch, args=(self, os.getppid(), starter), daemon=True).start()

    def _note(self, number: int, _frame: object) -> None:
        is_second = self.signal and time.monotonic() - self._noted >= self._once_seconds
        if is_second or not self.can_finish:
            raise SystemExit(128 + number)
        if not self.signal:
            self.signal, self._noted = number, time.monotonic()


def _watch(stop: Stop, parent: int, starter: int) -> None:
    while os.getppid() == parent and (not starter or _is_alive(starter)):
        time.sleep(1.0)
    stop._once_seconds = ONCE_SECONDS  # the kernel may tell at this moment, too
    if not stop.signal:  # or have told already; a second signal would leave the checkpoint unwritten
        with contextlib.suppress(OSError):
            os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(128 + signal.SIGTERM)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
