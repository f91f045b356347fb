"""Small charts for the pages of assets: Markdown tables with bars, which the Dagster UI shows as they are.

bar_chart({"en": 950, "de": 50}, label="language", value="rows")
length_bins([12, 80, 81, 300])     {"0 - 15": 1, ...}
funnel([("documents", 1282, 3), ("candidates", 6010, 12)])
"""

import bisect
from collections import Counter
from collections.abc import Mapping, Sequence

FULL, PARTS = "\u2588", " \u258f\u258e\u258d\u258c\u258b\u258a\u2589"
WIDTH = 16
"""Characters of the longest bar: more is cut off by the page beside long names."""
FUNNEL_WIDTH = 10
MAX_BARS = 12
EDGES = (0, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 65_536)
ENTITIES = {ord(mark): f"&#{ord(mark)};" for mark in "&<>|`[]\\*_~"}
"""What means something in Markdown or HTML; entities, since renderers differ on which backslashes count in a table."""


def bar_chart(counts: Mapping[str, float], *, label: str, value: str) -> str:
    """Return the counts as a table with bars, in the order given; what is too much becomes one last row."""
    shown = list(counts.items())
    if len(shown) > MAX_BARS:
        rest = shown[MAX_BARS - 1 :]
        shown = [*shown[: MAX_BARS - 1], (f"{len(rest)} more", sum(count for _, count in rest))]
    most = max((count for _, count in shown), default=0)
    rows = [f"| {escape(name or 'not stated')} | {count:,} | {_bar(count, most)} |" for name, count in shown]
    return "\n".join([f"| {label} | {value} | |", "| --- | ---: | :--- |", *rows])


def share_chart(shares: Mapping[str, float], *, label: str) -> str:
    """Return shares from 0 to 1 as a table with bars; a full bar is the whole, whatever the others are."""
    rows = [
        f"| {escape(name or 'not stated')} | {share * 100:.1f}\u00a0% | {_bar(share, 1.0)} |" for name, share in shares.items()
    ]
    return "\n".join([f"| {label} | share | |", "| --- | ---: | :--- |", *rows])


def most_frequent(values: Sequence[str]) -> dict[str, int]:
    """Count values, the most frequent first, equally frequent ones by name."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def in_order(counts: Mapping[str, float]) -> dict[str, float]:
    """Return counts as they are drawn: bins by their lower edge, everything else the most frequent first, then by name.

    A snapshot is stored with its keys sorted by name, so the order in which counts were made is gone when they are shown again.
    """
    edges = {_bin_name(index): index for index in range(len(EDGES))}
    if counts and edges.keys() >= counts.keys():
        return dict(sorted(counts.items(), key=lambda item: edges[item[0]]))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def length_bins(lengths: Sequence[int]) -> dict[str, int]:
    """Count lengths in bins that double; empty bins before the first and after the last are left out."""
    counts = [0] * len(EDGES)
    for length in lengths:
        counts[bisect.bisect_right(EDGES, length) - 1] += 1
    filled = [index for index, count in enumerate(counts) if count]
    if not filled:
        return {}
    return {_bin_name(index): counts[index] for index in range(filled[0], filled[-1] + 1)}


def funnel(stages: Sequence[tuple[str, int, int]]) -> str:
    """Return the rows that each stage kept and rejected, as a table with bars."""
    most = max((kept + rejected for _, kept, rejected in stages), default=0)
    rows = [
        f"| {escape(name)} | {kept:,} | {rejected:,} | {_share(rejected, kept + rejected)} | {_bar(kept, most, FUNNEL_WIDTH)} |"
        for name, kept, rejected in stages
    ]
    return "\n".join(["| stage | kept | rejected | share | |", "| --- | ---: | ---: | ---: | :--- |", *rows])


def escape(text: str) -> str:
    """Return a text as one line that can neither break out of a table nor be read as Markdown or HTML."""
    return " ".join(str(text).split()).translate(ENTITIES)


def _bin_name(index: int) -> str:
    return f"{EDGES[index]:,} - {EDGES[index + 1] - 1:,}" if index + 1 < len(EDGES) else f"{EDGES[index]:,} and more"


def _share(part: float, whole: float) -> str:
    return f"{part / whole * 100:.1f}\u00a0%" if whole else ""


def _bar(count: float, most: float, width: int = WIDTH) -> str:
    eighths = round(count / most * width * 8) if most > 0 and count > 0 else 0
    whole, rest = divmod(max(eighths, 1) if count > 0 else 0, 8)
    return FULL * whole + (PARTS[rest] if rest else "")
