"""The pages over HTTP: what they show, what they record, what they refuse."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from curation.records import Example, PreferencePair, ReviewItem
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig()
ORIGIN = "http://127.0.0.1:3001"
SAME = {"sec-fetch-site": "same-origin"}
HOSTILE = (
    "</textarea></pre><script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg/onload=alert(3)> \u202egnp \u200b \ud83d \0"
)


@pytest.fixture
def items(
    queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> list[ReviewItem]:
    examples = [make_example(number) for number in range(3)]
    found = build_items(examples, [make_pair(examples[0])], lambda _: "Trims <b>text</b>.", CONFIG)
    queue.sync_items(found, CONFIG)
    return found


@pytest.fixture
def client(queue: ReviewQueue) -> Iterator[TestClient]:
    app = create_app(
        {"demo": queue},
        OnePerson(Person(name="Ada", role="lead")),
        dagster_url="http://127.0.0.1:3000",
        hosts=["review.example.org"],
    )
    with TestClient(app, base_url=ORIGIN, follow_redirects=False) as opened:
        yield opened


@pytest.fixture
def example(items: list[ReviewItem]) -> ReviewItem:
    return next(item for item in items if item.kind == "example")


def fields_of(client: TestClient, item: ReviewItem) -> dict[str, str]:
    page = client.get(f"/recipes/demo/items/{item.key}").text
    return dict(re.findall(r'name="(token|expected|generation|role)" value="([^"]*)"', page))


def post(client: TestClient, item: ReviewItem, **fields: str) -> tuple[int, str, str]:
    form = fields_of(client, item) | fields
    response = client.post(f"/recipes/demo/items/{item.key}/verdict", data=form, headers=SAME)
    return response.status_code, response.headers.get("location", ""), response.text


def test_approving_records_the_verdict_and_goes_to_the_next_item(
    client: TestClient, queue: ReviewQueue, example: ReviewItem
) -> None:
    code, location, _ = post(client, example, decision="approve")
    assert code == 303
    assert location.startswith("/recipes/demo/items/")
    assert example.key not in location.partition("?")[0]
    (verdict,) = queue.history(example.key)
    assert (verdict.decision, verdict.reviewer, verdict.reviewer_kind) == ("approve", "Ada", "human")
    assert "Saved" in client.get(location).text


def test_after_the_last_item_the_queue_says_so(client: TestClient, queue: ReviewQueue, items: list[ReviewItem]) -> None:
    for item in items[:-1]:
        queue.submit(item.key, "approve" if item.kind == "example" else "tie", "Ada")
    last = items[-1]
    _, location, _ = post(client, last, decision="approve" if last.kind == "example" else "tie")
    assert location == f"/recipes/demo?done={last.key}"
    assert "All items are decided" in client.get(location).text
    assert client.get("/recipes/demo/next").headers["location"] == "/recipes/demo"


def test_an_edit_is_kept_with_the_line_ends_of_the_data(client: TestClient, queue: ReviewQueue, example: ReviewItem) -> None:
    assert post(client, example, decision="edit", edited_answer="one\r\ntwo")[0] == 303
    assert queue.history(example.key)[0].edited_answer == "one\ntwo"


def test_an_edit_that_changes_nothing_is_refused_and_stays_on_the_page(
    client: TestClient, queue: ReviewQueue, example: ReviewItem
) -> None:
    code, _, page = post(client, example, decision="edit", edited_answer=example.answer)
    assert code == 422
    assert "changes nothing" in page
    assert '<details class="panel" id="edit" open>' in page
    assert queue.history(example.key) == []


def test_a_rejection_needs_a_reason_code(client: TestClient, queue: ReviewQueue, example: ReviewItem) -> None:
    assert post(client, example, decision="reject")[0] == 422
    assert post(client, example, decision="reject", reason="nonsense")[0] == 422
    assert post(client, example, decision="reject", reason="other")[0] == 422
    assert post(client, example, decision="reject", reason="wrong", comment="no such part")[0] == 303
    assert queue.history(example.key)[0].reason == "wrong: no such part"


def test_whoever_lost_the_item_gets_409_and_keeps_the_text(client: TestClient, queue: ReviewQueue, example: ReviewItem) -> None:
    form = fields_of(client, example)
    queue.database.write(lambda connection: connection.execute(sa.text("UPDATE review_slots SET expires_at = 1")))
    queue.submit(example.key, "approve", "Bob")
    response = client.post(
        f"/recipes/demo/items/{example.key}/verdict",
        data=form | {"decision": "edit", "edited_answer": "my long edit"},
        headers=SAME,
    )
    assert response.status_code == 409
    assert "somebody else has it now" in response.text
    assert "my long edit</textarea>" in response.text
    assert [verdict.reviewer for verdict in queue.history(example.key)] == ["Bob"]


def test_a_hold_that_ran_out_is_taken_again_with_the_text_in_place(
    client: TestClient, queue: ReviewQueue, example: ReviewItem
) -> None:
    form = fields_of(client, example) | {"decision": "edit", "edited_answer": "my long edit"}
    queue.database.write(lambda connection: connection.execute(sa.text("UPDATE review_slots SET expires_at = 1")))
    path = f"/recipes/demo/items/{example.key}/verdict"
    response = client.post(path, data=form, headers=SAME)
    assert response.status_code == 409
    assert "my long edit</textarea>" in response.text
    fresh = dict(re.findall(r'name="(token|generation)" value="([^"]*)"', response.text))
    assert client.post(path, data=form | fresh, headers=SAME).status_code == 303
    assert queue.history(example.key)[0].edited_answer == "my long edit"


def test_others_votes_are_hidden_until_one_has_voted(client: TestClient, queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ReviewConfig(overlap=2))
    key = next(item.key for item in items if item.kind == "example")
    queue.submit(key, "reject", "Bob", reason="wrong: BOBS-REASON")
    assert "BOBS-REASON" not in client.get(f"/recipes/demo/items/{key}").text
    queue.submit(key, "approve", "Ada")
    assert "BOBS-REASON" in client.get(f"/recipes/demo/items/{key}").text


def test_skipping_gives_the_item_back_and_undo_opens_it(client: TestClient, queue: ReviewQueue, example: ReviewItem) -> None:
    path = f"/recipes/demo/items/{example.key}"
    client.get(path)
    response = client.post(f"{path}/skip", data={"kind": ""}, headers=SAME)
    assert response.status_code == 303
    assert example.key not in response.headers["location"]
    assert queue.claim("Bob", item_key=example.key) is not None
    verdict = queue.submit(example.key, "approve", "Bob")
    assert client.post(f"{path}/undo", data={"sequence": "1"}, headers=SAME).status_code == 422
    queue.undo(verdict, "Bob")
    post(client, example, decision="approve")
    assert client.post(f"{path}/undo", data={"sequence": "3", "why": "a slip"}, headers=SAME).status_code == 303
    assert [(entry.decision, entry.reason) for entry in queue.history(example.key)][2:] == [("approve", ""), ("undo", "a slip")]


def test_a_page_that_stays_open_keeps_its_hold(client: TestClient, queue: ReviewQueue, example: ReviewItem) -> None:
    form = fields_of(client, example)
    path = f"/recipes/demo/items/{example.key}/hold"
    assert client.post(path, data=form, headers=SAME).json()["seconds_left"] == 600
    assert client.post(path, data=form | {"generation": "99"}, headers=SAME).status_code == 409


def test_a_double_click_records_once(client: TestClient, queue: ReviewQueue, example: ReviewItem) -> None:
    form = fields_of(client, example) | {"decision": "approve"}
    codes = [client.post(f"/recipes/demo/items/{example.key}/verdict", data=form, headers=SAME).status_code for _ in range(2)]
    assert codes == [303, 303]
    assert len(queue.history(example.key)) == 1


def test_a_withdrawn_item_can_be_seen_but_not_decided(client: TestClient, queue: ReviewQueue, example: ReviewItem) -> None:
    form = fields_of(client, example) | {"decision": "approve"}
    queue.sync_items([], CONFIG)
    assert "no longer part of the data" in client.get(f"/recipes/demo/items/{example.key}").text
    response = client.post(f"/recipes/demo/items/{example.key}/verdict", data=form, headers=SAME)
    assert response.status_code == 409
    assert queue.history(example.key) == []


def test_the_answers_of_pairs_stand_in_an_order_that_says_nothing(
    client: TestClient, queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    pairs = build_items([], [make_pair(make_example(number)) for number in range(40)], lambda _: "", CONFIG)
    queue.sync_items(pairs, CONFIG)
    first = [client.get(f"/recipes/demo/items/{pair.key}").text.partition("Answer 2")[0] for pair in pairs]
    assert 5 < sum("dates" in page for page in first) < 35


UNSAFE = [
    {},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": ORIGIN},
    {"origin": "http://127.0.0.1:3000"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://[broken"},
]


@pytest.mark.parametrize("headers", UNSAFE)
def test_writes_from_elsewhere_are_refused(
    client: TestClient, queue: ReviewQueue, example: ReviewItem, headers: dict[str, str]
) -> None:
    form = fields_of(client, example) | {"decision": "approve"}
    for path in (f"/recipes/demo/items/{example.key}/verdict", "/", "/nowhere"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert client.request(method, path, data=form, headers=headers).status_code == 403
    assert queue.verdicts_after(0) == []


def test_a_browser_that_sends_only_origin_can_write(client: TestClient, queue: ReviewQueue, example: ReviewItem) -> None:
    form = fields_of(client, example) | {"decision": "approve"}
    response = client.post(f"/recipes/demo/items/{example.key}/verdict", data=form, headers={"origin": ORIGIN})
    assert response.status_code == 303


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("evil.example", 400),
        ("", 400),
        ("127.0.0.1.evil.example", 400),
        ("[::1", 400),
        ("localhost:3001", 200),
        ("[::1]:3001", 200),
        ("review.example.org", 200),
    ],
)
def test_only_known_host_names_are_served(client: TestClient, host: str, code: int) -> None:
    assert client.get("/health", headers={"host": host}).status_code == code


def test_large_bodies_and_other_forms_are_refused(client: TestClient, queue: ReviewQueue, example: ReviewItem) -> None:
    url = f"/recipes/demo/items/{example.key}/verdict"
    assert client.post(url, content=b"x" * ((4 << 20) + 1), headers=SAME).status_code == 413
    assert client.post(url, json={"decision": "approve"}, headers=SAME).status_code == 422
    assert (
        client.post(
            url,
            content="&".join("a=b" for _ in range(700)),
            headers=SAME | {"content-type": "application/x-www-form-urlencoded"},
        ).status_code
        == 422
    )
    assert queue.verdicts_after(0) == []


@pytest.mark.parametrize("path", ["/", "/recipes/demo", "/nowhere", "/recipes/none", "/static/review.css", "/health"])
def test_every_answer_carries_the_strict_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_a_page_that_is_not_there_is_told_in_words(client: TestClient) -> None:
    page = client.get("/nowhere")
    assert page.status_code == 404
    assert "There is no such page." in page.text
    assert "no review queue of a recipe" in client.get("/recipes/none").text


def test_a_raw_text_is_in_a_sandbox(client: TestClient, example: ReviewItem) -> None:
    headers = client.get(f"/recipes/demo/items/{example.key}/raw/answer").headers
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"


@pytest.mark.parametrize(
    "path",
    [
        "/recipes/none",
        "/recipes/demo/items/xyz",
        f"/recipes/demo/items/{'0' * 32}",
        "/recipes/demo?page=0",
        "/recipes/demo?done=%00",
        "/recipes/demo/next?after=%00",
        "/nowhere",
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert "Not found" in response.text


def test_the_counts_are_there_as_json(client: TestClient, queue: ReviewQueue, example: ReviewItem) -> None:
    queue.submit(example.key, "approve", "Ada")
    counts = client.get("/api/recipes/demo/counts").json()
    assert (counts["num_items"], counts["num_open"], counts["num_decided"]) == (4, 3, 1)
    assert counts["decisions"] == {"approve": 1}
    assert client.get("/health").json() == {"status": "ok", "recipes": 1}


class Tags(HTMLParser):
    """Collects every element with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_hostile_text_comes_out_escaped_everywhere(
    client: TestClient, queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    old, new = make_example(1, "x" + HOSTILE, question=HOSTILE), make_example(1, HOSTILE, question="q" + HOSTILE)
    queue.sync_items(build_items([old], [], lambda _: HOSTILE, CONFIG), CONFIG)
    queue.submit(queue.list_items()[0].item.key, "reject", "<script>Bob</script>", reason="wrong: <script>alert(4)</script>")
    found = build_items([new], [make_pair(new, HOSTILE + "b")], lambda _: HOSTILE, CONFIG)
    queue.sync_items(found, ReviewConfig(rubric=f"{CONFIG.rubric}<script>alert(5)</script>"))
    for item in found:
        queue.submit(
            item.key,
            "edit" if item.kind == "example" else "tie",
            "<b>Eve</b>",
            edited_answer="<script>alert(6)</script>" if item.kind == "example" else "",
        )
    for path in ["/", "/recipes/demo?status=all", *(f"/recipes/demo/items/{item.key}?done={item.key}" for item in found)]:
        response = client.get(path)
        assert response.status_code == 200
        tags = Tags()
        tags.feed(response.text)
        assert [attributes for tag, attributes in tags.found if tag == "script"] == [
            {"src": "/static/review.js", "type": "module"}
        ]
        assert {tag for tag, _ in tags.found}.isdisjoint({"svg", "b", "style", "iframe"})
        assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on") or name == "style"]
        assert "\u202e" not in response.text.replace(HOSTILE, "").partition("<textarea")[0]


def test_the_reason_for_a_change_of_text_is_shown_as_a_diff(
    client: TestClient, queue: ReviewQueue, make_example: Callable[..., Example]
) -> None:
    queue.sync_items(build_items([make_example(1, "a red fox")], [], lambda _: "", CONFIG), CONFIG)
    queue.submit(queue.list_items()[0].item.key, "reject", "Grace", reason="wrong: blue")
    queue.sync_items(build_items([make_example(1, "a blue fox")], [], lambda _: "", CONFIG), CONFIG)
    page = client.get(f"/recipes/demo/items/{queue.list_items()[0].item.key}").text
    assert "a <del>red</del><ins>blue</ins> fox" in page
    assert "Grace" in page


def test_a_database_that_cannot_be_read_is_a_page_and_not_a_crash(client: TestClient, queue: ReviewQueue) -> None:
    def fail(*_: object) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("disk I/O error"))

    sa.event.listen(queue.database.engine, "before_cursor_execute", fail)
    response = client.get("/recipes/demo")
    assert response.status_code == 503
    assert "disk I/O error" in response.text
