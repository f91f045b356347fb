"""Snippets: the hit is in them, marked, and nothing of the text is lost or changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.review.search.query import parse_query
from curation.review.search.snippet import MAX_CHARS, Piece, snippet

pytestmark = pytest.mark.slow


def test_hits_are_marked_as_they_were_written() -> None:
    assert snippet(["no", "Use Größe() here"], parse_query("grosse").wanted) == [
        Piece("Use ", False),
        Piece("Größe", True),
        Piece("() here", False),
    ]
    assert [piece.text for piece in snippet(["parser, parsing"], parse_query("pars*").wanted) if piece.is_hit] == [
        "parser",
        "parsing",
    ]


def test_a_hit_deep_in_a_text_is_cut_out() -> None:
    pieces = snippet(["x " * 5_000 + "needle" + " y" * 5_000], parse_query("needle").wanted)
    assert [piece.text for piece in pieces if piece.is_hit] == ["needle"]
    assert sum(len(piece.text) for piece in pieces) <= MAX_CHARS + 2
    assert pieces[0].text == "…"


def test_without_words_the_beginning_is_shown() -> None:
    assert snippet(["", "one\ntwo"], ()) == [Piece("one two", False)]
    assert snippet(["", ""], ()) == []


@given(st.lists(st.text(max_size=400), max_size=3), st.text(max_size=20))
def test_pieces_are_parts_of_one_text(texts: list[str], typed: str) -> None:
    pieces = snippet(texts, parse_query(typed).wanted)
    said = "".join(piece.text for piece in pieces).strip("…")
    flat = [text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ") for text in texts]
    assert not said or any(said in text or said in text.strip("…") for text in flat)
