"""Task files and a model that answers by rule: likelier is what is shorter, and every answer is `7 tea`."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from curation.records import Message
from evaluation.answering.generated import Generated
from evaluation.answering.likelihood import ChoiceLikelihood, TextLikelihood


class RuleModel:
    """A model with the interface of `score.Model`: a character is a token."""

    context_length = 400

    def __init__(self, answer: str = "so #### 1,007 tea") -> None:
        self.answer = answer
        self.prompts: list[str] = []
        self.stop_texts: tuple[str, ...] = ()

    def tokenize(self, text: str, *, has_special_tokens: bool = True) -> list[int]:
        return [ord(character) for character in text]

    def render(self, messages: Sequence[Message]) -> str:
        return "".join(f"<{message.role}>{message.text}" for message in messages) + "<assistant>"

    def write(self, prompts: Sequence[list[int]], *, stop_texts: Sequence[str] = (), **_: Any) -> list[Generated]:
        self.prompts = ["".join(map(chr, prompt)) for prompt in prompts]
        self.stop_texts = tuple(stop_texts)
        return [Generated(self.answer, 3, len(prompt), 0.5) for prompt in prompts]

    def choice_log_likelihoods(
        self, prompts: Sequence[str], choices: Sequence[Sequence[str]], **_: Any
    ) -> list[tuple[ChoiceLikelihood, ...]]:
        self.prompts = list(prompts)
        return [
            tuple(ChoiceLikelihood(-float(len(choice)), len(choice), len(choice), choice == " b", 0) for choice in own)
            for own in choices
        ]

    def text_log_likelihoods(self, texts: Sequence[str], **_: Any) -> list[TextLikelihood]:
        return [TextLikelihood(-2.0 * len(text), len(text), len(text.encode()), 1) for text in texts]


@pytest.fixture
def rule_model() -> Callable[..., RuleModel]:
    return RuleModel


ROWS = [
    {"question": "One?", "choices": ["a stone", "b"], "answer": 1, "text": "b"},
    {"question": "Two?", "choices": ["cc", "d"], "answer": 0, "text": "1007"},
]


@pytest.fixture
def write_task(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a task file with its documents."""

    def write(rows: list[dict[str, Any]] | None = None, shots: list[dict[str, Any]] | None = None, **changes: Any) -> Path:
        (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (ROWS if rows is None else rows)))
        data = {"test": "test.jsonl"}
        if shots is not None:
            (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in shots))
            data["train"] = "train.jsonl"
        task: dict[str, Any] = {
            "task": "boats",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": data},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "Q: {{question}}\nA:",
            "doc_to_target": "answer",
            "doc_to_choice": "choices",
        }
        task |= changes
        path = tmp_path / "boats.yaml"
        path.write_text(yaml.safe_dump({name: value for name, value in task.items() if value is not None}))
        return path

    return write
