"""Models to start from, built once."""

from pathlib import Path

import pytest

from tests.training.methods.two_words import PREPARED, World, build_world, train_base, train_knowing, train_unsure
from training.config import StageConfig


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("methods"))


@pytest.fixture(scope="session")
def base(world: World) -> Path:
    return train_base(world)


@pytest.fixture(scope="session")
def knowing(world: World, base: Path) -> Path:
    return train_knowing(world, base)


@pytest.fixture(scope="session")
def start(world: World, knowing: Path) -> Path:
    return train_unsure(world, knowing)


@pytest.fixture(scope="session")
def reward_model(world: World, start: Path) -> Path:
    config = StageConfig(method="reward", tuning="full", max_steps=40, learning_rate=0.003, **PREPARED)
    return world.run(config, "reward_model", parent_model=str(start))
