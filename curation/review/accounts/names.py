"""Names of people: one spelling is kept, and no two that look alike.

read_person_name("  Ada   Lovelace ")  "Ada Lovelace"
name_key("ADA LOVELACE")               "ada lovelace"
name_key("Ada")                        "ada"          (also if that A is a Cyrillic one)
"""

import unicodedata

from curation.review.errors import PersonNameError
from curation.review.exchange.incoming import TOOLS
from curation.review.queue.vote import MAX_REVIEWER_CHARS

AUTOMATIC = "automatic:"
"""What the names of automatic reviewers start with."""

_LOOKALIKES = str.maketrans(
    {
        # Cyrillic
        **dict(zip("\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442", "abekmhopct", strict=True)),
        **dict(zip("\u0443\u0445\u0455\u0456\u0458\u0501\u051b\u051d\u04bb", "yxsijdqwh", strict=True)),
        # Greek
        **dict(zip("\u03b1\u03b2\u03b5\u03b7\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7", "abeniknoptux", strict=True)),
        # Armenian, Latin without a dot, script g, palochka
        **dict(zip("\u0578\u057d\u0585\u0131\u0261\u04cf", "nuoigl", strict=True)),
        # digits, bars, apostrophes and dashes
        **dict(zip("01|\u2019\u02bc\u2010\u2011\u2012\u2013", "oll''----", strict=True)),
    }
)
"""Letters of other scripts, after case folding, that look like Latin ones."""


def read_person_name(name: str) -> str:
    """Return the name as it is kept: composed, white space collapsed.

    Raises:
        PersonNameError: if it is empty, too long, not printable, or that of an automatic reviewer or one of a file.
    """
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not name:
        raise PersonNameError(problem="give one.")
    if len(name) > MAX_REVIEWER_CHARS:
        raise PersonNameError(problem=f"it has more than {MAX_REVIEWER_CHARS} characters.")
    if not name.isprintable() or not any(character.isalnum() for character in name):
        raise PersonNameError(problem="it needs letters or digits, and nothing that cannot be seen.")
    start = name_key(name).replace(" ", "")
    if start.startswith(name_key(AUTOMATIC)):
        raise PersonNameError(problem=f"names with '{AUTOMATIC}' are those of automatic reviewers.")
    tool = next((tool for tool in TOOLS if start.startswith(name_key(f"{tool}:"))), None)
    if tool is not None:
        raise PersonNameError(problem=f"names with '{tool}:' are those of reviewers whose votes came in a file.")
    return name


def name_key(name: str) -> str:
    """Return what is the same for two names that a reader could take for each other: case, width, look-alike letters."""
    folded = unicodedata.normalize("NFKC", " ".join(name.split())).casefold()
    folded = unicodedata.normalize("NFKC", folded).translate(_LOOKALIKES)
    return "".join(character for character in folded if unicodedata.category(character) not in ("Cf", "Cc", "Mn", "Cs"))
