"""What the queue shows: which verdict counts for an item, which items are in which list, and what a caller gets back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from curation.errors import ItemWithdrawnError, LeaseLostError, UnknownIdError, VerdictConflictError, VerdictRefusedError
from curation.home import Home
from curation.records import Example, PreferencePair, ReviewItem, Verdict
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import QueueEntry, QueueSettings, ReviewQueue, list_recipes, open_queue
from curation.review.queue.vote import Vote, VoteDetails

ALL = ReviewConfig()
LENIENT = ReviewConfig(accept="automatic", automatic=("length",), overlap=2)


@pytest.fixture
def items(make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]) -> list[ReviewItem]:
    """Five examples in key order, then a pair."""
    examples = [make_example(number) for number in range(5)]
    found = build_items(examples, [make_pair(examples[0])], lambda _: "", ALL)
    return sorted(found, key=lambda item: (item.kind, item.key))


def by(reviewer: str, sequence: int = 1) -> Verdict:
    kind: Any = "automatic" if reviewer.startswith("automatic:") else "human"
    given = {"decision": "approve", "reason": "", "edited_answer": "", "created_at": ""}
    return Verdict(key="item", sequence=sequence, reviewer=reviewer, reviewer_kind=kind, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ({}, ""),
        ({"accept": "automatic"}, "machine"),
        ({"accept": "automatic", "state": "partial"}, ""),
        ({"accept": "automatic", "state": "disputed"}, ""),
        ({"human": True, "state": "decided"}, "human"),
        ({"human": True, "state": "decided", "accept": "automatic"}, "human"),
        ({"human": True, "accept": "automatic"}, "human"),
    ],
)
def test_an_automatic_verdict_counts_where_it_may_and_nobody_has_said_anything(
    items: list[ReviewItem], values: dict[str, Any], counts: str
) -> None:
    human, machine = by("Ada"), by("automatic:length v1", 2)
    given = values | {"human": human if values.get("human") else None}
    entry = QueueEntry(item=items[0], is_listed=True, opened_at="", automatic=machine, last_sequence=4, **given)
    assert entry.verdict == {"": None, "human": human, "machine": machine}[counts]
    assert entry.seen == 4


def vote_on(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    """Decide item 0, dispute 1, leave 2 half voted, give 2 and 3 an automatic verdict and 4 none, and withdraw the pair."""
    queue.sync_items(items, LENIENT)
    for name, decision in (("Ada", "approve"), ("Bob", "reject")):
        queue.submit(items[0].key, "approve", name)
        queue.submit(items[1].key, decision, name, reason="wrong")  # type: ignore[arg-type]
    queue.submit(items[2].key, "approve", "Ada")
    for item in items[2:4]:
        queue.submit(item.key, "approve", "automatic:length v1", "automatic")
    queue.sync_items(items[:5], LENIENT)


def places(entries: list[QueueEntry], items: list[ReviewItem]) -> list[int]:
    keys = [item.key for item in items]
    return [keys.index(entry.item.key) for entry in entries]


def test_each_list_holds_what_it_says(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    vote_on(queue, items)
    for status, expected in (("decided", [0, 3]), ("open", [1, 2, 4]), ("disputed", [1]), ("all", [0, 1, 2, 3, 4])):
        assert places(queue.list_items(status), items) == expected, status  # type: ignore[arg-type]
    assert places(queue.list_items("all", offset=1, limit=2), items) == [1, 2]
    assert queue.list_items("all", kind="pair") == []
    queue.sync_items(items[:5], ReviewConfig(overlap=2))
    assert places(queue.list_items("decided"), items) == [0]


def test_a_list_is_a_page_of_fifty(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    many = build_items([make_example(number) for number in range(52)], [], lambda _: "", ALL)
    queue.sync_items(many, ALL)
    assert [entry.item.key for entry in queue.list_items()] == [item.key for item in many[:50]]


def test_an_entry_tells_what_was_said_of_its_item(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    vote_on(queue, items)
    decided, disputed, partial, machine, fresh, gone = queue.get_items([item.key for item in items])
    assert [entry.state for entry in (decided, disputed, partial, machine, fresh)] == [
        "decided", "disputed", "partial", "open", "open",
    ]  # fmt: skip
    assert [entry.num_votes for entry in (decided, disputed, partial, machine, fresh)] == [2, 2, 1, 0, 0]
    assert [entry.last_sequence for entry in (decided, disputed, partial, machine, fresh)] == [3, 4, 5, 0, 0]
    assert [entry.is_listed for entry in (fresh, gone)] == [True, False]
    assert (decided.human, decided.automatic) == (queue.history(items[0].key)[-1], None)
    assert (machine.human, machine.automatic) == (None, queue.history(items[3].key)[0])
    assert (disputed.human, disputed.verdict, fresh.human, fresh.automatic) == (None, None, None, None)
    assert {entry.accept for entry in (decided, fresh)} == {"automatic"}
    assert (fresh.item, fresh.opened_at[:2]) == (items[4], "20")


def test_items_come_in_the_order_asked_for_or_not_at_all(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ALL)
    keys = [item.key for item in items]
    assert [entry.item.key for entry in queue.get_items(keys[::-1])] == keys[::-1]
    assert queue.get_item(keys[2]).item == items[2]
    assert queue.get_items([]) == []
    for missing in ([keys[0], "nowhere", "neither"], ["nowhere"]):
        with pytest.raises(UnknownIdError, match="nowhere"):
            queue.get_items(missing)
    with pytest.raises(UnknownIdError):
        ReviewQueue(queue.database, "another").get_items(keys)


def test_the_next_item_is_the_first_open_one_behind(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    vote_on(queue, items)
    keys = [item.key for item in items]

    def following(after: str | None, kind: str | None = None) -> int | None:
        entry = queue.next_item(after, kind=kind)
        return keys.index(entry.item.key) if entry else None

    assert [following(after) for after in (None, keys[1], keys[2], keys[4], keys[0])] == [1, 2, 4, 1, 1]
    assert (following(None, "example"), following(None, "pair")) == (1, None)


def test_the_last_decided_text_of_the_same_row_is_the_previous_one(
    queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    texts = ["first", "second", "third", "fourth"]
    versions = [build_items([make_example(1, text)], [], lambda _: "", ALL)[0] for text in texts]
    other_row = build_items([make_example(2, "elsewhere")], [], lambda _: "", ALL)[0]
    queue.sync_items([*versions, other_row], ALL)
    assert queue.previous_item(versions[3]) is None
    queue.submit(versions[0].key, "approve", "automatic:length v1", "automatic")
    assert queue.previous_item(versions[3]).item.answer == "first"  # type: ignore[union-attr]
    queue.submit(versions[2].key, "approve", "Ada")
    queue.submit(versions[1].key, "reject", "Ada", reason="wrong")
    queue.submit(versions[3].key, "approve", "Ada")
    queue.submit(other_row.key, "approve", "Ada")
    assert queue.previous_item(versions[3]).item.answer == "second"  # type: ignore[union-attr]
    assert queue.previous_item(versions[1]).item.answer == "fourth"  # type: ignore[union-attr]
    pair = make_pair(make_example(1))
    (of_pair,) = build_items([], [pair], lambda _: "", ALL)
    assert queue.previous_item(replace(of_pair, record_key=versions[0].record_key)) is None
    assert ReviewQueue(queue.database, "another").previous_item(versions[3]) is None


def test_every_fourth_item_is_drawn_at_random_whatever_else_was_asked(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ALL)
    origins: list[str] = []
    free = sa.text("UPDATE review_slots SET holder = NULL, expires_at = 0")
    for _ in range(3):
        origins.append(queue.claim("Ada").origin)  # type: ignore[union-attr]
        assert queue.claim("Bob", kind="example", after="x").origin == "priority"  # type: ignore[union-attr]
        queue.database.write(lambda connection: connection.execute(free))
    assert origins == ["priority"] * 3
    assert queue.claim("Cleo", item_key=items[0].key).origin == "chosen"  # type: ignore[union-attr]
    assert queue.claim("Ada").origin == "random"  # type: ignore[union-attr]
    assert queue.claim("Ada").origin == "priority"  # type: ignore[union-attr]


def test_a_verdict_is_returned_as_it_was_recorded(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ALL)
    details = VoteDetails(position="ab", strength=2)
    first = queue.submit(items[5].key, "prefer_a", "Ada", reason="clear", token="t", expected=0, details=details)
    assert (first.key, first.sequence, first.decision, first.reviewer) == (items[5].key, 1, "prefer_a", "Ada")
    assert (first.reviewer_kind, first.reason, first.role, first.supersedes) == ("human", "clear", "review", 0)
    assert VoteDetails.from_json(first.details) == details
    second = queue.submit(items[0].key, "edit", "Ada", "human", "wording", "better")
    assert (second.edited_answer, second.details) == ("better", "")
    undone = queue.undo(first, "Bob", "a slip", token="u")
    assert (undone.reviewer, undone.reason, undone.supersedes, undone.role) == ("Bob", "a slip", 1, "review")
    assert queue.undo(first, "Bob", "a slip", token="u") == undone
    assert queue.history(items[5].key) == [first, undone]
    assert queue.verdicts_after(0) == [first, second, undone]
    assert queue.verdicts_after(1, limit=1) == [second]
    assert queue.verdicts_after(3) == []


def test_an_adjudication_is_undone_as_one(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    vote_on(queue, items)
    verdict = queue.submit(items[1].key, "approve", "Dora", role="adjudication")
    assert queue.resolution(items[1].key).adjudication == verdict
    assert queue.undo(verdict, "Dora").role == "adjudication"
    assert queue.get_item(items[1].key).state == queue.resolution(items[1].key).state == "disputed"


def test_the_verdicts_that_count_follow_the_recipe(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    vote_on(queue, items)
    human, machine = queue.history(items[0].key)[-1], queue.history(items[3].key)[0]
    assert queue.current_verdicts() == {items[0].key: human}
    assert queue.current_verdicts("automatic") == {items[0].key: human, items[3].key: machine}
    wanted = [items[3].key, items[1].key]
    assert queue.current_verdicts("automatic", wanted) == {items[3].key: machine}
    assert queue.current_verdicts("human", []) == {}


def test_only_what_changes_the_outcome_moves_the_state(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    assert queue.state_sequence() == 0
    queue.sync_items(items, ReviewConfig(overlap=3))
    moved = []
    for name in ("Ada", "Bob", "Cleo"):
        queue.submit(items[0].key, "approve", name)
        moved.append(queue.state_sequence())
    queue.submit(items[1].key, "approve", "automatic:length v1", "automatic")
    assert [*moved, queue.state_sequence()] == [1, 1, 3, 4]


def test_settings_are_those_of_the_last_sync(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    assert queue.settings() == QueueSettings(policy="all", accept="human", rubric="", overlap=1, lease_seconds=600.0)
    config = ReviewConfig(
        policy="sample", accept="automatic", automatic=("length",), overlap=2, lease_minutes=3, rubric="Be kind."
    )
    queue.sync_items(items, config)
    assert queue.settings() == QueueSettings(
        policy="sample", accept="automatic", rubric="Be kind.", overlap=2, lease_seconds=180.0
    )
    ReviewQueue(queue.database, "a first one").sync_items(items, ALL)
    assert list_recipes(queue.database) == ["a first one", "demo"]


def test_a_queue_is_open_within_its_block(tmp_path: Path, items: list[ReviewItem], monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    home = Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="http://127.0.0.1:3001")
    monkeypatch.setattr(ReviewQueue, "close", lambda queue: closed.append(queue.recipe))
    with open_queue(home, "demo") as queue:
        queue.sync_items(items, ALL)
        verdict = queue.submit(items[0].key, "approve", "Ada")
        assert queue.audited_verdicts() == ([verdict], queue.verify_chain())
        assert closed == []
    assert closed == ["demo"]
    with pytest.raises(KeyError), open_queue(home, "other"):
        raise KeyError
    assert closed == ["demo", "other"]


def vote(item: ReviewItem, reviewer: str = "Ada", **values: Any) -> Vote:
    return Vote(**{"item_key": item.key, "decision": "approve", "reviewer": reviewer} | values)


def test_a_vote_on_a_state_that_is_gone_learns_who_was_first(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ReviewConfig(overlap=2))
    queue.submit(items[0].key, "approve", "Ada", expected=0)
    with pytest.raises(VerdictConflictError, match=r"Ada decided this item \(approve\)"):
        queue.submit(items[0].key, "reject", "Bob", reason="wrong", expected=0)
    with pytest.raises(VerdictConflictError, match=r"Nobody decided this item \(nothing\)"):
        queue.submit(items[1].key, "reject", "Bob", reason="wrong", expected=1)
    assert queue.submit(items[0].key, "approve", "Bob", expected=1).sequence == 2
    for expected in (0, 3):
        with pytest.raises(VerdictConflictError):
            queue.submit(items[2].key, "approve", "automatic:v1", "automatic", expected=expected or 7)
    assert queue.submit(items[2].key, "approve", "automatic:v1", "automatic", expected=0).sequence == 3


def test_votes_of_one_batch_see_each_other(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ALL)
    with pytest.raises(VerdictConflictError, match=r"Ada decided this item \(approve\)"):
        queue.record([vote(items[0]), vote(items[0], "Bob")])
    first, again, other = queue.record([vote(items[0], token="t"), vote(items[0], token="t"), vote(items[1], token="u")])
    assert (first, first.sequence, other.sequence) == (again, 1, 2)
    changed, back = queue.record([vote(items[0], decision="reject", reason="wrong"), vote(items[0])])
    assert (changed.supersedes, back.supersedes) == (1, 3)
    assert queue.counts().decisions == {"approve": 2}
    assert queue.verify_chain()
    assert queue.record([]) == []


@pytest.mark.parametrize(
    "other",
    [
        {"decision": "reject"},
        {"reviewer": "Bob"},
        {"reason": "another"},
        {"edited_answer": "x", "decision": "edit"},
        {"item_key": "elsewhere"},
    ],
)
def test_a_token_stands_for_one_vote(queue: ReviewQueue, items: list[ReviewItem], other: dict[str, Any]) -> None:
    queue.sync_items(items, ALL)
    given = {"reviewer": "Ada", "token": "t", "reason": "good"}
    verdict = queue.record([vote(items[0], **given)])[0]
    assert queue.record([vote(items[0], **given)]) == [verdict]
    with pytest.raises(VerdictRefusedError, match="already used for another decision"):
        queue.record([vote(items[0], **given | other)])
    assert queue.verdicts_after(0) == [verdict]


def test_votes_without_a_token_are_votes_of_their_own(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ALL)
    assert [queue.submit(items[0].key, "approve", "Ada").sequence for _ in range(2)] == [1, 2]


def test_what_is_not_in_the_queue_takes_no_vote(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    with pytest.raises(ItemWithdrawnError, match=items[0].key):
        queue.submit(items[0].key, "approve", "Ada")
    queue.sync_items(items[:1], ALL)
    lease = queue.claim("Ada")
    assert lease is not None
    queue.sync_items(items[1:], ALL)
    for reviewer, kind in (("Ada", "human"), ("automatic:v1", "automatic")):
        with pytest.raises(ItemWithdrawnError, match=items[0].key):
            queue.submit(items[0].key, "approve", reviewer, kind)  # type: ignore[arg-type]
    queue.sync_items(items[:1], ALL)
    with pytest.raises(LeaseLostError):
        queue.submit(items[0].key, "approve", "Ada", generation=lease.generation + 1)
    assert queue.submit(items[0].key, "approve", "Ada", generation=lease.generation).sequence == 1


@pytest.mark.slow
def test_many_items_are_voted_on_at_once(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    """More than one question to the database holds."""
    many = build_items([make_example(number) for number in range(501)], [], lambda _: "", ALL)
    queue.sync_items(many, ALL)
    votes = [vote(item, token=f"t{number}") for number, item in enumerate(many)]
    verdicts = queue.record(votes)
    assert [verdict.sequence for verdict in verdicts] == list(range(1, 502))
    assert queue.record(votes) == verdicts
    assert (queue.counts().num_open, queue.counts().decisions) == (0, {"approve": 501})


def test_the_very_first_verdict_is_shown_in_a_list(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ALL)
    first = queue.submit(items[0].key, "approve", "Ada")
    assert {entry.item.key: entry.human for entry in queue.list_items() if entry.human} == {items[0].key: first}
    assert queue.get_items([items[0].key, items[1].key])[0].human == first


def test_a_token_is_of_its_recipe(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    for each, reviewer in ((queue, "Ada"), (ReviewQueue(queue.database, "other"), "Bob")):
        each.sync_items(items, ALL)
        assert each.submit(items[0].key, "approve", reviewer, token="t").reviewer == reviewer
        assert each.submit(items[0].key, "approve", reviewer, token="t").sequence == 1


def test_two_undos_without_a_token_are_two(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ALL)
    verdicts = [queue.submit(item.key, "approve", "Ada") for item in items[:2]]
    undone = [queue.undo(verdict, "Ada") for verdict in verdicts]
    assert [(entry.supersedes, entry.reason) for entry in undone] == [(1, ""), (2, "")]
