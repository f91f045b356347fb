"""Automatic reviewers: simple rules that vote, and say in every verdict that they are automatic.

    run_automatic_reviewers(queue, items, config)      # AutomaticReport(num_votes=500, num_rejected=12, num_kept=0)

One combined verdict an item: rejected with the first rule that fails as the reason, else approved (a pair: preferred as
it stands; its rejected answer may be bad in any way). Nothing is recorded where the newest automatic verdict already
says the same, so running it again adds nothing.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from curation.records import Decision, ReviewItem
from curation.review.config import ReviewConfig, Rule
from curation.review.queue import ReviewQueue
from curation.review.queue.vote import Vote

RULES_VERSION = 1
"""Raise it when a rule changes: every item is then voted on again."""

MIN_ANSWER_CHARS = 1
MAX_ANSWER_CHARS = 20_000
MIN_GROUNDED_SHARE = 0.6
"""Share of the distinct content words of a grounded answer that have to stand in its evidence."""

_BATCH = 5_000
_DEPTH_OF_HUMAN_ANSWERS = {"example": 0, "task": 0, "pair": 1}
"""A pair is one generation deeper than the example whose answer it prefers."""
_WORD = re.compile(r"\w+")
_FUNCTION_WORDS = frozenset(
    _WORD.findall(
        "a an and are as at be but by can for from has have if in into is it its no not of on or so than that the their"
        " then there these they this to was were when which will with you your"
    )
)


@dataclass(frozen=True, kw_only=True)
class AutomaticReport:
    """What a run of the automatic reviewers did."""

    num_votes: int
    """Verdicts recorded now."""
    num_rejected: int
    """Items that a rule rejects, recorded now or before."""
    num_kept: int
    """Items whose newest automatic verdict already said the same."""


def run_automatic_reviewers(queue: ReviewQueue, items: Sequence[ReviewItem], config: ReviewConfig) -> AutomaticReport:
    """Vote on every item by the rules of the recipe. The items have to be in the queue (see `sync_items`).

    Raises:
        ItemWithdrawnError: if an item is not in the queue.
        DatabaseError: if the votes cannot be stored.
    """
    if not config.automatic:
        return AutomaticReport(num_votes=0, num_rejected=0, num_kept=0)
    json_tasks = _json_tasks(items)
    newest = {verdict.key: verdict for verdict in queue.verdicts_after(0) if verdict.reviewer_kind == "automatic"}
    votes = [_vote(item, config.automatic, json_tasks) for item in items]
    fresh = [vote for vote in votes if _said(newest.get(vote.item_key)) != _said(vote)]
    for start in range(0, len(fresh), _BATCH):
        queue.record(fresh[start : start + _BATCH])
    num_rejected = sum(vote.decision in ("reject", "both_bad") for vote in votes)
    return AutomaticReport(num_votes=len(fresh), num_rejected=num_rejected, num_kept=len(votes) - len(fresh))


def _said(verdict: object) -> tuple[object, ...]:
    return tuple(getattr(verdict, name, None) for name in ("decision", "reviewer", "reason"))


def _vote(item: ReviewItem, rules: tuple[Rule, ...], json_tasks: frozenset[str]) -> Vote:
    problems = {rule: _RULES[rule](item, json_tasks) for rule in rules}
    failed = next((rule for rule in rules if problems[rule]), None)
    accepted: Decision = "prefer_a" if item.kind == "pair" else "approve"
    refused: Decision = "both_bad" if item.kind == "pair" else "reject"
    return Vote(
        item_key=item.key,
        decision=refused if failed else accepted,
        reviewer=f"automatic:{failed or '+'.join(rules)} v{RULES_VERSION}",
        reviewer_kind="automatic",
        reason=f"{failed}: {problems[failed]}" if failed else "",
    )


def _check_source_span(item: ReviewItem, _: frozenset[str]) -> str:
    """An answer that a teacher wrote needs evidence, and the words of a grounded one have to stand in it."""
    if item.provenance.generation_depth <= _DEPTH_OF_HUMAN_ANSWERS[item.kind]:
        return ""
    if not any(passage.strip() for passage in item.evidence):
        return "no source passage is cited"
    if "grounded" not in item.provenance.method and "grounded" not in item.task:
        return ""
    wanted = content_words(item.answer)
    found = wanted & content_words(" ".join(item.evidence))
    if len(found) >= MIN_GROUNDED_SHARE * len(wanted):
        return ""
    return f"only {len(found)} of the {len(wanted)} words of the answer stand in its source"


def _check_answer_format(item: ReviewItem, json_tasks: frozenset[str]) -> str:
    return "the answers of this task are JSON, this one is not" if item.task in json_tasks and not _is_json(item.answer) else ""


def _check_length(item: ReviewItem, _: frozenset[str]) -> str:
    num_chars = len(item.answer.strip())
    if MIN_ANSWER_CHARS <= num_chars <= MAX_ANSWER_CHARS:
        return ""
    return f"the answer has {num_chars} characters, not {MIN_ANSWER_CHARS} to {MAX_ANSWER_CHARS}"


_RULES: dict[Rule, Callable[[ReviewItem, frozenset[str]], str]] = {
    "source_span": _check_source_span,
    "answer_format": _check_answer_format,
    "length": _check_length,
}


def _json_tasks(items: Sequence[ReviewItem]) -> frozenset[str]:
    """Return the tasks most of whose answers are JSON objects or arrays."""
    answers: dict[str, list[bool]] = {}
    for item in items:
        answers.setdefault(item.task, []).append(_is_json(item.answer))
    return frozenset(task for task, parsed in answers.items() if sum(parsed) * 2 > len(parsed))


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def content_words(text: str) -> set[str]:
    """Return the distinct words of a text in lower case, without function words."""
    return {word for word in _WORD.findall(text.casefold()) if word not in _FUNCTION_WORDS}
