"""Groups whose answers are all worth the same: counted, and if asked, written anew from other prompts.

    silent_groups(torch.tensor([[1.0], [1.0], [0.0], [1.0]]), weights, size=2)      [True, False]

Their advantages are 0, so they teach nothing while they fill the batch. Dynamic sampling (DAPO, Yu et al. 2025,
arXiv:2503.14476, section 3.2) puts groups that differ in their place, so that every step learns from as many. Prompts are drawn
by seed, step and round: a run that was interrupted draws the same ones again.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from training.config import StageConfig

Write = Callable[[list[dict[str, Any]]], dict[str, Any]]
"""Lets the model answer prompts, one row an answer, and returns the tensors of the batch."""


def silent_groups(scores: Any, weights: Any, *, size: int) -> Any:
    """Return for each group whether all its answers are worth the same.

    Args:
        scores: [answers, parts] of the reward, the answers of a group in a row; nan where a part does not apply.
        weights: of the parts.
        size: answers of a group.
    """
    totals = (scores * weights.to(scores.device)).nansum(dim=1).view(-1, size)
    return totals.amax(dim=1) - totals.amin(dim=1) < 1e-6


def draw_rows(num_rows: int, count: int, *, key: str, is_taken: Callable[[int], bool]) -> list[int]:
    """Return rows drawn by a key, others than those that are taken as long as there are any."""
    rng = random.Random(key)  # noqa: S311 - an order, not a secret
    shuffled = rng.sample(range(num_rows), k=min(num_rows, 8 * count))
    free = [row for row in shuffled if not is_taken(row)]
    drawn = [*free, *(row for row in shuffled if row not in set(free))][:count]
    return [drawn[at % len(drawn)] for at in range(count)]


def put_rows(batch: dict[str, Any], fresh: dict[str, Any], rows: Sequence[int], others: Sequence[int], *, pad: int) -> None:
    """Put rows of another batch in the place of some of a batch: prompts end, and answers begin, where the two meet.

    Args:
        batch: tensors with one row an answer, such as `prompt_ids`, `completion_ids`, `advantages`; changed. What has no rows
            stays as it is.
        fresh: the same of other answers.
        rows: which rows are replaced.
        others: by which of the others.
        pad: id of the pad token.
    """
    import torch

    for name, kept in batch.items():
        if not torch.is_tensor(kept) or kept.dim() == 0:
            continue
        taken = fresh[name][list(others)]
        if kept.dim() == 2:
            filler = pad if name.endswith("_ids") else 0
            width = max(kept.shape[1], taken.shape[1])
            kept, taken = (_widen(part, width, filler, on_left=name.startswith("prompt_")) for part in (kept, taken))
        kept = kept.clone()
        kept[list(rows)] = taken
        batch[name] = kept


def _widen(rows: Any, width: int, filler: int, *, on_left: bool) -> Any:
    from torch.nn.functional import pad

    missing = width - rows.shape[1]
    return pad(rows, (missing, 0) if on_left else (0, missing), value=filler)


class GroupSampler:
    """Fills the batch of a trainer with groups that differ.

    Args:
        stage: resolved.
        seed: of the run.
        pad: id of the pad token.
    """

    def __init__(self, stage: StageConfig, *, seed: int, pad: int) -> None:
        assert stage.rl is not None
        assert stage.rl.num_generations is not None
        self.size, self.num_rounds = stage.rl.num_generations, stage.rl.resample_groups
        self.seed, self.pad = seed, pad
        self.scores: Any = None
        """[answers of all processes, parts] of the batch written last."""

    def fill(self, trainer: Any, prompts: list[dict[str, Any]], batch: dict[str, Any], write: Write) -> dict[str, Any]:
        """Return the batch with groups of other prompts in the place of silent ones; metrics are those of its first writing.

        Args:
            trainer: TRL's.
            prompts: rows of this process, each group's in a row.
            batch: what was written to them.
            write: writes another.
        """
        metrics, weights = trainer._metrics["train"], trainer.reward_weights
        silent = silent_groups(self.scores, weights, size=self.size)
        metrics["frac_reward_zero_std"][-1] = silent.float().mean().item()  # RLOO's own takes divergence for variance
        if not self.num_rounds:
            return batch
        accelerator = trainer.accelerator
        num_logged = {name: len(values) for name, values in metrics.items()}
        silent = silent.view(accelerator.num_processes, -1)
        at_first, used = silent.sum().item(), [prompts]
        for number in range(self.num_rounds):
            count = int(silent.sum(dim=1).max())  # the same in every process: each writes so many
            if not count:
                break
            used.append(self._draw(trainer, used, count, number))
            fresh = write(used[-1])
            differs = ~silent_groups(self.scores, weights, size=self.size).view(accelerator.num_processes, -1)
            self._place(batch, fresh, silent, differs, accelerator.process_index)
        if "num_items_in_batch" in batch:
            batch["num_items_in_batch"] = accelerator.gather(batch["completion_mask"].sum()).sum()
        for name, values in metrics.items():
            del values[num_logged.get(name, 0) :]
        metrics["resampled"].append((at_first - silent.sum().item()) / silent.numel())
        return batch

    def _draw(self, trainer: Any, used: list[list[dict[str, Any]]], count: int, number: int) -> list[dict[str, Any]]:
        rows = trainer.train_dataset
        taken = {tuple(row["prompt"]) for prompts in used for row in prompts}
        key = f"{self.seed}/{trainer.state.global_step}/{number}/{trainer.accelerator.process_index}"
        drawn = draw_rows(len(rows), count, key=key, is_taken=lambda row: tuple(rows[row]["prompt"]) in taken)
        return [rows[row] for row in drawn for _ in range(self.size)]

    def _place(self, batch: dict[str, Any], fresh: dict[str, Any], silent: Any, differs: Any, rank: int) -> None:
        """Use the fresh groups that differ, and note which are silent now, in all processes."""
        for process in range(silent.shape[0]):
            places = silent[process].nonzero()[:, 0].tolist()
            found = differs[process].nonzero()[:, 0].tolist()
            pairs = list(zip(places, found, strict=False))
            for place, _ in pairs:
                silent[process, place] = False
            if process == rank and pairs:
                put_rows(batch, fresh, *(self._rows([pair[side] for pair in pairs]) for side in (0, 1)), pad=self.pad)

    def _rows(self, groups: list[int]) -> list[int]:
        return [group * self.size + at for group in groups for at in range(self.size)]
