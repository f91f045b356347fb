"""Personal data that was masked stands out in a text.

mark_masks("Mail [EMAIL]")      Markup('Mail <span class="mask">[EMAIL]</span>')
count_masks("Mail [EMAIL]")     {"EMAIL": 1}
"""

import re
from collections import Counter

from markupsafe import Markup

from curation.review.web import show

_MASK = re.compile(r"\[([A-Z][A-Z_]{2,40})\]")


def mark_masks(text: str) -> Markup:
    """Return text as HTML in which `[EMAIL]` and the like are badges."""
    parts: list[Markup] = []
    at = 0
    for found in _MASK.finditer(text):
        parts += [show.reveal(text[at : found.start()]), Markup('<span class="mask">{}</span>').format(found[0])]
        at = found.end()
    return Markup("").join([*parts, show.reveal(text[at:])])


def count_masks(text: str) -> dict[str, int]:
    """Return how often each kind of data was masked, the most frequent first."""
    return dict(Counter(found[1] for found in _MASK.finditer(text)).most_common())
