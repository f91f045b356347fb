"""What code a model comes of: its own method's, and no other's."""

from typing import Any, get_args

import pytest

from assets import code_version as module_under_test
from assets.code_version import modules_behind
from assets.models import build, code_behind
from assets.recipe import Recipe
from curation.ingest.config import SourceConfig
from training.config import BaseModelConfig, DistillationConfig, RewardConfig, RlConfig, StageConfig, TrainingConfig
from training.config.methods import RL_METHODS, Method

METHODS = get_args(Method)
OWN = {
    "dapt": "supervised",
    "sft": "supervised",
    "dpo": "pairs",
    "kto": "pairs",
    "orpo": "pairs",
    "reward": "scoring",
    "rloo": "group_rl",
    "grpo": "group_rl",
    "ppo": "ppo",
    "distillation": "distillation",
}


def stage_of(method: Method) -> StageConfig:
    teacher = DistillationConfig(teacher="sft_model", max_new_tokens=8) if method == "distillation" else None
    return StageConfig(method=method, distillation=teacher)


def modules_of(config: BaseModelConfig | StageConfig) -> set[str]:
    code = code_behind(config)
    return set(modules_behind(*code["modules"], leaves=code["leaves"]))


@pytest.mark.parametrize("method", METHODS)
def test_the_code_of_a_model_is_that_of_its_method(method: Method) -> None:
    found = modules_of(stage_of(method))
    assert {"training.run", "training.learning", "training.trainers", "training.methods.job"} <= found
    assert {name for name in OWN.values() if f"training.methods.{name}" in found} == {OWN[method]}
    is_graded = method in RL_METHODS
    assert ("curation.graders.number" in found) == ("training.rewards.reward" in found) == is_graded
    assert ("training.methods.ppo_math" in found) == (method == "ppo")
    assert "training.kernels.adam_in_backward" in found or method not in ("dapt", "sft")


def test_a_base_model_comes_of_no_method() -> None:
    found = modules_of(BaseModelConfig())
    assert {"training.base_model", "training.chat_format", "training.output", "training.run"} <= found
    assert not [name for name in found if name.startswith(("training.methods", "training.kernels", "curation.graders"))]


@pytest.mark.parametrize(
    ("edited", "stale"),
    [
        ("training.methods.ppo_math", {"rl_model"}),
        ("training.methods.group_rl", {"grouped_model"}),
        ("curation.graders.number", {"grouped_model", "rl_model"}),
        ("training.methods.packed", {"sft_model"}),
        ("training.base_model", {"base_model", "sft_model", "grouped_model", "rl_model"}),
        ("training.learning", {"sft_model", "grouped_model", "rl_model"}),
    ],
)
def test_an_edit_makes_only_those_models_stale(monkeypatch: pytest.MonkeyPatch, edited: str, stale: set[str]) -> None:
    before, after = versions(), dict[str, str]()
    read = module_under_test._read_module
    with monkeypatch.context() as patch:

        def edit(module: str) -> tuple[str, tuple[str, ...]]:
            found, imports = read(module)
            return found + ("!" if module == edited else ""), imports

        patch.setattr(module_under_test, "_read_module", edit)
        after = versions()
    module_under_test.code_version.cache_clear()
    assert {name for name, version in before.items() if after[name] != version} == stale


def versions() -> dict[str, str]:
    """Return the code version of every model of a recipe."""
    module_under_test.code_version.cache_clear()
    graded: dict[str, Any] = {"rl": RlConfig(prompts="examples"), "rewards": (RewardConfig(grader="number"),)}
    grouped = StageConfig(method="grpo", name="grouped_model", **graded)
    stages = (StageConfig(method="sft"), grouped, StageConfig(method="ppo", **graded))
    source = SourceConfig(name="notes", kind="files", path="notes/*.md", role="demonstrations")
    recipe = Recipe(name="probe", sources=(source,), training=TrainingConfig(stages=stages))
    found = {asset.key.path[-1]: asset.code_versions_by_key[asset.key] for asset in build(recipe)}
    return {name: version or "" for name, version in found.items()}
