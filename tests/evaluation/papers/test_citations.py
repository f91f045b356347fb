import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.records import Example
from curation.store import Store
from evaluation.papers.citations import Citations, check_citations, pointer, read_place
from evaluation.papers.facts import PaperFacts
from evaluation.papers.write import write_papers
from evaluation.records import EvalAnswer


def cited(facts: PaperFacts, folder: Path) -> list[dict]:
    write_papers(facts, folder)
    return json.loads((folder / "evidence.json").read_text())["numbers"]


def is_number(text: str) -> bool:
    return re.fullmatch(r" *[+-]?\d+\.\d+ *", text) is not None


def test_every_number_stands_where_the_papers_say(make_facts: Callable[..., PaperFacts], store: Store, tmp_path: Path) -> None:
    numbers = cited(make_facts(), tmp_path / "papers")
    assert check_citations(numbers, store) == []
    names = {item["name"] for item in numbers}
    expected = {
        "candidate held_out exact_match",
        "against base held_out exact_match low",
        "sft_model device_hours",
        "sft_dataset rows",
        "num_items",
    }
    assert expected <= names
    assert len(numbers) > 25


def test_numbers_of_the_evaluation_table_are_all_cited(make_facts: Callable[..., PaperFacts], tmp_path: Path) -> None:
    values = [item["value"] for item in cited(make_facts(), tmp_path / "papers")]
    card = (tmp_path / "papers" / "README.md").read_text()
    rows = [line.split("|") for line in card.splitlines() if line.startswith("| ") and "`exact_match`" in line]
    shown = [float(cell) for cells in rows for part in cells[4:7] for cell in part.split(" to ") if is_number(cell)]
    assert len(shown) == 18, "three results, two comparisons and a guard, each with its interval"
    assert all(any(isinstance(value, float) and abs(value - number) < 0.0006 for value in values) for number in shown)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda item: item | {"value": 0.99}, "0.99 is stated, and 0.75 stands there"),
        (lambda item: item | {"place": item["place"] | {"folder": "0" * 32}}, "cannot be read"),
        (lambda item: item | {"place": item["place"] | {"pointer": "/summaries/99"}}, "cannot be read"),
        (lambda item: item | {"place": item["place"] | {"file": "../../etc/passwd"}}, "cannot be read"),
        (lambda item: item | {"place": {"table": "0" * 32, "record": "Score", "where": {}, "mean": "x"}}, "cannot be read"),
        (lambda item: item | {"place": {"build": "toy/none/f", "pointer": "/values/x"}}, "cannot be read"),
        (lambda item: item | {"value": None}, "None is stated"),
        (lambda item: item | {"value": "many"}, "cannot be read"),
    ],
)
def test_what_does_not_hold_is_named(
    make_facts: Callable[..., PaperFacts], store: Store, tmp_path: Path, change: Callable, problem: str
) -> None:
    numbers = {item["name"]: item for item in cited(make_facts(), tmp_path / "papers")}
    found = check_citations([change(numbers["candidate held_out exact_match"])], store)
    assert len(found) == 1
    assert found[0].startswith("candidate held_out exact_match: ")
    assert problem in found[0]


def test_a_mean_over_rows_is_computed_again(store: Store, example: Callable[..., Example]) -> None:
    answers = [
        EvalAnswer(
            **{
                field.name: field.default
                for field in dataclasses.fields(EvalAnswer)
                if field.default is not dataclasses.MISSING
            }
            | {"key": f"{who}/{number}", "comparator": who, "model_hash": "m", "item_key": str(number), "item_hash": "h"}
            | {"group": "g", "prompt": "p", "reference": "r", "answer": "a", "num_tokens": number}
        )
        for who in ("base", "candidate")
        for number in (1, 2, 6)
    ]
    table = store.write_table(EvalAnswer, answers)
    place = {"table": table.root, "record": "EvalAnswer", "where": {"comparator": "candidate"}, "mean": "num_tokens"}
    assert read_place(place, store) == 3
    with pytest.raises(ValueError, match="no row fits"):
        read_place(place | {"where": {"comparator": "nobody"}}, store)


def test_what_is_not_finite_is_cited_as_null_and_found_again(store: Store, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "a.json").write_text('{"x": NaN, "y": 1}')
    folder = store.put_folder(tmp_path / "odd")
    cite = Citations()
    assert cite("nan", float("nan"), name="x", folder=folder, file="a.json", pointer="/x") == "nan"
    assert cite.as_plain()[0]["value"] is None
    assert check_citations(cite.as_plain(), store) == []
    wrong = cite.as_plain()[0] | {"place": {"folder": folder, "file": "a.json", "pointer": "/y"}}
    assert len(check_citations([wrong], store)) == 1


def test_pointers_escape_what_they_must() -> None:
    assert pointer("a/b", "c~d", 2) == "/a~1b/c~0d/2"
