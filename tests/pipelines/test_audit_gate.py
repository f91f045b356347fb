"""Training passes only with an audit of exactly the data sets that it reads."""

from dataclasses import replace

import pytest

from assets.audit import GUARDS, _audit_code, pass_audit_gate, training_sets
from curation.errors import AuditGateError
from curation.store import Snapshot
from tests.pipelines.conftest import Toy
from tests.pipelines.dagster_noise import dagster_noise

pytestmark = dagster_noise


def put(toy: Toy, name: str, version: str = "v1", **fields: object) -> Snapshot:
    snapshot = Snapshot(asset=toy.recipe.asset(name), partition="", version=version, **fields)  # type: ignore[arg-type]
    toy.home.store().put_snapshot(snapshot)
    return snapshot


@pytest.fixture
def audited(toy: Toy) -> Toy:
    inputs = [put(toy, name) for name in (*training_sets(toy.recipe), "eval_set", "curated_examples")]
    judgements = {guard: {"passed": True, "is_warning": False, "detail": "fine"} for guard in GUARDS}
    put(
        toy,
        "dataset_audit",
        inputs={item.asset: item.version for item in inputs},
        code=_audit_code(toy.recipe),
        values={"judgements": judgements},
    )
    return toy


@pytest.mark.slow
def test_an_audit_of_the_present_data_sets_opens_the_gate(audited: Toy) -> None:
    pass_audit_gate(audited.recipe, audited.home)
    put(audited, "sft_dataset", "v2")
    with pytest.raises(AuditGateError):
        pass_audit_gate(audited.recipe, audited.home)
    put(audited, "sft_dataset", "v1")
    pass_audit_gate(audited.recipe, audited.home)


def test_without_an_audit_nothing_trains(toy: Toy) -> None:
    with pytest.raises(AuditGateError, match="never audited"):
        pass_audit_gate(toy.recipe, toy.home)


@pytest.mark.parametrize("name", ["sft_dataset", "eval_set", "curated_examples"])
def test_an_audit_of_other_rows_does_not_count(audited: Toy, name: str) -> None:
    put(audited, name, "v2")
    with pytest.raises(AuditGateError, match="other data sets"):
        pass_audit_gate(audited.recipe, audited.home)


def test_an_audit_under_other_settings_does_not_count(audited: Toy) -> None:
    strict = replace(audited.recipe, collapse=replace(audited.recipe.collapse, min_real_share=0.9))
    with pytest.raises(AuditGateError, match="other settings"):
        pass_audit_gate(strict, audited.home)


@pytest.mark.parametrize("guard", GUARDS)
def test_every_guard_can_refuse(audited: Toy, guard: str) -> None:
    found = audited.home.store().snapshot(audited.recipe.asset("dataset_audit"))
    judgements = found.values["judgements"] | {guard: {"passed": False, "is_warning": True, "detail": "row s/1 is bad"}}
    audited.home.store().put_snapshot(replace(found, values={"judgements": judgements}))
    with pytest.raises(AuditGateError, match=f"'{guard}'.*row s/1 is bad"):
        pass_audit_gate(audited.recipe, audited.home)
