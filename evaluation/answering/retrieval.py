"""Passages of the training documents before a question: what a base or a candidate says that may look things up.

    passages = Passages(documents)
    passages.before(item.prompt, 3)      the same prompt, its last question after three passages, best first (BM25)

The documents are those that the recipe trains on; documents of held-out groups are not among them.
"""

from collections.abc import Iterable, Sequence

from curation.bm25 import Bm25Index
from curation.ids import content_hash
from curation.records import Document, Message

MAX_CHARS = 800
"""Of one passage: a section of a document, or the beginning of it."""


class Passages:
    """The sections of documents, found by the words of a question."""

    def __init__(self, documents: Iterable[Document]) -> None:
        found = {text: None for document in sorted(documents, key=lambda row: row.key) for text in _passages(document)}
        self._texts = list(found)
        self._index = Bm25Index(self._texts)
        self.hash = content_hash(self._texts)
        """Names what can be found: answers given with other passages are other answers."""

    def before(self, prompt: Sequence[Message], num_passages: int) -> tuple[Message, ...]:
        """Return a prompt with the best passages before the words of its last message; as it is where nothing fits."""
        *earlier, last = prompt
        found = self._index.rank(last.text, limit=num_passages)
        if not found:
            return tuple(prompt)
        shown = "\n\n".join(f"[{number}] {self._texts[at]}" for number, (at, _) in enumerate(found, 1))
        content = f"These passages may help:\n\n{shown}\n\n{last.content}"
        return (*earlier, Message(role=last.role, content=content))


def _passages(document: Document) -> list[str]:
    spans = [(section.start, section.end) for section in document.sections] or [(0, len(document.text))]
    texts = [document.text[start:end].strip()[:MAX_CHARS] for start, end in spans]
    return [f"{document.title}: {text}" for text in texts if text]
