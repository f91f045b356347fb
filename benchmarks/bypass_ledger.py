"""Ways around the gate through what was decided before: approvals, the release ledger, and the file that names the champion."""

import json
from pathlib import Path

from assets.release import evidence_of
from benchmarks.bypass_home import ALL, NAME, STRONG, Place, way
from evaluation.gate.promotion import approve, decide_promotion
from evaluation.release.champion import champion_path
from evaluation.release.registry import open_release_ledger
from evaluation.release.rollback import rollback


@way
def no_approval(folder: Path) -> Place:
    """The recipe asks for a person, and the pipeline goes on without one."""
    place = Place.make(folder, share=STRONG, approval="required")
    place.materialize(*ALL)
    place.materialize("champion")
    return place


def approve_candidate(place: Place) -> None:
    """Approve the candidate as `tunewright release approve` does."""
    evidence, store = evidence_of(place.recipe, place.home), place.home.store()
    decision = decide_promotion(evidence, store, place.recipe.evaluation, place.recipe.release)
    ledger = open_release_ledger(place.home)
    try:
        approve(decision, evidence, ledger=ledger, store=store, who="Ada", reason="read 50 answers")
    finally:
        ledger.close()


@way
def approval_of_another(folder: Path) -> Place:
    """A person approved a candidate; another one takes its place."""
    place = Place.make(folder, share=STRONG, approval="required")
    place.materialize("scores", "comparison")
    approve_candidate(place)
    place.put_model("sft_model", "second")
    place.answer(STRONG)
    place.materialize(*ALL)
    return place


@way
def replayed_approval(folder: Path) -> Place:
    """The row of an approval is written again, with the other candidate's model in it."""
    place = approval_of_another(folder)
    ledger = open_release_ledger(place.home)
    evidence = ledger.history(NAME)[-1].evidence_hash
    ledger.close()
    place.change_ledger(
        "INSERT INTO release_entries SELECT (SELECT MAX(sequence) + 1 FROM release_entries), recipe, action, "
        f"'{place.model()}', '{evidence}', who, created_at, reason, (SELECT hash FROM release_entries ORDER BY sequence DESC "
        "LIMIT 1), 'f' || substr(hash, 2) FROM release_entries WHERE action = 'approve'"
    )
    place.materialize("champion")
    return place


def rolled_back_home(folder: Path) -> Place:
    """Return a home whose candidate was promoted and then rolled back to the model before."""
    place = Place.make(folder, share=STRONG)
    place.materialize(*ALL)
    place.put_model("sft_model", "second")
    place.answer(STRONG)
    place.materialize(*ALL)
    assert place.champion() == place.model()
    ledger = open_release_ledger(place.home)
    rollback(NAME, ledger=ledger, store=place.home.store(), home=folder, who="Grace", reason="wrong on Mondays")
    ledger.close()
    return place


@way
def promoted_again_after_a_rollback(folder: Path) -> Place:
    """A model that was rolled back is materialized again."""
    place = rolled_back_home(folder)
    place.materialize(*ALL)
    return place


@way
def deleted_ledger_row(folder: Path) -> Place:
    """The first row of the ledger is deleted."""
    return with_changed_ledger(folder, "DELETE FROM release_entries WHERE sequence = 1")


@way
def truncated_ledger(folder: Path) -> Place:
    """The rollback, the last row, is deleted, so that the chain ends with the promotion."""
    return with_changed_ledger(folder, "DELETE FROM release_entries WHERE action = 'rollback'")


@way
def truncated_refusals(folder: Path) -> Place:
    """The refusal of a candidate, the last row, is deleted, so that a lower threshold meets no memory of it."""
    strict = Place.make(folder / "strict", share=0.5, minimum_difference=0.6)
    strict.materialize(*ALL)
    lax = strict.copy_to(folder / "lax", minimum_difference=0.0)
    lax.change_ledger("DELETE FROM release_entries WHERE action = 'refuse'")
    lax.materialize(*ALL)
    return lax


@way
def edited_ledger_row(folder: Path) -> Place:
    """The rollback names the candidate as the model that it went back to."""
    return with_changed_ledger(folder, "UPDATE release_entries SET model_hash = 'MODEL' WHERE action = 'rollback'")


def with_changed_ledger(folder: Path, statement: str) -> Place:
    """Return a home whose candidate was rolled back, with a ledger that says otherwise; and promote."""
    place = rolled_back_home(folder)
    place.change_ledger(statement.replace("MODEL", place.model()))
    place.materialize("champion")
    return place


@way
def forged_champion_file(folder: Path) -> Place:
    """The file that names the champion is written by hand."""
    place = rolled_back_home(folder)
    path = champion_path(NAME, place.home.path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_hash": place.model()}))
    place.materialize("champion")
    return place
