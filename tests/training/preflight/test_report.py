import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from curation.errors import PreflightFailedError
from tests.training.preflight.conftest import make_example, make_pair, pairs_of, subject_of
from training.chat_format import IGNORED
from training.preflight import batch_rules, overlap_rules, pair_rules, size_rules, text_rules, token_rules, tokenizer_rules
from training.preflight.findings import PreflightReport
from training.preflight.inspect import inspect_rows, require_ready
from training.preflight.page import render_html
from training.preflight.plain_text import render_text
from training.preflight.promises import PROMISES
from training.preflight.rules import RULES
from training.preflight.saving import save_report
from training.preflight.views import MAX_TOKENS

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> \x1b[31mred \u202eesrever \x00 \U0001f642"
MODULES = (batch_rules, overlap_rules, pair_rules, size_rules, text_rules, token_rules, tokenizer_rules)


@pytest.fixture
def stopped(tokenizer: Any) -> PreflightReport:
    examples = [make_example(number, question=f"{HOSTILE} {number}") for number in range(2, 12)]
    examples[0] = dataclasses.replace(examples[0], key=f"{HOSTILE}/0")
    subject = subject_of(tokenizer, examples)
    labels = [[IGNORED] * len(row) if row_number in (0, 4) else row for row_number, row in enumerate(subject.columns["labels"])]
    return inspect_rows(dataclasses.replace(subject, columns={**subject.columns, "labels": labels}))


def test_every_rule_is_looked_for_somewhere_and_says_what_it_proves() -> None:
    assert {rule for module in MODULES for rule in module.RULES} == set(RULES) == set(PROMISES)


def test_the_error_names_rule_count_row_and_what_to_do(stopped: PreflightReport) -> None:
    with pytest.raises(PreflightFailedError) as caught:
        require_ready(stopped, saved="preflight/report.html")
    said = str(caught.value)
    assert "no token of a row is learnt in 2 of 10 rows" in said
    for part in ("sft_model", "(rule no_labels)", "Check the mask", "/0'", "preflight/report.html"):
        assert part in said


def test_what_holds_is_not_among_what_does_not(stopped: PreflightReport) -> None:
    assert "no_labels" not in stopped.rules_held
    assert "bos_repeated" in stopped.rules_held
    assert {finding.rule for finding in stopped.findings}.isdisjoint(stopped.rules_held)


def test_rows_are_shown_token_by_token(tokenizer: Any) -> None:
    report = inspect_rows(
        subject_of(tokenizer, [make_example(number, question=f"\U0001f642 {number}?") for number in range(2, 12)])
    )
    require_ready(report)
    tokens = report.samples[0].tokens
    assert "".join(token.text for token in tokens).startswith("<|bos|><|user|>\U0001f642 ")
    learnt = "".join(token.text for token in tokens if token.state == "trained")
    assert re.fullmatch(r"Berth \d+ is in the east\.<\|end\|>", learnt)
    assert tokens[0].is_special
    assert not tokens[-2].is_special


def test_a_long_row_shows_its_beginning_and_its_end(tokenizer: Any) -> None:
    report = inspect_rows(subject_of(tokenizer, [make_example(2, question="berth " * 900)]))
    view = report.findings[0].rows[0]
    assert report.findings[0].rule == "too_long"
    assert len(view.tokens) <= MAX_TOKENS
    assert view.num_left_out == view.num_tokens - MAX_TOKENS
    assert view.tokens[-1].text == "<|end|>"
    assert "tokens not shown" in render_html(report)


def test_the_page_shows_hostile_rows_as_text(stopped: PreflightReport) -> None:
    page = render_html(stopped)
    assert "<script" not in page
    assert "<img" not in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", page)
    assert not re.search(r"(?:src|href)=\"(?!data:,)", page)
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_a_terminal_is_steered_by_nothing_in_the_rows(stopped: PreflightReport) -> None:
    plain = render_text(stopped)
    assert "\x1b" not in plain
    assert "\u202e" not in plain
    coloured = render_text(stopped, has_colour=True)
    assert re.sub(r"\x1b\[[\d;]+m", "", coloured) == plain
    assert "\x1b[1;31mx error\x1b[0m no_labels" in coloured


def test_the_report_is_saved_as_json_and_as_a_page(stopped: PreflightReport, tmp_path: Path) -> None:
    page = save_report(stopped, tmp_path / "preflight")
    plain = json.loads((tmp_path / "preflight" / "report.json").read_text())
    assert plain["passed"] is False
    assert plain["findings"][0]["rule"] == "no_labels"
    assert page.read_text().startswith("<!doctype html>") or "<!doctype html>" in page.read_text()[:20]


def test_the_same_rows_give_the_same_report(tokenizer: Any) -> None:
    subjects = [subject_of(tokenizer, [make_example(number) for number in range(2, 12)]) for _ in range(2)]
    assert inspect_rows(subjects[0]).as_plain() == inspect_rows(subjects[1]).as_plain()


def test_both_answers_of_a_pair_are_shown(tokenizer: Any) -> None:
    report = inspect_rows(pairs_of(tokenizer, [make_pair(number, chosen="Same.", rejected="Same.") for number in range(2, 6)]))
    assert [view.part for view in report.errors[0].rows[:2]] == ["chosen", "rejected"]
