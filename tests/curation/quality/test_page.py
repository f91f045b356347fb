"""The quality page: whole without a network, nothing hidden, nothing injected."""

import re
from html.parser import HTMLParser

import pyarrow as pa
import pytest

from curation.quality.config import ExpectationConfig
from curation.quality.histograms import find_histograms
from curation.quality.page import QualityReport, make_report, render_quality_page, visible

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x00'
TABLE = pa.table(
    {
        "key": [HOSTILE, *(f"faq/a.csv#{number}" for number in range(99))],
        "answer": ["bad"] * 40 + ["good"] * 60,
        "num_turns": list(range(100)),
    }
)
SUITE = (
    ExpectationConfig(
        type="expect_column_values_to_not_match_regex", column="answer", on_failure="review", args={"regex": "bad|<b>&"}
    ),
    ExpectationConfig(type="expect_column_values_to_match_regex", column="answer", severity="warning", args={"regex": "("}),
    ExpectationConfig(
        type="expect_column_mean_to_be_between", column="num_turns", severity="info", args={"min_value": 60, "max_value": 90}
    ),
)


class _Tags(HTMLParser):
    """Collects tags, attributes and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page() -> str:
    good = make_report("documents", SUITE[2:], TABLE.slice(60))
    return render_quality_page([make_report("demonstrations", SUITE, TABLE), good], title="support & <co>")


def _parsed(page: str) -> _Tags:
    parser = _Tags()
    parser.feed(page)
    return parser


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    assert re.findall(r"https?:|//[a-z]|url\(|@import|javascript:", page) == []
    parsed = _parsed(page)
    assert {tag for tag in parsed.tags if tag in ("script", "img", "iframe", "object", "form")} == set()
    assert {value for name, value in parsed.attributes if name in ("src", "href")} == {"data:,", "#suite-1", "#suite-2"}
    assert [name for name, _ in parsed.attributes if name.startswith("on") or name == "style"] == []
    assert any(value and value.startswith("default-src 'none'") for _, value in parsed.attributes)


def test_hostile_keys_are_escaped_and_made_visible(page: str) -> None:
    parsed = _parsed(page)
    assert "<script>alert(1)</script>" in parsed.text
    assert "\\u202e" in parsed.text
    assert not {"\x00", "\u202e"} & set(page)
    assert "support & <co>" in parsed.text
    assert "bad|<b>&" in parsed.text


def test_every_expectation_is_shown_with_what_it_found(page: str) -> None:
    text = " ".join(_parsed(page).text.split())
    assert "3 expectations hold, 2 are violated, 1 could not be evaluated." in text
    for part in (
        "answer: values to not match regex",
        "rows sent to review",
        "49.5",
        "40.0 %",
        "17 more of 37",
        "Blocks what follows",
    ):
        assert part in text
    assert text.index("It could not be evaluated on 'answer'") < text.index("answer: values to not match regex")
    assert page.count('class="suite ') == 2
    assert page.count('class="column') > 20


def test_verdicts() -> None:
    outcomes = make_report("t", SUITE, TABLE).outcomes
    held = tuple(item for item in outcomes if item.passed)
    assert QualityReport(table="t", num_rows=100, outcomes=outcomes).verdict == "blocked"
    assert QualityReport(table="t", num_rows=100, outcomes=(*held, outcomes[-1])).verdict == "noted"
    assert QualityReport(table="t", num_rows=100, outcomes=held).verdict == "clean"


def test_empty_pages_are_pages() -> None:
    assert "No suite has been run." in render_quality_page([])
    assert "has no expectations" in render_quality_page([QualityReport(table="t", num_rows=0, outcomes=())])
    assert "is violated" in render_quality_page([make_report("t", SUITE[2:], TABLE.slice(0, 0))])


def test_a_page_can_always_be_written() -> None:
    table = pa.table({"key": ["a"]})
    page = render_quality_page([make_report("t", (), table)], title="lone \ud800 surrogate")
    assert "\\ud800" in page
    page.encode("utf-8")


def test_long_and_invisible_texts() -> None:
    assert visible("a\u200bb\n") == "a\\u200bb\\u000a"
    assert len(visible("x" * 1000)) == 160


def test_histograms_of_awkward_columns() -> None:
    table = pa.table(
        {
            "num_turns": [1, 1, 2, 3],
            "num_words": [5] * 4,
            "num_answer_words": pa.array([None] * 4, pa.int64()),
            "num_prompt_words": [1.0, float("nan"), float("inf"), 4.0],
            "num_chosen_words": ["a"] * 4,
        }
    )
    found = {item.column: item for item in find_histograms(table)}
    assert set(found) == {"num_turns", "num_words", "num_prompt_words"}
    assert found["num_turns"].counts == (2, 1, 1)
    assert (sum(found["num_words"].counts), found["num_prompt_words"].num_missing) == (4, 2)
    tail = find_histograms(pa.table({"num_words": [*range(1000), 10**6]}))[0]
    assert (tail.is_cut, sum(tail.counts), tail.largest) == (True, 1001, 10**6)
