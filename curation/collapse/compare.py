"""Is a slice's synthetic part as varied as its human part? Each measure on samples of equal size.

compare_diversity(slice, human_rows, CollapseConfig(), 2000)    [Finding(measure="distinct_1", retained=0.97, ...), ...]
"""

from collections.abc import Iterator, Sequence
from statistics import fmean

from curation.collapse.config import CollapseConfig
from curation.collapse.diversity import (
    Neighbours,
    compression_ratio,
    cut_to_words,
    distinct_share,
    find_neighbours,
    tail_coverage,
    words_of,
)
from curation.collapse.report import Finding, Measure, Status
from curation.collapse.slices import Slice, sample_rows, text_of
from curation.filters.text_view import RuleRow

_NUM_EXAMPLES = 5


class _Sample:
    """Rows in a seeded order, their texts and their words."""

    def __init__(self, rows: Sequence[RuleRow], limit: int, seed: str) -> None:
        self.rows = sample_rows(rows, limit, seed)
        self.texts = [text_of(row) for row in self.rows]
        self.words = [words_of(text) for text in self.texts]
        self.num_words = sum(map(len, self.words))

    def __len__(self) -> int:
        return len(self.rows)


def compare_diversity(item: Slice, reference: Sequence[RuleRow], config: CollapseConfig, limit: int) -> list[Finding]:
    """Return the findings about the diversity of a slice's synthetic rows; none if there are too few to say anything.

    Args:
        item: the slice.
        reference: the human rows that it is compared with; with too few of them absolute limits apply.
        config: limits and sample sizes.
        limit: most rows that may be sampled here, on top of the limits of the configuration.
    """
    if len(item.synthetic) < config.min_slice_rows:
        return []
    sample = _Sample(item.synthetic, min(config.sample_rows, limit), config.seed)
    if len(reference) < config.min_slice_rows:
        return list(_absolute_findings(item.name, sample, config))
    other = _Sample(reference, min(config.sample_rows, limit), config.seed)
    return [
        *_word_findings(item.name, sample, other, config),
        *_neighbour_findings(item.name, sample, other, config),
        _compression_finding(item.name, sample, other, config),
        _tail_finding(item.name, sample, other, config),
    ]


def _word_findings(name: str, sample: _Sample, other: _Sample, config: CollapseConfig) -> Iterator[Finding]:
    budget = min(sample.num_words, other.num_words)
    mine, theirs = cut_to_words(sample.words, budget), cut_to_words(other.words, budget)
    measures: tuple[tuple[Measure, int], ...] = (("distinct_1", 1), ("distinct_2", 2), ("distinct_3", 3))
    for measure, size in measures:
        value, reference = distinct_share(mine, size), distinct_share(theirs, size)
        sentence = f"{value:.1%} of the word {size}-grams are distinct, {reference:.1%} in human rows ({budget:,} words each)."
        yield _relative(name, measure, value, reference, value / reference if reference else 1.0, sentence, config)


def _neighbour_findings(name: str, sample: _Sample, other: _Sample, config: CollapseConfig) -> Iterator[Finding]:
    size = min(len(sample), len(other), config.neighbour_rows)
    mine, theirs = find_neighbours(sample.words[:size]), find_neighbours(other.words[:size])
    value, reference = fmean(mine.similarities), fmean(theirs.similarities)
    sentence = f"A row and its nearest neighbour share {value:.1%} of their words and pairs, {reference:.1%} in human rows."
    retained = (1 - value) / (1 - reference) if reference < 1 else 1.0
    yield _relative(name, "self_similarity", value, reference, retained, sentence, config, _most_alike(sample, mine))
    sentence = f"The Vendi score is {mine.vendi:.1%} of {size:,} rows, {theirs.vendi:.1%} for human rows."
    retained = mine.vendi / theirs.vendi
    yield _relative(name, "vendi", mine.vendi, theirs.vendi, retained, sentence, config, _most_alike(sample, mine))


def _compression_finding(name: str, sample: _Sample, other: _Sample, config: CollapseConfig) -> Finding:
    budget = min(sum(len(text.encode("utf-8", "surrogatepass")) + 1 for text in part.texts) for part in (sample, other))
    value, reference = compression_ratio(sample.texts, budget), compression_ratio(other.texts, budget)
    sentence = f"The texts compress {value:.2f} times, human ones {reference:.2f} times."
    return _relative(name, "compression", value, reference, reference / value if value else 1.0, sentence, config)


def _tail_finding(name: str, sample: _Sample, other: _Sample, config: CollapseConfig) -> Finding:
    found = tail_coverage(other.words, sample.words)
    missing = set(found.missing[:200])
    examples = (row.key for row, words in zip(other.rows, other.words, strict=True) if missing.intersection(words))
    keys = [key for key, _ in zip(examples, range(_NUM_EXAMPLES), strict=False)]
    named = f"; missing: {', '.join(found.missing[:_NUM_EXAMPLES])}" if found.missing else ""
    sentence = f"{found.share:.1%} of the rare words of human rows occur, where {found.expected:.1%} would by chance{named}."
    retained = found.share / found.expected if found.expected else 1.0
    return _relative(name, "tail_coverage", found.share, found.expected, retained, sentence, config, tuple(keys))


def _absolute_findings(name: str, sample: _Sample, config: CollapseConfig) -> Iterator[Finding]:
    value = distinct_share(sample.words, 3)
    is_low = value < config.min_distinct_3
    yield Finding(
        slice=name,
        measure="distinct_3",
        status="fail" if is_low else "pass",
        value=value,
        reference=None,
        retained=None,
        limit=config.min_distinct_3,
        detail=f"{value:.1%} of the word 3-grams are distinct ({sample.num_words:,} words; no human rows to compare with).",
        example_keys=tuple(row.key for row in sample.rows[:_NUM_EXAMPLES]) if is_low else (),
    )
    found = find_neighbours(sample.words[: config.neighbour_rows])
    similarity = fmean(found.similarities)
    is_alike = similarity > config.max_self_similarity
    yield Finding(
        slice=name,
        measure="self_similarity",
        status="fail" if is_alike else "pass",
        value=similarity,
        reference=None,
        retained=None,
        limit=config.max_self_similarity,
        detail=f"A row and its nearest neighbour share {similarity:.1%} of their words and pairs (no human rows to compare).",
        example_keys=_most_alike(sample, found) if is_alike else (),
    )


def _relative(
    name: str,
    measure: Measure,
    value: float,
    reference: float,
    retained: float,
    detail: str,
    config: CollapseConfig,
    example_keys: tuple[str, ...] = (),
) -> Finding:
    status: Status = "fail" if retained < config.fail_below else "warn" if retained < config.warn_below else "pass"
    return Finding(
        slice=name,
        measure=measure,
        status=status,
        value=value,
        reference=reference,
        retained=retained,
        limit=config.fail_below if status == "fail" else config.warn_below,
        detail=detail,
        example_keys=example_keys if status != "pass" else (),
    )


def _most_alike(sample: _Sample, found: Neighbours) -> tuple[str, ...]:
    pairs = zip(found.similarities, (row.key for row in sample.rows), strict=False)
    return tuple(key for _, key in sorted(pairs, key=lambda pair: (-pair[0], pair[1]))[:_NUM_EXAMPLES])
