"""Curation: nothing vanishes, nothing stands twice, nothing stands on both sides."""

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.curate.config import CurateConfig
from curation.curate.settings import CurateSettings
from curation.curate.split import split_of
from curation.curate.stage import Curated
from curation.curate.stage import curate as curate_rows
from curation.duplicates.config import DuplicateConfig
from curation.errors import ConfigError
from curation.filters.rule_config import RuleConfig
from curation.records import Example, Message, Origin, PreferencePair, Provenance, VerifiableTask
from curation.terms.config import TermsConfig

CONFIG = CurateConfig(duplicates=DuplicateConfig(near_threshold=0.9))
TRAIN = next(f"g{n}" for n in range(100) if split_of(f"g{n}", CONFIG) == "train")
EVAL = next(f"g{n}" for n in range(100) if split_of(f"g{n}", CONFIG) == "eval")
LONG = "Please tell me how I can turn every text of a column into capital letters"


def curate(examples: list, pairs: list, config: CurateConfig, unpaired: list | None = None) -> Curated:
    settings = CurateSettings(curate=config, terms=TermsConfig(action="warn"))
    return curate_rows(examples, pairs, unpaired or [], settings, version="test")


def replace_rules(**rules: int) -> CurateConfig:
    return dataclasses.replace(CONFIG, rules=RuleConfig(**rules))


def _example(key: str, prompt: str, answer: str, group: str = TRAIN, origin: Origin = "synthetic", system: str = "") -> Example:
    messages = (Message(role="system", content=system),) if system else ()
    messages += (Message(role="user", content=prompt), Message(role="assistant", content=answer))
    return Example(key=key, task="qa", messages=messages, group=group, provenance=Provenance(origin=origin, method="test"))


def _pair(key: str, parent: str, chosen: str = "good", rejected: str = "bad", prompt: str = "What is it?") -> PreferencePair:
    parents = (parent,) if parent else ()
    provenance = Provenance(origin="synthetic", method="test", parents=parents)
    prompts = (Message(role="user", content=prompt),)
    fields = {"task": "qa", "rejected_kind": "wrong", "group": EVAL, "provenance": provenance}
    return PreferencePair(key=key, prompt=prompts, chosen=chosen, rejected=rejected, **fields)


def _reasons(curated: Curated) -> dict[str, str]:
    return {rejection.key: rejection.reason for rejection in curated.rejections}


def _keys(curated: Curated) -> list[str]:
    return [example.key for example in curated.examples]


def test_texts_are_normalised_and_the_split_is_set() -> None:
    curated = curate([_example("a", "What \r\n\r\n\r\n is it? ", "x \n", EVAL)], [], CONFIG)
    (kept,) = curated.examples
    assert (kept.messages[0].content, kept.answer, kept.split) == ("What\n\n is it?", "x", "eval")


def test_lengths_are_checked() -> None:
    config = replace_rules(min_prompt_chars=3, max_prompt_chars=20, min_answer_chars=1, max_answer_chars=5)
    rows = [
        _example("short", "hm", "x", system="a long system message"[:10]),
        _example("long", "y" * 21, "x"),
        _example("mute", "what is it", "  \n"),
        _example("chatty", "what is it now", "123456"),
        dataclasses.replace(_example("odd", "what", "x"), messages=(Message(role="user", content="only a question"),)),
        _example("good", "what else", "12345"),
    ]
    curated = curate(rows, [], config)
    assert _keys(curated) == ["good"]
    assert _reasons(curated) == {
        "short": "prompt_too_short",
        "long": "prompt_too_long",
        "mute": "answer_too_short",
        "chatty": "answer_too_long",
        "odd": "malformed_conversation",
    }


def test_contradictions_drop_all_sides() -> None:
    rows = [
        _example("a", "What is it?", "x"),
        _example("b", "What  is it?", "y", origin="human"),
        _example("c", "What is it?", "x"),
    ]
    curated = curate(rows, [], CONFIG)
    assert _keys(curated) == []
    assert set(_reasons(curated).values()) == {"conflicting_answers"}
    assert "'b'" in next(rejection.detail for rejection in curated.rejections if rejection.key == "a")


def test_the_same_question_under_another_system_message_is_another_prompt() -> None:
    rows = [_example("a", "What is it?", "x", system="Be brief."), _example("b", "What is it?", "y", system="Be long.")]
    assert len(curate(rows, [], CONFIG).examples) == 2


def test_people_come_before_models_and_small_keys_before_large() -> None:
    rows = [
        _example("a", "What is it?", "x"),
        _example("z", "What is it? ", "x", origin="human"),
        _example("c", "And what is that?", "y"),
        _example("b", "And what is that?", "y"),
    ]
    curated = curate(rows, [], CONFIG)
    assert _keys(curated) == ["b", "z"]
    assert _reasons(curated) == {"a": "exact_duplicate", "c": "exact_duplicate"}


def test_near_duplicates_name_the_row_and_the_similarity() -> None:
    curated = curate([_example("a", LONG + ".", "x"), _example("b", LONG.upper().lower() + "!", "x")], [], CONFIG)
    assert _keys(curated) == ["a"]
    (rejection,) = curated.rejections
    assert rejection.reason == "near_duplicate"
    assert "'a'" in rejection.detail
    assert "0.9" in rejection.detail


def test_near_copies_with_another_answer_stay_on_one_side_but_not_across_the_split() -> None:
    same_side = curate([_example("a", LONG + ".", "x"), _example("b", LONG + "!", "y")], [], CONFIG)
    assert _keys(same_side) == ["a", "b"]
    across = curate([_example("a", LONG + ".", "x"), _example("b", LONG + "!", "y", EVAL)], [], CONFIG)
    assert _reasons(across) == {"b": "near_duplicate_across_split"}


def test_near_copies_with_one_answer_do_not_survive_on_both_sides() -> None:
    curated = curate([_example("a", LONG + ".", "x", EVAL), _example("b", LONG + "!", "x", TRAIN)], [], CONFIG)
    assert len(curated.examples) == 1


def test_siblings_are_kept() -> None:
    texts = [LONG + f" with {number} rows" for number in (7, 8)] + [LONG + " without rows", LONG + " with rows"]
    assert len(curate([_example(text, text, "x") for text in texts], [], CONFIG).examples) == 4


def test_pairs_follow_their_parent() -> None:
    examples = [_example("a", "What is it?", "good", TRAIN), _example("b", "What is it?", "good", TRAIN)]
    pairs = [_pair("p1", "a"), _pair("p2", "b"), _pair("p3", "gone"), _pair("p4", "")]
    pairs += [_pair("p5", "a", rejected="good \n"), _pair("p6", "a"), _pair("p7", "a", chosen=" ")]
    curated = curate(examples, pairs, CONFIG)
    assert [(pair.key, pair.group, pair.split) for pair in curated.pairs] == [("p1", TRAIN, "train")]
    assert _reasons(curated) == {
        "b": "exact_duplicate",
        "p2": "parent_rejected",
        "p3": "parent_rejected",
        "p4": "exact_duplicate",
        "p5": "identical_answers",
        "p6": "exact_duplicate",
        "p7": "answer_too_short",
    }


def test_duplicate_pairs_and_pairs_without_parents() -> None:
    examples = [_example("a", "What is it?", "good", TRAIN)]
    pairs = [_pair("p2", "a"), _pair("p1", "a"), _pair("p3", "", prompt="Alone?")]
    curated = curate(examples, pairs, CONFIG)
    assert [(pair.key, pair.split) for pair in curated.pairs] == [("p1", "train"), ("p3", "eval")]
    assert _reasons(curated) == {"p2": "exact_duplicate"}


def test_rows_of_one_key_are_kept_once() -> None:
    curated = curate([_example("a", "What is it?", "x"), _example("a", "What is that?", "y")], [], CONFIG)
    assert len(curated.examples) == 1
    assert _reasons(curated) == {"a": "duplicate_key"}


WORDS = st.lists(st.sampled_from(["sort", "rows", "by", "name", "not", "7", "`x`", "please"]), max_size=12).map(" ".join)
ROWS = st.lists(
    st.tuples(WORDS, st.sampled_from(["x", "y", ""]), st.sampled_from([TRAIN, EVAL, "g"]), st.booleans()), max_size=25
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_nothing_vanishes_nothing_repeats_and_order_does_not_matter(rows: list, shuffle: random.Random) -> None:
    config = CurateConfig(duplicates=DuplicateConfig(near_threshold=0.6))
    examples = [
        _example(f"k{number}", prompt, answer, group, "human" if human else "synthetic")
        for number, (prompt, answer, group, human) in enumerate(rows)
    ]
    pairs = [_pair(f"p{number}", f"k{number}", rejected=answer or "bad") for number, (_, answer, _, _) in enumerate(rows)]
    curated = curate(examples, pairs, config)
    assert len(examples) + len(pairs) == len(curated.examples) + len(curated.pairs) + len(curated.rejections)
    prompts = [tuple(" ".join(message.content.split()) for message in example.prompt) for example in curated.examples]
    assert len(set(prompts)) == len(prompts)
    assert {example.split == split_of(example.group, config) for example in curated.examples} <= {True}
    again = curate(curated.examples, curated.pairs, config)
    assert (again.examples, again.pairs, again.rejections) == (curated.examples, curated.pairs, ())
    shuffle.shuffle(examples)
    shuffle.shuffle(pairs)
    assert curate(examples, pairs, config) == curated


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_senseless_settings_are_refused(share: float) -> None:
    with pytest.raises(ConfigError, match=f"received {share}"):
        CurateConfig(eval_share=share)


@pytest.mark.slow
def test_twenty_thousand_different_rows_stay() -> None:
    choose = random.Random(1)
    words = ["".join(choose.choices("abcdefghijklmnop", k=6)) for _ in range(3000)]
    rows = [_example(f"k{n}", "How do I " + " ".join(choose.choices(words, k=12)), "x", f"g{n}") for n in range(20_000)]
    assert len(curate(rows, [], CONFIG).examples) == 20_000


def _task(key: str, prompt: str, reference: str, group: str = TRAIN) -> VerifiableTask:
    asked = (Message(role="user", content=prompt),)
    made_by = Provenance(origin="synthetic", method="test")
    return VerifiableTask(
        key=key, task="qa", prompt=asked, reference=reference, grader="exact", group=group, provenance=made_by
    )


def test_tasks_are_screened_and_copies_and_contradictions_go() -> None:
    leak = _task("leak", "Write to ann.lee@example-corp.com about the invoice of last week please", "sent")
    tasks = [
        _task("a", LONG + ".", "7"),
        _task("b", LONG + ".", "7"),
        _task("c", "How many rows does the table of the second chapter have?", "8", EVAL),
        _task("d", "How many rows does the table of the second chapter have?", "9", EVAL),
        leak,
    ]
    settings = CurateSettings(curate=CONFIG, terms=TermsConfig(action="warn"))
    curated = curate_rows([], [], [], settings, version="test", tasks=tasks)
    assert [(task.key, task.split) for task in curated.tasks] == [("a", "train"), ("leak", "train")]
    assert "ann.lee" not in curated.tasks[1].prompt[0].content
    assert _reasons(curated) == {"b": "exact_duplicate", "c": "conflicting_answers", "d": "conflicting_answers"}
    again = curate_rows([], [], [], settings, version="test", tasks=tasks, known=curated.row_checks)
    assert (again.num_checked, again.tasks) == (0, curated.tasks)
