"""Grades answers by what they were told about their form: length, words, layout, language.

    grade_constraints("no commas here", '[{"id": "punctuation:no_comma"}]')            right
    grade_constraints("One, two.", '[{"id": "punctuation:no_comma"}, {"id": "length_constraints:number_words",
                      "kwargs": {"num_words": 2, "relation": "at least"}}]')           wrong, share 0.5

The reference is a JSON list of `{"id", "kwargs"}`, with the 25 ids and their parameters of IFEval (Zhou et al. 2023,
arXiv:2311.07911), or `{"constraints": [...], "loose": true}`. An answer is right if it keeps all of them, else it earns the
share that it keeps. `loose` tries the answer without its first line, its last line, both, and without asterisks as well.

This is an implementation of its own. What differs from the paper's: the language is told by fastText's model and not by
langdetect, sentences and capital words are told by rules and not by NLTK, keywords are plain text and never patterns, and
reasoning before the answer does not count.
"""

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from curation.graders.constraints import language, layout, lengths, words
from curation.graders.constraints.relation import RELATIONS
from curation.graders.grade import Grade, without_thoughts
from curation.graders.json_value import read_json

CHECKS: dict[str, Callable[..., bool]] = {
    "keywords:existence": words.has_keywords,
    "keywords:frequency": words.has_keyword_often,
    "keywords:forbidden_words": words.has_no_forbidden_words,
    "keywords:letter_frequency": words.has_letter_often,
    "language:response_language": language.is_language,
    "length_constraints:number_sentences": lengths.has_num_sentences,
    "length_constraints:number_paragraphs": lengths.has_num_paragraphs,
    "length_constraints:number_words": lengths.has_num_words,
    "length_constraints:nth_paragraph_first_word": lengths.has_nth_paragraph_first_word,
    "detectable_content:number_placeholders": layout.has_num_placeholders,
    "detectable_content:postscript": layout.has_postscript,
    "detectable_format:number_bullet_lists": layout.has_num_bullets,
    "detectable_format:constrained_response": layout.has_constrained_answer,
    "detectable_format:number_highlighted_sections": layout.has_num_highlights,
    "detectable_format:multiple_sections": layout.has_num_sections,
    "detectable_format:json_format": layout.is_json,
    "detectable_format:title": layout.has_title,
    "combination:two_responses": layout.has_two_responses,
    "combination:repeat_prompt": layout.repeats_prompt,
    "startend:end_checker": layout.ends_with,
    "startend:quotation": layout.is_quoted,
    "change_case:capital_word_frequency": words.has_capital_words,
    "change_case:english_capital": words.is_english_capital,
    "change_case:english_lowercase": words.is_english_lowercase,
    "punctuation:no_comma": words.has_no_comma,
}
MAX_CONSTRAINTS = 50
_MAX_TEXT, _MAX_NUMBER, _MAX_ITEMS = 20_000, 1_000_000, 200


class Constraint(NamedTuple):
    """One thing that was asked for."""

    id: str
    kwargs: dict[str, Any]


class Kept(NamedTuple):
    """Which constraints of one prompt an answer keeps, in their order."""

    strict: tuple[bool, ...]
    loose: tuple[bool, ...]


class Accuracy(NamedTuple):
    """The four figures of the paper: shares of prompts whose constraints are all kept, and of all constraints."""

    prompt_strict: float
    instruction_strict: float
    prompt_loose: float
    instruction_loose: float


def grade_constraints(answer: str, reference: str) -> Grade:
    """Tell whether an answer keeps all constraints of the reference."""
    fields = read_json(reference.strip())
    is_loose = isinstance(fields, dict) and fields.get("loose") is True
    constraints = read_constraints(fields.get("constraints") if isinstance(fields, dict) else fields)
    if isinstance(constraints, str):
        return Grade(False, "", constraints)
    kept = measure_constraints(answer, constraints, with_loose=is_loose)
    verdicts = kept.loose if is_loose else kept.strict
    broken = [constraint.id for constraint, is_kept in zip(constraints, verdicts, strict=True) if not is_kept]
    share = sum(verdicts) / len(verdicts)
    return Grade(not broken, without_thoughts(answer).strip(), f"Not kept: {', '.join(broken)}" if broken else "", share)


def measure_constraints(answer: str, constraints: Sequence[Constraint], *, with_loose: bool = True) -> Kept:
    """Tell of each constraint whether an answer keeps it, strictly and loosely; an empty answer keeps none."""
    text = without_thoughts(answer)
    strict = tuple(_keeps(text, constraint) for constraint in constraints)
    variants = loosen(text) if with_loose else []
    pairs = zip(constraints, strict, strict=True)
    loose = tuple(is_kept or any(_keeps(variant, constraint) for variant in variants) for constraint, is_kept in pairs)
    return Kept(strict, loose)


def loosen(text: str) -> list[str]:
    """Return the variants of an answer that loose accuracy tries beside it."""
    lines = text.split("\n")
    cut = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return cut[1:] + [variant.replace("*", "") for variant in cut]


def measure_accuracy(kept: Sequence[Kept]) -> Accuracy:
    """Return the shares over many prompts. Raises ValueError if there is no constraint at all."""
    if not any(one.strict for one in kept):
        raise ValueError("there are no constraints to measure")
    shares = []
    for verdicts in ([one.strict for one in kept], [one.loose for one in kept]):
        flat = [is_kept for prompt in verdicts for is_kept in prompt]
        shares += [sum(map(all, verdicts)) / len(verdicts), sum(flat) / len(flat)]
    return Accuracy(*shares)


def read_constraints(value: Any) -> list[Constraint] | str:
    """Return the constraints of a JSON list, or what is wrong with it."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CONSTRAINTS:
        return f"The reference is no list of 1 to {MAX_CONSTRAINTS} constraints."
    found = []
    for item in value:
        constraint = _read_constraint(item)
        if constraint is None:
            return f"This is no constraint: {json.dumps(item)[:200]}"
        found.append(constraint)
    return found


def _read_constraint(item: Any) -> Constraint | None:
    if not isinstance(item, dict) or not isinstance(item.get("kwargs", {}), dict) or str(item.get("id")) not in CHECKS:
        return None
    kwargs = {name: value for name, value in item.get("kwargs", {}).items() if value is not None}
    expected = list(inspect.signature(CHECKS[item["id"]]).parameters.values())[1:]
    if kwargs.keys() != {parameter.name for parameter in expected}:
        return None
    is_read = all(_fits(parameter.name, parameter.annotation, kwargs[parameter.name]) for parameter in expected)
    return Constraint(item["id"], kwargs) if is_read else None


def _fits(name: str, kind: Any, value: Any) -> bool:
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_NUMBER
    if kind is str:
        return isinstance(value, str) and 0 < len(value) <= _MAX_TEXT and (not name.endswith("relation") or value in RELATIONS)
    return (
        isinstance(value, list) and 0 < len(value) <= _MAX_ITEMS and all(isinstance(one, str) and one.strip() for one in value)
    )


def _keeps(text: str, constraint: Constraint) -> bool:
    return bool(text.strip()) and CHECKS[constraint.id](text, **constraint.kwargs)
