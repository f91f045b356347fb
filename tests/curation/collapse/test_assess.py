"""The collapse guard alarms on a planted collapse before anything is trained, and lets healthy data through."""

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.collapse.assess import assess_collapse
from curation.collapse.config import CollapseConfig
from curation.collapse.report import CollapseReport, Finding
from curation.errors import ConfigError
from curation.records import Example, PreferencePair
from tests.curation.collapse.collapse_rows import human_rows, next_generation, resampled, row

CONFIG = CollapseConfig()
HUMAN = human_rows(600)
HEALTHY = resampled(human_rows(600, seed=1), 600)


def _third_generation(seed: int = 5) -> list[Example]:
    rows = HUMAN
    for depth in (1, 2, 3):
        rows = next_generation(rows, 600, depth, seed + depth)
    return rows


def _measures(report: CollapseReport) -> dict[str, Finding]:
    return {finding.measure: finding for finding in report.findings}


def _hide_depth(rows: list[Example]) -> list[Example]:
    return [dataclasses.replace(one, provenance=dataclasses.replace(one.provenance, generation_depth=1)) for one in rows]


def test_healthy_data_passes() -> None:
    report = assess_collapse([*HUMAN, *HEALTHY], CONFIG, seed_rows=HUMAN)
    assert report.status == "pass"
    assert report.alarms == ()
    (only,) = report.slices
    assert (only.slice, only.num_rows, only.num_real, only.real_share, only.max_depth) == ("qa", 1200, 600, 0.5, 1)


def test_a_third_generation_is_refused() -> None:
    report = assess_collapse([*HUMAN, *_third_generation()], CONFIG, seed_rows=HUMAN)
    assert report.status == "fail"
    assert _measures(report)["generation_depth"].status == "fail"
    assert _measures(report)["generation_depth"].value == 3


def test_a_third_generation_is_seen_in_its_words_even_if_its_depth_is_hidden() -> None:
    """No row is a copy of another, so de-duplication would have let it through."""
    rows = _hide_depth(_third_generation())
    assert len({one.answer for one in rows}) > 500
    report = assess_collapse([*HUMAN, *rows], CONFIG, seed_rows=HUMAN)
    assert report.status == "fail"
    failed = {finding.measure for finding in report.findings if finding.status == "fail"}
    assert {"distinct_1", "distinct_2", "distinct_3", "tail_coverage", "vendi"} <= failed
    assert all(finding.slice == "qa" for finding in report.alarms)
    examples = _measures(report)["self_similarity"].example_keys
    assert examples
    assert all(key.startswith("model3/") for key in examples)
    assert all(key.startswith("people/") for key in _measures(report)["tail_coverage"].example_keys)


def test_each_generation_keeps_less() -> None:
    kept = []
    rows = HUMAN
    for depth in (1, 2, 3):
        rows = next_generation(rows, 600, depth, 5 + depth)
        kept.append(_measures(assess_collapse([*HUMAN, *_hide_depth(rows)], CONFIG))["tail_coverage"].retained or 0.0)
    assert kept == sorted(kept, reverse=True)
    assert kept[0] < 0.8
    assert kept[2] < kept[0]


def test_copies_of_few_rows_are_seen_without_human_rows() -> None:
    few = resampled(human_rows(30, seed=2), 30)
    rows = [dataclasses.replace(one, key=f"model/{number}") for number, one in enumerate(few * 40)]
    report = assess_collapse(rows, CONFIG)
    assert {finding.measure for finding in report.alarms} == {"distinct_3", "self_similarity"}
    assert assess_collapse(HEALTHY, CONFIG).status == "pass"


@pytest.mark.parametrize(("num_synthetic", "status"), [(1399, "pass"), (1401, "fail")])
def test_three_tenths_of_a_slice_must_be_real(num_synthetic: int, status: str) -> None:
    rows = [*HUMAN, *resampled(human_rows(num_synthetic, seed=3), num_synthetic)]
    found = _measures(assess_collapse(rows, CONFIG))["real_share"]
    assert found.status == status
    assert (len(found.example_keys) > 0) == (status == "fail")


def test_weights_of_sources_count() -> None:
    rows = [*HUMAN[:100], *HEALTHY]
    assert _measures(assess_collapse(rows, CONFIG))["real_share"].status == "fail"
    found = _measures(assess_collapse(rows, CONFIG, weights={"people": 6.0}))["real_share"]
    assert found.status == "pass"
    assert found.value == pytest.approx(0.5)


def test_the_floor_is_one_of_each_slice_that_has_real_data() -> None:
    other = human_rows(60, seed=4, source="forum", task="chat")
    poor = [dataclasses.replace(one, task="chat") for one in resampled(human_rows(500, seed=6), 500, source="bot")]
    only = [dataclasses.replace(one, task="routing") for one in resampled(human_rows(100, seed=7), 100, source="docs")]
    report = assess_collapse([*HUMAN, *HEALTHY, *other, *poor, *only], CONFIG)
    failed = [finding.slice for finding in report.findings if finding.measure == "real_share" and finding.status == "fail"]
    assert failed == ["chat"]
    assert [size.slice for size in report.slices] == ["chat", "qa", "routing"]


def test_seed_rows_that_were_replaced_and_slices_that_were_lost_are_named() -> None:
    lost = human_rows(80, seed=8, source="forum", task="chat")
    report = assess_collapse([*HUMAN[:300], *HEALTHY[:300]], CONFIG, seed_rows=[*HUMAN, *lost])
    kept, slices = _measures(report)["seed_kept"], _measures(report)["slice_coverage"]
    assert kept.status == "warn"
    assert kept.value == pytest.approx(300 / 680)
    assert slices.status == "fail"
    assert "chat" in slices.detail
    assert slices.example_keys == ("forum/0",)


def test_depth_is_resolved_through_parents() -> None:
    chain = [row("h/0", "why?|so.", "human")]
    chain += [row(f"s/{number}", "why?|so.", "synthetic", depth=1, parents=(chain[-1].key,)) for number in range(1, 2)]
    chain += [row(f"s/{number}", "why?|so.", "synthetic", depth=1, parents=(f"s/{number - 1}",)) for number in range(2, 4)]
    found = _measures(assess_collapse(chain, CONFIG))["generation_depth"]
    assert (found.status, found.value, found.example_keys) == ("fail", 3.0, ("s/3",))
    assert _measures(assess_collapse(chain, CollapseConfig(max_generation_depth=3)))["generation_depth"].status == "pass"


def test_parents_that_training_does_not_read_count() -> None:
    away = [row("s/1", "a?|b", "synthetic", depth=1), row("s/2", "a?|b", "synthetic", depth=1, parents=("s/1",))]
    last = row("s/3", "a?|b", "synthetic", depth=1, parents=("s/2",))
    assert _measures(assess_collapse([last], CONFIG))["generation_depth"].status == "pass"
    found = _measures(assess_collapse([last], CONFIG, ancestors=away))["generation_depth"]
    assert (found.status, found.value) == ("fail", 3.0)


def test_rows_that_descend_from_themselves_fail() -> None:
    ring = [
        row("s/1", "a?|b", "synthetic", depth=1, parents=("s/2",)),
        row("s/2", "a?|b", "synthetic", depth=1, parents=("s/1",)),
    ]
    found = _measures(assess_collapse(ring, CONFIG))["generation_depth"]
    assert found.status == "fail"
    assert found.example_keys == ("s/1", "s/2")


def test_too_few_rows_prove_nothing() -> None:
    report = assess_collapse([row("s/1", "a?|b", "synthetic", depth=1)] * 10, CONFIG)
    assert {finding.measure for finding in report.findings} == {"real_share", "generation_depth"}
    assert report.status == "pass"
    assert assess_collapse([], CONFIG) == CollapseReport(findings=(), slices=())
    assert assess_collapse(_third_generation(), CollapseConfig(is_on=False)).findings == ()


def test_odd_texts_and_pairs_are_measured() -> None:
    odd = [row(f"s/{number}", f"\ud800 \x00 {number}|", "synthetic", depth=1) for number in range(60)]
    same = [row(f"h/{number}", "|", "human") for number in range(60)]
    pairs = [
        PreferencePair(
            key=f"p/{one.key}",
            task="pairs",
            prompt=one.prompt,
            chosen=one.answer,
            rejected="no",
            rejected_kind="bad",
            group="g",
            provenance=one.provenance,
        )
        for one in HEALTHY[:100]
    ]
    report = assess_collapse([*odd, *same, *pairs], CONFIG)
    assert [size.slice for size in report.slices] == ["pairs", "qa"]


@pytest.mark.slow
@settings(max_examples=3, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rng: random.Random) -> None:
    rows, seeds = [*HUMAN[:200], *HEALTHY[:150], *_third_generation()[:100]], list(HUMAN)
    expected = assess_collapse(rows, CONFIG, seed_rows=seeds)
    rng.shuffle(rows)
    rng.shuffle(seeds)
    assert assess_collapse(rows, CONFIG, seed_rows=seeds) == expected


@pytest.mark.parametrize(
    "fields",
    [
        *(
            {"min_real_share": 1.1},
            {"max_generation_depth": -1},
            {"min_seed_kept": -0.1},
            {"min_slice_rows": 5},
            {"sample_rows": 20},
        ),
        *({"neighbour_rows": 9_000}, {"warn_below": 2.0}, {"warn_below": 0.5, "fail_below": 0.6}, {"max_self_similarity": 1.5}),
    ],
)
def test_limits_are_checked(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(reversed(fields))):
        CollapseConfig(**fields)  # type: ignore[arg-type]
