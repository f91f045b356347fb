"""The extractive teacher makes verifiable tasks and tool calls through a session, all of them right."""

import json

from curation.graders.registry import grade
from curation.synthesis.asking import Session, SessionTeacher
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.method import Inputs
from curation.synthesis.methods.tool_calls import ToolCalls, ToolCallsConfig
from curation.synthesis.methods.tool_definitions import ToolSet
from curation.synthesis.methods.verifiable import Verifiable, VerifiableConfig
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.extractive import ExtractiveTeacher
from tests.curation.synthesis.methods.answering import assert_accounted_for, document_of

TEXT = """\
Green tea is brewed with water of 80 degrees, never with boiling water.
Pour the water over the leaves and wait for 2 minutes.
Black tea, which is oxidised longer, tolerates boiling water and needs four minutes.
Oolong stands between the two and is brewed several times from the same leaves.
"""
ROOMS = {
    "name": "book_room",
    "description": "Book a room for a meeting.",
    "parameters": {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "minimum": 2, "maximum": 12},
            "floor": {"enum": ["ground", "first"]},
            "quiet": {"type": "boolean"},
            "name": {"type": "string"},
            "note": {"type": "string"},
        },
        "required": ["size", "floor", "quiet", "name"],
        "additionalProperties": False,
    },
}


def rules(ledger: RequestLedger) -> Session:
    return Session([SessionTeacher(config=TeacherConfig(), model=ExtractiveTeacher())], ledger)


def test_tasks_by_rule(ledger: RequestLedger) -> None:
    method = Verifiable(VerifiableConfig(kinds=("number", "exact", "choice")))
    units = method.plan(Inputs(documents=[document_of(TEXT)]))
    made = method.make(units, rules(ledger))
    assert_accounted_for(units, made)
    assert {task.grader for task in made.tasks} == {"number", "exact", "choice"}
    for task in made.tasks:
        (span,) = task.provenance.spans
        assert grade(task, f"Answer: {task.reference}").is_right
        assert task.provenance.teacher == "extractive"
        if task.grader != "choice":
            assert task.reference in TEXT[span.start : span.end]
    assert made.rejections == ()


def test_what_rules_do_not_know_is_a_rejection(ledger: RequestLedger) -> None:
    method = Verifiable(VerifiableConfig(kinds=("json",)))
    made = method.make(method.plan(Inputs(documents=[document_of(TEXT)])), rules(ledger))
    assert [item.reason for item in made.rejections] == ["request_failed"]


def test_calls_by_rule(ledger: RequestLedger) -> None:
    config = ToolCallsConfig(tools=(ROOMS,), examples_per_tool=12, irrelevant_share=0.0, parallel_share=0.3)
    method = ToolCalls(config)
    units = method.plan(Inputs())
    made = method.make(units, rules(ledger))
    assert_accounted_for(units, made)
    assert made.rejections == ()
    calls = [call for row in made.examples for call in row.messages[-1].tool_calls]
    assert len(calls) > 12
    for call in calls:
        assert ToolSet([ROOMS]).check_call(call.name, call.arguments) == call.arguments
        assert set(json.loads(call.arguments)) == {"size", "floor", "quiet", "name"}
