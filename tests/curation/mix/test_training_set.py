import dataclasses

from curation.mix.config import MixConfig, SelectionConfig
from curation.mix.training_set import choose_training_rows, without_repeat
from curation.records import Example, Message, Provenance


def row(key: str, answer: str = "It is kept in the shed beside the garden wall.") -> Example:
    messages = (
        Message(role="user", content=f"Where is number {key} kept at night?"),
        Message(role="assistant", content=answer),
    )
    return Example(key=key, task="qa", messages=messages, group=key, provenance=Provenance(origin="human", method="test"))


def test_everything_goes_in_unless_the_recipe_says_otherwise() -> None:
    rows = [row(f"a/{number}") for number in range(5)]
    chosen = choose_training_rows(rows, SelectionConfig(), MixConfig())
    assert (chosen.rows, chosen.rejections, chosen.num_repeats) == (tuple(rows), (), 0)


def test_rows_are_selected_and_replay_is_not() -> None:
    rows = [row(f"a/{number}") for number in range(20)] + [row(f"general/{number}") for number in range(10)]
    mix = MixConfig(replay_share=0.5, replay_sources=("general",))
    chosen = choose_training_rows(rows, SelectionConfig(keep=4), mix)
    keys = [item.key for item in chosen.rows]
    assert sum(key.startswith("a/") for key in keys) == 4
    assert sum(key.startswith("general/") for key in keys) == 4
    assert len(rows) + chosen.num_repeats == len(chosen.rows) + len(chosen.rejections)


def test_repeats_stand_for_the_row_they_repeat() -> None:
    rows = [row("a/1"), row("a/2")]
    chosen = choose_training_rows(rows, SelectionConfig(), MixConfig(epochs={"a": 2}))
    assert [item.key for item in chosen.rows] == ["a/1", "a/1@2", "a/2", "a/2@2"]
    assert chosen.num_repeats == 2
    assert without_repeat(chosen.rows[1]) == rows[0]
    assert without_repeat(rows[0]) is None
    assert without_repeat(dataclasses.replace(rows[0], key="x/me@example.org")) is None
