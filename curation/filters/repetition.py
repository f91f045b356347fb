"""Rules for text that goes round in circles: loops, repeated lines and word n-grams, runs of one character.

Measures after Gopher (arXiv 2112.11446, appendix A.1), with limits for answers rather than web pages:

    loop_repeats("it is so and so and so and".split())    3
"""

import re
from itertools import islice, pairwise

from curation.filters.rule_config import RuleConfig
from curation.filters.rules import Problem
from curation.filters.text_view import TextView

MIN_LINES = 8
MIN_WORDS = 60
NGRAM = 5
MAX_PERIOD = 30
_MAX_WORDS = 20_000
_MAX_TAIL = 600
_RUN = re.compile(r"(\S)\1{9,}")
_RULE_CHARS = frozenset("-=_*#.~+\u2500\u2501\u2550\u2014\u2026|:/\\>< \u2588\u2591")
_REQUESTED = re.compile(
    r"repeat|\btimes\b|\bloop|pattern|\bprint|random|sequence|\bsong|lyric|\bpoem|chant|mantra|nursery|chorus|refrain|\brap\b"
)


def check_repetition(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject a row with a long run of one character, a loop at an answer's end, or mostly repeated lines or n-grams."""
    for text in (view.prompt, view.answer, view.rejected):
        if _has_run(text, config.max_char_run) and (run := longest_run(text)) > config.max_char_run:
            return Problem("char_run", f"One character stands {run} times in a row, more than {config.max_char_run}.")
    return _loop_problem(view, config) or _share_problem(view, config)


def longest_run(text: str) -> int:
    """Return the length of the longest run of one character that is no rule of a table or heading."""
    return max((len(found[0]) for found in _RUN.finditer(text) if found[1] not in _RULE_CHARS), default=0)


def loop_repeats(words: list[str], max_period: int = MAX_PERIOD) -> int:
    """Return how often the same group of words, of at most `max_period` words, stands in a row at the end; 1 for no loop."""
    best = 1
    for period in range(1, min(max_period, len(words) // 2) + 1):
        if words[-period] != words[-2 * period] if 2 * period <= len(words) else True:
            continue
        matched = period
        while matched < len(words) and words[-matched - 1] == words[-matched - 1 + period]:
            matched += 1
        best = max(best, matched // period)
    return best


def duplicate_line_share(text: str) -> tuple[float, int]:
    """Return the share of characters in lines that stood before, and the number of lines with at least 3 characters."""
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if len(line) > 2]
    total = sum(map(len, lines))
    if len(set(lines)) == len(lines) or total == 0:
        return 0.0, len(lines)
    return 1 - sum(map(len, set(lines))) / total, len(lines)


def duplicate_ngram_share(words: list[str], size: int = NGRAM) -> float:
    """Return the share of word n-grams that stood before; 0 for a text shorter than one."""
    total = len(words) - size + 1
    return 0.0 if total < 1 else 1 - _num_ngrams(words, size) / total


def _num_ngrams(words: list[str], size: int) -> int:
    return len(set(zip(*(islice(words, start, None) for start in range(size)), strict=False)))


def _loop_problem(view: TextView, config: RuleConfig) -> Problem | None:
    for name, tail in (("answer", view.answer_words[-_MAX_TAIL:]), ("prompt", view.question[-2_000:].split())):
        if len(tail) < 2 * config.max_loop_repeats:
            continue
        repeats = loop_repeats(tail)
        if repeats > config.max_loop_repeats and _has_words(tail) and not (name == "answer" and _is_exempt(view)):
            return Problem("looping_text", f"The {name} ends with the same words {repeats} times in a row.")
    return None


def _share_problem(view: TextView, config: RuleConfig) -> Problem | None:
    text = view.answer
    if len(text) < 4 * MIN_LINES:
        return None
    if text.count("\n") >= MIN_LINES - 1:
        share, num_lines = duplicate_line_share(text)
        if num_lines >= MIN_LINES and share > config.max_duplicate_line_share and not _is_exempt(view):
            return Problem("duplicate_lines", f"{share:.0%} of the answer are lines that stood before.")
    words = view.answer_words[:_MAX_WORDS]
    if len(words) >= MIN_WORDS and _may_repeat(words, config.max_duplicate_ngram_share):
        share = duplicate_ngram_share(words)
        if share > config.max_duplicate_ngram_share and not _is_exempt(view):
            return Problem("duplicate_ngrams", f"{share:.0%} of the answer's word {NGRAM}-grams stood before.")
    return None


def _has_run(text: str, limit: int) -> bool:
    """Tell whether a run longer than `limit` is there: two samples half a limit apart must then be equal."""
    if len(text) <= limit:
        return False
    samples = text[:: limit // 2]
    repeated = {char for char, following in pairwise(samples) if char == following}
    return any(char * (limit + 1) in text for char in repeated)


def _may_repeat(words: list[str], limit: float) -> bool:
    """Tell whether the share of repeated n-grams can exceed the limit: each new word begins a new n-gram."""
    return 1 - (len(set(words)) - NGRAM + 1) / (len(words) - NGRAM + 1) > limit


def _has_words(words: list[str]) -> bool:
    return any(char.isalpha() for word in words[-MAX_PERIOD:] for char in word)


def _is_exempt(view: TextView) -> bool:
    return view.is_code or _REQUESTED.search(view.bare_question[:2_000]) is not None
