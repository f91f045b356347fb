"""The best and most different rows are kept, always the same ones, and every other row is accounted for."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import MissingScoresError, MixError
from curation.mix.config import Diversity, SelectionConfig
from curation.mix.scores import TableScorer
from curation.mix.selection import select_best
from curation.records import Example
from tests.curation.mix.conftest import MakeExample

WORDS = [f"w{number}" for number in range(60)]


def _some(make_example: MakeExample, number: int, seed: int = 0) -> list[Example]:
    chance = random.Random(seed)
    return [
        make_example(
            f"s{n % 3}/f#{n}",
            " ".join(chance.choices(WORDS, k=chance.randint(1, 6))),
            " ".join(chance.choices(WORDS, k=chance.randint(1, 12))) + ".",
            task="odd" if n % 2 else "even",
        )
        for n in range(number)
    ]


def _table(rows: list[Example], **columns: list[float]) -> pa.Table:
    return pa.table({"key": [row.key for row in rows], **columns})


CONFIGS = st.builds(
    SelectionConfig,
    keep=st.one_of(st.integers(1, 50), st.floats(0.05, 1.0)),
    diversity=st.sampled_from(["deita", "mmr", "k_center", "none"]),
    min_distance=st.floats(0, 0.9),
    seed=st.integers(0, 5),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(config=CONFIGS, number=st.integers(0, 40), chance=st.randoms(use_true_random=False))
def test_nothing_vanishes_and_the_order_of_the_rows_does_not_matter(
    make_example: MakeExample, config: SelectionConfig, number: int, chance: random.Random
) -> None:
    rows = _some(make_example, number)
    selected = select_best(rows, config)
    wanted = config.keep if isinstance(config.keep, int) else round((config.keep or 1) * number)
    assert len(selected.kept) == min(wanted, number)
    assert sorted([row.key for row in selected.kept] + [item.key for item in selected.rejections]) == sorted(
        row.key for row in rows
    )
    assert {item.reason for item in selected.rejections} <= {"not_selected"}
    assert set(selected.scores.filter(selected.scores["kept"])["key"].to_pylist()) == {row.key for row in selected.kept}
    again = select_best(chance.sample(rows, number), config)
    assert (again.kept, again.rejections) == (selected.kept, selected.rejections)
    assert again.scores.equals(selected.scores)


@settings(max_examples=40, deadline=None)
@given(
    few=st.integers(1, 39),
    more=st.integers(0, 39),
    diversity=st.sampled_from(["deita", "mmr", "k_center", "none"]),
    seed=st.integers(0, 9),
)
def test_fewer_are_part_of_more(make_example: MakeExample, few: int, more: int, diversity: Diversity, seed: int) -> None:
    rows = _some(make_example, 40, seed)
    small, large = (
        {
            row.key
            for row in select_best(rows, SelectionConfig(keep=keep, diversity=diversity, min_distance=0.5, seed=seed)).kept
        }
        for keep in (few, min(40, few + more))
    )
    assert small <= large


def test_scores_of_a_table_decide(make_example: MakeExample) -> None:
    rows = _some(make_example, 10)
    table = _table(rows, quality=[float(n) for n in range(10)])
    config = SelectionConfig(keep=3, complexity_weight=0.0, diversity="none")
    assert [row.key for row in select_best(rows, config, table).kept] == ["s0/f#9", "s1/f#7", "s2/f#8"]
    by_scorer = select_best(rows, config, {"quality": TableScorer(table, "quality")})
    assert by_scorer.kept == select_best(rows, config, table).kept
    rejection = select_best(rows, config, table).rejections[0]
    assert "Score 0.000 (quality 0.00, complexity 1.00), place 10 of 10; 3 rows are kept." in rejection.detail


def test_scaling_a_factor_changes_nothing(make_example: MakeExample) -> None:
    rows = _some(make_example, 30)
    chance = random.Random(3)
    quality, complexity = [chance.random() for _ in rows], [chance.random() for _ in rows]
    one = select_best(rows, SelectionConfig(keep=9), _table(rows, quality=quality, complexity=complexity))
    two = select_best(rows, SelectionConfig(keep=9), _table(rows, quality=[6 * q for q in quality], complexity=complexity))
    assert one.kept == two.kept


def test_rows_too_near_to_a_better_one_come_last_and_name_it(make_example: MakeExample) -> None:
    rows = [make_example(f"s/{n}") for n in range(4)]
    vectors = np.array([[1.0, 0.0], [0.99, 0.01], [0.0, 1.0], [-1.0, 0.0]])
    table = _table(rows, quality=[4.0, 3.0, 2.0, 1.0])
    config = SelectionConfig(keep=3, complexity_weight=0.0)
    selected = select_best(rows, config, table, vectors)
    assert [row.key for row in selected.kept] == ["s/0", "s/2", "s/3"]
    rejection = selected.rejections[0]
    assert (rejection.key, rejection.other_key) == ("s/1", "s/0")
    assert rejection.similarity == pytest.approx(0.9999, abs=1e-4)
    assert "Too near to 's/0'" in rejection.detail
    by_key = {row.key: list(vector) for row, vector in zip(rows, vectors, strict=True)}
    assert select_best(rows[::-1], config, table, by_key).kept == selected.kept
    assert len(select_best(rows, SelectionConfig(keep=4), table, vectors).kept) == 4


@pytest.mark.parametrize(
    ("diversity", "kept"), [("mmr", ["s/0", "s/3"]), ("k_center", ["s/0", "s/3"]), ("none", ["s/0", "s/1"])]
)
def test_distance_counts(make_example: MakeExample, diversity: Diversity, kept: list[str]) -> None:
    rows = [make_example(f"s/{n}") for n in range(4)]
    vectors = np.array([[1.0, 0.0], [0.99, 0.1], [0.9, 0.3], [0.0, 1.0]])
    config = SelectionConfig(keep=2, diversity=diversity, complexity_weight=0.0, relevance=0.5)
    selected = select_best(rows, config, _table(rows, quality=[1.0, 0.9, 0.8, 0.7]), vectors)
    assert [row.key for row in selected.kept] == kept


def test_deita_blocks_agree_with_the_plain_rule(make_example: MakeExample) -> None:
    """More rows than a block, against the definition written out."""
    number = 1300
    vectors = np.random.default_rng(1).normal(size=(number, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [make_example(f"s/{n:04}") for n in range(number)]
    table = _table(rows, quality=[float(number - n) for n in range(number)])
    new: list[int] = []
    for n in range(number):
        if not new or 1 - float((vectors[new] @ vectors[n]).max()) > 0.01:
            new.append(n)
    config = SelectionConfig(keep=len(new), complexity_weight=0.0, min_distance=0.01)
    assert [int(row.key[2:]) for row in select_best(rows, config, table, vectors).kept] == new
    assert 100 < len(new) < number


def test_quotas_are_met_and_their_rest_is_open_to_others(make_example: MakeExample) -> None:
    rows = [make_example(f"{'small' if n < 3 else 'large'}/{n}", f"question {n}") for n in range(40)]
    table = _table(rows, quality=[1.0 if n < 3 else 2.0 + n for n in range(40)], complexity=[1.0] * 40)
    for quota, expected in ((2, 2), (0.2, 2), (9, 3), (0, 0)):
        kept = select_best(rows, SelectionConfig(keep=10, quotas={"small": quota}), table).kept
        assert (len(kept), sum(row.key.startswith("small") for row in kept)) == (10, expected)
    by_task = SelectionConfig(keep=1.0, quotas={"qa": 5}, slice_by="task")
    assert len(select_best(rows, by_task, table).kept) == 5


def test_good_rows_are_found_among_fifty_times_as_many_noisy_ones(make_example: MakeExample) -> None:
    chance = random.Random(5)
    noise = [
        "I'm sorry, but I can't help with that.",
        "ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok.",
        " ",
        "\ufffd\ufffd",
        "and then we should,",
    ]
    good = [
        make_example(
            f"good/{n}",
            f"Explain in three steps: {' '.join(chance.sample(WORDS, 6))}?",
            f"First {' '.join(chance.sample(WORDS, 30))}.",
        )
        for n in range(40)
    ]
    noisy = [make_example(f"noisy/{n}", " ".join(chance.sample(WORDS, 4)), noise[n % 5]) for n in range(2000)]
    kept = select_best([*noisy, *good], SelectionConfig(keep=40)).kept
    assert sum(row.key.startswith("good") for row in kept) >= 38


def test_what_does_not_fit_is_an_error(make_example: MakeExample) -> None:
    rows = _some(make_example, 4)
    config = SelectionConfig(keep=2)
    with pytest.raises(MissingScoresError, match="lacks 3 of 4 rows"):
        select_best(rows, config, _table(rows[:1], quality=[1.0]))
    with pytest.raises(MixError, match="neither 'quality' nor 'complexity'"):
        select_best(rows, config, _table(rows, ifd=[1.0] * 4))
    with pytest.raises(MixError, match="negative or not a number"):
        select_best(rows, config, _table(rows, quality=[1.0, 2.0, float("nan"), -1.0]))
    with pytest.raises(MixError, match="do not fit 4 rows"):
        select_best(rows, config, vectors=np.zeros((3, 2)))
    with pytest.raises(MixError, match="not finite"):
        select_best(rows, config, vectors=np.full((4, 2), np.nan))
    with pytest.raises(MixError, match="have no vector"):
        select_best(rows, config, vectors={"a": [1.0]})
    with pytest.raises(MixError, match="two rows have the key"):
        select_best([*rows, rows[0]], config)
    with pytest.raises(MixError, match="quotas ask for"):
        select_best(rows, SelectionConfig(keep=0.5, quotas={"s0": 2, "s1": 1}))


def test_without_keep_all_rows_stay(make_example: MakeExample) -> None:
    selected = select_best(_some(make_example, 5), SelectionConfig())
    assert (len(selected.kept), selected.rejections, selected.scores.num_rows) == (5, (), 5)
