"""How a child process of the command line ended: its exit code, and a sentence if a signal ended it before it could say why.

explain_exit(1, "the preflight")      1
explain_exit(-9, "the preflight")     137, after "error: the preflight was ended by SIGKILL, ..."
"""

import signal
import sys

OF_SIGNAL = 128
"""What a shell adds to the number of a signal."""


def explain_exit(returncode: int, what: str) -> int:
    """Return the exit code to end with, never negative; a child that a signal ended is told of on the terminal."""
    if returncode >= 0:
        return returncode
    name = signal.Signals(-returncode).name if -returncode in set(signal.Signals) else f"signal {-returncode}"
    why = ", by the kernel if the memory of this machine ran out, else by somebody" if name == "SIGKILL" else ""
    advice = " Stop what else uses memory and try again." if why else ""
    sys.stderr.write(f"error: {what} was ended by {name}{why}.{advice}\n")
    return OF_SIGNAL - returncode
