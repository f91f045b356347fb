"""The records of an answer, of the time it took, and of how sure the model was.

as_answer("candidate", "9f...", item, Given("strings", 3))     EvalAnswer(key="candidate/faq/1", answer="strings", ...)
"""

from curation.records import record_hash
from evaluation.answering.cache import Given
from evaluation.items import question_text
from evaluation.records import AnswerConfidence, AnswerTiming, EvalAnswer, EvalItem, storable


def as_answer(
    comparator: str, model_hash: str, item: EvalItem, given: Given, *, cost_usd: float = 0.0, error: str = ""
) -> EvalAnswer:
    """Return the record of an answer to an item."""
    return EvalAnswer(
        key=f"{comparator}/{item.key}",
        comparator=comparator,
        model_hash=model_hash,
        item_key=item.key,
        item_hash=record_hash(item),
        group=item.group,
        prompt=question_text(item),
        reference=item.reference,
        answer=storable(given.text),
        num_tokens=given.num_tokens,
        task=item.task,
        num_prompt_tokens=given.num_prompt_tokens,
        log_likelihoods=given.log_likelihoods,
        num_scored_tokens=given.num_scored_tokens,
        cost_usd=cost_usd,
        error=storable(error),
    )


def as_timing(comparator: str, item: EvalItem, given: Given) -> AnswerTiming:
    """Return how long an answer to an item took."""
    return AnswerTiming(key=f"{comparator}/{item.key}", latency_s=given.latency_s, machine_s=given.machine_s)


def as_confidence(comparator: str, item: EvalItem, given: Given) -> AnswerConfidence | None:
    """Return how sure the model was of an answer to an item; None where nobody said."""
    if given.mean_log_probability is None:
        return None
    return AnswerConfidence(key=f"{comparator}/{item.key}", mean_log_probability=given.mean_log_probability)
