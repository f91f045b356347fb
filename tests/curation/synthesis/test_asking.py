"""A session gives every ask an answer or a problem, sends a bad reply back once, and chooses among teachers."""

import json
from collections.abc import Sequence

import pytest

from curation.chat_model import ChatReply, ReplayChatModel
from curation.errors import TeacherBusyError, TeacherRefusedError, TeacherUnreachableError
from curation.synthesis.asking import Answer, Ask, Session, SessionTeacher
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.prompts.template import STRING, Template, object_schema, render
from curation.synthesis.teachers.config import TeacherConfig

TITLE = Template(template_id="title-1", system="Name it.", text="Name {what}.", schema=object_schema({"title": STRING}))
PLAIN = Template(template_id="plain-1", system="", text="Say {what}.", schema=None)
CONFIG = TeacherConfig(kind="openai", model="m", base_url="http://127.0.0.1:9/v1", concurrency=1, max_attempts=1)


def teacher(replies: Sequence[str | ChatReply | Exception], weight: float = 1.0, model: str = "m") -> SessionTeacher:
    return SessionTeacher(config=CONFIG, model=ReplayChatModel(replies, model=model), weight=weight)


def ask(session: Session, *whats: str, template: Template = TITLE) -> list[Answer]:
    return session.ask([Ask(key=what, prompt=render(template, what=what)) for what in whats])


def test_a_reply_becomes_a_value_and_a_provenance(ledger: RequestLedger) -> None:
    session = Session([teacher(['{"title": "Tea"}'])], ledger)
    (answer,) = ask(session, "a drink")
    assert answer.value == {"title": "Tea"}
    assert answer.problem is None
    made = answer.provenance(method="title", output_terms=("as the source",), generation_depth=1)
    assert (made.teacher, made.template_id, made.template_hash) == ("m", "title-1", TITLE.template_hash)
    assert made.request_ids == answer.request_ids
    assert len(made.request_ids) == 1
    assert made.output_terms == "as the source"
    assert json.loads(made.sampling)["temperature"] == CONFIG.temperature


def test_a_reply_that_does_not_fit_is_sent_back_once(ledger: RequestLedger) -> None:
    model = teacher(['{"name": "Tea"}', '{"title": "Tea"}'])
    session = Session([model], ledger)
    (answer,) = ask(session, "a drink")
    assert answer.value == {"title": "Tea"}
    assert len(answer.request_ids) == 2
    second = model.model.requests[1]  # type: ignore[attr-defined]
    assert second.messages[-2].content == '{"name": "Tea"}'
    assert "title" in second.messages[-1].content
    assert session.report.num_calls == 2
    again = Session([teacher([])], ledger)
    assert ask(again, "a drink")[0].value == {"title": "Tea"}
    assert again.report.num_calls == 0


@pytest.mark.parametrize("second", ["", "no", '{"title": 1}', ChatReply(text='{"title": "T', finish_reason="length")])
def test_two_bad_replies_are_a_problem(ledger: RequestLedger, second: str | ChatReply) -> None:
    (answer,) = ask(Session([teacher(["prose", second])], ledger), "a drink")
    assert answer.value is None
    assert answer.problem is not None
    rejection = answer.rejection(stage="candidates", record_hash="h")
    assert rejection.reason in ("empty_reply", "unparsable_reply", "wrong_schema", "truncated_reply")
    assert rejection.key == "a drink"


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_what_was_cut_or_filtered_is_not_sent_back(ledger: RequestLedger, reason: str) -> None:
    session = Session([teacher([ChatReply(text='{"title": "Te', finish_reason=reason)])], ledger)
    (answer,) = ask(session, "a drink")
    assert answer.problem is not None
    assert session.report.num_calls == 1


def test_plain_text_needs_no_json(ledger: RequestLedger) -> None:
    (answer,) = ask(Session([teacher([" Hello. "])], ledger), "hello", template=PLAIN)
    assert (answer.text, answer.value, answer.problem) == ("Hello.", None, None)


def test_asks_are_shared_by_weight_and_stay_where_they_are(ledger: RequestLedger) -> None:
    whats = [f"thing {number}" for number in range(200)]
    title = '{"title": "T"}'

    def ask_all(names: Sequence[str]) -> dict[str, str]:
        session = Session([teacher([title] * 300, 3.0, "big"), teacher([title] * 300, 1.0, "small")], ledger)
        return {answer.ask.key: answer.teacher for answer in ask(session, *names)}

    first = ask_all(whats)
    assert 0.6 < sum(name == "big" for name in first.values()) / len(first) < 0.9
    assert {key: name for key, name in ask_all([*whats, "one more"]).items() if key in first} == first


def test_the_next_teacher_answers_when_one_is_gone(ledger: RequestLedger) -> None:
    gone = TeacherUnreachableError(endpoint="x", reason="down")
    session = Session([teacher([gone], model="first"), teacher(['{"title": "T"}'] * 3, 0.0, "second")], ledger)
    assert [answer.teacher for answer in ask(session, "a", "b", "c")] == ["second"] * 3
    refused = TeacherRefusedError(endpoint="x", request_id="r", reason="no")
    with pytest.raises(TeacherRefusedError):
        ask(Session([teacher([refused])], ledger), "other")


def test_a_correction_that_fails_leaves_the_first_fault(ledger: RequestLedger) -> None:
    busy = TeacherBusyError(endpoint="x", reason="oops", has_contact=True, retry_after=0.0)
    session = Session([teacher(["prose", busy])], ledger)
    (answer,) = ask(session, "a drink")
    assert answer.problem is not None
    assert answer.problem.reason == "unparsable_reply"
    assert session.report.num_failed == 1
    (again,) = ask(Session([teacher(['{"title": "Tea"}'])], ledger), "a drink")
    assert again.value == {"title": "Tea"}
