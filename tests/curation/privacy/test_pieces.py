import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.privacy.config import PrivacyConfig
from curation.privacy.detect import find_findings
from curation.privacy.pieces import OVERLAP, SIZE, pieces_of

FILLER = "All work and no play makes the text long. "
KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n" * 60
    + "-----END PRIVATE KEY-----"
)
VALUES = {
    "ann.lee@corp-mail.de": "EMAIL",
    "+44 20 7183 8750": "PHONE_NUMBER",
    "4539 1488 0343 6467": "CREDIT_CARD",
    "ghp_q8Zr4LxN2vKc7TbW9mHd3FsJ6pYg5RaE1uQi": "API_KEY",
    "221 Baker Street, Apt 4, London NW1 6XE": "STREET_ADDRESS",
    KEY: "PRIVATE_KEY",
}


@given(st.text(alphabet="ab \n\u00e9", max_size=300).map(lambda text: text * 40), st.integers(0, 4000))
@example("a" * 9000, 0)
@example("a" * 3000 + " " + "b" * 3000, 0)
@example("", 0)
def test_pieces_cover_the_text_overlap_and_cut_no_word(text: str, cut: int) -> None:
    text = text[cut:]
    pieces = list(pieces_of(text))
    assert pieces[0][0] == 0
    assert pieces[-1][1] == len(text)
    for (start, end), (after, _) in zip(pieces, pieces[1:], strict=False):
        assert start < after <= end < len(text)
        assert text[end].isspace()
        assert text[after].isspace()
    assert sum(end - start for start, end in pieces) <= 2 * len(text) + SIZE + OVERLAP


@pytest.mark.parametrize("value", [value for value in VALUES if value != KEY])
def test_what_is_private_is_found_across_the_border_of_two_pieces(value: str) -> None:
    border = next(pieces_of(FILLER * 120))[1]
    for back in range(len(value) + 2):
        start = border - back
        text = f"{'x ' * (start // 2)}{'x' * (start % 2)} {value}; {FILLER * 60}"
        findings = find_findings(text, PrivacyConfig())
        assert [text[item.start : item.end] for item in findings] == [value]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 5000), st.sampled_from(sorted(VALUES)))
def test_what_is_private_is_found_wherever_it_stands_in_a_long_text(place: int, value: str) -> None:
    filler = FILLER * 120
    text = f"{filler[:place].rstrip()} {value}; {filler[place:]}"
    findings = find_findings(text, PrivacyConfig())
    assert [(item.entity, text[item.start : item.end]) for item in findings] == [(VALUES[value], value)]
