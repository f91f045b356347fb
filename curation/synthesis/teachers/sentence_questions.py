"""Questions that a sentence of a document answers, worded by rule from where it stands.

sentence = usable_sentences(passage)[0]
ask_about_sentence(sentence, "Returns", salt="0")       'What is said about "Deadlines" in Returns?'
"""

import re

from curation.ids import stable_bucket
from curation.synthesis.passages import Sentence, read_sentences

MIN_SENTENCE_CHARS = 8
MAX_SENTENCE_CHARS = 1_500
NO_ANSWERS = frozenset({"examples", "example", "see also", "references"})
"""Sections whose sentences answer nothing."""
_BROKEN_OFF = re.compile(r"\b(with|of|the|and|or|to|a|an|is|are|as|by|for|in|on|if|that|where)$", re.I)
_REFERENCE = re.compile(r"(See|Alias (for|of)|Same as|Refer to|For more|https?:)\b", re.I)
_SUMMARY_FRAMES = ("What does {title} do?", "What is {title} for?", "What do I use {title} for?")
_SECTION_FRAMES = {
    "returns": ("What does {title} return?", "What do I get back from {title}?"),
    "raises": ("When does {title} fail?", "Which errors does {title} raise?"),
    "notes": ("What should I note about {title}?", "What is worth knowing about {title}?"),
    "warnings": ("What should I beware of with {title}?",),
    "body": ("How does {title} work?", "Can you tell me more about {title}?"),
}
_LABEL_FRAMES = ("What is {label} of {title}?", "What does {label} of {title} mean?")
_HEADING_FRAMES = ('What does {title} say under "{label}"?', 'What is said about "{label}" in {title}?')


def usable_sentences(passage: str) -> list[Sentence]:
    """Return the sentences of a passage that say something by themselves."""
    fitting = (item for item in read_sentences(passage) if MIN_SENTENCE_CHARS <= len(item.quote) <= MAX_SENTENCE_CHARS)
    return [item for item in fitting if not _REFERENCE.match(item.text) and not _BROKEN_OFF.search(item.quote)]


def ask_about_sentence(sentence: Sentence, title: str, salt: str) -> str:
    """Return a question that a sentence answers; which of several wordings is drawn by hash."""
    if sentence.section == "summary":
        frames: tuple[str, ...] = _SUMMARY_FRAMES
    elif sentence.section in _SECTION_FRAMES:
        frames = _SECTION_FRAMES[sentence.section]
    else:
        frames = _LABEL_FRAMES if sentence.section == "parameters" else _HEADING_FRAMES
    frame = frames[stable_bucket(sentence.text, len(frames), salt=salt)]
    label = f"the parameter {sentence.label}" if sentence.section == "parameters" else sentence.label
    return frame.format(title=title, label=label)
