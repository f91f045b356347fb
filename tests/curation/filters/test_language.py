"""Language: told from enough text, never guessed from little, without any network, from several threads."""

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from curation.errors import ConfigError
from curation.filters.language import UNKNOWN, detect_language
from curation.filters.rule_config import RuleConfig
from curation.filters.rule_table import find_problem
from tests.curation.filters.rule_rows import example

TEXTS = {
    "en": "How do I rename the columns of a table without copying all of its data?",
    "de": "Wie kann ich die Spalten einer Tabelle umbenennen, ohne alle Daten zu kopieren?",
    "fr": "Comment puis-je renommer les colonnes d'un tableau sans copier toutes ses donn\u00e9es ?",
    "es": "\u00bfC\u00f3mo puedo cambiar el nombre de las columnas de una tabla sin copiar todos los datos?",
    "ru": "Как переименовать столбцы таблицы, не копируя данные?",
}
ENGLISH = RuleConfig(languages=("en",))


def _no_network(*_: object, **__: object) -> None:
    raise AssertionError("no network")


@pytest.mark.parametrize(("code", "text"), TEXTS.items())
def test_languages_are_told(code: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", _no_network)
    found = detect_language(text)
    assert found.code == code
    assert found.confidence > 0.8


def test_the_model_is_never_downloaded() -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*_, **__): sys.exit('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from curation.filters.language import detect_language\n"
        "print(detect_language('How do I rename the columns of a table?').code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "en", done.stderr


@pytest.mark.parametrize(
    "text",
    ["", "ok", "12345 67890 !!!", "`wie geht es dir heute mein Freund`", "```\nWie geht es dir heute, mein Freund?\n```"],
)
def test_too_little_prose_is_not_judged(text: str) -> None:
    assert detect_language(text) == UNKNOWN


def test_odd_text_is_survived() -> None:
    for text in ("\x00" * 50, "\ud800" * 50, "word \ud800 " * 20, "a\nb\rc\u2028d " * 20, "A" * 100_000):
        assert 0 <= detect_language(text).confidence <= 1


def test_threads_share_one_model() -> None:
    texts = list(TEXTS.values()) * 40
    expected = [detect_language(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(detect_language, texts)) == expected


@pytest.mark.parametrize("code", ["de", "fr", "es", "ru"])
def test_rows_in_other_languages_are_rejected(code: str) -> None:
    for row in (example(TEXTS[code], "ok"), example(TEXTS["en"], TEXTS[code])):
        problem = find_problem(row, ENGLISH)
        assert problem is not None
        assert problem.reason == "language"
        assert find_problem(row, RuleConfig(languages=("en", code))) is None
        assert find_problem(row, RuleConfig()) is None


def test_rows_of_the_recipes_language_translations_and_code_stay() -> None:
    code = "```python\nfuer_alle_spalten = [umbenennen(spalte) for spalte in tabelle]\n```"
    for row in (
        example(TEXTS["en"], TEXTS["en"].replace("How do I", "You can")),
        example("Translate into German: " + TEXTS["en"], TEXTS["de"]),
        example(TEXTS["fr"] + "\n\nTranslate this to English.", TEXTS["en"]),
        example("How do you say that in Spanish?", TEXTS["es"]),
        example(TEXTS["en"], code),
        example(TEXTS["en"], "Ja."),
    ):
        assert find_problem(row, ENGLISH) is None


def test_shouting_is_no_other_language() -> None:
    assert detect_language(TEXTS["en"].upper()).code == "en"


@pytest.mark.parametrize("name", ["English", "EN", "e", "en-US"])
def test_languages_are_given_as_codes(name: str) -> None:
    with pytest.raises(ConfigError, match="languages"):
        RuleConfig(languages=(name,))
