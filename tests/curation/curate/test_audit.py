"""The audit fails closed: leaks, unknown terms and collapse each stop training, by name."""

from collections.abc import Callable
from dataclasses import replace

from curation.collapse.config import CollapseConfig
from curation.contamination.config import ContaminationConfig
from curation.curate.audit import audit_datasets
from curation.curate.settings import CurateSettings
from curation.records import Example

Make = Callable[..., Example]
SETTINGS = CurateSettings(licenses={"s": "MIT", "e": "MIT"})
SECRET = "Which of the seven lanterns on the northern pier was lit by the widow of the clockmaster in winter?"
WORDS = ("anchor", "rudder", "keel", "mast", "oar", "flour", "oven") + (
    "yeast",
    "crust",
    "dough",
    "crumb",
    "candle",
    "window",
    "ladder",
    "hammer",
)


def training_rows(make_row: Make, num_rows: int = 12) -> list[Example]:
    return [
        make_row(f"s/{n}", f"Where do people keep the {WORDS[n]} when nobody needs it?", f"Beside the {WORDS[n - 1]}.")
        for n in range(num_rows)
    ]


def held_out(make_row: Make) -> Example:
    return replace(make_row("e/1", SECRET, "The fourth lantern, the one with the green glass."), split="eval")


def test_clean_rows_pass_every_guard(make_row: Make) -> None:
    rows = training_rows(make_row)
    audit = audit_datasets(rows, [held_out(make_row)], rows, SETTINGS, CollapseConfig())
    assert {guard: found.passed for guard, found in audit.judgements.items()} == {
        "contamination": True,
        "terms": True,
        "collapse": True,
    }
    assert audit.num_items == {"eval_set": 1}


def test_a_leak_is_named_and_can_be_only_reported(make_row: Make) -> None:
    rows = [*training_rows(make_row), make_row("s/leak", SECRET, "The fourth lantern, the one with the green glass.")]
    audit = audit_datasets(rows, [held_out(make_row)], rows, SETTINGS, CollapseConfig())
    judgement = audit.judgements["contamination"]
    assert not judgement.passed
    assert "s/leak" in judgement.detail
    assert [(pair.record_key, pair.item_key) for pair in audit.pairs] == [("s/leak", "e/1")]
    lenient = replace(SETTINGS, contamination=ContaminationConfig(action="report"))
    told = audit_datasets(rows, [held_out(make_row)], rows, lenient, CollapseConfig()).judgements["contamination"]
    assert (told.passed, told.is_warning) == (True, True)


def test_unknown_terms_stop_the_data_set_and_name_the_rows(make_row: Make) -> None:
    rows = [*training_rows(make_row), make_row("x/1", "What is the ferry for?", "For crossing the bay.", license="")]
    judgement = audit_datasets(rows, [], rows, SETTINGS, CollapseConfig()).judgements["terms"]
    assert not judgement.passed
    assert "x/1" in judgement.detail


def test_too_little_real_data_stops_training(make_row: Make) -> None:
    rows = training_rows(make_row)
    by_model = {"origin": "synthetic", "generation_depth": 1}
    made = [
        replace(row, key=f"s/m{number}", provenance=replace(row.provenance, **by_model)) for number, row in enumerate(rows * 4)
    ]
    judgement = audit_datasets([*rows, *made], [], rows, SETTINGS, CollapseConfig()).judgements["collapse"]
    assert not judgement.passed
    assert "real data" in judgement.detail
