"""Sends the requests of one batch: many at once, failed ones again in between, each reply on disk before it counts.

    scheduler = Scheduler(teacher, ledger, control, plan, budget=None, count=counter.count)
    done = await scheduler.run({"9f...": request})          # on `transport.event_loop()`; scheduler.stop() ends it early

A request holds one of the `concurrency` places from its sending until its reply is committed, so that a crash costs at most
what was in flight. One that failed waits for its next attempt without a place.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from curation.chat_model import ChatModel, ChatReply, ChatRequest
from curation.errors import BudgetExhaustedError, RequestRefusedError, TeacherBusyError, TeacherUnreachableError
from curation.ids import stable_fraction
from curation.synthesis.engine.attempt import AsyncChatModel, Attempt
from curation.synthesis.engine.endpoint_health import EndpointHealth
from curation.synthesis.engine.group_commit import GroupCommit
from curation.synthesis.engine.patience import Patience
from curation.synthesis.engine.rate_control import Permit, RateControl
from curation.synthesis.ledger.request_ledger import RequestLedger

LONGEST_BACKOFF_SECONDS = 60.0
LONGEST_RETRY_AFTER_SECONDS = 900.0
"""A server that asks for a longer wait has run out of quota; the request then fails."""
BACKOFFS_UNTIL_SHUT = 180
"""Refusals for going too fast end a request only if nothing else got through for so many times the first backoff (90 s): a
limit by the minute shuts an endpoint for that long."""
MOST_REFUSALS = 100
SUSPECT_REFUSALS = 3
"""Refusals after which a request is suspected itself (too large for the allowance), if others got through in between."""
CHARACTERS_PER_TOKEN = 3.5
NEVER = float("inf")


class BudgetGuard(Protocol):
    """What guards money and tokens. Thread-safe."""

    def reserve(self, request: ChatRequest) -> Any:
        """Set aside what a request may cost at most. Raises BudgetExhaustedError."""
        ...

    def settle(self, reservation: Any, reply: ChatReply) -> None:
        """Book what the reply cost instead."""
        ...

    def release(self, reservation: Any) -> None:
        """Give back what was set aside: the request failed."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What became of one request: a reply, or the reason why there is none."""

    request_id: str
    reply: ChatReply | None
    is_cached: bool
    error: str = ""
    stopped_by: BudgetExhaustedError | None = None
    """Why it was never sent, if the budget was used up."""

    @property
    def is_stopped(self) -> bool:
        """Whether it was never sent because the budget was used up."""
        return self.stopped_by is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How hard to try."""

    concurrency: int
    max_attempts: int
    backoff_seconds: float


@dataclass(slots=True, eq=False)
class _Job:
    """A request on its way."""

    name: str
    request: ChatRequest
    num_failures: int = 0
    num_refusals: int = 0
    num_lone_refusals: int = 0
    """Refusals while others got through."""
    last_refused: float = float("inf")
    num_timeouts: int = 0
    reservation: Any = None


class Scheduler:
    """Runs one batch once. Everything but `stop` is called on the event loop."""

    def __init__(
        self,
        teacher: ChatModel,
        ledger: RequestLedger,
        control: RateControl,
        plan: Plan,
        *,
        budget: BudgetGuard | None = None,
        count: Callable[[ChatReply | None], None] = lambda _: None,
    ) -> None:
        self._teacher, self._control, self._plan = teacher, control, plan
        self._budget, self._count = budget, count
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._commit = GroupCommit(ledger, teacher)
        self._health = EndpointHealth()
        self._model = teacher if isinstance(teacher, AsyncChatModel) else None
        self._threads = None if self._model else ThreadPoolExecutor(plan.concurrency, thread_name_prefix="teacher")
        self._in_flight: set[asyncio.Task[None]] = set()
        self._waiting: list[tuple[float, int, _Job]] = []
        self._numbers = itertools.count()
        self._held: _Job | None = None
        """The next request that was never sent."""
        self._done: dict[str, Completion] = {}
        self._error: BaseException | None = None
        self._exhausted: BudgetExhaustedError | None = None
        self._is_stopped = False
        self._is_turn_of_new = False
        seconds = float(getattr(teacher, "timeout_seconds", 0.0))
        self._patience = Patience(seconds=seconds, longest=float(getattr(teacher, "max_timeout_seconds", seconds)))

    def stop(self) -> None:
        """Send nothing more; `run` ends once everything that is under way has come back. Thread-safe."""
        self._is_stopped = True
        self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self, missing: dict[str, ChatRequest]) -> dict[str, Completion]:
        """Return what became of each request; without those never sent if it was stopped.

        Raises:
            TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError, DatabaseError: what stops a batch.
        """
        new = iter([_Job(name, request) for name, request in missing.items()])
        self._held = next(new, None)
        try:
            await self._dispatch(new)
        finally:
            while self._in_flight:
                await asyncio.wait(self._in_flight)
            for *_, job in self._waiting:
                self._release(job)
            self._commit.close()
            if self._threads is not None:
                self._threads.shutdown(wait=False)
        if self._error is not None:
            raise self._error
        return self._done

    async def _dispatch(self, new: Iterator[_Job]) -> None:
        """Start requests as there are places, leave and money, until all have come to an end."""
        while not self._is_stopped and self._error is None:
            job = self._next_job()
            if job is None:
                if self._held is None and not self._waiting and not self._in_flight:
                    return
                await self._sleep(self._seconds_to_next())
                continue
            wait = self._start(job)
            if wait is not None:
                if wait == NEVER and not self._in_flight and not self._waiting:
                    self._stop_for_budget([job, *new])
                    return
                await self._sleep(min(wait, self._seconds_to_next()) if wait == NEVER else wait)
            elif job is self._held:
                self._held = next(new, None)
            else:
                heapq.heappop(self._waiting)

    def _next_job(self) -> _Job | None:
        """Return a request that may be sent now: one that failed before goes first."""
        num_sending = len(self._in_flight)
        may_begin = self._health.may_begin(
            num_sending=num_sending, num_waiting=len(self._waiting), concurrency=self._plan.concurrency
        )
        has_place = num_sending < self._plan.concurrency
        if not has_place or not self._waiting or self._waiting[0][0] > time.monotonic():
            return self._held if may_begin else None
        waiting = self._waiting[0][2]
        # Requests that were told to go slower alternate with new ones: otherwise one that is always told so holds up all.
        self._is_turn_of_new = waiting.num_refusals > 0 and not self._is_turn_of_new
        return self._held if self._is_turn_of_new and may_begin and self._held is not None else waiting

    def _seconds_to_next(self) -> float:
        if not self._waiting or len(self._in_flight) >= self._plan.concurrency:
            return NEVER
        return max(self._waiting[0][0] - time.monotonic(), 0.001)

    async def _sleep(self, seconds: float) -> None:
        """Sleep until a request finishes, but for no longer than some seconds."""
        timer = self._loop.call_later(seconds, self._wake.set) if seconds != NEVER else None
        await self._wake.wait()
        self._wake.clear()
        if timer is not None:
            timer.cancel()

    def _start(self, job: _Job) -> float | None:
        """Send a request; or return the seconds to wait, `NEVER` if only money from other requests can help."""
        if self._budget is not None and job.reservation is None:
            try:
                job.reservation = self._budget.reserve(job.request)
            except BudgetExhaustedError as error:
                self._exhausted = error
                return NEVER
        permit = self._control.try_start(_estimate_tokens(job.request))
        if not isinstance(permit, Permit):
            return permit
        task = self._loop.create_task(self._attempt(job, permit))
        self._in_flight.add(task)
        task.add_done_callback(self._leave)
        return None

    def _leave(self, task: "asyncio.Task[None]") -> None:
        self._in_flight.discard(task)
        self._wake.set()

    async def _attempt(self, job: _Job, permit: Permit) -> None:
        """Make one attempt. Afterwards the request is done or waiting, or the batch has an error."""
        attempt = Attempt(timeout_seconds=self._patience.limit(job.num_timeouts) or None)
        try:
            try:
                reply = await self._ask(job, permit, attempt)
            except RequestRefusedError as error:
                self._health.note_answer()
                self._fail(job, str(error.fields["reason"]))
            except TeacherBusyError as error:
                self._try_again(job, error)
            else:
                self._health.note_answer()
                stored = await self._commit.put(job.name, job.request, reply)
                if self._budget is not None:
                    reservation, job.reservation = job.reservation, None
                    self._budget.settle(reservation, reply)
                self._done[job.name] = Completion(request_id=job.name, reply=stored, is_cached=False)
                self._count(reply)
        except BaseException as error:
            self._release(job)
            self._error = self._error or error

    async def _ask(self, job: _Job, permit: Permit, attempt: Attempt) -> ChatReply:
        """Ask the teacher once, and tell the control how it went."""
        try:
            if self._model is not None:
                reply = await self._model.complete_async(job.request, attempt)
            else:
                reply = await self._loop.run_in_executor(self._threads, self._teacher.complete, job.request)
        except TeacherBusyError as error:
            retry_after = float(error.fields.get("retry_after") or 0.0)
            retry_after = retry_after if retry_after <= LONGEST_RETRY_AFTER_SECONDS else 0.0
            if error.fields.get("status") == 429 and not self._is_suspect(job):
                self._control.limit(permit, retry_after=retry_after, headers=attempt.headers)
            else:
                self._control.release(permit, retry_after=retry_after)
            raise
        except BaseException:
            self._control.release(permit)
            raise
        self._patience.record(time.monotonic() - permit.started)
        self._control.succeed(permit, attempt.headers, reply.prompt_tokens + reply.completion_tokens)
        return reply

    def _try_again(self, job: _Job, busy: TeacherBusyError) -> None:
        """Let a request wait for its next attempt, or end it."""
        contact = {"has_contact": busy.fields.get("has_contact", True), "is_silent": busy.fields.get("is_silent", False)}
        retry_after = float(busy.fields.get("retry_after") or 0.0)
        is_over = self._count_failure(job, busy, contact)
        if is_over or retry_after > LONGEST_RETRY_AFTER_SECONDS:
            if self._health.is_unreachable_after(**contact):
                raise TeacherUnreachableError(endpoint=self._teacher.endpoint, reason=str(busy.fields["reason"])) from busy
            self._fail(job, str(busy.fields["reason"]))
            return
        number = job.num_failures + job.num_refusals
        jitter = 0.5 + stable_fraction(job.name, f"attempt {number}")
        backoff = min(self._plan.backoff_seconds * 2.0 ** min(number - 1, 30) * jitter, LONGEST_BACKOFF_SECONDS)
        moment = time.monotonic() + max(backoff, retry_after)
        heapq.heappush(self._waiting, (moment, next(self._numbers), job))

    def _count_failure(self, job: _Job, busy: TeacherBusyError, contact: dict[str, bool]) -> bool:
        """Take note of a failed attempt, and tell whether it was the last.

        Being told to go slower is no fault of the request, so it is not counted as long as others get through.
        """
        if busy.fields.get("status") == 429:
            self._health.note_contact()
            job.num_refusals += 1
            job.num_lone_refusals += self._health.last_success > job.last_refused
            job.last_refused = time.monotonic()
            if job.num_lone_refusals >= SUSPECT_REFUSALS + self._plan.max_attempts:
                return True
            is_shut = time.monotonic() - self._health.last_success > BACKOFFS_UNTIL_SHUT * self._plan.backoff_seconds
            return (is_shut and job.num_refusals >= self._plan.max_attempts) or job.num_refusals >= MOST_REFUSALS
        self._health.note_failure(**contact)
        job.num_failures += 1
        job.num_timeouts += bool(busy.fields.get("is_timeout"))
        return job.num_failures >= self._plan.max_attempts

    def _is_suspect(self, job: _Job) -> bool:
        """Tell whether a refusal says more about the request than about the pace."""
        return job.num_lone_refusals >= SUSPECT_REFUSALS

    def _fail(self, job: _Job, reason: str) -> None:
        self._release(job)
        self._done[job.name] = Completion(request_id=job.name, reply=None, is_cached=False, error=reason)
        self._count(None)

    def _release(self, job: _Job) -> None:
        if self._budget is not None and job.reservation is not None:
            reservation, job.reservation = job.reservation, None
            self._budget.release(reservation)

    def _stop_for_budget(self, jobs: list[_Job]) -> None:
        error = self._exhausted
        assert error is not None
        for job in jobs:
            self._done[job.name] = Completion(
                request_id=job.name, reply=None, is_cached=False, error=f"budget: {error}", stopped_by=error
            )


def _estimate_tokens(request: ChatRequest) -> int:
    """Guess what a request uses of an allowance of tokens: its text, and the longest reply that it may have."""
    longest = request.parameters.get("max_tokens", 0)
    text = sum(len(message.content) for message in request.messages)
    return int(text / CHARACTERS_PER_TOKEN) + (longest if isinstance(longest, int) else 0)
