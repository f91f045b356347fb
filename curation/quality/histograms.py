"""Histograms of numeric columns, drawn as plain SVG text: no library and no network on the page.

find_histograms(flat_table, ("num_turns",))      (Histogram(column="num_turns", counts=(114, 80, ...), low=1.0, high=9.0, ...),)

A long tail is cut at the 99th percentile; the last bar then holds all that is above.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup, escape
from numpy.typing import NDArray

NUM_BINS = 24
TAIL = 1.5
"""The tail is cut where the largest value is more than this many times the 99th percentile."""
WIDTH, HEIGHT, BASE, WIDEST_BAR = 300, 110, 84, 40
PREFERRED = ("num_prompt_words", "num_words", "num_answer_words", "num_chosen_words", "num_tokens_estimate", "num_turns")


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """How the values of one column are spread."""

    column: str
    counts: tuple[int, ...]
    low: float
    high: float
    is_cut: bool
    """The last bar holds larger values too."""
    median: float
    largest: float
    num_missing: int


def find_histograms(table: pa.Table, columns: Sequence[str] = PREFERRED) -> tuple[Histogram, ...]:
    """Return a histogram of each of the columns that the table has, is numeric, and holds a finite value."""
    found = (
        _histogram(table, name) for name in columns if name in table.column_names and _is_number(table.schema.field(name).type)
    )
    return tuple(item for item in found if item is not None)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _histogram(table: pa.Table, name: str) -> Histogram | None:
    column = table[name].cast(pa.float64())
    values: NDArray[np.float64] = pc.drop_null(column).to_numpy()
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    largest, top = float(values.max()), float(np.percentile(values, 99))
    is_cut = top > 0 and largest > TAIL * top
    low, high = float(values.min()), top if is_cut else largest
    is_whole = bool(pa.types.is_integer(table.schema.field(name).type))
    edges = _edges(low, high, is_whole=is_whole)
    counts, _ = np.histogram(np.minimum(values, high), bins=edges)
    return Histogram(
        column=name,
        counts=tuple(int(count) for count in counts),
        low=low,
        high=high,
        is_cut=is_cut,
        median=float(np.median(values)),
        largest=largest,
        num_missing=table.num_rows - len(values),
    )


def _edges(low: float, high: float, *, is_whole: bool) -> NDArray[np.float64]:
    if is_whole and high - low < NUM_BINS:
        return np.arange(np.floor(low) - 0.5, np.ceil(high) + 1.0)
    return np.linspace(low, high if high > low else low + 1, NUM_BINS + 1)


def draw_histogram(item: Histogram) -> Markup:
    """Return the histogram as an SVG element, with what it shows in words for screen readers."""
    top = max(1, *item.counts) if item.counts else 1
    step = min(WIDTH / len(item.counts), WIDEST_BAR)
    bars = []
    for number, count in enumerate(item.counts):
        height = 0.0 if not count else max(1.5, count / top * (BASE - 6))
        kind = "column tail" if item.is_cut and number == len(item.counts) - 1 else "column"
        shape = f'x="{number * step + 0.5:.1f}" y="{BASE - height:.1f}" width="{max(step - 1, 0.8):.1f}" height="{height:.1f}"'
        bars.append(f'<rect class="{kind}" rx="1" {shape}/>')
    end = f"{show_number(item.high)}{' and more' if item.is_cut else ''}"
    said = f"{item.column}: {show_number(item.low)} to {show_number(item.largest)}, median {show_number(item.median)}"
    return Markup(  # noqa: S704 - numbers and escaped names only
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(said)}"><title>{escape(said)}</title>'
        f'{"".join(bars)}<line class="axis" x1="0" x2="{WIDTH}" y1="{BASE}" y2="{BASE}"/>'
        f'<text x="0" y="{HEIGHT - 8}">{show_number(item.low)}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 8}" text-anchor="end">{end}</text></svg>'
    )


def show_number(value: float) -> str:
    """Return a number for people: thousands separated, at most three decimals."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3f}".rstrip("0").rstrip(".")
