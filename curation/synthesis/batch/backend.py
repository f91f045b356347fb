"""Batches in place of live requests, for whoever asks through `complete_all`: the same requests, keys and completions.

    backend = BatchBackend(recipe.teachers, store, BatchConfig(deadline_hours=6), recipe="demo")
    Session(teachers, ledger, complete=backend.complete)

A round waits until its batches are over, at the latest until their deadline; what they did not answer is asked live. A process
that dies while it waits loses nothing: the next one finds the batches in the store, and `poll_batches` harvests them meanwhile.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from curation.chat_model import ChatModel, ChatRequest, request_id
from curation.errors import BudgetExhaustedError
from curation.synthesis.batch.config import BatchConfig
from curation.synthesis.batch.poll import poll_batches
from curation.synthesis.batch.standing import Standing, sort_requests
from curation.synthesis.batch.store import BatchStore
from curation.synthesis.batch.submit import submit_batch
from curation.synthesis.engine.complete import Completion, complete_all
from curation.synthesis.engine.progress import Progress
from curation.synthesis.engine.scheduling import BudgetGuard
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import is_raw

POLL_SECONDS = 60.0


class BatchBackend:
    """Asks in batches first, then live. Teachers that it was not given, rules, and prompts that are no chats are asked live."""

    def __init__(
        self,
        teachers: Sequence[TeacherConfig],
        store: BatchStore,
        config: BatchConfig | None = None,
        *,
        recipe: str = "",
        run_id: str = "",
        poll_seconds: float = POLL_SECONDS,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._teachers = {(item.endpoint, item.model, item.revision): item for item in teachers if item.kind == "openai"}
        self._store = store
        self._config = config or BatchConfig()
        self._payer = {"recipe": recipe, "run_id": run_id}
        self._poll_seconds = poll_seconds
        self._sleep = sleep

    def complete(
        self,
        requests: Sequence[ChatRequest],
        teacher: ChatModel,
        ledger: RequestLedger,
        *,
        budget: BudgetGuard | None = None,
        **plan: Any,
    ) -> list[Completion]:
        """Return one completion for each request, in order; see `complete_all` for the rest and for what is raised."""
        config = self._teachers.get((teacher.endpoint, teacher.model, teacher.revision))
        if config is None or teacher.provider != "openai":
            return complete_all(requests, teacher, ledger, budget=budget, **plan)
        held = _Held(budget, teacher)
        chats = [request for request in requests if not is_raw(request)]
        try:
            allowed = held.reserve_for(sort_requests(chats, teacher, ledger, self._store, self._config).unsent)
            self._wait_for(chats, allowed, config, teacher, ledger, plan.get("on_progress"))
        finally:
            held.settle_by(ledger)
        return complete_all(requests, teacher, ledger, budget=budget, **plan)

    def _wait_for(
        self,
        requests: Sequence[ChatRequest],
        allowed: Sequence[ChatRequest],
        config: TeacherConfig,
        teacher: ChatModel,
        ledger: RequestLedger,
        report: Callable[[Progress], None] | None,
    ) -> None:
        """Submit what is allowed, and look after the batches until none of the requests waits in one."""
        started, before = time.monotonic(), None
        while True:
            submit_batch(allowed, config, ledger, self._store, self._config, **self._payer)
            poll_batches(self._store, ledger)
            may_be_sent = sort_requests(allowed, teacher, ledger, self._store, self._config).unsent
            standing = sort_requests(requests, teacher, ledger, self._store, self._config)
            if not standing.waiting and not may_be_sent:
                return
            before = len(standing.stored) if before is None else before
            if report is not None:
                report(_progress(standing, before, time.monotonic() - started))
            self._sleep(self._poll_seconds)


def _progress(standing: Standing, num_before: int, seconds: float) -> Progress:
    num_stored = len(standing.stored)
    return Progress(
        num_done=num_stored,
        num_total=sum(map(len, (standing.stored, standing.waiting, standing.unsent, standing.live))),
        num_cached=num_before,
        num_failed=0,
        calls_per_second=(num_stored - num_before) / max(seconds, 1e-9),
        cost_usd=0.0,
        num_in_batches=len(standing.waiting),
    )


class _Held:
    """What is set aside for requests in batches."""

    def __init__(self, budget: BudgetGuard | None, teacher: ChatModel) -> None:
        self._budget = budget
        self._teacher = teacher
        self._reservations: dict[str, Any] = {}

    def reserve_for(self, requests: Sequence[ChatRequest]) -> list[ChatRequest]:
        """Return the requests that the budget allows, from the first on."""
        if self._budget is None:
            return list(requests)
        for number, request in enumerate(requests):
            try:
                self._reservations[request_id(self._teacher, request)] = self._budget.reserve(request)
            except BudgetExhaustedError:
                return list(requests[:number])
        return list(requests)

    def settle_by(self, ledger: RequestLedger) -> None:
        """Book what the replies cost, and give the rest back."""
        if self._budget is None:
            return
        replies = ledger.get_many(sorted(self._reservations))
        for name, reservation in self._reservations.items():
            if name in replies:
                self._budget.settle(reservation, replies[name])
            else:
                self._budget.release(reservation)
        self._reservations = {}
