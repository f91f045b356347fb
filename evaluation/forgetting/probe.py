"""Measures one model on the items of a suite: how likely it finds right and wrong continuations, and what it writes.

    settings = ProbeSettings(model="sft_model", model_hash="9f...", vocabulary=32000)
    results, num_measured = probe_items(load, items, settings, cache)

Right answers are told by likelihood wherever they can be (`choice`), since that works for a model that was never taught to
answer as well; only form, code and sums are written out.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from curation.records import Message, record_hash
from evaluation.answering.language_model import Encoded, Generated
from evaluation.answering.likelihood import ChoiceLikelihood, TextLikelihood
from evaluation.forgetting.cache import MeasureCache
from evaluation.forgetting.records import ProbeResult, SuiteItem

FORMAT = 1
"""Raise it when items are put to models differently: what was measured before does not count then."""
ITEMS_AT_ONCE = 128
"""Items between two writes to the cache."""


class Probed(Protocol):
    """What a model has to offer; `evaluation.answering.language_model.LanguageModel` does."""

    context_length: int

    def tokenize(self, text: str, *, has_special_tokens: bool = True) -> list[int]:
        """Return a text in tokens."""
        ...

    def encode(self, prompt: Sequence[Message], shots: Sequence[Any], tools: str = "") -> Encoded:
        """Return a conversation in tokens, ready to be answered."""
        ...

    def answer(self, prompts: Sequence[list[int]], *, batch_size: int = 0) -> list[Generated]:
        """Answer prompts greedily."""
        ...

    def write(self, prompts: Sequence[list[int]], *, max_new_tokens: int, batch_size: int = 0) -> list[Generated]:
        """Go on with prompts, white space kept."""
        ...

    def choice_log_likelihoods(
        self, prompts: Sequence[Any], choices: Sequence[Sequence[str]], *, batch_size: int = 16
    ) -> list[tuple[ChoiceLikelihood, ...]]:
        """Return how likely each choice is after its prompt."""
        ...

    def text_log_likelihoods(self, texts: Sequence[str], *, batch_size: int = 4) -> list[TextLikelihood]:
        """Return how likely each text is."""
        ...


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """Who is measured."""

    model: str
    """Name of the model asset."""
    model_hash: str
    vocabulary: int
    """Tokens that the model chooses from."""
    max_new_tokens: int = 64
    batch_size: int = 32


def probe_items(
    load: Callable[[], Probed],
    items: Sequence[SuiteItem],
    settings: ProbeSettings,
    cache: MeasureCache,
    *,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[list[ProbeResult], int]:
    """Return one result an item, in order, and how many were measured now. The model is loaded only if one is missing.

    Raises:
        EvaluationError: if the model cannot be loaded or computes values that are no numbers.
    """
    hashes = {item.key: record_hash(item) for item in items}
    waiting = [item for item in items if cache.get(hashes[item.key]) is None]
    for start in range(0, len(waiting), ITEMS_AT_ONCE):
        part = waiting[start : start + ITEMS_AT_ONCE]
        cache.put({hashes[item.key]: value for item, value in _measure(load(), part, settings)})
        tell(start + len(part), len(waiting))
    results = [_result(item, hashes[item.key], cache.get(hashes[item.key]), settings) for item in items]
    return results, len(waiting)


def cache_settings(settings: ProbeSettings) -> dict[str, Any]:
    """Return what a measured value depends on besides the item."""
    return {"model": settings.model_hash, "max_new_tokens": settings.max_new_tokens, "format": FORMAT}


def _measure(model: Probed, items: Sequence[SuiteItem], settings: ProbeSettings) -> Iterator[tuple[SuiteItem, dict[str, Any]]]:
    fitting = [item for item in items if _fits(model, item)]
    yield from ((item, {"log_likelihoods": [], "num_tokens": 0, "answer": ""}) for item in items if item not in fitting)
    texts = [item for item in fitting if item.kind == "text"]
    for item, found in zip(texts, model.text_log_likelihoods([item.reference for item in texts]), strict=True):
        yield item, _value([found.log_likelihood], found.num_tokens)
    others = [item for item in fitting if item.kind != "text"]
    prompts = [_prompt(item) for item in others]
    choices = [(item.reference, *item.distractors) for item in others]
    answers = _answers(model, others, settings)
    scored = model.choice_log_likelihoods(prompts, choices, batch_size=settings.batch_size)
    for item, likelihoods in zip(others, scored, strict=True):
        yield item, _value([one.log_likelihood for one in likelihoods], likelihoods[0].num_tokens, answers.get(item.key, ""))


def _answers(model: Probed, items: Sequence[SuiteItem], settings: ProbeSettings) -> dict[str, str]:
    asked = [item for item in items if item.kind == "generate"]
    prompts = [model.encode(_messages(item), ()).tokens for item in asked]
    written = model.answer(prompts, batch_size=settings.batch_size) if asked else []
    return {item.key: answer.text for item, answer in zip(asked, written, strict=True)}


def _fits(model: Probed, item: SuiteItem) -> bool:
    """Tell whether the continuations of an item leave room for a token of its prompt; texts are cut into windows."""
    longest = max((item.reference, *item.distractors), key=len)
    return item.kind == "text" or len(model.tokenize(longest, has_special_tokens=False)) < model.context_length


def _prompt(item: SuiteItem) -> str | tuple[Message, ...]:
    return _messages(item) if item.is_chat else item.prompt


def _messages(item: SuiteItem) -> tuple[Message, ...]:
    return (Message(role="user", content=item.prompt),)


def _value(log_likelihoods: Iterable[float], num_tokens: int, answer: str = "") -> dict[str, Any]:
    return {"log_likelihoods": [float(value) for value in log_likelihoods], "num_tokens": num_tokens, "answer": answer}


def _result(item: SuiteItem, item_hash: str, value: dict[str, Any], settings: ProbeSettings) -> ProbeResult:
    texts = (item.reference, *item.distractors) if value["log_likelihoods"] else ()
    return ProbeResult(
        key=f"{settings.model}/{item.key}",
        model=settings.model,
        model_hash=settings.model_hash,
        item_key=item.key,
        item_hash=item_hash,
        log_likelihoods=tuple(value["log_likelihoods"]),
        num_bytes=tuple(len(text.encode()) for text in texts),
        num_tokens=value["num_tokens"],
        vocabulary=settings.vocabulary,
        answer=value["answer"],
    )
