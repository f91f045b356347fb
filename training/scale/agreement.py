"""Several processes stop at the same step, whichever of them was told to.

    agreement = StopAgreement()             # in every process, at the same time; alone, it costs nothing
    agreement.exchange(15)                  # 0: what all knew a step ago
    agreement.exchange(15)                  # 15, in every process: save and leave

A checkpoint of several processes is written by all of them and waits for all of them, so one that stops alone would wait for
ever, as would the others for its gradients. What each knows is told to all while the next step is computed: nobody waits.
"""

from typing import Any


class StopAgreement:
    """Tells all processes of a run the signal that any of them got.

    Raises:
        RuntimeError: by any method, if another process is gone.
    """

    def __init__(self) -> None:
        import torch.distributed as dist

        self._group: Any = None
        self._told: tuple[Any, Any] | None = None
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            self._group = dist.new_group(backend="gloo")  # beside the gradients, and without waiting for a GPU

    @property
    def is_needed(self) -> bool:
        """Whether there are several processes."""
        return self._group is not None

    def exchange(self, signal: int, *, is_last: bool = False) -> int:
        """Tell the signal of this process (0: none) to all, and return the largest that was told a step before.

        With `is_last`, there is no later step: wait, and return the largest of this one as well.
        """
        if self._group is None:
            return signal
        known = self._take()
        self._tell(signal)
        return max(known, self._take()) if is_last else known

    def _tell(self, signal: int) -> None:
        import torch
        import torch.distributed as dist

        value = torch.tensor([signal], dtype=torch.int32)
        self._told = value, dist.all_reduce(value, op=dist.ReduceOp.MAX, group=self._group, async_op=True)

    def _take(self) -> int:
        if self._told is None:
            return 0
        value, work = self._told
        self._told = None
        work.wait()
        return int(value.item())

    def wait_for_all(self) -> None:
        """Return when every process has come here."""
        if self._group is not None:
            import torch.distributed as dist

            dist.barrier(group=self._group)
