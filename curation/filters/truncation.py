"""Rule for answers that stop too early: inside a code fence, after a comma, a joining word or an open bracket.

check_truncated(view_of(answer="First open the file and then read the"), RuleConfig())    Problem("truncated_answer", ...)

Without a dictionary nobody can see every cut, so the rule says little and is right when it speaks. What the rest of a
corpus does is a second witness: `CorpusProfile` holds, for each slice, how many of its answers end like a sentence.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from curation.filters.rule_config import RuleConfig
from curation.filters.rules import Problem
from curation.filters.text_view import RuleRow, TextView, view_of

MIN_WORDS = 12
MIN_SLICE_ROWS = 200
MIN_TERMINAL_SHARE = 0.98

_JOINING = frozenset(
    [
        *("the", "a", "an", "and", "or", "but", "nor", "of", "to", "with", "for", "in", "on", "at", "by", "from", "into", "as"),
        *("is", "are", "was", "were", "be", "been", "which", "because", "if", "when", "while", "than", "their", "its", "your"),
        *("our", "my", "his", "very", "such", "including", "between", "through", "via", "per"),
    ]
)
_TERMINAL = re.compile(r"[.!?:;\u2026\u3002\uff01\uff1f\u061f\u0964)\]}>\"'\u201d\u2019\u00bb*_`~|\u300d\u300f\uff09]\s*$")
_OPENERS, _CLOSERS = "([{", ")]}"
_CONTINUATION = re.compile(
    r"\b(?:complete|continue|finish|fill in|rearrange|classify|extract|reorder) |title|headline|slogan|fragment|keywords?\b"
    r"|\b(?:word|phrase)s? (?:that|from|in|with|for)\b"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusProfile:
    """How many of the longer prose answers of each slice end like a sentence: (number judged, number that do)."""

    slices: dict[str, tuple[int, int]]

    def ends_sentences(self, slice_name: str) -> bool:
        """Tell whether nearly all answers of a slice end like a sentence, so that another end means a cut."""
        judged, ended = self.slices.get(slice_name, (0, 0))
        return judged >= MIN_SLICE_ROWS and ended >= MIN_TERMINAL_SHARE * judged


def profile_corpus(rows: Iterable[RuleRow]) -> CorpusProfile:
    """Count sentence ends over a corpus, a slice for each source and task; the order of the rows does not matter."""
    judged: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    for view in map(view_of, rows):
        if _is_long_prose(view):
            judged[slice_of(view)] += 1
            ended[slice_of(view)] += _TERMINAL.search(view.answer[-20:]) is not None
    return CorpusProfile(slices={name: (judged[name], ended[name]) for name in sorted(judged)})


def slice_of(view: TextView) -> str:
    """Return the slice that a row is profiled in: its source and its task."""
    return f"{view.key.partition('/')[0]}:{view.task}"


def check_truncated(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject an answer that ends inside a fence, after a joining word or comma, or with a bracket open."""
    if view.kind == "document" or view.tool_calls or not view.answer:
        return None
    if view.has_open_fence and not view.bare_question.startswith(("continue", "go on", "more")):
        return Problem("truncated_answer", "The answer ends inside a code fence.")
    sentence = _cut_sentence(view.answer)
    if sentence is None or view.is_code or _CONTINUATION.search(view.bare_question[:2_000]):
        return None
    return Problem("truncated_answer", sentence)


def check_unusual_end(view: TextView, profile: CorpusProfile) -> Problem | None:
    """Reject a longer prose answer that does not end like a sentence in a slice in which nearly all others do."""
    if not _is_long_prose(view) or _TERMINAL.search(view.answer[-20:]) or not profile.ends_sentences(slice_of(view)):
        return None
    sentence = f"The answer stops at {view.answer.rstrip()[-40:]!r}; nearly all others of its slice end like a sentence."
    return Problem("truncated_answer", sentence)


def _cut_sentence(answer: str) -> str | None:
    if _TERMINAL.search(answer[-20:]) or len(answer.split(None, MIN_WORDS)) < MIN_WORDS:
        return None
    end = answer.rstrip()[-60:]
    if end.endswith((",", "(", "[", "{", " -", " \u2013", "&")) or end.split()[-1].lower() in _JOINING:
        return f"The answer stops at {end[-40:]!r}."
    if _open_brackets(answer[-2_000:]):
        return f"A bracket is open where the answer stops: {end[-40:]!r}."
    return None


def _is_long_prose(view: TextView) -> bool:
    is_short = len(view.answer) < 80 or len(view.answer.split(None, MIN_WORDS)) < MIN_WORDS
    return not (is_short or view.tool_calls or view.is_code)


def _open_brackets(text: str) -> bool:
    """Tell whether the last paragraph of a text ends with a bracket open (not counting list marks such as `a)`)."""
    depth = 0
    for char in reversed(text[text.rfind("\n") + 1 :]):
        if char in _CLOSERS:
            depth += 1
        elif char in _OPENERS:
            if depth == 0:
                return True
            depth -= 1
    return False
