"""What the item page is given: who may see which votes, which answer stands first, what the sources hold, what changed.

choices(item, "Ada")      (Choice(1, "text of B", "prefer_b", ...), Choice(2, "text of A", "prefer_a", ...))
"""

import itertools
from typing import Any, NamedTuple

from markupsafe import Markup

from curation.errors import UnknownIdError
from curation.ids import stable_fraction
from curation.records import Decision, ReviewItem, SourceSpan, Verdict
from curation.review.accounts.person import Person
from curation.review.evidence.instructions import flag_instructions
from curation.review.evidence.support import Sentence, support
from curation.review.queue import QueueEntry, ReviewQueue
from curation.review.queue.claims import Lease
from curation.review.queue.resolution import standing
from curation.review.queue.vote import MAX_TEXT_CHARS, VoteDetails
from curation.review.reviewers.advice import Advice, advice_for
from curation.review.reviewers.findings import Findings
from curation.review.reviewers.settings import read_settings
from curation.review.web import labels, masks, show
from curation.review.web.marks import highlight_passage
from curation.review.web.sentences import list_pieces, mark_sentences

PAGE_SIZE = 50
MAX_FLAGGED_CHARS = 8_000
"""How much of each text is searched for instructions to the reviewer while a page is built."""
MAX_FLAGS = 3


class Choice(NamedTuple):
    """One of the two answers of a pair, as shown."""

    number: int
    text: str
    decision: Decision
    field: str
    """Which field of the item it is: `answer` or `alternative`."""


def choices(item: ReviewItem, name: str) -> tuple[Choice, Choice]:
    """Return the answers of a pair in an order drawn for this item and person, so that 'first' says nothing."""
    both: list[tuple[str, Decision, str]] = [(item.answer, "prefer_a", "answer"), (item.alternative, "prefer_b", "alternative")]
    if stable_fraction(f"{item.key}/{name}", "position") < 0.5:
        both.reverse()
    return Choice(1, *both[0]), Choice(2, *both[1])


def position(item: ReviewItem, name: str) -> str:
    """Return the order as it is recorded: `ab` if answer A stood first."""
    return "ab" if choices(item, name)[0].decision == "prefer_a" else "ba"


class Seen(NamedTuple):
    """What a person may see of the votes on an item."""

    own: Verdict | None
    others: list[Verdict]
    """Empty until the person has voted, or the item is decided, or they adjudicate it."""


def visible_votes(entry: QueueEntry, history: list[Verdict], person: Person, lease: Lease | None) -> Seen:
    """Return the votes that a person may see: nobody sees what others said before they have said it themselves."""
    said = standing(history)
    own = next((vote for vote in reversed(said) if vote.reviewer == person.name), None)
    adjudicates = lease is not None and lease.role == "adjudication"
    may_see = own is not None or entry.state == "decided" or adjudicates
    return Seen(own, [vote for vote in said if vote.reviewer != person.name] if may_see else [])


class Passage(NamedTuple):
    """A source passage beside the answer."""

    html: Markup
    """What supports the answer is marked in it."""
    span: SourceSpan | None
    num_cut: int
    """How many characters of it the page leaves out."""


def list_passages(item: ReviewItem, sentences: list[Sentence]) -> list[Passage]:
    """Return the passages that an item cites, with what its answers rest on marked."""
    cited = item.provenance.spans if len(item.provenance.spans) == len(item.evidence) else ()
    passages = []
    for number, text in enumerate(item.evidence):
        short = show.shorten_for_page(text)
        found = {span for part in sentences if part.passage == number and part.is_supported for span in part.spans}
        html = highlight_passage(short.text, [span for span in sorted(found) if span.end <= len(short.text)])
        passages.append(Passage(html, cited[number] if cited else None, short.num_chars - len(short.text)))
    return passages


def find_advice(queue: ReviewQueue, item: ReviewItem, own: Verdict | None, findings: Findings) -> Advice | None:
    """Return what judges said about an item to somebody who has voted on it, if they are believed; else None."""
    if own is None or not item.provenance.votes:
        return None
    return advice_for(item, own=own, ruling=findings.ruling(queue), settings=read_settings(queue))


def item_values(
    queue: ReviewQueue, entry: QueueEntry, person: Person, lease: Lease | None, findings: Findings
) -> dict[str, Any]:
    """Return what the template of the item page needs."""
    item, history = entry.item, queue.history(entry.item.key)
    seen = visible_votes(entry, history, person, lease)
    previous = queue.previous_item(item)
    return {
        "recipe": queue.recipe,
        "counts": queue.counts(),
        "settings": queue.settings(),
        "entry": entry,
        "item": item,
        "lease": lease,
        "own": seen.own,
        "others": seen.others,
        "undone": _undone(history, person),
        "advice": find_advice(queue, item, seen.own, findings),
        "expected": entry.last_sequence,
        "previous": previous,
        "changes": _changes(previous.item, item) if previous else [],
        "can_decide": entry.is_listed and (lease is not None or _may_change(entry, seen.own)),
        "edits": [
            (vote, show.diff_words(item.answer, vote.edited_answer))
            for vote in ([seen.own] if seen.own else []) + seen.others
            if vote.decision == "edit"
        ],
    } | _shown(item, person, history, seen.own)


def _shown(item: ReviewItem, person: Person, history: list[Verdict], own: Verdict | None) -> dict[str, Any]:
    """Return what the page shows of the item itself."""
    is_pair = item.kind == "pair"
    answers = [item.answer, item.alternative] if is_pair else [item.answer] if item.kind == "example" else []
    checked = [support(answer, item.evidence) for answer in answers]
    sentences = checked[0] if checked and not is_pair else []
    short = show.shorten_for_page(item.answer)
    marked = VoteDetails.from_json(own.details).unsupported if own else ()
    return {
        "choices": choices(item, person.name) if is_pair else (),
        "position": position(item, person.name) if is_pair else "",
        "passages": list_passages(item, list(itertools.chain(*checked))),
        "answer_html": mark_sentences(short.text, sentences) if sentences else None,
        "pieces": list_pieces(item.answer, sentences, marked) if not short.is_cut else [],
        "own_details": VoteDetails.from_json(own.details) if own else VoteDetails(),
        "mask_counts": masks.count_masks(item.answer) if item.kind == "document" else {},
        "flagged": _flagged(item),
        "reason_labels": labels.reasons_for(item.kind),
        "answer_label": labels.ANSWERS[item.kind],
        "last_edit": _last_edit(history, person),
        "can_edit": not is_pair and len(item.answer) <= MAX_TEXT_CHARS,
        "is_long": short.is_cut,
    }


def _flagged(item: ReviewItem) -> list[str]:
    """Return stretches of what is shown that speak to whoever reviews it, the first few."""
    shown = [*(message.text for message in item.prompt), item.answer, item.alternative, *item.evidence]
    starts = [text[:MAX_FLAGGED_CHARS] for text in shown]
    found = (text[span.start : span.end] for text in starts for span in flag_instructions(text))
    return [show.excerpt(each, 120) for each in itertools.islice(found, MAX_FLAGS)]


def _may_change(entry: QueueEntry, own: Verdict | None) -> bool:
    """A person may change their own vote until somebody has adjudicated."""
    adjudicated = entry.human is not None and entry.human.role == "adjudication"
    return own is not None and (not adjudicated or own.role == "adjudication")


def _undone(history: list[Verdict], person: Person) -> Verdict | None:
    """Return the verdict that the person has taken back just now, if that is the last thing that happened."""
    if not history or history[-1].decision != "undo" or history[-1].reviewer != person.name:
        return None
    return next((verdict for verdict in history if verdict.sequence == history[-1].supersedes), None)


def _last_edit(history: list[Verdict], person: Person) -> str:
    """Return the text of the person's last edit, also one that was undone: what somebody typed is not lost."""
    return next((vote.edited_answer for vote in reversed(history) if vote.reviewer == person.name and vote.edited_answer), "")


class Done(NamedTuple):
    """The item that somebody decided just now, and what they said."""

    item: ReviewItem
    verdict: Verdict
    advice: Advice | None


def find_done(queue: ReviewQueue, item_key: str, person: Person, findings: Findings) -> Done | None:
    """Return the item decided just now, so that the next page can say so and offer to change it."""
    if not item_key:
        return None
    try:
        entry = queue.get_item(item_key)
    except UnknownIdError:
        return None
    own = next((vote for vote in reversed(standing(queue.history(item_key))) if vote.reviewer == person.name), None)
    return Done(entry.item, own, find_advice(queue, entry.item, own, findings)) if own else None


def _changes(old: ReviewItem, new: ReviewItem) -> list[tuple[str, list[show.Change]]]:
    texts = (
        ("Prompt", show.prompt_text(old.prompt), show.prompt_text(new.prompt)),
        ("Answer", old.answer, new.answer),
        ("Other answer", old.alternative, new.alternative),
    )
    return [(name, show.diff_words(before, after)) for name, before, after in texts if before != after]
