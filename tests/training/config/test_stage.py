import typing
from typing import Any

import pytest

from curation.errors import ConfigError
from training.config import (
    DATA_OF,
    MODEL_NAMES,
    BaseModelConfig,
    DistillationConfig,
    EarlyStoppingConfig,
    KtoConfig,
    LoraConfig,
    Method,
    OrpoConfig,
    PpoConfig,
    PreferenceConfig,
    QuantizationConfig,
    RewardConfig,
    RewardModelConfig,
    RlConfig,
    SftConfig,
    StageConfig,
    TrainingConfig,
)
from training.config.methods import DESCRIPTIONS
from training.config.presets import EPOCHS, LEARNING_RATES, ROWS_PER_STEP
from training.config.stage import KEYS_OF

METHODS: tuple[Method, ...] = typing.get_args(Method)


def refused(build: Any) -> dict[str, Any]:
    with pytest.raises(ConfigError) as caught:
        build()
    return caught.value.fields


def make_stage(method: Method, **changes: Any) -> StageConfig:
    """Return a stage that says no more than it must."""
    needed: dict[str, Any] = {"distillation": DistillationConfig(teacher="t")} if method == "distillation" else {}
    return StageConfig(**{"method": method, **needed, **changes})


def test_everything_has_a_default() -> None:
    assert TrainingConfig().model_names == ("base_model", "sft_model")
    assert TrainingConfig().stages[0].tuning == "lora"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_described_everywhere(method: Method) -> None:
    for table in (DATA_OF, MODEL_NAMES, DESCRIPTIONS, LEARNING_RATES, EPOCHS, ROWS_PER_STEP):
        assert method in table
    assert make_stage(method).model_name == MODEL_NAMES[method]
    assert make_stage(method).data == DATA_OF[method]


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: StageConfig(method="sft", learning_rate=2.0), "learning_rate"),
        (lambda: StageConfig(method="dapt", batch_size=0), "batch_size"),
        (lambda: StageConfig(method="dapt", gradient_accumulation=0), "gradient_accumulation"),
        (lambda: StageConfig(method="sft", max_length=7), "max_length"),
        (lambda: StageConfig(method="sft", keep_checkpoints=0), "keep_checkpoints"),
        (lambda: StageConfig(method="sft", name="Mine"), "name"),
        (lambda: StageConfig(method="sft", name="base_model"), "name"),
        (lambda: StageConfig(method="sft", epochs=1.0, max_steps=3), "epochs"),
        (lambda: StageConfig(method="sft", tuning="full", lora=LoraConfig()), "lora"),
        (lambda: StageConfig(method="sft", packing=True, optimizer="adamw_8bit_offloaded"), "optimizer"),
        (lambda: StageConfig(method="sft", tuning="full", packing=True, optimizer="lion"), "optimizer"),  # type: ignore[arg-type]
        (lambda: StageConfig(method="sft", quantization=QuantizationConfig()), "quantization"),
        (lambda: StageConfig(method="distillation"), "distillation"),
        (lambda: StageConfig(method="ppo", rl=RlConfig(num_generations=4)), "rl"),
        (lambda: StageConfig(method="ppo", rl=RlConfig(resample_groups=1)), "rl"),
        (lambda: StageConfig(method="grpo", rl=RlConfig(clip_range=0.3)), "rl"),
        (lambda: StageConfig(method="rloo", rl=RlConfig(clip_range=0.1)), "rl"),
        (lambda: RlConfig(resample_groups=-1), "rl.resample_groups"),
        (lambda: StageConfig(method="grpo", rl=RlConfig(prompts="examples")), "rewards"),
        (lambda: PreferenceConfig(beta=0.0), "preference.beta"),
        (lambda: PreferenceConfig(loss="ipo", gamma=1.0), "preference.gamma"),
        (lambda: KtoConfig(desirable_weight=0.0), "kto.desirable_weight"),
        (lambda: OrpoConfig(odds_weight=0.0), "orpo.odds_weight"),
        (lambda: RlConfig(num_generations=1), "rl.num_generations"),
        (lambda: PpoConfig(epochs=0), "ppo.epochs"),
        (lambda: RewardConfig(), "rewards"),
        (lambda: RewardConfig(grader="exact", longer_than=3), "rewards"),
        (lambda: RewardConfig(grader="telepathy"), "grader"),
        (lambda: DistillationConfig(teacher=" "), "distillation.teacher"),
        (lambda: LoraConfig(targets=("q_proj", "q_proj")), "lora.targets"),
        (lambda: BaseModelConfig(hidden_size=30, num_heads=4), "base.hidden_size"),
        (lambda: BaseModelConfig(revision="main"), "base.revision"),
        (lambda: LoraConfig(rank=0), "lora.rank"),
        (lambda: TrainingConfig(stages=()), "training.stages"),
        (lambda: TrainingConfig(stages=(StageConfig(method="sft"),) * 2), "training.stages.1.name"),
        (
            lambda: TrainingConfig(
                base=BaseModelConfig(context_length=64), stages=(StageConfig(method="sft", max_length=128),)
            ),
            "training.stages.0.max_length",
        ),
    ],
)
def test_bad_values_are_refused_by_name(build: Any, field: str) -> None:
    assert refused(build)["path"] == field


VALUES: dict[str, Any] = {
    "skip_sections": ("examples",),
    "packing": True,
    "learning_rate_check": True,
    "tokens_per_batch": 4096,
    "early_stopping": EarlyStoppingConfig(),
    "sft": SftConfig(learns="assistant"),
    "preference": PreferenceConfig(),
    "kto": KtoConfig(),
    "orpo": OrpoConfig(),
    "reward_model": RewardModelConfig(),
    "rl": RlConfig(),
    "rewards": (RewardConfig(grader="exact"),),
    "ppo": PpoConfig(),
    "distillation": DistillationConfig(teacher="t"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", KEYS_OF)
def test_a_key_without_effect_is_refused_and_says_where_it_counts(name: str, method: Method) -> None:
    if method in KEYS_OF[name]:
        assert getattr(make_stage(method, **{name: VALUES[name]}), name) == VALUES[name]
        return
    fields = refused(lambda: make_stage(method, **{name: VALUES[name]}))
    assert fields["path"] == name
    assert f"'{method}'" in fields["problem"]
    assert all(other in fields["problem"] for other in KEYS_OF[name])


def test_stages_are_a_chain_in_the_order_of_the_recipe() -> None:
    stages = (StageConfig(method="sft", name="first_sft_model"), StageConfig(method="dapt"), StageConfig(method="sft"))
    training = TrainingConfig(stages=stages)
    assert training.model_names == ("base_model", "first_sft_model", "dapt_model", "sft_model")
    assert training.parents == ("base_model", "first_sft_model", "dapt_model")
    assert training.answering_models[-1] == "sft_model"
    assert [data.dataset for data in training.data] == ["sft_dataset", "dapt_corpus"]
    assert training.reads("sft_dataset")
    assert not training.reads("preference_dataset")


REWARD = StageConfig(method="reward")
BY_MODEL = (RewardConfig(model="reward_model"),)


def test_a_reward_model_is_a_side_branch_and_an_input_of_the_stage_that_uses_it() -> None:
    ppo = StageConfig(method="ppo", rewards=BY_MODEL)
    training = TrainingConfig(stages=(StageConfig(method="sft"), REWARD, ppo))
    assert training.parents == ("base_model", "sft_model", "sft_model")
    assert training.answering_models == ("base_model", "sft_model", "rl_model")
    assert training.models_used(ppo) == ("reward_model",)


def test_a_teacher_may_be_an_earlier_model_or_one_of_the_world() -> None:
    for teacher, used in (("sft_model", ("sft_model",)), ("some/model", ())):
        student = StageConfig(method="distillation", distillation=DistillationConfig(teacher=teacher))
        assert TrainingConfig(stages=(StageConfig(method="sft"), student)).models_used(student) == used


@pytest.mark.parametrize(
    ("stages", "field"),
    [
        ((StageConfig(method="ppo", rewards=BY_MODEL), REWARD), "training.stages.0.rewards"),
        ((StageConfig(method="sft"), StageConfig(method="ppo", rewards=BY_MODEL)), "training.stages.1.rewards"),
        (
            (
                StageConfig(method="distillation", distillation=DistillationConfig(teacher="sft_model")),
                StageConfig(method="sft"),
            ),
            "training.stages.0.distillation.teacher",
        ),
        (
            (REWARD, StageConfig(method="distillation", distillation=DistillationConfig(teacher="reward_model"))),
            "training.stages.1.distillation.teacher",
        ),
        ((REWARD,), "training.stages"),
    ],
)
def test_models_have_to_be_there_before_they_are_used(stages: tuple[StageConfig, ...], field: str) -> None:
    assert refused(lambda: TrainingConfig(stages=stages))["path"] == field


def test_prompts_from_examples_are_read_there() -> None:
    stage = StageConfig(method="grpo", rl=RlConfig(prompts="examples"), rewards=(RewardConfig(grader="json"),))
    assert TrainingConfig(stages=(stage,)).reads("sft_dataset")
    assert not TrainingConfig(stages=(stage,)).reads("prompt_dataset")
