"""Every fault of the server, once and for ever, through `Session.ask`, with healthy requests in between.

    outcome = run_matrix(folder, make_cases(step=7))
    outcome.num_asked == outcome.num_accounted_for
    outcome.wrong        what did not end as it must, in words: ["reset, once: rejected (request_failed)"]

A request with a fault that goes away must be accepted with the right value; one whose fault stays must be rejected with a
reason; a healthy neighbour must be accepted. The ledger must hold whole replies only.
"""

import functools
import json
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.database import Database
from curation.ids import stable_fraction
from curation.synthesis.asking import Answer, Ask, Session, SessionTeacher
from curation.synthesis.engine.complete import complete_all
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger
from curation.synthesis.prompts.template import STRING, Template, object_schema, render
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import OpenAIChatModel
from tests.curation.synthesis.fault_server import FAULTS, ODD_REPLIES, Behaviour, answer, chat, completion, fault_server

TITLE = Template(
    template_id="title-1", system="", text="Name the drink of case <{case}>.", schema=object_schema({"title": STRING})
)
GOOD = chat('{"title": "Tea"}')
REASONS = {
    "request_failed",
    "empty_reply",
    "truncated_reply",
    "filtered_reply",
    "unparsable_reply",
    "wrong_schema",
}
FINAL = {
    "finish reason length",
    "cut while reasoning",
    "finish reason content_filter",
    "refusal",
    "too long",
    "413",
    "no text",
}
"""Faults that are the reply: it is not asked for again, since the same would come and be paid for."""
SILENT = ("timeout", "slow drip")
"""Faults that end at the time limit, which doubles with each attempt."""


@dataclass(frozen=True)
class Case:
    """One request and what the server does to it."""

    name: str
    fault: Behaviour
    times: int
    must_be_accepted: bool


def make_cases(step: int) -> list[Case]:
    """Return all cases; a completion is cut at every `step`-th byte."""
    cases = []
    for name, fault in FAULTS.items():
        cases.append(Case(f"{name}, once", fault, 1, name not in FINAL))
        cases.append(Case(f"{name}, for ever", fault, 10**9, False))
        cases.append(Case(f"healthy beside {name}", GOOD, 0, True))
    cases += [Case(name, reply, 10**9, True) for name, reply in ODD_REPLIES.items()]
    text = json.dumps(completion('{"title": "Tea"}')).encode()
    for cut in range(0, len(text), step):
        cases.append(Case(f"cut at byte {cut}, once", answer(200, text[:cut]), 1, True))
        cases.append(Case(f"cut at byte {cut}, for ever", answer(200, text[:cut]), 10**9, False))
    return sorted(cases, key=lambda case: stable_fraction(case.name, "order"))


@dataclass(frozen=True)
class Outcome:
    """What came of a matrix."""

    num_asked: int
    num_accepted: int
    num_rejected: int
    num_partial: int
    """Replies in the ledger that are not whole."""
    reasons: Counter[str]
    wrong: list[str]

    @property
    def num_accounted_for(self) -> int:
        """Requests that ended accepted with their value, or rejected with a reason."""
        return self.num_accepted + self.num_rejected


def run_matrix(folder: Path, cases: list[Case], *, stream: bool = False, concurrency: int = 16) -> Outcome:
    """Run cases on three servers: being told 429 slows all requests to an endpoint down, and silence needs a short limit of
    time, which would end other cases too on a busy machine.
    """
    groups: dict[str, list[Case]] = {"plain": [], "429": [], "silent": []}
    for case in cases:
        groups["429" if "429" in case.name else "silent" if any(name in case.name for name in SILENT) else "plain"].append(case)
    outcomes = [_run_group(folder / name, group, name, stream, concurrency) for name, group in groups.items() if group]
    return Outcome(
        num_asked=sum(one.num_asked for one in outcomes),
        num_accepted=sum(one.num_accepted for one in outcomes),
        num_rejected=sum(one.num_rejected for one in outcomes),
        num_partial=sum(one.num_partial for one in outcomes),
        reasons=sum((one.reasons for one in outcomes), Counter[str]()),
        wrong=[line for one in outcomes for line in one.wrong],
    )


def _run_group(folder: Path, cases: list[Case], name: str, stream: bool, concurrency: int) -> Outcome:
    """Run cases against a server of their own."""
    by_name, used, lock = {case.name: case for case in cases}, Counter[str](), threading.Lock()

    def choose(body: dict[str, Any]) -> Behaviour:
        text = "".join(message["content"] or "" for message in body["messages"])
        case = by_name[text.partition("<")[2].partition(">")[0]]
        with lock:
            used[case.name] += 1
            return case.fault if used[case.name] <= case.times else GOOD

    database = Database.open(folder / "ledger.db", concern="ledger", migrations=MIGRATIONS)
    with fault_server(choose) as server, RequestLedger(database) as ledger:
        limits = (
            {"timeout_seconds": 0.5, "max_attempts": 5} if name == "silent" else {"timeout_seconds": 60.0, "max_attempts": 3}
        )
        config = TeacherConfig(kind="openai", model="m", base_url=server.url, concurrency=concurrency, stream=stream, **limits)
        model = OpenAIChatModel(config)
        complete = functools.partial(complete_all, backoff_seconds=0.01)
        session = Session([SessionTeacher(config=config, model=model)], ledger, complete=complete)
        try:
            answers = session.ask([Ask(key=case.name, prompt=render(TITLE, case=case.name)) for case in cases])
        finally:
            model.close()
        stored = [call.reply for call in ledger.iter_calls()]
    return _judge(cases, answers, stored)


def _judge(cases: list[Case], answers: list[Answer], stored: list[str]) -> Outcome:
    accepted = [found for found in answers if found.problem is None and found.value == {"title": "Tea"}]
    rejected = [found for found in answers if found.problem is not None and found.value is None]
    wrong = []
    for case, found in zip(cases, answers, strict=True):
        is_fit = found.problem is None if case.must_be_accepted else found.problem is not None
        reason = found.problem.reason if found.problem is not None else "accepted"
        if not is_fit or found.ask.key != case.name or (found.problem is not None and reason not in REASONS):
            wrong.append(f"{case.name}: {reason} {found.problem.detail if found.problem is not None else ''}")
        if found.problem is not None:
            made = found.rejection(stage="candidates", record_hash="h")
            wrong += [] if made.reason and made.detail else [f"{case.name}: no reason"]
    return Outcome(
        num_asked=len(cases),
        num_accepted=len(accepted),
        num_rejected=len(rejected),
        num_partial=sum(not _is_whole(reply) for reply in stored),
        reasons=Counter(found.problem.reason for found in rejected if found.problem is not None),
        wrong=wrong,
    )


def _is_whole(reply: str) -> bool:
    """Tell whether a stored reply is a whole chat completion."""
    try:
        return "message" in json.loads(json.loads(reply)["raw"])["choices"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        return False
