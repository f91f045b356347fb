import base64
import gzip
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluation.report import item_data
from evaluation.report.inputs import ReportInputs
from evaluation.report.item_data import pack_items, write_items


def unpack(inputs: ReportInputs) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(pack_items(inputs).text)))
    return found


def test_the_page_has_every_item_with_everybodys_answers(full: ReportInputs) -> None:
    data = unpack(full)
    assert len(data["items"]) == len({row.item_key for row in full.answers}) == pack_items(full).num_all
    assert [task["id"] for task in data["tasks"]] == ["routing", "sums"]
    names = [comparator["id"] for comparator in data["comparators"]]
    assert names == [summary.comparator for summary in full.comparison.summaries]
    values = {score.key: score.value for score in full.scores}
    for key, task, _, _, reference, answers, _, _ in data["items"]:
        metric = ("exact_match", "accuracy")[task]
        for name, (said, value) in zip(names, answers, strict=True):
            assert value == round(values[f"{name}/{key}#{metric}"], 4)
            assert said or not reference


def test_slices_choices_and_traces_come_along(full: ReportInputs) -> None:
    by_key = {item[0]: item for item in unpack(full)["items"]}
    data = unpack(full)
    item = full.items[5]
    assert tuple(data["slices"][index] for index in by_key[item.key][2]) == item.slices
    assert by_key["sums/3"][3].splitlines() == ["What is 3 plus 3?", "A. 4", "B. 6", "C. 12"]
    assert (by_key["sums/3"][7], by_key[item.key][7]) == (0, 1)
    assert by_key[item.key][6][0][0] == "training row"


def test_texts_are_cut_until_all_items_fit(full: ReportInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(1)
    rows = tuple(replace(row, answer=draw.randbytes(1500).hex()) for row in full.answers)
    long = replace(full, answers=rows)
    whole = pack_items(long)
    monkeypatch.setattr(item_data, "MAX_PACKED", 200_000)
    small = pack_items(long)
    assert whole.longest == 4000
    assert small.longest <= 600
    assert small.num_items == whole.num_items
    monkeypatch.setattr(item_data, "MAX_PACKED", 12_000)
    least = pack_items(long)
    assert len(least.text) <= 12_000
    assert 0 < least.num_items < least.num_all


def test_of_too_many_items_a_stable_sample_is_in_the_page(full: ReportInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_data, "MAX_ITEMS", 10)
    keys = [item[0] for item in unpack(full)["items"]]
    fewer = replace(
        full, answers=tuple(row for row in full.answers if row.item_key in keys or row.item_key == full.items[0].key)
    )
    assert len(keys) == 10
    assert keys == sorted(keys)
    assert len(set(keys) & {item[0] for item in unpack(fewer)["items"]}) >= 9


def test_the_file_beside_the_page_has_everything_uncut(full: ReportInputs, tmp_path: Path) -> None:
    rows = tuple(replace(row, answer="y" * 9000) for row in full.answers)
    write_items(replace(full, answers=rows), tmp_path / "items.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert len(lines) == len({row.item_key for row in full.answers})
    first = lines[0]["answers"]["candidate"]
    assert len(first["answer"]) == 9000
    assert first["scores"].keys() >= {"exact_match", "token_f1"}
    assert first["latency_s"] > 0
    assert "latency_s" not in lines[0]["answers"]["majority"]
    scored = {(line["key"], name): answer["scores"] for line in lines for name, answer in line["answers"].items()}
    for score in full.scores:
        assert scored[score.item_key, score.comparator][score.metric] == score.value


def test_means_of_the_report_follow_from_the_file(full: ReportInputs, tmp_path: Path) -> None:
    write_items(full, tmp_path / "items.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    for result in full.comparison.tasks:
        for summary in result.summaries:
            for estimate in summary.estimates:
                found = [
                    line["answers"][summary.comparator]["scores"][estimate.metric]
                    for line in lines
                    if line["task"] == result.task
                ]
                assert sum(found) / len(found) == pytest.approx(estimate.mean)


def test_an_answer_that_was_not_given_says_why(plain: ReportInputs) -> None:
    rows = tuple(replace(row, error="timed out", answer="") if row.comparator == "candidate" else row for row in plain.answers)
    data = unpack(replace(plain, answers=rows))
    at = [comparator["id"] for comparator in data["comparators"]].index("candidate")
    assert all(item[5][at][2] == "timed out" for item in data["items"])
