"""The report in a real browser: no request leaves it, nothing hostile runs, filters and search work, both colour schemes."""

import math
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation.comparison import compare
from evaluation.config import EvaluationConfig, ReleaseConfig
from evaluation.records import EvalAnswer
from evaluation.report import write_report
from evaluation.report_inputs import LossCurve, ReportInputs, StageRows
from evaluation.scoring import score_answers

pytestmark = pytest.mark.browser
ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
PARTS = ("strings", "dates_and_times", "lists_and_arrays", "aggregation", "joins", "input_output", "categories", "selectors")
HOSTILE = '</textarea><script>document.title="owned"</script><img src=x onerror="document.title=1">'


def make_answers(num_items: int) -> list[EvalAnswer]:
    draw = random.Random(7)
    rows = []
    for number in range(num_items):
        part = PARTS[int(len(PARTS) * (number / num_items) ** 1.6)]
        tuned = draw.random()
        answers = {
            "base": HOSTILE if number == 0 else "ing the the of Series" if draw.random() < 0.97 else f'{{"part":"{part}"}}',
            "base_few_shot": '{"part":"strings"}' if draw.random() < 0.9 else f'{{"part":"{part}"}}',
            "majority": '{"part":"strings"}',
            "sft": f'{{"part":"{part if tuned < 0.74 else draw.choice(PARTS)}"}}',
            "candidate": f'{{"part":"{part if tuned < 0.79 else draw.choice(PARTS)}"}}',
        }
        for comparator, answer in answers.items():
            key = f"api/polars.Expr.{part}.m{number}#routing/{number % 3}"
            rows.append(
                EvalAnswer(
                    key=f"{comparator}/{key}",
                    comparator=comparator,
                    model_hash="a" * 32,
                    item_key=key,
                    item_hash="b" * 32,
                    group=f"m{number // 3}",
                    prompt=HOSTILE if number == 0 else f"Which part of the API helps with task {number}, such as {part}?",
                    reference=f'{{"part":"{part}"}}',
                    answer=answer,
                    num_tokens=9,
                )
            )
    return rows


def make_inputs() -> ReportInputs:
    answers = make_answers(400)
    scores = score_answers(answers)
    curve = tuple((step, 5.2 * math.exp(-step / 60) + 0.6 + 0.1 * math.sin(step)) for step in range(1, 300, 3))
    return ReportInputs(
        recipe="sdk_assistant",
        description="Routes a question about the Polars package to the part of its API that answers it.",
        owner="data-team@example.com",
        created_at="2026-11-24T09:30:12+00:00",
        comparison=compare(scores, EvaluationConfig(), ReleaseConfig(minimum_difference=0.05)),
        answers=tuple(answers),
        scores=tuple(scores),
        loss_curves=tuple(LossCurve(stage=name, train=curve) for name in ("dapt_model", "sft_model", "preference_model")),
        stage_rows=(
            StageRows(stage="documents", kept=1282, rejected={"empty": 12}),
            StageRows(stage="candidates", kept=6210, rejected={"no_summary": 201}),
            StageRows(stage="curated_examples", kept=5210, rejected={"near_duplicate": 812, "exact_duplicate": 188}),
            StageRows(stage="verified_examples", kept=5102, rejected={"rejected_by_reviewer": 108}),
        ),
        data_roots={"sft_dataset": "9f" * 16, "eval_set": "3b" * 16},
        model_hashes={"base_model": "1a" * 16, "sft_model": "2b" * 16, "preference_model": "3c" * 16},
        config={"name": "sdk_assistant", "training": {"seed": 0, "note": "</script><b>bold</b>"}},
        versions={"torch": "2.13.0", "transformers": "5.23.0", "python": "3.11.9"},
        seeds={"training": 0, "evaluation": 0},
        teacher="extractive",
        teacher_calls=6411,
        review={"approve_automatic": 5102, "reject_automatic": 108},
        answer_statistics={"num_generated": 1600, "num_reused": 0, "tokens_per_s": 4520.7},
        links={"Dagster": "http://127.0.0.1:3000", "bad": "javascript:alert(1)"},
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(make_inputs(), tmp_path_factory.mktemp("report")).as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium")
    if found is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield started
        started.close()


def open_page(browser: Any, address: str, **options: Any) -> tuple[Any, list[str], list[str]]:
    page = browser.new_page(**options)
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    return page, requests, complaints


def test_nothing_is_requested_and_nothing_complains(browser: Any, address: str) -> None:
    page, requests, complaints = open_page(browser, address)
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert complaints == []
    assert page.title() == "sdk_assistant: evaluation report"
    assert page.locator("a[href^=javascript]").count() == 0
    page.close()


def test_filters_and_search_choose_rows(browser: Any, address: str) -> None:
    page, _, _ = open_page(browser, address)
    assert page.locator("#table tbody tr:visible").count() == 20
    page.get_by_role("button", name="Gained").click()
    states = page.locator("#table tbody tr:visible").evaluate_all("rows => rows.map(row => row.dataset.state)")
    assert set(states) == {"gained"}
    page.get_by_role("button", name="All").click()
    page.get_by_label("Search").fill("selectors.m39")
    keys = page.locator("#table tbody tr:visible .id").all_text_contents()
    assert keys
    assert all("selectors.m39" in key for key in keys)
    page.get_by_label("Search").fill("no such thing")
    assert page.locator("#status").text_content() == "0 of 0 shown"
    page.close()


def test_every_row_shows_without_scripts(browser: Any, address: str) -> None:
    page, _, _ = open_page(browser, address, java_script_enabled=False)
    assert page.locator("#table tbody tr:visible").count() == 400
    assert not page.locator("#controls").is_visible()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_is_readable(browser: Any, address: str, scheme: str, width: int, tmp_path: Path) -> None:
    page, _, _ = open_page(browser, address, color_scheme=scheme, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    contrasts = page.evaluate(CONTRAST)
    assert min(contrasts.values()) >= 4.5, contrasts
    page.screenshot(path=tmp_path / "report.png", full_page=True)
    page.close()


CONTRAST = """() => {
  const shade = (color) => {
    const parts = color.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (!color.endsWith(", 0)")) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const found = {};
  for (const name of ["h1", ".lead", ".badge", ".facts dt", ".small", "thead th", "tr.candidate td", "td.ok .mark",
                      "td.no .mark", ".answers .id", "button[aria-pressed=true]", "summary",
                      ".method p", ".pairs dt", "#status"]) {
    const node = document.querySelector(name);
    const pair = [shade(getComputedStyle(node).color), shade(behind(node))].sort((a, b) => b - a);
    found[name] = (pair[0] + 0.05) / (pair[1] + 0.05);
  }
  return found;
}"""
