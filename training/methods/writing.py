"""How the answers of reinforcement learning are written: padded batches, continuous batching, or vLLM.

    choose_engine(stage, is_on_gpu=True)                           "continuous"
    write_continuously(model, [[0, 5, 9], [0, 7]], generation)     [[12, 4, 1], [8, 1]]: the end token included

With continuous batching an answer that has ended makes room for the next one, and answers to one prompt share what was read of
it; a padded batch waits for its longest answer. TRL's own continuous batching turns all weights into bf16, trained ones too,
where a learning rate of 1e-6 is lost in rounding: here they stay as they are.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from curation.errors import GenerationFailedError
from training.config import StageConfig
from training.config.rl import Engine

PAGE = 64
"""Tokens of one page of the cache."""
MOST_TOKENS = 8192
"""Tokens that go through the model at once."""
MEMORY_SHARE = 0.5
"""Of the free memory of a GPU, for the cache: the backward pass needs the rest."""
AS_IT_IS = {
    "do_sample": True, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0, "epsilon_cutoff": 0.0, "eta_cutoff": 0.0,
    "repetition_penalty": 1.0, "no_repeat_ngram_size": 0,
}  # fmt: skip
"""How a model writes whose probabilities are learnt from. What is left open is taken from its `generation_config.json`."""
WITH_VLLM = ("rloo", "grpo")
"""Methods whose trainer speaks to vLLM (TRL 1.16)."""


def choose_engine(stage: StageConfig, *, is_on_gpu: bool) -> Engine:
    """Return the engine of a resolved stage: what the recipe says, else the fastest that fits.

    On a GPU, under frozen weights of 16 bits, that is vLLM where it is installed, or continuous batching where flash-attn is;
    without it a page is read through a mask over the whole cache. Elsewhere it is padded batches: on a CPU, of small models,
    setting up pages takes longer than writing.

    Raises:
        GenerationFailedError: if the recipe asks for vLLM and there is none, or no GPU.
    """
    assert stage.rl is not None
    asked, has_vllm = stage.rl.engine, is_installed("vllm")
    if asked == "vllm" and not (has_vllm and is_on_gpu):
        reason = "there is no GPU here" if has_vllm else "the package vllm is not installed here"
        raise GenerationFailedError(engine=asked, reason=reason)
    if asked is not None:
        return asked
    if not is_on_gpu or stage.tuning != "lora":
        return "padded"
    if has_vllm and stage.method in WITH_VLLM:
        return "vllm"
    return "continuous" if is_installed("flash_attn") else "padded"


def is_installed(package: str) -> bool:
    """Tell whether a package is there, without importing it."""
    return importlib.util.find_spec(package) is not None


def write_continuously(model: Any, prompts: Sequence[Sequence[int]], generation: Any) -> list[list[int]]:
    """Let a model answer prompts, in their order; what is drawn follows from torch's generator, so a resumed run repeats it.

    Args:
        model: a causal language model on one device, with or without adapters.
        prompts: token ids.
        generation: a `transformers.GenerationConfig` with `max_new_tokens`.

    Raises:
        GenerationFailedError: if an answer is missing, for instance because the cache does not fit beside the model.
    """
    import torch
    from transformers.generation import ContinuousBatchingConfig

    num_pages = sum(-(-(len(prompt) + generation.max_new_tokens) // PAGE) for prompt in prompts)
    device = next(model.parameters()).device
    on_gpu = device.type == "cuda"
    settings = ContinuousBatchingConfig(
        page_size=PAGE,
        num_blocks=None if on_gpu else num_pages + 1,  # on a GPU as many as fit: it is told to keep to its share
        max_batch_tokens=min(MOST_TOKENS, max(256, sum(map(len, prompts)))),
        max_memory_percent=MEMORY_SHARE,
        use_cuda_graph=False,  # captured graphs would outlive the weights of this step
        seed=int(torch.randint(2**31, (1,)).item()),
    )
    was_training = model.training
    model.eval()
    try:
        with (
            torch.random.fork_rng(devices=[device] if on_gpu else []),
            torch.no_grad(),
            _without_autocast(model),
        ):
            found = model.generate_batch(
                [list(prompt) for prompt in prompts],
                generation_config=generation,
                continuous_batching_config=settings,
                progress_bar=False,
            )
    finally:
        model.train(was_training)
    answers = [list(output.generated_tokens) for output in found.values()]
    problem = next((str(output.error) for output in found.values() if getattr(output, "error", None)), "")
    if problem or len(answers) != len(prompts) or not all(answers):
        reason = problem or f"{sum(map(bool, answers))} of {len(prompts)} prompts were answered"
        raise GenerationFailedError(engine="continuous", reason=reason)
    return answers


@contextmanager
def _without_autocast(model: Any) -> Iterator[None]:
    """Let a model compute in the precision of its weights for a while, as the cache does: accelerate casts in `forward`."""
    cast = [module for module in model.modules() if "_original_forward" in vars(module)]
    forwards = [module.forward for module in cast]
    for module in cast:
        module.forward = module._original_forward
    try:
        yield
    finally:
        for module, forward in zip(cast, forwards, strict=True):
            module.forward = forward
