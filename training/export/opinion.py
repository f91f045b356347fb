"""What a model thinks of conversations, and how far two models agree.

    trained = ask_model(load_adapted(parent, adapter), conversations, ends=[2])
    compare_opinions(trained, ask_model(load_whole(merged), conversations, ends=[2]))   Agreement(kl=2.1e-09, num_same=20, ...)

Models are asked one after the other, never held at once. Their log-probabilities wait in at most 1 GiB: for large
vocabularies the last tokens of every conversation.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curation.errors import ExportError
from training.export.conversations import Conversation
from training.export.weights import count_parameters

MOST_NUMBERS = 2**28
MOST_NEW_TOKENS = 24
NUM_LIKELIEST = 8
GREEDY = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0}
"""The likeliest token, always. What is left open is taken from the model's `generation_config.json`."""
ROUNDED_TIE = 0.05
"""Nats. Merging rounds weights to the precision of the base; where two tokens are closer, rounding to 16 bits decides."""
EXACT_TIE = 1e-3
"""Nats. Where nothing is rounded to 16 bits, only the order of additions differs, which moves a token by 1e-5 nats or so."""


class Step(NamedTuple):
    """One token of a greedy answer, and the likeliest tokens in its place with their log-probabilities in nats."""

    token: int
    likeliest: dict[int, float]


class Opinion(NamedTuple):
    """What one model thinks."""

    log_probabilities: list[Any]
    """For each conversation a float32 tensor (positions, vocabulary)."""
    answers: list[list[Step]]
    is_exact: bool = True
    """Whether it was computed in float32."""


class Agreement(NamedTuple):
    """How far a model agrees with the one that was trained."""

    kl: float
    """Kullback-Leibler divergence of the trained model to the other, mean over all tokens, in nats."""
    num_tokens: int
    num_same: int
    """Greedy answers that are the same token by token."""
    num_ties: int
    """Answers that part where the trained model held two tokens nearly equal."""
    num_other: int
    """Answers that part elsewhere."""


def ask_model(model: Any, conversations: Sequence[Conversation], *, ends: Sequence[int]) -> Opinion:
    """Let a model read conversations and answer their prompts greedily.

    Args:
        model: a causal language model.
        conversations: with their tokens.
        ends: tokens at which an answer is over.
    """
    import torch

    model.eval()
    read, answers = [], []
    with torch.inference_mode():
        for item in conversations:
            logits = model(input_ids=torch.tensor([item.tokens.ids], device=model.device), use_cache=False).logits[0]
            kept = max(8, MOST_NUMBERS // (logits.shape[-1] * len(conversations)))
            read.append(torch.log_softmax(logits[-kept:].float(), dim=-1).cpu())
            answers.append(_answer(model, item.tokens.prompt, ends))
    return Opinion(read, answers, model.dtype == torch.float32)


def _answer(model: Any, prompt: list[int], ends: Sequence[int]) -> list[Step]:
    import torch
    from transformers import GenerationConfig

    longest = getattr(model.config, "max_position_embeddings", None) or 1 << 20
    length = min(MOST_NEW_TOKENS, longest - len(prompt))
    if length < 1:
        return []
    settings = GenerationConfig(**GREEDY, max_new_tokens=length, eos_token_id=sorted(ends) or None, pad_token_id=0)
    ids = torch.tensor([prompt], device=model.device)
    said = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        generation_config=settings,
        return_dict_in_generate=True,
        output_logits=True,
    )
    steps = []
    for token, logits in zip(said.sequences[0, len(prompt) :].tolist(), said.logits, strict=True):
        top = torch.log_softmax(logits[0].float(), dim=-1).topk(min(NUM_LIKELIEST, logits.shape[-1]))
        steps.append(Step(token, dict(zip(top.indices.tolist(), top.values.tolist(), strict=True))))
    return steps


def compare_opinions(trained: Opinion, other: Opinion, *, is_rounded: bool = False) -> Agreement:
    """Compare what two models think of the same conversations.

    Args:
        trained: what the model thinks that was trained.
        other: what another one thinks, whose vocabulary has the same size.
        is_rounded: whether the weights of the other are those of the first, rounded to 16 bits.
    """
    near = EXACT_TIE if trained.is_exact and other.is_exact and not is_rounded else ROUNDED_TIE
    divergences = [
        (first.exp() * (first - second)).sum(dim=-1)
        for first, second in zip(trained.log_probabilities, other.log_probabilities, strict=True)
    ]
    num_tokens = sum(part.numel() for part in divergences)
    kl = sum(float(part.double().sum()) for part in divergences) / num_tokens
    partings = [_parting(one, two) for one, two in zip(trained.answers, other.answers, strict=True)]
    num_same, num_ties = partings.count(None), sum(1 for gap in partings if gap is not None and gap <= near)
    return Agreement(kl, num_tokens, num_same, num_ties, len(partings) - num_same - num_ties)


def _parting(trained: list[Step], other: list[Step]) -> float | None:
    """Return by how many nats the trained model preferred its token where two answers part; None if they are the same."""
    for mine, theirs in zip(trained, other, strict=False):
        if mine.token != theirs.token:
            return mine.likeliest[mine.token] - mine.likeliest.get(theirs.token, float("-inf"))
    return None if len(trained) == len(other) else float("inf")


def load_whole(folder: Path, *, name: str, **more: Any) -> Any:
    """Load a model with all its weights, in float32 where there is room. Raises ExportError if it is not whole."""
    import torch
    from transformers import AutoModelForCausalLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float32 if device == "cpu" else _widest_type(folder, name)
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, output_loading_info=True, **more
        )
    except Exception as error:  # OSError, ValueError, RuntimeError, SafetensorError, ...
        raise ExportError(name=name, reason=f"{folder.name} cannot be loaded ({_one_line(error)})") from error
    missing = [*sorted(info["missing_keys"]), *sorted(str(key) for key in info["mismatched_keys"])]
    if missing:
        raise ExportError(name=name, reason=f"{folder.name} lacks weights such as {missing[0]}")
    return model.to(device)


def load_adapted(parent: Path, adapter: Path, *, name: str) -> Any:
    """Load a model with an adapter on it, as PEFT does. Raises ExportError."""
    import peft

    model = load_whole(parent, name=name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of the libraries, about each other
            return peft.PeftModel.from_pretrained(model, adapter, local_files_only=True)
    except Exception as error:  # RuntimeError, ValueError, KeyError, SafetensorError, ...
        raise ExportError(name=name, reason=f"{adapter.name} does not fit its base ({_one_line(error)})") from error


def _widest_type(folder: Path, name: str) -> Any:
    """Return float32 if a model of this size fits into the memory of the GPU with a quarter to spare, bfloat16 otherwise."""
    import torch

    needed = 5 * count_parameters(sorted(folder.glob("*.safetensors")), name)
    return torch.float32 if needed < torch.cuda.mem_get_info()[0] else torch.bfloat16


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
