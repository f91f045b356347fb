"""Items and results made by hand, and a model that answers by rule and counts what it is asked."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from curation.records import record_hash
from evaluation.answering.language_model import Encoded, Generated
from evaluation.answering.likelihood import ChoiceLikelihood, TextLikelihood
from evaluation.forgetting.records import ProbeResult, SuiteItem


def make_item(number: int, area: str = "facts", **changes: Any) -> SuiteItem:
    fields: dict[str, Any] = {
        "key": f"own/{area}/{number:03}", "area": area, "kind": "choice", "prompt": f"{area} {number} is", "is_chat": False,
        "reference": " right", "distractors": (" wrong", " worse", " worst"), "grader": "", "grading": "",
        "group": f"own/{area}/{number:03}",
    }  # fmt: skip
    return SuiteItem(**{**fields, **changes})


def make_result(item: SuiteItem, model: str, *, is_right: bool = True, loss: float = 0.5, **changes: Any) -> ProbeResult:
    """Nats a byte of the reference are `loss`; distractors are less likely where it is right, and more where not."""
    texts = (item.reference, *item.distractors)
    other = loss * (2 if is_right else 0.5)
    values = [-(loss if index == 0 else other) * len(text) for index, text in enumerate(texts)]
    result = ProbeResult(
        key=f"{model}/{item.key}", model=model, model_hash=f"hash of {model}", item_key=item.key,
        item_hash=record_hash(item), log_likelihoods=tuple(values), num_bytes=tuple(map(len, texts)), num_tokens=2,
        vocabulary=1000, answer="right" if is_right and item.kind == "generate" else "",
    )  # fmt: skip
    return dataclasses.replace(result, **changes)


class RuledModel:
    """Likes short texts, answers with the last word of the question, and counts."""

    context_length = 64

    def __init__(self) -> None:
        self.num_choices = self.num_answers = self.num_texts = 0

    def tokenize(self, text: str, *, has_special_tokens: bool = True) -> list[int]:
        return [len(word) for word in text.split()]

    def encode(self, prompt: Sequence[Any], shots: Sequence[Any], tools: str = "") -> Encoded:
        return Encoded(self.tokenize(f"{tools} {prompt[-1].text}"), 0)

    def answer(self, prompts: Sequence[list[int]], *, batch_size: int = 0) -> list[Generated]:
        self.num_answers += len(prompts)
        return [Generated(str(sum(prompt)), 1) for prompt in prompts]

    def write(self, prompts: Sequence[list[int]], *, max_new_tokens: int, batch_size: int = 0) -> list[Generated]:
        return [Generated("no", max_new_tokens) for _ in prompts]

    def choice_log_likelihoods(
        self, prompts: Sequence[Any], choices: Sequence[Sequence[str]], *, batch_size: int = 16
    ) -> list[tuple[ChoiceLikelihood, ...]]:
        self.num_choices += sum(map(len, choices))
        return [
            tuple(ChoiceLikelihood(-float(len(text)), len(text.split()), len(text), False, 0) for text in own)
            for own in choices
        ]

    def text_log_likelihoods(self, texts: Sequence[str], *, batch_size: int = 4) -> list[TextLikelihood]:
        self.num_texts += len(texts)
        return [TextLikelihood(-float(len(text)), len(text.split()), len(text), 1) for text in texts]


@pytest.fixture
def ruled_model() -> RuledModel:
    return RuledModel()
