"""A program that takes vLLM's command line and speaks its API, to start, switch, break and stop engines quickly.

It answers with the name that stands in the model's config.json, and does what that name says: `slow` says `asked` and takes
two seconds an answer, `broken` ends at once, `hungry` ends for want of memory, `mute` never answers its health check,
`fleeting` ends after its first answer.
"""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from aiohttp import web


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what")
    parser.add_argument("model")
    for name in ("served-model-name", "host", "tokenizer", "generation-config", "chat-template", "lora-modules"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--port", type=int)
    parser.add_argument("--enable-lora", action="store_true")
    parser.add_argument("--max-lora-rank", type=int)
    given = parser.parse_args()
    name = json.loads((Path(given.model) / "config.json").read_text())["name"]
    if name == "broken":
        sys.exit("ValueError: this architecture is unknown")
    if name == "hungry":
        sys.exit("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 14.00 GiB\nand a last line")
    web.run_app(application(name, given.served_model_name), host=given.host, port=given.port, print=None, shutdown_timeout=0.1)


def application(name: str, served: str) -> web.Application:
    async def health(_: web.Request) -> web.Response:
        return web.Response(status=503 if name == "mute" else 200)

    async def chat(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if body["model"] != served:
            return web.json_response({"error": {"message": f"no {body['model']}"}}, status=404)
        if name == "slow":
            print("asked", flush=True)
        if body.get("stream"):
            return await stream(request)
        await asyncio.sleep(2.0 if name == "slow" else 0)
        message = {"role": "assistant", "content": name}
        answer = {"object": "chat.completion", "choices": [{"message": message}], "usage": {"prompt_tokens": 3}, "got": body}
        if name == "fleeting":
            asyncio.get_running_loop().call_later(0.1, os._exit, 7)
        return web.json_response(answer)

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(20 if name == "slow" else 3):
            await response.write(f"data: {name} {number}\n\n".encode())
            await asyncio.sleep(0.1)
        await response.write(b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_get("/health", health)
    app.router.add_post("/v1/chat/completions", chat)
    return app


if __name__ == "__main__":
    main()
