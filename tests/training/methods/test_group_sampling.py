"""Groups that teach nothing: found, and replaced by groups of other prompts."""

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.methods.two_words import QUICK, World
from training.config import RlConfig, StageConfig
from training.methods.group_sampling import GroupSampler, draw_rows, put_rows, silent_groups

PAD = 9


def tensor(values: Any) -> Any:
    import torch

    return torch.tensor(values)


@pytest.mark.parametrize(
    ("scores", "silent"),
    [
        ([[1.0], [1.0], [0.0], [1.0]], [True, False]),
        ([[0.0], [0.0], [0.5], [0.5]], [True, True]),
        ([[1.0, 0.0], [0.0, 0.5], [1.0, 0.0], [0.0, 2.0]], [False, True]),  # it is the weighted sum that counts
        ([[float("nan"), 1.0], [0.5, float("nan")], [float("nan"), 1.0], [float("nan"), 1.0]], [True, True]),
    ],
)
def test_a_group_is_silent_when_all_its_answers_are_worth_the_same(scores: Any, silent: list[bool]) -> None:
    weights = tensor([1.0, 0.5][: len(scores[0])])
    assert silent_groups(tensor(scores), weights, size=2).tolist() == silent


@given(num=st.integers(1, 40), count=st.integers(1, 12), taken=st.sets(st.integers(0, 39)))
def test_drawn_rows_are_others_as_long_as_there_are_any(num: int, count: int, taken: set[int]) -> None:
    rows = draw_rows(num, count, key="0/1/2", is_taken=taken.__contains__)
    assert rows == draw_rows(num, count, key="0/1/2", is_taken=taken.__contains__)
    assert len(rows) == count
    assert all(0 <= row < num for row in rows)
    if num <= 8 * count:
        free = set(range(num)) - taken
        assert len(free & set(rows)) == min(count, len(free))


def test_rows_of_another_width_are_put_where_prompt_and_answer_meet() -> None:
    batch = {
        "prompt_ids": tensor([[1, 2], [PAD, 3]]), "prompt_mask": tensor([[1, 1], [0, 1]]),
        "completion_ids": tensor([[4, 5, 6], [7, PAD, PAD]]), "completion_mask": tensor([[1, 1, 1], [1, 0, 0]]),
        "advantages": tensor([0.0, 0.0]), "num_items_in_batch": tensor(4),
    }  # fmt: skip
    fresh = {
        "prompt_ids": tensor([[0, 0, 0], [PAD, 1, 1]]), "prompt_mask": tensor([[1, 1, 1], [0, 1, 1]]),
        "completion_ids": tensor([[0, 0], [8, PAD]]), "completion_mask": tensor([[1, 1], [1, 0]]),
        "advantages": tensor([9.0, 1.5]), "num_items_in_batch": tensor(3),
    }  # fmt: skip
    put_rows(batch, fresh, [0], [1], pad=PAD)
    assert {name: value.tolist() for name, value in batch.items()} == {
        "prompt_ids": [[PAD, 1, 1], [PAD, PAD, 3]],
        "prompt_mask": [[0, 1, 1], [0, 0, 1]],
        "completion_ids": [[8, PAD, PAD], [7, PAD, PAD]],
        "completion_mask": [[1, 0, 0], [1, 0, 0]],
        "advantages": [1.5, 0.0],
        "num_items_in_batch": 4,
    }


class Writer:
    """Stands for TRL's trainer: the prompt's number says what its two answers are worth, the same or not."""

    def __init__(self, num_prompts: int, rounds: int) -> None:
        rl = RlConfig(num_generations=2, resample_groups=rounds)
        self.sampler = GroupSampler(StageConfig(method="grpo", rl=rl), seed=0, pad=PAD)
        self.asked: list[list[int]] = []
        accelerator = SimpleNamespace(num_processes=1, process_index=0, gather=lambda value: value.view(1))
        self.trainer = SimpleNamespace(
            _metrics={"train": defaultdict(list)}, reward_weights=tensor([1.0]), accelerator=accelerator,
            state=SimpleNamespace(global_step=3), train_dataset=[{"prompt": [number]} for number in range(num_prompts)],
        )  # fmt: skip

    def write(self, prompts: list[dict[str, Any]]) -> dict[str, Any]:
        numbers = [row["prompt"][0] for row in prompts]
        self.asked.append(numbers[::2])
        scores = [float(number % 2 == 1 and at % 2) for at, number in enumerate(numbers)]
        self.sampler.scores = tensor([[score] for score in scores])
        self.trainer._metrics["train"]["reward"].append(sum(scores) / len(scores))
        self.trainer._metrics["train"]["frac_reward_zero_std"].append(-1.0)
        masks = [[1] * (1 + number % 3) + [0] * (2 - number % 3) for number in numbers]
        ids = [[number] for number in numbers]
        return {"prompt_ids": tensor(ids), "completion_mask": tensor(masks), "num_items_in_batch": tensor(0)}

    def fill(self, numbers: list[int]) -> dict[str, Any]:
        prompts = [{"prompt": [number]} for number in numbers for _ in range(2)]
        return self.sampler.fill(self.trainer, prompts, self.write(prompts), self.write)


def test_without_rounds_they_are_only_counted() -> None:
    writer = Writer(100, rounds=0)
    assert writer.fill([1, 2, 4, 3])["prompt_ids"][:, 0].tolist() == [1, 1, 2, 2, 4, 4, 3, 3]
    assert len(writer.asked) == 1
    assert writer.trainer._metrics["train"] == {"reward": [0.25], "frac_reward_zero_std": [0.5]}


def test_silent_groups_are_replaced_by_those_of_other_prompts() -> None:
    writer = Writer(100, rounds=20)
    batch = writer.fill([1, 2, 4, 3])
    numbers = batch["prompt_ids"][:, 0].tolist()
    assert (numbers[:2], numbers[6:]) == ([1, 1], [3, 3])
    assert all(number % 2 == 1 for number in numbers)
    drawn = [number for asked in writer.asked[1:] for number in asked]
    assert len(set(drawn)) == len(drawn)
    assert not {1, 2, 3, 4} & set(drawn)
    assert batch["num_items_in_batch"] == batch["completion_mask"].sum()
    assert writer.trainer._metrics["train"] == {"reward": [0.25], "frac_reward_zero_std": [0.5], "resampled": [0.5]}


def test_what_stays_silent_stays_and_the_search_ends() -> None:
    writer = Writer(1, rounds=3)
    assert writer.fill([0, 0])["prompt_ids"][:, 0].tolist() == [0, 0, 0, 0]
    assert len(writer.asked) == 4
    assert writer.trainer._metrics["train"]["resampled"] == [0.0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_a_run_replaces_most_of_its_silent_groups(world: World, start: Path, method: Any) -> None:
    rl = RlConfig(max_new_tokens=6, kl_coefficient=0.05, num_generations=2, resample_groups=6)
    stage = StageConfig(method=method, tuning="full", rl=rl, max_steps=5, learning_rate=0.001, **QUICK)
    output = world.run(stage, f"resampled-{method}", parent_model=str(start))
    points = json.loads((output / "manifest.json").read_text())["loss_curve"]
    silent, replaced = (sum(point[name] for point in points) / len(points) for name in ("zero_variance", "resampled"))
    assert silent > 0.2, "a model that is unsure agrees with itself on most pairs of answers"
    assert replaced > 0.7 * silent, "a fresh group differs once in three or four times, so six rounds find most"
    plain = world.run(
        replace(stage, rl=replace(rl, resample_groups=0), max_steps=1), f"plain-{method}", parent_model=str(start)
    )
    first = json.loads((plain / "manifest.json").read_text())["loss_curve"][0]
    assert (first["zero_variance"], first["reward"]) == (points[0]["zero_variance"], points[0]["reward"])
    assert "resampled" not in first
