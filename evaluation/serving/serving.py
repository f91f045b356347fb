"""A champion behind an address, from start to stop, and the next champion after it.

    code = asyncio.run(serve(options, say, when_ready))      # until SIGINT or SIGTERM, or the engine ends

With `follow`, the ledger is looked at every few seconds. A new champion is verified and started beside the old one; when it
answers, requests go to it, the old engine ends what it was asked, and only then it is stopped: no request is dropped. While
both run, both are in memory. A champion that cannot be started leaves the old one in front, and is tried again later.
"""

import asyncio
import contextlib
import errno
import shutil
import signal
import socket
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from curation.errors import PublicServeError, ServePortError, TunewrightError
from curation.home import Home
from evaluation.release.registry import LedgerEntry, ReleaseLedger, open_release_ledger
from evaluation.serving.champion import ServedModel, find_champion, open_champion
from evaluation.serving.engine_process import (
    EngineProcess,
    find_free_port,
    kill_engine,
    start_engine,
    stop_engine,
    wait_ready,
)
from evaluation.serving.engines import LOOPBACK, Choice, Form, plan_engine
from evaluation.serving.front import Access, Backend, Front

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
DRAIN_SECONDS = 600.0
RETRY_SECONDS = 60.0
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """What is served, where, and to whom."""

    home: Home
    recipe: str
    """Also the name of the model in requests."""
    choice: Choice
    host: str = LOOPBACK
    port: int = 8000
    """0: any free one."""
    form: Form = "merged"
    key: str = ""
    allow_public: bool = False
    follow: bool = False
    follow_seconds: float = 2.0

    @property
    def folder(self) -> Path:
        """Return where logs and links of engines lie."""
        return self.home.path / "serving" / self.recipe


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A model that answers."""

    url: str
    """Address without a path."""
    served: ServedModel
    engine_url: str
    """Address of the engine itself, for what the front does not pass on."""
    seconds: float
    """From the start of the engine to its first answer."""
    log: Path


@dataclass(frozen=True, kw_only=True)
class _Live:
    engine: EngineProcess
    backend: Backend
    served: ServedModel
    work: Path
    seconds: float


async def serve(options: ServeOptions, say: Say, when_ready: Callable[[Ready], Awaitable[int | None]]) -> int:
    """Serve until told to stop, and return the exit code: 0, or 1 if the engine ended by itself.

    Args:
        options: what to serve.
        say: takes lines for people.
        when_ready: is awaited once the model answers; an exit code that it returns ends the serving.

    Raises:
        TunewrightError: if there is no champion, a file of it was changed, the port is taken, nobody may listen there
            without a key, or the engine does not start. Nothing is left running.
    """
    check_address(options)
    with contextlib.closing(open_release_ledger(options.home)) as ledger:
        entry = find_champion(ledger, options.recipe)
        with bind(options.host, options.port) as listener:
            return await _Serving(options, say, ledger, listener).run(entry, when_ready)


def check_address(options: ServeOptions) -> None:
    """Raises PublicServeError if everybody could ask."""
    if options.host not in LOCAL_HOSTS and not options.key and not options.allow_public:
        raise PublicServeError(host=options.host, variable="TUNEWRIGHT_SERVE_KEY")


def bind(host: str, port: int) -> socket.socket:
    """Take an address before anything is started. Raises ServePortError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ServePortError(host=host, port=port, reason=error.strerror or str(error)) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        reason = "it is taken" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        raise ServePortError(host=host, port=port, reason=reason) from error
    return listener


class _Serving:
    """One run of `serve`."""

    def __init__(self, options: ServeOptions, say: Say, ledger: ReleaseLedger, listener: socket.socket) -> None:
        self._options = options
        self._say = say
        self._ledger = ledger
        self._listener = listener
        everybody = options.allow_public and not options.key
        hosts = frozenset() if everybody else LOCAL_HOSTS | {options.host}
        self._front = Front(name=options.recipe, access=Access(key=options.key, hosts=hosts))
        self._engines: list[EngineProcess] = []
        self._works: set[Path] = set()
        self._draining: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    async def run(self, entry: LedgerEntry, when_ready: Callable[[Ready], Awaitable[int | None]]) -> int:
        loop, main = asyncio.get_running_loop(), asyncio.current_task()
        assert main is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, main)
        runner = web.AppRunner(self._front.application(), handler_cancellation=True, access_log=None)
        try:
            await runner.setup()
            await web.SockSite(runner, self._listener).start()
            live = await self._start(entry)
            self._front.switch(live.backend)
            code = await when_ready(self._ready(live))
            return await self._watch(live) if code is None else code
        except asyncio.CancelledError:
            return 0
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
            await self._end(runner)

    def _on_signal(self, main: "asyncio.Task[int]") -> None:
        if not self._stop.is_set():
            self._stop.set()
            self._say("stopping; Ctrl-C again does not wait")
            main.cancel()
            return
        for engine in self._engines:
            kill_engine(engine)

    def _ready(self, live: _Live) -> Ready:
        host, port = self._listener.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        return Ready(
            url=f"http://{host}:{port}",
            served=live.served,
            engine_url=live.backend.url,
            seconds=live.seconds,
            log=live.engine.log,
        )

    async def _start(self, entry: LedgerEntry) -> _Live:
        """Verify and start one model. If it does not come up, nothing of it is left."""
        options = self._options
        self._say(f"verifying the files of {entry.model_hash[:12]}")
        served = open_champion(options.home, options.recipe, entry)
        work = options.folder / f"{entry.model_hash[:12]}-{uuid.uuid4().hex[:8]}"
        self._works.add(work)
        plan = plan_engine(options.choice, served, name=options.recipe, port=find_free_port(), work=work, form=options.form)
        engine = start_engine(plan, log=options.folder / f"{entry.model_hash[:12]}.log")
        self._engines.append(engine)
        try:
            seconds = await wait_ready(engine, self._say)
        except BaseException:
            await self._put_away(engine, work)
            raise
        backend = Backend(url=plan.url, model=plan.model, model_hash=entry.model_hash)
        return _Live(engine=engine, backend=backend, served=served, work=work, seconds=seconds)

    async def _watch(self, live: _Live) -> int:
        refused, not_before = "", 0.0
        clock = asyncio.get_running_loop().time
        while live.engine.is_running:
            await asyncio.sleep(self._options.follow_seconds if self._options.follow else 0.5)
            newest = self._newest(live) if self._options.follow else None
            if newest is None or (newest.hash == refused and clock() < not_before):
                continue
            try:
                self._say(f"{newest.model_hash[:12]} is live now ({newest.reason}); it starts beside the old one")
                following = await self._start(newest)
            except (TunewrightError, OSError) as error:
                refused, not_before = newest.hash, clock() + RETRY_SECONDS
                self._say(f"{live.backend.model_hash[:12]} stays in front, tried again in {RETRY_SECONDS:.0f} s: {error}")
                continue
            self._front.switch(following.backend)
            self._say(f"{following.backend.model_hash[:12]} answers now; the old one ends what it was asked")
            task = asyncio.create_task(self._retire(live))
            self._draining.add(task)
            task.add_done_callback(self._draining.discard)
            live = following
        self._say(f"the engine ended by itself (exit code {live.engine.process.returncode}); see {live.engine.log}")
        return 1

    def _newest(self, live: _Live) -> LedgerEntry | None:
        """Return the entry of a champion that is not in front yet. A ledger that cannot be read changes nothing."""
        try:
            newest = find_champion(self._ledger, self._options.recipe)
        except TunewrightError as error:
            self._say(f"the champion stays as it is: {error}")
            return None
        return newest if newest.model_hash != live.backend.model_hash else None

    async def _retire(self, live: _Live) -> None:
        left = await self._front.drain(live.backend, DRAIN_SECONDS)
        if left:
            self._say(f"{left} requests to {live.backend.model_hash[:12]} took longer than {DRAIN_SECONDS:.0f} s and end now")
        await self._put_away(live.engine, live.work)
        self._say(f"{live.backend.model_hash[:12]} was stopped")

    async def _put_away(self, engine: EngineProcess, work: Path) -> None:
        await stop_engine(engine)
        self._engines.remove(engine)
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)

    async def _end(self, runner: web.AppRunner) -> None:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(runner.cleanup(), 10)
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*(stop_engine(engine) for engine in self._engines))
        for work in self._works:
            shutil.rmtree(work, ignore_errors=True)
