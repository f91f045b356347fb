"""Translations are checked by rule and by translating back; what is lost on the way is a rejection."""

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.character_f import chrf
from curation.chat_model import ChatRequest
from curation.errors import ConfigError
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.method import Inputs, Made
from curation.synthesis.methods.translation import Translation, TranslationConfig
from curation.synthesis.methods.translation_checks import numbers_in, terms_in
from tests.curation.synthesis.methods.answering import (
    AnsweringModel,
    asked,
    assert_accounted_for,
    demonstration,
    document_of,
    session_of,
)

SENTENCE = "Green tea is brewed with 2,500 grams of hot water and never with boiling water."
GERMAN = "Gruener Tee wird mit 2.500 Gramm heissem Wasser aufgebrueht und niemals mit kochendem Wasser."
LANGUAGES: dict[str, Any] = {"source": "en", "source_name": "English", "targets": {"de": "German"}}


def there(translation: str, back: str = SENTENCE) -> Any:
    def answer(request: ChatRequest) -> Any:
        return {"translation": translation if "into German" in asked(request) else back}

    return answer


def run(ledger: RequestLedger, answer: Any, text: str = SENTENCE, **settings: Any) -> tuple[Made, AnsweringModel]:
    method = Translation(TranslationConfig(**{**LANGUAGES, **settings}))
    session, model = session_of(ledger, answer)
    units = method.plan(Inputs(documents=[document_of(text)]))
    made = method.make(units, session)
    assert_accounted_for(units, made)
    return made, model


def test_a_pair_gives_a_row_in_each_direction(ledger: RequestLedger) -> None:
    made, model = run(ledger, there(GERMAN))
    forward, backward = made.examples
    assert (forward.key.endswith("/0"), backward.key.endswith("/1")) == (True, True)
    assert (forward.messages[1].content, backward.messages[1].content) == (GERMAN, SENTENCE.rstrip("."))
    assert SENTENCE.rstrip(".") in forward.messages[0].content
    assert GERMAN in backward.messages[0].content
    (span,) = forward.provenance.spans
    assert SENTENCE[span.start : span.end] == SENTENCE
    assert (forward.provenance.license, forward.provenance.generation_depth) == ("CC-BY-4.0", 1)
    assert len(forward.provenance.request_ids) == 2
    assert SENTENCE.rstrip(".") not in asked(model.requests[1])
    assert made.figures["round_trip"] > 0.95


def test_one_direction_is_enough(ledger: RequestLedger) -> None:
    made, _ = run(ledger, there(GERMAN), directions=("backward",))
    assert [row.key[-2:] for row in made.examples] == ["/1"]


@pytest.mark.parametrize(
    ("translation", "reason"),
    [
        (SENTENCE, "untranslated"),
        ("Tee.", "length_ratio"),
        (GERMAN.replace("2.500", "25"), "number_lost"),
        ("Le the vert est prepare avec 2 500 grammes d'eau chaude et jamais avec de l'eau bouillante.", "wrong_language"),
        ("", "empty_translation"),
        (GERMAN + "\x00", "invalid_characters"),
    ],
)
def test_what_a_translation_loses_is_told_before_it_is_translated_back(
    ledger: RequestLedger, translation: str, reason: str
) -> None:
    made, model = run(ledger, there(translation))
    assert [item.reason for item in made.rejections] == [reason]
    assert (made.examples, len(model.requests)) == ((), 1)


def test_another_meaning_shows_on_the_way_back(ledger: RequestLedger) -> None:
    made, _ = run(ledger, there(GERMAN, back="The dog barked at 2,500 people in the yard."))
    assert [item.reason for item in made.rejections] == ["round_trip_differs"]


def test_nothing_is_translated_back_without_a_limit(ledger: RequestLedger) -> None:
    made, model = run(ledger, there(GERMAN), min_round_trip=0.0)
    assert (len(made.examples), len(model.requests), made.figures) == (2, 1, {})


def test_terms_of_the_glossary_are_asked_for_and_kept(ledger: RequestLedger) -> None:
    glossary = {"de": {"green tea": "Gruener Tee", "coffee": "Kaffee"}}
    made, model = run(ledger, there(GERMAN), glossary=glossary)
    assert len(made.examples) == 2
    assert '"Gruener Tee"' in asked(model.requests[0])
    assert "Kaffee" not in asked(model.requests[0])


def test_a_lost_term_is_told(ledger: RequestLedger) -> None:
    made, _ = run(ledger, there(GERMAN), glossary={"de": {"water": "Nass"}})
    assert [item.reason for item in made.rejections] == ["term_lost"]


def test_a_language_that_cannot_be_detected_is_not_held_against_itself(ledger: RequestLedger) -> None:
    settings = {"targets": {"sgs": "German"}}
    assert len(run(ledger, there(GERMAN), **settings)[0].examples) == 2
    english = there("Brewing of the green tea needs 2,500 grams of water that is hot but should not be boiling at all.")
    other = SENTENCE.replace("Green", "White")
    assert run(ledger, english, other, **settings)[0].rejections[0].reason == "wrong_language"


def test_sentences_are_drawn_once_each_and_stay_when_the_document_grows() -> None:
    def keys(text: str, **more: Any) -> set[str]:
        config = TranslationConfig(**LANGUAGES, sentences_per_document=100)
        return {unit.key for unit in Translation(config).plan(Inputs(documents=[document_of(text)], **more))}

    other = "Black tea, which is oxidised longer than others, stands boiling water well."
    assert keys(f"{other}\n\n{SENTENCE}") > keys(SENTENCE)
    assert len(keys(f"{SENTENCE}\n\n{SENTENCE}\n\nShort one.")) == 1
    with_request = keys(SENTENCE, examples=[demonstration("faq/1", "How do I brew a pot of black tea?")])
    assert len(with_request) == 2


def test_each_language_has_units_and_a_slice_of_its_own() -> None:
    def units(**targets: str) -> dict[str, str]:
        config = TranslationConfig(**{**LANGUAGES, "targets": targets})
        return {unit.key: unit.slice for unit in Translation(config).plan(Inputs(documents=[document_of(SENTENCE)]))}

    both = units(de="German", sw="Swahili")
    assert sorted(both.values()) == ["en-de", "en-sw"]
    assert units(de="German").items() < both.items()


def test_texts_of_another_language_are_not_planned() -> None:
    config = TranslationConfig(**LANGUAGES)
    assert Translation(config).plan(Inputs(documents=[document_of(GERMAN)])) == []


@hypothesis.given(st.text(max_size=40), st.text(max_size=40))
def test_chrf_is_a_score(one: str, two: str) -> None:
    assert 0.0 <= chrf(one, two) <= 1.0
    assert chrf(one, one) == (1.0 if one.split() else 0.0)


def test_chrf_by_hand() -> None:
    # "ab" against "ac": order 1 shares 1 of 2, order 2 shares 0 of 1; precision = recall = (0.5 + 0) / 2.
    assert chrf("ab", "ac") == pytest.approx(0.25)
    # "ab" against "abcd": precision 1 in both orders, recall 2/4 and 1/3; F2 of 1 and 5/12.
    assert chrf("ab", "abcd") == pytest.approx(5 * (5 / 12) / (4 + 5 / 12))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("2,500 or 2.500 or 2 500", ["2500", "2500", "2500"]),
        ("3.5 and 3,5", ["35", "35"]),
        ("\u0662\u0665 \u0643", ["25"]),
        ("1, 2 and 3.", ["1", "2", "3"]),
        ("the 20th century, the 1970s and 5 more", ["5"]),
        ("none", []),
    ],
)
def test_numbers_are_told_whatever_separates_them(text: str, numbers: list[str]) -> None:
    assert numbers_in(text) == numbers


def test_terms_are_words() -> None:
    assert terms_in("Teatime with Tea.", {"tea": "x", "time": "y"}) == {"tea": "x"}


@pytest.mark.parametrize(
    "settings",
    [
        {"targets": {}},
        {"targets": {"en": "German"}},
        {"targets": {"German": "de"}},
        {"targets": {"de": "English"}},
        {"directions": ()},
        {"min_round_trip": 2.0},
        {"glossary": {"de": {"a": " "}}},
        {"glossary": {"fr": {"a": "b"}}},
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TranslationConfig(**{**LANGUAGES, **settings})
