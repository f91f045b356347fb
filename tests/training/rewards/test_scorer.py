"""A reward model is asked as it was trained: transformers reads the score at the last token that is no padding."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from training.rewards.scorer import score_answers  # noqa: E402

END = 2
ROWS = [[5, 6, 7, END], [8, 9, END], [4, END], [10, 11, 12, 13, 14]]


def tiny_scorer(pad: int) -> Any:
    from transformers import LlamaConfig, LlamaForSequenceClassification

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 40}
    return LlamaForSequenceClassification(LlamaConfig(**sizes, num_labels=1, pad_token_id=pad, eos_token_id=END)).eval()


@pytest.mark.parametrize("pad", [0, END], ids=["padding of its own", "padded with the end token"])
def test_scores_are_read_where_the_trainer_reads_them(pad: int) -> None:
    model, width = tiny_scorer(pad), max(map(len, ROWS))
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in ROWS])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ROWS])
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask).logits[:, 0]
    assert score_answers(model, ROWS, pad=pad, batch_size=3) == pytest.approx(expected.tolist(), abs=1e-5)
