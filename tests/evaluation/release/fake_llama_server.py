"""Stands in for llama.cpp's `llama-server`: it serves the merged model that lies beside the GGUF file, by our own code.

    python fake_llama_server.py --model FOLDER/model.gguf --host 127.0.0.1 --port 8123 ...

What is written in the GGUF file makes it misbehave: `broken` ends it, `lying` has it answer something else, `short` the first
question only.
"""

import argparse
import http.server
import json
import sys
from pathlib import Path
from typing import Any

from curation.records import Message
from evaluation.answering.language_model import load_model


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser()
    for name in ("--model", "--host", "--port", "--ctx-size", "--parallel", "--reasoning-format"):
        parser.add_argument(name, required=True)
    parser.add_argument("--jinja", action="store_true", required=True)
    given = parser.parse_args()
    manner = Path(given.model).read_text()
    if manner == "broken":
        sys.exit("error: tensor 'blk.0.attn_q.weight' has wrong shape")
    model = load_model("gguf", str(Path(given.model).parent), max_new_tokens=8)

    asked: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(200, {"status": "ok"})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            if manner == "short" and len(asked) > 1:
                self._say(400, {"error": {"message": "maximum context length is 4 tokens"}})
                return
            prompt = [Message(role=turn["role"], content=turn["content"]) for turn in body["messages"]]
            (answer,) = model.write([model.encode(prompt, ()).tokens], max_new_tokens=body["max_tokens"])
            said = "something else" if manner == "lying" else answer.text
            choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 9, "completion_tokens": answer.num_tokens, "total_tokens": 9 + answer.num_tokens}
            self._say(200, {"id": "1", "object": "chat.completion", "created": 1, "model": "gguf", "choices": [choice],
                            "usage": usage})  # fmt: skip

        def _say(self, status: int, content: dict[str, Any]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http.server.ThreadingHTTPServer((given.host, int(given.port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
