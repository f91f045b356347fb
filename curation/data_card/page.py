"""The card as one offline page: plots as inline SVG, light and dark, no script, nothing loaded.

Path("index.html").write_text(render_html(card))
"""

import base64
import hashlib
import re
from collections import Counter
from pathlib import Path

import jinja2
from markupsafe import Markup

from curation.data_card.card import DataCard
from curation.data_card.charts import Bar, draw_bars, draw_histogram
from curation.data_card.sections import sections_of

TEMPLATES = Path(__file__).parent / "templates"
MAX_BARS = 15
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
_NUMBER = re.compile(r"[\d,. %]+")


def render_html(card: DataCard) -> str:
    """Return the page. What is unknown is left out; every text is escaped."""
    style = (TEMPLATES / "card.css.j2").read_text()
    page = (
        _environment()
        .get_template("card.html.j2")
        .render(
            card=card,
            sections=sections_of(card),
            plots=_plots(card),
            histograms=[(item, draw_histogram(item, title=f"Length of {item.part}, {item.unit}")) for item in card.lengths],
            verdict=_verdict(card),
            style=Markup(style),  # noqa: S704
            policy=_policy(style),
        )
    )
    return _INVISIBLE.sub("\ufffd", page)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": lambda value: f"{value:,}",
        "is_number": lambda text: bool(_NUMBER.fullmatch(text)),
        "address": lambda text: text if re.fullmatch(r"https?://[^\s\"'<>]{1,2000}", text) else "",
    }
    return environment


def _policy(style: str) -> str:
    """Return a policy under which nothing loads or runs and only the page's own style applies."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def _verdict(card: DataCard) -> tuple[str, str]:
    """Return a class and a word for the terms; empty if they were not judged."""
    if card.terms.passed is None:
        return "", ""
    if not card.terms.passed:
        return "bad", "Terms: not allowed"
    refused = sum(rows for name, rows in card.terms.verdicts.items() if name != "allowed")
    return ("warn", "Terms: with exceptions") if refused else ("good", "Terms: allowed")


def _plots(card: DataCard) -> dict[str, tuple[str, Markup]]:
    """Return caption and plot by the section that they belong to."""
    stages = [
        Bar(item.stage.rpartition("/")[2].replace("_", " "), item.kept, sum(item.rejected.values())) for item in card.stages
    ]
    languages = Counter(dict(card.languages)).most_common(MAX_BARS)
    found = {
        "stages": ("Rows kept and rejected by stage", stages),
        "rows": ("Rows by origin and source", _slices(card, "origin") + _slices(card, "source")),
        "languages": ("Rows by language", [Bar(code, rows) for code, rows in languages]),
    }
    return {name: (title, draw_bars(bars, title=title)) for name, (title, bars) in found.items() if bars}


def _slices(card: DataCard, dimension: str) -> list[Bar]:
    return [Bar(f"{dimension} {item.name}", item.rows) for item in card.slices if item.dimension == dimension][:MAX_BARS]
