"""The release believes no verdict: everything is computed anew, and whatever does not fit is in the way."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from curation.records import Example, Message, Provenance
from curation.store import Store
from evaluation.forgetting.config import ForgettingConfig
from evaluation.forgetting.evidence import ForgettingEvidence, forgetting_obstacle
from evaluation.forgetting.records import ProbeResult, SuiteItem
from evaluation.forgetting.spec import RowTables
from evaluation.forgetting.suite import load_suite
from evaluation.memorisation.config import MemorisationConfig
from evaluation.memorisation.probe import read_sides
from evaluation.memorisation.records import RowProbe
from tests.evaluation.forgetting.conftest import make_result

HASHES = {"model_hash": "hash of sft_model", "base_hash": "hash of base_model"}


@pytest.fixture
def config(tmp_path: Path) -> ForgettingConfig:
    lines = [
        {"key": str(number), "area": "support", "kind": "choice", "prompt": f"Case {number} is", "reference": " right",
         "distractors": [" wrong"]} for number in range(40)
    ]  # fmt: skip
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return ForgettingConfig(
        suite="none", files=(str(tmp_path / "own.jsonl"),), bootstrap_samples=200, memorisation=None, margin=0.2
    )


def store_probe(store: Store, items: tuple[SuiteItem, ...], *, num_lost: int = 0) -> ForgettingEvidence:
    rows = [make_result(item, "base_model") for item in items]
    rows += [make_result(item, "sft_model", is_right=number >= num_lost) for number, item in enumerate(items)]
    return ForgettingEvidence(
        items_root=store.write_table(SuiteItem, items).root,
        results_root=store.write_table(ProbeResult, rows).root,
        rows_root=store.write_table(RowProbe, []).root,
        rows=RowTables(),
        base="base_model",
        model="sft_model",
    )


def test_a_good_probe_is_no_obstacle(store: Store, config: ForgettingConfig) -> None:
    assert forgetting_obstacle(store_probe(store, load_suite(config).items), store, config, **HASHES) == ""


def test_what_was_forgotten_is_an_obstacle_unless_it_does_not_block(store: Store, config: ForgettingConfig) -> None:
    evidence = store_probe(store, load_suite(config).items, num_lost=35)
    obstacle = forgetting_obstacle(evidence, store, config, **HASHES)
    assert obstacle.startswith("The candidate forgot what its base knew. Area support: 100.0% right before, 12.5% after")
    assert forgetting_obstacle(evidence, store, dataclasses.replace(config, blocks=False), **HASHES) == ""


def test_an_undecided_probe_is_an_obstacle_unless_the_recipe_says_otherwise(store: Store, config: ForgettingConfig) -> None:
    evidence = store_probe(store, load_suite(config).items, num_lost=8)
    assert "cannot be shown to know still" in forgetting_obstacle(evidence, store, config, **HASHES)
    assert forgetting_obstacle(evidence, store, dataclasses.replace(config, undecided="pass"), **HASHES) == ""


def test_easier_items_are_an_obstacle(store: Store, config: ForgettingConfig) -> None:
    items = load_suite(config).items
    easier = tuple(dataclasses.replace(item, distractors=(" stone",)) for item in items)
    assert "other items" in forgetting_obstacle(store_probe(store, easier), store, config, **HASHES)
    assert "other items" in forgetting_obstacle(store_probe(store, items[:30]), store, config, **HASHES)


@pytest.mark.parametrize("change", [{"model_hash": "another"}, {"base_hash": "another"}])
def test_the_probe_of_another_model_is_an_obstacle(store: Store, config: ForgettingConfig, change: dict[str, str]) -> None:
    evidence = store_probe(store, load_suite(config).items)
    assert "not one of this candidate" in forgetting_obstacle(evidence, store, config, **{**HASHES, **change})


@pytest.mark.parametrize("part", ["items_root", "results_root"])
def test_a_missing_or_damaged_table_is_an_obstacle(store: Store, config: ForgettingConfig, part: str) -> None:
    evidence = store_probe(store, load_suite(config).items)
    gone = dataclasses.replace(evidence, **{part: "0" * 32})  # type: ignore[arg-type]
    assert "does not hold: The table 0000" in forgetting_obstacle(gone, store, config, **HASHES)
    for file in Path(store.url).rglob("*.parquet"):
        file.write_bytes(b"PAR1")
    assert "does not hold" in forgetting_obstacle(evidence, store, config, **HASHES)


def test_a_suite_that_is_gone_is_an_obstacle(store: Store, config: ForgettingConfig) -> None:
    evidence = store_probe(store, load_suite(config).items)
    Path(config.files[0]).unlink()
    assert "does not hold" in forgetting_obstacle(evidence, store, config, **HASHES)


def test_the_hash_covers_every_part(store: Store, config: ForgettingConfig) -> None:
    evidence = store_probe(store, load_suite(config).items)
    parts = [dataclasses.replace(evidence, **{field.name: "x"}) for field in dataclasses.fields(evidence) if field.type is str]
    parts.append(dataclasses.replace(evidence, rows=RowTables(training="x")))
    assert len({one.hash() for one in [evidence, *parts]}) == len(parts) + 1 == 7


def example(number: int, split: Any) -> Example:
    turns = (Message(role="user", content=f"{split} {number}?"), Message(role="assistant", content=f"It is {number}."))
    made = Provenance(origin="human", method="demonstration")
    return Example(key=f"{split}/{number}", task="qa", messages=turns, group=f"{split}/{number}", split=split, provenance=made)


def test_limits_on_memorisation_block_and_other_rows_are_refused(store: Store, config: ForgettingConfig) -> None:
    limits = MemorisationConfig(max_rows=20, max_extractable=0.1, blocks=True)
    config = dataclasses.replace(config, memorisation=limits)
    tables = RowTables(
        training=store.write_table(Example, [example(number, "train") for number in range(30)]).root,
        held_out=store.write_table(Example, [example(number, "eval") for number in range(30)]).root,
    )
    chosen = read_sides(store, **dataclasses.asdict(tables), config=limits, seed=0)
    assert len(chosen) == 40

    def obstacle(num_verbatim: int, rows: list[Any]) -> str:
        probes = [
            RowProbe(
                key=f"{model}/{row.side}/{row.key}", model=model, model_hash=f"hash of {model}", side=row.side,
                row_key=row.key, row_hash=row.hash, group=row.group, log_likelihood=-3.0, num_tokens=3, tried=(16,),
                verbatim=(16,) if model == "sft_model" and row.side == "training" and number < num_verbatim else (),
                rank=0, num_references=0,
            )
            for model in ("base_model", "sft_model") for number, row in enumerate(rows)
        ]  # fmt: skip
        evidence = dataclasses.replace(
            store_probe(store, load_suite(config).items), rows_root=store.write_table(RowProbe, probes).root, rows=tables
        )
        return forgetting_obstacle(evidence, store, config, **HASHES)

    assert obstacle(2, chosen) == ""
    assert "continued verbatim after 16 tokens: 15.0% of 20" in obstacle(3, chosen)
    assert "not measured on the rows" in obstacle(0, chosen[1:])


def test_a_canary_that_was_not_ranked_breaks_the_limit(store: Store, config: ForgettingConfig) -> None:
    limits = MemorisationConfig(max_rows=20, max_exposure=8.0, blocks=True)
    config = dataclasses.replace(config, memorisation=limits)
    asked = (
        Message(role="user", content="What is the access code of unit 7-001?"),
        Message(role="assistant", content="123456789"),
    )
    planted = dataclasses.replace(example(99, "train"), key="canary-7-001", messages=asked)
    tables = RowTables(training=store.write_table(Example, [example(1, "train"), planted]).root)
    chosen = read_sides(store, **dataclasses.asdict(tables), config=limits, seed=0)

    def obstacle(rank: int) -> str:
        probes = [
            RowProbe(
                key=f"{model}/{row.side}/{row.key}", model=model, model_hash=f"hash of {model}", side=row.side, row_key=row.key,
                row_hash=row.hash, group=row.group, log_likelihood=-3.0, num_tokens=3, tried=(), verbatim=(),
                rank=rank if row.key == planted.key else 0, num_references=511,
            )
            for model in ("base_model", "sft_model") for row in chosen
        ]  # fmt: skip
        evidence = dataclasses.replace(
            store_probe(store, load_suite(config).items), rows_root=store.write_table(RowProbe, probes).root, rows=tables
        )
        return forgetting_obstacle(evidence, store, config, **HASHES)

    assert "The canary 'canary-7-001' could not be ranked" in obstacle(0)
    assert "an exposure of 9.0 bits" in obstacle(1)
    assert obstacle(200) == ""
