"""Dropping duplicates: who stays, why the others go, what raises an alarm; nothing vanishes and order does not matter."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.duplicates.comparison import comparison_text
from curation.duplicates.config import DuplicateConfig
from curation.duplicates.duplicates import Deduplicated, SourcePair, drop_duplicates
from curation.errors import ConfigError
from curation.records import Example, Message, Origin, PreferencePair, Provenance, ToolCall, UnpairedPreference

LONG = "Please tell me how I can turn every text of a column into capital letters, and which way of doing so is quick"


def _provenance(origin: Origin = "synthetic", created_at: str = "") -> Provenance:
    return Provenance(origin=origin, method="test", created_at=created_at)


def _example(key: str, prompt: str, answer: str = "x", group: str = "g", **provenance: str) -> Example:
    messages = (Message(role="user", content=prompt), Message(role="assistant", content=answer))
    return Example(key=key, task="qa", messages=messages, group=group, provenance=_provenance(**provenance))


def _pair(key: str, chosen: str, rejected: str, prompt: str = LONG) -> PreferencePair:
    prompts = (Message(role="user", content=prompt),)
    fields = {"task": "qa", "rejected_kind": "worse", "group": "g", "provenance": _provenance()}
    return PreferencePair(key=key, prompt=prompts, chosen=chosen, rejected=rejected, **fields)


def _thumb(key: str, answer: str, is_desirable: bool, prompt: str = LONG) -> UnpairedPreference:
    prompts = (Message(role="user", content=prompt),)
    fields = {"task": "qa", "group": "g", "provenance": _provenance()}
    return UnpairedPreference(key=key, prompt=prompts, answer=answer, is_desirable=is_desirable, **fields)


def _kept(done: Deduplicated) -> list[str]:
    return [row.key for row in done.kept]


def _reasons(done: Deduplicated) -> dict[str, str]:
    return {rejection.key: rejection.reason for rejection in done.rejections}


def _drop(rows: Sequence, **fields: object) -> Deduplicated:
    return drop_duplicates(rows, DuplicateConfig(**fields))  # type: ignore[arg-type]


def test_the_pair_and_its_similarity_are_the_reason() -> None:
    done = _drop([_example("a/1", LONG), _example("b/1", LONG + "?"), _example("b/2", LONG)])
    assert _kept(done) == ["a/1"]
    near, exact = done.rejections
    assert (near.key, near.reason, near.other_key) == ("b/1", "near_duplicate", "a/1")
    assert 0.9 < near.similarity < 1
    assert f"{near.similarity:.3f}" in near.detail
    assert (exact.key, exact.reason, exact.other_key, exact.similarity) == ("b/2", "exact_duplicate", "a/1", 1.0)
    assert done.counts_by_source_pair == {SourcePair("b", "a", "exact_duplicate"): 1, SourcePair("b", "a", "near_duplicate"): 1}


def test_who_stays_is_a_declared_order() -> None:
    rows = [
        _example("a", LONG, created_at="2026-01-01"),
        _example("b", LONG, created_at="2024-05-01", origin="human"),
        _example("c", LONG, created_at="2025-05-01T10:00:00Z", origin="human"),
        _example("d", LONG + "!", "x"),
    ]
    assert _kept(_drop(rows)) == ["c"]
    assert _kept(_drop(rows, keep=("newest",))) == ["a"]
    assert _kept(_drop(rows, keep=("origin",))) == ["b"]
    assert _kept(_drop(rows, keep=())) == ["a"]


def test_the_longest_answer_can_stay() -> None:
    rows = [
        _example("a", LONG, "Use upper, which is quick for most."),
        _example("b", LONG + "?", "Use upper, which is quick for most!!"),
    ]
    assert _kept(_drop(rows, answers="near")) == ["a"]
    assert _kept(_drop(rows, answers="near", keep=("longest_answer",))) == ["b"]
    assert _kept(_drop(rows)) == ["a", "b"]


def test_near_answers_must_not_be_siblings() -> None:
    rows = [
        _example("a", LONG, "It takes about 7 minutes on a laptop"),
        _example("b", LONG + "?", "It takes about 9 minutes on a laptop"),
    ]
    assert _kept(_drop(rows, answers="near", near_threshold=0.6)) == ["a", "b"]


def test_contradictions_drop_all_sides_or_stay() -> None:
    rows = [_example("a", LONG, "x"), _example("b", LONG, "y"), _example("c", LONG, "y")]
    assert set(_reasons(_drop(rows)).values()) == {"conflicting_answers"}
    assert _reasons(_drop(rows, conflicts="keep")) == {"c": "exact_duplicate"}


def test_other_tool_calls_are_other_answers() -> None:
    def row(key: str, arguments: str) -> Example:
        call = ToolCall(id=key, name="weather", arguments=arguments)
        messages = (Message(role="user", content=LONG), Message(role="assistant", content="", tool_calls=(call,)))
        return Example(key=key, task="tools", messages=messages, group="g", provenance=_provenance())

    assert set(_reasons(_drop([row("a", '{"in":"Rome"}'), row("b", '{"in":"Oslo"}')])).values()) == {"conflicting_answers"}
    assert _reasons(_drop([row("a", '{"in":"Rome"}'), row("b", '{"in":"Rome"}')])) == {"b": "exact_duplicate"}


def test_pairs_ranked_both_ways_contradict_each_other() -> None:
    rows = [
        _pair("a", "yes", "no"),
        _pair("b", "no", "yes"),
        _pair("c", "yes", "maybe"),
        _pair("d", "yes", "maybe", LONG + "!"),
    ]
    assert _reasons(_drop(rows)) == {"a": "conflicting_answers", "b": "conflicting_answers", "d": "near_duplicate"}


def test_thumbs_up_and_down_contradict_each_other() -> None:
    rows = [_thumb("a", "yes", True), _thumb("b", "yes", False), _thumb("c", "no", False), _thumb("d", "no", False, LONG + "!")]
    assert _reasons(_drop(rows)) == {"a": "conflicting_answers", "b": "conflicting_answers", "d": "near_duplicate"}


def test_other_answers_count_across_the_split_only() -> None:
    rows = [_example("a", LONG, "x", "left"), _example("b", LONG + "!", "y", "left"), _example("c", LONG + "?", "z", "right")]
    side_of = {"left": "train", "right": "eval"}.__getitem__
    done = drop_duplicates(rows, DuplicateConfig(), side_of=side_of)
    assert _reasons(done) == {"c": "near_duplicate_across_split"}
    assert _kept(_drop(rows)) == ["a", "b", "c"]
    close = [rows[0], _example("d", f"Hello, I am new here. {LONG}", "z", "right")]
    assert _kept(drop_duplicates(close, DuplicateConfig(), side_of=side_of)) == ["a", "d"]
    assert _kept(drop_duplicates(close, DuplicateConfig(split_threshold=0.7), side_of=side_of)) == ["a"]


@pytest.mark.parametrize(
    ("scope", "dropped"),
    [("all", ["a/2", "a/3", "b/1", "b/2"]), ("within", ["a/2", "a/3", "b/2"]), ("across", ["b/1", "b/2"])],
)
def test_sources_meet_as_the_scope_says(scope: str, dropped: list[str]) -> None:
    rows = [
        _example("a/1", LONG),
        _example("a/2", LONG),
        _example("a/3", LONG + "!"),
        _example("b/1", LONG),
        _example("b/2", LONG + "?"),
    ]
    assert list(_reasons(_drop(rows, scope=scope))) == dropped


def test_large_clusters_raise_an_alarm_and_stay() -> None:
    choose = random.Random(5)
    words = LONG.split()
    rows = []
    for number in range(30):
        changed = words.copy()
        changed[choose.randrange(len(words))] = "".join(choose.choices("abcdefgh", k=6))
        rows.append(_example(f"s/{number:02}", " ".join(changed)))
    rows.append(_example("s/exact", rows[0].messages[0].content))
    done = _drop(rows, near_threshold=0.6, giant_cluster_rows=20)
    (alarm,) = done.alarms
    assert (len(alarm.keys), alarm.key, alarm.were_dropped, alarm.sources) == (30, "s/00", False, ("s",))
    assert alarm.num_duplicates > 20
    assert _reasons(done) == {"s/exact": "exact_duplicate"}
    dropped = _drop(rows, near_threshold=0.6, giant_cluster_rows=20, giant_cluster="reject")
    assert dropped.alarms[0].were_dropped
    assert len(dropped.rejections) == alarm.num_duplicates + 1
    assert _drop(rows, near_threshold=0.6, giant_cluster_rows=30).alarms == ()


def test_semantic_copies_need_vectors_and_pass_the_guard() -> None:
    rows = [
        _example("a", "How can I put the rows of my table in order?"),
        _example("b", "Tell me the way to sort a frame, please"),
        _example("c", "Something else"),
        _example("d", "How can I put 9 rows of my table in order?"),
    ]
    vectors = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], dtype=np.float32)
    done = drop_duplicates(rows, DuplicateConfig(semantic_threshold=0.9), vectors)
    assert _reasons(done) == {"b": "semantic_duplicate"}
    assert done.rejections[0].similarity == 1
    with pytest.raises(ValueError, match="one vector a row"):
        _drop(rows, semantic_threshold=0.9)


def test_system_messages_are_not_compared() -> None:
    row = _example("a", LONG)
    messages = (Message(role="system", content="Be brief."), *row.messages)
    with_system = Example(key="b", task="qa", messages=messages, group="g", provenance=_provenance())
    assert comparison_text(with_system) == LONG


WORDS = st.lists(st.sampled_from(["sort", "rows", "by", "name", "not", "7", "`x`", "please", "table"]), max_size=20).map(
    " ".join
)
ROWS = st.lists(
    st.tuples(WORDS, st.sampled_from(["x", "y", "X"]), st.sampled_from(["train", "eval", ""]), st.booleans()), max_size=25
)


@given(
    ROWS, st.randoms(use_true_random=False), st.sampled_from(["equal", "near"]), st.sampled_from(["all", "within", "across"])
)
def test_nothing_vanishes_and_order_does_not_matter(rows: list, shuffle: random.Random, answers: str, scope: str) -> None:
    examples = [
        _example(f"s{number % 3}/{number}", prompt, answer, side, origin="human" if human else "synthetic")
        for number, (prompt, answer, side, human) in enumerate(rows)
    ]
    config = DuplicateConfig(near_threshold=0.6, answers=answers, scope=scope)  # type: ignore[arg-type]
    done = drop_duplicates(examples, config, side_of=str)
    assert sorted([*_kept(done), *_reasons(done)]) == sorted(row.key for row in examples)
    assert sum(done.counts_by_source_pair.values()) == len(done.rejections)
    kept = {row.key for row in done.kept}
    assert all(item.other_key in kept for item in done.rejections if item.reason != "conflicting_answers")
    shuffle.shuffle(examples)
    assert drop_duplicates(examples, config, side_of=str) == done


@pytest.mark.parametrize(
    "fields",
    [
        {"near_threshold": 0.2},
        {"near_threshold": 0.8, "split_threshold": 0.7},
        {"semantic_threshold": 1.5},
        {"keep": ("origin", "origin")},
        {"giant_cluster_rows": 1},
    ],
)
def test_senseless_settings_are_refused(fields: dict) -> None:
    with pytest.raises(ConfigError):
        DuplicateConfig(**fields)
