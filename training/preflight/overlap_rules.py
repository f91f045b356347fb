"""No question of the held-out set is trained on: by the hash of the conversation and by its text without layout.

find_overlap(subject)      [Hit("eval_row_in_training", rows=[5], detail="...")]

Near copies and paraphrases are the business of the contamination check of curation; this one is the last before the money is
spent, reads the rows that will really be trained, and forgives nothing.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from curation.chat_turns import as_turn
from curation.ids import content_hash
from training.preflight.findings import Hit
from training.preflight.subject import Subject

RULES = ("eval_row_in_training",)
"""What is looked for here."""
_LAYOUT = re.compile(r"[\W_]+")


def find_overlap(subject: Subject) -> Iterator[Hit]:
    """Yield the rows that are held-out questions."""
    if subject.kept is None or not subject.held_out:
        return
    by_hash = {_conversation_hash(item): item.key for item in subject.held_out}
    by_text = {text: item.key for item in subject.held_out if (text := _question(item))}
    found = {}
    for row, record in enumerate(subject.kept):
        same = by_hash.get(_conversation_hash(record)) if hasattr(record, "messages") else None
        same = same or by_text.get(_question(record))
        if same:
            found[row] = same
    if found:
        row, key = next(iter(found.items()))
        yield Hit("eval_row_in_training", list(found), f"{subject.key(row)} asks what {key} of the held-out set asks.")


def _conversation_hash(record: Any) -> str:
    return content_hash([record.tools, *(as_turn(message) for message in record.messages)])


def _question(record: Any) -> str:
    """Return the prompt without what does not change it: case, punctuation, white space, compatibility forms."""
    turns = (_LAYOUT.sub("", unicodedata.normalize("NFKC", message.text).casefold()) for message in record.prompt)
    joined = "\n".join(turns)
    return joined if joined.strip() else ""
