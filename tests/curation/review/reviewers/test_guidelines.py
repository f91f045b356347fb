"""Guidelines are added to and never changed; two authors cannot write over each other; cases belong to items."""

from collections.abc import Callable

import pytest

from curation.errors import UnknownIdError
from curation.records import ReviewItem
from curation.review.config import ReviewConfig
from curation.review.errors import GuidelineRefusedError
from curation.review.queue import ReviewQueue
from curation.review.reviewers.guidelines import add_version, link_case, list_cases, list_versions, newest_version

pytestmark = pytest.mark.slow

MakeItems = Callable[..., list[ReviewItem]]


def test_versions_follow_on_each_other_and_stay(queue: ReviewQueue) -> None:
    assert newest_version(queue) is None
    first = add_version(queue, "# One", by="Lea", based_on=0)
    second = add_version(queue, "# Two", by="Max", note="shorter", based_on=1)
    assert (first.version, second.version, second.author, second.note) == (1, 2, "Max", "shorter")
    assert newest_version(queue) == second
    assert list_versions(queue) == [second, first]
    assert list_versions(ReviewQueue(queue.database, "other")) == []


def test_nobody_writes_over_what_they_have_not_seen(queue: ReviewQueue) -> None:
    add_version(queue, "# One", by="Lea")
    with pytest.raises(GuidelineRefusedError, match="version 1 by Lea"):
        add_version(queue, "# Mine", by="Max", based_on=0)
    assert [version.text for version in list_versions(queue)] == ["# One"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "empty"), (" \n", "empty"), ("# One", "same"), ("a\0b", "NUL"), ("\ud800", "NUL"), ("x" * 200_001, "200,001")],
)
def test_what_is_refused(queue: ReviewQueue, text: str, problem: str) -> None:
    add_version(queue, "# One", by="Lea")
    with pytest.raises(GuidelineRefusedError, match=problem):
        add_version(queue, text, by="Lea")
    assert len(list_versions(queue)) == 1


def test_cases(queue: ReviewQueue, make_items: MakeItems) -> None:
    items = make_items(2)
    queue.sync_items(items, ReviewConfig())
    first = link_case(queue, items[0].key, "No unit: edit.", by="Lea")
    add_version(queue, "# One", by="Lea")
    second = link_case(queue, items[1].key, "Wrong unit: reject.", by="Max")
    third = link_case(queue, items[0].key, "See also rule 2.", by="Max")
    assert [(case.number, case.version) for case in (first, second, third)] == [(1, 0), (2, 1), (3, 1)]
    assert list_cases(queue) == [third, second, first]
    assert list_cases(queue, items[0].key) == [third, first]
    with pytest.raises(UnknownIdError):
        link_case(queue, "0" * 32, "x", by="Lea")
    with pytest.raises(GuidelineRefusedError, match="empty"):
        link_case(queue, items[0].key, " ", by="Lea")


def test_a_case_outlives_its_item(queue: ReviewQueue, make_items: MakeItems) -> None:
    items = make_items(1)
    queue.sync_items(items, ReviewConfig())
    link_case(queue, items[0].key, "Gone, but instructive.", by="Lea")
    queue.sync_items([], ReviewConfig())
    assert [case.item_key for case in list_cases(queue)] == [items[0].key]
    assert not queue.get_item(items[0].key).is_listed
