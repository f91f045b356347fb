import html
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from evaluation.cards import model_card
from evaluation.clean_subset import score_clean_subset
from evaluation.comparison import compare
from evaluation.config import EvaluationConfig, ReleaseConfig
from evaluation.plots import BarRow, IntervalRow, draw_bars, draw_curve, draw_intervals
from evaluation.records import EvalAnswer
from evaluation.report import render_report, write_report
from evaluation.report_inputs import LossCurve, ReportInputs, StageRows
from evaluation.report_views import answer_rows, confusions, label_of, label_rows
from evaluation.scoring import score_answers

HOSTILE = "</script></style><script>alert(1)</script><img src=//evil onerror=alert(1)>\"'{{ 7*7 }}"
PARTS = ("strings", "dates", "lists")


def make_answers(num_items: int = 60) -> list[EvalAnswer]:
    rows = []
    for number in range(num_items):
        reference = json.dumps({"part": PARTS[number % 3]}, separators=(",", ":"))
        said = {
            "base": HOSTILE if number % 10 else reference,
            "candidate": reference if number % 5 else '{"part":"lists"}',
        }
        for comparator, answer in said.items():
            rows.append(
                EvalAnswer(
                    key=f"{comparator}/item-{number:03}",
                    comparator=comparator,
                    model_hash="a" * 32,
                    item_key=f"item-{number:03}",
                    item_hash="b" * 32,
                    group=f"g{number // 2}",
                    prompt=f"{HOSTILE} {number}",
                    reference=reference,
                    answer=answer,
                    num_tokens=3,
                )
            )
    return rows


def make_inputs(**changes: object) -> ReportInputs:
    answers = make_answers()
    scores = score_answers(answers)
    inputs = ReportInputs(
        recipe="demo",
        comparison=compare(scores, EvaluationConfig(bootstrap_samples=200), ReleaseConfig()),
        answers=tuple(answers),
        scores=tuple(scores),
    )
    return replace(inputs, **changes)  # type: ignore[arg-type]


def full_inputs() -> ReportInputs:
    return make_inputs(
        description=HOSTILE,
        owner=HOSTILE,
        created_at="2026-11-24T09:30:12+00:00",
        loss_curves=(
            LossCurve(stage=HOSTILE, train=((1, 4.0), (2, math.nan), (3, 1.0)), evaluation=((1, 3.0), (3, math.inf))),
        ),
        stage_rows=(StageRows(stage=HOSTILE, kept=10, rejected={HOSTILE: 3}), StageRows(stage="empty", kept=0)),
        data_roots={HOSTILE: "9f"},
        model_hashes={"base_model": HOSTILE},
        config={"text": HOSTILE},
        versions={"torch": HOSTILE},
        seeds={"training": 0},
        teacher=HOSTILE,
        teacher_calls=5,
        teacher_cost_usd=0.25,
        review={HOSTILE: 4},
        links={"Dagster": "http://127.0.0.1:3000", "bad": "javascript:alert(1)"},
    )


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            self.addresses += [value or ""] if name in ("src", "href", "srcset", "action", "poster") else []
            self.handlers += [name] if name.startswith("on") or name == "style" else []


def parse(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


def test_hostile_text_stays_text() -> None:
    page = render_report(full_inputs())
    tags = parse(page)
    assert tags.scripts == 1
    assert tags.handlers == []
    assert set(tags.addresses) == {"data:,", "http://127.0.0.1:3000"}
    assert "{{ 7*7 }}" in html.unescape(page)
    assert "49" not in re.findall(r"'(\d+)", page)


def test_nothing_is_loaded_and_the_policy_names_the_own_script_and_style() -> None:
    page = render_report(full_inputs())
    policy = html.unescape(re.findall(r'Security-Policy" content="([^"]*)"', page)[0])
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"@import|url\(", page)


def test_the_verdict_comes_first_in_words() -> None:
    page = re.sub(r"<style>.*?</style>", "", render_report(make_inputs()), flags=re.DOTALL)
    assert page.index("Better than its base") < page.index("<table")
    assert "points ahead of the base" in page


def test_what_is_unknown_is_left_out() -> None:
    page = render_report(make_inputs())
    for title in ("Training</h2>", "From raw data", "Teacher", "Review", "Seeds", "The whole recipe"):
        assert title not in page


def test_the_clean_subset_stands_beside_the_scores() -> None:
    inputs = make_inputs()
    leaked = {f"item-{number:03}" for number in range(0, 60, 5)}
    subset = score_clean_subset(inputs.scores, leaked, EvaluationConfig(bootstrap_samples=200))
    page = render_report(replace(inputs, clean_subset=subset))
    assert "Training rows give away 12 of these items. On the 48 clean ones" in page
    clean, whole = subset.mean("candidate", "exact_match"), inputs.comparison.mean("candidate", "exact_match")
    assert clean is not None
    assert whole is not None
    assert f"candidate {clean * 100:.1f} % ({whole * 100:.1f} % on all)" in page
    none_leaked = score_clean_subset(inputs.scores, set(), EvaluationConfig(bootstrap_samples=200))
    assert "No training row gives away any" in render_report(replace(inputs, clean_subset=none_leaked))


def test_it_is_written_whole_and_small_however_large_the_input(tmp_path: Path) -> None:
    rows = [replace(row, prompt="long " * 50_000, answer="x" * 100_000) for row in make_answers()]
    path = write_report(make_inputs(answers=tuple(rows)), tmp_path / "report")
    assert path.name == "index.html"
    assert path.stat().st_size < 5_000_000
    assert list(path.parent.iterdir()) == [path]


def test_a_lone_surrogate_does_not_stop_the_report(tmp_path: Path) -> None:
    rows = [replace(row, answer="\ud800") for row in make_answers()]
    assert write_report(make_inputs(answers=tuple(rows)), tmp_path).exists()


def test_rows_say_what_changed() -> None:
    states = {row.key: row.state for row in answer_rows(make_inputs())}
    assert states["item-000"] == "lost"
    assert states["item-001"] == "gained"
    assert states["item-020"] == "right"
    assert states["item-015"] == "wrong"
    assert len(states) == 60


def test_labels_and_mistakes_are_counted() -> None:
    inputs = make_inputs()
    rows = {row.label: row for row in label_rows(inputs)}
    assert set(rows) == set(PARTS)
    assert rows["lists"].candidate == 1.0
    assert rows["strings"].candidate == pytest.approx(16 / 20)
    assert sum(item.num_items for item in confusions(inputs)) == 8
    assert {item.answer for item in confusions(inputs)} == {"lists"}


def test_free_text_answers_have_no_label_section() -> None:
    rows = [replace(row, reference=f"a sentence of its own, number {row.item_key}") for row in make_answers()]
    inputs = make_inputs(answers=tuple(rows), scores=tuple(score_answers(rows)))
    assert label_rows(inputs) == []
    assert "Where it is right" not in render_report(inputs)


@pytest.mark.parametrize(
    ("text", "label"), [('{"part":"x"}', "x"), ("yes ", "yes"), ('{"a":1,"b":2}', '{"a":1,"b":2}'), ("[" * 9000, "[" * 9000)]
)
def test_label_of(text: str, label: str) -> None:
    assert label_of(text) == label


def test_plots_survive_extremes_and_describe_themselves() -> None:
    assert draw_curve([(1, math.nan)], title="Loss") == ""
    assert "NaN" not in draw_curve([(1, 2.0)], title="Loss", also=[(1, math.inf)])
    flat = draw_intervals([IntervalRow("<b>", 0.0, 0.0, 0.0, "0 %")], title="T", low=0.0, high=0.0)
    assert "<title>T</title><desc>&lt;b&gt;: 0 %" in flat
    assert "nan" not in draw_bars([BarRow("a", 0, 0)], title="Rows")


def front_matter(card: str) -> dict[str, object]:
    parsed = yaml.safe_load(card.split("---\n")[1])
    assert isinstance(parsed, dict)
    return parsed


def test_the_model_card_has_front_matter_and_no_empty_field() -> None:
    card = model_card(full_inputs(), base_model="org/base", license="MIT", promoted=True)
    front = front_matter(card)
    assert front["base_model"] == "org/base"
    assert front["license"] == "mit"
    assert all(front.values())
    assert "It is the champion" in card
    assert "<script>" not in card
    bare = model_card(make_inputs())
    assert "base_model" not in front_matter(bare)
    assert not re.search(r"^## .*\n\n(## |$)", bare, flags=re.MULTILINE)
    assert not re.search(r"\| +\|", bare)


def test_the_model_card_parses_where_it_will_be_read() -> None:
    from huggingface_hub import ModelCard

    data = ModelCard(model_card(full_inputs(), license="MIT, CC-BY-4.0")).data
    assert data.license == "other"
    values = {result.metric_type: result.metric_value for result in data.eval_results}
    assert values["exact_match"] == pytest.approx(0.8667)
