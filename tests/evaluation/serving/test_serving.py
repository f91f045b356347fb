"""Serving as a whole, on an engine that starts quickly: promotions, deaths, refusals, and nothing left behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from curation.errors import EngineFailedError, EngineMemoryError, PublicServeError, ServePortError
from curation.home import Home
from evaluation.release.registry import LedgerEntry
from evaluation.serving import engine_process
from evaluation.serving.engines import Choice
from evaluation.serving.serving import Ready, ServeOptions, bind, check_address, serve

Put = Callable[[str], str]
Promote = Callable[[str], LedgerEntry]
ROOT = Path(__file__).parents[3]
FAKE = Path(__file__).parent / "fake_vllm.py"


@pytest.fixture(autouse=True)
def fake_vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def options(home: Home) -> ServeOptions:
    return ServeOptions(home=home, recipe="toy", choice=Choice("vllm", "gpu", ""), port=0, follow=True, follow_seconds=0.05)


def run(
    options: ServeOptions, ask: Callable[[str, Ready], Awaitable[Any]], said: list[str] | None = None
) -> tuple[int, list[str], Any]:
    """Serve, let `ask` work beside it, and stop as Ctrl-C does."""
    said = [] if said is None else said
    found: list[Any] = []

    async def whole() -> int:
        tasks: list[asyncio.Task[None]] = []

        async def beside(ready: Ready) -> None:
            try:
                found.append(await ask(f"{ready.url}/v1/chat/completions", ready))
            finally:
                os.kill(os.getpid(), signal.SIGINT)

        async def when_ready(ready: Ready) -> None:
            tasks.append(asyncio.create_task(beside(ready)))

        code = await serve(options, said.append, when_ready)
        await asyncio.gather(*tasks)
        return code

    return asyncio.run(whole()), said, found[0]


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what has to come, however slow the machine."""
    async with asyncio.timeout(120):
        while not is_so():
            await asyncio.sleep(0.05)


def is_serving(folder: Path) -> bool:
    """Tell whether a process of this test's models is there."""
    listed = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return any(str(FAKE) in line and str(folder) in line for line in listed.splitlines())


@pytest.mark.slow
def test_a_promotion_is_taken_over_without_dropping_a_request(options: ServeOptions, put_model: Put, promote: Promote) -> None:
    log = options.folder / f"{promote(put_model('slow')).model_hash[:12]}.log"

    async def ask(url: str, ready: Ready) -> list[str]:
        async with aiohttp.ClientSession() as session:

            async def one(*, stream: bool = False) -> str:
                async with session.post(url, json={"model": "toy", "stream": stream}) as answer:
                    assert answer.status == 200
                    return await answer.text() if stream else str((await answer.json())["choices"][0]["message"]["content"])

            asked = [asyncio.create_task(one()), asyncio.create_task(one(stream=True))]
            await until(lambda: log.read_text().count("asked") == 2)
            promote(put_model("quick"))
            said = ["slow"]
            while said[-1] == "slow":
                said.append(await one())
            first, streamed = await asyncio.gather(*asked)
            assert first == "slow"
            assert streamed.count("data: slow") == 20
            assert streamed.endswith("data: [DONE]\n\n")
            assert [await one() for _ in range(5)] == ["quick"] * 5
            await until(lambda: len(list(options.folder.glob("*-????????"))) == 1)
            return said

    code, said, answers = run(options, ask)
    assert code == 0
    assert set(answers) == {"slow", "quick"}
    assert any("answers now; the old one ends what it was asked" in line for line in said)
    assert any("was stopped" in line for line in said)
    assert not is_serving(options.home.path)
    assert {path.suffix for path in options.folder.iterdir()} == {".log"}


@pytest.mark.slow
def test_a_champion_that_cannot_be_started_leaves_the_old_one_in_front(
    options: ServeOptions, put_model: Put, promote: Promote
) -> None:
    promote(put_model("quick"))
    said: list[str] = []

    async def ask(url: str, ready: Ready) -> str:
        promote(put_model("broken"))
        await until(lambda: any("stays in front" in line for line in said))
        await asyncio.sleep(1.0)  # it would be tried again 20 times meanwhile
        async with aiohttp.ClientSession() as session, session.post(url, json={}) as answer:
            return str((await answer.json())["choices"][0]["message"]["content"])

    code, _, answer = run(options, ask, said)
    assert (code, answer) == (0, "quick")
    refused = [line for line in said if "stays in front" in line]
    assert len(refused) == 1, "it is not tried again at once"
    assert "this architecture is unknown" in refused[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("broken", EngineFailedError, "exit code 1: ValueError: this architecture is unknown"),
        ("hungry", EngineMemoryError, "CUDA out of memory. Tried to allocate 14.00 GiB"),
        ("mute", EngineFailedError, "it did not answer within 1 s"),
    ],
)
def test_an_engine_that_does_not_come_up_is_told_in_its_own_words(
    options: ServeOptions, put_model: Put, promote: Promote, monkeypatch: pytest.MonkeyPatch, name: str, error: Any, reason: str
) -> None:
    seconds = 1.0 if name == "mute" else 120.0
    monkeypatch.setattr(engine_process.wait_ready, "__kwdefaults__", {"seconds": seconds, "every": 0.1})
    log = options.folder / f"{promote(put_model(name)).model_hash[:12]}.log"
    log.parent.mkdir(parents=True)
    log.write_text("an earlier engine: CUDA out of memory\n")
    with pytest.raises(error, match=reason):
        run(options, lambda url, ready: asyncio.sleep(0))
    assert not is_serving(options.home.path)
    assert {path.suffix for path in options.folder.iterdir()} == {".log"}


@pytest.mark.slow
def test_an_engine_that_ends_by_itself_ends_the_serving(options: ServeOptions, put_model: Put, promote: Promote) -> None:
    promote(put_model("fleeting"))
    said: list[str] = []

    async def when_ready(ready: Ready) -> None:
        async with aiohttp.ClientSession() as session, session.post(f"{ready.url}/v1/chat/completions", json={}) as answer:
            assert answer.status == 200

    assert asyncio.run(serve(options, said.append, when_ready)) == 1
    assert "exit code 7" in said[-1] or "exit code 7" in said[-2]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells the child on Linux only")
def test_a_killed_server_leaves_no_engine_behind(options: ServeOptions, put_model: Put, promote: Promote) -> None:
    promote(put_model("quick"))
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom curation.home import Home\n"
        "from evaluation.serving.engines import Choice\nfrom evaluation.serving.serving import ServeOptions, serve\n"
        "home = Home(path=Path(sys.argv[1]), store_url=sys.argv[1] + '/store', database_url='', review_url='')\n"
        "options = ServeOptions(home=home, recipe='toy', choice=Choice('vllm', 'gpu', ''), port=0)\n"
        "async def ready(found): print('ready', flush=True)\n"
        "asyncio.run(serve(options, lambda line: None, ready))\n"
    )
    command = [sys.executable, "-c", code, str(options.home.path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line, was_serving = process.stdout.readline(), is_serving(options.home.path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (line, was_serving) == ("ready\n", True)
    asyncio.run(until(lambda: not is_serving(options.home.path)))


def test_a_taken_port_is_named_before_anything_is_started() -> None:
    with bind("127.0.0.1", 0) as listener, pytest.raises(ServePortError, match="it is taken"):
        bind("127.0.0.1", listener.getsockname()[1])
    with pytest.raises(ServePortError, match="cannot be listened on"):
        bind("no-such-host.invalid", 0)


def test_nobody_serves_everybody_without_saying_so(home: Home) -> None:
    def options(**changes: Any) -> ServeOptions:
        return ServeOptions(home=home, recipe="toy", choice=Choice("vllm", "gpu", ""), **changes)

    for host in ("0.0.0.0", "::", "192.0.2.7", ""):
        with pytest.raises(PublicServeError, match="TUNEWRIGHT_SERVE_KEY"):
            check_address(options(host=host))
    for allowed in ({"host": "127.0.0.1"}, {"host": "0.0.0.0", "key": "k"}, {"host": "0.0.0.0", "allow_public": True}):
        check_address(options(**allowed))


def test_the_address_can_be_taken_again_at_once() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            listener.accept()[0].close()
    with bind("127.0.0.1", port) as again:
        assert again.getsockname()[1] == port
