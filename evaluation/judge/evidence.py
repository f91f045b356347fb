"""What the judges' verdict rests on, by hash, and the reading of it that believes no summary.

    evidence = JudgeEvidence(answers_root=..., pairs_root=..., labels_root=..., config_hash=judge_config_hash(config),
                             summary_hash=summary.hash())
    summary = read_judge_evidence(evidence, store, config)      # EvaluationError unless every part fits the others
    evidence.hash()                                             # goes into the evidence of a release

Winners are computed from the stored replies, win rates from winners, agreement from the stored labels. Every pair of answers
that should have been judged has to be there for every judge, and no other. Whether the replies are those that the judges gave,
the request ledger says (`assets.evaluation_judge.judge_obstacle` reads it).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from curation.config import as_plain
from curation.errors import EvaluationError
from curation.ids import content_hash
from curation.store import Store
from evaluation.config import EvaluationConfig
from evaluation.judge.config import PairwiseConfig, judge_name
from evaluation.judge.pairs import AnswerPair, pair_answers, pair_key
from evaluation.judge.records import JudgedLabel, JudgedPair
from evaluation.judge.summary import JudgeSummary, label_by_replies, said_by_replies, summarise
from evaluation.records import EvalAnswer

FACTS = ("judge", "opponent", "task", "item_key", "group", "candidate_hash", "opponent_hash", "length_difference")
"""What a row has to have from the answers that it is about."""


@dataclass(frozen=True, kw_only=True)
class JudgeEvidence:
    """The hashes that the judges' verdict rests on."""

    answers_root: str
    """Table of EvalAnswer: what was judged."""
    pairs_root: str
    """Table of JudgedPair."""
    labels_root: str
    """Table of JudgedLabel."""
    config_hash: str
    """Of `evaluation.judge`: models with revisions, rubrics, thresholds."""
    summary_hash: str
    """`JudgeSummary.hash()` as it was shown to people."""

    def hash(self) -> str:
        """Return the content hash, for the evidence of a release."""
        return content_hash(as_plain(self))


def judge_config_hash(config: PairwiseConfig) -> str:
    """Return the hash of everything that the recipe says of the judges."""
    return content_hash(as_plain(config))


def all_pairs(answers: Sequence[EvalAnswer], config: PairwiseConfig, *, seed: int) -> list[AnswerPair]:
    """Return the pairs against all opponents. Raises EvaluationError as `pair_answers` does."""
    return [pair for opponent in config.against for pair in pair_answers(answers, opponent, config, seed=seed)]


def summarise_rows(
    rows: Sequence[JudgedPair], labels: Sequence[JudgedLabel], config: EvaluationConfig, judges: PairwiseConfig
) -> JudgeSummary:
    """Summarise with the confidence, resamples and seed of the evaluation."""
    return summarise(rows, labels, judges, confidence=config.confidence, samples=config.bootstrap_samples, seed=config.seed)


def read_judge_evidence(
    evidence: JudgeEvidence, store: Store, config: EvaluationConfig, judges: PairwiseConfig
) -> JudgeSummary:
    """Return the summary computed from the stored replies.

    Raises:
        EvaluationError: if parts do not fit together: another recipe, pairs left out or added, winners that do not follow.
        TunewrightError: if a part is not in the store or damaged.
    """
    _check(evidence.config_hash == judge_config_hash(judges), "the judges of the recipe are others than those that judged")
    answers = list(store.read_table(EvalAnswer, evidence.answers_root, asset="answers"))
    rows = list(store.read_table(JudgedPair, evidence.pairs_root, asset="judge_verdicts"))
    labels = list(store.read_table(JudgedLabel, evidence.labels_root, asset="judge_verdicts"))
    check_rows(rows, all_pairs(answers, judges, seed=config.seed), judges)
    check_labels(labels, judges)
    summary = summarise_rows(rows, labels, config, judges)
    _check(summary.hash() == evidence.summary_hash, "the summary differs from what the stored replies give now")
    return summary


def check_rows(rows: Iterable[JudgedPair], pairs: Sequence[AnswerPair], config: PairwiseConfig) -> None:
    """Prove that every judge judged exactly these pairs, and that winners follow from replies. Raises EvaluationError."""
    names = [judge_name(judge) for judge in config.judges]
    expected = {f"{name}/{pair_key(pair)}": _facts(name, pair) for name in names for pair in pairs}
    for row in rows:
        found = tuple(getattr(row, name) for name in FACTS)
        _check(
            expected.pop(row.key, None) == found,
            f"the judged pair '{row.key}' is not one of the answers as they stand, or is there twice",
        )
        follows = said_by_replies(row) == (row.winner, row.num_rounds, row.num_flips)
        _check(follows, f"the winner of '{row.key}' does not follow from the judge's replies")
    _check(not expected, f"the judges' rows lack '{next(iter(expected), '')}'")


def check_labels(labels: Iterable[JudgedLabel], config: PairwiseConfig) -> None:
    """Prove that each label is there once and that winners follow from replies. Raises EvaluationError."""
    names = {judge_name(judge) for judge in config.judges}
    seen: set[tuple[str, str, str]] = set()
    for row in labels:
        at = (row.judge, row.pair, row.person)
        _check(row.judge in names and at not in seen, f"the label '{row.key}' is of no judge of the recipe, or is there twice")
        seen.add(at)
        follows = label_by_replies(row) == row.winner
        _check(follows, f"the winner of '{row.key}' does not follow from the judge's replies")


def check_against_ledger(
    pairs: Iterable[JudgedPair], labels: Iterable[JudgedLabel], said: Iterable[JudgedPair], held: Iterable[JudgedLabel]
) -> None:
    """Prove that stored rows are what the request ledger and the review say now.

    Args:
        pairs: the rows that evidence names.
        labels: likewise.
        said: the same pairs as judges that read the ledger only judge them.
        held: the same for the pairs that people have decided by now.

    Raises:
        EvaluationError: naming the first row that differs.
    """
    for stored, found in (
        ({row.key: _pair_said(row) for row in pairs}, {row.key: _pair_said(row) for row in said}),
        ({row.key: _label_said(row) for row in labels}, {row.key: _label_said(row) for row in held}),
    ):
        strange = sorted(key for key in stored.keys() | found.keys() if stored.get(key) != found.get(key))
        _check(not strange, f"'{strange[0] if strange else ''}' is not what ledger and review say now")


def _pair_said(row: JudgedPair) -> tuple[Any, ...]:
    return row.status, row.winner, row.replies, row.candidate_hash, row.opponent_hash


def _label_said(row: JudgedLabel) -> tuple[Any, ...]:
    return row.status, row.winner, row.replies, row.label


def _facts(judge: str, pair: AnswerPair) -> tuple[str | int, ...]:
    ours, theirs = pair.candidate, pair.opponent
    hashes = content_hash(ours.answer), content_hash(theirs.answer)
    difference = len(ours.answer) - len(theirs.answer)
    return judge, theirs.comparator, ours.task, ours.item_key, ours.group, *hashes, difference


def _check(holds: bool, problem: str) -> None:
    if not holds:
        raise EvaluationError(reason=f"{problem}. Materialize `judge_verdicts` again.")
