r"""Translation pairs for languages with little data: translated, checked by rule, translated back, compared.

    method = Translation(TranslationConfig(source="en", source_name="English", targets={"sw": "Swahili"}))
    made = method.make(method.plan(Inputs(documents=documents)), session)
    made.examples[0].messages[0].content        "Translate from English into Swahili:\n\nThe tea is hot."

Sentences come from documents and demonstrations. A translation must keep language, length, numbers and glossary terms; then
the teacher translates it back without seeing the original, and both are compared by chrF (round trip, as in Rapp, "The
back-translation score", 2009). The row in the other direction has people's words as its answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from curation.character_f import chrf
from curation.config import check, config
from curation.ids import hash_text, stable_bucket, stable_fraction
from curation.records import Document
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.methods.invented_rows import (
    InventedRows,
    Origin,
    check_reply,
    conversation,
    origin_in,
    origin_of,
    request_in,
)
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.methods.translation_checks import check_translation, is_in_language, terms_in
from curation.synthesis.parse import UnusableError
from curation.synthesis.prompts.translation import render_translation
from curation.synthesis.teachers.sentence_questions import usable_sentences

Direction = Literal["forward", "backward"]
FRAMES = (
    "Translate from {source} into {target}:\n\n{text}",
    "Translate this text into {target}.\n\n{text}",
    "{text}\n\nTranslate the text above from {source} into {target}.",
    "How does one say this in {target}?\n\n{text}",
)
"""How rows ask for a translation; drawn by stable hash."""


@config
class TranslationConfig:
    """Translation pairs between two languages."""

    source: str
    """Language of the documents, as ISO 639 code (`en`)."""

    source_name: str
    """Its name as it stands in prompts and rows (`English`)."""

    targets: dict[str, str]
    """Languages to translate into: ISO 639 code -> name (`sw: Swahili`)."""

    sentences_per_document: int = 5
    """Sentences of each document, drawn by stable hash; each is translated into every target language."""

    directions: tuple[Direction, ...] = ("forward", "backward")
    """Rows made of each pair: `forward` into the target language, `backward` from it, with the original as the answer."""

    min_chars: int = 20
    """Shorter texts are passed over."""

    max_chars: int = 600
    """Longer texts are passed over."""

    min_round_trip: float = 0.5
    """chrF, 0 to 1, that the back translation must reach against the original; 0 does not translate back."""

    max_length_ratio: float = 3.0
    """How many times longer than the other, in characters, one of a pair may be."""

    glossary: dict[str, dict[str, str]] | None = None
    """For each target language: terms of the source language and how they must be translated."""

    def __post_init__(self) -> None:
        for name, code in (("source", self.source), *(("targets", code) for code in self.targets)):
            check(2 <= len(code) <= 3 and code.isascii() and code.islower(), name, "must be ISO 639 codes such as 'en'", code)
        for path, name in (("source_name", self.source_name), *(("targets", name) for name in self.targets.values())):
            check(0 < len(name.strip()) <= 60, path, "must be a name such as 'Swahili'", name)
        check(bool(self.targets), "targets", "needs at least one language", self.targets)
        check(self.source not in self.targets, "targets", "must not hold the source language", self.source)
        names = [self.source_name, *self.targets.values()]
        check(len(names) == len(set(names)), "targets", "names a language twice", names)
        number = self.sentences_per_document
        check(1 <= number <= 1_000, "sentences_per_document", "must lie in 1..1000", number)
        distinct = 0 < len(self.directions) == len(set(self.directions))
        check(distinct, "directions", "needs at least one direction, each once", list(self.directions))
        check(1 <= self.min_chars <= self.max_chars <= 8_000, "max_chars", "must lie in min_chars..8000", self.max_chars)
        check(0 <= self.min_round_trip <= 1, "min_round_trip", "must lie in [0, 1]", self.min_round_trip)
        check(1 <= self.max_length_ratio <= 20, "max_length_ratio", "must lie in [1, 20]", self.max_length_ratio)
        for code, terms in (self.glossary or {}).items():
            check(code in self.targets, f"glossary.{code}", "is none of the targets", code)
            empty = [term for term, given in terms.items() if not term.strip() or not given.strip()]
            check(not empty, f"glossary.{code}", "terms must not be empty", empty)


@dataclass(frozen=True, kw_only=True)
class _Text:
    """The payload of a unit: a text and where it comes from."""

    text: str
    target: str
    origin: Origin
    seed: int


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """A translation that passed the rules."""

    unit: Unit
    translation: str
    answer: Answer
    request_ids: tuple[str, ...] = ()


class Translation:
    """See the module."""

    name = "translation"

    def __init__(self, config: TranslationConfig) -> None:
        self.config = config

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return a unit for each language and each sentence that is drawn or demonstration's request, each text once.

        Units are named by their text, so that an edit elsewhere in a document changes nothing.
        """
        texts: dict[str, tuple[str, str, Origin]] = {}
        for key, text, origin in (*self._sentences(inputs), *self._requests(inputs)):
            if self.config.min_chars <= len(text) <= self.config.max_chars and is_in_language(text, self.config.source):
                texts.setdefault(text.casefold(), (key, text, origin))
        units = [
            Unit(
                key=f"{key}#{self.name}/{target}/{hash_text(text)[:8]}",
                slice=f"{self.config.source}-{target}",
                payload=_Text(text=text, target=target, origin=origin, seed=inputs.seed),
            )
            for key, text, origin in texts.values()
            for target in self.config.targets
        ]
        return sorted(units, key=lambda unit: (stable_fraction(unit.key, f"order {inputs.seed}"), unit.key))

    def _sentences(self, inputs: Inputs) -> Iterator[tuple[str, str, Origin]]:
        for document in inputs.documents:
            texts = {sentence.text: sentence.quote for sentence in usable_sentences(document.text)}
            fitting = [text for text in texts if self.config.min_chars <= len(text) <= self.config.max_chars]
            fitting.sort(key=lambda text: stable_fraction(f"{document.key}\n{text}", f"sentences {inputs.seed}"))
            for text in fitting[: self.config.sentences_per_document]:
                yield document.key, text, _origin_of_quote(document, texts[text])

    def _requests(self, inputs: Inputs) -> Iterator[tuple[str, str, Origin]]:
        for example in inputs.examples:
            text = " ".join(request_in(example).split())
            yield example.key, text, origin_of([example])

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Translate, check, translate back, compare."""
        rows = InventedRows(self.name)
        units = [unit for unit in units if not rows.refuse_source(unit.key, unit.payload.origin, unit.payload.text)]
        asks = [self._ask(unit, unit.payload.text, is_back=False) for unit in units]
        pairs: list[_Pair] = []
        for unit, answer in zip(units, session.ask(asks), strict=True):
            pair = self._read(unit, answer, rows)
            pairs += [] if pair is None else [pair]
        scores: list[float] = []
        if self.config.min_round_trip > 0:
            pairs, scores = self._compare(pairs, session, rows)
        for pair in pairs:
            self._add(pair, rows)
        return rows.made(**({"round_trip": sum(scores) / len(scores)} if scores else {}))

    def _ask(self, unit: Unit, text: str, *, is_back: bool) -> Ask:
        names = (self.config.source_name, self.config.targets[unit.payload.target])
        source, target = names[::-1] if is_back else names
        glossary = {} if is_back else self._terms(unit.payload)
        return Ask(key=unit.key, prompt=render_translation(text, source=source, target=target, glossary=glossary))

    def _terms(self, source: _Text) -> dict[str, str]:
        return terms_in(source.text, (self.config.glossary or {}).get(source.target, {}))

    def _read(self, unit: Unit, answer: Answer, rows: InventedRows) -> _Pair | None:
        source: _Text = unit.payload
        if rows.refuse(answer, unit.key, source.origin):
            return None
        translation = answer.value["translation"].strip()
        try:
            check_translation(
                source.text,
                translation,
                languages=(self.config.source, source.target),
                glossary=self._terms(source),
                max_length_ratio=self.config.max_length_ratio,
            )
            check_reply(translation)
        except UnusableError as problem:
            rows.reject(unit.key, source.origin, problem, translation)
            return None
        return _Pair(unit=unit, translation=translation, answer=answer)

    def _compare(self, pairs: Sequence[_Pair], session: Session, rows: InventedRows) -> tuple[list[_Pair], list[float]]:
        """Return the pairs whose back translation is near the original, and the scores of all."""
        asks = [self._ask(pair.unit, pair.translation, is_back=True) for pair in pairs]
        kept: list[_Pair] = []
        scores: list[float] = []
        for pair, answer in zip(pairs, session.ask(asks), strict=True):
            source: _Text = pair.unit.payload
            if rows.refuse(answer, pair.unit.key, source.origin):
                continue
            back = answer.value["translation"].strip()
            scores.append(chrf(back, source.text))
            if scores[-1] < self.config.min_round_trip:
                detail = f"Translated back it is another text (chrF {scores[-1]:.2f}, wanted {self.config.min_round_trip})."
                rows.reject(pair.unit.key, source.origin, UnusableError("round_trip_differs", detail), back)
                continue
            kept.append(
                _Pair(
                    unit=pair.unit,
                    translation=pair.translation,
                    answer=pair.answer,
                    request_ids=answer.request_ids,
                )
            )
        return kept, scores

    def _add(self, pair: _Pair, rows: InventedRows) -> None:
        source: _Text = pair.unit.payload
        names = (self.config.source_name, self.config.targets[source.target])
        sides = {
            "forward": (source.text, pair.translation, *names),
            "backward": (pair.translation, source.text, *names[::-1]),
        }
        for number, direction in enumerate(("forward", "backward")):
            if direction not in self.config.directions:
                continue
            text, answer, from_name, to_name = sides[direction]
            frame = FRAMES[stable_bucket(f"{pair.unit.key}/{number}", len(FRAMES), salt=f"frame {source.seed}")]
            request = frame.format(source=from_name, target=to_name, text=text)
            rows.add_example(
                f"{pair.unit.key}/{number}",
                conversation(request, answer),
                pair.answer,
                origin=source.origin,
                earlier=pair.request_ids,
            )


def _origin_of_quote(document: Document, quote: str) -> Origin:
    start = document.text.find(quote)
    return origin_in(document, (start, start + len(quote)))
