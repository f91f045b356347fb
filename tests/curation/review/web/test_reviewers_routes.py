"""Pages about reviewers: who sees what, what is recorded, what is refused without losing what was typed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from curation.judging.people import Ruling
from curation.records import Example, JudgeVote, ReviewItem
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.queue.vote import VoteDetails
from curation.review.reviewers.advice import advice_for
from curation.review.reviewers.gold import list_gold
from curation.review.reviewers.guidelines import add_version, list_cases, list_versions
from curation.review.reviewers.planting import plant_errors
from curation.review.reviewers.settings import ReviewerSettings
from curation.review.web import gold_routes, reviewers_routes
from curation.review.web.app import create_app

pytestmark = pytest.mark.slow

TWO = ReviewConfig(overlap=2)
SAME = {"sec-fetch-site": "same-origin"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \u202e \"'>"
PEOPLE = {"Ada": "reviewer", "Max": "adjudicator", "Lea": "lead"}
PAGES = ("agreement", "reviewers", "guidelines", "gold")
Client = Callable[[str], TestClient]


class Named:
    """Takes whoever the header names for that person."""

    def identify(self, request: Request) -> Person | None:
        name = request.headers.get("x-name", "")
        return Person(name=name, role=PEOPLE[name]) if name else None  # type: ignore[arg-type]


def build_app(queue: ReviewQueue) -> FastAPI:
    app = create_app({"demo": queue}, Named())
    served = {getattr(route, "path", "") for route in app.routes}
    for path, area in (("/recipes/{recipe}/agreement", reviewers_routes), ("/recipes/{recipe}/gold", gold_routes)):
        if path not in served:
            area.add_routes(app, app.state.site)
    return app


@pytest.fixture
def items(queue: ReviewQueue, make_example: Callable[..., Example]) -> list[ReviewItem]:
    examples = [make_example(number, f"It takes {number + 10} days. {HOSTILE}") for number in range(6)]
    found = build_items(examples, [], lambda _: "", TWO)
    queue.sync_items(found, TWO)
    for item in found[:4]:
        queue.submit(item.key, "approve", "Ada", details=VoteDetails(seconds=12))
        queue.submit(item.key, "approve" if item is not found[0] else "reject", HOSTILE[:80], reason="wrong")
    return found


@pytest.fixture
def client(queue: ReviewQueue) -> Iterator[Client]:
    with TestClient(build_app(queue), base_url="http://127.0.0.1:3001", follow_redirects=False, headers=SAME) as opened:

        def as_person(name: str) -> TestClient:
            opened.headers["x-name"] = name
            return opened

        yield as_person


class _Checker(HTMLParser):
    """Collects elements that were not meant, and names of inputs without a label."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []
        self.inputs: set[str] = set()
        self.labels: set[str] = set()
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.bad += [name for name in given if name == "style" or name.startswith("on")]
        self.bad += [tag] if tag == "img" and given.get("src") == "x" else []
        self.bad += [tag] if tag == "script" and not (given.get("src") or "").startswith("/static/") else []
        self.depth += tag == "label"
        if tag == "label":
            self.labels.add(given.get("for") or "")
        if tag in ("input", "textarea") and given.get("type") != "hidden" and not self.depth:
            self.inputs.add(given.get("id") or f"no id: {given.get('name')}")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "label"


def check(text: str) -> None:
    checker = _Checker()
    checker.feed(text)
    assert checker.bad == []
    assert checker.inputs - checker.labels == set()


def test_pages_hold_nothing_but_what_was_meant(queue: ReviewQueue, items: list[ReviewItem], client: Client) -> None:
    add_version(queue, f"# One\n{HOSTILE}", by=HOSTILE[:80], note=HOSTILE)
    add_version(queue, f"# Two\n{HOSTILE}", by="Lea")
    gold = plant_errors(queue, 2, by=HOSTILE[:80], seed=1)
    queue.submit(gold[0].item_key, "approve", HOSTILE[:80])
    lea = client("Lea")
    lea.post("/recipes/demo/guidelines/cases", data={"item": items[0].key, "case_note": HOSTILE})
    for page in PAGES:
        answer = lea.get(f"/recipes/demo/{page}", params={"reviewer": HOSTILE[:80]} if page == "gold" else {})
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        check(answer.text)


def test_pages_of_an_empty_queue(client: Client) -> None:
    for page in PAGES:
        answer = client("Lea").get(f"/recipes/demo/{page}")
        assert answer.status_code == 200
        check(answer.text)
        assert client("Lea").get(f"/recipes/other/{page}").status_code == 404


def test_who_sees_what(items: list[ReviewItem], client: Client) -> None:
    allowed = {"": (303, 303, 303, 303), "Ada": (200, 403, 200, 403), "Max": (200, 403, 200, 403), "Lea": (200, 200, 200, 200)}
    for name, codes in allowed.items():
        found = tuple(client(name).get(f"/recipes/demo/{page}").status_code for page in PAGES)
        assert found == codes, name


def test_only_leads_act(queue: ReviewQueue, items: list[ReviewItem], client: Client) -> None:
    before = queue.verdicts_after(0)
    form = {
        "item": items[0].key,
        "right_reject": "on",
        "num": "4",
        "seed": "1",
        "kind_number": "on",
        "text": "x",
        "based_on": "0",
    }
    for name, code in (("", 401), ("Ada", 403), ("Max", 403)):
        for action in ("gold/set", "gold/plant", "gold/withdraw", "gold/requeue", "guidelines"):
            answer = client(name).post(f"/recipes/demo/{action}", data=form | {"reviewer": "Ada", "since": "0"})
            assert answer.status_code == code, (name, action)
    assert (queue.verdicts_after(0), list_gold(queue), list_versions(queue)) == (before, [], [])


def test_agreement(items: list[ReviewItem], client: Client) -> None:
    text = client("Lea").get("/recipes/demo/agreement").text
    assert "went to adjudication" in text
    assert "75.0%" in text
    body = client("Ada").get("/api/recipes/demo/agreement").json()
    assert (body["num_items"], body["num_disputed"], body["num_settled"]) == (4, 1, 0)
    assert body["groups"][0]["percent"]["value"] == 0.75
    assert body["groups"][0]["kind"] == "example"


def test_a_reviewer_sees_only_their_own_pairs(queue: ReviewQueue, items: list[ReviewItem], client: Client) -> None:
    for name in ("Cyd", "Dan"):
        queue.submit(items[5].key, "approve", name)
    assert "Dan" in client("Lea").get("/recipes/demo/agreement").text
    text = client("Ada").get("/recipes/demo/agreement").text
    assert "You and each other reviewer" in text
    assert "Dan" not in text
    seen = {
        name: {(pair["one"], pair["two"]) for pair in client(name).get("/api/recipes/demo/agreement").json()["pairs"]}
        for name in ("Lea", "Ada")
    }
    assert ("Cyd", "Dan") in seen["Lea"]
    assert seen["Ada"] == {pair for pair in seen["Lea"] if "Ada" in pair} != set()


def test_new_verdicts_show_up_in_the_end(queue: ReviewQueue, items: list[ReviewItem], client: Client) -> None:
    findings = client("Lea").app.state.site.findings  # type: ignore[attr-defined]
    first = findings.agreement(queue)
    assert findings.agreement(queue) is first
    queue.submit(items[5].key, "approve", "Cyd")
    findings._kept["agreement", "demo"] = type(findings._kept["agreement", "demo"])(state=None, value=first, until=0)
    assert findings.agreement(queue).num_items == first.num_items + 1


def test_statistics_name_those_to_talk_to_first(queue: ReviewQueue, items: list[ReviewItem], client: Client) -> None:
    text = client("Lea").get("/recipes/demo/reviewers").text
    assert "half of them within 12 s" in text
    assert text.index(">Ada<") > 0
    assert "none seen yet" in text


def test_guidelines(queue: ReviewQueue, items: list[ReviewItem], client: Client) -> None:
    lea = client("Lea")
    assert lea.post("/recipes/demo/guidelines", data={"text": "# One\n", "note": "n", "based_on": "0"}).status_code == 303
    late = lea.post("/recipes/demo/guidelines", data={"text": "# Mine", "note": "", "based_on": "0"})
    assert late.status_code == 422
    assert "# Mine" in late.text
    assert "version 1 by Lea" in late.text
    assert lea.post("/recipes/demo/guidelines", data={"text": "x", "based_on": "a"}).status_code == 422
    assert lea.post("/recipes/demo/guidelines", data={"text": "# Two", "based_on": "1"}).status_code == 303
    assert [each.text for each in list_versions(queue)] == ["# Two", "# One\n"]
    old = client("Ada").get("/recipes/demo/guidelines?version=1").text
    assert "replaced since" in old
    assert "<textarea" not in old  # a reviewer reads


def test_cases(queue: ReviewQueue, items: list[ReviewItem], client: Client) -> None:
    form = {"item": items[0].key, "case_note": "No unit."}
    assert client("Ada").post("/recipes/demo/guidelines/cases", data=form).status_code == 403
    assert client("Max").post("/recipes/demo/guidelines/cases", data=form).status_code == 303
    missing = client("Max").post("/recipes/demo/guidelines/cases", data={"item": "0" * 32, "case_note": "Keep me."})
    assert missing.status_code == 422
    assert "Keep me." in missing.text
    assert [(case.author, case.note) for case in list_cases(queue)] == [("Max", "No unit.")]
    assert f"/items/{items[0].key}" in client("Ada").get("/recipes/demo/guidelines").text


def test_advice_is_shown_as_text(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    example = make_example(0)
    votes = (JudgeVote(judge=HOSTILE, score=2.0, reason=HOSTILE),)
    voted = replace(example, provenance=replace(example.provenance, votes=votes))
    (item,) = build_items([voted], [], lambda _: "", TWO)
    queue.sync_items([item], TWO)
    own = queue.submit(item.key, "approve", "Ada")
    rule = queue.submit(item.key, "approve", "automatic:length v1", "automatic")
    believed = Ruling(allowed=True, reason=HOSTILE)
    site = build_app(queue).state.site
    texts = []
    for said in (None, own):
        found = advice_for(item, own=said, ruling=believed, settings=ReviewerSettings(has_judge=True), automatic=rule)
        page = '{% from "reviewers_advice.html" import advice with context %}{{ advice(found) }}'
        texts.append(site._environment.from_string(page).render(found=found))
    assert texts[0].strip() == ""
    assert "The judge sees it differently" in texts[1]
    assert "with a score of 2." in texts[1]
    assert "That is what you said." in texts[1]
    check(texts[1])
