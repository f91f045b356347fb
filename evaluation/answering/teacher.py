"""A teacher's replies as answers to items, so that it stands in the table beside the models.

as_teacher_answers(items, {"faq/1": (reply, "")}, model_hash)    ([EvalAnswer(comparator="teacher", ...)], [AnswerTiming(...)])
"""

import json
from collections.abc import Mapping, Sequence

from curation.chat_model import ChatReply
from evaluation.answering.as_answer import as_answer, as_timing
from evaluation.answering.cache import Given
from evaluation.answering.endpoint import LATENCY, said_by
from evaluation.answering.spec import TEACHER
from evaluation.records import AnswerTiming, EvalAnswer, EvalItem

NO_LIKELIHOODS = "the teacher's endpoint gives no likelihoods"


def as_teacher_answers(
    items: Sequence[EvalItem], replies: Mapping[str, tuple[ChatReply | None, str]], model_hash: str
) -> tuple[list[EvalAnswer], list[AnswerTiming]]:
    """Return an answer for each item, and how long each took; one without a reply has an error and scores 0.

    Args:
        items: all items of the evaluation.
        replies: by item key the reply, or why there is none; items that were not asked are missing.
        model_hash: names the teacher.
    """
    found = [_answer(item, *replies.get(item.key, (None, NO_LIKELIHOODS)), model_hash) for item in items]
    return [answer for answer, _ in found], [timing for _, timing in found]


def _answer(item: EvalItem, reply: ChatReply | None, error: str, model_hash: str) -> tuple[EvalAnswer, AnswerTiming]:
    if reply is None:
        given = Given("", 0)
        return as_answer(TEACHER, model_hash, item, given, error=error or "no answer"), as_timing(TEACHER, item, given)
    given = Given(
        said_by(reply),
        reply.completion_tokens,
        reply.prompt_tokens,
        float(json.loads(reply.raw).get(LATENCY, 0.0)),
    )
    return as_answer(TEACHER, model_hash, item, given, cost_usd=reply.cost_usd), as_timing(TEACHER, item, given)
