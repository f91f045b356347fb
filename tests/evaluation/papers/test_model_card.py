import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from evaluation.papers.citations import Citations
from evaluation.papers.config import PapersConfig
from evaluation.papers.eval_results import result_files
from evaluation.papers.facts import BaseFacts, ForgettingRow, PaperFacts, SourceFacts
from evaluation.papers.model_card import SECTIONS, write_model_card
from tests.evaluation.papers.conftest import HOSTILE, make_comparison

TITLES = [title for title, _ in SECTIONS]


def card_of(facts: PaperFacts) -> str:
    return write_model_card(facts, Citations())


def front(card: str) -> dict[str, Any]:
    parsed = yaml.safe_load(card.split("---\n")[1])
    assert isinstance(parsed, dict)
    return parsed


def leaves(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [leaf for item in inner for leaf in leaves(item)]


def test_the_hub_reads_the_card(make_facts: Callable[..., PaperFacts]) -> None:
    from huggingface_hub import ModelCard

    data = ModelCard(card_of(make_facts())).data
    assert (data.license, data.base_model, data.datasets) == ("apache-2.0", "org/base-1b", ["org/rows", "toy"])
    assert {result.metric_type: result.metric_value for result in data.eval_results} == {"exact_match": 0.75}
    assert data.co2_eq_emissions["emissions"] == pytest.approx(6.5 * 400 / 1000 * 380)


def test_all_sections_are_there_and_none_is_empty(make_facts: Callable[..., PaperFacts], bare_facts: PaperFacts) -> None:
    for facts in (make_facts(), bare_facts):
        card = card_of(facts)
        assert re.findall(r"^## (.*)$", card, flags=re.MULTILINE) == TITLES
        assert not re.search(r"^(#+) .*\n\n(\1 |$)", card, flags=re.MULTILINE)
        assert not re.search(r"\| +\|(?!  \|$)", re.sub(r"^\|  \|.*$", "", card, flags=re.MULTILINE))
        assert all(leaf not in ("", None) for leaf in leaves(front(card)))


def test_what_nobody_stated_says_how_to_state_it(bare_facts: PaperFacts) -> None:
    card = card_of(bare_facts)
    for key in (
        "license",
        "languages",
        "contact",
        "users",
        "out_of_scope",
        "limits",
        "risks",
        "intended_use",
        "watts_per_device",
    ):
        assert f"not stated: set `papers.{key}` in the recipe" in card, key
    assert front(card)["license_name"] == "not-stated"
    assert "Not measured" in card.split("## Forgetting")[1]


def test_hostile_texts_are_no_markup(make_facts: Callable[..., PaperFacts]) -> None:
    stated = PapersConfig(intended_use=HOSTILE, limits=(HOSTILE,), risks=(HOSTILE,), users=(HOSTILE,), license=HOSTILE[:200])
    body = card_of(make_facts(text=HOSTILE, stated=stated)).split("---\n", 2)[2]
    assert "<img" not in body
    assert "</script" not in body
    assert not re.search(r"(?<!\\)\]\(javascript", body)
    assert re.findall(r"^## (.*)$", body, flags=re.MULTILINE) == TITLES
    body.encode()


def test_the_licence_is_taken_from_sources_only_where_they_agree_and_no_other_model_is_in_it(
    make_facts: Callable[..., PaperFacts],
) -> None:
    built, mit = BaseFacts(hash="b" * 32, is_built=True), (SourceFacts(name="a", kind="files", license="MIT"),)
    free = PapersConfig()
    assert front(card_of(make_facts(stated=free, base=built, sources=mit)))["license"] == "mit"
    assert front(card_of(make_facts(stated=free, sources=mit)))["license_name"] == "not-stated"
    mixed = (*mit, SourceFacts(name="b", kind="files", license="CC-BY-4.0"))
    assert front(card_of(make_facts(stated=free, base=built, sources=mixed)))["license"] == "other"


def test_forgetting_is_shown_with_its_place(make_facts: Callable[..., PaperFacts]) -> None:
    row = ForgettingRow(
        area="arithmetic", measure="accuracy", base=0.6, candidate=0.5, difference=-0.1, low=-0.2, high=0.0, verdict="fail",
        place={"folder": "f" * 32, "file": "forgetting.json", "pointer": "/stages/0/areas/2"},
    )  # fmt: skip
    cite = Citations()
    card = write_model_card(make_facts(forgetting=(row,)), cite)
    assert "| arithmetic | `accuracy` | 0.600 | 0.500 | -0.100 | -0.200 to 0.000 | fail |" in card
    places = {item["name"]: item["place"] for item in cite.as_plain()}
    assert places["forgetting arithmetic base"]["pointer"] == "/stages/0/areas/2/base_accuracy"


def test_results_have_the_form_of_the_hub(make_facts: Callable[..., PaperFacts]) -> None:
    from huggingface_hub import eval_result_entries_to_yaml, parse_eval_result_entries

    facts = make_facts()
    files = result_files(facts, Citations())
    assert list(files) == [".eval_results/held_out.yaml"]
    written = yaml.safe_load(files[".eval_results/held_out.yaml"])
    entries = parse_eval_result_entries(written)
    assert eval_result_entries_to_yaml(entries) == written
    entry = entries[0]
    assert (entry.dataset_id, entry.task_id, entry.value) == ("toy/held_out", "exact_match", 0.75)
    assert entry.dataset_revision == facts.data[1].root
    assert "95% interval 0.6500 to 0.8500, 40 items" in str(entry.notes)


def test_several_tasks_have_a_file_each_and_what_is_no_number_is_left_out(make_facts: Callable[..., PaperFacts]) -> None:
    comparison = make_comparison()
    first = comparison["tasks"][0]
    odd = [{**item, "estimates": [{**item["estimates"][0], "mean": math.nan}]} for item in first["summaries"]]
    comparison["tasks"] += [{**first, "task": "a/../b"}, {**first, "task": "odd", "summaries": odd}]
    facts = make_facts(comparison=comparison)
    assert list(result_files(facts, Citations())) == [".eval_results/held_out.yaml", ".eval_results/a_b.yaml"]
    index = front(card_of(facts))["model-index"][0]["results"]
    assert [result["dataset"]["type"] for result in index] == ["toy/held_out", "toy/a/../b"]


def test_guards_and_what_answers_take_are_told(make_facts: Callable[..., PaperFacts]) -> None:
    card = card_of(make_facts())
    guard = "| guard | held_out, topic=dates | `exact_match` | base | -0.010 | -0.030 to +0.010 | undecided, for information |"
    assert guard in card
    assert "| candidate | 0.11 s | 0.32 s | 61.0 | 9.5 | $0.012 |" in card
    assert "| base | 0.2 s | not measured | not measured | not measured | set `evaluation.gpu_usd_per_hour` |" in card


def test_a_model_that_was_refused_says_so(make_facts: Callable[..., PaperFacts]) -> None:
    facts = make_facts()
    assert "champion of its recipe" in card_of(facts)
    assert "| State | not promoted |" in card_of(replace(facts, decision={"promoted": False}))
    of_another = replace(facts, decision={"promoted": True, "model": "f" * 32})
    assert "| State | not decided yet |" in card_of(of_another)
