"""What a rollout amounts to is said of the answers of all processes: each steers the same KL coefficient by it."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from training.methods.rollout import Rollout, measure_answers  # noqa: E402


class Two:
    """Stands in for accelerate's in one of two processes; the other one's figures are given."""

    num_processes = 2

    def __init__(self, others: list[float]) -> None:
        self._others = torch.tensor(others, dtype=torch.float64)

    def reduce(self, own: Any, reduction: str) -> Any:
        assert reduction == "mean"
        return (own + self._others) / 2


def test_figures_are_means_over_the_answers_of_all_processes() -> None:
    mask, prompt_mask = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]), torch.tensor([[1, 1], [0, 1]])
    nothing = torch.zeros(0)
    written = Rollout(
        prompt_ids=nothing, prompt_mask=prompt_mask, answer_ids=nothing, mask=mask, logps=nothing, values=nothing,
        advantages=nothing, returns=nothing,
    )  # fmt: skip
    own = {"scores": torch.tensor([1.0, 0.0]), "kl": torch.tensor([0.5, 0.7]), "unfinished": torch.tensor([True, False])}
    found = measure_answers(written, **own, accelerator=Two([0.1, 1.0, 6.0, 0.0, 13.0]))
    assert found == pytest.approx((0.3, 0.8, 4.0, 0.25, 20))
