"""Magpie: the teacher writes the user's turn itself, since that is what comes after the beginning of one; then it answers.

    method = Magpie(MagpieConfig(topics=("cooking",), rows_per_topic=100))
    made = method.make(method.plan(Inputs()), session)
    made.examples[0].key         "magpie/cooking#magpie/17/0"

Xu et al., "Magpie: alignment data synthesis from scratch by prompting aligned LLMs with nothing", 2024. With `form: raw` the
endpoint is sent the model's own chat template up to the user's turn, as `raw_prompt`; with `form: chat`, for endpoints that
only chat, a system message alone. Nothing of a source goes in, so nothing but gates stands between noise and the rows:
length, language, loops, chat markers, replies in place of requests, and near copies of what is there already.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curation.config import check, config
from curation.filters.language import detect_language
from curation.filters.repetition import check_repetition
from curation.filters.rule_config import RuleConfig
from curation.filters.text_view import TextView
from curation.ids import hash_text, stable_fraction
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.methods.invented_rows import InventedRows, Origin, check_request, conversation, request_in
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.novelty import NoveltyPool
from curation.synthesis.parse import UnusableError
from curation.synthesis.prompts.invented import render_answer
from curation.synthesis.prompts.magpie import render_chat, render_raw

MIN_LETTERS, SURE = 40, 0.8
_RULES = RuleConfig()
_MARKER = re.compile(
    r"<\|[\w ]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|^\s*(?:user|assistant|system|human|ai)\s*:",
    re.I | re.M,
)
_ANSWERS = re.compile(
    r"(?:sure|certainly|of course|absolutely|great question"
    r"|here(?: is|'s) (?:a|the|my) (?:first )?(?:message|request|question|prompt)"
    r"|i(?:'d| would) be (?:happy|glad)|how (?:can|may) i (?:help|assist)|(?:hello|hi)!? how"
    r"|as an ai|i(?:'m| am) (?:an ai|a language model|here to help))\b",
    re.I,
)


@config
class MagpieConfig:
    """Requests that the teacher writes in the place of a user."""

    topics: tuple[str, ...] = ("",)
    """What the conversations are about; an empty one leaves it to the teacher."""

    rows_per_topic: int = 100
    """Requests asked for about each topic."""

    form: Literal["chat", "raw"] = "chat"
    """`chat` sends a system message alone. `raw` sends `pre_query_template` to the endpoint's raw completions."""

    pre_query_template: str = ""
    """The model's chat template up to where the user's text begins (form `raw`); `{system}` stands for the system message."""

    stop: tuple[str, ...] = ()
    """Where a user's turn ends in that template (form `raw`), such as `<|im_end|>`."""

    temperature: float = 1.0
    """Sampling temperature of the requests, above 0 to 2; answers are sampled as the teacher's section says."""

    min_words: int = 3
    """Shorter requests are rejected."""

    max_chars: int = 2_000
    """Longer requests are rejected."""

    languages: tuple[str, ...] = ()
    """Languages that requests may be in, as ISO 639 codes; empty for any."""

    max_similarity: float = 0.6
    """Jaccard similarity of character 5-grams from which a request repeats another or a demonstration, 0.5 to 1; 1 refuses
    nothing."""

    system_prompt: str = ""
    """System message of every example; empty: none."""

    def __post_init__(self) -> None:
        folded = [" ".join(topic.casefold().split()) for topic in self.topics]
        check(0 < len(folded) == len(set(folded)), "topics", "needs at least one topic, each once", list(self.topics))
        check(1 <= self.rows_per_topic <= 1_000_000, "rows_per_topic", "must lie in 1..1000000", self.rows_per_topic)
        is_raw = self.form == "raw"
        template = self.pre_query_template
        check(is_raw or not template, "pre_query_template", "has no effect with form 'chat'", template)
        check(not is_raw or bool(template), "pre_query_template", "is required with form 'raw'", template)
        check(is_raw or not self.stop, "stop", "has no effect with form 'chat'", list(self.stop))
        needs_system = is_raw and any(folded) and "{system}" not in template
        check(not needs_system, "topics", "have no effect without {system} in pre_query_template", list(self.topics))
        check(0 < self.temperature <= 2, "temperature", "must lie in (0, 2]", self.temperature)
        check(1 <= self.min_words <= 100, "min_words", "must lie in 1..100", self.min_words)
        check(20 <= self.max_chars <= 20_000, "max_chars", "must lie in 20..20000", self.max_chars)
        check(0.5 <= self.max_similarity <= 1, "max_similarity", "must lie in [0.5, 1]", self.max_similarity)
        for code in self.languages:
            is_code = 2 <= len(code) <= 3 and code.isascii() and code.islower()
            check(is_code, "languages", "must be ISO 639 codes such as 'en'", code)


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """The payload of a unit."""

    topic: str
    number: int
    pool: NoveltyPool


class Magpie:
    """See the module."""

    name = "magpie"

    def __init__(self, config: MagpieConfig) -> None:
        self.config = config

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return the turns of all topics; all share one pool, which begins with the demonstrations."""
        known = [(example.key, request_in(example)) for example in inputs.examples if request_in(example)]
        pool = NoveltyPool(known, max_similarity=self.config.max_similarity)
        units = [
            Unit(
                key=f"magpie/{_name(topic)}#{self.name}/{number}",
                slice=topic,
                payload=_Turn(topic=topic, number=number, pool=pool),
            )
            for topic in self.config.topics
            for number in range(self.config.rows_per_topic)
        ]
        return sorted(units, key=lambda unit: (stable_fraction(unit.key, f"order {inputs.seed}"), unit.key))

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Ask for users' turns, keep those that pass the gates, ask for their answers."""
        rows = InventedRows(self.name)
        turns = session.ask([self._ask(unit, session) for unit in units])
        passed: list[tuple[Unit, str, Answer]] = []
        for unit, turn in zip(units, turns, strict=True):
            if rows.refuse(turn, unit.key, _origin(unit)):
                continue
            text = self._clean(turn.text)
            try:
                self._check(text)
            except UnusableError as problem:
                rows.reject(unit.key, _origin(unit), problem, turn.text)
                continue
            passed.append((unit, text, turn))
        new = self._keep_new(passed, rows)
        answers = session.ask([Ask(key=unit.key, prompt=render_answer(text)) for unit, text, _ in new])
        for (unit, text, turn), answer in zip(new, answers, strict=True):
            if not rows.refuse(answer, unit.key, _origin(unit)):
                messages = conversation(text, answer.text, self.config.system_prompt)
                rows.add_example(f"{unit.key}/0", messages, answer, origin=_origin(unit), earlier=turn.request_ids)
        return rows.made(**({"novelty": len(new) / len(passed)} if passed else {}))

    def _ask(self, unit: Unit, session: Session) -> Ask:
        turn: _Turn = unit.payload
        parameters: dict[str, Any] = {"temperature": self.config.temperature, "seed": (session.seed + turn.number) % 2**31}
        prompt = render_chat(turn.topic)
        if self.config.form == "raw":
            prompt = render_raw(turn.topic)
            system = prompt.messages[0].content if prompt.messages else ""
            parameters["raw_prompt"] = self.config.pre_query_template.replace("{system}", system)
            parameters |= {"stop": list(self.config.stop)} if self.config.stop else {}
        return Ask(key=unit.key, prompt=prompt, sample_index=turn.number, parameters=parameters)

    def _clean(self, text: str) -> str:
        """Return a turn up to where it ends, without quotation marks around all of it."""
        for mark in self.config.stop:
            text = text.partition(mark)[0]
        text = text.strip()
        is_quoted = len(text) > 2 and text[0] == text[-1] == '"' and '"' not in text[1:-1]
        return text[1:-1].strip() if is_quoted else text

    def _check(self, text: str) -> None:
        """Gate a user's turn. Raises UnusableError."""
        marker = _MARKER.search(text)
        if marker is not None:
            raise UnusableError("chat_marker", f"The request holds '{marker[0].strip()}', so more than one turn was written.")
        check_request(text, maximum=self.config.max_chars)
        if len(text.split()) < self.config.min_words and text.isascii():
            raise UnusableError("short_instruction", f"The request has fewer than {self.config.min_words} words.")
        if _ANSWERS.match(text):
            raise UnusableError("answers_instead", "The teacher spoke as the assistant and not as the user.")
        problem = check_repetition(TextView(kind="example", key="", prompt=text, question=text), _RULES)
        if problem is not None:
            raise UnusableError(problem.reason, problem.detail)
        found = detect_language(text, MIN_LETTERS, self.config.languages) if self.config.languages else None
        if found is not None and found.code and found.code not in self.config.languages and found.confidence >= SURE:
            raise UnusableError("language", f"The request is in '{found.code}' ({found.confidence:.0%} sure).")

    def _keep_new(self, passed: Sequence[tuple[Unit, str, Answer]], rows: InventedRows) -> list[tuple[Unit, str, Answer]]:
        if not passed:
            return []
        repeats = passed[0][0].payload.pool.admit([(f"{unit.key}/0", text) for unit, text, _ in passed])
        for at, repeat in repeats.items():
            unit, text, _ = passed[at]
            detail = f"The request repeats '{repeat.key[:200]}' (similarity {repeat.similarity:.2f})."
            rows.reject(unit.key, _origin(unit), UnusableError("not_new", detail), text, other_key=repeat.key)
        return [item for at, item in enumerate(passed) if at not in repeats]


def _origin(unit: Unit) -> Origin:
    return Origin(group=unit.key, license="", output_terms=(), depth=0, source_hash=hash_text(unit.key))


def _name(topic: str) -> str:
    """Return what keys call a topic: its words, or their hash if they are many."""
    words = "-".join(re.findall(r"\w+", topic.casefold())) or "any"
    return words if words.isascii() and len(words) <= 40 else f"{words[:20]}-{hash_text(topic)[:8]}"
