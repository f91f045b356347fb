"""A model behind an OpenAI-compatible endpoint answers: vLLM, Ollama, LM Studio, `transformers serve`, a paid service.

    config = EndpointConfig(model="sft", base_url="http://127.0.0.1:8000/v1", api_key_env="SERVED_MODEL_KEY")
    with opened_answers(work_folder) as ledger:
        run = answer_by_endpoint(config, prompts, ledger=ledger, max_new_tokens=64, on_progress=print)
    run.answers[0]                  Generated(text="...", num_tokens=9, num_prompt_tokens=61, latency_s=0.4, ...)

It is asked as a teacher is: many requests at once, more slowly where the endpoint wants that, failed ones again after a pause
or after the time that it names. Each answer is on disk before it counts, so whatever happens to the endpoint or to this
process, the next run asks for what is missing only. What stays without an answer says why (`Generated.error`).
"""

import contextlib
import dataclasses
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curation.chat_model import ChatModel, ChatReply, ChatRequest
from curation.database import Database
from curation.errors import EvaluationError, TeacherKeyMissingError, TeacherRefusedError, TeacherUnreachableError
from curation.ids import canonical_json
from curation.records import Message, parse_arguments
from curation.synthesis.engine.attempt import Attempt
from curation.synthesis.engine.complete import Completion, Progress, complete_all, report_calls
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger
from curation.synthesis.teachers.openai_model import OpenAIChatModel
from evaluation.answering.endpoint_config import EndpointConfig
from evaluation.answering.generated import Generated
from evaluation.answering.spec import TaskSpec
from evaluation.records import EvalItem

NO_LIKELIHOODS = "an endpoint gives no likelihoods"
LATENCY = "tunewright_latency_s"
"""Added to the stored reply, so that an answer of an earlier run keeps its latency."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EndpointRun:
    """What came of a run."""

    answers: list[Generated]
    """In the order of the prompts; those with an `error` have no text."""
    num_calls: int
    """Answers that were asked for now."""
    num_reused: int
    num_failed: int
    num_empty: int
    """Answers that hold no text. They count as answers: a model may say nothing."""
    errors: dict[str, int]
    """How often which reason."""
    cost_usd: float
    seconds: float


class ItemRun(NamedTuple):
    """What came of asking the items of all tasks."""

    answers: dict[str, Generated]
    """By item key, one for each item; where a likelihood is measured it is an error."""
    num_calls: int
    num_failed: int
    cost_usd: float


@contextlib.contextmanager
def opened_answers(folder: Path) -> Iterator[RequestLedger]:
    """Open the answers that are kept in a folder. Raises DatabaseError."""
    folder.mkdir(parents=True, exist_ok=True)
    database = Database.open(folder / "endpoint_answers.db", concern="ledger", migrations=MIGRATIONS)
    with RequestLedger(database) as ledger:
        yield ledger


def answer_by_endpoint(
    config: EndpointConfig,
    prompts: Sequence[Sequence[Message]],
    *,
    tools: Sequence[str] = (),
    ledger: RequestLedger,
    max_new_tokens: int,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    backoff_seconds: float = 0.5,
) -> EndpointRun:
    """Ask an endpoint for the answers to prompts; equal prompts are asked once.

    Args:
        config: where, and how patiently.
        prompts: conversations, shots included.
        tools: for each prompt the definitions of the tools that may be called, as JSON, or an empty text; none for no tools.
        ledger: answers are looked up and stored there: `opened_answers`, or the installation's.
        max_new_tokens: longest answer.
        seed: sent along.
        on_progress: told every two seconds how far it is; `str()` is a line with the time left.
        backoff_seconds: pause before the second attempt; it doubles.

    Raises:
        EvaluationError: no key, a refusal that concerns all requests, or no contact at all. What was answered is kept.
        DatabaseError: an answer could not be stored.
    """
    parameters = {**config.parameters, "max_tokens": max_new_tokens, "seed": seed}
    if config.temperature is not None:
        parameters["temperature"] = config.temperature
    requests = [
        ChatRequest(messages=tuple(prompt), parameters=parameters | tool_parameters(shown))
        for prompt, shown in zip(prompts, tools or [""] * len(prompts), strict=True)
    ]
    model = TimedModel(OpenAIChatModel(config.as_teacher(max_new_tokens=max_new_tokens)))
    began = time.monotonic()
    try:
        completions = complete_all(
            requests,
            model,
            ledger,
            concurrency=config.concurrency,
            max_attempts=config.max_attempts,
            on_progress=on_progress,
            backoff_seconds=backoff_seconds,
        )
    except TeacherKeyMissingError as error:
        reason = f"the endpoint {config.base_url} needs a key, and the environment variable {config.api_key_env} is not set."
        raise EvaluationError(reason=reason) from error
    except (TeacherUnreachableError, TeacherRefusedError) as error:
        reason = f"the endpoint of '{config.model}' answers no more; answers so far are kept. {error}"
        raise EvaluationError(reason=reason) from error
    finally:
        model.close()
    return _summarize(completions, time.monotonic() - began)


def answer_items(
    config: EndpointConfig,
    items: Sequence[EvalItem],
    tasks: Sequence[TaskSpec],
    *,
    ledger: RequestLedger,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> ItemRun:
    """Ask an endpoint the items of all tasks whose answers are written, each as long as its task allows.

    Args:
        config: where, and how patiently.
        items: of any tasks; their tools are shown.
        tasks: how the items of each are answered.
        ledger: answers are looked up and stored there.
        seed: sent along.
        on_progress: told how far it is.

    Raises:
        EvaluationError, DatabaseError: as `answer_by_endpoint`.
    """
    limit_of = {task.name: task.max_new_tokens for task in tasks if task.way == "generation"}
    found = {item.key: Generated("", 0, error=NO_LIKELIHOODS) for item in items}
    runs = []
    for limit in sorted(set(limit_of.values())):
        asked = [item for item in items if limit_of.get(item.task) == limit]
        run = answer_by_endpoint(
            config,
            [item.prompt for item in asked],
            tools=[item.tools for item in asked],
            ledger=ledger,
            max_new_tokens=limit,
            seed=seed,
            on_progress=on_progress,
        )
        found |= {item.key: answer for item, answer in zip(asked, run.answers, strict=True)}
        runs.append(run)
    calls, failed = sum(run.num_calls for run in runs), sum(run.num_failed for run in runs)
    return ItemRun(found, calls, failed, sum(run.cost_usd for run in runs))


def tool_parameters(tools: str) -> dict[str, Any]:
    """Return what a request has to say besides, so that the model may call these tools (JSON); nothing for none."""
    return {"tools": json.loads(tools)} if tools else {}


def said_by(reply: ChatReply) -> str:
    """Return a reply as the text of an answer: what it says, then each tool that it calls, as JSON."""
    calls = [canonical_json({"name": call.name, "arguments": parse_arguments(call.arguments)}) for call in reply.tool_calls]
    return "\n".join(part for part in (reply.text.strip(), *calls) if part)


def _summarize(completions: list[Completion], seconds: float) -> EndpointRun:
    report = report_calls(completions)
    answers = [_as_answer(completion) for completion in completions]
    return EndpointRun(
        answers=answers,
        num_calls=report.num_calls,
        num_reused=report.num_cached,
        num_failed=report.num_failed,
        num_empty=sum(not answer.text and not answer.error for answer in answers),
        errors=dict(Counter(answer.error for answer in answers if answer.error)),
        cost_usd=report.cost_usd,
        seconds=seconds,
    )


def _as_answer(completion: Completion) -> Generated:
    reply = completion.reply
    if reply is None:
        return Generated("", 0, error=completion.error or "no answer")
    latency = json.loads(reply.raw).get(LATENCY, 0.0)
    return Generated(
        text=said_by(reply),
        num_tokens=reply.completion_tokens,
        num_prompt_tokens=reply.prompt_tokens,
        latency_s=float(latency),
        is_cut=reply.finish_reason == "length",
        cost_usd=reply.cost_usd,
    )


class TimedModel:
    """A model behind an endpoint whose replies say how long they took, waiting in our own queue not counted."""

    def __init__(self, model: OpenAIChatModel) -> None:
        self._model = model
        self.provider, self.endpoint = model.provider, model.endpoint
        self.model, self.revision, self.is_model = model.model, model.revision, model.is_model
        self.timeout_seconds, self.max_timeout_seconds = model.timeout_seconds, model.max_timeout_seconds
        self.limits_per_minute = model.limits_per_minute

    def complete(self, request: ChatRequest) -> ChatReply:
        """Answer one request; see `ChatModel.complete`."""
        began = time.monotonic()
        return _timed(self._model.complete(request), time.monotonic() - began)

    async def complete_async(self, request: ChatRequest, attempt: Attempt) -> ChatReply:
        """Answer one request; see `AsyncChatModel`."""
        began = time.monotonic()
        return _timed(await self._model.complete_async(request, attempt), time.monotonic() - began)

    def close(self) -> None:
        """Close the connections."""
        self._model.close()


def timed(model: ChatModel) -> ChatModel:
    """Return a model whose replies say how long they took, where it is one behind an endpoint."""
    return TimedModel(model) if isinstance(model, OpenAIChatModel) else model


def _timed(reply: ChatReply, seconds: float) -> ChatReply:
    raw = json.loads(reply.raw)
    return dataclasses.replace(reply, raw=canonical_json({**raw, LATENCY: round(seconds, 4)}))
