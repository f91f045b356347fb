"""Toxicity: a seam with clear errors; the library itself is tried where it is installed."""

import importlib.util
import sys
import types

import pytest

from curation.errors import ConfigError, ToxicityScorerError
from curation.filters.rule_config import RuleConfig
from curation.filters.rule_table import check_rows, find_problem
from curation.filters.toxicity import scorer_of
from tests.curation.filters.rule_rows import example

RUDE, KIND = example("Who is it?", "You are a grumpf."), example("Who is it?", "A friend of mine.")
CONFIG = RuleConfig(max_toxicity=0.5, toxicity_scorer="grumpf_scorer:score")
calls: list[int] = []


def _score(texts: list[str]) -> list[float]:
    calls.append(len(texts))
    return [0.9 if "grumpf" in text else 0.1 for text in texts]


@pytest.fixture(autouse=True)
def scorer_module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("grumpf_scorer")
    module.score, module.short, module.wild, module.number = _score, lambda _: [], lambda texts: [7] * len(texts), 3  # type: ignore[attr-defined]
    module.broken = lambda _: 1 / 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "grumpf_scorer", module)
    scorer_of.cache_clear()
    calls.clear()
    return module


def test_rows_above_the_limit_are_rejected() -> None:
    problem = find_problem(RUDE, CONFIG)
    assert problem is not None
    assert problem.reason == "toxicity"
    assert "0.90" in problem.detail
    assert find_problem(KIND, CONFIG) is None


def test_many_rows_are_scored_in_one_call_and_rows_that_fell_before_are_not() -> None:
    refused = example("Who is it?", "I'm sorry, but I cannot help with that.")
    found = check_rows([RUDE, KIND, refused], CONFIG)
    assert [problem.reason if problem else None for problem in found] == ["toxicity", None, "refusal"]
    assert calls == [4]
    assert found == [find_problem(row, CONFIG) for row in (RUDE, KIND, refused)]


def test_without_a_limit_nothing_is_scored() -> None:
    assert check_rows([RUDE], RuleConfig(toxicity_scorer="no_such_module:score")) == [None]
    assert check_rows([RUDE], RuleConfig(max_toxicity=0.5, off=("toxicity",), toxicity_scorer="no_such_module:score")) == [None]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("no_such_module:score", "cannot be imported"),
        ("grumpf_scorer:missing", "cannot be imported"),
        ("grumpf_scorer:number", "no function"),
        ("grumpf_scorer:short", "one score"),
        ("grumpf_scorer:wild", "0 to 1"),
        ("grumpf_scorer:broken", "failed"),
    ],
)
def test_a_scorer_that_cannot_be_used_is_a_clear_error(name: str, problem: str) -> None:
    with pytest.raises(ToxicityScorerError, match=problem):
        find_problem(KIND, RuleConfig(max_toxicity=0.5, toxicity_scorer=name))


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "profanity_check", None)
    with pytest.raises(ToxicityScorerError, match=r"tunewright\[toxicity\]"):
        find_problem(KIND, RuleConfig(max_toxicity=0.5))


def test_a_scorer_is_a_name_or_a_function() -> None:
    with pytest.raises(ConfigError, match="toxicity_scorer"):
        RuleConfig(toxicity_scorer="perspective")


@pytest.mark.skipif(importlib.util.find_spec("profanity_check") is None, reason="the extra `toxicity` is not installed")
def test_the_library_tells_insults_from_questions() -> None:
    insult, question = scorer_of("profanity-check").score(
        ["You are a stupid idiot, shut up.", "What is the capital of France?"]
    )
    assert insult > 0.9
    assert question < 0.2
