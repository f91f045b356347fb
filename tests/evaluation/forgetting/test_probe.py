"""Every item is measured once a model; what was measured stays so, whatever comes beside it."""

from pathlib import Path
from typing import Any

import pytest

from evaluation.forgetting.cache import MeasureCache
from evaluation.forgetting.probe import ProbeSettings, cache_settings, probe_items
from evaluation.forgetting.records import ProbeResult, SuiteItem
from tests.evaluation.forgetting.conftest import RuledModel, make_item

SETTINGS = ProbeSettings(model="sft_model", model_hash="a" * 32, vocabulary=100)


def measure(
    model: RuledModel, items: list[SuiteItem], folder: Path, settings: ProbeSettings = SETTINGS
) -> tuple[list[ProbeResult], int]:
    return probe_items(lambda: model, items, settings, MeasureCache(folder, cache_settings(settings)))


def refuse() -> Any:
    raise AssertionError("the model was loaded")


def test_each_kind_is_measured_in_its_way(ruled_model: RuledModel, tmp_path: Path) -> None:
    items = [
        make_item(1),
        make_item(2, kind="text", distractors=(), prompt="", reference="An old text."),
        make_item(3, kind="generate", distractors=(), prompt="Say 3", is_chat=True, grader="exact", grading="4"),
    ]
    results, num_measured = measure(ruled_model, items, tmp_path)
    assert num_measured == 3
    assert [row.item_key for row in results] == [item.key for item in items]
    assert results[0].log_likelihoods == (-6.0, -6.0, -6.0, -6.0)
    assert results[0].num_bytes == (6, 6, 6, 6)
    assert results[1].log_likelihoods == (-12.0,)
    assert (results[2].answer, results[2].log_likelihoods) == ("4", (-6.0,))
    assert (ruled_model.num_choices, ruled_model.num_answers, ruled_model.num_texts) == (5, 1, 1)


def test_nothing_is_measured_twice_and_a_new_item_alone(ruled_model: RuledModel, tmp_path: Path) -> None:
    items = [make_item(number) for number in range(5)]
    first, _ = measure(ruled_model, items, tmp_path)
    again = probe_items(refuse, items, SETTINGS, MeasureCache(tmp_path, cache_settings(SETTINGS)))
    assert again == (first, 0)
    assert measure(ruled_model, [*items, make_item(5)], tmp_path)[1] == 1
    assert ruled_model.num_choices == 24


@pytest.mark.parametrize("change", [{"model_hash": "b" * 32}, {"max_new_tokens": 7}])
def test_another_model_or_length_is_measured_anew(ruled_model: RuledModel, tmp_path: Path, change: dict[str, Any]) -> None:
    items = [make_item(1)]
    measure(ruled_model, items, tmp_path)
    settings = ProbeSettings(**{"model": "sft_model", "model_hash": "a" * 32, "vocabulary": 100, **change})
    assert measure(ruled_model, items, tmp_path, settings)[1] == 1


def test_one_model_under_two_names_is_measured_once(ruled_model: RuledModel, tmp_path: Path) -> None:
    measure(ruled_model, [make_item(1)], tmp_path)
    (row,), num_measured = measure(
        ruled_model, [make_item(1)], tmp_path, ProbeSettings(model="champion", model_hash="a" * 32, vocabulary=100)
    )
    assert (row.model, num_measured) == ("champion", 0)


def test_a_changed_item_is_another_item(ruled_model: RuledModel, tmp_path: Path) -> None:
    measure(ruled_model, [make_item(1)], tmp_path)
    assert measure(ruled_model, [make_item(1, reference=" true")], tmp_path)[1] == 1


def test_a_damaged_file_is_measured_again(ruled_model: RuledModel, tmp_path: Path) -> None:
    first, _ = measure(ruled_model, [make_item(1)], tmp_path)
    (file,) = tmp_path.rglob("*.json")
    for damage in (b"", b"\xff", b"{}", file.read_bytes().replace(b"-6.0", b"-0.1", 1)):
        file.write_bytes(damage)
        assert measure(ruled_model, [make_item(1)], tmp_path) == (first, 1)


def test_what_is_longer_than_the_context_is_not_measured(ruled_model: RuledModel, tmp_path: Path) -> None:
    (row,), _ = measure(ruled_model, [make_item(1, reference=" word" * 64)], tmp_path)
    assert (row.log_likelihoods, row.num_bytes) == ((), ())
