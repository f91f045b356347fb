"""Stores replies from an event loop: what arrives while one commit runs goes into the next, together.

commit = GroupCommit(ledger, teacher)
stored = await commit.put("9f...", request, reply)      # on disk when it returns
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from curation.chat_model import ChatModel, ChatReply, ChatRequest
from curation.synthesis.ledger.request_ledger import RequestLedger

Waiting = tuple[str, ChatRequest, ChatReply, "asyncio.Future[ChatReply]"]


class GroupCommit:
    """Puts replies of one teacher into a ledger. For one event loop."""

    def __init__(self, ledger: RequestLedger, teacher: ChatModel) -> None:
        self._ledger, self._teacher = ledger, teacher
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="teacher-commit")
        self._waiting: list[Waiting] = []
        self._runner: asyncio.Task[None] | None = None

    async def put(self, name: str, request: ChatRequest, reply: ChatReply) -> ChatReply:
        """Store a reply; return what the ledger holds. Raises DatabaseError."""
        done: asyncio.Future[ChatReply] = self._loop.create_future()
        self._waiting.append((name, request, reply, done))
        if self._runner is None:
            self._runner = self._loop.create_task(self._run())
        return await done

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                stored = await self._loop.run_in_executor(self._thread, self._write, batch)
            except Exception as error:
                for *_, done in batch:
                    done.set_exception(error)
                continue
            for (*_, done), reply in zip(batch, stored, strict=True):
                done.set_result(reply)
        self._runner = None

    def _write(self, batch: list[Waiting]) -> list[ChatReply]:
        return self._ledger.put_many([(name, self._teacher, request, reply) for name, request, reply, _ in batch])

    def close(self) -> None:
        """Let go of the thread; everything put is stored."""
        self._thread.shutdown(wait=False)
