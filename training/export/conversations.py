"""The held-out conversations that an export is proved on: the same ones every time, as training would tokenise them.

found = choose_conversations(spec, load_tokenizer(spec.parent_folder), longest=8192)
found[0].example.prompt, found[0].tokens.prompt          (Message(...),), [0, 5, ...]
"""

import heapq
from typing import Any, NamedTuple

from curation.errors import ChatFormatError, ExportError
from curation.ids import stable_fraction
from curation.records import Example
from curation.store import Store
from training.chat_format import ChatFormat, Tokens
from training.export.spec import ExportSpec

NUM_CONVERSATIONS = 20
MOST_TOKENS = 4096
"""Longer conversations prove nothing more, and cost memory."""


class Conversation(NamedTuple):
    """One held-out conversation, and its tokens as training reads them."""

    example: Example
    tokens: Tokens


def choose_conversations(spec: ExportSpec, tokenizer: Any, *, longest: int) -> list[Conversation]:
    """Return 20 conversations, or as many as there are, of at most `longest` tokens.

    Those that training would reject, because the template does not take them, are passed over.

    Raises:
        ExportError: if there is none.
    """
    rows = Store(spec.store_url).read_table(Example, spec.conversations, asset="eval_set")
    some = heapq.nsmallest(4 * NUM_CONVERSATIONS, rows, key=lambda row: (stable_fraction(row.key, "export"), row.key))
    chat, found = ChatFormat(tokenizer), []
    for example in some:
        try:
            tokens = chat.encode(example.prompt, example.messages[-1], example.tools)
        except ChatFormatError:
            continue
        if tokens.prompt and len(tokens.ids) <= min(longest, MOST_TOKENS):
            found.append(Conversation(example, tokens))
    if not found:
        raise ExportError(name=spec.name, reason="there is no held-out conversation to prove it on")
    return found[:NUM_CONVERSATIONS]
