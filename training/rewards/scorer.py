"""A model that scores answers: loading it, and asking it.

load_scorer("/store/folders/9f...", dtype=torch.float32)
score_answers(model, [[0, 5, 9, 1]], pad=2)          [1.73]: one score a conversation
"""

from typing import Any

from curation.errors import ModelNotFoundError
from training.four_bits import settle_layers


def load_scorer(folder: str, *, dtype: Any, quantization: Any = None) -> Any:
    """Load a model with a head of one score; the head is random where the folder holds a language model.

    Raises:
        ModelNotFoundError: if it cannot be loaded.
        QuantizationUnavailableError: if its sizes cannot be quantised here.
    """
    from transformers import AutoModelForSequenceClassification

    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            folder,
            num_labels=1,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            quantization_config=quantization,
        )
    except Exception as error:  # the loader raises OSError, ValueError, KeyError, RuntimeError, SafetensorError, ...
        raise ModelNotFoundError(model=folder, reason=" ".join(str(error).split())[:300]) from error
    settle_layers(model)
    model.config.problem_type = None
    return model


def score_answers(model: Any, conversations: list[list[int]], *, pad: int, batch_size: int = 16) -> list[float]:
    """Return the score of each conversation, given as token ids with prompt and answer.

    It is read where training read it: at the last token that is no padding, which is not the end token where that pads too.

    Args:
        model: see `load_scorer`; its configuration names the pad token.
        conversations: token ids.
        pad: what a model without a pad token in its configuration is padded with.
        batch_size: conversations that are read at once.
    """
    import torch

    scores: list[float] = []
    device = next(model.parameters()).device
    config = model.config.get_text_config()
    if config.pad_token_id is None:
        config.pad_token_id = pad
    for start in range(0, len(conversations), batch_size):
        rows = conversations[start : start + batch_size]
        width = max(map(len, rows))
        ids = torch.tensor([row + [config.pad_token_id] * (width - len(row)) for row in rows], device=device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
        with torch.no_grad():
            scores += model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, 0].float().tolist()
    return scores
