"""Labels of titles, and what wrong answers look like."""

import collections
import dataclasses
import json

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.records import Example, Message, Provenance
from curation.synthesis.config import GenerateConfig, PairsConfig
from curation.synthesis.methods.grounded_qa import GroundedQaConfig
from curation.synthesis.pairs import build_pair, plan_pairs, wrong_answer
from curation.synthesis.routes import RoutingConfig, answer_of, label_in, route_of, wrong_labels

ROUTING = RoutingConfig(
    routes={
        "strings": ("lib.Expr.str.*", "lib.Series.str.*"),
        "lists": ("lib.Expr.list.*", "lib.Series.list.*"),
        "expressions": ("lib.Expr.*",),
        "reading": ("lib.read_*",),
        "settings": ("other.Config.*",),
    }
)


def example(answer: str, key: str = "k", method: str = "routing") -> Example:
    messages = (
        Message(role="system", content="s"),
        Message(role="user", content="q"),
        Message(role="assistant", content=answer),
    )
    provenance = Provenance(origin="synthetic", method=method, teacher="extractive", generation_depth=1, license="MIT")
    return Example(key=key, task=method, messages=messages, group="g", provenance=provenance)


def config(*kinds: str, per_example: int = 1, seed: int = 0) -> GenerateConfig:
    pairs = PairsConfig(kinds=kinds, per_example=per_example)  # type: ignore[arg-type]
    return GenerateConfig(routing=ROUTING, grounded_qa=GroundedQaConfig(), pairs=pairs, seed=seed)


@pytest.mark.parametrize(
    ("title", "label"),
    [
        ("lib.Expr.str.upper", "strings"),
        ("lib.Expr.sum", "expressions"),
        ("lib.read_csv", "reading"),
        ("lib.Read_csv", None),
        ("lib.Expr", None),
    ],
)
def test_the_first_pattern_that_fits_wins(title: str, label: str | None) -> None:
    assert route_of(title, ROUTING) == label


def test_an_answer_names_its_label() -> None:
    assert answer_of("lists", ROUTING) == '{"part":"lists"}'
    assert label_in('{"part": "lists"}', ROUTING) == "lists"


@pytest.mark.parametrize(
    "answer", ["lists", '{"part":"nowhere"}', '{"part":["lists"]}', '{"part":"lists","x":1}', "[1]", "[" * 99_999, "{"]
)
def test_other_answers_name_none(answer: str) -> None:
    assert label_in(answer, ROUTING) is None


def test_confusable_labels_come_first_more_often() -> None:
    firsts = collections.Counter(wrong_labels("strings", f"row {number}", ROUTING, seed=0)[0] for number in range(2_000))
    assert firsts["lists"] > 2 * firsts["reading"] > 0
    assert firsts["settings"] < firsts["reading"]
    assert set(firsts) == {"lists", "expressions", "reading", "settings"}


@hypothesis.given(st.text(), st.integers(0, 9))
def test_wrong_labels_are_all_the_others_in_a_stable_order(key: str, seed: int) -> None:
    labels = wrong_labels("lists", key, ROUTING, seed=seed)
    assert sorted([*labels, "lists"]) == sorted(ROUTING.routes)
    assert labels == wrong_labels("lists", key, ROUTING, seed=seed)


@hypothesis.given(st.text(min_size=1), st.integers(1, 10), st.integers(0, 5), st.sampled_from(sorted(ROUTING.routes)))
def test_every_rejected_answer_is_wrong_and_none_comes_twice(key: str, per_example: int, seed: int, label: str) -> None:
    settings = config("wrong_route", "wrong_format", per_example=per_example, seed=seed)
    row = example(answer_of(label, ROUTING), key=key)
    planned = plan_pairs(row, settings)
    rejected = [wrong_answer(pair, settings) for pair in planned]
    assert 1 <= len(planned) <= per_example
    assert len({pair.key for pair in planned}) == len(set(rejected)) == len(planned)
    for pair, text in zip(planned, rejected, strict=True):
        if pair.kind == "wrong_route":
            assert label_in(text, ROUTING) not in (None, label)
        else:
            assert label_in(text, ROUTING) is None


def test_kinds_take_turns() -> None:
    settings = config("wrong_route", "wrong_format")
    kinds = collections.Counter(
        plan_pairs(example('{"part":"lists"}', key=str(number)), settings)[0].kind for number in range(400)
    )
    assert min(kinds["wrong_route"], kinds["wrong_format"]) > 120


def test_kinds_that_do_not_fit_are_passed_over() -> None:
    everything = config("wrong_route", "wrong_format", "ungrounded", per_example=9)
    assert plan_pairs(example("Take the second door.", method="demonstration"), everything) == []
    assert {pair.kind for pair in plan_pairs(example('{"door": 2}', method="demonstration"), everything)} == {"wrong_format"}
    assert [pair.kind for pair in plan_pairs(example("It shouts.", method="grounded_qa"), everything)] == ["ungrounded"]
    assert {pair.kind for pair in plan_pairs(example('{"part":"lists"}', method="demonstration"), everything)} == {
        "wrong_route",
        "wrong_format",
    }


def test_no_pairs_section_no_pairs() -> None:
    assert plan_pairs(example('{"part":"lists"}'), GenerateConfig(routing=ROUTING)) == []


@hypothesis.given(
    st.recursive(
        st.text() | st.integers() | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ),
    st.sampled_from(["", " ", "\n"]),
)
def test_wrong_format_is_never_the_same_json(value: object, end: str) -> None:
    settings = config("wrong_format", per_example=10)
    for pair in plan_pairs(example(json.dumps(value) + end, method="demonstration"), settings):
        try:
            parsed = json.loads(wrong_answer(pair, settings))
        except ValueError:
            continue
        assert parsed != value


def test_a_pair_says_where_it_comes_from() -> None:
    settings = config("wrong_route")
    row = dataclasses.replace(example('{"part":"lists"}', key="doc#routing/0"), split="train")
    (planned,) = plan_pairs(row, settings)
    pair = build_pair(planned, wrong_answer(planned, settings))
    assert pair.key == "doc#routing/0~pair/0"
    assert pair.prompt == row.prompt
    assert (pair.chosen, pair.rejected_kind, pair.group, pair.split, pair.task) == (
        row.answer,
        "wrong_route",
        "g",
        "train",
        "routing",
    )
    made = pair.provenance
    assert (made.origin, made.method, made.parents, made.generation_depth) == (
        "synthetic",
        "wrong_route",
        ("doc#routing/0",),
        2,
    )
    assert (made.teacher, made.license) == ("extractive", "MIT")
