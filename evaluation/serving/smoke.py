"""Does the served model answer as the one that was evaluated? Questions of the report, asked again over the wire.

    questions = choose_questions(home, "sdk_assistant", model_hash, num_questions=20)
    result = await ask_all(ready, questions, settings)
    result.passed, result.describe()

Answers are greedy and must be those that the gate stored. The prompt is compared as well: the engine's count of its tokens
with those that the evaluated model was given, and where the engine shows them (vLLM), token by token. Latency is that of one
request after the other. Items that show tools are left out: how an engine passes them on depends on how it was started.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from curation.chat_turns import as_turn, wants_content_parts
from curation.errors import SmokeImpossibleError
from curation.home import Home
from curation.ids import stable_fraction
from curation.records import Message
from evaluation.answering.spec import FEW_SHOT
from evaluation.config import RETRIEVING
from evaluation.records import DEFAULT_TASK, EvalAnswer, EvalItem
from evaluation.release.handover import REPORT, worst_difference
from evaluation.serving.engines import Engine
from evaluation.serving.serving import Ready

REQUEST_SECONDS = 600.0
SHOWN_MORE = frozenset({FEW_SHOT, *RETRIEVING})
"""Comparators that are given more than the question: a served model is not, and need not answer as they did."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One held-out item with the answer that the gate stored."""

    key: str
    prompt: tuple[Message, ...]
    expected: str
    task: str = DEFAULT_TASK


@dataclass(frozen=True, kw_only=True)
class SmokeSettings:
    """How the questions are asked, and what is demanded."""

    engine: Engine
    key: str
    """Of the API; empty if none is needed."""
    max_new_tokens: int
    minimum_same: float
    """Share of answers that must be those of the gate."""
    max_new_tokens_by_task: Mapping[str, int] = field(default_factory=dict)
    """Of tasks whose answers may be longer or shorter than `max_new_tokens`."""

    def longest(self, task: str) -> int:
        """Return how many tokens an answer may have, as at the gate."""
        return self.max_new_tokens_by_task.get(task, self.max_new_tokens)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came of one question."""

    key: str
    is_same: bool
    answer: str
    expected: str
    prompt: str
    """`same` (token by token), `same count`, `unknown`, or what differs."""
    seconds: float
    num_tokens: int
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class SmokeResult:
    """What came of all questions."""

    model_hash: str
    minimum_same: float
    replies: tuple[Reply, ...]

    @property
    def share(self) -> float:
        """Return the share of answers that are those of the gate."""
        return sum(reply.is_same for reply in self.replies) / len(self.replies)

    @property
    def other_prompts(self) -> list[Reply]:
        """Return the replies whose prompt was another one than at the gate."""
        return [reply for reply in self.replies if reply.prompt not in ("same", "same count", "unknown")]

    @property
    def passed(self) -> bool:
        """Tell whether the served model is the one that was evaluated."""
        return self.share >= self.minimum_same and not self.other_prompts and not any(reply.error for reply in self.replies)

    def latency(self, share: float) -> float:
        """Return the seconds within which a share of the questions was answered."""
        ordered = sorted(reply.seconds for reply in self.replies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def describe(self) -> list[str]:
        """Return lines for people."""
        total, seconds = len(self.replies), sum(reply.seconds for reply in self.replies)
        rate = sum(reply.num_tokens for reply in self.replies) / max(seconds, 1e-9)
        kinds = {kind: sum(reply.prompt == kind for reply in self.replies) for kind in ("same", "same count", "unknown")}
        lines = [
            f"{sum(reply.is_same for reply in self.replies)} of {total} answers are those of the gate "
            f"({self.share:.0%}; {self.minimum_same:.0%} are needed)",
            f"prompts: {kinds['same']} token by token the same, {kinds['same count']} with the same number of tokens, "
            f"{kinds['unknown']} not shown by the engine, {len(self.other_prompts)} different",
            f"latency: {self.latency(0.5):.2f} s in the middle, {self.latency(0.95):.2f} s at 95 %, {rate:,.0f} tokens/s",
        ]
        lines += [f"failed: {reply.key}: {reply.error}" for reply in self.replies if reply.error][:3]
        lines += [f"other prompt: {reply.key}: {reply.prompt}" for reply in self.other_prompts][:3]
        other = [reply for reply in self.replies if not reply.is_same and not reply.error]
        return lines + [
            f"other answer: {item.key}: {item.answer[:80]!r}, and {item.expected[:80]!r} at the gate" for item in other[:3]
        ]

    def as_plain(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        facts = {"passed": self.passed, "same": self.share, "p50_s": self.latency(0.5), "p95_s": self.latency(0.95)}
        replies = [asdict(reply) for reply in self.replies]
        return {"model_hash": self.model_hash, "minimum_same": self.minimum_same, **facts, "replies": replies}

    def figures(self, export: Path | None) -> dict[str, Any]:
        """Return the figures of one line: those of this test, and where an export is served those of its hand-over."""
        known = [reply for reply in self.replies if reply.prompt in ("same", "same count")]
        found = {
            "passed": self.passed,
            "questions": len(self.replies),
            "same": round(self.share, 4),
            "prompts_same": round(len(known) / len(self.replies), 4),
            "failed": sum(bool(reply.error) for reply in self.replies),
            "p50_s": round(self.latency(0.5), 3),
            "p95_s": round(self.latency(0.95), 3),
        }
        if export is not None:
            report = json.loads((export / REPORT).read_bytes())
            found["export_items"] = report["num_items"]
            found["export_same"] = min(float(form["same"]) for form in report["forms"].values())
            found["export_score_difference"] = worst_difference(report)
        return found


def choose_questions(home: Home, recipe: str, model_hash: str, *, num_questions: int) -> list[Question]:
    """Return questions that a model answered for the gate, with its answers: a stable subset.

    Raises:
        SmokeImpossibleError: if no answers of this model are stored.
    """
    store = home.store()
    snapshot = store.find_snapshot(f"{recipe}/answers")
    if snapshot is None:
        raise SmokeImpossibleError(recipe=recipe, reason="it has no stored answers")
    items = {item.key: item for item in store.read_table(EvalItem, snapshot.tables["items"].root, asset="answers")}
    rows = store.read_table(EvalAnswer, snapshot.tables["answers"].root, asset="answers")
    mine = [row for row in rows if row.model_hash == model_hash and row.comparator not in SHOWN_MORE and row.item_key in items]
    if not mine:
        raise SmokeImpossibleError(recipe=recipe, reason=f"the stored answers are not of the model {model_hash[:12]}")
    written = [row for row in mine if row.num_tokens and not row.error and not items[row.item_key].tools]
    if not written:
        reason = (
            f"the model {model_hash[:12]} wrote no answer at the gate without tools: its tasks measure likelihoods or calls"
        )
        raise SmokeImpossibleError(recipe=recipe, reason=reason)
    chosen = sorted(written, key=lambda row: (stable_fraction(row.item_key, "smoke"), row.key))
    found = {row.item_key: _question(items[row.item_key], row) for row in chosen}
    return list(found.values())[:num_questions]


def _question(item: EvalItem, answer: EvalAnswer) -> Question:
    return Question(key=item.key, prompt=item.prompt, expected=answer.answer, task=item.task)


async def ask_all(ready: Ready, questions: Sequence[Question], settings: SmokeSettings) -> SmokeResult:
    """Ask a served model all questions, one after the other. What fails is in the replies, and nothing is raised for it.

    Raises:
        SmokeImpossibleError: if no question fits into the context of the model.
    """
    prompts = Prompts(ready.served.model)
    asked = [(item, prompts.encode(item.prompt)) for item in questions]
    asked = [(item, tokens) for item, tokens in asked if len(tokens) + settings.longest(item.task) <= prompts.context]
    if not asked:
        raise SmokeImpossibleError(recipe=ready.served.recipe, reason="no question fits into the context of the model")
    headers = {"Authorization": f"Bearer {settings.key}"} if settings.key else {}
    limit = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    async with aiohttp.ClientSession(headers=headers, timeout=limit) as session:
        replies = [await _ask(session, ready, item, tokens, settings) for item, tokens in asked]
    return SmokeResult(model_hash=ready.served.model_hash, minimum_same=settings.minimum_same, replies=tuple(replies))


class Prompts:
    """Renders prompts as the evaluated model was given them."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._in_parts = wants_content_parts(self._tokenizer)
        config = json.loads((folder / "config.json").read_bytes())
        self.context = int((config.get("text_config") or config).get("max_position_embeddings") or 1 << 20)

    def encode(self, prompt: Sequence[Message]) -> list[int]:
        """Return a prompt in tokens, with the opening of the answer."""
        turns = [as_turn(message, parsed=True, in_parts=self._in_parts) for message in prompt]
        text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])


async def _ask(
    session: aiohttp.ClientSession, ready: Ready, question: Question, tokens: list[int], settings: SmokeSettings
) -> Reply:
    messages = [as_turn(message) for message in question.prompt]
    longest = settings.longest(question.task)
    body = {"model": ready.served.recipe, "messages": messages, "temperature": 0, "max_tokens": longest}
    began = time.monotonic()
    error = answer = ""
    num_prompt_tokens = num_tokens = 0
    try:
        async with session.post(f"{ready.url}/v1/chat/completions", json=body) as response:
            said = await response.text()
        if response.status != 200:
            error = f"HTTP {response.status}: {said[:200]}"
        else:
            parsed = json.loads(said)
            answer = str(parsed["choices"][0]["message"]["content"] or "").strip()
            usage = parsed.get("usage") or {}
            num_prompt_tokens, num_tokens = (int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens"))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, LookupError, TypeError, AttributeError) as failure:
        error = f"{type(failure).__name__}: {failure}"[:200]
    seconds = time.monotonic() - began
    prompt = "unknown" if error else await _compare_prompt(session, ready, messages, tokens, num_prompt_tokens, settings.engine)
    return Reply(
        key=question.key,
        is_same=not error and answer == question.expected,
        answer=answer,
        expected=question.expected,
        prompt=prompt,
        seconds=seconds,
        num_tokens=num_tokens,
        error=error,
    )


async def _compare_prompt(
    session: aiohttp.ClientSession,
    ready: Ready,
    messages: list[dict[str, Any]],
    tokens: list[int],
    count: int,
    engine: Engine,
) -> str:
    found = await _ask_tokens(session, ready, messages) if engine == "vllm" else None
    if found is not None:
        return "same" if found == tokens else f"{len(found)} tokens, {found[:8]}..., and {tokens[:8]}... at the gate"
    if count <= 0:
        return "unknown"
    return "same count" if count == len(tokens) else f"{count} tokens, and {len(tokens)} at the gate"


async def _ask_tokens(session: aiohttp.ClientSession, ready: Ready, messages: list[dict[str, Any]]) -> list[Any] | None:
    """Return the tokens that vLLM makes of a prompt, or None if it does not say."""
    body = {"model": ready.served.recipe, "messages": messages, "add_generation_prompt": True}
    try:
        async with session.post(f"{ready.engine_url}/tokenize", json=body) as response:
            found = (await response.json()).get("tokens") if response.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, list) else None
