"""What an item cost, in words, and that the ledger is read only when somebody asks."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from curation.records import Example, ReviewItem
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.web.app import create_app
from curation.review.web.cost_routes import as_usd, tell_cost
from curation.review.web.site import OnePerson
from curation.synthesis.ledger.call_costs import CostOfCalls


class Told:
    """Says what the test wants, and counts how often it is asked."""

    def __init__(self, found: CostOfCalls | None) -> None:
        self.found = found
        self.num_asked = 0

    def read(self, request_ids: Sequence[str]) -> CostOfCalls | None:
        self.num_asked += 1
        return self.found


def known(num_calls: int, num_known: int, cost: str) -> CostOfCalls:
    return CostOfCalls(num_calls=num_calls, num_known=num_known, num_tokens=1200 * num_known, cost_usd=Decimal(cost))


@pytest.fixture
def item(make_example: Callable[..., Example]) -> ReviewItem:
    example = make_example(0)
    made = replace(example, provenance=replace(example.provenance, request_ids=("0" * 32, "<script>")))
    return build_items([made], [], lambda _: "", ReviewConfig())[0]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "unknown: the ledger of calls cannot be read from here"),
        (known(2, 0, "0"), "unknown: the ledger does not hold the 2 calls that it came of"),
        (known(2, 2, "0.0213"), "$0.0213 in 2 calls, 2,400 tokens. A call may have given other rows, too."),
        (known(1, 1, "0"), "$0.0000 in 1 call, 1,200 tokens. A call may have given other rows, too."),
        (
            known(2, 1, "0.5"),
            "at least $0.5000 in 2 calls, 1,200 tokens; 1 not in the ledger. A call may have given other rows, too.",
        ),
    ],
)
def test_what_is_not_known_is_not_said_to_be_nothing(item: ReviewItem, found: CostOfCalls | None, words: str) -> None:
    assert tell_cost(item, Told(found)) == words


def test_an_item_without_calls_cost_nothing_whatever_the_ledger_says(item: ReviewItem) -> None:
    free = replace(item, provenance=replace(item.provenance, request_ids=()))
    assert tell_cost(free, None).startswith("nothing")
    assert tell_cost(item, None).startswith("unknown")


def test_sums_of_money() -> None:
    amounts = ("0", "0.00001", "0.0001", "0.12345", "1234.5")
    assert [as_usd(Decimal(amount)) for amount in amounts] == [
        "$0.0000",
        "less than $0.0001",
        "$0.0001",
        "$0.1234",
        "$1,234.50",
    ]


def test_the_ledger_is_read_when_the_panel_asks_and_not_before(queue: ReviewQueue, item: ReviewItem) -> None:
    queue.sync_items([item], ReviewConfig())
    told = Told(known(2, 2, "0.0213"))
    app = create_app({"demo": queue}, OnePerson(Person(name="Ada", role="reviewer")), costs=told)
    with TestClient(app, base_url="http://127.0.0.1:3001") as client:
        page = client.get(f"/recipes/demo/items/{item.key}").text
        assert (told.num_asked, f'href="/recipes/demo/items/{item.key}/cost"' in page) == (0, True)
        assert "Rests on" in page
        cost = client.get(f"/recipes/demo/items/{item.key}/cost").text
        assert told.num_asked == 1
        assert '<p id="cost">$0.0213 in 2 calls' in cost
        assert client.get(f"/recipes/demo/items/{'0' * 32}/cost").status_code == 404
