"""The card as a page: offline, escaped, and with every figure of the card."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from curation.data_card.card import DataCard, LengthSummary
from curation.data_card.charts import Bar, draw_bars, draw_histogram
from curation.data_card.page import render_html
from tests.curation.data_card.conftest import HOSTILE, hostile_card


class Tags(HTMLParser):
    """Collects tags with attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


def test_the_page_tells_what_the_card_tells(full_card: DataCard) -> None:
    page = render_html(full_card)
    text = read(page).text
    for told in ("1,520", "45,210", "near_duplicate 400", "eval_set", "EMAIL", "The Help Desk", "Only one version", "cd" * 32):
        assert told in text, told
    assert page.count("<svg") == 4
    assert "Terms: allowed" in text
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        assert ElementTree.fromstring(drawing).find("title") is not None


def test_nothing_is_loaded_and_nothing_runs(full_card: DataCard) -> None:
    tags = read(render_html(full_card)).tags
    assert not {"script", "img", "iframe", "object", "form"} & {name for name, _ in tags}
    assert [attributes["href"] for name, attributes in tags if name == "link"] == ["data:,"]
    (policy,) = [item["content"] for name, item in tags if item.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_text(text: str) -> None:
    harmless, page = read(render_html(hostile_card("harmless"))), render_html(hostile_card(text))
    found = read(page)
    assert [name for name, _ in found.tags] == [name for name, _ in harmless.tags]
    assert all(not name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert not any(char in page for char in "\u202e\u200b\x00\x1b")
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(drawing)


def test_only_web_addresses_become_links() -> None:
    for address in ("javascript:alert(1)", 'https://a.example/" onclick=x', "data:text/html,x"):
        assert not [name for name, _ in read(render_html(hostile_card(address))).tags if name == "a"]
    assert [name for name, _ in read(render_html(hostile_card("https://a.example/x"))).tags if name == "a"]


def test_an_empty_card_is_a_page() -> None:
    assert "<svg" not in render_html(DataCard(name="bare"))


def test_bars_keep_to_one_scale() -> None:
    drawn = draw_bars([Bar("a", 100, 100), Bar("b", 50), Bar("zero", 0)], title="t")
    widths = [
        float(width) for width in re.findall(r'height="20"', drawn) and re.findall(r'width="([\d.]+)" height="20"', drawn)
    ]
    assert widths == [170.0, 170.0, 85.0, 1.0]


def test_an_empty_histogram_is_nothing() -> None:
    nothing = LengthSummary(part="x", unit="y", minimum=0, median=0, p95=0, maximum=0)
    assert draw_histogram(nothing, title="t") == ""
