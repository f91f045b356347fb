"""A named-entity model behind the patterns: spaCy or GLiNER, loaded from this machine, never from the network.

privacy: {ner: {kind: spacy, model: en_core_web_lg}}
privacy: {ner: {kind: gliner, model: /models/gliner_multi_pii, labels: {person: PERSON, address: STREET_ADDRESS}}}
"""

import importlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from curation.errors import NerModelMissingError
from curation.privacy.config import NerConfig
from curation.privacy.finding import Finding, Recogniser

_CHUNK, _SMALL_CHUNK = 50_000, 1200
_SPACY_SCORE = 0.55
_BREAK = re.compile(r"\n\s*\n|(?<=[.!?])\s|\n")


class SpacyRecogniser:
    """The entities of a spaCy pipeline."""

    def __init__(self, config: NerConfig) -> None:
        self.config = config
        self.pipeline = _load_spacy(config.model)

    def find(self, text: str) -> Iterable[Finding]:
        """Return the entities whose labels are mapped, with a score below that of a clear pattern (spaCy gives none)."""
        for start, chunk in _chunks(text, _CHUNK):
            for item in self.pipeline(chunk).ents:
                entity = self.config.labels.get(item.label_)
                if entity is not None:
                    yield Finding(entity, start + item.start_char, start + item.end_char, "ner:spacy", _SPACY_SCORE)


class GlinerRecogniser:
    """The entities that a GLiNER model finds for the labels of the recipe."""

    def __init__(self, config: NerConfig) -> None:
        self.config = config
        self.model = _load_gliner(config.model)

    def find(self, text: str) -> Iterable[Finding]:
        """Return the entities with the scores of the model."""
        labels = list(self.config.labels)
        for start, chunk in _chunks(text, _SMALL_CHUNK):
            for item in self.model.predict_entities(chunk, labels, threshold=self.config.min_score):
                entity = self.config.labels.get(item["label"])
                if entity is not None:
                    yield Finding(entity, start + item["start"], start + item["end"], "ner:gliner", float(item["score"]))


def load_ner(config: NerConfig | None) -> tuple[Recogniser, ...]:
    """Return the recogniser of a model, if the recipe names one; `NerModelMissingError` when it cannot be loaded."""
    if config is None:
        return ()
    return (SpacyRecogniser(config) if config.kind == "spacy" else GlinerRecogniser(config),)


@cache
def _load_spacy(model: str) -> Any:
    try:
        import spacy

        return spacy.load(model)
    except (ImportError, OSError, ValueError) as error:
        raise NerModelMissingError(model=model, library="spaCy", reason=_first_line(error)) from error


@cache
def _load_gliner(model: str) -> Any:
    try:
        gliner = importlib.import_module("gliner")
        return gliner.GLiNER.from_pretrained(model, local_files_only=True)
    except (ImportError, OSError, ValueError) as error:
        raise NerModelMissingError(model=model, library="GLiNER", reason=_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _chunks(text: str, size: int) -> Iterator[tuple[int, str]]:
    """Cut a long text at paragraphs or sentences into parts of at most `size` characters."""
    start = 0
    while start < len(text):
        end = min(start + size, len(text))
        if end < len(text):
            breaks = [match.end() for match in _BREAK.finditer(text, start + size // 2, end)]
            end = breaks[-1] if breaks else end
        yield start, text[start:end]
        start = end
