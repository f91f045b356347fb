"""Messages to other programs: written before they are sent, signed, tried again, and never sent where they must not go."""

import hmac
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from curation.records import ReviewItem
from curation.review.config import ReviewConfig
from curation.review.errors import UnknownWebhookError, WebhookRefusedError
from curation.review.exchange import webhook_thread, webhooks
from curation.review.exchange.webhook_send import Answer, check_address, check_url, post
from curation.review.exchange.webhooks import add_webhook, announce, deliver_due, list_deliveries, remove_webhook, resend
from curation.review.queue import ReviewQueue

pytestmark = pytest.mark.slow

URL = "https://hooks.example.org/review"


class Receiver:
    """A real server that keeps what it is sent and answers as it is told."""

    def __init__(self) -> None:
        self.status, self.headers, self.received = 204, {}, []  # type: ignore[var-annotated]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append((self.path, dict(self.headers), body))
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=1"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def sending(status: int, sent: list[dict[str, Any]] | None = None) -> Any:
    def send(url: str, body: bytes, headers: Any, **_: Any) -> Answer:
        if sent is not None:
            sent.append(json.loads(body))
        return Answer(status, "as told")

    return send


def test_a_message_arrives_signed_and_once(queue: ReviewQueue, items: list[ReviewItem], receiver: Receiver) -> None:
    queue.sync_items(items, ReviewConfig())
    hook = add_webhook(queue.database, "demo", receiver.url, ["verdict", "item.decided"], now=1.0, allows_private=True)
    example = next(item for item in items if item.kind == "example")
    queue.submit(example.key, "approve", "Ada")
    report = deliver_due(queue.database, now=100.0)
    assert (report.num_written, report.num_sent) == (2, 2)
    assert deliver_due(queue.database, now=200.0) == webhooks.DeliveryReport()
    path, headers, body = receiver.received[0]
    assert path == "/hook?a=1"
    assert headers["Tunewright-Timestamp"] == "100"
    expected = hmac.new(hook.secret.encode(), b"100." + body, "sha256").hexdigest()
    assert headers["Tunewright-Signature"] == f"sha256={expected}"
    assert headers["Tunewright-Delivery"] == json.loads(body)["id"]
    assert {json.loads(body)["event"] for _, _, body in receiver.received} == {"verdict", "item.decided"}
    assert json.loads(body)["data"]["verdict"]["reviewer"] == "Ada"


def test_a_receiver_hears_of_disputes_and_of_what_settles_them(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ReviewConfig(overlap=2))
    add_webhook(queue.database, "demo", URL, ["item.decided", "item.disputed"], now=1.0)
    example = next(item for item in items if item.kind == "example")
    queue.submit(example.key, "approve", "Ada")
    queue.submit(example.key, "reject", "Bob")
    queue.submit(example.key, "approve", "Cy", role="adjudication")
    sent: list[dict[str, Any]] = []
    deliver_due(queue.database, now=2.0, send=sending(200, sent))
    assert sorted(message["event"] for message in sent) == ["item.decided", "item.disputed"]
    decided = next(message for message in sent if message["event"] == "item.decided")
    assert decided["data"]["verdict"]["reviewer"] == "Cy"


def test_a_message_is_written_before_it_is_sent(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ReviewConfig())
    add_webhook(queue.database, "demo", URL, ["verdict"], now=1.0)
    queue.submit(next(item for item in items if item.kind == "example").key, "approve", "Ada")

    def crash(*_: Any, **__: Any) -> Answer:
        assert list_deliveries(queue.database)[0].num_tries == 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver_due(queue.database, now=10.0, send=crash)
    assert deliver_due(queue.database, now=11.0, send=sending(200)).num_sent == 0
    assert deliver_due(queue.database, now=10.0 + webhooks.SENDING_SECONDS, send=sending(200)).num_sent == 1


def test_a_message_is_tried_again_then_dies_and_can_be_sent_again(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ReviewConfig())
    add_webhook(queue.database, "demo", URL, ["verdict"], now=1.0)
    queue.submit(next(item for item in items if item.kind == "example").key, "approve", "Ada")
    now, tries = 10.0, []
    for wait in (0.0, *webhooks.RETRY_SECONDS):
        now += wait
        assert wait == 0 or deliver_due(queue.database, now=now - 0.5, send=sending(200)).num_sent == 0
        report = deliver_due(queue.database, now=now, send=sending(500))
        tries.append((report.num_failed, report.num_dead))
    assert tries == [(1, 0)] * 6 + [(0, 1)]
    dead = list_deliveries(queue.database, state="dead")[0]
    assert dead.answer == "500 as told"
    assert deliver_due(queue.database, now=now * 10, send=sending(200)).num_sent == 0
    resend(queue.database, dead.id, now=now)
    assert deliver_due(queue.database, now=now, send=sending(200)).num_sent == 1
    assert list_deliveries(queue.database, state="sent")[0].id == dead.id


def test_a_lot_is_announced_once(queue: ReviewQueue) -> None:
    hook = add_webhook(queue.database, "demo", URL, ["lot.decided"], now=1.0)
    for _ in range(2):
        queue.database.write(
            lambda connection: announce(connection, "demo", "lot.decided", "7:accepted", {"lot": "7"}, now=2.0)
        )
    assert [delivery.event for delivery in list_deliveries(queue.database)] == ["lot.decided"]
    remove_webhook(queue.database, hook.id)
    assert [delivery.state for delivery in list_deliveries(queue.database)] == ["dead"]
    for missing in (lambda: remove_webhook(queue.database, hook.id), lambda: resend(queue.database, "msg_0", now=1.0)):
        with pytest.raises(UnknownWebhookError):
            missing()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0", "255.255.255.255",
     "169.254.169.254", "168.63.129.16", "100.100.100.200", "224.0.0.1", "240.0.0.1", "192.0.2.1", "::1", "::",
     "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
     "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::127.0.0.1"],
)  # fmt: skip
def test_addresses_inside_are_refused(address: str) -> None:
    with pytest.raises(WebhookRefusedError):
        check_address(address, allows_private=False)
    with pytest.raises(WebhookRefusedError):
        post("https://a.example", b"", {}, resolver=lambda *_: ["93.184.215.14", address])


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "168.63.129.16", "fd00:ec2::254"]
)
def test_addresses_of_the_cloud_are_never_reached(address: str) -> None:
    with pytest.raises(WebhookRefusedError):
        check_address(address, allows_private=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "fd12::1", "8.8.8.8", "2606:4700::1111"])
def test_addresses_that_were_allowed_are_reached(address: str) -> None:
    check_address(address, allows_private=True)


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example", "file:///etc/passwd", "http://a.example", "https://", "https://ada:pw@a.example", "https://a.example:0",
     "//a",      "https://a.example:99999", "https://a.exa mple", "https://a.example/\r\nHost: b", "https://a.example\\@b", "https://a.example/#x",
     "https://\u24d0.example", "https://a.example/" + "x" * 3000, "gopher://a", "https://[::1", ""],
)  # fmt: skip
def test_addresses_that_are_none_are_refused(url: str, queue: ReviewQueue) -> None:
    with pytest.raises(WebhookRefusedError):
        check_url(url)


def test_a_webhook_names_events(queue: ReviewQueue) -> None:
    for events in ([], ["everything"]):
        with pytest.raises(WebhookRefusedError):
            add_webhook(queue.database, "demo", URL, events, now=1.0)


def test_numbers_that_stand_for_this_machine_are_refused() -> None:
    for host in ("2130706433", "0x7f000001", "127.1", "localhost"):
        with pytest.raises(WebhookRefusedError):
            post(f"https://{host}/", b"", {})


def test_the_connection_goes_to_the_address_that_was_checked(receiver: Receiver) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    url = f"http://rebinding.example:{receiver.server.server_port}/"
    assert post(url, b"{}", {}, allows_private=True, resolver=lambda *_: next(answers)).status == 204
    assert receiver.received[0][1]["Host"] == f"rebinding.example:{receiver.server.server_port}"


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 302, {"Location": receiver.url}
    answer = post(receiver.url, b"{}", {}, allows_private=True)
    assert (answer.status, answer.is_success, len(receiver.received)) == (302, False, 1)


def test_a_receiver_that_trickles_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def trickle() -> None:
            link, _ = server.accept()
            with link:
                while not stop.is_set():
                    try:
                        link.sendall(b"H")
                    except OSError:
                        return
                    stop.wait(0.05)

        thread = threading.Thread(target=trickle)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert post(url, b"{}", {}, allows_private=True, timeout=0.3).status == 0
        stop.set()
        thread.join()


def test_nobody_there_is_an_answer_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert post(f"http://127.0.0.1:{port}/", b"{}", {}, allows_private=True).status == 0
    assert post("https://a.example", b"", {}, resolver=lambda *_: []).status == 0


def test_a_message_to_a_receiver_that_was_removed_is_not_sent_again(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    queue.sync_items(items, ReviewConfig())
    hook = add_webhook(queue.database, "demo", URL, ["verdict"], now=0.0)
    queue.submit(next(item for item in items if item.kind == "example").key, "approve", "Ada")
    deliver_due(queue.database, now=1.0, send=sending(500))
    remove_webhook(queue.database, hook.id)
    (message,) = list_deliveries(queue.database)
    with pytest.raises(UnknownWebhookError):
        resend(queue.database, message.id, now=2.0)
    assert list_deliveries(queue.database)[0].state == "dead"


def test_whatever_goes_wrong_in_one_round_the_next_one_sends(queue: ReviewQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []
    sent = threading.Event()

    def deliver(*_: Any, **__: Any) -> None:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise RuntimeError("nobody thought of this")
        sent.set()

    monkeypatch.setattr(webhook_thread, "deliver_due", deliver)
    with webhook_thread.deliveries_running(queue.database, every=0.01):
        assert sent.wait(60.0)
