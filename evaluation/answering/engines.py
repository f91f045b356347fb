"""What computes the answers of local models: transformers, or vLLM where it is installed.

model = load_engine("transformers", "sft", "/models/9f...", max_new_tokens=24)
"""

from typing import Literal, TypeAlias

from evaluation.answering.language_model import load_model
from evaluation.answering.local_engine import LocalEngine
from evaluation.answering.vllm_engine import load_vllm_model

EngineName: TypeAlias = Literal["transformers", "vllm"]
Engine: TypeAlias = LocalEngine


def load_engine(engine: EngineName, name: str, path: str, *, max_new_tokens: int) -> Engine:
    """Load a model for answering. Raises EvaluationError if it cannot be loaded, or the engine is not installed."""
    if engine == "vllm":
        return load_vllm_model(name, path, max_new_tokens=max_new_tokens)
    return load_model(name, path, max_new_tokens=max_new_tokens)
