"""A teacher that answers by a function of the request, and rows for the tests of methods that invent tasks."""

import json
import threading
from collections.abc import Callable
from typing import Any

from curation.chat_model import ChatReply, ChatRequest
from curation.records import Document, Example, Message, Provenance, Section
from curation.synthesis.asking import Session, SessionTeacher
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.method import Made, Unit
from curation.synthesis.teachers.config import TeacherConfig

Answer = Callable[[ChatRequest], Any]
CONFIG = TeacherConfig(kind="openai", model="m", base_url="http://127.0.0.1:9/v1", concurrency=2, max_attempts=1)


class AnsweringModel:
    """Answers with what a function makes of a request: a text, a reply, or a value that becomes JSON."""

    provider = "answering"
    endpoint = "here"
    model = "m"
    revision = "1"
    is_model = True

    def __init__(self, answer: Answer) -> None:
        self.requests: list[ChatRequest] = []
        self._answer = answer
        self._lock = threading.Lock()

    def complete(self, request: ChatRequest) -> ChatReply:
        with self._lock:
            self.requests.append(request)
        found = self._answer(request)
        if isinstance(found, ChatReply):
            return found
        return ChatReply(text=found if isinstance(found, str) else json.dumps(found))


def session_of(ledger: RequestLedger, answer: Answer) -> tuple[Session, AnsweringModel]:
    """Return a session with one teacher, and that teacher."""
    model = AnsweringModel(answer)
    return Session([SessionTeacher(config=CONFIG, model=model)], ledger), model


def asked(request: ChatRequest) -> str:
    """Return the user's message of a request."""
    return request.messages[-1].content


def demonstration(
    key: str, question: str, answer: str = "Yes.", *, depth: int = 0, license: str = "MIT", **more: Any
) -> Example:
    """Return a single-turn example."""
    return Example(
        key=key,
        task="demonstration",
        messages=(Message(role="user", content=question), Message(role="assistant", content=answer)),
        group=f"group of {key}",
        provenance=Provenance(
            origin="synthetic" if depth else "human",
            method="demonstration",
            license=license,
            output_terms="as the source",
            generation_depth=depth,
        ),
        **more,
    )


def document_of(text: str, key: str = "guide/tea", title: str = "Tea") -> Document:
    """Return a document of one section."""
    return Document(
        key=key,
        source="guide",
        title=title,
        kind="markdown",
        text=text,
        sections=(Section(heading_path=(), kind="body", start=0, end=len(text)),),
        group=key,
        license="CC-BY-4.0",
        output_terms="as the source",
    )


def assert_accounted_for(units: list[Unit], made: Made) -> None:
    """Every unit ends as a row or a rejection, no key comes twice, and rows say where they come from."""
    keys = [row.key for row in (*made.examples, *made.pairs, *made.tasks, *made.rejections)]
    assert len(keys) == len(set(keys)), keys
    for unit in units:
        assert any(key == unit.key or key.startswith(f"{unit.key}/") for key in keys), unit.key
    for row in (*made.examples, *made.pairs, *made.tasks):
        assert row.provenance.origin == "synthetic"
        assert row.provenance.generation_depth >= 1
        assert (
            row.provenance.parents
            or row.provenance.spans
            or row.provenance.method in ("magpie", "tool_calls")
            or not row.provenance.teacher
        )
        assert row.group
    for rejection in made.rejections:
        assert rejection.stage == "candidates"
        assert rejection.reason
        assert rejection.detail
        assert rejection.record_hash
