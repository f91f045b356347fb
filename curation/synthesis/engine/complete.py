"""Asks a teacher many things at once, pays for nothing twice, and stops cleanly.

    completions = complete_all(requests, teacher, ledger, concurrency=8, max_attempts=4, on_progress=print)
    completions[0].reply.text                    # in the order of the requests
    report_calls(completions).num_calls          # what was really asked of the teacher

Replies in the ledger are used without a call. Every other request is tried up to `max_attempts` times and ends with a
reply that is stored, or failed with its reason. An interruption loses at most the replies that were still under way.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.chat_model import ChatModel, ChatRequest, request_id
from curation.synthesis.engine.attempt import AsyncChatModel, Attempt
from curation.synthesis.engine.endpoint_limits import control_of
from curation.synthesis.engine.progress import PROGRESS_SECONDS, Progress, ProgressCounter
from curation.synthesis.engine.scheduling import BudgetGuard, Completion, Plan, Scheduler
from curation.synthesis.engine.shared_limits import SharedLimits
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.teachers.transport import event_loop

__all__ = [
    "AsyncChatModel",
    "Attempt",
    "BudgetGuard",
    "CallReport",
    "Completion",
    "Progress",
    "complete_all",
    "report_calls",
]

FIRST_BACKOFF_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class CallReport:
    """What a batch cost. Tokens and cost are those of the real calls."""

    num_calls: int = 0
    """Replies that were paid for now."""
    num_cached: int = 0
    num_failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    num_stopped: int = 0
    """Requests that were not sent because the budget was used up."""

    def __add__(self, other: "CallReport") -> "CallReport":
        return CallReport(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})


def complete_all(
    requests: Sequence[ChatRequest],
    teacher: ChatModel,
    ledger: RequestLedger,
    *,
    concurrency: int,
    max_attempts: int,
    on_progress: Callable[[Progress], None] | None = None,
    backoff_seconds: float = FIRST_BACKOFF_SECONDS,
    budget: BudgetGuard | None = None,
    shared_limits_path: Path | None = None,
) -> list[Completion]:
    """Return one completion for each request, in order.

    Args:
        requests: what to ask; requests with the same id are asked once.
        teacher: whom to ask; an `AsyncChatModel` needs no thread for each request.
        ledger: where replies are looked up and stored.
        concurrency: requests in flight at once, at most; fewer where the endpoint allows fewer.
        max_attempts: attempts for each request. Being told to go slower is none as long as others get through.
        on_progress: called from this thread, every few seconds and at the end.
        backoff_seconds: wait after the first failed attempt; it doubles with each.
        budget: asked before each request is sent. When it is used up, what is under way ends and is stored, and the rest
            comes back with `is_stopped`.
        shared_limits_path: file through which processes share the limits of an endpoint; None: each finds its own.

    Raises:
        TeacherKeyMissingError, TeacherRefusedError: the teacher will answer nothing.
        TeacherUnreachableError: there is no contact to the endpoint.
        DatabaseError: a reply could not be stored.
    """
    names = [request_id(teacher, request) for request in requests]
    stored = ledger.get_many(sorted(set(names)))
    done = {name: Completion(request_id=name, reply=reply, is_cached=True) for name, reply in stored.items()}
    missing = {name: request for name, request in zip(names, requests, strict=True) if name not in done}
    counter = ProgressCounter(num_total=len(done) + len(missing), num_cached=len(done), report=on_progress)
    if missing:
        plan = Plan(concurrency=concurrency, max_attempts=max_attempts, backoff_seconds=backoff_seconds)
        done |= _run(missing, teacher, ledger, plan, budget, counter, shared_limits_path)
    counter.show()
    return [done[name] for name in names]


def report_calls(completions: Sequence[Completion]) -> CallReport:
    """Add up a batch; a request that occurs several times counts once."""
    distinct = {completion.request_id: completion for completion in completions}.values()
    paid = [item.reply for item in distinct if item.reply is not None and not item.is_cached]
    return CallReport(
        num_calls=len(paid),
        num_cached=sum(item.is_cached for item in distinct),
        num_failed=sum(item.reply is None and not item.is_stopped for item in distinct),
        prompt_tokens=sum(reply.prompt_tokens for reply in paid),
        completion_tokens=sum(reply.completion_tokens for reply in paid),
        cost_usd=sum(reply.cost_usd for reply in paid),
        num_stopped=sum(item.is_stopped for item in distinct),
    )


def _run(
    missing: dict[str, ChatRequest],
    teacher: ChatModel,
    ledger: RequestLedger,
    plan: Plan,
    budget: BudgetGuard | None,
    counter: ProgressCounter,
    shared_limits_path: Path | None,
) -> dict[str, Completion]:
    """Run a batch on the event loop and show its progress from here. Whatever goes wrong, what is under way is waited for."""
    schedulers: list[Scheduler] = []

    async def work() -> dict[str, Completion]:
        control = control_of(teacher)
        schedulers.append(Scheduler(teacher, ledger, control, plan, budget=budget, count=counter.count))
        if shared_limits_path is None:
            return await schedulers[0].run(missing)
        shared = SharedLimits(shared_limits_path, f"{teacher.endpoint} {teacher.model}")
        keeping = asyncio.create_task(shared.keep(control))
        try:
            return await schedulers[0].run(missing)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    running = asyncio.run_coroutine_threadsafe(work(), event_loop())
    try:
        while not running.done():
            concurrent.futures.wait([running], timeout=max(PROGRESS_SECONDS, 0.001))
            if not running.done():
                counter.show()
        return running.result()
    except BaseException:
        for scheduler in schedulers:
            scheduler.stop()
        concurrent.futures.wait([running])
        raise
