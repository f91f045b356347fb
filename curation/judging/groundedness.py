r"""Whether an answer rests on its sources: word for word where it quotes, by a judge where it does not.

    found = judge_groundedness('<quote document="1">Returns ship free.</quote>\n\nYou pay nothing.', sources, session)
    found.status, found.is_grounded          "judged", True
    found.sentences[0].how                   "judge": the judge named a stretch of source 1 that says so

Exact match comes first and costs nothing: a quote that does not stand in its source settles the matter, and a sentence that
stands there needs no judge. A judge is believed only with a quote that stands in a source word for word.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curation.cited_answer import Citation, read_cited_answer
from curation.ids import content_hash
from curation.judging.judge import FindInstructions
from curation.judging.judgements import Candidate, Status
from curation.judging.prompts import render_groundedness
from curation.records import Message
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.citations import has_marks
from curation.synthesis.injection import find_instructions
from curation.synthesis.parse import UnusableError, locate_quote

How = Literal["verbatim", "judge", "unsupported"]

_STOPS = ".!?\u3002\uff01\uff1f"
_END = re.compile(rf"(?<=[{_STOPS}])\s+|(?<=[{_STOPS}][\"')\]])\s+|\n+")
_MIN_WORDS = 2
"""A sentence of fewer words ("Yes.") says nothing by itself."""


@dataclass(frozen=True, kw_only=True)
class JudgedSentence:
    """A sentence of an answer, and what supports it."""

    text: str
    how: How
    quote: str = ""
    """The stretch of a source that supports it; empty for `unsupported`."""


@dataclass(frozen=True, kw_only=True)
class Groundedness:
    """Whether an answer rests on its sources."""

    status: Status
    is_grounded: bool | None = None
    """None unless `judged`."""
    sentences: tuple[JudgedSentence, ...] = ()
    wrong_quotes: tuple[str, ...] = ()
    """Quotes that do not stand in the source that they name."""
    detail: str = ""
    request_ids: tuple[str, ...] = ()

    @property
    def supported_share(self) -> float:
        """Share of the sentences that are supported."""
        supported = sum(sentence.how != "unsupported" for sentence in self.sentences)
        return supported / len(self.sentences) if self.sentences else 0.0


def judge_groundedness(
    answer: str, sources: Sequence[str], session: Session, *, prompt: Sequence[Message] = (), **options: Any
) -> Groundedness:
    """Judge one answer; see `judge_all_groundedness`. The prompt helps the judge to understand a short answer."""
    item = Candidate(key=content_hash([answer, *sources]), prompt=tuple(prompt), answer=answer, sources=tuple(sources))
    return judge_all_groundedness([item], session, **options)[0]


def judge_all_groundedness(
    candidates: Sequence[Candidate],
    session: Session,
    *,
    votes: int = 1,
    find_instructions: FindInstructions = find_instructions,
) -> list[Groundedness]:
    """Return for each answer whether its sources support it, in order; whatever needs the judge is asked in one round.

    Args:
        candidates: answers, each with its sources in the order in which its quotes number them.
        session: asks the judge.
        votes: how often the judge is asked, odd; a sentence is supported if most votes support it.
        find_instructions: finds text that speaks to its reader; an answer or source with such text is flagged.
    """
    assert votes % 2 == 1
    checked = [_check_exactly(item.answer, item.sources, find_instructions) for item in candidates]
    asks = [
        [_ask(found, item, session, number) for number in range(votes)] if _open_sentences(found) else []
        for found, item in zip(checked, candidates, strict=True)
    ]
    answers = iter(session.ask([ask for mine in asks for ask in mine]))
    return [
        _decide(found, item.sources, [next(answers) for _ in mine])
        for found, item, mine in zip(checked, candidates, asks, strict=True)
    ]


def _check_exactly(answer: str, sources: Sequence[str], find: FindInstructions) -> Groundedness:
    """Return what is known without a judge: flags, wrong quotes, sentences that stand in a source."""
    kinds = [span.kind for text in (answer, *sources) for span in find(text)]
    if kinds:
        detail = f"The answer or a source holds text that speaks to its reader ({kinds[0]}); only a person can approve it."
        return Groundedness(status="flagged", detail=detail)
    cited = read_cited_answer(answer)
    if has_marks(cited.text):
        return Groundedness(status="judged", is_grounded=False, detail="The marks of its quotes are broken.")
    wrong = tuple(quote.text for quote in cited.citations if not _stands(quote, sources))
    sentences = tuple(_match(text, sources) for text in split_sentences(cited.text))
    says_something = bool(cited.citations or sentences)
    is_grounded = says_something and not wrong and all(sentence.how == "verbatim" for sentence in sentences)
    return Groundedness(status="judged", is_grounded=is_grounded, sentences=sentences, wrong_quotes=wrong)


def split_sentences(text: str) -> list[str]:
    """Return the sentences of an answer that say something; the whole of a short answer such as "Yes."."""
    parts = [part.strip() for part in _END.split(text)]
    long = [part for part in parts if len(re.findall(r"\w+", part)) >= _MIN_WORDS]
    return long or [part for part in (text.strip(),) if part]


def _stands(quote: Citation, sources: Sequence[str]) -> bool:
    """Tell whether a quote stands in the source that it names, or in any if it names none."""
    if quote.document is None:
        return bool(_find(quote.text, sources))
    return 1 <= quote.document <= len(sources) and bool(_find(quote.text, [sources[quote.document - 1]]))


def _match(sentence: str, sources: Sequence[str]) -> JudgedSentence:
    found = _find(sentence, sources)
    return JudgedSentence(text=sentence, how="verbatim" if found else "unsupported", quote=found)


def _find(quote: str, sources: Sequence[str]) -> str:
    """Return a quote as it stands in a source; empty if it stands in none, or says too little to support anything."""
    for source in sources:
        try:
            start, end = locate_quote(quote, source)
        except UnusableError:
            continue
        return source[start:end]
    return ""


def _open_sentences(found: Groundedness) -> list[str]:
    """Return what the judge has to be asked about; nothing where a wrong quote settles the matter."""
    if found.status != "judged" or found.wrong_quotes:
        return []
    return [sentence.text for sentence in found.sentences if sentence.how == "unsupported"]


def _ask(found: Groundedness, item: Candidate, session: Session, number: int) -> Ask:
    return Ask(
        key=item.key,
        prompt=render_groundedness(item.prompt, item.sources, _open_sentences(found)),
        sample_index=number,
        parameters={"seed": (session.seed + number) % 2**31},
    )


def _decide(found: Groundedness, sources: Sequence[str], answers: Sequence[Answer]) -> Groundedness:
    """Return the outcome: exact matches, and what most votes support with a quote that stands in a source."""
    if not answers:
        return found
    usable = [answer for answer in answers if answer.problem is None]
    request_ids = tuple(dict.fromkeys(name for answer in answers for name in answer.request_ids))
    if 2 * len(usable) <= len(answers):
        detail = " ".join(answer.problem.detail for answer in answers if answer.problem is not None)[:500]
        return Groundedness(status="failed", sentences=found.sentences, detail=detail, request_ids=request_ids)
    sentences = tuple(_vote(found, sources, usable))
    is_grounded = all(sentence.how != "unsupported" for sentence in sentences)
    return Groundedness(status="judged", is_grounded=is_grounded, sentences=sentences, request_ids=request_ids)


def _vote(found: Groundedness, sources: Sequence[str], answers: Sequence[Answer]) -> Iterator[JudgedSentence]:
    number = 0
    for sentence in found.sentences:
        if sentence.how != "unsupported":
            yield sentence
            continue
        number += 1
        quotes = [quote for answer in answers if (quote := _support(answer, number, sources))]
        is_supported = 2 * len(quotes) > len(answers)
        yield JudgedSentence(
            text=sentence.text, how="judge" if is_supported else "unsupported", quote=quotes[0] if is_supported else ""
        )


def _support(answer: Answer, number: int, sources: Sequence[str]) -> str:
    """Return the quote by which a vote supports a sentence, as it stands in a source; empty if it does not."""
    entries = [entry for entry in answer.value["sentences"] if entry["number"] == number]
    if len(entries) != 1 or not entries[0]["is_supported"]:
        return ""
    return _find(entries[0]["quote"], sources)
