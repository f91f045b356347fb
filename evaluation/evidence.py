"""What a promotion rests on, all of it by hash, and the reading of it that believes nothing.

    scores, champion_hash = read_evidence(evidence, store)     # raises unless every part is there and fits the others

The items, answers and scores are read from the content-addressed store; scores are computed anew from the answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curation.config import as_plain
from curation.errors import EvaluationError, TunewrightError
from curation.ids import content_hash
from curation.records import Example, record_hash
from curation.store import Store, hash_folder
from evaluation.items import assert_held_out
from evaluation.records import EvalAnswer, Score
from evaluation.scoring import score_answers


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The hashes that a promotion rests on."""

    recipe: str
    model_hash: str
    """Folder hash of the candidate in the store."""
    items_root: str
    """Table of Example: the items asked."""
    answers_root: str
    """Table of EvalAnswer."""
    scores_root: str
    """Table of Score."""
    comparison_hash: str
    """`Comparison.hash()` as it was shown to people."""
    training_roots: tuple[str, ...]
    """Tables of Example that the candidate was trained on (sft_dataset); no item may share a key, prompt or group with them."""
    data_roots: Mapping[str, str]
    """Other data, by asset: dapt_corpus, preference_dataset."""
    config_hash: str
    """Content hash of the whole recipe."""
    code_version: str

    def hash(self) -> str:
        """Return the content hash, which the ledger records."""
        return content_hash(as_plain(self))


def read_evidence(evidence: Evidence, store: Store) -> tuple[list[Score], str]:
    """Return the scores computed from the stored answers, and the model hash of the champion among the comparators.

    Raises:
        EvaluationError: if parts do not fit together: other items, another model, altered answers or scores.
        TunewrightError: if a part is not in the store or damaged.
    """
    items = {item.key: item for item in store.read_table(Example, evidence.items_root, asset="eval_set")}
    _check(bool(evidence.training_roots), "it names no training data, so it does not show that the items were held out")
    _check(all(item.split == "eval" for item in items.values()), "an item is not of the split eval")
    for root in evidence.training_roots:
        assert_held_out(list(items.values()), store.read_table(Example, root, asset="sft_dataset"))
    answers = list(store.read_table(EvalAnswer, evidence.answers_root, asset="answers"))
    hashes = _check_answers(answers, items)
    _check(hashes.get("candidate") == {evidence.model_hash}, "the answers are not those of this candidate")
    for comparator, models in hashes.items():
        _check(len(models) == 1, f"the answers of '{comparator}' stem from {len(models)} models")
    _check_model(evidence.model_hash, store)
    scores = score_answers(answers)
    stored = sorted(store.read_table(Score, evidence.scores_root, asset="scores"), key=lambda score: score.key)
    _check(scores == stored, "the stored scores differ from those of the answers")
    return scores, next(iter(hashes.get("champion", {""})))


def _check_answers(answers: Sequence[EvalAnswer], items: Mapping[str, Example]) -> dict[str, set[str]]:
    expected = {key: (record_hash(item), item.group, item.answer) for key, item in items.items()}
    asked: dict[str, list[str]] = {}
    hashes: dict[str, set[str]] = {}
    for answer in answers:
        fits = expected.get(answer.item_key) == (answer.item_hash, answer.group, answer.reference)
        _check(fits, f"answer '{answer.key}' belongs to no item of the evaluation set as it stands")
        asked.setdefault(answer.comparator, []).append(answer.item_key)
        hashes.setdefault(answer.comparator, set()).add(answer.model_hash)
    for comparator, keys in asked.items():
        _check(sorted(keys) == sorted(expected), f"'{comparator}' did not answer every item exactly once")
    return hashes


def _check_model(model_hash: str, store: Store) -> None:
    found = hash_folder(store.get_folder(model_hash))
    _check(found == model_hash, f"the model's files were changed: they hash to {found}, not {model_hash}")


def _check(holds: bool, problem: str) -> None:
    if not holds:
        raise EvaluationError(reason=f"{problem}.")


def describe_failure(error: Exception) -> str:
    """Return why evidence does not hold, as one sentence."""
    if isinstance(error, EvaluationError):
        return str(error.fields["reason"])
    return str(error) if isinstance(error, TunewrightError) else f"{type(error).__name__}: {error}"
