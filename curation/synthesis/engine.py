"""Asks a teacher many things at once, pays for nothing twice, and stops cleanly.

    completions = complete_all(requests, teacher, ledger, concurrency=8, max_attempts=4, on_progress=print)
    completions[0].reply.text                    # in the order of the requests
    report_calls(completions).num_calls          # what was really asked of the teacher

Replies in the ledger are used without a call. Every other request is tried up to `max_attempts` times and ends with a
reply that is stored, or failed with its reason. An interruption loses at most the replies that were still under way.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from curation.chat_model import ChatModel, ChatReply, ChatRequest, request_id
from curation.errors import RequestRefusedError, TeacherBusyError, TeacherUnreachableError
from curation.ids import stable_fraction
from curation.synthesis.ledger import RequestLedger

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 60.0
LONGEST_RETRY_AFTER_SECONDS = 900.0
"""A server that asks for a longer wait has run out of quota; the request then fails."""
FAILURES_UNTIL_UNREACHABLE = 3
"""Requests that fail in a row without contact to the endpoint before the rest is given up; one if there never was any."""
PROGRESS_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What became of one request: a reply, or the reason why there is none."""

    request_id: str
    reply: ChatReply | None
    is_cached: bool
    error: str = ""


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

    def __add__(self, other: "CallReport") -> "CallReport":
        return CallReport(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a batch is."""

    num_done: int
    num_total: int
    num_cached: int
    num_failed: int
    calls_per_second: float
    cost_usd: float

    def __str__(self) -> str:
        parts = [
            f"{self.num_done}/{self.num_total} replies",
            f"{self.num_cached} from the ledger",
            f"{self.calls_per_second:.1f} calls/s",
        ]
        parts += [f"{self.num_failed} failed"] if self.num_failed else []
        parts += [f"${self.cost_usd:.2f}"] if self.cost_usd else []
        return ", ".join(parts)


def complete_all(
    requests: Sequence[ChatRequest],
    teacher: ChatModel,
    ledger: RequestLedger,
    *,
    concurrency: int,
    max_attempts: int,
    on_progress: Callable[[Progress], None] | None = None,
    backoff_seconds: float = FIRST_BACKOFF_SECONDS,
) -> list[Completion]:
    """Return one completion for each request, in order.

    Args:
        requests: what to ask; requests with the same id are asked once.
        teacher: whom to ask.
        ledger: where replies are looked up and stored.
        concurrency: requests in flight at once.
        max_attempts: attempts for each request.
        on_progress: called from this thread, at the start, every few seconds and at the end.
        backoff_seconds: wait after the first failed attempt; it doubles with each.

    Raises:
        TeacherKeyMissingError, TeacherRefusedError: the teacher will answer nothing.
        TeacherUnreachableError: there is no contact to the endpoint.
        DatabaseError: a reply could not be stored.
    """
    names = [request_id(teacher, request) for request in requests]
    stored = ledger.get_many(sorted(set(names)))
    done = {name: Completion(request_id=name, reply=reply, is_cached=True) for name, reply in stored.items()}
    missing = {name: request for name, request in zip(names, requests, strict=True) if name not in done}
    counter = _Counter(num_total=len(done) + len(missing), report=on_progress)
    counter.count(done.values())
    if missing:
        asker = _Asker(teacher, ledger, max_attempts=max_attempts, backoff_seconds=backoff_seconds)
        done |= _ask_all(missing, asker, concurrency, counter)
    counter.show()
    return [done[name] for name in names]


def report_calls(completions: Sequence[Completion]) -> CallReport:
    """Add up a batch; a request that occurs several times counts once."""
    distinct = {completion.request_id: completion for completion in completions}.values()
    paid = [item.reply for item in distinct if item.reply is not None and not item.is_cached]
    return CallReport(
        num_calls=len(paid),
        num_cached=sum(item.is_cached for item in distinct),
        num_failed=sum(item.reply is None for item in distinct),
        prompt_tokens=sum(reply.prompt_tokens for reply in paid),
        completion_tokens=sum(reply.completion_tokens for reply in paid),
        cost_usd=sum(reply.cost_usd for reply in paid),
    )


def _ask_all(missing: dict[str, ChatRequest], asker: "_Asker", concurrency: int, counter: "_Counter") -> dict[str, Completion]:
    """Ask in threads. Whatever goes wrong, requests not yet begun are dropped and those under way are waited for."""
    arrived: queue.SimpleQueue[Completion | Exception] = queue.SimpleQueue()

    def work(name: str, request: ChatRequest) -> None:
        if asker.stop.is_set():
            return
        try:
            arrived.put(asker.ask(name, request))
        except Exception as error:
            asker.stop.set()
            arrived.put(error)

    done: dict[str, Completion] = {}
    pool = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="teacher")
    try:
        for name, request in missing.items():
            pool.submit(work, name, request)
        while len(done) < len(missing):
            item = _next(arrived, counter)
            if isinstance(item, Exception):
                raise item
            done[item.request_id] = item
            counter.count([item])
    finally:
        asker.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
    return done


def _next(arrived: "queue.SimpleQueue[Completion | Exception]", counter: "_Counter") -> Completion | Exception:
    while True:
        try:
            return arrived.get(timeout=PROGRESS_SECONDS)
        except queue.Empty:
            counter.show()


class _Asker:
    """Asks one request until it has a reply or has failed for good. Shared by the threads of a batch."""

    def __init__(self, teacher: ChatModel, ledger: RequestLedger, *, max_attempts: int, backoff_seconds: float) -> None:
        self.stop = threading.Event()
        self._teacher = teacher
        self._ledger = ledger
        self._max_attempts = max_attempts
        self._backoff_seconds = backoff_seconds
        self._not_before = 0.0
        """When the server's last Retry-After ends; it holds for all threads."""
        self._has_had_contact = False
        self._num_without_contact = 0

    def ask(self, name: str, request: ChatRequest) -> Completion:
        """Return a stored reply, or a failure with its reason. Raises what stops the whole batch."""
        attempt = 1
        while True:
            self._wait_until(self._not_before)
            try:
                reply = self._teacher.complete(request)
            except RequestRefusedError as error:
                self._has_had_contact, self._num_without_contact = True, 0
                return Completion(request_id=name, reply=None, is_cached=False, error=str(error.fields["reason"]))
            except TeacherBusyError as error:
                if not self._wait_for_next_attempt(name, attempt, error):
                    return self._fail(name, error)
                attempt += 1
            else:
                self._has_had_contact, self._num_without_contact = True, 0
                stored = self._ledger.put(name, self._teacher, request, reply)
                return Completion(request_id=name, reply=stored, is_cached=False)

    def _wait_for_next_attempt(self, name: str, attempt: int, busy: TeacherBusyError) -> bool:
        retry_after = float(busy.fields.get("retry_after") or 0.0)
        if attempt >= self._max_attempts or retry_after > LONGEST_RETRY_AFTER_SECONDS:
            return False
        jitter = 0.5 + stable_fraction(name, f"attempt {attempt}")
        backoff = min(self._backoff_seconds * 2 ** (attempt - 1) * jitter, LONGEST_BACKOFF_SECONDS)
        if retry_after:
            self._not_before = max(self._not_before, time.monotonic() + retry_after)
        self._wait_until(time.monotonic() + max(backoff, retry_after))
        return not self.stop.is_set()

    def _wait_until(self, moment: float) -> None:
        remaining = moment - time.monotonic()
        if remaining > 0:
            self.stop.wait(remaining)

    def _fail(self, name: str, busy: TeacherBusyError) -> Completion:
        reason = str(busy.fields["reason"])
        if busy.fields.get("has_contact", True):
            self._has_had_contact, self._num_without_contact = True, 0
        else:
            self._num_without_contact += 1
            if not self._has_had_contact or self._num_without_contact >= FAILURES_UNTIL_UNREACHABLE:
                raise TeacherUnreachableError(endpoint=self._teacher.endpoint, reason=reason) from busy
        return Completion(request_id=name, reply=None, is_cached=False, error=reason)


class _Counter:
    """Counts what is done and shows it, not too often."""

    def __init__(self, *, num_total: int, report: Callable[[Progress], None] | None) -> None:
        self._num_total = num_total
        self._report = report
        self._started = self._shown = time.monotonic()
        self._num_done = self._num_cached = self._num_failed = 0
        self._cost_usd = 0.0

    def count(self, completions: Iterable[Completion]) -> None:
        """Take note of finished requests."""
        for item in completions:
            self._num_done += 1
            self._num_cached += item.is_cached
            self._num_failed += item.reply is None
            self._cost_usd += item.reply.cost_usd if item.reply is not None and not item.is_cached else 0.0
        if time.monotonic() - self._shown >= PROGRESS_SECONDS:
            self.show()

    def show(self) -> None:
        """Report now."""
        self._shown = time.monotonic()
        if self._report is None:
            return
        seconds = max(self._shown - self._started, 1e-9)
        num_calls = self._num_done - self._num_cached - self._num_failed
        self._report(
            Progress(
                num_done=self._num_done,
                num_total=self._num_total,
                num_cached=self._num_cached,
                num_failed=self._num_failed,
                calls_per_second=num_calls / seconds,
                cost_usd=self._cost_usd,
            )
        )
