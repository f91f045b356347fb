"""The model that training starts from: a named one, or a small Llama with a vocabulary learnt from the corpus.

model, tokenizer = build_small_llama(BaseModelConfig(hidden_size=128), texts, seed=0)
model, tokenizer = load_named_model(BaseModelConfig(model="meta-llama/Llama-3.2-1B"))
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curation.errors import ModelNotFoundError
from training.chat_format import BOS, CHAT_TEMPLATE, END, PAD, SPECIAL_TOKENS
from training.config import BaseModelConfig
from training.four_bits import settle_layers


class Loaded(NamedTuple):
    """A causal language model and its tokenizer."""

    model: Any
    tokenizer: Any


def build_small_llama(config: BaseModelConfig, texts: Sequence[str], *, seed: int) -> Loaded:
    """Build a randomly initialised Llama in float32 whose byte-level BPE is trained on `texts`; same input, same model."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = train_tokenizer(texts, vocab_size=config.vocab_size, context_length=config.context_length)
    architecture = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=_round_up(config.hidden_size * 8 // 3, 16),
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        max_position_embeddings=config.context_length,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    model = LlamaForCausalLM(architecture)
    _set_generation(model, tokenizer)
    return Loaded(model, tokenizer)


def train_tokenizer(texts: Sequence[str], *, vocab_size: int, context_length: int) -> Any:
    """Train a byte-level BPE, so that any text can be written, with our special tokens and chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[token for token in SPECIAL_TOKENS if token not in (BOS, END, PAD)],
        model_max_length=context_length,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def load_named_model(config: BaseModelConfig) -> Loaded:
    """Load a model by Hub name or from a folder, in the precision that it is stored in, and make it ready for chats.

    Only safetensors are read and no code of the model's author is run.

    Raises:
        ModelNotFoundError: if it cannot be loaded.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert config.model is not None
    arguments: dict[str, Any] = {"revision": config.revision, "trust_remote_code": False}
    if Path(config.model).exists():
        arguments["local_files_only"] = True
    try:
        tokenizer = AutoTokenizer.from_pretrained(config.model, **arguments)
        model = AutoModelForCausalLM.from_pretrained(config.model, dtype="auto", use_safetensors=True, **arguments)
    except Exception as error:  # the loader raises OSError, ValueError, KeyError, RuntimeError, SafetensorError, ...
        raise _not_found(config.model, error) from error
    _complete_tokenizer(model, tokenizer)
    _set_generation(model, tokenizer)
    return Loaded(model, tokenizer)


def load_parent(path: str, *, dtype: Any, quantization: Any = None) -> Any:
    """Load the model of the stage before, in the precision given, quantised if wanted.

    Raises:
        ModelNotFoundError: if it cannot be loaded.
        QuantizationUnavailableError: if its sizes cannot be quantised here.
    """
    from transformers import AutoModelForCausalLM

    try:
        model = AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype, use_safetensors=True, local_files_only=True, quantization_config=quantization
        )
    except Exception as error:  # see load_named_model
        raise _not_found(path, error) from error
    settle_layers(model)
    return model


def load_tokenizer(path: str) -> Any:
    """Load the tokenizer of the stage before. Raises ModelNotFoundError."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(path, local_files_only=True)
    except Exception as error:  # see load_named_model
        raise _not_found(path, error) from error


def _not_found(model: str, error: Exception) -> ModelNotFoundError:
    return ModelNotFoundError(model=model, reason=" ".join(str(error).split())[:300] or type(error).__name__)


def _complete_tokenizer(model: Any, tokenizer: Any) -> None:
    """Give a bare model what chats need: an end token, a pad token, a chat template with its markers."""
    if tokenizer.eos_token is None:
        tokenizer.add_special_tokens({"eos_token": END})
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # labels are masked by position, so the end token is learnt all the same
    if tokenizer.chat_template is None:
        markers = [token for token in SPECIAL_TOKENS if token not in (BOS, PAD)]
        tokenizer.add_special_tokens({"additional_special_tokens": markers})
        tokenizer.eos_token = END
        tokenizer.chat_template = CHAT_TEMPLATE if tokenizer.bos_token else CHAT_TEMPLATE.removeprefix("{{ bos_token }}")
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer))


def _set_generation(model: Any, tokenizer: Any) -> None:
    """Let generation stop at the end of a turn, and at what the model stopped at before."""
    before = model.generation_config.eos_token_id
    stops = [before] if isinstance(before, int) else list(before or [])
    ends = list(dict.fromkeys([tokenizer.eos_token_id, *stops]))
    model.generation_config.eos_token_id = ends[0] if len(ends) == 1 else ends
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.bos_token_id = tokenizer.bos_token_id
    model.config.pad_token_id = tokenizer.pad_token_id


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
