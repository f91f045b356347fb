"""Evidence of judges: computed again from the replies, and refused wherever a part does not fit the others."""

import dataclasses
from typing import Any, NamedTuple

import pytest

from curation.database import Database
from curation.errors import EvaluationError, MissingTableError
from curation.judging.jury import build_juror
from curation.store import Store
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger
from evaluation.config import EvaluationConfig
from evaluation.judge.evidence import JudgeEvidence, judge_config_hash, read_judge_evidence
from evaluation.judge.judge_answers import Judged, judge_answers, judges_of
from evaluation.judge.records import JudgedLabel, JudgedPair
from evaluation.records import EvalAnswer
from tests.curation.judging.ruled_judge import RuledJudge, prefer
from tests.evaluation.judge.tea_answers import answers, is_good, named_judge, reviewed, settings


class Stored(NamedTuple):
    store: Store
    config: EvaluationConfig
    judged: Judged
    evidence: JudgeEvidence

    def read(self, **changes: Any) -> Any:
        evidence = dataclasses.replace(self.evidence, **changes)
        return read_judge_evidence(evidence, self.store, self.config, judges_of(self.config))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    folder = tmp_path_factory.mktemp("evidence")
    store, config, rows = Store(str(folder / "store")), settings(), answers(20, 15)
    with RequestLedger(Database.open(folder / "ledger.db", concern="ledger", migrations=MIGRATIONS)) as ledger:
        one = build_juror(named_judge("j"), RuledJudge(prefer(is_good)), ledger)
        judged = judge_answers(rows, *reviewed(10), [one], config)
    evidence = JudgeEvidence(
        answers_root=store.write_table(EvalAnswer, rows).root,
        pairs_root=store.write_table(JudgedPair, judged.pairs).root,
        labels_root=store.write_table(JudgedLabel, judged.labels).root,
        config_hash=judge_config_hash(judges_of(config)),
        summary_hash=judged.summary.hash(),
    )
    return Stored(store, config, judged, evidence)


def test_the_summary_follows_from_what_is_stored(stored: Stored) -> None:
    assert stored.read() == stored.judged.summary
    assert stored.evidence.hash() == JudgeEvidence(**dataclasses.asdict(stored.evidence)).hash()
    assert stored.evidence.hash() != dataclasses.replace(stored.evidence, pairs_root="x").hash()


def change_first(stored: Stored, **fields: Any) -> str:
    first, *others = stored.judged.pairs
    return stored.store.write_table(JudgedPair, [dataclasses.replace(first, **fields), *others]).root


@pytest.mark.parametrize(
    "fields",
    [
        {"winner": "opponent"},
        {"replies": ()},
        {"num_flips": 1},
        {"status": "failed"},
        {"judge": "other"},
        {"opponent": "sft"},
        {"item_key": "q001"},
        {"group": "elsewhere"},
        {"candidate_hash": "0"},
        {"length_difference": -9},
        {"key": "j@r1/base/q999"},
    ],
)
def test_a_changed_row_is_refused(stored: Stored, fields: dict[str, Any]) -> None:
    with pytest.raises(EvaluationError):
        stored.read(pairs_root=change_first(stored, **fields))


def test_rows_left_out_or_twice_other_answers_and_other_tables_are_refused(stored: Stored) -> None:
    store, pairs = stored.store, stored.judged.pairs
    for rows in (pairs[1:], [*pairs, dataclasses.replace(pairs[0])]):
        with pytest.raises(EvaluationError):
            stored.read(pairs_root=store.write_table(JudgedPair, rows).root)
    for root in (store.write_table(EvalAnswer, answers(20, 14)).root, store.write_table(EvalAnswer, answers(21, 15)).root):
        with pytest.raises(EvaluationError, match="answers as they stand|lack"):
            stored.read(answers_root=root)
    with pytest.raises(EvaluationError, match="others than those that judged"):
        stored.read(config_hash="0")
    with pytest.raises(EvaluationError, match="summary differs"):
        stored.read(summary_hash="0")
    with pytest.raises(MissingTableError):
        stored.read(labels_root="0" * 64)


def test_changed_labels_are_refused(stored: Stored) -> None:
    first, *others = stored.judged.labels
    turned = {"a": "b", "b": "a"}
    for forged in (
        dataclasses.replace(first, winner=turned[first.winner]),
        dataclasses.replace(first, label=turned[first.label]),
    ):
        root = stored.store.write_table(JudgedLabel, [forged, *others]).root
        with pytest.raises(EvaluationError):
            stored.read(labels_root=root)
    with pytest.raises(EvaluationError):
        stored.read(labels_root=stored.store.write_table(JudgedLabel, others).root)
