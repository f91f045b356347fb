"""The teacher among the comparators: asked through the ledger, paid once, and what it does not answer is named."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curation.chat_model import ChatModel, ChatReply, ReplayChatModel
from curation.home import Home
from curation.records import ToolCall
from curation.synthesis import ask_prompts as asking
from curation.synthesis.ask_prompts import ask_prompts
from curation.synthesis.budget.config import BudgetConfig
from curation.synthesis.teachers.config import TeacherConfig
from evaluation.answering.endpoint import timed
from evaluation.answering.teacher import NO_LIKELIHOODS, as_teacher_answers
from evaluation.config import EvaluationConfig
from evaluation.gate.costs import measure_costs
from evaluation.records import EvalItem
from evaluation.scoring import score_all

TEACHER = TeacherConfig(
    kind="openai",
    model="big",
    base_url="http://127.0.0.1:9/v1",
    price_input_usd_per_million=1.0,
    price_output_usd_per_million=1.0,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="")


def reply(text: str) -> ChatReply:
    return ChatReply(text=text, prompt_tokens=20, completion_tokens=5, cost_usd=0.002)


@pytest.fixture
def teach(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[ChatReply]], ReplayChatModel]:
    def install(replies: list[ChatReply]) -> ReplayChatModel:
        model = ReplayChatModel(list(replies), provider="openai", model="big")

        @contextlib.contextmanager
        def opened(_: TeacherConfig) -> Iterator[ChatModel]:
            yield model

        monkeypatch.setattr(asking, "opened_teacher", opened)
        return model

    return install


def test_prompts_are_paid_once_and_the_budget_stops_the_rest(
    home: Home, item: Callable[..., EvalItem], teach: Callable[[list[ChatReply]], ReplayChatModel]
) -> None:
    prompts = [item(number).prompt for number in range(3)]
    model = teach([reply(f"answer {number}") for number in range(3)])
    ask = {"recipe": "demo", "timed": timed, "on_progress": lambda _: None}
    first = ask_prompts(home, prompts, TEACHER, BudgetConfig(), **ask)  # type: ignore[arg-type]
    assert sorted(each.reply.text for each in first if each.reply) == ["answer 0", "answer 1", "answer 2"]
    assert ask_prompts(home, prompts, TEACHER, BudgetConfig(), **ask)[0].is_cached  # type: ignore[arg-type]
    assert len(model.requests) == 3
    spent = BudgetConfig(max_usd=0.006)
    more = ask_prompts(home, [item(9).prompt], TEACHER, spent, **ask)  # type: ignore[arg-type]
    assert [each.reply for each in more] == [None]
    assert len(model.requests) == 3


def test_tools_are_shown_to_a_teacher(
    home: Home, item: Callable[..., EvalItem], teach: Callable[[list[ChatReply]], ReplayChatModel]
) -> None:
    prompts, tools = [item(number).prompt for number in range(2)], [{"type": "function"}]
    model = teach([reply("yes"), reply("no"), reply("now")])
    ask = {"recipe": "demo", "timed": timed, "on_progress": lambda _: None}
    ask_prompts(home, prompts, TEACHER, BudgetConfig(), more=[{"tools": tools}, {}], **ask)  # type: ignore[arg-type]
    assert sorted("tools" in request.parameters for request in model.requests) == [False, True]
    ask_prompts(home, prompts[:1], TEACHER, BudgetConfig(), **ask)  # type: ignore[arg-type]
    assert len(model.requests) == 3, "without tools it is another question"


def test_replies_become_answers_with_tokens_and_price_and_gaps_are_named(item: Callable[..., EvalItem]) -> None:
    items = [item(number) for number in range(4)]
    call = ToolCall(id="1", name="f", arguments='{"n": 1}')
    replies: dict[str, tuple[ChatReply | None, str]] = {
        items[0].key: (reply(items[0].reference), ""),
        items[1].key: (ChatReply(text="", tool_calls=(call,), cost_usd=0.002, prompt_tokens=20), ""),
        items[2].key: (None, "the budget is used up"),
    }
    rows, timings = as_teacher_answers(items, replies, "t" * 32)
    assert [timing.key for timing in timings] == [row.key for row in rows]
    assert [row.comparator for row in rows] == ["teacher"] * 4
    assert rows[1].answer == '{"arguments":{"n":1},"name":"f"}'
    assert [row.error for row in rows] == ["", "", "the budget is used up", NO_LIKELIHOODS]
    scored = score_all(rows, items)
    assert [each.error for each in scored.failures] == ["the budget is used up", NO_LIKELIHOODS]
    assert sum(row.value for row in scored.scores if row.metric == "exact_match") == 1.0
    assert measure_costs(rows, timings, EvaluationConfig())["teacher"].cost_per_1000_usd == pytest.approx(2.0)
