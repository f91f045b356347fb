"""Whatever text an item holds survives the database, and whatever is written out can be encoded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from curation.review.payload import encodable, json_line


@pytest.mark.parametrize("cls", [str, Markup])
def test_half_a_surrogate_pair_does_not_break_a_page(cls: type[str]) -> None:
    text = encodable(cls("a\ud83d b\u00e9"))
    assert type(text) is cls
    assert text.encode() == "a\ufffd b\u00e9".encode()


@pytest.mark.parametrize("value", [None, 3, ["\ud83d"], b"\xff"])
def test_what_is_no_text_stays_as_it_is(value: object) -> None:
    assert encodable(value) is value


@given(text=st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF, categories=None), max_size=60))
def test_only_surrogates_change(text: str) -> None:
    shown = encodable(text)
    assert [len(shown), *shown.encode().decode()] == [
        len(text),
        *("\ufffd" if "\ud800" <= sign <= "\udfff" else sign for sign in text),
    ]
    assert json.loads(json_line({"text": text})) == {"text": shown}
