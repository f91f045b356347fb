"""Hard distractors: passages that share a question's words, but not its answer.

    pool = DistractorPool(passages, seed=0)
    pool.choose(Wanted(key="guide#raft/0/0", question="...", answer="...", quotes=("...",)), oracle=passages[3], number=4)

Candidates come by BM25, the hardest first. One that holds the answer or a quote, or that repeats the oracle, would teach the
model that the right document is wrong, so it is passed over (`gives_away`). Which of the hardest are taken is drawn by a
stable hash of the row's key and the passage's key.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from curation.bm25 import Bm25Index, read_terms
from curation.ids import stable_fraction
from curation.records import SourceSpan
from curation.synthesis.citations import has_marks
from curation.synthesis.injection import find_instructions

SHINGLE_WORDS = 3
MAX_SHARED = 0.5
"""Largest share of its shingles that a passage may have in common with the oracle, or that it may hold of a quote or answer."""
MIN_SHINGLES = 4
"""Texts with fewer shingles are only looked for word for word."""
MIN_STEM_CHARS = 4
"""From this length on an answer is also found at the beginning of a longer word: "Warschau" in "Warschaus"."""
_EMPTY_ANSWERS = frozenset(["yes", "no", "true", "false", "ja", "nein", "s\u00ed", "si", "non", "oui", "none", "n a"])
_ARTICLE = re.compile(r"^(?:an?|the|der|die|das|dem|den|des|eine?[mnrs]?|el|la|los|las|una?|les?|gli|il|uno?) (?=\w)")
_THOUSANDS = re.compile(r"(?<=\d)[.,\u00a0\u202f ](?=\d{3}(?!\d))")


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A text that a question may be asked over."""

    key: str
    title: str
    text: str
    origin: str
    """Key of the document that it is from; passages of one document are related."""
    span: SourceSpan | None = None
    """Where it stands verbatim; None for rows that bring their context with them."""
    license: str = ""
    output_terms: str = ""
    side: str = ""
    """Side of the train / eval split. Distractors come from the oracle's side, so that no held-out text is trained on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """The question that distractors are wanted for."""

    key: str
    """Key of the row, which the draw hangs on."""
    question: str
    answer: str
    quotes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FoldedText:
    """A text as it is searched: words in lower case between single spaces, and its shingles of three words."""

    line: str
    shingles: frozenset[str] = field(default_factory=frozenset)


def fold(text: str) -> FoldedText:
    """Fold case, width, punctuation, and marks of thousands."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    words = read_terms(_THOUSANDS.sub("", plain))
    shingles = (" ".join(words[at : at + SHINGLE_WORDS]) for at in range(len(words) - SHINGLE_WORDS + 1))
    return FoldedText(line=f" {' '.join(words)} ", shingles=frozenset(shingles))


def gives_away(passage: FoldedText, answer: FoldedText, quotes: Sequence[FoldedText], oracle: FoldedText) -> bool:
    """Tell whether a passage holds the answer or a quote, word for word or for the most part, or repeats the oracle."""
    if any(_holds(passage, wanted) for wanted in (answer, *quotes)):
        return True
    return _repeats(passage.shingles, oracle.shingles)


def _holds(passage: FoldedText, wanted: FoldedText) -> bool:
    words = _ARTICLE.sub("", wanted.line.strip())
    if not words or words in _EMPTY_ANSWERS:
        return False
    if (f" {words}" if len(words) >= MIN_STEM_CHARS else f" {words} ") in passage.line:
        return True
    shared = len(wanted.shingles & passage.shingles)
    return len(wanted.shingles) >= MIN_SHINGLES and shared >= MAX_SHARED * len(wanted.shingles)


class DistractorPool:
    """The passages of a corpus, indexed. Passages with instructions to their reader or with marks are never distractors."""

    def __init__(self, passages: Sequence[Passage], *, seed: int = 0, same_document: bool = True) -> None:
        self.passages = list(passages)
        self._seed = seed
        self._same_document = same_document
        """Whether other passages of the oracle's document may be distractors."""
        self._index = Bm25Index(f"{passage.title}\n{passage.text}" for passage in passages)
        self._folded: dict[int, FoldedText] = {}
        self._usable: dict[int, bool] = {}

    def choose(self, wanted: Wanted, oracle: Passage, *, number: int, pool: int = 12) -> list[Passage]:
        """Return `number` distractors, drawn from the `pool` hardest that give nothing away, the hardest first.

        If too few passages share a word with the question, the rest is drawn from all others. Fewer come back only if the
        corpus has no more that give nothing away.
        """
        checks = (fold(wanted.answer), [fold(quote) for quote in wanted.quotes], fold(f"{oracle.title}\n{oracle.text}"))

        def allowed(position: int) -> bool:
            return self._may_stand(position, oracle) and not gives_away(self._fold(position), *checks)

        def draw(position: int) -> float:
            return stable_fraction(f"{wanted.key}\n{self.passages[position].key}", f"raft {self._seed}")

        ranked = (position for position, _ in self._index.rank(wanted.question))
        hardest = list(itertools.islice(filter(allowed, ranked), max(pool, number)))
        chosen = self._distinct(sorted(hardest, key=draw), number)
        if len(chosen) < number:
            others = sorted(set(range(len(self.passages))) - set(hardest), key=draw)
            hardest += others
            chosen = self._distinct(itertools.chain(chosen, filter(allowed, others)), number)
        return [self.passages[at] for at in hardest if at in chosen]

    def _distinct(self, drawn: Iterable[int], number: int) -> list[int]:
        """Return the first `number` passages of which none repeats another; no more are looked at than needed."""
        chosen: list[int] = []
        for at in drawn:
            mine = self._fold(at).shingles
            if not any(at == other or _repeats(mine, self._fold(other).shingles) for other in chosen):
                chosen.append(at)
            if len(chosen) == number:
                break
        return chosen

    def _may_stand(self, position: int, oracle: Passage) -> bool:
        passage = self.passages[position]
        if passage.key == oracle.key or passage.side != oracle.side:
            return False
        if not self._same_document and passage.origin == oracle.origin:
            return False
        if position not in self._usable:
            text = f"{passage.title}\n{passage.text}"
            self._usable[position] = not has_marks(text) and not find_instructions(text)
        return self._usable[position]

    def _fold(self, position: int) -> FoldedText:
        if position not in self._folded:
            passage = self.passages[position]
            self._folded[position] = fold(f"{passage.title}\n{passage.text}")
        return self._folded[position]


def _repeats(one: frozenset[str], two: frozenset[str]) -> bool:
    fewer = min(len(one), len(two))
    return fewer >= MIN_SHINGLES and len(one & two) >= MAX_SHARED * fewer
