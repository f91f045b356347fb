"""The proof that an export asks as training asked: same vocabulary, same special tokens, same prompts, same ends.

    prove_prompts(reference, exported, conversations, ends=(2,), name="sdk_assistant")     # ExportRefusedError, or nothing

The most frequent fault of exported models is a template or tokenizer that is not the one trained with; the model then
answers, and answers badly.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.errors import ChatFormatError, ExportRefusedError
from training.chat_format import ChatFormat
from training.export.conversations import Conversation
from training.preflight.served import serve_prompts

NAMED_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token")


def prove_prompts(
    reference: Any, exported: Any, conversations: Sequence[Conversation], *, ends: Sequence[int], name: str, where: str
) -> None:
    """Compare the tokenizer of an export with the one trained with, on conversations.

    Args:
        reference: tokenizer with which the rows were tokenised.
        exported: tokenizer as it is loaded from the export.
        conversations: with their tokens in training.
        ends: tokens at which generation stops according to the export.
        name: of the model.
        where: which folder of the export this is.

    Raises:
        ExportRefusedError: naming the first difference.
    """
    problem = (
        _other_vocabulary(reference, exported)
        or _other_prompt(exported, conversations)
        or _other_answer(exported, conversations)
        or _endless(exported, conversations, ends)
    )
    if problem:
        raise ExportRefusedError(name=name, reason=f"{where}: {problem}.")


def read_ends(folder: Path, name: str) -> list[int]:
    """Return the tokens at which generation stops, from `generation_config.json`. Raises ExportRefusedError."""
    from transformers import GenerationConfig

    try:
        ends = GenerationConfig.from_pretrained(folder, local_files_only=True).eos_token_id
    except Exception as error:  # OSError, ValueError, ...
        raise ExportRefusedError(name=name, reason=f"generation_config.json cannot be read ({error}).") from error
    return [ends] if isinstance(ends, int) else list(ends or [])


def _other_vocabulary(reference: Any, exported: Any) -> str:
    for role in NAMED_TOKENS:
        trained, found = getattr(reference, role), getattr(exported, role)
        if trained != found:
            return f"the tokenizer has {role} {found!r}, and {trained!r} in training"
    if sorted(reference.all_special_ids) != sorted(exported.all_special_ids):
        return "the tokenizer has other special tokens than in training"
    return "" if reference.get_vocab() == exported.get_vocab() else "the tokenizer has another vocabulary than in training"


def _other_prompt(exported: Any, conversations: Sequence[Conversation]) -> str:
    served = serve_prompts(exported, [item.example for item in conversations])
    for row, (item, ids) in enumerate(zip(conversations, served.ids, strict=True)):
        if row in served.refused:
            return f"the chat template refuses the prompt of '{item.example.key}' ({served.refused[row]})"
        if ids != item.tokens.prompt:
            trained = exported.decode(item.tokens.prompt)
            return f"the prompt of '{item.example.key}' is {served.texts[row][:200]!r}, and was {trained[:200]!r} in training"
    return ""


def _other_answer(exported: Any, conversations: Sequence[Conversation]) -> str:
    chat = ChatFormat(exported)
    for item in conversations:
        example = item.example
        try:
            answer = chat.encode(example.prompt, example.messages[-1], example.tools).answer
        except ChatFormatError as error:
            return f"the answer of '{example.key}' cannot be rendered: {error}"
        if answer != item.tokens.answer:
            return f"the answer of '{example.key}' has other tokens than in training"
    return ""


def _endless(exported: Any, conversations: Sequence[Conversation], ends: Sequence[int]) -> str:
    last = {item.tokens.answer[-1] for item in conversations} - set(ends)
    if not last:
        return ""
    closing = exported.decode([min(last)])
    return f"generation does not stop at {closing!r}, with which training closes answers (eos_token_id is {list(ends)})"
