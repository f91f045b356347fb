"""What a value that the recipe leaves out becomes: by method, tuning and size of the model, each with its source.

resolved = resolve_stage(StageConfig(method="sft"), ModelSize(num_parameters=8_000_000_000, context_length=8192))
resolved.stage.learning_rate          0.0002
resolved.origins["learning_rate"]     "preset: 2e-05 for sft at 8.0B, times 10 for lora"

Learning rates for full tuning of 3 to 15 billion parameters:

    dapt  2e-5   the usual one of full fine-tuning; Gupta et al. 2023 (arXiv:2308.04014) rewarm to it and above
    sft   2e-5   Alpaca, Zephyr (Tunstall et al. 2023, arXiv:2310.16944); TRL's default
    dpo   5e-7   Zephyr and Tulu 3 (Lambert et al. 2024, arXiv:2411.15124)
    kto   5e-7   Ethayarajh et al. 2024 (arXiv:2402.01306); their repository warns above 1e-6
    orpo  5e-6   Hong et al. 2024 (arXiv:2403.07691) for 7B
    reward 9e-6  Ouyang et al. 2022 (arXiv:2203.02155) for 6B
    rloo, grpo, ppo 1e-6   Shao et al. 2024 (arXiv:2402.03300); Tulu 3 goes down to 3e-7 for PPO
    distillation 1e-6  TRL's default for learning from what the model wrote itself

Adapters want ten times that, whatever the model (tinker-cookbook, hyperparam_utils.py; Schulman et al. 2025, "LoRA without
regret"). Larger models want less: Tulu 3 goes from 5e-6 (8B) to 2e-6 (70B). Small ones want more: the law of Kaplan et al. 2020
(arXiv:2001.08361, appendix D.6) gives 12 times as much at 100 million as at 8 billion parameters, and 6 times at 1 billion; the
factors below stay beneath it.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from training.config.adapters import LoraConfig, QuantizationConfig
from training.config.families import KtoConfig, OrpoConfig, PreferenceConfig, RewardModelConfig, SftConfig
from training.config.methods import RL_METHODS, Method
from training.config.rl import OWN_GRADER, PpoConfig, RewardConfig, RlConfig
from training.config.stage import KEYS_OF, StageConfig

LEARNING_RATES: dict[Method, float] = {
    "dapt": 2e-5,
    "sft": 2e-5,
    "dpo": 5e-7,
    "kto": 5e-7,
    "orpo": 5e-6,
    "reward": 9e-6,
    "rloo": 1e-6,
    "grpo": 1e-6,
    "ppo": 1e-6,
    "distillation": 1e-6,
}
EPOCHS: dict[Method, float] = {**dict.fromkeys(LEARNING_RATES, 1.0), "sft": 2.0}
ROWS_PER_STEP: dict[Method, int] = {**dict.fromkeys(LEARNING_RATES, 16), "rloo": 32, "grpo": 64, "ppo": 32}
"""Rows that one optimizer step learns from, on one device."""
BATCH_SIZE = 4
MAX_LENGTH = 1024
TOKENS_PER_BATCH = 8192
PACKED_FROM = 500_000_000
"""From so many parameters rows are packed: below, a step is short, and padding costs little."""
ADAPTER_FACTOR = 10.0
NUM_GENERATIONS: dict[str, int] = {"rloo": 4, "grpo": 8}
KL_COEFFICIENTS: dict[str, float] = {"rloo": 0.05, "grpo": 0.04, "ppo": 0.05}
"""Their sources stand beside the keys in `training.config.rl`."""
CHECKPOINTED_FROM = 500_000_000
"""From so many parameters activations are recomputed: below, they fit beside the model on any GPU."""

_SIZES = ((500_000_000, 10.0), (3_000_000_000, 3.0), (15_000_000_000, 1.0))
_LARGE = 0.4


class ModelSize(NamedTuple):
    """What presets have to know of the model."""

    num_parameters: int
    context_length: int
    """Longest text that it reads, in tokens."""


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A stage without a gap, and where each value comes from."""

    stage: StageConfig
    origins: dict[str, str]
    """Key -> `recipe`, or `preset: ...` with the reason."""


def resolve_stage(stage: StageConfig, size: ModelSize) -> Resolved:
    """Fill in what the recipe leaves out; what it says stays as it is."""
    presets = _presets(stage, size)
    missing = {name: value for name, (value, _) in presets.items() if getattr(stage, name) in (None, ())}
    origins = {name: reason if name in missing else "recipe" for name, (_, reason) in presets.items()}
    return Resolved(stage=_complete(replace(stage, **missing)), origins=origins)


def size_factor(num_parameters: int) -> float:
    """Return by how much the learning rate differs from that of an 8B model."""
    return next((factor for limit, factor in _SIZES if num_parameters < limit), _LARGE)


def _presets(stage: StageConfig, size: ModelSize) -> dict[str, tuple[Any, str]]:
    batch = stage.batch_size or BATCH_SIZE
    rows = ROWS_PER_STEP[stage.method]
    length = min(MAX_LENGTH, size.context_length)
    presets: dict[str, tuple[Any, str]] = {
        **_packing(stage, size, length),
        "learning_rate": _learning_rate(stage, size.num_parameters),
        "batch_size": (BATCH_SIZE, "preset"),
        "gradient_accumulation": _accumulation(stage, size, rows, batch),
        "max_length": (length, f"preset: {MAX_LENGTH}, or the model's {size.context_length}"),
        "gradient_checkpointing": (
            size.num_parameters >= CHECKPOINTED_FROM,
            f"preset: on from {_billions(CHECKPOINTED_FROM)} parameters",
        ),
    }
    if stage.max_steps is None:
        presets["epochs"] = (EPOCHS[stage.method], f"preset for {stage.method}")
    if stage.tuning != "full":
        presets["lora"] = (LoraConfig(), "preset")
    if stage.tuning == "qlora":
        presets["quantization"] = (QuantizationConfig(), "preset")
    return presets | _family_presets(stage)


def _accumulation(stage: StageConfig, size: ModelSize, rows: int, batch: int) -> tuple[int, str]:
    packing = "tokens_per_batch" in _packing(stage, size, 8)
    return (1, "preset: one packed micro-batch") if packing else (max(1, rows // batch), f"preset: {rows} rows a step")


def _packing(stage: StageConfig, size: ModelSize, length: int) -> dict[str, tuple[Any, str]]:
    if stage.method not in KEYS_OF["packing"]:
        return {}
    is_large = size.num_parameters >= PACKED_FROM and stage.method != "dpo"
    is_packed = is_large if stage.packing is None else stage.packing
    presets: dict[str, tuple[Any, str]] = {"packing": (is_packed, f"preset: on from {_billions(PACKED_FROM)} parameters")}
    if is_packed and stage.method in KEYS_OF["tokens_per_batch"]:
        tokens = max(TOKENS_PER_BATCH, stage.max_length or length)
        presets["tokens_per_batch"] = (tokens, f"preset: {TOKENS_PER_BATCH}, or max_length")
    return presets


def _family_presets(stage: StageConfig) -> dict[str, tuple[Any, str]]:
    sections: dict[str, dict[str, Any]] = {
        "sft": {"sft": SftConfig()},
        "dpo": {"preference": PreferenceConfig()},
        "kto": {"kto": KtoConfig()},
        "orpo": {"orpo": OrpoConfig()},
        "reward": {"reward_model": RewardModelConfig()},
        "ppo": {"ppo": PpoConfig()},
    }
    found = dict(sections.get(stage.method, {}))
    if stage.method in RL_METHODS:
        found |= {"rl": RlConfig(), "rewards": (RewardConfig(grader=OWN_GRADER),)}
    return {name: (value, f"preset for {stage.method}") for name, value in found.items()}


def _complete(stage: StageConfig) -> StageConfig:
    """Fill in what the sections of a family leave out."""
    if stage.preference is not None:
        beta = stage.preference.beta or (2.0 if stage.preference.loss == "simpo" else 0.1)
        gamma = stage.preference.gamma
        gamma = beta / 2 if gamma is None and stage.preference.loss == "simpo" else gamma
        return replace(stage, preference=replace(stage.preference, beta=beta, gamma=gamma))
    if stage.rl is not None:
        num, held = stage.rl.num_generations, stage.rl.kl_coefficient
        num = NUM_GENERATIONS.get(stage.method) if num is None else num
        held = KL_COEFFICIENTS[stage.method] if held is None else held
        return replace(stage, rl=replace(stage.rl, num_generations=num, kl_coefficient=held))
    return stage


def _learning_rate(stage: StageConfig, num_parameters: int) -> tuple[float, str]:
    rate, factor = LEARNING_RATES[stage.method], size_factor(num_parameters)
    reason = f"preset: {rate:g} for {stage.method}"
    reason += f", times {factor:g} at {_billions(num_parameters)}" if factor != 1 else f" at {_billions(num_parameters)}"
    if stage.tuning != "full":
        rate *= ADAPTER_FACTOR
        reason += f", times {ADAPTER_FACTOR:g} for {stage.tuning}"
    return float(f"{rate * factor:.6g}"), reason


def _billions(number: int) -> str:
    return f"{number / 1e9:.1f}B" if number >= 1e9 else f"{number / 1e6:.0f}M"
