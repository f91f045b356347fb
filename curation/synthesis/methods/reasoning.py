r"""Reasoning traces whose final answers are known to be right: n samples, graded, the best kept.

    method = Reasoning(ReasoningConfig(grader="number", samples=4, keep=1))
    made = method.make(method.plan(Inputs(examples=gsm8k_rows)), session)
    made.examples[0].messages[-1].content        "<think>\n16 - 3 - 4 = 9 ...\n</think>\n\nAnswer: 18"

Rejection sampling as in RFT (Yuan et al., "Scaling relationship on learning mathematical reasoning", 2023) and STaR (Zelikman
et al., 2022): the question comes with a reference, which the teacher never sees; a sample is kept if the grader finds its
final answer right. Each sample is a request of its own with its own `sample_index` and sampling seed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from curation.config import check, config
from curation.graders.grade import final_part
from curation.graders.registry import GRADERS
from curation.ids import stable_fraction
from curation.records import Example, VerifiableTask
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.methods.invented_rows import InventedRows, conversation, origin_of, request_in
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.novelty import gram_similarity
from curation.synthesis.parse import UnusableError
from curation.synthesis.prompts.reasoning import KINDS, Kind, render_reasoning

MAX_BARE_CHARS = 80
"""A longer answer of a demonstration must mark its final answer to be a reference."""
_MARKED_LINE = re.compile(
    r"^[^\n]{0,200}?(?:####|\banswer(?:\s+is)?\s*:|\banswer\s+is\b|(?<![A-Za-z])A:|\\boxed\{)", re.I | re.M
)


@config
class ReasoningConfig:
    """Reasoning traces with verified final answers."""

    grader: Kind = "number"
    """How demonstrations' final answers are compared: `number`, `choice`, `exact`, `json`. Verifiable tasks name their own."""

    samples: int = 4
    """Solutions sampled for each question."""

    keep: int = 1
    """Most right solutions kept for each question."""

    choose: Literal["shortest", "diverse"] = "shortest"
    """Which right solutions are kept: the shortest, or the shortest and then always the one least like those chosen."""

    form: Literal["tags", "text", "answer"] = "tags"
    """`tags` puts the reasoning between tags before the final answer, `text` keeps the solution as it was written, `answer`
    drops the reasoning (its verified answer stays)."""

    open_tag: str = "<think>"
    """What stands before the reasoning with `form: tags`."""

    close_tag: str = "</think>"
    """What stands after the reasoning with `form: tags`."""

    temperature: float | None = None
    """Sampling temperature of the solutions, 0 to 2; null takes the teacher's."""

    max_chars: int = 32_000
    """Longer answers, reasoning included, are rejected."""

    system_prompt: str = ""
    """System message of every example; empty: none."""

    def __post_init__(self) -> None:
        check(self.grader in KINDS, "grader", f"must be of {', '.join(KINDS)}", self.grader)
        check(1 <= self.samples <= 64, "samples", "must lie in 1..64", self.samples)
        check(1 <= self.keep <= self.samples, "keep", "must lie in 1..samples", self.keep)
        check(self.choose == "shortest" or self.keep > 1, "choose", "'diverse' has no effect with keep 1", self.choose)
        is_tagged = self.form == "tags"
        for name, tag, usual in (("open_tag", self.open_tag, "<think>"), ("close_tag", self.close_tag, "</think>")):
            check(is_tagged or tag == usual, name, f"has no effect with form '{self.form}'", tag)
            check(tag.strip() == tag != "" and len(tag) <= 40, name, "must be a short tag", tag)
        check(self.open_tag != self.close_tag, "close_tag", "must differ from open_tag", self.close_tag)
        check(100 <= self.max_chars <= 1_000_000, "max_chars", "must lie in 100..1000000", self.max_chars)
        heat = self.temperature
        check(heat is None or 0 <= heat <= 2, "temperature", "must lie in 0..2", heat)
        check(heat != 0 or self.samples == 1, "temperature", "0 gives one and the same sample each time", heat)


@dataclass(frozen=True, kw_only=True)
class _Question:
    """The payload of a unit."""

    parent: Example | VerifiableTask
    text: str
    reference: str
    grader: Kind


@dataclass(frozen=True, kw_only=True)
class _Solution:
    """A sample whose final answer is right."""

    key: str
    answer: Answer
    reasoning: str
    final: str
    content: str


class Reasoning:
    """See the module."""

    name = "reasoning"

    def __init__(self, config: ReasoningConfig) -> None:
        self.config = config

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return one unit for each demonstration whose answer is a usable reference, and for each verifiable task."""
        questions = [*map(self._read_example, inputs.examples), *map(self._read_task, getattr(inputs, "tasks", ()))]
        units = [Unit(key=f"{item.parent.key}#{self.name}", slice=item.grader, payload=item) for item in questions if item]
        return sorted(units, key=lambda unit: (stable_fraction(unit.key, f"order {inputs.seed}"), unit.key))

    def _read_example(self, example: Example) -> _Question | None:
        """Return a question if its final answer is known: marked, or all that there is; a number amid prose is no reference."""
        question, answer = request_in(example), example.answer.strip()
        marked = final_part(answer)
        if not question or (self.config.grader in ("number", "exact") and not marked and len(answer) > MAX_BARE_CHARS):
            return None
        reference = marked if self.config.grader == "exact" and marked else answer
        if not GRADERS[self.config.grader](answer, reference).is_right:
            return None
        return _Question(parent=example, text=question, reference=reference, grader=self.config.grader)

    def _read_task(self, task: VerifiableTask) -> _Question | None:
        asked = [message for message in task.prompt if message.role != "system"]
        kind = next((kind for kind in KINDS if kind == task.grader), None)
        if kind is None or len(asked) != 1:
            return None
        return _Question(parent=task, text=asked[0].content, reference=task.reference, grader=kind)

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Sample, grade and choose. Every sample is a row or a rejection; a question without a right one is one more."""
        rows = InventedRows(self.name, max_answer_chars=self.config.max_chars)
        units = [unit for unit in units if not _is_refused(unit, rows)]
        answers = session.ask([self._ask(unit, number, session) for unit in units for number in range(self.config.samples)])
        num_right = num_solved = 0
        for at, unit in enumerate(units):
            mine = answers[at * self.config.samples : (at + 1) * self.config.samples]
            right = [solution for answer, key in _keyed(unit, mine) if (solution := self._grade(unit, key, answer, rows))]
            num_right, num_solved = num_right + len(right), num_solved + bool(right)
            if not right:
                problem = UnusableError("no_right_answer", f"None of {len(mine)} samples has the right final answer.")
                rows.reject(unit.key, origin_of([unit.payload.parent]), problem, unit.payload.text)
            self._keep(unit, right, rows)
        total = {"right_share": num_right / len(answers), "solved_share": num_solved / len(units)} if units else {}
        return rows.made(**total)

    def _ask(self, unit: Unit, number: int, session: Session) -> Ask:
        heat = {} if self.config.temperature is None else {"temperature": self.config.temperature}
        return Ask(
            key=f"{unit.key}/{number}",
            prompt=render_reasoning(unit.payload.text, unit.payload.grader),
            sample_index=number,
            parameters={"seed": (session.seed + number) % 2**31, **heat},
        )

    def _grade(self, unit: Unit, key: str, answer: Answer, rows: InventedRows) -> _Solution | None:
        """Return a solution whose final answer is right; anything else becomes a rejection."""
        question: _Question = unit.payload
        if rows.refuse(answer, key, origin_of([question.parent])):
            return None
        reasoning, final = split_reasoning(answer)
        grade = GRADERS[question.grader](final, question.reference)
        try:
            if not grade.is_right:
                raise UnusableError("wrong_answer", f"The final answer '{grade.extracted[:100]}' is not the reference.")
            if self.config.form == "tags" and not reasoning:
                raise UnusableError("no_reasoning", "The reply holds a final answer without any reasoning.")
            if self.config.form == "tags" and any(
                tag in text for tag in (self.config.open_tag, self.config.close_tag) for text in (reasoning, final)
            ):
                raise UnusableError("nested_tags", "The reasoning holds the tags that it is to stand between.")
        except UnusableError as problem:
            rows.reject(key, origin_of([question.parent]), problem, answer.text)
            return None
        return _Solution(key=key, answer=answer, reasoning=reasoning, final=final, content=self._content(reasoning, final))

    def _content(self, reasoning: str, final: str) -> str:
        if self.config.form == "tags":
            return f"{self.config.open_tag}\n{reasoning}\n{self.config.close_tag}\n\n{final}"
        return final if self.config.form == "answer" or not reasoning else f"{reasoning}\n{final}"

    def _keep(self, unit: Unit, right: Sequence[_Solution], rows: InventedRows) -> None:
        chosen = choose_solutions(right, self.config.keep, is_diverse=self.config.choose == "diverse")
        origin = origin_of([unit.payload.parent])
        for solution in right:
            if solution not in chosen:
                problem = UnusableError("surplus_sample", f"Right, but {len(chosen)} of its question are kept already.")
                rows.reject(solution.key, origin, problem, solution.answer.text)
                continue
            messages = conversation(unit.payload.text, solution.content, self.config.system_prompt)
            rows.add_example(solution.key, messages, solution.answer, origin=origin)


def split_reasoning(answer: Answer) -> tuple[str, str]:
    """Return the reasoning of a reply, and its final answer with what little stands around it.

    The reasoning is what the endpoint gives as such; else what stands between tags; else all lines before the one with the last
    mark of a final answer, or before the last line where nothing is marked.
    """
    text = answer.text
    given = answer.reply.reasoning.strip() if answer.reply is not None else ""
    before, tag, after = text.rpartition("</think>")
    if tag:
        given = "\n\n".join(filter(None, (given, before.replace("<think>", "", 1).strip())))
        text = after.strip()
    if given:
        return given, text
    marked = [match.start() for match in _MARKED_LINE.finditer(text)]
    start = marked[-1] if marked else text.rfind("\n") + 1
    return text[:start].strip(), text[start:].strip()


def choose_solutions(solutions: Sequence[_Solution], number: int, *, is_diverse: bool) -> list[_Solution]:
    """Return the shortest solutions, or the shortest and then always the one least similar to those chosen."""
    left = sorted(solutions, key=lambda item: (len(item.content), item.key))
    distinct = {item.content: item for item in reversed(left)}
    left = [item for item in left if distinct[item.content] is item]
    if not is_diverse or not left:
        return left[:number]
    chosen = [left.pop(0)]
    nearest = [gram_similarity(item.content, chosen[0].content) for item in left]
    while left and len(chosen) < number:
        at = min(range(len(left)), key=lambda place: (nearest[place], place))
        chosen.append(left.pop(at))
        nearest.pop(at)
        nearest = [max(old, gram_similarity(item.content, chosen[-1].content)) for old, item in zip(nearest, left, strict=True)]
    return chosen


def _is_refused(unit: Unit, rows: InventedRows) -> bool:
    return rows.refuse_source(unit.key, origin_of([unit.payload.parent]), unit.payload.text)


def _keyed(unit: Unit, answers: Sequence[Answer]) -> list[tuple[Answer, str]]:
    return [(answer, f"{unit.key}/{number}") for number, answer in enumerate(answers)]
