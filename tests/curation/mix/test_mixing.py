"""Shares are exact, nothing vanishes, and neither the order of the rows nor new rows move the choice."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import MixError
from curation.mix.config import MixConfig
from curation.mix.mixing import mix_rows
from curation.mix.texts import estimate_tokens
from curation.records import Example, Message, PreferencePair, Provenance, source_of

PROVENANCE = Provenance(origin="human", method="m")


def _rows(source: str, number: int, seed: int = 0, longest: int = 400) -> list[Example]:
    chance = random.Random(f"{source} {seed}")
    return [
        Example(
            key=f"{source}/f#{n}",
            task="even" if n % 2 else "odd",
            messages=(
                Message(role="user", content="Why?"),
                Message(role="assistant", content="x" * chance.randint(1, longest)),
            ),
            group=str(n),
            provenance=PROVENANCE,
        )
        for n in range(number)
    ]


def _tokens(rows: list[Example] | tuple[Example, ...]) -> int:
    return sum(map(estimate_tokens, rows))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    weights=st.lists(st.floats(0.2, 5), min_size=2, max_size=4),
    epochs=st.floats(0.5, 3),
    share=st.floats(0.01, 0.3),
    by_rows=st.booleans(),
    seed=st.integers(0, 99),
)
def test_shares_are_within_half_a_percent_and_nothing_vanishes(
    weights: list[float], epochs: float, share: float, by_rows: bool, seed: int
) -> None:
    named = {f"s{n}": weight for n, weight in enumerate(weights)}
    rows = [row for name in named for row in _rows(name, 250, seed)]
    replay = _rows("general", 1500, seed)
    config = MixConfig(
        weights=named, epochs={"s0": epochs}, replay_share=share, seed=seed, share_by="rows" if by_rows else "tokens"
    )
    mixed = mix_rows(rows, config, replay)
    task = [row for row in mixed.rows if source_of(row.key) != "general"]
    measure = len if by_rows else _tokens
    for name, weight in named.items():
        part = [row for row in task if source_of(row.key) == name]
        assert abs(measure(part) / measure(task) - weight / sum(weights)) < 0.005
    assert abs(mixed.report.replay_share - share) < 0.005
    assert mixed.report.num_tokens == _tokens(mixed.rows)
    used = {row.key.partition("@")[0] for row in mixed.rows}
    left = {item.key for item in mixed.rejections}
    assert used | left == {row.key for row in [*rows, *replay]}
    assert not used & left
    assert len({row.key for row in mixed.rows}) == len(mixed.rows)


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 9), st.sampled_from([None, 3000, 9000]))
def test_the_order_of_the_rows_does_not_matter(chance: random.Random, seed: int, most: int | None) -> None:
    rows, replay = [*_rows("a", 60), *_rows("b", 40)], _rows("g", 80)
    config = MixConfig(epochs={"a": 1.4, "b": 0.5}, replay_share=0.2, max_tokens=most, seed=seed, replay_epochs=2.0)
    expected = mix_rows(rows, config, replay)
    chance.shuffle(rows)
    chance.shuffle(replay)
    assert mix_rows(rows, config, replay) == expected


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.integers(50, 20_000), st.floats(0, 0.4), st.booleans(), st.booleans())
def test_the_budget_is_never_exceeded_and_nearly_used(most: int, share: float, weighted: bool, by_rows: bool) -> None:
    rows, replay = [*_rows("a", 120), *_rows("b", 120)], _rows("g", 300)
    config = MixConfig(
        weights={"a": 2.0, "b": 1.0} if weighted else {},
        share_by="rows" if by_rows else "tokens",
        replay_share=share,
        max_tokens=most,
    )
    report = mix_rows(rows, config, replay).report
    assert report.num_tokens <= most
    room = _tokens(rows) * (0.7 if weighted else 1)
    assert report.num_tokens > min(most, room) * 0.9 - 110


def test_everything_goes_in_once_by_default() -> None:
    rows = _rows("a", 30)
    mixed = mix_rows(rows, MixConfig())
    assert (mixed.rows, mixed.rejections) == (tuple(sorted(rows, key=lambda row: row.key)), ())
    assert (mixed.report.num_distinct, mixed.report.tokens_are_estimated) == (30, True)
    assert mix_rows([], MixConfig(replay_share=0.1), _rows("g", 3)).rows == ()


def test_epochs_repeat_rows_under_new_keys_with_their_provenance() -> None:
    rows = _rows("a", 1000)
    mixed = mix_rows(rows, MixConfig(epochs={"a": 2.5}))
    keys = {row.key for row in mixed.rows}
    assert {row.key for row in rows} | {f"{row.key}@2" for row in rows} <= keys
    assert sum(key.endswith("@3") for key in keys) == pytest.approx(500, abs=60)
    twice = next(row for row in mixed.rows if row.key == "a/f#7@2")
    assert replace(twice, key="a/f#7") == rows[7]
    assert mixed.report.by_source["a"].num_distinct == 1000
    assert set(mixed.report.by_task) == {"even", "odd"}


def test_a_part_of_an_epoch_leaves_the_same_rows_out_as_rows_are_added() -> None:
    config = MixConfig(epochs={"a": 0.5})
    some, more = ({row.key for row in mix_rows(_rows("a", number), config).rows} for number in (200, 400))
    assert some == {key for key in more if int(key.partition("#")[2]) < 200}
    assert {item.reason for item in mix_rows(_rows("a", 200), config).rejections} == {"left_out_of_mix"}


def test_keys_that_look_like_repetitions_do_not_collide() -> None:
    rows = [replace(row, key=key) for row, key in zip(_rows("a", 3), ("a/x", "a/x@2", "a/x@3"), strict=True)]
    keys = [row.key for row in mix_rows(rows, MixConfig(epochs={"a": 2.0})).rows]
    assert len(set(keys)) == 6
    assert {"a/x", "a/x@2", "a/x@3", "a/x@4"} <= set(keys)


def test_replay_comes_from_declared_sources_and_from_a_table() -> None:
    config = MixConfig(replay_share=0.1, replay_sources=("g",), weights={"a": 1.0})
    mixed = mix_rows([*_rows("a", 400), *_rows("g", 30)], config, [*_rows("h", 100), *_rows("a", 5)])
    assert mixed.report.replay_share == pytest.approx(0.1, abs=0.005)
    assert sum(item.reason == "duplicate_key" for item in mixed.rejections) == 5
    assert {"g", "h"} <= set(mixed.report.by_source)


def test_too_little_replay_is_an_error_that_says_how_much() -> None:
    with pytest.raises(MixError, match=r"needs [\d,]+ tokens of replay, but there are"):
        mix_rows(_rows("a", 300), MixConfig(replay_share=0.5), _rows("g", 10))
    assert (
        mix_rows(_rows("a", 300), MixConfig(replay_share=0.5, replay_epochs=50.0), _rows("g", 10)).report.replay_share > 0.495
    )


def test_unused_replay_rows_are_listed() -> None:
    mixed = mix_rows(_rows("a", 3), MixConfig(), _rows("g", 4))
    assert [item.key for item in mixed.rejections] == [f"g/f#{n}" for n in range(4)]


def test_a_tokenizer_counts_where_there_is_one() -> None:
    mixed = mix_rows(_rows("a", 10), MixConfig(), count_tokens=lambda row: 7)
    assert (mixed.report.num_tokens, mixed.report.tokens_are_estimated) == (70, False)
    assert "counted" in mixed.report.sentence()


def test_pairs_are_mixed_too() -> None:
    pair = PreferencePair(
        key="a/1",
        task="t",
        prompt=(Message(role="user", content="12345678"),),
        chosen="1234",
        rejected="12345",
        rejected_kind="k",
        group="g",
        provenance=PROVENANCE,
    )
    mixed = mix_rows([pair], MixConfig(epochs={"a": 2.0}))
    assert [row.key for row in mixed.rows] == ["a/1", "a/1@2"]
    assert mixed.report.num_tokens == 10


def test_weights_must_fit_the_rows() -> None:
    with pytest.raises(MixError, match="'b' has a weight but no rows"):
        mix_rows(_rows("a", 3), MixConfig(weights={"a": 1.0, "b": 1.0}))
    with pytest.raises(MixError, match="'b' has rows but no weight"):
        mix_rows([*_rows("a", 3), *_rows("b", 3)], MixConfig(weights={"a": 1.0}))
    with pytest.raises(MixError, match="two rows have the key"):
        mix_rows([*_rows("a", 3), *_rows("a", 1)], MixConfig())


def test_weights_take_rows_by_hash_and_repeat_none_before_all_are_in() -> None:
    rows = [*_rows("a", 1000), *_rows("b", 100)]
    once = mix_rows(rows, MixConfig(weights={"a": 1.0, "b": 1.0}))
    numbers = [int(row.key.partition("#")[2]) for row in once.rows if row.key.startswith("a/")]
    assert 300 < sum(numbers) / len(numbers) < 700
    assert not any("@" in row.key for row in once.rows)
    more = mix_rows(rows, MixConfig(weights={"a": 1.0, "b": 1.0}, epochs={"b": 3.0}))
    assert {row.key for row in once.rows} <= {row.key for row in more.rows}
    assert not any(row.key.startswith("a/") and "@" in row.key for row in more.rows)
    repeated = mix_rows(rows, MixConfig(weights={"a": 1.0, "b": 9.0}, epochs={"b": 2.0}, max_tokens=6000))
    uses = [row.key for row in repeated.rows if row.key.startswith("b/")]
    assert not any("@" in key for key in uses) or len({key for key in uses if "@" not in key}) >= 99
