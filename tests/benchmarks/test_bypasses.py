"""Every way around the gate is refused, and for what is wrong with it; a candidate that earned it is promoted."""

import pytest

from benchmarks.bypass_home import WAYS
from benchmarks.bypasses import QUICK, promotes_what_earned_it, try_way

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Dagster's, about runs that fail on purpose

REASONS = {
    "downstream_alone": "level with the base",
    "stale_pass": "not those of this candidate",
    "missing_result": "did not answer every item",
    "missing_comparator": "not compared with the present champion",
    "replaced_items": "not those that the recipe and its held-out rows give",
    "edited_items": "not those that the recipe and its held-out rows give",
    "trained_on_the_items": "was trained on",
    "edited_report": "the comparison differs",
    "edited_scores": "the stored scores differ",
    "changed_code": "the stored scores differ",
    "swapped_artefact": "the model's files were changed",
    "unreadable_evidence": "is damaged",
    "lowered_threshold": "pass under other settings",
    "lowered_threshold_alone": "the comparison differs",
    "forged_event": "level with the base",
    "no_approval": "waits for a person",
    "approval_of_another": "waits for a person",
    "replayed_approval": "ledger is not intact",
    "promoted_again_after_a_rollback": "rolled back by Grace",
    "deleted_ledger_row": "ledger is not intact",
    "truncated_ledger": "ledger is not intact",
    "truncated_refusals": "ledger is not intact",
    "edited_ledger_row": "ledger is not intact",
    "forged_champion_file": "rolled back by Grace",
}


def test_every_way_has_a_reason() -> None:
    assert set(REASONS) == set(WAYS)
    assert set(QUICK) <= set(WAYS)
    assert len(QUICK) == 12


@pytest.mark.parametrize("name", REASONS)
def test_a_way_around_the_gate_is_refused(name: str) -> None:
    is_refused, reason = try_way(name)
    assert is_refused
    assert REASONS[name] in reason


def test_a_candidate_that_earned_it_is_promoted() -> None:
    assert promotes_what_earned_it()
