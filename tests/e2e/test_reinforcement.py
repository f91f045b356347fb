"""A reward model beside the chain and a stage that learns from its scores; then every method, with all weights and adapters."""

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from assets.recipe import Recipe
from curation.home import Home
from curation.lineage.models import training_roots
from pipelines.compose import build_definitions
from pipelines.recipe import load_recipe
from tests.e2e.tiny_recipe import STEPS, Project, make_project
from tests.e2e.warm_training import WarmPipes
from training.config import (
    DistillationConfig,
    LoraConfig,
    Method,
    PpoConfig,
    RewardConfig,
    RlConfig,
    StageConfig,
    TrainingConfig,
    Tuning,
)

SHORT = {**STEPS, "max_steps": 2, "batch_size": 4, "max_length": 256}
BASE = {"hidden_size": 192, "num_layers": 1, "num_heads": 2, "vocab_size": 400, "context_length": 256}
TRAINING = {
    "base": BASE,
    "stages": [
        {"method": "sft", **SHORT},
        {"method": "reward", **SHORT},
        {
            "method": "ppo",
            **SHORT,
            "rl": {"prompts": "examples", "max_new_tokens": 8},
            "rewards": [{"model": "reward_model"}, {"grader": "json", "weight": 0.5}],
            "ppo": {"epochs": 2},
        },
    ],
}
METHODS: tuple[Method, ...] = ("dapt", "sft", "reward", "dpo", "kto", "orpo", "grpo", "rloo", "ppo", "distillation")
TUNINGS: tuple[Tuning, ...] = ("full", "lora", *(("qlora",) if importlib.util.find_spec("bitsandbytes") else ()))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_rated_project(tmp_path_factory.mktemp("rl"))


def make_rated_project(folder: Path) -> Project:
    """The tiny project with answers that people rated."""
    project = make_project(folder, training=TRAINING)
    rows = [
        {"id": f"r{number}", "prompt": f"Where does part {number} go?", "completion": answer, "label": answer == "on the boat"}
        for number, answer in enumerate(["on the boat", "no idea"] * 8)
    ]
    (folder / "rated.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rated = {"name": "rated", "kind": "files", "role": "demonstrations", "path": str(folder / "rated.jsonl")}
    sources = yaml.safe_load(project.recipe.read_text())["sources"]
    project.change_recipe(sources=[*sources, {**rated, "task": "routing", "license": "CC0-1.0"}])
    return project


@pytest.fixture(scope="module")
def summary(project: Project) -> dict[str, Any]:
    return project.run()


@pytest.fixture
def home(project: Project) -> Home:
    return Home(path=project.home, store_url=str(project.home / "store"), database_url="", review_url="")


@pytest.mark.filterwarnings("ignore")
def test_the_reward_model_is_an_input_of_the_stage_and_no_parent(project: Project) -> None:
    recipe: Recipe = load_recipe(project.recipe)
    graph = build_definitions([recipe]).resolve_asset_graph()
    deps = {key.path[-1]: {parent.path[-1] for parent in graph.get(key).parent_keys} for key in graph.get_all_asset_keys()}
    assert deps["reward_model"] >= {"sft_model", "preference_dataset", "dataset_audit"}
    assert deps["rl_model"] >= {"sft_model", "reward_model", "sft_dataset", "dataset_audit"}
    assert "reward_model" not in deps["answers"]
    assert deps["champion"] >= {"rl_model"}


@pytest.mark.slow
def test_the_graph_trains_scores_and_learns_from_the_scores(project: Project, summary: dict[str, Any], home: Home) -> None:
    assert summary["stages_trained"] == ["base_model", "sft_model", "reward_model", "rl_model"]
    store = home.store()
    models = {name: store.snapshot(f"tiny/{name}").folders["model"] for name in ("sft_model", "reward_model", "rl_model")}
    manifest = json.loads((Path(store.get_folder(models["rl_model"])) / "manifest.json").read_text())
    assert manifest["parent"] == models["sft_model"]
    assert manifest["models"] == {"reward_model": models["reward_model"]}
    pairs = store.snapshot("tiny/preference_dataset").tables["pairs"].root
    assert pairs in training_roots(store, models["rl_model"]), "what the reward model learnt from is behind the model as well"
    assert project.run()["stages_trained"] == []


def stage_of(method: Method, tuning: Tuning) -> StageConfig:
    grouped = RlConfig(prompts="examples", num_generations=2, max_new_tokens=6)
    graded = (RewardConfig(model=f"reward_{tuning}_model"), RewardConfig(grader="json", weight=0.5))
    own: dict[str, Any] = {
        "grpo": {"rl": grouped, "rewards": (RewardConfig(grader="json"),)},
        "rloo": {"rl": grouped, "rewards": graded},
        "ppo": {"rl": replace(grouped, num_generations=None), "rewards": graded, "ppo": PpoConfig(epochs=2)},
        "distillation": {"distillation": DistillationConfig(teacher="sft_full_model", max_new_tokens=6)},
    }
    adapters = {"lora": LoraConfig(rank=4)} if tuning != "full" else {}
    settings: dict[str, Any] = {**SHORT, "tuning": tuning, **adapters, **own.get(method, {})}
    return StageConfig(method=method, name=f"{method}_{tuning}_model", **settings)


@pytest.fixture(scope="module")
def chain(project: Project, summary: dict[str, Any]) -> Iterator[tuple[Recipe, dg.ExecuteInProcessResult]]:
    """Every method with both tunings, one behind the other, on the data sets that the graph has made."""
    stages = tuple(stage_of(method, tuning) for method in METHODS for tuning in TUNINGS)
    recipe = load_recipe(project.recipe)
    recipe = replace(recipe, training=TrainingConfig(base=recipe.training.base, stages=stages))
    assets = [asset for asset in build_definitions([recipe]).assets or () if isinstance(asset, dg.AssetsDefinition)]
    made = ["dataset_audit", "base_model", *(stage.model_name for stage in stages)]
    keys = [dg.AssetKey(["tiny", name]) for name in made]
    home = Home(path=project.home, store_url=str(project.home / "store"), database_url="", review_url="")
    with WarmPipes() as pipes, dg.DagsterInstance.ephemeral() as instance:
        resources = {"home": home, "pipes": pipes}
        yield recipe, dg.materialize(assets, selection=keys, resources=resources, instance=instance)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_method_trains_in_the_graph_with_all_weights_and_with_adapters(
    chain: tuple[Recipe, dg.ExecuteInProcessResult], home: Home
) -> None:
    recipe, result = chain
    assert result.success
    store, training, tokens = home.store(), recipe.training, dict[str, int]()
    for stage, parent in zip(training.stages, training.parents, strict=True):
        snapshot = store.snapshot(f"tiny/{stage.model_name}")
        folder = Path(store.get_folder(snapshot.folders["model"]))
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["stage"] == stage.method
        assert manifest["config"]["tuning"] == stage.tuning
        assert manifest["parent"] == store.snapshot(f"tiny/{parent}").folders["model"]
        assert manifest["num_steps"] == 2
        tokens[stage.model_name] = manifest["trained_tokens"]
        assert manifest["loss_curve"]
        assert (folder / "adapter" / "adapter_model.safetensors").exists() == (stage.tuning != "full")
        architecture = "LlamaForSequenceClassification" if stage.method == "reward" else "LlamaForCausalLM"
        assert json.loads((folder / "config.json").read_text())["architectures"] == [architecture]
    assert min(tokens.values()) > 0
    assert len({tokens[f"{method}_{tuning}_model"] for method in ("dpo", "orpo", "reward") for tuning in TUNINGS}) == 1, (
        "one data set"
    )
    checks = {(check.asset_key.path[-1], check.check_name): check.passed for check in result.get_asset_check_evaluations()}
    assert {name for name, _ in checks} >= {stage.model_name for stage in training.stages}
