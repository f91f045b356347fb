"""Rules for documents, after Gopher (arXiv 2112.11446), C4 (1910.10683) and FineWeb (2406.17557), with milder limits.

find_document_problem(document, RuleConfig())    Problem("bullet_list", "97% of the lines begin with a bullet.") or None

The published limits were set for web crawls and throw away most API references, tables and change logs; ours keep them.
Set the published figures in `documents` to filter a crawl.
"""

import re
from collections import Counter
from collections.abc import Callable

from curation.filters.boilerplate import check_document_boilerplate
from curation.filters.empty_answers import check_addresses, check_digits
from curation.filters.language import check_language
from curation.filters.repetition import duplicate_line_share, duplicate_ngram_share, longest_run
from curation.filters.role_markers import check_role_markers
from curation.filters.rule_config import RuleConfig
from curation.filters.rules import Problem
from curation.filters.text_damage import check_damage
from curation.filters.text_view import TextView, document_view, prose_of
from curation.records import Document

MAX_JUDGED_CHARS = 100_000
MIN_LINES = 10
API_KINDS = frozenset(("function", "method", "property", "class", "module", "attribute"))
"""Documents of packages: signatures and printed tables, which no rule for prose should judge."""
_BULLET = re.compile(r"^\s{0,20}(?:[-*+\u2022\u2023\u25cf\u25cb\u25e6\u25aa]\s)")
_SYMBOL = re.compile(r"#|\.\.\.|\u2026")
_HEADING = re.compile(r"^\s{0,3}#{1,6} ", re.MULTILINE)

DOCUMENT_REASONS = (
    "document_too_short",
    "document_too_long",
    "only_addresses",
    "only_digits",
    "encoding_damage",
    "role_markers",
    "char_run",
    "boilerplate",
    "bullet_list",
    "ellipsis_lines",
    "symbols",
    "few_words",
    "one_word",
    "duplicate_lines",
    "duplicate_ngrams",
    "language",
)
"""Every reason that `find_document_problem` gives."""


def find_document_problem(document: Document, config: RuleConfig) -> Problem | None:
    """Return the first rule that a document breaks, cheap rules first, or None.

    Rules that `RuleConfig.off` names are skipped here as well; at most the first 100,000 characters are judged.
    """
    if not config.documents.is_on:
        return None
    view = document_view(document)
    for name, judge in _SHARED:
        if name not in config.off and (problem := judge(view, config)) is not None:
            return problem
    is_reference = document.kind in API_KINDS
    problem = None if is_reference else _prose_problem(view.answer[:MAX_JUDGED_CHARS], config)
    return problem or _language_problem(view, config)


def _size_problem(view: TextView, config: RuleConfig) -> Problem | None:
    length, rules = len(view.answer.strip()), config.documents
    if length < rules.min_chars:
        return Problem("document_too_short", f"The document has {length} characters, fewer than {rules.min_chars}.")
    if length > rules.max_chars:
        return Problem("document_too_long", f"The document has {length} characters, more than {rules.max_chars}.")
    return None


def _run_problem(view: TextView, config: RuleConfig) -> Problem | None:
    run = longest_run(view.answer[:MAX_JUDGED_CHARS])
    if run > max(200, config.max_char_run):
        return Problem("char_run", f"One character stands {run} times in a row.")
    return None


_SHARED: tuple[tuple[str, Callable[[TextView, RuleConfig], Problem | None]], ...] = (
    ("length", _size_problem),
    ("only_addresses", check_addresses),
    ("only_digits", check_digits),
    ("encoding_damage", check_damage),
    ("role_markers", check_role_markers),
    ("repetition", _run_problem),
    ("boilerplate", check_document_boilerplate),
)


def _prose_problem(text: str, config: RuleConfig) -> Problem | None:
    prose = prose_of(text, MAX_JUDGED_CHARS)
    words = prose.split()
    if len(words) < config.documents.min_prose_words:
        return None
    return _line_problem(prose, config) or _word_problem(prose, words, config) or _repetition_problem(prose, words, config)


def _line_problem(prose: str, config: RuleConfig) -> Problem | None:
    rules = config.documents
    lines = [line for line in prose.split("\n") if line.strip()]
    if len(lines) < MIN_LINES:
        return None
    bullets = sum(1 for line in lines if _BULLET.match(line)) / len(lines)
    if bullets > rules.max_bullet_share:
        return Problem("bullet_list", f"{bullets:.0%} of the lines begin with a bullet.")
    ellipses = sum(1 for line in lines if line.rstrip().endswith(("...", "\u2026"))) / len(lines)
    if ellipses > rules.max_ellipsis_share:
        return Problem("ellipsis_lines", f"{ellipses:.0%} of the lines end with an ellipsis.")
    return None


def _word_problem(prose: str, words: list[str], config: RuleConfig) -> Problem | None:
    rules = config.documents
    symbols = len(_SYMBOL.findall(_HEADING.sub("", prose))) / len(words)
    if rules.max_symbol_ratio and symbols > rules.max_symbol_ratio:
        return Problem("symbols", f"There are {symbols:.2f} number signs and ellipses for each word.")
    alphabetic = sum(1 for word in words if not word.isnumeric() and any(map(str.isalpha, word))) / len(words)
    if alphabetic < rules.min_alphabetic_share:
        return Problem("few_words", f"Only {alphabetic:.0%} of the words hold a letter.")
    word, count = Counter(word for word in map(str.lower, words) if len(word) > 2).most_common(1)[0]
    if count > rules.max_top_word_share * len(words):
        return Problem("one_word", f"{word[:40]!r} is {count / len(words):.0%} of the words.")
    return None


def _repetition_problem(prose: str, words: list[str], config: RuleConfig) -> Problem | None:
    rules = config.documents
    if "repetition" in config.off:
        return None
    share, _ = duplicate_line_share(prose)
    if share > rules.max_duplicate_line_share:
        return Problem("duplicate_lines", f"{share:.0%} of the text are lines that stood before.")
    share = duplicate_ngram_share([word.lower() for word in words])
    if share > rules.max_duplicate_ngram_share:
        return Problem("duplicate_ngrams", f"{share:.0%} of the word 5-grams stood before.")
    return None


def _language_problem(view: TextView, config: RuleConfig) -> Problem | None:
    return None if "language" in config.off else check_language(view, config)
