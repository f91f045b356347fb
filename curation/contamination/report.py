"""What the contamination check found, and what follows from it.

report = find_contamination(rows, items, config)
verdict = assess(report, config)          Assessment(passed=False, problem="row 'web/12' gives away ...")
"""

from collections import Counter
from dataclasses import dataclass

from curation.contamination.config import ClearedPairConfig, ContaminationConfig
from curation.records import ContaminationPair


@dataclass(frozen=True, kw_only=True)
class ContaminationReport:
    """Pairs of rows and evaluation items that are too alike, sorted by row, benchmark, item and measure."""

    pairs: tuple[ContaminationPair, ...]
    cleared: tuple[ContaminationPair, ...]
    """Pairs that a person has cleared; they count for nothing else."""
    num_rows: int
    num_items: int
    method: tuple[str, ...]
    """How it was looked for, in sentences."""
    excerpt: str = ""
    """What the first pair shares, in words."""

    @property
    def contaminated_rows(self) -> frozenset[str]:
        """Keys of the rows that give an item away."""
        return frozenset(pair.record_key for pair in self.pairs)

    @property
    def contaminated_items(self) -> frozenset[tuple[str, str]]:
        """Benchmark and key of the items that are given away; scores without them are the clean ones."""
        return frozenset((pair.benchmark, pair.item_key) for pair in self.pairs)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers for people: rows, items and pairs in all, and pairs by benchmark, measure and field."""
        totals = {
            "rows": self.num_rows,
            "items": self.num_items,
            "pairs": len(self.pairs),
            "contaminated_rows": len(self.contaminated_rows),
            "contaminated_items": len(self.contaminated_items),
            "cleared_pairs": len(self.cleared),
        }
        kinds = Counter(f"pairs_{value}" for pair in self.pairs for value in (pair.benchmark, pair.measure, pair.field))
        return totals | dict(sorted(kinds.items()))


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """Whether rows may be trained on, and if not, why."""

    passed: bool
    problem: str
    """One or two sentences about the first pair and what to do; empty if passed."""


def assess(report: ContaminationReport, config: ContaminationConfig) -> Assessment:
    """Judge a report for a blocking check. With `action: drop`, give the report of the rows that were kept."""
    if not report.pairs:
        return Assessment(passed=True, problem="")
    shared = f" They share: '{report.excerpt}'." if report.excerpt else ""
    hint = "Remove them, set `contamination.action: drop`," if config.action == "block" else "Materialize the rows again,"
    problem = (
        f"{len(report.contaminated_rows)} of {report.num_rows} rows give away {len(report.contaminated_items)} of "
        f"{report.num_items} evaluation items. First: {describe(report.pairs[0])}.{shared} "
        f"{hint} or clear the pair under `contamination.cleared` with a reason."
    )
    return Assessment(passed=False, problem=problem)


def describe(pair: ContaminationPair) -> str:
    """Say in words how a row gives an item away."""
    how = f"{pair.score:.0%} of its rare word runs" if pair.measure == "ngram" else f"a paraphrase, cosine {pair.score:.2f}"
    return f"the {pair.field} of row '{pair.record_key}' gives away item '{pair.item_key}' of {pair.benchmark} ({how})"


def split_cleared(
    pairs: list[ContaminationPair], cleared: tuple[ClearedPairConfig, ...]
) -> tuple[tuple[ContaminationPair, ...], tuple[ContaminationPair, ...]]:
    """Return the pairs that count and those that a person has cleared."""
    exact = {(rule.record_key, rule.item_key) for rule in cleared}
    known = [
        not exact.isdisjoint({(pair.record_key, pair.item_key), (pair.record_key, ""), ("", pair.item_key)}) for pair in pairs
    ]
    open_pairs = tuple(pair for pair, is_cleared in zip(pairs, known, strict=True) if not is_cleared)
    return open_pairs, tuple(pair for pair, is_cleared in zip(pairs, known, strict=True) if is_cleared)
