"""The general suite is whole, pinned and gradable; files of a recipe are read strictly."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ConfigError, SuiteError
from curation.graders.registry import GRADERS
from evaluation.forgetting import suite as suite_module
from evaluation.forgetting.config import AREAS, ForgettingConfig
from evaluation.forgetting.suite import GENERAL, load_suite

LINE = {"key": "1", "area": "support", "kind": "choice", "prompt": "Refunds take", "reference": " ten days"} | {
    "distractors": [" an hour"]
}


def write(path: Path, *rows: Any) -> str:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return str(path)


def test_every_area_of_the_general_suite_has_enough_items() -> None:
    suite = load_suite(ForgettingConfig())
    sizes = {area: sum(item.area == area for item in suite.items) for area in AREAS}
    assert suite.areas == AREAS
    assert sum(sizes.values()) >= 200
    assert min(sizes.values()) >= 24
    assert len({item.key for item in suite.items}) == len(suite.items)
    for item in suite.items:
        assert len({item.reference, *item.distractors}) == 1 + len(item.distractors), item.key


def test_references_are_graded_right_and_nonsense_is_not() -> None:
    asked = [item for item in load_suite(ForgettingConfig(areas=("instructions", "arithmetic"))).items if item.grader]
    assert len(asked) > 50
    for item in asked:
        assert GRADERS[item.grader](item.reference, item.grading).is_right, item.key
        assert not GRADERS[item.grader]("Qq, zz?, Q", item.grading).is_right, item.key


@pytest.mark.slow
def test_reference_programs_pass_their_tests_and_others_do_not() -> None:
    asked = [item for item in load_suite(ForgettingConfig(areas=("code",))).items if item.grader]
    assert len(asked) >= 10
    for item in asked:
        assert GRADERS[item.grader](item.reference, item.grading).is_right, item.key
        assert not GRADERS[item.grader](item.reference.replace("return", "return None and"), item.grading).is_right, item.key


def test_a_changed_general_suite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "general.jsonl"
    changed.write_text(GENERAL.read_text().replace("Paris", "Lyon"))
    monkeypatch.setattr(suite_module, "GENERAL", changed)
    with pytest.raises(SuiteError, match="it was changed"):
        load_suite(ForgettingConfig())


def test_own_files_come_beside_the_general_suite(tmp_path: Path) -> None:
    file = write(tmp_path / "desk.jsonl", LINE, "", {**LINE, "key": "2"})
    suite = load_suite(ForgettingConfig(files=(file,), margins={"support": 0.2}))
    assert [item.key for item in suite.items if item.area == "support"] == ["desk/1", "desk/2"]
    assert suite.areas == (*AREAS, "support")
    assert load_suite(ForgettingConfig(suite="none", files=(file,))).areas == ("support",)


def test_the_choice_of_items_stays_put_and_the_hash_tells_them() -> None:
    few, more = (load_suite(ForgettingConfig(max_items=number)) for number in (5, 9))
    assert {item.key for item in few.items} < {item.key for item in more.items}
    assert len(few.items) == 5 * len(AREAS)
    assert few.hash == load_suite(ForgettingConfig(max_items=5)).hash != more.hash


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("{", "line 1: no JSON"),
        ("[1]", "no JSON object"),
        ({**LINE, "answer": "x"}, "unknown field 'answer'"),
        ({**LINE, "reference": ""}, "'reference' is missing"),
        ({**LINE, "kind": "essay"}, "the kind is 'essay'"),
        ({**LINE, "distractors": []}, "a choice has wrong answers"),
        ({**LINE, "distractors": [" ten days"]}, "differ from the reference"),
        ({**LINE, "distractors": [3]}, "list of texts"),
        ({**LINE, "kind": "generate", "distractors": []}, "`grader` belongs"),
        ({**LINE, "kind": "generate", "distractors": [], "grader": "oracle"}, "no grader 'oracle'"),
        ({**LINE, "kind": "generate", "distractors": [], "grader": "exact", "prompt": " "}, "'prompt' is missing"),
    ],
)
def test_a_line_that_is_no_item_is_named(tmp_path: Path, row: Any, problem: str) -> None:
    with pytest.raises(SuiteError, match=problem):
        load_suite(ForgettingConfig(files=(write(tmp_path / "own.jsonl", row),)))


def test_missing_empty_and_binary_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty.jsonl").write_text("\n")
    for name in ("missing", "binary", "empty"):
        with pytest.raises(SuiteError, match=name):
            load_suite(ForgettingConfig(files=(str(tmp_path / f"{name}.jsonl"),)))


def test_two_items_with_one_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="two items have the key 'own/1'"):
        load_suite(ForgettingConfig(files=(write(tmp_path / "own.jsonl", LINE, LINE),)))


@pytest.mark.parametrize(
    "settings",
    [
        {"suite": "none"}, {"margin": 0}, {"loss_margin": 1.0}, {"margins": {"facts": 0.0}}, {"margins": {"alchemy": 0.1}},
        {"areas": ("alchemy",)}, {"alpha": 0.5}, {"minimum_items": 1}, {"max_items": 0}, {"bootstrap_samples": 10},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="forgetting"):
        ForgettingConfig(**settings)


def test_an_area_without_items_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "own.jsonl", LINE)
    with pytest.raises(SuiteError, match="no item is of the area 'alchemy'"):
        load_suite(ForgettingConfig(files=(file,), areas=("alchemy",)))
