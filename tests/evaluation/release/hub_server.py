"""A small server that speaks what the mirror asks of the Hugging Face Hub: repositories, commits and tags, in memory."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlparse


class HubServer:
    """Commits and tags of one repository; `failures` is how many of the next requests are answered with 503."""

    def __init__(self) -> None:
        self.commits: list[dict[str, bytes]] = []
        self.tags: dict[str, str] = {}
        self.private: bool | None = None
        self.failures = 0
        self.uploads = 0
        self.tokens: set[str] = set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self, "GET", b"")

            def do_POST(self) -> None:
                hub.answer(self, "POST", self.rfile.read(int(self.headers.get("content-length") or 0)))

            def do_DELETE(self) -> None:
                hub.answer(self, "DELETE", b"")

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def oid(self, number: int) -> str:
        return hashlib.sha1(str(number).encode()).hexdigest()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, verb: str, body: bytes) -> None:
        self.tokens.add(request.headers.get("authorization") or "")
        if self.failures > 0 and request.path != "/api/agent-harnesses":  # which the library asks for once a process
            self.failures -= 1
            reply: tuple[int, Any] = (503, {"error": "busy"})
        else:
            reply = self._reply(verb, urlparse(request.path).path, body)
        data = json.dumps(reply[1]).encode()
        request.send_response(reply[0])
        request.send_header("content-type", "application/json")
        request.send_header("content-length", str(len(data)))
        if reply[0] == 404:
            request.send_header("X-Error-Code", "EntryNotFound")
        request.end_headers()
        request.wfile.write(data)

    def _reply(self, verb: str, path: str, body: bytes) -> tuple[int, Any]:
        head = self.commits[-1] if self.commits else {}
        name = path.removeprefix("/api/models/my-org/my-model")
        if path == "/api/repos/create":
            created, self.private = self.private is None, json.loads(body)["visibility"] == "private"
            return (200 if created else 409), {"url": f"{self.url}/my-org/my-model"}
        if name == "/refs":
            tags = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": oid} for tag, oid in self.tags.items()]
            return 200, {"branches": [], "converts": [], "tags": tags}
        if name.startswith("/preupload/"):
            paths = [item["path"] for item in json.loads(body)["files"]]
            return 200, {"files": [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths]}
        if name.startswith("/tree/"):
            return 200, [{"type": "file", "path": path, "size": len(data), "oid": "0"} for path, data in head.items()]
        if name.startswith("/commit/"):
            return 200, self._commit(dict(head), body)
        if name.startswith("/tag/") and verb == "POST":
            self.tags[json.loads(body)["tag"]] = path.rpartition("/")[2]
            return 200, {}
        if name.startswith("/tag/"):
            del self.tags[path.rpartition("/")[2]]
            return 200, {}
        if name in ("", "/revision/main"):
            return 200, {"id": "my-org/my-model", "siblings": [{"rfilename": path} for path in head], "sha": "0"}
        return 404, {"error": f"{verb} {path}"}

    def _commit(self, files: dict[str, bytes], body: bytes) -> dict[str, Any]:
        for line in body.splitlines():
            row = json.loads(line)
            if row["key"] == "file":
                files[row["value"]["path"]] = base64.b64decode(row["value"]["content"])
            elif row["key"] == "deletedFile":
                del files[row["value"]["path"]]
        self.commits.append(files)
        self.uploads += 1
        oid = self.oid(len(self.commits))
        return {"success": True, "commitOid": oid, "commitUrl": f"{self.url}/my-org/my-model/commit/{oid}", "hookOutput": ""}
