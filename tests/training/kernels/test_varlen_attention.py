"""The varlen attention refuses what it cannot keep apart; its boundaries are right. Its arithmetic needs a GPU."""

from typing import Any

import pytest
import torch

from training.kernels.varlen_attention import boundaries, choose_attention, varlen_attention


def test_boundaries_are_offsets_of_the_documents() -> None:
    where = boundaries([3, 1, 5])
    assert where["cu_seq_lens_q"].tolist() == [0, 3, 4, 9]
    assert where["cu_seq_lens_q"].dtype == torch.int32
    assert where["max_length_k"] == 5


def heads(rows: int = 1) -> Any:
    return torch.randn(rows, 2, 9, 8)


@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        (1, {"cu_seq_lens_q": None}),
        (2, {}),
        (1, {"attention_mask": torch.ones(1, 9)}),
        (1, {"dropout": 0.1}),
        (1, {"softcap": 50.0}),
        (1, {"s_aux": torch.zeros(2)}),
    ],
)
def test_what_it_does_not_compute_is_refused(rows: int, changes: dict[str, Any]) -> None:
    whole = {"attention_mask": None, **boundaries([3, 6]), **changes}
    mask = whole.pop("attention_mask")
    with pytest.raises(ValueError, match="one packed row with its boundaries, no mask"):
        varlen_attention(None, heads(rows), heads(rows), heads(rows), mask, **whole)


def test_a_model_on_a_cpu_gets_sdpa(llama: Any) -> None:
    assert choose_attention(llama) == "sdpa"


@pytest.mark.gpu
def test_kernels_agree_with_plain_modules_on_a_gpu() -> None:
    from benchmarks.gpu.correctness import check_kernels

    errors = check_kernels("cuda")
    assert errors["packed_gradients"] < 2 * errors["plain_gradients"] < 0.05
    assert errors["pair_gradients"] < 0.05
    assert errors["adam_differs"] < 1e-3
