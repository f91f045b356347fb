"""Bulk actions: what was previewed is what is done, once, whatever happens in between; and all of it can be undone."""

import time
from collections.abc import Callable, Iterator

import pytest

from curation.database import Database
from curation.errors import UnknownIdError
from curation.records import Example, PreferencePair, ReviewItem
from curation.review import bulk as bulk_module
from curation.review import schema
from curation.review.bulk import Bulk, Plan
from curation.review.config import ReviewConfig
from curation.review.errors import BulkRefusedError
from curation.review.items import build_items
from curation.review.queue import ReviewQueue

pytestmark = pytest.mark.slow

REJECT = Plan(person="Lea", decision="reject", reason="format: no JSON", query="word")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def both(request: pytest.FixtureRequest) -> Iterator[ReviewQueue]:
    if request.param == "sqlite":
        yield request.getfixturevalue("queue")
        return
    database = Database.open(request.getfixturevalue("postgres_url"), concern="review", migrations=schema.MIGRATIONS)
    yield ReviewQueue(database, "demo")
    database.close()


@pytest.fixture
def fill(make_example: Callable[..., Example]) -> Callable[..., list[ReviewItem]]:
    def put(queue: ReviewQueue, num: int, config: ReviewConfig | None = None) -> list[ReviewItem]:
        items = build_items([make_example(number) for number in range(num)], [], lambda _: "", config or ReviewConfig())
        queue.sync_items(items, config or ReviewConfig())
        return items

    return put


def keys_of(items: list[ReviewItem]) -> list[str]:
    return [item.key for item in items]


def test_what_was_previewed_is_done_once_and_undone(both: ReviewQueue, fill: Callable[..., list[ReviewItem]]) -> None:
    items = fill(both, 7)
    bulk = Bulk(both)
    preview = bulk.preview(keys_of(items), REJECT)
    assert (preview.num_items, preview.left_out, preview.num_done, preview.started_at) == (7, {}, 0, "")
    assert bulk.sample(preview.id, limit=3) == sorted(keys_of(items))[:3]
    assert both.counts().num_open == 7
    assert bulk.list_done() == []

    action = bulk.run(preview.id, preview.token, "Lea")
    assert (action.num_done, action.first_sequence, action.last_sequence) == (7, 1, 7)
    assert action.done_at
    assert both.counts().decisions == {"reject": 7}
    verdict = both.history(items[0].key)[0]
    assert (verdict.reviewer, verdict.decision, verdict.reason, verdict.role) == ("Lea", "reject", "format: no JSON", "review")
    assert bulk.run(preview.id, preview.token, "Lea") == action
    assert len(both.verdicts_after(0)) == 7

    undone = bulk.undo(preview.id, "Max")
    assert (undone.num_undone, undone.undone_by) == (7, "Max")
    assert both.counts().num_open == 7
    assert bulk.undo(preview.id, "Max") == undone
    assert len(both.verdicts_after(0)) == 14
    assert [action.id for action in bulk.list_done()] == [preview.id]
    with pytest.raises(BulkRefusedError, match="was undone"):
        bulk.run(preview.id, preview.token, "Lea")
    both.verify_chain()


def test_items_that_this_person_cannot_decide_are_left_out(
    both: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    examples = [make_example(number) for number in range(5)]
    items = build_items(examples, [make_pair(examples[0])], lambda _: "", ReviewConfig())
    both.sync_items(items, ReviewConfig())
    one = [item.key for item in items if item.kind == "example"]
    pair = next(item.key for item in items if item.kind == "pair")
    both.submit(one[0], "approve", "Ada")
    both.submit(one[1], "approve", "Lea")
    assert both.claim("Ada", item_key=one[2])
    assert both.claim("Lea", item_key=one[3])
    gone = "0" * 32
    preview = Bulk(both).preview([*one, pair, gone], REJECT)
    assert preview.left_out == {"decided": 1, "yours": 1, "leased": 1, "kind": 1, "withdrawn": 1}
    assert Bulk(both).sample(preview.id) == sorted([one[3], one[4]])
    assert Bulk(both).run(preview.id, preview.token, "Lea").num_done == 2


def test_items_that_changed_after_the_preview_are_left_alone(both: ReviewQueue, fill: Callable[..., list[ReviewItem]]) -> None:
    items = fill(both, 4)
    preview = Bulk(both).preview(keys_of(items), REJECT)
    both.submit(items[0].key, "approve", "Ada")
    assert both.claim("Ada", item_key=items[1].key)
    both.sync_items(items[:3], ReviewConfig())
    action = Bulk(both).run(preview.id, preview.token, "Lea")
    assert (action.num_done, action.left_out) == (1, {"changed": 3})
    assert both.get_item(items[0].key).verdict.decision == "approve"


def test_undo_skips_what_changed_since(both: ReviewQueue, fill: Callable[..., list[ReviewItem]]) -> None:
    items = fill(both, 3)
    preview = Bulk(both).preview(keys_of(items), REJECT)
    Bulk(both).run(preview.id, preview.token, "Lea")
    both.submit(items[0].key, "approve", "Lea")
    both.undo(both.history(items[1].key)[0], "Lea")
    undone = Bulk(both).undo(preview.id, "Lea")
    assert (undone.num_done, undone.num_undone) == (3, 1)
    assert both.get_item(items[0].key).verdict.decision == "approve"
    assert both.get_item(items[2].key).verdict is None


def test_a_bulk_vote_takes_one_slot_of_an_overlap(both: ReviewQueue, fill: Callable[..., list[ReviewItem]]) -> None:
    items = fill(both, 3, ReviewConfig(overlap=2))
    both.submit(items[0].key, "approve", "Ada")
    preview = Bulk(both).preview(keys_of(items), REJECT)
    Bulk(both).run(preview.id, preview.token, "Lea")
    assert [both.get_item(item.key).state for item in items] == ["disputed", "partial", "partial"]
    with pytest.raises(BulkRefusedError, match="3 you have voted"):
        Bulk(both).preview(keys_of(items), REJECT)


def test_a_crash_in_the_middle_is_made_good_by_pressing_again(
    both: ReviewQueue, fill: Callable[..., list[ReviewItem]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_module, "PART", 2)
    items = fill(both, 7)
    bulk = Bulk(both)
    preview = bulk.preview(keys_of(items), REJECT)
    whole, calls = bulk_module.append_votes, []

    def crash(*given: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise OSError("power cut")
        return whole(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(bulk_module, "append_votes", crash)
    with pytest.raises(OSError, match="power cut"):
        bulk.run(preview.id, preview.token, "Lea")
    broken = bulk.get(preview.id)
    assert (broken.num_done, broken.done_at) == (4, "")
    action = bulk.run(preview.id, preview.token, "Lea")
    assert (action.num_done, action.first_sequence, action.last_sequence) == (7, 1, 7)
    assert len(both.verdicts_after(0)) == 7

    calls[:] = [1, 1]
    with pytest.raises(OSError, match="power cut"):
        bulk.undo(preview.id, "Lea")
    assert bulk.undo(preview.id, "Lea").num_undone == 7
    assert len(both.verdicts_after(0)) == 14


def test_what_is_refused(queue: ReviewQueue, fill: Callable[..., list[ReviewItem]]) -> None:
    items = fill(queue, 2)
    bulk = Bulk(queue)
    preview = bulk.preview(keys_of(items), REJECT)
    with pytest.raises(BulkRefusedError, match="not what was previewed"):
        bulk.run(preview.id, "0" * 32, "Lea")
    with pytest.raises(UnknownIdError):
        bulk.run("0" * 32, preview.token, "Lea")
    with pytest.raises(BulkRefusedError, match="Lea has previewed this"):
        bulk.run(preview.id, preview.token, "Max")
    with pytest.raises(BulkRefusedError, match="say why"):
        bulk.preview(keys_of(items), Plan(person="Lea", decision="reject"))
    with pytest.raises(BulkRefusedError, match="cannot be given"):
        bulk.preview(keys_of(items), Plan(person="Lea", decision="edit"))
    with pytest.raises(BulkRefusedError, match="more than 10,000"):
        bulk.preview([f"{number:032x}" for number in range(10_001)], REJECT)
    with pytest.raises(BulkRefusedError, match="never confirmed"):
        bulk.undo(preview.id, "Lea")
    with pytest.raises(BulkRefusedError, match="there are none"):
        bulk.preview([], REJECT)


def test_a_list_that_was_tampered_with_is_refused(queue: ReviewQueue, fill: Callable[..., list[ReviewItem]]) -> None:
    items = fill(queue, 3)
    preview = Bulk(queue).preview(keys_of(items[:2]), REJECT)
    extra = {"recipe": "demo", "bulk_id": preview.id, "item_key": items[2].key}
    queue.database.write(lambda connection: connection.execute(bulk_module.bulk_items.insert(), extra))
    with pytest.raises(BulkRefusedError, match="not what was previewed"):
        Bulk(queue).run(preview.id, preview.token, "Lea")


def test_previews_that_nobody_confirmed_go_after_a_day(queue: ReviewQueue, fill: Callable[..., list[ReviewItem]]) -> None:
    items = fill(queue, 2)
    old = Bulk(queue).preview(keys_of(items), REJECT)
    table = bulk_module.bulk
    queue.database.write(lambda connection: connection.execute(table.update().values(previewed_at="2020-01-01T00:00:00+00:00")))
    Bulk(queue).preview(keys_of(items), REJECT)
    with pytest.raises(UnknownIdError):
        Bulk(queue).get(old.id)


@pytest.mark.slow
def test_a_thousand_items_cost_seconds_of_work_and_not_minutes(
    both: ReviewQueue, fill: Callable[..., list[ReviewItem]]
) -> None:
    items = fill(both, 1_000)
    started = time.process_time()
    preview = Bulk(both).preview(keys_of(items), REJECT)
    assert Bulk(both).run(preview.id, preview.token, "Lea").num_done == 1_000
    assert time.process_time() - started < 30


def test_what_is_undone_while_it_still_runs_goes_no_further(
    both: ReviewQueue, fill: Callable[..., list[ReviewItem]], monkeypatch: pytest.MonkeyPatch
) -> None:
    items = fill(both, 6)
    bulk = Bulk(both)
    preview = bulk.preview(keys_of(items), REJECT)
    monkeypatch.setattr(bulk_module, "PART", 2)
    keep = bulk._try

    def keep_and_undo(work: Callable[..., None]) -> None:
        keep(work)
        Bulk(both).undo(preview.id, "Lea")  # somebody presses the button on another page

    monkeypatch.setattr(bulk, "_try", keep_and_undo)
    action = bulk.run(preview.id, preview.token, "Lea")
    assert (action.num_done, action.num_undone, action.done_at) == (2, 2, "")
    assert both.counts().num_open == 6
    with pytest.raises(BulkRefusedError, match="was undone"):
        Bulk(both).run(preview.id, preview.token, "Lea")
