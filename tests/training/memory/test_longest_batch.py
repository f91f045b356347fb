import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.memory.longest_batch import find_longest_batch, same_random_states, try_longest_batch_first

LENGTHS = [6, 3, 5, 4, 16, 2, 7, 8]


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=60), st.integers(1, 9))
def test_no_other_batch_has_more_tokens(lengths: list[int], batch_size: int) -> None:
    def width(rows: Sequence[int]) -> int:
        return len(rows) * max(lengths[row] for row in rows)

    found = find_longest_batch(lengths, batch_size)
    batches = [range(len(lengths))[start : start + batch_size] for start in range(0, len(lengths), batch_size)]
    assert found in batches
    assert width(found) == max(width(batch) for batch in batches)


def test_random_states_are_put_back() -> None:
    import numpy
    import torch

    def draw() -> tuple[float, float, float]:
        return random.random(), float(numpy.random.random()), float(torch.rand(1))

    torch.manual_seed(1)
    random.seed(1)
    numpy.random.seed(1)
    with same_random_states():
        first = draw()
    assert draw() == first


def build_trainer(folder: Path, *, steps: int = 3) -> Any:
    """A trainer of transformers on a model with dropout, whose batches are padded."""
    import torch
    from datasets import Dataset
    from transformers import LlamaConfig, LlamaForCausalLM, PrinterCallback, Trainer, TrainingArguments

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 32}
    model = LlamaForCausalLM(LlamaConfig(**sizes, attention_dropout=0.5))
    rows = [[(7 * length + place) % 32 for place in range(length)] for length in LENGTHS]

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, Any]:
        ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row["input_ids"]) for row in batch], batch_first=True)
        return {"input_ids": ids, "labels": ids}

    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=steps, per_device_train_batch_size=2, gradient_accumulation_steps=2, logging_steps=1,
        save_strategy="no", report_to="none", disable_tqdm=True, use_cpu=True, train_sampling_strategy="sequential",
    )  # fmt: skip
    trainer = Trainer(model=model, args=arguments, train_dataset=Dataset.from_dict({"input_ids": rows}), data_collator=collate)
    trainer.remove_callback(PrinterCallback)
    return trainer


def run(folder: Path, prepare: Callable[[Any], None]) -> tuple[list[float], list[float], list[tuple[int, ...]]]:
    trainer = build_trainer(folder)
    seen: list[tuple[int, ...]] = []
    trainer.model.register_forward_pre_hook(
        lambda module, _, given: seen.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    prepare(trainer)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    weights = [float(parameter.sum()) for parameter in trainer.model.parameters()]
    return losses, weights, seen


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_longest_batch_is_first_and_leaves_no_trace(tmp_path: Path) -> None:
    said: list[str] = []
    plain = run(tmp_path / "plain", lambda trainer: None)
    tried = run(
        tmp_path / "tried", lambda trainer: try_longest_batch_first(trainer, lengths=LENGTHS, batch_size=2, say=said.append)
    )
    assert tried[:2] == plain[:2], "losses and weights are bit for bit the same"
    assert tried[2] == [(2, 16), (2, 16), *plain[2]], "twice, because gradients of an earlier micro-batch stand beside it"
    assert said == ["trying the longest batch first: 2 rows of up to 16 tokens"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_does_not_fit_fails_before_the_first_step(tmp_path: Path) -> None:
    trainer = build_trainer(tmp_path)
    try_longest_batch_first(trainer, lengths=LENGTHS, batch_size=2, say=lambda _: None)

    def refuse(module: Any, _: Any, given: dict[str, Any]) -> None:
        if given["input_ids"].shape[1] > 8:
            raise RuntimeError("CUDA out of memory")

    trainer.model.register_forward_pre_hook(refuse, with_kwargs=True)
    with pytest.raises(RuntimeError, match="out of memory"):
        trainer.train()
    assert trainer.state.global_step == 0
