"""The configuration of training: the base model, and a list of stages, each of which starts from the one before.

training:
  base: {hidden_size: 256, num_layers: 4, num_heads: 4}   # or {model: meta-llama/Llama-3.2-1B}
  stages:
    - {method: dapt, epochs: 2, tuning: full}
    - {method: sft, tuning: lora, lora: {rank: 32}}
    - {method: dpo, max_steps: 20, preference: {beta: 0.1}}
"""

from training.config.adapters import LoraConfig, QuantizationConfig
from training.config.families import DistillationConfig, KtoConfig, OrpoConfig, PreferenceConfig, RewardModelConfig, SftConfig
from training.config.methods import DATA_OF, MODEL_NAMES, RL_METHODS, Method, TrainingData, Tuning
from training.config.model import BaseModelConfig
from training.config.rl import PpoConfig, RewardConfig, RlConfig
from training.config.stage import Precision, StageConfig
from training.config.stopping import EarlyStoppingConfig
from training.config.training import TrainingConfig

__all__ = [
    "DATA_OF",
    "MODEL_NAMES",
    "RL_METHODS",
    "BaseModelConfig",
    "DistillationConfig",
    "EarlyStoppingConfig",
    "KtoConfig",
    "LoraConfig",
    "Method",
    "OrpoConfig",
    "PpoConfig",
    "Precision",
    "PreferenceConfig",
    "QuantizationConfig",
    "RewardConfig",
    "RewardModelConfig",
    "RlConfig",
    "SftConfig",
    "StageConfig",
    "TrainingConfig",
    "TrainingData",
    "Tuning",
]
