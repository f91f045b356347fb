"""What rows say cannot reach the page as Markdown or HTML, and what is no JSON number cannot break it."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from assets.presentation import PLOT_CHARS, displayable, loss_plot, markdown_table, metadata_of, text_plot
from assets.stage import Outputs, run_stage
from curation.home import Home
from curation.records import ContaminationPair, Rejection

HOSTILE = [
    "a | b",
    "a \\| b",
    "a \\\\| b",
    "line\nbreak\r\nand | more",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/pixel.png)",
    "`code | span`",
    "``",
    "<!-- ",
    "&lt;b&gt;",
    "**bold** _it_ ~~gone~~",
    "\u2028|\u2029|\x0b|\x0c|\x85|",
    "x" * 10_000,
    "",
]


def render(table: str) -> tuple[int, list[Token]]:
    """Return the number of table cells, and the tokens inside them that are not plain text."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(table)
    assert [token.type for token in tokens if token.level == 0] == ["table_open", "table_close"]
    inline = [token for token in tokens if token.type == "inline"]
    children = [child for token in inline for child in token.children or []]
    return len(inline), [child for child in children if child.type not in ("text", "text_special")]


def assert_contained(cells: list[str]) -> None:
    rows = [{"key": cell, "other": cell} for cell in cells]
    assert render(markdown_table(rows)) == (2 * (len(rows) + 1), [])


@pytest.mark.parametrize("cell", HOSTILE)
def test_hostile_cell_stays_in_its_cell(cell: str) -> None:
    assert_contained([cell, "fine"])


@given(
    cells=st.lists(
        st.text(st.sampled_from("ab |\\`<>[]()!&;#*_~\n\r\t-:\"'") | st.characters(codec="utf-8"), max_size=30),
        min_size=1,
        max_size=4,
    )
)
@example(cells=["\\|"])
def test_any_text_stays_in_its_cell(cells: list[str]) -> None:
    assert_contained(cells)


def test_cell_shows_the_text_shortened() -> None:
    tokens = (
        MarkdownIt()
        .enable("table")
        .parse(markdown_table([{"key": "a <b> | [c](d)", "n": 3, "long": "x" * 500, "list": ["<"]}]))
    )
    cells = ["".join(child.content for child in token.children or []) for token in tokens if token.type == "inline"][4:]
    assert cells[:2] == ["a <b> | [c](d)", "3"]
    assert len(cells[2]) == 160
    assert cells[2].endswith("...")
    assert cells[3] == '["<"]'


def test_provenance_and_sections_are_left_out() -> None:
    assert "secret" not in markdown_table([{"key": "k", "provenance": {"x": "secret"}, "sections": ["secret"]}])


def test_metadata_counts_rows_and_reasons(home: Home) -> None:
    rejected = [
        Rejection(key=f"k{number}", stage="s", reason=reason, detail="<b>", record_hash="", excerpt="")
        for number, reason in enumerate(["dup", "dup", "long|<i>"])
    ]
    values = {"cost_usd": 1.5, "final_loss": math.nan, "loss_curve": [[1, 2.0]]}
    outputs = Outputs(tables={"rejections": (Rejection, rejected), "empty": (Rejection, [])}, values=values)
    run = run_stage(home, asset="toy/x", inputs=[], code="c", make=lambda _: outputs)
    metadata = metadata_of(home.store(), run)
    assert (metadata["num_rejections"], metadata["num_empty"], metadata["cost_usd"]) == (3, 0, 1.5)
    assert metadata["reused"].value is False
    assert "sample_empty" not in metadata
    reasons = metadata["rejected_by_reason"].value
    assert reasons.index("dup | 2") < reasons.index("long")
    assert render(reasons) == (9, [])  # reason, rows and a bar in three lines
    assert render(metadata["sample_rejections"].value) == (16, [])
    assert render(metadata["sample_rejections"].value)[1] == []
    assert metadata["final_loss"] == "nan"


def test_metadata_names_the_place_of_a_folder(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "f").write_text("x")
    run = run_stage(home, asset="toy/x", inputs=[], code="c", make=lambda _: Outputs(folders={"model": folder}))
    assert (Path(metadata_of(home.store(), run)["model_path"].value) / "f").read_text() == "x"


@pytest.mark.parametrize("losses", [[2.0], [2.0, 1.0], [1.0] * 300, [2.0, math.nan, 3.0], [math.inf], [math.nan, math.nan]])
def test_loss_plot_is_valid_json_whatever_the_losses(losses: list[float]) -> None:
    shown = loss_plot({"loss_curve": [[step, loss] for step, loss in enumerate(losses)]})
    json.dumps(shown["loss_curve"].value, allow_nan=False)
    assert f"at step {len(losses) - 1}" in shown["loss"].value


def test_loss_plot_falls_with_the_loss() -> None:
    text = loss_plot({"loss_curve": [[1, 3.0], [2, 2.0], [3, 1.0]]})["loss"].value
    bars = text.split("`")[1]
    assert list(bars) == sorted(bars, reverse=True)
    assert len(set(bars)) == 3
    assert loss_plot({}) == {}


def test_only_numbers_that_json_knows_are_shown_as_numbers() -> None:
    assert [displayable(value) for value in (1, 1.5, True, "x", math.nan, -math.inf)] == [1, 1.5, True, "x", "nan", "-inf"]


def test_every_table_that_a_stage_writes_can_be_shown(home: Home) -> None:
    pair = ContaminationPair(
        key="1", record_key="a/<b>", item_key="gold/1", benchmark="eval_set", field="prompt", measure="ngram", score=0.8
    )
    made = Outputs(tables={"contamination_pairs": (ContaminationPair, [pair])})
    run = run_stage(home, asset="demo/dataset_audit", inputs=[], code="1", make=lambda _: made)
    shown = metadata_of(home.store(), run)
    assert shown["num_contamination_pairs"] == 1
    assert "gold/1" in shown["sample_contamination_pairs"].value


@pytest.mark.parametrize("num_points", [1, 47, 48, 49, 95, 119, 328, 10_000])
def test_a_curve_is_never_wider_than_the_page_shows(num_points: int) -> None:
    bars = text_plot("loss", [[step, 1.0 / (step + 1)] for step in range(num_points)]).split("`")[1]
    assert min(num_points, PLOT_CHARS / 2) <= len(bars) <= PLOT_CHARS
