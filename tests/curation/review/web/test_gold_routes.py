"""The page of known decisions: set, plant, withdraw, look and have verdicts given again."""

import html
import re

import pytest

from curation.records import ReviewItem
from curation.review.queue import ReviewQueue
from curation.review.reviewers.gold import list_gold, set_gold
from curation.review.reviewers.settings import ReviewerSettings, store_settings
from tests.curation.review.web.test_reviewers_routes import Client, client, items

pytestmark = pytest.mark.slow

__all__ = ["client", "items"]
PAGE = "/recipes/demo/gold"


def test_planting(queue: ReviewQueue, items: list[ReviewItem], client: Client) -> None:
    form = {"num": "2", "seed": "1", "kind_number": "on"}
    answer = client("Lea").post(f"{PAGE}/plant", data=form)
    assert answer.status_code == 303
    text = client("Lea").get(answer.headers["location"]).text
    assert "2 damaged copies are in the queue." in text
    assert "A changed number" in text
    assert [(gold.damage, gold.set_by) for gold in list_gold(queue)] == [("number", "Lea")] * 2
    again = client("Lea").post(f"{PAGE}/plant", data=form | {"num": "9"})
    assert again.status_code == 303
    assert len(list_gold(queue)) == 3  # of four with two votes one is disputed
    none_left = client("Lea").post(f"{PAGE}/plant", data=form)
    assert none_left.status_code == 422
    assert "no accepted example is left" in none_left.text


def test_forms_that_make_no_sense(queue: ReviewQueue, items: list[ReviewItem], client: Client) -> None:
    right = {"num": "2", "seed": "1", "kind_number": "on"}
    wrong = [{"num": value} for value in ("0", "501", "-1", "\u0663", "", "1.5")]
    for form in (*wrong, {"seed": "x" * 50}, {"kind_number": ""}):
        assert client("Lea").post(f"{PAGE}/plant", data=right | form).status_code == 422, form
    assert list_gold(queue) == []


def test_setting_and_withdrawing(queue: ReviewQueue, items: list[ReviewItem], client: Client) -> None:
    form = {"item": items[5].key, "right_reject": "on", "right_edit": "on", "detail": "the unit is wrong"}
    assert client("Lea").post(f"{PAGE}/set", data=form).status_code == 303
    (gold,) = list_gold(queue)
    assert (gold.expected, gold.detail, gold.is_listed) == (("edit", "reject"), "the unit is wrong", True)
    refused = client("Lea").post(f"{PAGE}/set", data=form)
    assert refused.status_code == 422
    assert "still waits" in refused.text
    assert 'value="the unit is wrong"' in refused.text
    assert client("Lea").post(f"{PAGE}/withdraw", data={"item": gold.item_key}).status_code == 303
    assert not list_gold(queue)[0].is_listed
    assert client("Lea").post(f"{PAGE}/withdraw", data={"item": items[0].key}).status_code == 422
    assert client("Lea").post(f"{PAGE}/set", data={"item": "?"}).status_code == 422


def test_a_preview_and_then_the_requeue(queue: ReviewQueue, items: list[ReviewItem], client: Client) -> None:
    before = len(queue.verdicts_after(0))
    text = client("Lea").get(PAGE, params={"reviewer": "Ada", "since": "0"}).text
    fields = dict(re.findall(r'name="(reviewer|since|num)" value="([^"]*)"', text.partition("/gold/requeue")[2]))
    assert fields | {"num": fields["num"]} == {"reviewer": "Ada", "since": "0", "num": "4"}
    stale = client("Lea").post(f"{PAGE}/requeue", data=fields | {"num": "3"})
    assert stale.status_code == 422
    assert len(queue.verdicts_after(0)) == before
    answer = client("Lea").post(f"{PAGE}/requeue", data=fields | {"why": "clicked through"})
    assert answer.status_code == 303
    undone = queue.verdicts_after(before)
    assert [(vote.decision, vote.reviewer, vote.reason) for vote in undone] == [("undo", "Lea", "clicked through")] * 4


def test_failing_reviewers_are_named(queue: ReviewQueue, items: list[ReviewItem], client: Client) -> None:
    store_settings(queue, ReviewerSettings(gold_floor=0.95, gold_share=0.2))
    for item in items[:3]:
        gold = set_gold(queue, item.key, ["reject"], by="Lea")
        queue.submit(gold.item_key, "approve", "Bob & <Co>")
    text = client("Lea").get(PAGE).text
    assert "Below the floor" in text
    assert "20% of what is open" in html.unescape(text)
    assert "Bob &amp; &lt;Co&gt;" in text
    assert "Bob" not in client("Ada").get("/recipes/demo/agreement").text
