"""The plots of the card's page: plain SVG text, so that the page needs no library and no network.

    draw_bars([Bar("documents", 1200, 34)], title="Rows by stage")
    draw_histogram(length_summary, title="Length of answers")

Every plot has a title and a description for screen readers; colours come from the page by class.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from curation.data_card.card import LengthSummary

WIDTH, LABEL, ROW = 720, 190, 32
SMALL_WIDTH, SMALL_HEIGHT = 340, 170
MAX_LABEL = 26


class Bar(NamedTuple):
    """One bar: what was kept, and what was dropped beside it."""

    label: str
    kept: int
    dropped: int = 0
    note: str = ""
    """What stands after the bar; empty: the numbers."""


def draw_bars(bars: Sequence[Bar], *, title: str) -> Markup:
    """Draw a bar a row, all on one scale."""
    largest = max((bar.kept + bar.dropped for bar in bars), default=0) or 1
    space = WIDTH - LABEL - 190
    parts: list[str] = []
    for index, bar in enumerate(bars):
        y = ROW * index + 6
        kept, dropped = space * bar.kept / largest, space * bar.dropped / largest
        parts.append(_text(LABEL - 12, y + 15, bar.label, "label", "end"))
        parts.append(f'<rect x="{LABEL}" y="{y}" width="{max(kept, 1):.1f}" height="20" rx="3" class="kept"/>')
        if bar.dropped:
            x, width = LABEL + max(kept, 1) + 2, max(dropped, 1)
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="20" rx="3" class="dropped"/>')
        parts.append(_text(LABEL + kept + dropped + 12, y + 15, bar.note or _numbers(bar), "note", "start"))
    described = "; ".join(f"{bar.label}: {bar.note or _numbers(bar)}" for bar in bars)
    return _figure(parts, WIDTH, ROW * len(bars) + 6, title, described)


def _numbers(bar: Bar) -> str:
    return f"{bar.kept:,}" + (f" kept, {bar.dropped:,} rejected" if bar.dropped else "")


def draw_histogram(lengths: LengthSummary, *, title: str) -> Markup:
    """Draw the histogram of one part with its median, on a logarithmic scale; nothing where all are equally long."""
    counts = lengths.counts
    if lengths.minimum == lengths.maximum or not sum(counts):
        return Markup()
    largest, floor = max(counts), SMALL_HEIGHT - 26
    step = (SMALL_WIDTH - 8) / len(counts)
    parts = [
        f'<rect x="{4 + step * index:.1f}" y="{floor - height:.1f}" width="{max(step - 1.5, 0.5):.1f}" '
        f'height="{height:.1f}" rx="1.5" class="kept"/>'
        for index, count in enumerate(counts)
        if count and (height := max((floor - 14) * count / largest, 1.5))
    ]
    parts.append(f'<line x1="4" y1="{floor}" x2="{SMALL_WIDTH - 4}" y2="{floor}" class="axis"/>')
    x = 4 + step * _position(lengths.edges, lengths.median)
    parts.append(f'<line x1="{x:.1f}" y1="8" x2="{x:.1f}" y2="{floor}" class="median"/>')
    parts += [
        _text(4, SMALL_HEIGHT - 8, f"{lengths.minimum:,.0f}", "tick", "start"),
        _text(SMALL_WIDTH - 4, SMALL_HEIGHT - 8, f"{lengths.maximum:,.0f}", "tick", "end"),
        _text(min(max(x, 70), SMALL_WIDTH - 70), SMALL_HEIGHT - 8, f"median {lengths.median:,.0f}", "tick", "middle"),
    ]
    described = f"From {lengths.minimum:,.0f} to {lengths.maximum:,.0f} {lengths.unit}, median {lengths.median:,.0f}."
    return _figure(parts, SMALL_WIDTH, SMALL_HEIGHT, title, described)


def _position(edges: Sequence[float], value: float) -> float:
    """Return where a value lies among the bins, in bins from the left."""
    for index, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        if value < high:
            return index + max(0.0, (value - low) / (high - low or 1.0))
    return float(len(edges) - 1)


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    shown = text if kind != "label" or len(text) <= MAX_LABEL else text[: MAX_LABEL - 2] + ".."
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(shown)}</text>'


def _figure(parts: Iterable[str], width: int, height: int, title: str, described: str) -> Markup:
    head = f"<title>{escape(title)}</title><desc>{escape(described[:2000])}</desc>"
    body = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {width} {height}" role="img" width="{width}">{head}{body}</svg>')  # noqa: S704
