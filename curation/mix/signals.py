"""Quality and complexity of rows without a model: cheap signals from 0 to 1, a stand-in until a judge or a scorer has spoken.

quality_signals(rows)      [0.91, 0.12, ...]     votes of judges where there are any, else length, format, richness, grounding
complexity_signals(rows)   [0.35, 0.60, ...]     length of the instruction, constraints and steps, rare words

They tell whole rows from broken, empty and repetitive ones. They do not know whether an answer is right: between two fluent
answers they are no better than a coin (LLMBar natural 52 %, chosen above rejected in dpo_en_demo 48 %) and a wrong but polished
answer wins (LLMBar adversarial 13 to 34 % right). Where that matters, pass the scores of a judge.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.mix.texts import answer_text, prompt_messages, prompt_text
from curation.quality.defaults import DAMAGE, REFUSAL
from curation.quality.text_measures import count_words, ends_properly

Floats = NDArray[np.float64]
QUALITY_WEIGHTS = {"length": 0.4, "richness": 0.3, "grounded": 0.3}
COMPLEXITY_WEIGHTS = {"length": 0.35, "constraints": 0.35, "rare_words": 0.3}
FAULT_FACTOR = 0.2
"""What is left of the quality of a row that is damaged, refuses, says nothing, echoes its prompt, or says one thing over and
over."""
UNFINISHED_FACTOR = 0.5
"""What is left if the answer stops in the middle."""
MONOTONE = 0.3
"""Richness below which a text says one thing over and over."""
MAX_WORDS = 400
"""Words of a text that are looked at for richness and rare words."""
MANY_CONSTRAINTS = 12
_WORD = re.compile(r"\w+")
_CONSTRAINT = (
    r"(?i)(?m)^\s*(?:[-*+]|\d{1,3}[.)])\s"  # list items
    r"|\b(?:must|exactly|at (?:least|most)|no more than|without|only|avoid|do not|don't|include|ensure|except|unless|instead"
    r"|format|json|table|list|steps?|first|then|finally|explain|compare|why|because|if|given|using|between|each|\d+)\b|\?"
)


def quality_signals(rows: Sequence[Any]) -> Floats:
    """Return a quality from 0 to 1 a row: the mean vote of its judges, or else the weighted mean of QUALITY_WEIGHTS.

    A faulty row keeps FAULT_FACTOR of it, one that stops in the middle (`text_measures.ends_properly`) UNFINISHED_FACTOR.

    - length: words of the answer against those of its task: rises with their logarithm up to the 90th percentile of the task
      (long answers teach more, arXiv:2402.04833), falls again above four times that
    - richness: share of different words among the first MAX_WORDS, full from one half on
    - grounded: 1 for human rows and rows with source spans, else 0.5

    Votes outside 0 to 1 are divided by the largest vote. The result does not depend on the order of the rows.
    """
    answers = [answer_text(row) for row in rows]
    texts = _as_arrow(answers)
    richness = np.array([_richness(answer) for answer in answers], dtype=np.float64)
    faulty = _is_faulty(rows, answers, texts) | (richness < MONOTONE)
    parts = {
        "length": _length_signal(_as_floats(count_words(texts)), [row.task for row in rows]),
        "richness": richness,
        "grounded": np.array([_is_grounded(row) for row in rows], dtype=np.float64),
    }
    whole = np.where(_as_floats(ends_properly(texts)) > 0, 1.0, UNFINISHED_FACTOR)
    return _prefer_votes(rows, _weighted(parts, QUALITY_WEIGHTS) * whole * np.where(faulty, FAULT_FACTOR, 1.0))


def complexity_signals(rows: Sequence[Any]) -> Floats:
    """Return a complexity from 0 to 1 a row, the weighted mean of COMPLEXITY_WEIGHTS.

    - length: logarithm of the words of the instruction against the 95th percentile of all rows
    - constraints: logarithm of list items, questions and words that ask for something particular, turns and tools included
    - rare words: share of the instruction's words that at most 1 % of the rows hold, but at least two of them
    """
    prompts = [prompt_text(row) for row in rows]
    texts = _as_arrow(prompts)
    words = np.log1p(_as_floats(count_words(texts)))
    top = max(float(np.percentile(words, 95)), 1e-9) if len(rows) else 1.0
    constraints = _as_floats(pc.count_substring_regex(texts, _CONSTRAINT)) + np.array([_turns_and_tools(row) for row in rows])
    parts = {
        "length": np.minimum(words / top, 1.0),
        "constraints": np.minimum(np.log1p(constraints) / math.log1p(MANY_CONSTRAINTS), 1.0),
        "rare_words": _rare_word_shares(prompts),
    }
    return _weighted(parts, COMPLEXITY_WEIGHTS)


def _weighted(parts: dict[str, Floats], weights: dict[str, float]) -> Floats:
    total = np.zeros(len(next(iter(parts.values()))))
    for name, values in parts.items():
        total = total + weights[name] * values
    return total


def _as_arrow(texts: list[str]) -> Any:
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return pa.array([text.encode("utf-8", "replace").decode() for text in texts], pa.string())


def _as_floats(column: Any) -> Floats:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _is_faulty(rows: Sequence[Any], answers: list[str], texts: Any) -> NDArray[np.bool_]:
    damaged = pc.or_(pc.match_substring_regex(texts, DAMAGE), pc.match_substring_regex(texts, REFUSAL))
    empty = [
        not answer.strip() or answer.strip() == prompt_text(row).strip() for row, answer in zip(rows, answers, strict=True)
    ]
    faulty: NDArray[np.bool_] = np.asarray(damaged.to_numpy(zero_copy_only=False), dtype=bool) | np.array(empty, dtype=bool)
    return faulty


def _length_signal(words: Floats, tasks: list[str]) -> Floats:
    signal = np.zeros(len(words))
    names = np.array(tasks, dtype=object)
    for task in sorted(set(tasks)):
        member = names == task
        usual = max(float(np.percentile(words[member], 90)), 1.0)
        runaway = np.maximum(words[member] / (4 * usual), 1.0)
        signal[member] = np.minimum(np.log1p(words[member]) / np.log1p(usual), 1.0) / runaway
    return signal


def _richness(answer: str) -> float:
    words = answer[: 40 * MAX_WORDS].lower().split(None, MAX_WORDS)[:MAX_WORDS]
    return 1.0 if len(words) < 10 else min(1.0, 2 * len(set(words)) / len(words))


def _is_grounded(row: Any) -> float:
    return 1.0 if row.provenance.origin == "human" or row.provenance.spans else 0.5


def _turns_and_tools(row: Any) -> float:
    turns = [message.role for message in prompt_messages(row)].count("user")
    return max(0, turns - 1) + 2.0 * bool(getattr(row, "tools", ""))


def _prefer_votes(rows: Sequence[Any], heuristic: Floats) -> Floats:
    votes = [[vote.score for vote in row.provenance.votes] for row in rows]
    scale = max((score for found in votes for score in found), default=1.0)
    scale = scale if scale > 1 else 1.0
    means = [math.fsum(found) / len(found) / scale if found else math.nan for found in votes]
    judged = np.clip(np.array(means, dtype=np.float64), 0.0, 1.0)
    return np.where(np.isnan(judged), heuristic, judged)


def _rare_word_shares(prompts: list[str]) -> Floats:
    words = [set(_WORD.findall(prompt[: 12 * MAX_WORDS].lower())) for prompt in prompts]
    frequencies = Counter(word for found in words for word in found)
    top = max(2, len(prompts) // 100)
    rare = {word for word, number in frequencies.items() if 2 <= number <= top}
    return np.array([len(found & rare) / len(found) if found else 0.0 for found in words], dtype=np.float64)
