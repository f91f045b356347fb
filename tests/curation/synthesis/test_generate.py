"""The stage `candidates` as a whole: rows, provenance, rejections, and what is paid again after which change."""

import collections
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.chat_model import ChatModel, ChatReply, ChatRequest, ReplayChatModel
from curation.errors import RequestRefusedError, TeacherBusyError
from curation.ids import content_hash
from curation.records import Document, Example, Message, PreferencePair, Provenance, record_hash
from curation.synthesis.asking import Session, SessionTeacher
from curation.synthesis.config import GenerateConfig, PairsConfig
from curation.synthesis.engine.complete import complete_all
from curation.synthesis.generate import Generated, generate, wanted_units
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.build import build_methods
from curation.synthesis.methods.grounded_qa import GroundedQaConfig
from curation.synthesis.methods.method import Inputs
from curation.synthesis.methods.tool_calls import ToolCallsConfig
from curation.synthesis.prompts import grounded as prompts
from curation.synthesis.routes import RoutingConfig
from curation.synthesis.teachers.build import build_teacher
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.extractive import ExtractiveTeacher
from curation.synthesis.teachers.openai_model import OpenAIChatModel
from curation.tables import from_arrow, to_arrow
from tests.curation.synthesis.fault_server import answer, chat, fault_server, refuse

ROUTING = RoutingConfig(routes={"labels": ("shop.Cart.text.*",), "carts": ("shop.Cart.*",), "bills": ("shop.Bill.*",)})
EVERYTHING = GenerateConfig(
    routing=ROUTING, grounded_qa=GroundedQaConfig(), pairs=PairsConfig(kinds=("wrong_route", "wrong_format", "ungrounded"))
)
TITLES = ("shop.Cart.text.shout", "shop.Cart.pay", "shop.Bill.print", "shop.Shop.open")
NOTHING = '{"questions": []}'
MakeDocument = Callable[..., Document]


def make(
    ledger: RequestLedger,
    documents: Sequence[Document],
    config: GenerateConfig = EVERYTHING,
    *,
    teacher: ChatModel | None = None,
    teacher_config: TeacherConfig | None = None,
    demonstrations: Sequence[Example] = (),
) -> Generated:
    opened = SessionTeacher(config=teacher_config or TeacherConfig(), model=teacher or ExtractiveTeacher())
    inputs = Inputs(documents=documents, examples=demonstrations, seed=config.seed)
    session = Session([opened], ledger, seed=config.seed)
    made = generate(inputs, config=config, session=session, methods=build_methods(config))
    assert made.num_proposed == len(made.examples) + len(made.pairs) + len(made.rejections)
    keys = [row.key for row in (*made.examples, *made.pairs)]
    assert len(set(keys)) == len(keys)
    return made


@pytest.fixture
def documents(make_document: MakeDocument) -> list[Document]:
    texts = (
        f"{title}(self) -> Cart\n\nDo thing number {number} now.\n\nIt is slow. It is safe."
        for number, title in enumerate(TITLES)
    )
    return [make_document(title, text) for title, text in zip(TITLES, texts, strict=True)]


def test_routing_examples_carry_label_and_source(ledger: RequestLedger, document: Document) -> None:
    config = GenerateConfig(routing=dataclasses.replace(ROUTING, system_prompt="Route it."), seed=7)
    made = make(ledger, [document], config, teacher_config=TeacherConfig(output_terms="as the teacher"))
    assert [row.key for row in made.examples] == [f"shop/shop.Cart.text.shout#routing/{number}" for number in range(5)]
    row = made.examples[0]
    assert [message.role for message in row.messages] == ["system", "user", "assistant"]
    assert (row.messages[0].content, row.answer) == ("Route it.", '{"part":"labels"}')
    assert (row.task, row.group, row.split) == ("routing", "shout", "")
    made_by = row.provenance
    assert (made_by.origin, made_by.method, made_by.teacher, made_by.generation_depth) == (
        "synthetic",
        "routing",
        "extractive",
        1,
    )
    assert (made_by.license, made_by.output_terms) == ("MIT", "as the source; as the teacher")
    assert (made_by.template_id, made_by.template_hash) == (prompts.ROUTING.template_id, prompts.ROUTING.template_hash)
    assert json.loads(made_by.sampling) == {"seed": 7}
    call = ledger.get(made_by.request_ids[0])
    assert call is not None
    assert row.messages[1].content in json.loads(call.reply)["text"]
    (span,) = made_by.spans
    assert (span.document_key, span.document_hash) == (document.key, record_hash(document))
    assert document.text[span.start : span.end] == "Turn the label into capital letters."


def test_every_method_and_kind_and_rows_fit_their_tables(ledger: RequestLedger, documents: list[Document]) -> None:
    made = make(ledger, documents)
    assert {row.task for row in made.examples} == {"routing", "grounded_qa"}
    assert {pair.rejected_kind for pair in made.pairs} == {"wrong_route", "wrong_format", "ungrounded"}
    assert [(item.reason, item.key, item.stage) for item in made.rejections] == [
        ("no_route", "shop/shop.Shop.open#routing", "candidates")
    ]
    assert list(from_arrow(Example, to_arrow(Example, made.examples))) == list(made.examples)
    assert list(from_arrow(PreferencePair, to_arrow(PreferencePair, made.pairs))) == list(made.pairs)
    by_key = {row.key: row for row in made.examples}
    for pair in made.pairs:
        parent = by_key[pair.provenance.parents[0]]
        assert (pair.chosen, pair.prompt, pair.group) == (parent.answer, parent.prompt, parent.group)
        assert pair.rejected != pair.chosen
    wrong = next(pair for pair in made.pairs if pair.rejected_kind == "ungrounded")
    assert len(wrong.provenance.request_ids) == 2
    assert wrong.provenance.template_id == prompts.UNGROUNDED.template_id


def test_the_same_input_gives_the_same_rows_whatever_the_order_of_replies(
    ledger: RequestLedger, documents: list[Document]
) -> None:
    class Shuffling(ExtractiveTeacher):
        def complete(self, request: ChatRequest) -> ChatReply:
            time.sleep(int(content_hash(request.messages[-1].content)[:2], 16) / 20_000)
            return super().complete(request)

    assert make(ledger, documents, teacher=Shuffling()).examples == make(ledger, documents).examples
    assert make(ledger, documents) == make(ledger, documents)


def test_demonstrations_give_pairs_too(ledger: RequestLedger) -> None:
    def demonstration(key: str, text: str) -> Example:
        messages = (Message(role="user", content="Where?"), Message(role="assistant", content=text))
        return Example(
            key=key, task="t", messages=messages, group=key, provenance=Provenance(origin="human", method="demonstration")
        )

    rows = [
        demonstration("a", '{"part":"bills"}'),
        demonstration("b", "Second door."),
        demonstration("c", '{"part": "unknown"}'),
    ]
    made = make(ledger, [], demonstrations=rows)
    assert made.examples == ()
    assert made.report.num_calls == 0
    assert {pair.provenance.parents[0] for pair in made.pairs} == {"a", "c"}
    assert all(pair.provenance.generation_depth == 1 and pair.provenance.origin == "synthetic" for pair in made.pairs)
    assert [pair.rejected_kind for pair in made.pairs if pair.provenance.parents == ("c",)] == ["wrong_format"]


def test_nothing_to_do(ledger: RequestLedger, documents: list[Document]) -> None:
    assert make(ledger, documents, GenerateConfig()).num_proposed == 0
    assert make(ledger, []).num_proposed == 0


def test_a_second_time_costs_nothing(ledger: RequestLedger, documents: list[Document]) -> None:
    first = make(ledger, documents)
    second = make(ledger, documents)
    assert first.report.num_calls > 0
    assert (second.report.num_calls, second.report.num_cached) == (0, first.report.num_calls)
    assert second.examples == first.examples


def test_an_edited_document_costs_its_own_calls(ledger: RequestLedger, documents: list[Document]) -> None:
    make(ledger, documents)
    edited = [dataclasses.replace(documents[0], text=documents[0].text + " It is new."), *documents[1:]]
    again = make(ledger, edited)
    keys = {row.provenance.request_ids[0] for row in again.examples if row.key.startswith(edited[0].key)}
    assert again.report.num_calls == len(keys) + 1 == 3
    assert make(ledger, documents).report.num_calls == 0


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"revision": "2"},
        {"temperature": 0.1},
        {"max_tokens": 99},
        {"seed": 1},
        {"base_url": True},
        {"prompt": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_determines_a_reply_is_asked_anew(
    ledger: RequestLedger, documents: list[Document], change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(url: str, seed: int = 0, **settings: Any) -> int:
        teacher_config = TeacherConfig(**({"kind": "openai", "model": "m", "base_url": url} | settings))
        teacher = OpenAIChatModel(teacher_config)
        config = GenerateConfig(grounded_qa=GroundedQaConfig(), seed=seed)
        made = make(ledger, documents, config, teacher=teacher, teacher_config=teacher_config)
        teacher.close()
        return made.report.num_calls

    with fault_server([chat(NOTHING)]) as server, fault_server([chat(NOTHING)]) as other:
        assert ask(server.url) == 4
        assert ask(server.url) == 0
        if "prompt" in change:
            brief = dataclasses.replace(prompts.GROUNDED_QA, system="Be brief.")
            monkeypatch.setattr(prompts, "GROUNDED_QA", brief)
        settings = {} if "prompt" in change else {"base_url": other.url} if "base_url" in change else change
        assert ask(**({"url": server.url} | settings)) == 4


def test_what_does_not_determine_a_reply_costs_nothing(ledger: RequestLedger, documents: list[Document]) -> None:
    first = make(ledger, documents)
    routing = dataclasses.replace(ROUTING, system_prompt="Route it.", answer_key="where")
    cheap = dataclasses.replace(EVERYTHING, routing=routing)
    again = make(ledger, documents, cheap, teacher_config=TeacherConfig(output_terms="x", concurrency=1, timeout_seconds=5.0))
    assert again.report.num_calls == 0
    assert [row.answer for row in again.examples[:1]] == ['{"where":"labels"}']
    assert len(again.examples) == len(first.examples)


class _Garbage:
    """A model that returns whatever it is told, and sometimes nothing."""

    provider = endpoint = model = revision = "garbage"
    is_model = True

    def __init__(self, replies: Sequence[str | Exception]) -> None:
        self.replies = replies

    def complete(self, request: ChatRequest) -> ChatReply:
        item = self.replies[int(content_hash(request.messages[-1].content)[:6], 16) % len(self.replies)]
        if isinstance(item, Exception):
            raise item
        return ChatReply(text=item)


FAULTS: tuple[str | Exception, ...] = (
    "",
    "I like turtles.",
    '{"questions": [{"question": "How do I do the thing?", "answer": "Yes.", "quote": "never written"}]}',
    '{"answers": [1, null, {}]}',
    '{"questions": [[], 5, "x", {"question": null}]}',
    "[" * 5_000,
    RequestRefusedError(endpoint="e", reason="too long"),
)


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=40)
@hypothesis.given(st.lists(st.sampled_from(FAULTS) | st.text(max_size=50), min_size=1, max_size=6))
def test_a_model_that_writes_garbage_gives_rejections_only(
    ledger: RequestLedger, documents: list[Document], replies: list[str | Exception]
) -> None:
    teacher = _Garbage(replies)
    teacher.revision = content_hash([str(reply) for reply in replies])
    made = make(ledger, documents, teacher=teacher)
    assert made.examples == made.pairs == ()
    assert len(made.rejections) >= 8
    assert all(item.reason and item.detail and item.record_hash for item in made.rejections)


def test_failed_requests_are_rejected_with_the_error_and_asked_again_next_time(
    ledger: RequestLedger, documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(complete_all.__kwdefaults__, "backoff_seconds", 0.001)
    broken = ReplayChatModel([TeacherBusyError(endpoint="e", reason="overloaded")] * 99)
    config = GenerateConfig(grounded_qa=GroundedQaConfig())
    made = make(ledger, documents, config, teacher=broken)
    assert collections.Counter(item.reason for item in made.rejections) == {"request_failed": 4}
    assert "overloaded" in made.rejections[0].detail
    assert (made.report.num_failed, made.report.num_calls) == (4, 0)
    assert make(ledger, documents, config, teacher=ReplayChatModel([NOTHING] * 4)).report.num_calls == 4


def test_wrong_answers_that_are_missing_or_right_reject_the_pair(ledger: RequestLedger, document: Document) -> None:
    entries = [
        {"question": f"What is number {number}?", "answer": "Turn it.", "quote": "Turn the label into capital letters."}
        for number in range(4)
    ]
    replies = [json.dumps({"questions": entries}), json.dumps({"answers": ["turn it", 5, "Burn it."]})]
    config = GenerateConfig(grounded_qa=GroundedQaConfig(questions_per_document=4), pairs=PairsConfig(kinds=("ungrounded",)))
    made = make(ledger, [document], config, teacher=ReplayChatModel(replies))
    assert [pair.rejected for pair in made.pairs] == ["Burn it."]
    assert [item.reason for item in made.rejections] == ["same_as_answer", "invalid_entry", "invalid_entry"]
    assert {item.key for item in made.rejections} == {f"{document.key}#grounded_qa/{number}~pair/0" for number in (0, 1, 3)}


def test_over_http_with_a_good_a_bad_and_a_failing_reply(ledger: RequestLedger, documents: list[Document]) -> None:
    good = {"questions": [{"question": "How do I do it quickly?", "answer": "It is slow.", "quote": "It is slow."}]}
    prices = {"price_input_usd_per_million": 0, "price_output_usd_per_million": "100000"}
    teacher_config = TeacherConfig(kind="openai", model="m", concurrency=1, max_attempts=1, **prices)
    script = [chat(json.dumps(good)), chat("no"), refuse(500, "oops"), answer(200, b"<html>")]
    with fault_server(script) as server:
        teacher_config = dataclasses.replace(teacher_config, base_url=server.url)
        teacher = build_teacher(teacher_config)
        config = GenerateConfig(grounded_qa=GroundedQaConfig())
        made = make(ledger, documents, config, teacher=teacher, teacher_config=teacher_config)
        assert isinstance(teacher, OpenAIChatModel)
        teacher.close()
    assert len(made.examples) == 1
    assert sorted(item.reason for item in made.rejections) == ["request_failed", "request_failed", "unparsable_reply"]
    assert made.report.cost_usd == pytest.approx(2 * 20 * 0.1)
    assert made.examples[0].provenance.teacher == "m"


def test_the_teacher_never_sees_the_label(ledger: RequestLedger, documents: list[Document]) -> None:
    routing = RoutingConfig(routes={"zebra": ("shop.Cart*",), "yak": ("shop.Bill*",)})
    make(ledger, documents, GenerateConfig(routing=routing))
    assert not any("zebra" in call.request or "yak" in call.request for call in ledger.iter_calls())


@pytest.mark.slow
def test_1300_extractive_calls_leave_no_crowd_of_threads(ledger: RequestLedger, make_document: MakeDocument) -> None:
    documents = [
        make_document(
            f"shop.Cart.do_{number}", f"shop.Cart.do_{number}()\n\nGet item {number}.\n\n" + "Some more is said here. " * 40
        )
        for number in range(1_300)
    ]
    made = make(ledger, documents, GenerateConfig(routing=ROUTING))
    assert made.report.num_calls == 1_300
    deadline = time.monotonic() + 60
    while sum(thread.name.startswith("teacher") for thread in threading.enumerate()) > 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sum(thread.name.startswith("teacher") for thread in threading.enumerate()) <= 5


@pytest.mark.parametrize("num_shards", [1, 2, 3])
def test_quotas_are_met_exactly_and_shared_out_among_shards(
    ledger: RequestLedger, documents: list[Document], num_shards: int
) -> None:
    config = GenerateConfig(grounded_qa=GroundedQaConfig(questions_per_document=2), quotas={"grounded_qa": 5})
    kept, rejected = [], []
    for index in range(num_shards):
        inputs = Inputs(documents=documents, shard_index=index, num_shards=num_shards)
        opened = SessionTeacher(config=TeacherConfig(), model=ExtractiveTeacher())
        made = generate(inputs, config=config, session=Session([opened], ledger), methods=build_methods(config))
        assert made.num_proposed == len(made.examples) + len(made.rejections)
        kept += made.examples
        rejected += made.rejections
    assert len(kept) == 5
    assert {rejection.reason for rejection in rejected} <= {"over_quota"}


def test_a_quota_that_cannot_be_met_is_told(ledger: RequestLedger, documents: list[Document]) -> None:
    config = GenerateConfig(grounded_qa=GroundedQaConfig(questions_per_document=1), quotas={"grounded_qa": 50})
    made = make(ledger, documents, config)
    assert made.figures["grounded_qa: missing for the quota"] == 50 - len(made.examples)


def test_what_rests_on_no_source_is_made_in_the_first_shard_only(ledger: RequestLedger, documents: list[Document]) -> None:
    tool = {"name": "open_door", "description": "Opens the door.", "parameters": {"type": "object", "properties": {}}}
    config = GenerateConfig(grounded_qa=GroundedQaConfig(), tool_calls=ToolCallsConfig(tools=(tool,), examples_per_tool=3))
    methods = build_methods(config)
    first, second = (Inputs(documents=documents, shard_index=index, num_shards=2) for index in range(2))
    assert [len(wanted_units(method, first)) for method in methods] == [4, 3]
    assert [len(wanted_units(method, second)) for method in methods] == [4, 0]
