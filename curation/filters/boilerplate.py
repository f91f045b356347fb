r"""Rule for text that no one wrote for the reader: cookie banners, navigation, legal notices, filler.

find_boilerplate("We use cookies.\nAccept all cookies\nThe real text.")    ["We use cookies.", "Accept all cookies"]
"""

import re

from curation.filters.rule_config import RuleConfig
from curation.filters.rules import Problem
from curation.filters.text_view import TextView

_PHRASES = (
    r"(?:we|this (?:web ?)?site|our (?:web ?)?site) uses? cookies|accept (?:all )?cookies|reject all cookies"
    r"|cookie (?:settings|preferences)|manage (?:your )?cookies|by continuing to (?:use|browse) (?:this|our) (?:web ?)?site",
    r"skip to (?:main )?(?:content|navigation)|back to top|toggle navigation|table of contents \[hide\]|jump to navigation",
    r"all rights reserved|copyright (?:\(c\)|\u00a9) ?\d{4}|\u00a9 ?\d{4}",
    r"subscribe to our (?:newsletter|mailing list)|sign up for our newsletter|share (?:this )?on (?:facebook|twitter|linkedin)"
    r"|follow us on|share this (?:article|post|page)",
    r"click here to |read more \u00bb|\bread more\.\.\.$|^(?:read more|load more|learn more|next page|previous page)$"
    r"|advertisement$",
    r"please enable javascript|javascript is (?:disabled|required)|enable javascript (?:in|to)|your browser does not support",
    r"terms of (?:service|use) ?(?:\||and|&|\u00b7) ?privacy policy|privacy policy ?(?:\||and|&|\u00b7) ?terms",
    r"licensed under the apache license|spdx-license-identifier|permission is hereby granted, free of charge"
    r"|without warranties or conditions|redistribution and use in source and binary forms|the software is provided \"as is\"",
    r"lorem ipsum dolor",
)
_BOILERPLATE = re.compile("|".join(f"(?P<k{number}>{phrase})" for number, phrase in enumerate(_PHRASES)), re.MULTILINE)
_HINTS = (
    *("cookie", "skip to ", "back to top", "toggle nav", "contents [hide", "jump to nav", "rights reserved", "copyright"),
    *("\u00a9", "newsletter", "mailing list", "follow us on", "share on ", "share this", "click here ", "read more"),
    *("load more", "learn more", "next page", "previous page", "advertisement", "javascript is", "enable javascript"),
    *("browser does not", "privacy policy", "apache license", "spdx-license", "hereby granted", "without warranties"),
    *("redistribution and use", 'provided "as is', "lorem ipsum dolor", "to use this", "to use our", "to browse "),
)
_SUBJECT = re.compile(
    r"cookie|newsletter|licen[sc]e|copyright|privacy|lorem|placeholder|web ?(?:site|page)|html|footer|header|banner|navigation"
    r"|javascript"
)
MIN_DOCUMENT_LINES = 3
_MAX_LINE_CHARS = 2_000
_MAX_SHORT_LINE = 200
_MAX_SCANNED_CHARS = 200_000


def find_boilerplate(text: str) -> list[tuple[str, int]]:
    """Return the boilerplate of a text in lower case, each piece with the number of its kind.

    A short line is boilerplate as a whole; of a long one only the phrase counts.
    """
    text = text[:_MAX_SCANNED_CHARS]
    lowered = text.lower()
    hints = [hint for hint in _HINTS if hint in lowered]
    if not hints:
        return []
    lines = (line.strip() for line in lowered.split("\n") if any(hint in line for hint in hints))
    searched = ((line, _BOILERPLATE.search(line[:_MAX_LINE_CHARS])) for line in lines)
    return [(line if len(line) <= _MAX_SHORT_LINE else found[0], found.lastindex or 0) for line, found in searched if found]


def check_boilerplate(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject an answer with two kinds of boilerplate, or with one that is a third of its text; code about it may stay."""
    if view.kind == "document" or not view.answer:
        return None
    found = find_boilerplate(view.answer)
    if not found or view.is_code or _SUBJECT.search(view.bare_question[:4_000]):
        return None
    num_kinds = len({kind for _, kind in found})
    share = sum(len(line) for line, _ in found) / len(view.answer)
    if num_kinds < 2 and share < 1 / 3:
        return None
    return Problem(
        "boilerplate", f"{len(found)} lines are boilerplate ({share:.0%} of the answer), such as {found[0][0][:60]!r}."
    )


def check_document_boilerplate(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject a document of which `max_boilerplate_share` of the lines, and at least 3, are boilerplate."""
    limit = config.documents.max_boilerplate_share
    found = find_boilerplate(view.answer) if limit < 1 else []
    num_lines = sum(1 for line in view.answer[:_MAX_SCANNED_CHARS].split("\n") if line.strip())
    if len(found) >= MIN_DOCUMENT_LINES and len(found) > limit * num_lines:
        sentence = f"{len(found)} of {num_lines} lines are boilerplate, such as {found[0][0][:60]!r}."
        return Problem("boilerplate", sentence)
    return None
