"""Tokenizers and rows for the benchmark of the preflight, all made on the spot.

setup = SETUPS["turns"]()                       # a tokenizer, its end tokens
subject = make_subject(setup, make_examples(rng, 40), collate=padded(setup.tokenizer))
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from curation.records import Example, Message, PreferencePair, Provenance
from training.chat_format import ChatFormat
from training.preflight.subject import Sizes, Subject

MADE = Provenance(origin="human", method="demonstration")
_SPOKEN = """
harbour berth crane cargo tide pilot vessel anchor customs gate shift quay container manifest signal lantern buoy channel
draft mooring ferry barge captain engineer weather visibility north south east west morning evening schedule delay permit
"""
WORDS = tuple(_SPOKEN.split())
SIZES = Sizes(max_length=512, batch_size=2, gradient_accumulation=2)


class Setup(NamedTuple):
    """A tokenizer with its chat template, and the tokens at which generation stops."""

    tokenizer: Any
    stops: frozenset[int]


def build_tokenizer(
    template: str, specials: Sequence[str], *, bos: str | None, eos: str, pad: str, texts: Sequence[str], size: int = 900
) -> Any:
    """Train a byte-level BPE with some special tokens and a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    named = list(dict.fromkeys([*([bos] if bos else []), eos, pad, *specials]))
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=named, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(texts, trainer)
    more = [token for token in named if token not in (bos, eos, pad)]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=bos, eos_token=eos, pad_token=pad, additional_special_tokens=more,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    tokenizer.chat_template = template
    return tokenizer


def sentence(rng: random.Random, num_words: int) -> str:
    """Return words in a row."""
    return " ".join(rng.choices(WORDS, k=num_words)).capitalize() + "."


def make_examples(
    rng: random.Random, count: int, *, num_words: int = 9, has_system: bool = True, has_turns: bool = True
) -> list[Example]:
    """Make conversations of one or two questions, some with a system turn; no two are the same."""
    examples = []
    for number in range(count):
        messages = (
            [Message(role="system", content=f"Answer briefly, desk {number % 7}.")] if has_system and number % 3 == 0 else []
        )
        for turn in range(2 if has_turns and number % 4 == 1 else 1):
            messages.append(Message(role="user", content=f"{sentence(rng, num_words)} Case {number}, turn {turn}?"))
            messages.append(Message(role="assistant", content=f"{sentence(rng, rng.randint(2, 2 * num_words))} See {number}."))
        example = Example(key=f"case/{number}", task="qa", group=str(number), messages=tuple(messages), provenance=MADE)
        examples.append(example)
    return examples


def make_pairs(rng: random.Random, count: int) -> list[PreferencePair]:
    """Make preferences; no two are the same."""
    return [
        PreferencePair(
            key=f"pair/{example.key}", task="qa", prompt=example.prompt, chosen=example.answer,
            rejected=f"{sentence(rng, 4)} Not {number}.", rejected_kind="wrong", group=example.group, provenance=MADE,
        )
        for number, example in enumerate(make_examples(rng, count))
    ]  # fmt: skip


def padded(tokenizer: Any) -> Callable[..., Any]:
    """Return TRL's collator of supervised rows."""
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    return DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id)  # type: ignore[no-any-return]


def packed(tokenizer: Any) -> Callable[..., Any]:
    """Return TRL's collator of packed rows."""
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    return DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id, padding_free=True)  # type: ignore[no-any-return]


def make_subject(setup: Setup, examples: Sequence[Example], **changes: Any) -> Subject:
    """Tokenise examples as the project does, and return what the preflight looks at."""
    chat = ChatFormat(setup.tokenizer)
    tokens = [chat.encode(example.prompt, example.messages[-1], example.tools) for example in examples]
    values: dict[str, Any] = {
        "stage": "sft_model", "kind": "answers", "tokenizer": setup.tokenizer, "records": list(examples), "sizes": SIZES,
        "columns": {"input_ids": [row.ids for row in tokens], "labels": [row.labels for row in tokens]},
        "collate": padded(setup.tokenizer), "vocabulary": len(setup.tokenizer), "stops": setup.stops,
        "saved_template": setup.tokenizer.chat_template, "held_out": make_examples(random.Random(-1), 5, num_words=13),
    }  # fmt: skip
    return Subject(**{**values, **changes})


def make_pair_subject(setup: Setup, pairs: Sequence[PreferencePair], **changes: Any) -> Subject:
    """Tokenise pairs as the project does, and return what the preflight looks at."""
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    chat = ChatFormat(setup.tokenizer)
    chosen = [chat.encode(pair.prompt, pair.chosen) for pair in pairs]
    rejected = [chat.encode(pair.prompt, pair.rejected) for pair in pairs]
    columns = {
        "prompt_ids": [row.prompt for row in chosen],
        "chosen_ids": [row.answer for row in chosen],
        "rejected_ids": [row.answer for row in rejected],
    }
    values: dict[str, Any] = {
        "stage": "preference_model", "kind": "pairs", "tokenizer": setup.tokenizer, "records": list(pairs), "sizes": SIZES,
        "columns": columns, "collate": DataCollatorForPreference(pad_token_id=setup.tokenizer.pad_token_id),
        "vocabulary": len(setup.tokenizer), "stops": setup.stops,
    }  # fmt: skip
    return Subject(**{**values, **changes})


def _own() -> Setup:
    from training.chat_format import BOS, CHAT_TEMPLATE, END, PAD, SPECIAL_TOKENS

    tokenizer = build_tokenizer(CHAT_TEMPLATE, SPECIAL_TOKENS, bos=BOS, eos=END, pad=PAD, texts=[" ".join(WORDS)] * 3)
    return Setup(tokenizer, frozenset([tokenizer.eos_token_id]))


def _blocks() -> Setup:
    template = (
        "{% for m in messages %}[begin {{ m.role }}]\n{{ m.content }}[stop]\n{% endfor %}"
        "{% if add_generation_prompt %}[begin assistant]\n{% endif %}"
    )
    tokenizer = build_tokenizer(template, ["[begin"], bos=None, eos="[stop]", pad="[pad]", texts=[" ".join(WORDS)] * 3)
    return Setup(tokenizer, frozenset([tokenizer.eos_token_id]))


def _headers() -> Setup:
    template = (
        "{{ bos_token }}{% for m in messages %}[head]{{ m.role }}[/head]\n\n{{ m.content | trim }}[turn]{% endfor %}"
        "{% if add_generation_prompt %}[head]assistant[/head]\n\n{% endif %}"
    )
    specials = ["[head]", "[/head]", "[turn]"]
    tokenizer = build_tokenizer(template, specials, bos="[bos]", eos="[eos]", pad="[pad]", texts=[" ".join(WORDS)] * 3)
    return Setup(tokenizer, frozenset([tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("[turn]")]))


SETUPS: dict[str, Callable[[], Setup]] = {"own": _own, "blocks": _blocks, "headers": _headers}
"""Three ways of writing a chat: with a beginning, without one, with an end of turn that is not the end of text."""
