"""How a server will render and tokenise the prompts of the rows: by the tokenizer's own chat template, all at once.

served = serve_prompts(tokenizer, records)
served.texts[0], served.ids[0], served.refused         "<|bos|><|user|>Hi<|end|><|assistant|>", [0, 5, ...], {}
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from curation.chat_turns import as_turn, wants_content_parts

BATCH = 512


class Served(NamedTuple):
    """Prompts as a server reads them."""

    texts: list[str]
    ids: list[list[int]]
    refused: dict[int, str]
    """Row -> why the template does not take its prompt; its text is then empty."""


def serve_prompts(tokenizer: Any, records: Sequence[Any]) -> Served:
    """Render and tokenise the prompt of every record as it is when a model is asked."""
    in_parts = wants_content_parts(tokenizer)
    turns = [[as_turn(message, parsed=True, in_parts=in_parts) for message in record.prompt] for record in records]
    texts = [""] * len(records)
    refused: dict[int, str] = {}
    by_tools: dict[str, list[int]] = {}
    for row, record in enumerate(records):
        by_tools.setdefault(getattr(record, "tools", ""), []).append(row)
    for tools, rows in by_tools.items():
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            rendered, problems = _render(tokenizer, [turns[row] for row in part], tools)
            for row, text in zip(part, rendered, strict=True):
                texts[row] = text
            refused |= {part[place]: problem for place, problem in problems.items()}
    return Served(texts, _tokenise(tokenizer, texts), refused)


def _tokenise(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Tokenise texts that hold their special tokens already."""
    first = list(tokenizer(texts[:1], add_special_tokens=False)["input_ids"]) if texts else []
    quick = getattr(tokenizer, "backend_tokenizer", None)
    if quick is None:
        return [*first, *tokenizer(texts[1:], add_special_tokens=False)["input_ids"]] if len(texts) > 1 else first
    return [encoding.ids for encoding in quick.encode_batch_fast(texts, add_special_tokens=False)]  # set up by the call above


def _render(tokenizer: Any, conversations: list[list[dict[str, Any]]], tools: str) -> tuple[list[str], dict[int, str]]:
    more = {"tools": json.loads(tools)} if tools else {}
    options = {"tokenize": False, "add_generation_prompt": True, **more}
    try:
        return list(tokenizer.apply_chat_template(conversations, **options)), {}
    except Exception:  # one of them is refused: ask one by one which
        texts, problems = [], {}
        for place, conversation in enumerate(conversations):
            try:
                texts.append(str(tokenizer.apply_chat_template(conversation, **options)))
            except Exception as error:  # templates are code of strangers and raise what they like
                texts.append("")
                problems[place] = " ".join(str(error).split())[:200] or type(error).__name__
        return texts, problems
