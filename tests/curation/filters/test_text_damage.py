"""Damaged text: every kind is found, and sound text in any script is left alone."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.filters.rule_config import RuleConfig
from curation.filters.text_damage import check_damage, find_damage, is_sound
from curation.filters.text_view import view_of
from tests.curation.filters.rule_rows import example

DAMAGED = {
    "replacement_char": "a \ufffd b",
    "lone_surrogate": "a \ud83d b",
    "control_char": "a \x00 b",
    "mojibake": "it\u00e2\u20ac\u2122s nice",
    "bidi_override": "user\u202egnp.exe",
    "private_use": "icon \ue8b8",
    "noncharacter": "a \ufdd0 b",
    "invisible_flood": "a\u200b\u200b\u200b\u200bb",
    "combining_flood": "a\u0300\u0301\u0302\u0303\u0304",
}
SOUND = [
    "plain ASCII\twith tabs\r\nand lines\f",
    "\u00c9COLE \u00c2GE \u00c3O \u00e2ge \u00c0 \u201cci\u201d \u00ab\u00c9T\u00c9\u00bb na\u00efve \u00e7a \u00bd \u00b0C",
    "\u0417\u0434\u0440\u0430\u0432\u0441\u0442\u0432\u0443\u0439\u0442\u0435, \u043a\u0430\u043a \u0434\u0435\u043b\u0430?",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002 \u3053\u3093\u306b\u3061\u306f",
    "\u05e9\u05dc\u05d5\u05dd \u202bHTML\u202c \u2067abc\u2069",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u200b\u0e04\u0e23\u0e31\u0e1a\u200b\u0e17\u0e38\u0e01\u200b\u0e04\u0e19",
    "Ti\u1ebfng Vi\u1ec7t: " + unicodedata.normalize("NFD", "\u1ebf\u1ec7\u1ea5"),
    "zero\u200bwidth and soft\u00adhyphen",
]


@pytest.mark.parametrize(("kind", "text"), DAMAGED.items())
def test_every_kind_of_damage_is_found(kind: str, text: str) -> None:
    assert [damage.kind for damage in find_damage(text)] == [kind]
    assert not is_sound(text)
    problem = check_damage(view_of(example(text, "answer")), RuleConfig())
    assert problem is not None
    assert problem.detail.isascii()


@pytest.mark.parametrize("text", SOUND)
def test_sound_text_is_left_alone(text: str) -> None:
    assert find_damage(text) == []
    assert is_sound(text)


@pytest.mark.parametrize(
    "text",
    [
        "caf\u00e9",
        "\u201cquoted\u201d \u2013 dash\u2026",
        "\u20ac5",
        "\u041f\u0440\u0438\u0432\u0435\u0442",
        "\u4f60\u597d",
        "\U0001f600",
    ],
)
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_utf8_read_as_another_encoding_is_seen(text: str, encoding: str) -> None:
    # What an editor shows for bytes that Windows-1252 does not define is their Latin-1 character.
    mangled = "".join(
        bytes([byte]).decode(encoding) if encoding == "latin-1" or byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(byte)
        for byte in text.encode()
    )
    assert not is_sound(mangled)


def test_a_share_of_damage_can_be_allowed() -> None:
    view = view_of(example("a \ufffd b " * 2 + "x" * 100, "answer"))
    assert check_damage(view, RuleConfig()) is not None
    assert check_damage(view, RuleConfig(max_bad_char_share=0.05)) is None


@given(st.text(max_size=60))
def test_the_quick_look_agrees_with_the_thorough_one(text: str) -> None:
    assert is_sound(text) == (find_damage(text) == [])
