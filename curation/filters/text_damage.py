r"""Rules for damaged text: decoding gone wrong, invisible characters, marks that turn the reading direction.

find_damage("The caf\u00c3\u00a9 is open")    Damage(kind="mojibake", places=1, chars=2, sample="\u00c3\u00a9")
"""

import re
from typing import NamedTuple

from curation.filters.rule_config import RuleConfig
from curation.filters.rules import Problem
from curation.filters.text_view import TextView

# The continuation bytes 0x80 to 0xBF as Windows-1252 and Latin-1 show them.
_CONTINUATION = (
    "\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d"
    "\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178"
)
_MOJIBAKE = re.compile(
    f"\u00c3[{_CONTINUATION}]"  # Latin letters with accents
    "|\u00c2[\u00a0-\u00bf]"  # signs of Latin-1 and the no-break space
    f"|\u00e2(?:\u20ac|\u0080)[{_CONTINUATION}]"  # quotes, dashes, ellipsis
    f"|\u00e2(?:\u201a\u00ac|\u201e\u00a2)"  # euro, trade mark
    f"|\u00f0[\u0178\u009f][{_CONTINUATION}]{{2}}"  # emoji
    "|\u00ef\u00bb\u00bf|\u00ef\u00bf\u00bd"  # byte order mark, U+FFFD
    f"|(?:[\u00d0\u00d1\u00ce\u00cf\u00d7\u00d8\u00d9][{_CONTINUATION}]){{3,40}}"  # Cyrillic, Greek, Hebrew, Arabic
    f"|(?:[\u00e3-\u00e9][{_CONTINUATION}]{{2}}){{2,40}}"  # Chinese, Japanese
)
_REPLACEMENT = re.compile("\ufffd")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\x80-\x84\x86-\x9f]")
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufefc]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NONCHARACTER = re.compile("[\ufdd0-\ufdef\ufffe\uffff]")
_INVISIBLE_FLOOD = re.compile(
    "[\u200b-\u200f\u2060-\u2064\u00ad\ufeff\u180e]{4,200}|[\U000e0000-\U000e007f]{10,200}"
    "|(?:[A-Za-z][\u200b\u2060\u00ad\ufeff]){6,200}"
)
_MARK_FLOOD = re.compile("[\u0300-\u036f\u0489]{4,}")

_KINDS = (
    ("replacement_char", _REPLACEMENT),
    ("lone_surrogate", _SURROGATE),
    ("control_char", _CONTROL),
    ("mojibake", _MOJIBAKE),
    ("bidi_override", _BIDI),
    ("private_use", _PRIVATE),
    ("noncharacter", _NONCHARACTER),
    ("invisible_flood", _INVISIBLE_FLOOD),
    ("combining_flood", _MARK_FLOOD),
)
_ANY = re.compile("|".join(f"(?:{pattern.pattern})" for _, pattern in _KINDS))
_SUSPECT = re.compile(  # a quick first look: characters that some kind of damage begins with
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\u00c2\u00c3\u00ce-\u00d1\u00d7-\u00d9\u00e2-\u00e9\u00ef\u00f0\u00ad\u0300-\u036f\u0489\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u2069\ud800-\uf8ff\ufdd0-\ufdef\ufeff\ufffd-\uffff\U000e0000-\U0010ffff]"
)
_ASCII_CONTROLS = bytes(code for code in range(128) if code < 32 and code not in (9, 10, 12, 13) or code == 127)
_SENTENCES = {
    "replacement_char": "U+FFFD stands where characters could not be decoded",
    "lone_surrogate": "half of a surrogate pair stands alone",
    "control_char": "control characters stand in the text",
    "mojibake": "UTF-8 was read as another encoding",
    "bidi_override": "marks override the reading direction",
    "private_use": "private-use characters stand in the text",
    "noncharacter": "code points that are no characters stand in the text",
    "invisible_flood": "a run of invisible characters stands in the text",
    "combining_flood": "combining marks are piled up",
}


class Damage(NamedTuple):
    """One kind of damage in a text."""

    kind: str
    places: int
    """In how many places it was found."""
    chars: int
    """Characters that it spoils."""
    sample: str
    """The first place."""


def find_damage(text: str) -> list[Damage]:
    """Return every kind of damage in a text, in a fixed order; none for sound text."""
    found = []
    for kind, pattern in ((kind, pattern) for kind, pattern in _KINDS if _ANY.search(text)):
        places = pattern.findall(text)
        if kind == "bidi_override" and _RIGHT_TO_LEFT.search(text):
            places = [mark for mark in places if mark in "\u202d\u202e"]  # embeddings and isolates belong there
        if places:
            found.append(Damage(kind, len(places), sum(map(len, places)), places[0]))
    return found


def is_sound(text: str) -> bool:
    """Tell whether a text is free of damage; fast, since nearly every text is."""
    if text.isascii():
        return len(text.encode().translate(None, _ASCII_CONTROLS)) == len(text)
    return _SUSPECT.search(text) is None or _ANY.search(text) is None or not find_damage(text)


def check_damage(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject a row or a document in which more characters are damaged than `max_bad_char_share` allows."""
    for text in view.texts:
        if is_sound(text):
            continue
        damages = find_damage(text)
        if sum(damage.chars for damage in damages) > config.max_bad_char_share * len(text):
            first = max(damages, key=lambda damage: damage.chars)
            escaped = first.sample[:8].encode("unicode_escape").decode()
            return Problem(
                "encoding_damage", f"{first.kind}: {_SENTENCES[first.kind]} ({first.places} places, such as {escaped})."
            )
    return None
