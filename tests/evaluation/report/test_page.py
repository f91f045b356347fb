import html
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from evaluation.config import EvaluationConfig
from evaluation.gate.clean_subset import score_clean_subset
from evaluation.report.inputs import LossCurve, ReportInputs, StageRows
from evaluation.report.nearest import Nearest
from evaluation.report.page import render_report, write_report
from evaluation.report.sections.labels import label_rows
from evaluation.tasks.measures import label_of
from tests.evaluation.report.made_report import JUDGES

HOSTILE = "</script></style><script>alert(1)</script><img src=//evil onerror=alert(1)>\"'{{ 7*7 }}"
TITLES = {
    "guards": "What else had to hold",
    "slices": "Slice by slice",
    "forgetting": "Forgetting",
    "memorisation": "What it knows by heart",
    "judges": "What judges prefer",
    "costs": "Cost against quality",
    "calibration": "Does it know when it is right?",
    "training": "Training",
    "rows": "From raw data to training rows",
}
ALWAYS = ("verdict", "scores", "answers", "provenance", "method")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.anchors: set[str] = set()
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "script":
            self.scripts.append(found.get("type") or "")
        if found.get("id"):
            self.ids.append(str(found["id"]))
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "poster"):
                (self.anchors.add if str(value).startswith("#") else self.addresses.append)(value or "")
            self.handlers += [name] if name.startswith("on") or name == "style" else []


def parse(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


def words_of(page: str) -> str:
    return re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)


def hostile(inputs: ReportInputs) -> ReportInputs:
    answers = tuple(replace(row, prompt=f"{HOSTILE} {row.prompt}", answer=HOSTILE + row.answer) for row in inputs.answers)
    judges: dict[str, Any] = {
        **JUDGES,
        "reason": HOSTILE,
        "judges": [{**JUDGES["judges"][0], "judge": HOSTILE, "reason": HOSTILE}],
    }
    return replace(
        inputs,
        answers=answers,
        judges=judges,
        nearest={inputs.answers[0].item_key: (Nearest(HOSTILE, HOSTILE, HOSTILE, 1.0),)},
        description=HOSTILE,
        owner=HOSTILE,
        loss_curves=(
            LossCurve(stage=HOSTILE, train=((1, 4.0), (2, math.nan), (3, 1.0)), evaluation=((1, 3.0), (3, math.inf))),
        ),
        stage_rows=(StageRows(stage=HOSTILE, kept=10, rejected={HOSTILE: 3}), StageRows(stage="empty", kept=0)),
        data_roots={HOSTILE: "9f"},
        model_hashes={"base_model": HOSTILE},
        config={"text": HOSTILE},
        versions={"torch": HOSTILE},
        teacher=HOSTILE,
        review={HOSTILE: 4},
        links={"Dagster": "http://127.0.0.1:3000", "bad": "javascript:alert(1)"},
    )


def test_hostile_text_stays_text(full: ReportInputs) -> None:
    page = render_report(hostile(full))
    tags = parse(page)
    assert tags.scripts == ["application/octet-stream", ""]
    assert tags.handlers == []
    assert set(tags.addresses) == {"data:,", "http://127.0.0.1:3000", "items.jsonl"}
    assert "{{ 7*7 }}" in html.unescape(page)
    assert "49" not in re.findall(r"'(\d+)", page)


def test_nothing_is_loaded_and_the_policy_names_the_own_script_and_style(full: ReportInputs) -> None:
    page = render_report(full)
    policy = html.unescape(re.findall(r'Security-Policy" content="([^"]*)"', page)[0])
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"@import|url\(", page)


def test_the_verdict_comes_first_in_words_with_three_numbers(full: ReportInputs) -> None:
    page = words_of(render_report(full))
    assert page.index("questions that training never saw") < page.index("<table")
    assert page.index("What to do:") < page.index("<svg")
    assert len(re.findall(r'<dd class="value">', page)) == 3


def test_all_sections_are_there_in_order_and_can_be_reached(full: ReportInputs) -> None:
    page = render_report(full)
    tags = parse(page)
    titles = [html.unescape(title) for title in re.findall(r"<h2[^>]*>(.*?)</h2>", page)]
    assert [title for title in titles if title in TITLES.values()] == list(TITLES.values())
    assert {anchor.removeprefix("#") for anchor in tags.anchors} <= set(tags.ids)
    assert len(tags.ids) == len(set(tags.ids))


def test_what_is_unknown_is_left_out(plain: ReportInputs) -> None:
    page = words_of(render_report(plain))
    for name, title in TITLES.items():
        assert f"{title}</h2>" not in page, name
    assert all(f'id="{name}"' in page for name in ALWAYS)
    for title in ("Teacher", "Review", "Seeds", "The whole recipe"):
        assert title not in page


def test_the_clean_subset_stands_beside_the_scores(plain: ReportInputs) -> None:
    keys = sorted({row.item_key for row in plain.answers})
    subset = score_clean_subset(plain.scores, set(keys[::5]), EvaluationConfig(bootstrap_samples=200))
    page = render_report(replace(plain, clean_subsets=(subset,)))
    assert "Training rows give away 12 of these items. On the 48 clean ones" in page
    clean, whole = subset.mean("candidate", "exact_match"), plain.comparison.mean("candidate", "exact_match")
    assert clean is not None
    assert whole is not None
    assert f"candidate {clean * 100:.1f} % ({whole * 100:.1f} % on all)" in page
    none_leaked = score_clean_subset(plain.scores, set(), EvaluationConfig(bootstrap_samples=200))
    assert "No training row gives away any" in render_report(replace(plain, clean_subsets=(none_leaked,)))


def test_it_is_written_whole_and_small_however_large_the_input(plain: ReportInputs, tmp_path: Path) -> None:
    rows = [replace(row, prompt="long " * 50_000, answer="x" * 100_000) for row in plain.answers]
    path = write_report(replace(plain, answers=tuple(rows)), tmp_path / "report")
    assert path.name == "index.html"
    assert path.stat().st_size < 5_000_000
    assert {file.name for file in path.parent.iterdir()} == {"index.html", "items.jsonl"}


def test_a_lone_surrogate_does_not_stop_the_report(plain: ReportInputs, tmp_path: Path) -> None:
    rows = tuple(replace(row, answer="\ud800", prompt="\udfff") for row in plain.answers)
    near = {row.item_key: (Nearest("document", "\ud800", "\ud800", 1.0),) for row in rows}
    assert write_report(replace(plain, answers=rows, nearest=near, owner="\ud800"), tmp_path).exists()


def test_judges_are_shown_and_not_believed_beyond_what_they_are(full: ReportInputs) -> None:
    page = render_report(full)
    for said in ("82.0 %", "79.0 %", "8.0 %", "0.60 to 0.81", "It decides nothing."):
        assert said in page
    unmeasured = [{**JUDGES["judges"][0], "kappa": {"value": None, "low": None, "high": None}}]
    advice = render_report(replace(full, judges={**JUDGES, "judges": unmeasured, "may_gate": False, "gates": True}))
    assert "advice only" in advice
    assert "A release needs it." in advice


def test_free_text_answers_have_no_label_section(plain: ReportInputs) -> None:
    rows = tuple(replace(row, reference=f"a sentence of its own, number {row.item_key}") for row in plain.answers)
    inputs = replace(plain, answers=rows)
    assert label_rows(inputs) == []
    assert "Where it is right" not in render_report(inputs)


@pytest.mark.parametrize(
    ("text", "label"), [('{"part":"x"}', "x"), ("yes ", "yes"), ('{"a":1,"b":2}', '{"a":1,"b":2}'), ("[" * 9000, "[" * 9000)]
)
def test_label_of(text: str, label: str) -> None:
    assert label_of(text) == label
