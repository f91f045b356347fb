"""An OpenAI-compatible server of ours that takes its time and counts what it is asked."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SlowTeacher:
    """Answers every chat request after a while; `asked` counts requests by their messages."""

    def __init__(self, seconds: float) -> None:
        self.asked: Counter[str] = Counter()
        lock, asked = threading.Lock(), self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    asked[json.dumps(body["messages"])] += 1
                time.sleep(seconds)
                data = json.dumps(_reply(body)).encode()
                try:
                    self.send_response(200)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _reply(body: dict[str, Any]) -> dict[str, Any]:
    text = body["messages"][-1]["content"]
    word = next(
        word
        for word in ("sail", "anchor", "rudder", "keel", "mast", "oar", "flour", "oven", "yeast", "crust", "dough", "crumb")
        if f"Use the {word}" in text
    )
    questions = [
        {"question": f"How do I treat the {word} number {n}?", "quote": f"Use the {word} with care."} for n in range(2)
    ]
    message = {"role": "assistant", "content": json.dumps({"questions": questions})}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
    }
