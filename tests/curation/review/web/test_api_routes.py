"""The JSON API: what it does, whom it serves, and that no request whatever gets a 500."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from curation.records import Example, JudgeVote, PreferencePair, ReviewItem
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.web import api_routes
from curation.review.web.app import create_app

pytestmark = pytest.mark.slow

TOKEN = "token-0123456789"
ROOT = "/api/recipes/demo"


class Somebody:
    """Is whoever the test says."""

    def __init__(self) -> None:
        self.person: Person | None = Person(name="Ada", role="lead")

    def identify(self, request: Request) -> Person | None:
        return self.person


@pytest.fixture
def somebody() -> Somebody:
    return Somebody()


@pytest.fixture
def items(make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]) -> list[ReviewItem]:
    examples = [make_example(number, f"answer {number} \ud800") for number in range(6)]
    return build_items(examples, [make_pair(examples[0])], lambda span: "text", ReviewConfig())


@pytest.fixture
def app(queue: ReviewQueue, items: list[ReviewItem], somebody: Somebody) -> FastAPI:
    queue.sync_items(items, ReviewConfig(overlap=2))
    made = create_app({"demo": queue}, somebody)
    if not any(getattr(route, "path", "") == f"{ROOT.replace('demo', '{recipe}')}/claim" for route in made.routes):
        api_routes.add_routes(made, made.state.site)
    return made


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    headers = {"Authorization": "Bearer x", "Content-Type": "application/json"}
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False, headers=headers) as client:
        yield client


def post(client: TestClient, path: str, **body: Any) -> Any:
    answer = client.post(f"{ROOT}/{path}", content=json.dumps(body))
    return answer.json() if answer.status_code == 200 else answer.status_code


def test_an_item_is_claimed_decided_and_undone(client: TestClient) -> None:
    claimed = post(client, "claim", kind="example")
    lease, shown = claimed["lease"], claimed["item"]
    assert shown["item"]["key"] == lease["item_key"]
    held = {name: lease[name] for name in ("item_key", "slot", "generation")}
    assert post(client, "leases/extend", **held)["seconds_left"] > 0
    verdict = {"item_key": lease["item_key"], "decision": "approve", "token": TOKEN, "generation": lease["generation"]}
    first = post(client, "verdicts", verdicts=[verdict])["results"][0]
    assert (first["verdict"]["decision"], first["verdict"]["reviewer"], first["problem"]) == ("approve", "Ada", None)
    assert post(client, "verdicts", verdicts=[verdict])["results"][0] == first
    assert json.loads(first["verdict"]["details"])["origin"] == "priority"
    undone = post(client, "undo", sequence=first["verdict"]["sequence"], token=TOKEN + "u")
    assert undone["supersedes"] == first["verdict"]["sequence"]
    assert post(client, "leases/release", **held) == {"released": False}


def test_each_of_many_verdicts_has_its_own_outcome(client: TestClient, items: list[ReviewItem]) -> None:
    example = next(item for item in items if item.kind == "example")
    said = [
        {"item_key": example.key, "decision": "approve", "token": TOKEN},
        {"item_key": example.key, "decision": "prefer_a", "token": TOKEN + "1"},
        {"item_key": "0" * 32, "decision": "approve", "token": TOKEN + "2"},
        {"item_key": example.key, "decision": "approve", "token": TOKEN + "3", "generation": 99},
        {"item_key": example.key, "decision": "reject", "token": TOKEN + "4", "expected": 0},
    ]
    results = post(client, "verdicts", verdicts=said)["results"]
    codes = [(result["problem"] or {}).get("code") for result in results]
    assert codes == [None, "refused", "withdrawn", "lease_lost", "conflict"]


def test_what_others_said_is_hidden_until_one_has_voted(
    client: TestClient, queue: ReviewQueue, somebody: Somebody, make_example: Callable[..., Example]
) -> None:
    example = make_example(50)
    judged = replace(
        example,
        provenance=replace(example.provenance, votes=(JudgeVote(judge="j", score=1.0, reason="r"),)),
    )
    item = build_items([judged], [], lambda span: "", ReviewConfig())[0]
    queue.sync_items([item], ReviewConfig(overlap=2))
    queue.submit(item.key, "reject", "Bob")
    somebody.person = Person(name="Cy", role="reviewer")
    shown = client.get(f"{ROOT}/items/{item.key}").json()
    assert (shown["verdicts"], shown["item"]["provenance"]["votes"]) == (None, [])
    assert post(client, "verdicts", verdicts=[{"item_key": item.key, "decision": "reject", "token": TOKEN}])["results"][0][
        "verdict"
    ]
    shown = client.get(f"{ROOT}/items/{item.key}").json()
    assert [verdict["reviewer"] for verdict in shown["verdicts"]] == ["Bob", "Cy"]
    assert shown["item"]["provenance"]["votes"]


def test_roles_and_scopes_are_kept(client: TestClient, queue: ReviewQueue, somebody: Somebody, items: list[ReviewItem]) -> None:
    example = next(item for item in items if item.kind == "example")
    bobs = queue.submit(example.key, "approve", "Bob")
    vote = {"item_key": example.key, "decision": "approve", "token": TOKEN, "role": "adjudication"}
    somebody.person = Person(name="Cy", role="reviewer")
    assert [client.get(f"{ROOT}/{path}").status_code for path in ("verdicts", "export", "counts")] == [403, 403, 200]
    assert post(client, "claim", role="adjudication") == 403
    assert post(client, "verdicts", verdicts=[vote])["results"][0]["problem"]["code"] == "forbidden"
    assert post(client, "undo", sequence=bobs.sequence, token=TOKEN) == 404
    somebody.person = Person(name="Cy", role="lead", scopes=frozenset({"read"}))
    assert [post(client, "claim"), client.get(f"{ROOT}/verdicts").status_code] == [403, 200]
    somebody.person = Person(name="Cy", role="lead", scopes=frozenset({"vote"}))
    assert client.get(f"{ROOT}/items/{example.key}").status_code == 403
    somebody.person = None
    paths = ("counts", "verdicts", "export", f"items/{example.key}")
    assert {client.get(f"{ROOT}/{path}").status_code for path in paths} == {401}
    assert post(client, "claim") == 401


def test_leads_read_verdicts_in_order_and_export_all(client: TestClient, queue: ReviewQueue, items: list[ReviewItem]) -> None:
    for item in items:
        queue.submit(item.key, "approve" if item.kind == "example" else "tie", "Bob")
    page = client.get(f"{ROOT}/verdicts?after=2&limit=3").json()
    assert ([verdict["sequence"] for verdict in page["verdicts"]], page["last"]) == ([3, 4, 5], 5)
    for shape in ("tunewright", "flat", "argilla", "label_studio"):
        lines = client.get(f"{ROOT}/export?shape={shape}").text.splitlines()
        assert len([json.loads(line) for line in lines]) == len(items)
    assert client.get(f"{ROOT}/export?state=decided").text == ""
    assert client.get(f"{ROOT}/counts").json()["num_items"] == len(items)


def test_the_description_is_there_for_machines_and_people(client: TestClient) -> None:
    found = client.get("/api/openapi.json").json()
    assert f"{ROOT.replace('demo', '{recipe}')}/claim" in found["paths"]
    page = client.get("/api")
    assert page.status_code == 200
    assert "POST /api/recipes/{recipe}/claim" in page.text
    assert '<script src="http' not in page.text


texts = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["\0", "\ud800", "x" * 5_000, "", "0" * 32, "' OR 1=1 --", "../..", "approve", "demo", TOKEN, "9" * 400]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)


def fitting(schema: dict[str, Any], models: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that mostly fit a schema, and now and then do not."""
    if "$ref" in schema:
        return fitting(models[schema["$ref"].rpartition("/")[2]], models)
    if "anyOf" in schema:
        return st.one_of([fitting(option, models) for option in schema["anyOf"]])
    if "enum" in schema:
        return st.one_of(st.sampled_from(schema["enum"]), values)
    match schema.get("type"):
        case "object":
            fields = {name: fitting(shape, models) for name, shape in schema.get("properties", {}).items()}
            return st.fixed_dictionaries({}, optional=fields) if not schema.get("required") else st.fixed_dictionaries(fields)
        case "array":
            return st.lists(fitting(schema["items"], models), max_size=3)
        case "integer":
            return st.one_of(st.integers(0, 9), st.sampled_from([-1, 2**31 - 1, 2**31, 2**63, 2**80]))
        case "string":
            pattern = schema.get("pattern")
            return st.one_of(st.from_regex(pattern, fullmatch=True), texts) if pattern else texts
        case _:
            return values


@pytest.mark.parametrize(
    "raw", [b"", b"[" * 100_000, b"\xff\xfe", b'{"a":' * 5_000, b"nul", b'{"verdicts":[' + b"{}," * 500 + b"{}]}", b"1e999"]
)
def test_no_body_breaks_it(client: TestClient, raw: bytes) -> None:
    for path in ("claim", "verdicts", "undo", "leases/extend", "leases/release"):
        assert client.post(f"{ROOT}/{path}", content=raw).status_code in (400, 422)


@settings(max_examples=12, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_request_gets_a_500(client: TestClient, items: list[ReviewItem], data: st.DataObject) -> None:
    sent, answer = send_anything(client, items, data)
    assert answer.status_code < 500, (sent, answer.text)


@pytest.mark.slow
@settings(max_examples=600, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_none_of_many_requests_gets_a_500(client: TestClient, items: list[ReviewItem], data: st.DataObject) -> None:
    sent, answer = send_anything(client, items, data)
    assert answer.status_code < 500, (sent, answer.text)


def send_anything(client: TestClient, items: list[ReviewItem], data: st.DataObject) -> tuple[object, Any]:
    """Send a request that a schema allows, and return it with its answer."""
    found = client.get("/api/openapi.json").json()
    models = found["components"]["schemas"]
    path, methods = data.draw(
        st.sampled_from([each for each in sorted(found["paths"].items()) if each[0].startswith("/api/recipes")])
    )
    method, operation = data.draw(st.sampled_from(sorted(methods.items())))
    known = st.sampled_from([item.key for item in items])
    query = {}
    for parameter in operation.get("parameters", ()):
        value = data.draw(st.one_of(fitting(parameter["schema"], models), known))
        if parameter["in"] == "path":
            value = data.draw(st.sampled_from(["demo", value])) if parameter["name"] == "recipe" else value
            path = path.replace("{" + parameter["name"] + "}", quote(str(value), safe="", errors="replace"))
        else:
            query[parameter["name"]] = str(value).encode("utf-8", "replace").decode()
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = data.draw(fitting(content["schema"], models)) if content else None
    answer = client.request(method.upper(), path, params=query, content=json.dumps(body) if content else None)
    return (method, path, query, body), answer
