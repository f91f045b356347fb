"""How a run waits for a slot of a pool (`gpu`, `teacher_api`) when its steps share its process.

Dagster 1.13 has steps of one process wait without a pause, which takes a whole core, and notes a cancellation without looking
at it until the slot is there.
"""

import time

from dagster._core.errors import raise_execution_interrupts
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.executor import in_process

LONGEST_PAUSE = 1.0
"""Seconds between two looks at whether the run was cancelled."""


class PatientClaims(InstanceConcurrencyContext):
    """The slots that a run holds and waits for."""

    def interval_to_next_pending_claim_check(self) -> float:
        """Return how many seconds to sleep now.

        Raises:
            DagsterExecutionInterruptedError: if the run was cancelled meanwhile.
        """
        with raise_execution_interrupts():
            next_look = min(self._pending_timeouts.values(), default=0.0)
            return min(LONGEST_PAUSE, max(0.0, next_look - time.time()))


def install_patience() -> None:
    """Have all runs of this process wait like this, those of the Dagster UI and those of `tunewright run`."""
    in_process.InstanceConcurrencyContext = PatientClaims  # type: ignore[attr-defined]
