"""An endpoint with OpenAI's files and batches, for tests: what it does with a batch is said by the test.

with batch_server() as server:
    config = TeacherConfig(kind="openai", model="m", base_url=server.url)
    ...
    server.finish(skip={id})                     # the newest batch is over; one request is not answered
    server.batches, server.files, server.calls
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.curation.synthesis.fault_server import completion

Line = dict[str, Any]


@dataclass
class Call:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: str = ""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class BatchServer:
    """What the endpoint holds, and what it was asked."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    failures: dict[str, list[Callable[[BaseHTTPRequestHandler], None]]] = field(default_factory=dict)
    """`POST /v1/batches` -> what happens instead, one call each."""
    before_answer: Callable[[Call], None] | None = None
    """Called when a call has had its effect and its answer is not yet sent."""
    page_size: int = 100
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_file(self, content: bytes) -> str:
        name = f"file-{len(self.files) + 1}"
        self.files[name] = content
        return name

    def lines(self, batch_id: str = "") -> list[Line]:
        """Return the requests of a batch."""
        batch = self.batches[batch_id or list(self.batches)[-1]]
        return [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]

    def finish(
        self,
        *,
        status: str = "completed",
        batch_id: str = "",
        skip: set[str] | frozenset[str] = frozenset(),
        errors: dict[str, Any] | None = None,
        change: Callable[[list[bytes]], list[bytes]] = lambda lines: lines,
        text: Callable[[Line], str] = lambda line: "answer to " + line["body"]["messages"][-1]["content"],
    ) -> None:
        """End a batch.

        Args:
            status: how it ends.
            batch_id: which one; the newest if empty.
            skip: requests that are in no file.
            errors: request -> what stands in the error file beside `custom_id`.
            change: what is done to the lines of the output file.
            text: the text of a reply.
        """
        batch = self.batches[batch_id or list(self.batches)[-1]]
        errors = errors or {}
        answered = [line for line in self.lines(batch["id"]) if line["custom_id"] not in skip | set(errors)]
        output = change([json.dumps(reply_line(line["custom_id"], text(line))).encode() for line in answered])
        failed = [json.dumps({"id": "r", "custom_id": name, **more}).encode() for name, more in errors.items()]
        batch["status"] = status
        batch["output_file_id"] = self.add_file(b"\n".join(output) + b"\n") if output else None
        batch["error_file_id"] = self.add_file(b"\n".join(failed) + b"\n") if failed else None


def reply_line(name: str, text: str, status: int = 200) -> Line:
    response = {"status_code": status, "request_id": "req-1", "body": completion(text)}
    return {"id": "batch_req_1", "custom_id": name, "response": response, "error": None}


def error_line(code: str, status: int | None = None) -> Line:
    """Return what stands in an error file: an error of the batch, or the answer of the endpoint with a status."""
    error = {"code": code, "message": f"it was {code}"}
    if status is None:
        return {"response": None, "error": error}
    return {"response": {"status_code": status, "request_id": "x", "body": {"error": error}}, "error": None}


@contextlib.contextmanager
def batch_server() -> Iterator[BatchServer]:
    """Serve on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.serve(b"")

        def do_POST(self) -> None:
            self.serve(_read_body(self))

        def serve(self, body: bytes) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            url = urlsplit(self.path)
            call = Call(self.command, url.path, headers, body, url.query)
            with state.lock:
                state.calls.append(call)
                failures = state.failures.get(call.name, [])
                fail = failures.pop(0) if failures else None
                status, answer = (0, b"") if fail else _answer(state, call, parse_qs(url.query))
            with contextlib.suppress(ConnectionError):
                if fail:
                    fail(self)
                    return
                if state.before_answer:
                    state.before_answer(call)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Stay silent."""

    server = Server(("127.0.0.1", 0), Handler)
    state = BatchServer(url=f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _read_body(handler: BaseHTTPRequestHandler) -> bytes:
    if "chunked" not in handler.headers.get("transfer-encoding", ""):
        return handler.rfile.read(int(handler.headers.get("content-length") or 0))
    body = b""
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


def _answer(state: BatchServer, call: Call, query: dict[str, list[str]]) -> tuple[int, bytes]:
    parts = call.path.removeprefix("/v1/").split("/")
    if call.name == "POST /v1/files":
        return _json(_take_file(state, call))
    if call.name == "POST /v1/batches":
        return _create(state, json.loads(call.body))
    if call.name == "GET /v1/batches":
        return _json(_list(state, query))
    if parts[0] == "files" and parts[-1] == "content" and parts[1] in state.files:
        return 200, state.files[parts[1]]
    if parts[0] == "batches" and parts[1] in state.batches:
        batch = state.batches[parts[1]]
        if parts[-1] == "cancel" and batch["status"] not in ("completed", "failed", "expired", "cancelled"):
            batch["status"] = "cancelling"
        return _json(batch)
    return 404, json.dumps({"error": {"message": "no such thing", "code": "not_found"}}).encode()


def _json(value: Any) -> tuple[int, bytes]:
    return 200, json.dumps(value).encode()


def read_form(call: Call) -> dict[str, tuple[str | None, bytes]]:
    """Return the fields of a multipart form: name -> (file name, content)."""
    head = f"content-type: {call.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + call.body)
    return {
        str(part.get_param("name", header="content-disposition")): (part.get_filename(), part.get_payload(decode=True) or b"")
        for part in message.iter_parts()  # type: ignore[attr-defined]
    }


def _take_file(state: BatchServer, call: Call) -> Any:
    form = read_form(call)
    file_name, content = form["file"]
    name = state.add_file(content)
    purpose = form["purpose"][1].decode()
    return {
        "id": name, "object": "file", "bytes": len(content), "created_at": 1, "filename": file_name, "purpose": purpose,
        "status": "processed",
    }  # fmt: skip


def _create(state: BatchServer, body: Any) -> tuple[int, bytes]:
    if body["input_file_id"] not in state.files:
        return 400, json.dumps({"error": {"message": "no such file", "code": "invalid_file"}}).encode()
    name = f"batch_{len(state.batches) + 1}"
    state.batches[name] = {
        "id": name, "object": "batch", "endpoint": body["endpoint"], "input_file_id": body["input_file_id"],
        "completion_window": body["completion_window"], "status": "validating", "output_file_id": None, "error_file_id": None,
        "created_at": int(time.time()), "metadata": body.get("metadata"), "errors": None,
    }  # fmt: skip
    return _json(state.batches[name])


def _list(state: BatchServer, query: dict[str, list[str]]) -> Any:
    newest_first = list(reversed(state.batches.values()))
    after = query.get("after", [""])[0]
    start = next((at + 1 for at, batch in enumerate(newest_first) if batch["id"] == after), 0)
    page = newest_first[start : start + state.page_size]
    return {"object": "list", "data": page, "has_more": start + state.page_size < len(newest_first)}
