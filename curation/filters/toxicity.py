"""Toxicity behind a seam: a scorer maps texts to scores from 0 to 1; a library whose model is in its wheel, or your own.

scorer_of("profanity-check").score(["Have a nice day."])    [0.01]
"""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from curation.errors import ToxicityScorerError
from curation.filters.rule_config import RuleConfig
from curation.filters.rules import Problem
from curation.filters.text_view import TextView

BATCH = 1_000
_MAX_SCORED_CHARS = 4_000


class ToxicityScorer(Protocol):
    """Says how toxic texts are, from 0 (not at all) to 1, in their order."""

    def score(self, texts: Sequence[str]) -> list[float]:
        """Return one score for each text."""


@dataclass(frozen=True, slots=True)
class FunctionScorer:
    """A scorer made of a function of a list of texts."""

    name: str
    function: Callable[[list[str]], Any]

    def score(self, texts: Sequence[str]) -> list[float]:
        """Return one score for each text.

        Raises:
            ToxicityScorerError: if the function fails or does not return one score from 0 to 1 for each text.
        """
        try:
            scores = [float(score) for score in self.function(list(texts))]
        except Exception as error:
            raise ToxicityScorerError(name=self.name, problem=f"it failed: {error}") from error
        if len(scores) != len(texts) or not all(0 <= score <= 1 for score in scores):
            raise ToxicityScorerError(name=self.name, problem="it must return one score from 0 to 1 for each text")
        return scores


def check_toxicity(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject a row that scores above `max_toxicity`; for many rows `toxicity_problems` is faster."""
    return toxicity_problems([view], config)[0] if config.max_toxicity else None


def toxicity_problems(views: Sequence[TextView], config: RuleConfig) -> list[Problem | None]:
    """Return a problem for each row that scores above `max_toxicity` in its question or answer, in the order given.

    Raises:
        ToxicityScorerError: if the scorer is missing or fails.
    """
    if not config.max_toxicity:
        return [None] * len(views)
    scorer = scorer_of(config.toxicity_scorer)
    problems: list[Problem | None] = []
    for start in range(0, len(views), BATCH):
        batch = views[start : start + BATCH]
        texts = [text[:_MAX_SCORED_CHARS] for view in batch for text in (view.question, view.answer)]
        scores = scorer.score(texts)
        problems.extend(_problem(max(pair), config) for pair in zip(scores[::2], scores[1::2], strict=True))
    return problems


@functools.lru_cache(maxsize=4)
def scorer_of(name: str) -> ToxicityScorer:
    """Return the scorer of a name: `profanity-check` or `MODULE:FUNCTION`.

    Raises:
        ToxicityScorerError: if it is not installed or cannot be found.
    """
    if name == "profanity-check":
        return FunctionScorer(name, _profanity_check())
    try:
        function = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ToxicityScorerError(name=name, problem=f"it cannot be imported ({error})") from error
    if not callable(function):
        raise ToxicityScorerError(name=name, problem="it is no function")
    return FunctionScorer(name, function)


def _profanity_check() -> Callable[[list[str]], Any]:
    try:
        module = importlib.import_module("profanity_check")
    except ImportError as error:
        problem = f"it is not installed ({error}); run `pip install 'tunewright[toxicity]'`"
        raise ToxicityScorerError(name="profanity-check", problem=problem) from error
    function: Callable[[list[str]], Any] = module.predict_prob
    return function


def _problem(score: float, config: RuleConfig) -> Problem | None:
    if score <= config.max_toxicity:
        return None
    return Problem("toxicity", f"The toxicity score is {score:.2f}, above {config.max_toxicity}.")
