"""Conversations of which all turns are learnt, or the last one only, go through preflight and training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curation.records import Example, Message
from curation.store import Store
from tests.training.methods.two_words import QUICK, World, example_of, prompt_of
from training.config import SftConfig, StageConfig

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]
"""The libraries warn about each other."""


@pytest.mark.parametrize("learns", ["answer", "assistant"])
def test_a_conversation_is_trained_on(world: World, base: Path, learns: Any) -> None:
    rows = []
    for number in range(64):
        first, second = Message(role="assistant", content="sea"), Message(role="assistant", content="oven")
        turns = (*prompt_of(number), first, Message(role="user", content=f"and {number}?"), second)
        rows.append(replace(example_of(number, "sea"), messages=turns))
    root = Store(world.url).write_table(Example, rows).root
    stage = StageConfig(method="sft", tuning="full", max_steps=2, sft=SftConfig(learns=learns), **QUICK)
    output = world.run(stage, f"turns-{learns}", parent_model=str(base), tables={"examples": root})
    assert (output / "model.safetensors").exists()
