"""A tiny chat model and a few routing questions, built on the spot."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.records import Example, Message, Provenance
from curation.store import Store
from evaluation.records import DEFAULT_TASK, EvalItem

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
PARTS = ("strings", "dates", "lists")


def _example(number: int, *, split: str = "eval", group: str = "", answer: str = "") -> Example:
    """One routing question; two questions a group."""
    part = PARTS[number % 3]
    return Example(
        key=f"api/{split}/{number:04}",
        task="routing",
        messages=(
            Message(role="user", content=f"Which {split} part does number {number} belong to?"),
            Message(role="assistant", content=answer or json.dumps({"part": part}, separators=(",", ":"))),
        ),
        group=group or f"{split}-{number // 2}",
        split=split,  # type: ignore[arg-type]
        provenance=Provenance(origin="synthetic", method="routing"),
    )


@pytest.fixture(scope="session")
def item() -> Callable[..., EvalItem]:
    """Return a function that writes an item of the default task."""

    def make(number: int, **changes: str) -> EvalItem:
        row = _example(number, **changes)
        return EvalItem(key=row.key, task=DEFAULT_TASK, prompt=row.prompt, reference=row.answer, group=row.group)

    return make


@pytest.fixture(scope="session")
def example() -> Callable[..., Example]:
    return _example


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture(scope="session")
def build_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that writes a random two-layer Llama with a byte-level tokenizer to a new folder."""

    def build(*, seed: int = 0, template: str | None = TEMPLATE, context: int = 256) -> Path:
        import torch
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
        from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

        folder = tmp_path_factory.mktemp("model")
        special = ["<pad>", "<s>", "</s>"]
        vocabulary = {name: index for index, name in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
        fast.chat_template = template
        fast.save_pretrained(folder)
        torch.manual_seed(seed)
        shape: dict[str, float] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        shape["initializer_range"] = 0.4  # large enough for answers that depend on the whole prompt
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(vocabulary), max_position_embeddings=context, **shape))
        model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=0)
        model.save_pretrained(folder)
        return folder

    return build
