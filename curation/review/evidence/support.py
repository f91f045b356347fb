r"""Whether an answer stands in its sources, shown to a reviewer sentence by sentence: help, never a verdict.

    support("Returns are free for 60 days.", ["You can return shoes within 30 days. Returns are free."])
        [Sentence(start=0, end=29, how="unsupported", passage=0, spans=(Span(37, 44), ...), missing=(Span(21, 23),))]
    check_spans(item, read_versions(documents))       [SpanProblem(span=..., problem="out_of_bounds")]

A sentence is supported if it stands there word for word, or if one or two sentences of a passage hold most of its words, all
of its numbers, and neither deny it nor say the contrary. No model is asked; what is said in other words counts as unsupported.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from curation.records import Document, ReviewItem, SourceSpan, record_hash
from curation.review.evidence.claims import Claim, sentence_spans, split_claims
from curation.review.evidence.words import OPPOSITES, Word, read_words

MAX_ANSWER_CHARS = 32_000
MAX_SOURCE_CHARS = 96_000
MAX_CLAIMS = 500
"""What is beyond these is `unchecked`."""
MIN_COVERAGE = 0.6
"""Share of the words of a sentence that the sentences of a passage have to hold."""
MIN_QUOTE_CHARS = 12

_MAX_POSTINGS = 60
_CANDIDATES = 4
_TALK = frozenset(
    ("accord", "document", "source", "text", "passage", "stat", "say", "manual", "page", "guid", "answer", "note", "mention")
)
"""Stems of words with which an answer names its source."""
_TRIVIAL_VALUES = frozenset(("true", "false", "null", ""))

Problem = Literal["no_document", "other_version", "out_of_bounds", "not_shown"]
PROBLEMS: dict[Problem, str] = {
    "no_document": "The document that it cites is not there.",
    "other_version": "The document has changed since it was cited.",
    "out_of_bounds": "It cites a stretch that the document does not have.",
    "not_shown": "What it cites is not among the passages shown.",
}
"""Problem of a cited span -> how a page says it."""
How = Literal["quote", "words", "nothing", "unsupported", "unchecked"]
Versions = Mapping[str, Mapping[str, str]]
"""Document key -> hash of a version -> its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanProblem:
    """A cited span that cannot be what it says, found when the item was imported."""

    span: SourceSpan
    problem: Problem


class Span(NamedTuple):
    """A stretch of a text (half-open characters)."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A claim of an answer (half-open characters of it), and what supports it."""

    start: int
    end: int
    how: How
    """`quote`: stands there word for word; `words`: its words do; `nothing`: says nothing; `unchecked`: beyond the limits."""
    passage: int | None = None
    """The passage that fits best, from 0; also that of an unsupported sentence, to be compared."""
    spans: tuple[Span, ...] = ()
    """Where in that passage."""
    missing: tuple[Span, ...] = ()
    """Numbers and names in the answer that stand in no passage."""

    @property
    def is_supported(self) -> bool:
        """Tell whether nothing speaks against it; what was not checked is not supported."""
        return self.how in ("quote", "words", "nothing")


def read_versions(documents: Iterable[Document]) -> Versions:
    """Return the texts of documents by key and hash."""
    versions: dict[str, dict[str, str]] = defaultdict(dict)
    for document in documents:
        versions[document.key][record_hash(document)] = document.text
    return versions


def check_spans(item: ReviewItem, versions: Versions) -> list[SpanProblem]:
    """Return which cited spans are not in the document that they name, as it was, or not among the passages shown."""
    found = ((span, _span_problem(span, item.evidence, versions)) for span in item.provenance.spans)
    return [SpanProblem(span=span, problem=problem) for span, problem in found if problem is not None]


def _span_problem(span: SourceSpan, passages: Sequence[str], versions: Versions) -> Problem | None:
    if span.document_key not in versions:
        return "no_document"
    text = versions[span.document_key].get(span.document_hash)
    if text is None:
        return "other_version"
    if not 0 <= span.start < span.end <= len(text):
        return "out_of_bounds"
    return None if text[span.start : span.end] in passages else "not_shown"


def support(answer: str, passages: Sequence[str]) -> list[Sentence]:
    """Return the claims of an answer, each with what supports it; none if there is no passage to compare with."""
    if not any(passages):
        return []
    sources = _Sources(passages)
    claims = split_claims(answer[:MAX_ANSWER_CHARS])
    checked = [_check(claim, sources) for claim in claims[:MAX_CLAIMS]]
    end = claims[MAX_CLAIMS].start if len(claims) > MAX_CLAIMS else MAX_ANSWER_CHARS
    rest = [Sentence(start=end, end=len(answer), how="unchecked")] if end < len(answer) else []
    return [sentence for sentence in checked if sentence.end <= end or not rest] + rest


class _Window(NamedTuple):
    """A sentence of a passage."""

    passage: int
    start: int
    words: list[Word]


class _Sources:
    """The passages, and which of their sentences hold a word."""

    def __init__(self, passages: Sequence[str]) -> None:
        self.plain: list[_Plain] = []
        self.windows: list[_Window] = []
        self.is_cut = sum(map(len, passages)) > MAX_SOURCE_CHARS
        room = MAX_SOURCE_CHARS
        for number, passage in enumerate(passages):
            text, room = passage[:room], room - len(passage[:room])
            self.plain.append(_Plain(text))
            for start, end in sentence_spans(text):
                self.windows.append(_Window(number, start, read_words(text[start:end])))
        self.postings: dict[str, list[int]] = defaultdict(list)
        for position, window in enumerate(self.windows):
            for stem in {word.stem for word in window.words}:
                self.postings[stem].append(position)

    def candidates(self, stems: Iterable[str]) -> list[tuple[int, ...]]:
        """Return the groups of neighbouring sentences that hold most of these words; very common words do not choose."""
        counts = Counter(position for stem in stems for position in self.postings.get(stem, ())[:_MAX_POSTINGS])
        best = [position for position, _ in counts.most_common(_CANDIDATES)]
        groups = [(position,) for position in best] + [(at, at + 1) for position in best for at in (position - 1, position)]
        return [group for group in groups if self._is_group(group)]

    def _is_group(self, group: tuple[int, ...]) -> bool:
        return group[0] >= 0 and group[-1] < len(self.windows) and len({self.windows[at].passage for at in group}) == 1


class _Plain:
    """A text with single blanks and in lower case, in which quotes are looked for."""

    def __init__(self, text: str) -> None:
        self._starts: list[int] = []
        self._originals: list[int] = []
        pieces, length, at = text.split(), 0, 0
        for piece in pieces:
            at = text.index(piece, at)
            self._starts.append(length)
            self._originals.append(at)
            length, at = length + len(piece) + 1, at + len(piece)
        self.text = plain(text)

    def find(self, quote: str) -> Span | None:
        """Return where a plain quote stands in the original text, between whole words."""
        at = self.text.find(quote)
        while at >= 0:
            end = at + len(quote)
            if not self._cuts_word(at) and not self._cuts_word(end):
                return Span(self._original(at), self._original(end - 1) + 1)
            at = self.text.find(quote, end)
        return None

    def _cuts_word(self, at: int) -> bool:
        return 0 < at < len(self.text) and self.text[at - 1].isalnum() and self.text[at].isalnum()

    def _original(self, at: int) -> int:
        piece = bisect_right(self._starts, at) - 1
        return self._originals[piece] + at - self._starts[piece]


def plain(text: str) -> str:
    """Return a text with single blanks, in lower case where that keeps its length."""
    joined = " ".join(text.split())
    lowered = joined.lower()
    return lowered if len(lowered) == len(joined) else joined


def _check(claim: Claim, sources: _Sources) -> Sentence:
    words = read_words(claim.text)
    content = [word for word in words if word.is_content and word.stem not in _TALK]
    if not content or (claim.kind == "value" and claim.text in _TRIVIAL_VALUES):
        return Sentence(start=claim.start, end=claim.end, how="nothing")
    quoted = _find_quote(claim, sources)
    if quoted is not None:
        return Sentence(start=claim.start, end=claim.end, how="quote", passage=quoted[0], spans=(quoted[1],))
    lost = [word for word in content if (word.is_number or word.is_name) and word.stem not in sources.postings]
    best = _best_group(words, content, sources)
    is_supported = best.is_enough and not lost and claim.kind != "quote"
    return Sentence(
        start=claim.start,
        end=claim.end,
        how="words" if is_supported else "unchecked" if sources.is_cut else "unsupported",
        passage=best.passage,
        spans=best.spans,
        missing=tuple(_missing(claim, lost)),
    )


def _missing(claim: Claim, lost: list[Word]) -> Iterator[Span]:
    """Yield where the lost words stand in the answer; the whole claim where escapes or marks move them."""
    for word in lost:
        is_moved = claim.kind in ("value", "quote")
        yield Span(claim.start, claim.end) if is_moved else Span(claim.start + word.start, claim.start + word.end)
        if is_moved:
            return


def _find_quote(claim: Claim, sources: _Sources) -> tuple[int, Span] | None:
    quote = plain(claim.text).strip(" .!?*_\"'\u201c\u201d")
    if len(quote) < MIN_QUOTE_CHARS and claim.kind != "line":
        return None
    found = ((number, text.find(quote)) for number, text in enumerate(sources.plain) if quote)
    return next(((number, span) for number, span in found if span is not None), None)


class _Best(NamedTuple):
    passage: int | None = None
    spans: tuple[Span, ...] = ()
    coverage: float = 0.0
    is_enough: bool = False


def _best_group(words: list[Word], content: list[Word], sources: _Sources) -> _Best:
    """Return the sentences of a passage that fit a claim best, and whether they support it."""
    wanted = {word.stem for word in content}
    best = _Best()
    for group in sources.candidates(sorted(wanted)):
        windows = [sources.windows[at] for at in group]
        held = [word for window in windows for word in window.words]
        main = max(windows, key=lambda window: len(wanted & {word.stem for word in window.words}))
        coverage = len(wanted & {word.stem for word in held}) / len(wanted)
        is_enough = coverage >= (MIN_COVERAGE if len(wanted) > 2 else 1.0) and _agree(words, held, main.words)
        if (is_enough, coverage) > (best.is_enough, best.coverage):
            spans = tuple(_matches(windows, wanted))
            best = _Best(passage=windows[0].passage, spans=spans, coverage=coverage, is_enough=is_enough)
    return best


def _agree(claim: list[Word], source: list[Word], main: list[Word]) -> bool:
    """Tell whether a source has the numbers of a claim, and its main sentence denies what it denies and not the contrary."""
    numbers = {word.stem for word in source if word.is_number}
    units = {(word.stem, word.unit) for word in source if word.unit}
    for word in claim:
        others = {unit for number, unit in units if number == word.stem}
        if word.is_number and (word.stem not in numbers or (word.unit and others and word.unit not in others)):
            return False
    if any(word.is_negation for word in claim) != any(word.is_negation for word in main):
        return False
    mine, theirs = {word.stem for word in claim}, {word.stem for word in main}
    return not any(_contrary(mine, theirs, left, right) or _contrary(mine, theirs, right, left) for left, right in OPPOSITES)


def _contrary(mine: set[str], theirs: set[str], left: frozenset[str], right: frozenset[str]) -> bool:
    return bool(mine & left and theirs & right) and not theirs & left


def _matches(windows: list[_Window], wanted: set[str]) -> Iterator[Span]:
    """Yield where the wanted words stand in their passage; those side by side make one stretch."""
    open_span: Span | None = None
    for window in windows:
        for word in window.words:
            if word.stem not in wanted:
                continue
            span = Span(window.start + word.start, window.start + word.end)
            if open_span is not None and span.start - open_span.end <= 1:
                span = Span(open_span.start, span.end)
            elif open_span is not None:
                yield open_span
            open_span = span
    if open_span is not None:
        yield open_span
