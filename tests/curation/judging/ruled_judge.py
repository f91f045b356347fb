"""A judge that is asked through a real session and ledger, and answers by a rule that the test knows."""

import json
import re
import threading
from collections.abc import Callable
from typing import Any

from curation.chat_model import ChatReply, ChatRequest
from curation.judging.config import JudgeConfig
from curation.records import Message
from curation.synthesis.teachers.config import TeacherConfig

TEACHER = TeacherConfig(
    kind="openai",
    model="j",
    revision="r1",
    base_url="http://127.0.0.1:9/v1",
    concurrency=1,
    max_attempts=1,
    output_terms="open",
)
PROMPT = (Message(role="user", content="What is tea?"),)
_BLOCK = re.compile(r'^<(\w+) mark="([0-9a-f]{16})">\n(.*?)\n</\1 mark="\2">$', re.DOTALL | re.MULTILINE)


def blocks_of(request: ChatRequest) -> dict[str, str]:
    """Return the texts that a judge is shown, by name."""
    return {match[1]: match[3] for match in _BLOCK.finditer(request.messages[1].content)}


class RuledJudge:
    """Answers each request with what a rule makes of it: a value that becomes JSON, or a text."""

    provider, endpoint, model, revision, is_model = "ruled", "here", "j", "r1", True

    def __init__(self, rule: Callable[[ChatRequest], Any]) -> None:
        self.rule = rule
        self.requests: list[ChatRequest] = []
        self._lock = threading.Lock()

    def complete(self, request: ChatRequest) -> ChatReply:
        with self._lock:
            self.requests.append(request)
        found = self.rule(request)
        return ChatReply(text=found if isinstance(found, str) else json.dumps(found))


def prefer(worth: Callable[[str], float]) -> Callable[[ChatRequest], Any]:
    """Return a rule for pairs: the answer of the greater worth wins, wherever it stands."""

    def rule(request: ChatRequest) -> Any:
        shown = blocks_of(request)
        first, second = worth(shown["first_answer"]), worth(shown["second_answer"])
        return {"reason": "By the rule.", "winner": "tie" if first == second else "first" if first > second else "second"}

    return rule


def judge_config(**fields: Any) -> JudgeConfig:
    return JudgeConfig(**{"teacher": TEACHER, "rubric": "Is it right?", **fields})
