"""Finding items: the same on both databases, page by page, and never more than was asked for."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.database import Database
from curation.records import Example, Message, Provenance, ReviewItem
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.search import find, index
from curation.review.search.find import SORTS, Page, find_all, find_items
from curation.review.search.index import estimate_cost, first_id
from curation.review.search.query import Term, parse_query

pytestmark = pytest.mark.slow

Fill = Callable[..., list[ReviewItem]]
ONLY = ["1" * 32]
ANSWERS = [
    "Trim white space.",
    "white elephants trim space",
    "Größe im Café 東京タワー",
    "привет мир",
    "date_parser 3.5",
    "no words: white",
]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def both(request: pytest.FixtureRequest) -> Iterator[ReviewQueue]:
    if request.param == "sqlite":
        yield request.getfixturevalue("queue")
        return
    database = Database.open(request.getfixturevalue("postgres_url"), concern="review", migrations=schema.MIGRATIONS)
    yield ReviewQueue(database, "demo")
    database.close()


def search(queue: ReviewQueue, text: str, **options: object) -> Page:
    with queue.database.read() as connection:
        return find_items(connection, queue.recipe, parse_query(text), **options)  # type: ignore[arg-type]


def numbers(queue: ReviewQueue, text: str, items: list[ReviewItem], **options: object) -> list[int]:
    order = {item.key: number for number, item in enumerate(items)}
    return [order[hit.item_key] for hit in search(queue, text, **options).hits]


def test_words_phrases_negation_prefix_and_scripts(both: ReviewQueue, fill: Fill) -> None:
    items = fill(both, ANSWERS)
    for text, expected in (
        ("white", [5, 1, 0]),
        ("WHITE space", [1, 0]),
        ('"white space"', [0]),
        ("white -elephants", [5, 0]),
        ("-white", [4, 3, 2]),
        ("grosse", [2]),
        ("GRÖSSE cafe", [2]),
        ("東京", [2]),
        ("京タ", [2]),
        ("東タ", []),
        ("Привет", [3]),
        ("date", [4]),
        ("date_parser", [4]),
        ("pars*", [4]),
        ("pars", []),
        ("3.5", [4]),
        ("api/f3#routing/0", [3]),
        ("source", [5, 4, 3, 2, 1, 0]),
        ("", [5, 4, 3, 2, 1, 0]),
        ("!!!", [5, 4, 3, 2, 1, 0]),
        ("task:routing white", [5, 1, 0]),
        ("task:other", []),
        ("-task:routing", []),
        ("kind:pair", []),
        ("state:bogus", []),
        ("after:2020-01-01 trim", [1, 0]),
        ("before:2020-01-01", []),
    ):
        assert numbers(both, text, items) == expected, text
    assert numbers(both, "white", items, sort="oldest") == [0, 1, 5]


def test_filters_follow_what_was_decided(both: ReviewQueue, fill: Fill) -> None:
    items = fill(both, ANSWERS)
    both.submit(items[0].key, "approve", "Ada")
    both.submit(items[1].key, "reject", "Bob", reason="wrong: no")
    both.submit(items[2].key, "reject", "Bob", reason="unclear,private: wrong, all of it")
    both.submit(items[5].key, "reject", "Ada Byron", reason="format")
    for text, expected in (
        ("state:open", [4, 3]),
        ("state:decided white", [5, 1, 0]),
        ("state:open state:decided white", [5, 1, 0]),
        ("decision:reject", [5, 2, 1]),
        ("decision:reject decision:approve white", [5, 1, 0]),
        ("decision:none", [4, 3]),
        ("-decision:reject", [4, 3, 0]),
        ("reviewer:Bob", [2, 1]),
        ("reviewer:Bob white", [1]),
        ("-reviewer:Bob state:decided", [5, 0]),
        ('reviewer:"Ada Byron"', [5]),
        ("reason:wrong", [1]),
        ("reason:private", [2]),
        ("reason:unclear", [2]),
        ("reason:all", []),
        ("reason:wrong state:open", []),
        ("reason:wrong reason:format", [5, 1]),
        ("-reason:wrong decision:reject", [5, 2]),
    ):
        assert numbers(both, text, items) == expected, text


def test_pages_hold_every_hit_once_in_every_order(both: ReviewQueue, fill: Fill, make_example: Callable[..., Example]) -> None:
    items = fill(both, [f"word {number % 3}" for number in range(23)])
    both.sync_items(items, ReviewConfig(), {item.key: float(number % 4) for number, item in enumerate(items)})
    for sort in SORTS:
        for text in ("word", "", "state:open", "word state:open", "-nothing"):
            seen: list[str] = []
            after = ""
            while True:
                page = search(both, text, sort=sort, after=after, limit=5)
                seen += [hit.item_key for hit in page.hits]
                after = page.next
                if not after:
                    break
            assert sorted(seen) == sorted(item.key for item in items), (sort, text)
            ranks = [float(items.index(next(item for item in items if item.key == key)) % 4) for key in seen]
            assert sort != "priority" or ranks == sorted(ranks, reverse=True)


def test_the_best_match_comes_first(both: ReviewQueue, fill: Fill) -> None:
    items = fill(both, ["trim trim trim", "trim spaces", "spaces here", "trim", "trim spaces, trim spaces", "nothing"])
    assert numbers(both, "trim", items)[-1] == 0
    assert numbers(both, "trim", items, sort="relevance")[0] == 0
    assert numbers(both, "spaces trim", items, sort="relevance") == [4, 1]
    assert numbers(both, "-trim", items, sort="relevance") == [5, 2], "without words there is nothing to match: newest first"
    both.submit(items[1].key, "approve", "Ada")
    both.submit(items[4].key, "approve", "Ada")
    assert numbers(both, "trim state:decided", items, sort="relevance") == [4, 1]
    assert numbers(both, "trim trim trim trim trim trim trim trim spaces -here", items, sort="relevance") == [4, 1]
    assert search(both, "trim", sort="relevance", budget=2).is_cut, "of very many hits the newest are ranked"


def test_words_of_too_many_items_are_not_weighed(queue: ReviewQueue, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of them after the rarer words is the order of arrival."""
    texts = ["trim word", "word word word word", "trim trim trim word", "trim word word word", *["word"] * 6]
    items = fill(queue, texts)
    assert numbers(queue, "trim word", items, sort="relevance")[0] == 2
    monkeypatch.setattr(find, "_COUNTED_HITS", 12)
    assert numbers(queue, "word", items, sort="relevance")[0] == 1
    monkeypatch.setattr(find, "_COUNTED_HITS", 9)
    assert numbers(queue, "word", items, sort="relevance") == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0], "ten items hold it"
    assert numbers(queue, "trim word", items, sort="relevance")[0] == 2, "three items hold trim"
    monkeypatch.setattr(find, "_COUNTED_HITS", 2)
    assert numbers(queue, "trim word", items, sort="relevance") == [3, 2, 0]


def test_hits_are_estimated_by_how_dense_the_newest_are(
    queue: ReviewQueue, fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(queue, ["often" if number % 2 else "often seldom" if number % 10 == 0 else "other" for number in range(100)])

    def estimate(word: str) -> int:
        with queue.database.read() as connection:
            return estimate_cost(connection, Term(words=tuple(word.split())), first_id(connection, "demo"), 100)

    assert (estimate("often"), estimate("seldom"), estimate("never")) == (60, 10, 0)
    assert (estimate("often seldom"), estimate("seldom other often")) == (10, 10), (
        "a phrase is looked for where its rarest word is"
    )
    monkeypatch.setattr(index, "_PROBE", 20)
    assert 50 <= estimate("often") <= 70
    assert estimate("seldom") == 10


def put_in_lots(queue: ReviewQueue, lots: dict[str, str]) -> None:
    one = schema.items.update().where(schema.items.c.item_key == sa.bindparam("key")).values(lot=sa.bindparam("name"))
    queue.database.write(lambda connection: connection.execute(one, [{"key": key, "name": lots[key]} for key in lots]))


def test_items_of_a_lot_are_found_without_a_walk_through_the_others(both: ReviewQueue, fill: Fill) -> None:
    items = fill(both, [f"word {number}" for number in range(20)])
    put_in_lots(both, {items[1].key: "a/1", items[3].key: "a/1", items[4].key: "b/1"})
    for sort, expected in (("newest", [3, 1]), ("oldest", [1, 3]), ("priority", [3, 1]), ("relevance", [3, 1])):
        assert numbers(both, "lot:a/1", items, sort=sort, budget=3) == expected
        assert numbers(both, "word lot:a/1", items, sort=sort, budget=3) == expected
    assert numbers(both, "lot:a/1 lot:b/1", items, budget=4) == [4, 3, 1]
    assert numbers(both, "lot:c/1", items, budget=3) == []
    assert numbers(both, "-lot:a/1 word", items)[-2:] == [2, 0]


def test_a_page_that_looked_at_enough_says_so_and_goes_on(queue: ReviewQueue, fill: Fill) -> None:
    items = fill(queue, [f"word {number}" for number in range(30)])
    queue.submit(items[2].key, "reject", "Ada", reason="wrong")
    page = search(queue, "word -decision:none", budget=10)
    assert page.hits == []
    assert page.is_cut
    pages = [page]
    while pages[-1].next:
        pages.append(search(queue, "word -decision:none", budget=10, after=pages[-1].next))
    assert [hit.item_key for page in pages for hit in page.hits] == [items[2].key]
    assert not pages[-1].is_cut


def test_withdrawn_items_are_found_only_when_asked_for(both: ReviewQueue, fill: Fill) -> None:
    items = fill(both, ["one word", "two word"])
    both.sync_items(items[:1], ReviewConfig())
    assert numbers(both, "word", items) == [0]
    assert numbers(both, "state:withdrawn", items) == [1]
    assert numbers(both, "state:withdrawn state:open word", items) == [1, 0]
    both.sync_items(items, ReviewConfig())
    assert numbers(both, "word", items) == [1, 0]


def test_a_row_that_was_renamed_is_found_under_its_new_name_only(
    both: ReviewQueue, make_example: Callable[..., Example]
) -> None:
    import dataclasses

    item = build_items([make_example(1)], [], lambda _: "", ReviewConfig())[0]
    both.sync_items([item], ReviewConfig())
    assert search(both, "f1").hits
    both.sync_items([dataclasses.replace(item, record_key="api/zebra#routing/0")], ReviewConfig())
    assert search(both, "zebra").hits
    assert search(both, '"api f1"').hits == []


def test_recipes_do_not_see_each_other(database: Database, fill: Fill) -> None:
    one, two = ReviewQueue(database, "one"), ReviewQueue(database, "two")
    first, second = fill(one, ["apple pie"]), fill(two, ["apple cake"])
    assert [hit.item_key for hit in search(one, "apple").hits] == [first[0].key]
    assert [hit.item_key for hit in search(two, "apple").hits] == [second[0].key]


def test_all_hits(queue: ReviewQueue, fill: Fill) -> None:
    items = fill(queue, [f"word {number}" for number in range(130)])
    with queue.database.read() as connection:
        assert find_all(connection, "demo", parse_query("word"), limit=1000) == [item.key for item in reversed(items)]
        assert len(find_all(connection, "demo", parse_query("word"), limit=7)) == 7
        assert find_all(connection, "demo", parse_query("word state:bogus"), limit=7) == []


@given(text=st.text(max_size=40), after=st.text(max_size=12))
@settings(max_examples=30)
def test_nothing_that_is_typed_is_an_error(one_item: ReviewQueue, text: str, after: str) -> None:
    """Whatever comes in, the answer is the one item that there is, or nothing."""
    for sort in SORTS:
        page = search(one_item, text, sort=sort, after=after)
        assert [hit.item_key for hit in page.hits] in ([], ONLY), (text, sort, after)
    assert [hit.item_key for hit in search(one_item, "").hits] == ONLY


@pytest.fixture(scope="module")
def one_item(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewQueue]:
    database = Database.open(tmp_path_factory.mktemp("one") / "review.db", concern="review", migrations=schema.MIGRATIONS)
    queue = ReviewQueue(database, "demo")
    provenance = Provenance(origin="human", method="qa")
    item = ReviewItem(
        key=ONLY[0], kind="example", prompt=(Message(role="user", content="one?"),), answer="word", alternative="",
        rubric_version="", record_key="demo/1", record_hash="", evidence=(), task="qa", provenance=provenance, missing_spans=(),
    )  # fmt: skip
    queue.sync_items([item], ReviewConfig())
    yield queue
    database.close()


def test_reasons_are_found_once_all_have_voted(both: ReviewQueue, fill: Fill) -> None:
    items = fill(both, ["one word"])
    both.sync_items(items, ReviewConfig(overlap=2))
    both.submit(items[0].key, "reject", "Ada", reason="wrong")
    assert numbers(both, "reason:wrong", items) == []
    both.submit(items[0].key, "reject", "Bob", reason="format")
    assert numbers(both, "reason:wrong", items) == [0]
