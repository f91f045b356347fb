"""All rules for single rows in one table, cheap ones first: the first that a row breaks is why it is rejected.

find_problem(example, RuleConfig())     Problem("refusal", "The answer refuses: ...") or None
find_problems(example, RuleConfig())    every rule that it breaks, for reports
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from curation.filters.boilerplate import check_boilerplate
from curation.filters.broken_code import check_json, check_python, check_tool_call
from curation.filters.calculator_marks import check_marks
from curation.filters.empty_answers import (
    check_addresses,
    check_digits,
    check_identical,
    check_placeholder,
    check_repeats_prompt,
)
from curation.filters.language import check_language
from curation.filters.lengths import check_form, check_length
from curation.filters.refusals import check_refusal
from curation.filters.repetition import check_repetition
from curation.filters.role_markers import check_role_markers, check_template_placeholder
from curation.filters.rule_config import RuleConfig, RuleName
from curation.filters.rules import Problem
from curation.filters.text_damage import check_damage
from curation.filters.text_view import RuleRow, TextView, view_of
from curation.filters.toxicity import check_toxicity, toxicity_problems
from curation.filters.truncation import CorpusProfile, check_truncated, check_unusual_end

Check = Callable[[TextView, RuleConfig], Problem | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One named rule: what it looks for, how it judges a row, and the reasons that it gives."""

    name: RuleName
    description: str
    judge: Check
    reasons: tuple[str, ...]

    def check(self, row: RuleRow | TextView, config: RuleConfig) -> Problem | None:
        """Return what is wrong with a row by this rule alone, or None."""
        return self.judge(row if isinstance(row, TextView) else view_of(row), config)


def _rule(name: RuleName, judge: Check, description: str, *reasons: str) -> Rule:
    return Rule(name=name, description=description, judge=judge, reasons=reasons or (name,))


_LENGTH_REASONS = (
    "prompt_too_short",
    "prompt_too_long",
    "answer_too_short",
    "answer_too_long",
    "answer_ratio_too_high",
    "row_too_long",
)
_TABLE = (
    _rule("malformed_conversation", check_form, "no prompt, or the last message is not the assistant's"),
    _rule("length", check_length, "prompt or answer too short or too long", *_LENGTH_REASONS),
    _rule("placeholder_answer", check_placeholder, "the answer only stands for one: N/A, ..., <noinput>"),
    _rule("identical_answers", check_identical, "the chosen and the rejected answer are the same"),
    _rule("answer_repeats_prompt", check_repeats_prompt, "the answer is the prompt again, or begins with all of it"),
    _rule("only_addresses", check_addresses, "nothing but web or mail addresses"),
    _rule("only_digits", check_digits, "a prompt without a single letter"),
    _rule("encoding_damage", check_damage, "undecodable, invisible or direction-turning characters, mojibake"),
    _rule("role_markers", check_role_markers, "marks of a chat template in the text: <|im_start|>, ### Instruction:"),
    _rule("template_placeholder", check_template_placeholder, "a template was not filled: {{name}}, [INSERT ...]"),
    _rule("calculator_marks", check_marks, "calculator marks such as <<16-3=13>> (stripped unless `calculator_marks: reject`)"),
    _rule("refusal", check_refusal, "the answer refuses or speaks as a language model", "refusal", "assistant_disclaimer"),
    _rule("boilerplate", check_boilerplate, "cookie banners, navigation, legal notices, filler"),
    _rule("truncated_answer", check_truncated, "the answer stops inside a fence, a bracket or a sentence"),
    _rule("broken_tool_call", check_tool_call, "a tool call without a name or with arguments that are no JSON object"),
    _rule("broken_json", check_json, "JSON that was asked for, or fenced JSON, does not parse"),
    _rule("broken_python", check_python, "Python code does not parse"),
    _rule(
        "repetition",
        check_repetition,
        "runs of one character, loops, repeated lines and n-grams",
        "char_run",
        "looping_text",
        "duplicate_lines",
        "duplicate_ngrams",
    ),
    _rule("language", check_language, "question or answer in a language that is not listed in `languages`"),
    _rule("toxicity", check_toxicity, "toxicity score above `max_toxicity`"),
)
RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _TABLE})
"""Every rule by name, in the order in which they are tried."""


def find_problem(row: RuleRow, config: RuleConfig, profile: CorpusProfile | None = None) -> Problem | None:
    """Return the first rule that a cleaned row breaks, or None.

    With the profile of the corpus (`profile_corpus`), answers that end unlike nearly all others count as truncated.
    """
    view = view_of(row)
    for rule in _TABLE:
        if rule.name not in config.off:
            problem = _judge(rule, view, config, profile)
            if problem is not None:
                return problem
    return None


def find_problems(row: RuleRow, config: RuleConfig, profile: CorpusProfile | None = None) -> list[Problem]:
    """Return what every rule says about a cleaned row, in the order of `RULES`; empty for a good one."""
    view = view_of(row)
    found = [_judge(rule, view, config, profile) for rule in _TABLE if rule.name not in config.off]
    return [problem for problem in found if problem is not None]


def check_rows(rows: Iterable[RuleRow], config: RuleConfig, profile: CorpusProfile | None = None) -> list[Problem | None]:
    """Return `find_problem` of every row, in order; toxicity is scored in batches, which is many times faster."""
    if not config.max_toxicity or "toxicity" in config.off:
        return [find_problem(row, config, profile) for row in rows]
    listed = list(rows)
    without = _without_toxicity(config)
    problems = [find_problem(row, without, profile) for row in listed]
    open_rows = [number for number, problem in enumerate(problems) if problem is None]
    scored = toxicity_problems([view_of(listed[number]) for number in open_rows], config)
    for number, problem in zip(open_rows, scored, strict=True):
        problems[number] = problem
    return problems


def _judge(rule: Rule, view: TextView, config: RuleConfig, profile: CorpusProfile | None) -> Problem | None:
    problem = rule.judge(view, config)
    if problem is None and profile is not None and rule.name == "truncated_answer":
        return check_unusual_end(view, profile)
    return problem


def _without_toxicity(config: RuleConfig) -> RuleConfig:
    return replace(config, off=(*config.off, "toxicity"))
