"""What the guard lets through to Dagster's webserver, asked over ASGI."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from curation.database import Database
from curation.errors import DatabaseError
from curation.review.accounts.accounts import Accounts
from curation.review.accounts.identity import AccountsIdentity
from curation.review.accounts.person import Person
from curation.review.accounts.tables import MIGRATIONS
from curation.review.errors import ScopeMissingError
from pipelines.guard import OriginGuard, ReviewLogin, is_reading

OURS = {"host": "127.0.0.1:3000"}
JSON = {"content-type": "application/json"}
SAME = {**OURS, "origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-origin"}


async def webserver(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands for Dagster: answers 200, accepts every WebSocket."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"dagster"})


def ask(
    kind: str,
    headers: dict[str, str],
    *,
    method: str = "GET",
    path: str = "/",
    query: str = "",
    body: str = "",
    login: ReviewLogin | None = None,
) -> list[Message]:
    scope: dict[str, Any] = {"type": kind, "path": path, "query_string": query.encode(), "method": method}
    scope["headers"] = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect" if kind == "websocket" else "http.request", "body": body.encode()}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(OriginGuard(webserver, login=login)(scope, receive, send))
    return sent


def status(headers: dict[str, str], **request: Any) -> int:
    sent = ask("http", headers, **request)
    if sent[0]["status"] != 200:
        assert sent[1]["body"].startswith(b"Refused: ")
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:3000",
        "",
        "127.0.0.1.evil.example:3000",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_foreign_host_is_refused(host: str, method: str) -> None:
    assert status({"host": host}, method=method) == 403


def test_missing_host_is_refused() -> None:
    assert status({}) == 403


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000", "localhost", "[::1]:3000", "[::1]"])
def test_our_hosts_pass(host: str) -> None:
    assert status({"host": host}) == 200
    assert status({"host": host, "origin": f"http://{host}", **JSON}, method="POST", path="/graphql") == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_passes_also_from_a_link_elsewhere(method: str) -> None:
    assert status({**OURS, "sec-fetch-site": "cross-site"}, method=method, path="/assets") == 200


@pytest.mark.parametrize(
    "headers", [SAME, {**OURS, "origin": "http://127.0.0.1:3000"}, {**OURS, "sec-fetch-site": "none"}, OURS]
)
def test_writing_from_our_own_page_or_a_program_passes(headers: dict[str, str]) -> None:
    assert status(headers | JSON, method="POST", path="/graphql") == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3001"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://[broken"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "cross-site"},
    ],
)
def test_writing_from_another_origin_is_refused(headers: dict[str, str], method: str) -> None:
    assert status({**OURS, **JSON, **headers}, method=method, path="/graphql") == 403


@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "/prefix/graphql"])
def test_mutation_in_the_address_of_an_image_is_refused(path: str) -> None:
    """Dagster runs the `query` of a GET request, whatever the operation."""
    assert status({**OURS, "sec-fetch-site": "cross-site"}, path=path, query="query=mutation{x}") == 403
    assert status(OURS, path=path, query="query=mutation{x}") == 403
    assert status(OURS, path=path) == 200


@pytest.mark.parametrize("headers", [{**OURS, "origin": "http://evil.example"}, {**SAME, "host": "evil.example"}])
def test_websocket_from_another_origin_is_closed_before_it_opens(headers: dict[str, str]) -> None:
    sent = ask("websocket", headers)
    assert [message["type"] for message in sent] == ["websocket.close"]
    assert sent[0]["code"] == 1008


def test_websocket_of_our_own_page_opens() -> None:
    assert [message["type"] for message in ask("websocket", SAME)] == ["websocket.accept"]


def test_other_messages_pass() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    asyncio.run(OriginGuard(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


REPORTS = ["report_asset_materialization", "report_asset_check", "report_asset_observation"]
TRICKS = {
    "nothing": {},
    "no content type": {"content-length": "0"},
    "form": {"content-type": "application/x-www-form-urlencoded"},
    "text": {"content-type": "text/plain"},
    "text that says JSON": {"content-type": "text/plain; x=application/json"},
    "graphql": {"content-type": "application/graphql"},
    "multipart": {"content-type": "multipart/form-data; boundary=application/json"},
    "JSON and more": {"content-type": "application/json; x=y"},
    "list of types": {"content-type": "text/plain, application/json"},
}
FORGED_QUERY = "check_name=reviewed&passed=true"


@pytest.mark.parametrize("more", [{}, {"origin": "http://evil.example"}, {"sec-fetch-site": "same-origin"}])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("report", REPORTS)
def test_no_event_can_be_reported(report: str, method: str, more: dict[str, str]) -> None:
    """Dagster would store it as if a run had said so, without a body and with any content type."""
    for headers in [*TRICKS.values(), JSON]:
        for query in ("", FORGED_QUERY):
            for path in (
                f"/{report}/sdk_assistant/verified_examples",
                f"//{report}/x",
                f"/{report}/graphql/",
                f"/{report}/x/graphql",
            ):
                assert status({**OURS, **more, **headers}, method=method, path=path, query=query) == 403


@pytest.mark.parametrize("headers", TRICKS.values(), ids=TRICKS)
@pytest.mark.parametrize("query", ["", "query=mutation{x}"])
def test_graphql_that_is_not_plainly_json_is_refused(headers: dict[str, str], query: str) -> None:
    body = json.dumps({"query": "mutation { x }"})
    assert status({**SAME, **headers}, method="POST", path="/graphql", query=query, body=body) == 403
    assert status({**OURS, **headers}, method="POST", path="/graphql", query=query, body=body) == 403


def test_json_with_a_query_in_the_address_is_refused() -> None:
    assert status({**SAME, **JSON}, method="POST", path="/graphql", query="query=mutation{x}") == 403


class Door:
    """Lets in whoever a cookie names."""

    def identify(self, request: HTTPConnection) -> Person | None:
        who = request.cookies.get("who", "")
        if who == "gone":
            raise DatabaseError(concern="accounts", url="", reason="gone")
        if who == "reader":
            raise ScopeMissingError(scope="vote")
        scopes = frozenset({"read", "vote"}) if who == "voter" else frozenset({"read", "vote", "manage"})
        role: Any = "lead" if who == "voter" else who
        return Person(name=who.title(), role=role, scopes=scopes) if who else None


LOGIN = ReviewLogin(Door(), "http://127.0.0.1:3001/login")
READ = json.dumps({"query": "query Runs { runs { id } } fragment F on Run { id }", "variables": {}})
SUBSCRIBE = json.dumps({"query": "subscription { logs }"})
WRITE = json.dumps({"query": "mutation Launch { launchRun }", "operationName": "Launch"})
HIDDEN = [
    json.dumps({"query": "query Runs { runs } mutation Launch { launchRun }", "operationName": "Launch"}),
    json.dumps([{"query": "mutation { launchRun }"}]),
    json.dumps({"query": "# query\nmutation { launchRun }"}),
    json.dumps({"query": ["mutation { launchRun }"]}),
    '{"query": "query { x }", "query": "mutation { launchRun }"}',
    '{"query": "' + "{" * 5000 + '"}',
    "query { x }",
    "",
    "{}",
]


def enter(who: str, body: str = READ, **request: Any) -> int:
    given = {"method": "POST", "path": "/graphql", "body": body, "login": LOGIN} | request
    return status({**SAME, **JSON, "cookie": f"who={who}"}, **given)


def test_reviewers_read_and_adjudicators_and_leads_write() -> None:
    table = {who: [enter(who, body) for body in (READ, SUBSCRIBE, WRITE)] for who in ("", "reviewer", "adjudicator", "lead")}
    assert table == {
        "": [401, 401, 401],
        "reviewer": [200, 200, 403],
        "adjudicator": [200, 200, 200],
        "lead": [200, 200, 200],
    }
    assert [enter("voter", body) for body in (READ, WRITE)] == [200, 403]
    assert [enter("reader", body) for body in (READ, WRITE)] == [403, 403]


@pytest.mark.parametrize("body", HIDDEN)
def test_a_hidden_mutation_is_one(body: str) -> None:
    assert not is_reading(body)
    assert enter("reviewer", body) == 403


def test_a_login_does_not_open_what_is_closed_to_all() -> None:
    for path in (*(f"/{report}/x" for report in REPORTS), "/"):
        assert enter("lead", path=path) == 403
    assert (
        status(
            {**OURS, **JSON, "origin": "http://evil.example", "cookie": "who=lead"}, method="POST", path="/graphql", login=LOGIN
        )
        == 403
    )


def test_a_stranger_is_sent_to_the_login_and_programs_are_told() -> None:
    sent = ask("http", {**OURS, "accept": "text/html,*/*"}, path="/runs", login=LOGIN)
    assert (sent[0]["status"], dict(sent[0]["headers"])[b"location"]) == (303, b"http://127.0.0.1:3001/login")
    assert status(OURS, path="/runs", login=LOGIN) == 401
    assert status({**OURS, "cookie": "who=reviewer"}, path="/runs", login=LOGIN) == 200


def test_nobody_comes_in_while_the_accounts_are_gone() -> None:
    assert enter("gone") == 503


@pytest.mark.parametrize(
    ("who", "body", "seen"),
    [
        ("reviewer", SUBSCRIBE, "websocket.receive"),
        ("reviewer", WRITE, "websocket.disconnect"),
        ("lead", WRITE, "websocket.receive"),
    ],
)
def test_a_readers_socket_starts_no_mutation(who: str, body: str, seen: str) -> None:
    got: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        got.append((await receive())["type"])

    async def receive() -> Message:
        return {"type": "websocket.receive", "text": json.dumps({"type": "start", "id": "1", "payload": json.loads(body)})}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    headers = {**SAME, "cookie": f"who={who}"}
    scope = {
        "type": "websocket",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(n.encode(), v.encode()) for n, v in headers.items()],
    }
    asyncio.run(OriginGuard(app, login=LOGIN)(scope, receive, send))
    assert got == [seen]


def test_a_stranger_opens_no_socket() -> None:
    assert [message["type"] for message in ask("websocket", SAME, login=LOGIN)] == ["websocket.close"]


def test_the_session_of_the_review_app_opens_dagster(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "accounts.db", concern="accounts", migrations=MIGRATIONS)
    accounts = Accounts(database)
    ada = accounts.admit("Ada", "lead", by="test")
    session = accounts.sessions.open(ada.id, agent="", address="")
    login = ReviewLogin(AccountsIdentity(accounts), "http://127.0.0.1:3001/login")
    cookie = {"cookie": f"tunewright_session={session}"}
    assert status({**SAME, **JSON, **cookie}, method="POST", path="/graphql", body=WRITE, login=login) == 200
    accounts.sessions.end(session)
    assert status({**SAME, **JSON, **cookie}, method="POST", path="/graphql", body=WRITE, login=login) == 401
    database.close()


@pytest.mark.parametrize(
    ("method", "query", "passes"),
    [
        ("POST", "op=AssetRecordsQuery", True),  # as Dagster's own pages send it
        ("POST", "op=A&query={instance{id}}", False),
        ("POST", "query=mutation{x}", False),
        ("POST", "op=", False),
        ("GET", "op=AssetRecordsQuery", False),
    ],
)
def test_an_address_names_the_operation_at_most(method: str, query: str, passes: bool) -> None:
    headers = Headers({"host": "127.0.0.1:3000", "content-type": "application/json", "sec-fetch-site": "same-origin"})
    scope = {"type": "http", "path": "/graphql", "query_string": query.encode(), "method": method, "headers": headers.raw}
    assert (OriginGuard(None)._refusal(scope, headers) is None) == passes  # type: ignore[arg-type]
