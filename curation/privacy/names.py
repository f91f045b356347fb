r"""Names of people where the context tells: titles, "my name is", fields, letters, relations, e-mail headers.

find_names("Dr. Alice Weber will call you.", clues)     PERSON, span 4 to 15

No model and no list of names: a name in running text ("Weber lost the match") is not found unless it was introduced in the
same text. Give `privacy.ner` a model for the rest.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from curation.privacy.clues import Clues
from curation.privacy.finding import Finding
from curation.privacy.word_lists import words_of

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019\-][^\W\d_]+)*")
_HEADER = re.compile(r"[ ]{0,2}(?:<|\(|\[mailto:)[\w.+\-]{1,64}@")
_ENDS = re.compile(r"[\"']?[ ]{0,2}(?:$|[\n.,;!?|<(])")
_LIVES = re.compile(r"[ ](?:lives (?:at|on|in)|was born (?:on|in)|can be (?:reached|contacted)|'s (?:phone|address|e-?mail))")
_PARTICLES = words_of("particles")
_LOWER_STOPS = words_of("lower_stops")
_MAX_WORDS = 4


@dataclass(frozen=True, slots=True)
class _Cue:
    """What stands before a name."""

    name: str
    words: frozenset[str]
    """One of these words occurs in the text."""
    pattern: re.Pattern[str]
    score: float
    minimum: int
    """Capitalised words that a name after this cue has at least."""
    reach: Literal["free", "line", "comma"] = "free"
    """`line`: the name fills the rest of its line or clause; `comma`: a comma, colon or line end follows."""
    parts: tuple[str, ...] = ("",)
    """One of these strings (lower case) occurs as well."""
    lower: bool = False
    """Two or three words in lower case that end the sentence count as well."""


def _cue(name: str, words: str, pattern: str, score: float, minimum: int, **more: object) -> _Cue:
    return _Cue(name, frozenset(words.split()), re.compile(pattern), score, minimum, **more)  # type: ignore[arg-type]


_RELATIONS = (
    "son daughter kid child wife husband brother sister mother father mom dad boss friend colleague neighbor neighbour doctor"
    " teacher landlord uncle aunt cousin fianc\u00e9 fianc\u00e9e girlfriend boyfriend partner manager lawyer"
)
_PERSONAL = (
    "first last given family middle maiden full customer client patient employee contact account user guest student"
    " card cardholder"
)
_CUES = (
    _cue(
        "title",
        "mr mrs ms mx miss dr drs prof professor doctor madam mme mlle herr frau se\u00f1or se\u00f1ora signor signora",
        r"(?<!\w)(?:Mrs?|MRS?|mrs?\.|M[sx]|MS|ms\.|Miss|Drs?|DR|dr\.|Prof|Professor|Doctor|Madam|Mme|Mlle|Herr|Frau"
        r"|Se\u00f1ora?|Signora?)\.?[ ]{1,2}(?=[^\W\d_])",
        0.8,
        1,
    ),
    _cue(
        "introduction",
        "name correct change called signed attn yours",
        r"(?i:(?<!\w)(?:(?:my|his|her|your|their)(?: full| last| first| maiden| real)? name(?: is|'s|\u2019s|\?)"
        r"|name on the account(?: is)?"
        r"|(?:correct|change) my name to|(?:i am|mother is|mother was|father is|father was) called"
        r"|signed(?: by:?|:)|attn:?|yours truly,)[ ]{1,2})",
        0.75,
        1,
        lower=True,
    ),
    _cue(
        "introduction",
        "i am m this call speak speaking spoke meeting follow correct change",
        r"(?i:(?<!\w)(?:i am|i'm|i\u2019m|this is|call me|(?:correct|change) it to|speak(?:ing)? (?:to|with)|spoke (?:to|with)"
        r"|meeting with|follow up with)[ ]{1,2})",
        0.6,
        2,
        parts=(
            "i am ",
            "i'm ",
            "i\u2019m ",
            "this is ",
            "call me ",
            "speak",
            " it to ",
            "spoke ",
            "meeting with ",
            "follow up ",
        ),
    ),
    _cue("relation", _RELATIONS, rf"(?i:(?<!\w)(?:my|our) (?:{_RELATIONS.replace(' ', '|')})(?: is)?,?[ ])", 0.6, 1),
    _cue(
        "field",
        _PERSONAL,
        rf"(?im:^[ \t>*\-|\"']{{0,8}}(?:{_PERSONAL.replace(' ', '|')})(?:[ _](?:name|holder|person))?"
        r"[\"']?[ ]{0,2}[:=][ ]{0,2}[\"']?)",
        0.75,
        2,
        reach="line",
    ),
    _cue(
        "field",
        "name author recipient sender signed cc address",
        r"(?im:^[ \t>*\-|\"']{0,8}(?:(?:first|last|given|family|middle|maiden|full)[ _])?"
        r"(?:name|cc|author|recipient|sender|signed|(?:billing|shipping|delivery|mailing|home) address)"
        r"[\"']?[ ]{0,2}[:=][ ]{0,2}[\"']?)",
        0.75,
        2,
        reach="line",
    ),
    _cue(
        "field",
        "from to",
        r"(?im:^[ \t>*\-|]{0,8}(?:from|to)[ ]{0,2}:[ ]{0,2}[\"']?)",
        0.75,
        2,
        reach="line",
        parts=(":",),
    ),
    _cue("salutation", "dear hi hello", r"(?im:^[ \t>]{0,4}(?:dear|hi|hello)[ ]{1,2}(?=[^\W\d_]))", 0.75, 1, reach="comma"),
    _cue(
        "closing",
        "regards sincerely yours cheers wishes thanks respectfully",
        r"(?i:(?<!\w)(?:regards|sincerely|yours (?:truly|faithfully)|cheers|best wishes|many thanks|respectfully)"
        r"[,.!]?[ ]{0,2}\n{1,2}"
        r"[ \t>]{0,4})",
        0.75,
        1,
        reach="line",
    ),
)


def find_names(text: str, clues: Clues) -> Iterator[Finding]:
    """Find names after a title, an introduction, a field label, a salutation, above a signature or before an address."""
    for cue in _CUES:
        if clues.has_word(cue.words) and clues.has_part(cue.parts):
            for match in cue.pattern.finditer(text):
                yield from _after(text, match.end(), cue)
    if clues.has_at:
        yield from _before(text, _HEADER, "header", 2)
    if clues.has_part(("lives", " born", " can be ", "'s ")):
        yield from _before(text, _LIVES, "lives", 2)


def _after(text: str, start: int, cue: _Cue) -> Iterator[Finding]:
    end = _name_end(text, start, cue.minimum)
    if end is None and cue.lower:
        end = _lower_name_end(text, start)
    if end is None or (cue.reach == "line" and not _ENDS.match(text, end)):
        return
    if cue.reach != "comma" or text[end : end + 1] in (",", ":", "!", "\n"):
        yield Finding("PERSON", start, end, f"name:{cue.name}", cue.score)


def _lower_name_end(text: str, start: int) -> int | None:
    """Return where two or three words in lower case end that end the sentence: `my name is ann lee`."""
    words = _words_at(text, start, 3)
    if len(words) < 2 or not all(word[0].islower() and word[0] not in _LOWER_STOPS for word in words):
        return None
    is_name = not any(word[0].capitalize() in words_of("not_names") for word in words)
    return words[-1].end() if is_name and _ENDS.match(text, words[-1].end()) else None


def _words_at(text: str, start: int, most: int) -> list[re.Match[str]]:
    words: list[re.Match[str]] = []
    place = start
    while len(words) < most:
        word = _WORD.match(text, place)
        if word is None:
            break
        words.append(word)
        place = word.end()
        place += text[place : place + 1] == "." and len(word[0]) == 1
        if text[place : place + 1] != " ":
            break
        place += 1 + (text[place + 1 : place + 2] == " ")
    return words


def _name_end(text: str, start: int, minimum: int) -> int | None:
    """Return where the name that starts here ends: capitalised words, initials, and particles between them."""
    end, count = start, 0
    for word in _words_at(text, start, _MAX_WORDS + 1):
        if _is_name_word(word[0]):
            is_initial = len(word[0]) == 1 and text[word.end() : word.end() + 1] == "."
            end, count = word.end() + is_initial, count + 1
            if word[0].endswith(("'s", "\u2019s")):
                end -= 2
                break
        elif word[0] not in _PARTICLES:
            break
    return end if count >= minimum else None


def _is_name_word(word: str) -> bool:
    is_capital = word[0].isupper() and (len(word) == 1 or not word.isupper() or len(word) > 3)
    return is_capital and len(word) <= 30 and word not in words_of("not_names")


def _before(text: str, after: re.Pattern[str], cue: str, minimum: int) -> Iterator[Finding]:
    """`Ann Lee <ann@corp.com>`: the capitalised words just before, on the same line."""
    for match in after.finditer(text):
        stop = match.start()
        line = text[max(text.rfind("\n", 0, stop) + 1, stop - 60) : stop]
        words = _last_name_words(line)
        if len(words) >= minimum:
            yield Finding("PERSON", stop - len(line) + words[0].start(), stop, f"name:{cue}", 0.7)


def _last_name_words(line: str) -> list[re.Match[str]]:
    words = list(_WORD.finditer(line))[-_MAX_WORDS:]
    if not words or words[-1].end() != len(line):
        return []
    kept: list[re.Match[str]] = []
    for word in reversed(words):
        gap = line[word.end() : kept[0].start()] if kept else ""
        if not _is_name_word(word[0]) or gap not in (("", " ", ". ") if len(word[0]) == 1 else ("", " ")):
            break
        kept.insert(0, word)
    return kept
