"""Fill a card with what the rows themselves tell, and with what judging their terms gave.

card = with_rows(DataCard(name="sdk_assistant"), rows, count_tokens=tokenizer_length, unit="Qwen3 tokens")
card = with_terms(card, judged.report, assess_terms(judged.report, config))
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from curation.data_card.card import CardSource, CardTerms, DataCard, GenerationCount, LengthSummary, SliceCount, SplitCount
from curation.data_card.shapes import KINDS, Row
from curation.records import Example, PreferencePair, source_of
from curation.terms.config import TermsConfig, TermsStatement
from curation.terms.licenses import find_license
from curation.terms.report import TermsAssessment, TermsReport

NUM_BINS = 24
DIMENSIONS = ("kind", "split", "task", "origin", "source")


def count_words(text: str) -> int:
    """Count words, where no tokenizer is at hand."""
    return len(text.split())


def with_rows(
    card: DataCard, rows: Iterable[Row], *, count_tokens: Callable[[str], int] = count_words, unit: str = "words"
) -> DataCard:
    """Return the card with counts, slices, splits, lengths and generation taken from the rows, in one pass."""
    counted: Counter[tuple[str, str]] = Counter()
    tokens: Counter[tuple[str, str]] = Counter()
    groups: defaultdict[str, set[str]] = defaultdict(set)
    made: Counter[tuple[str, str, str, int]] = Counter()
    lengths: defaultdict[str, list[int]] = defaultdict(list)
    total, number = 0, 0
    for row in rows:
        parts = texts_of(row)
        size = sum(count_tokens(text) for text in parts.values())
        total, number = total + size, number + 1
        for dimension, name in zip(DIMENSIONS, _slices(row), strict=True):
            counted[dimension, name] += 1
            tokens[dimension, name] += size
        groups[split_name(row)].add(row.group)
        origin = row.provenance
        made[origin.method, origin.teacher, origin.template_id, origin.generation_depth] += 1
        for part, text in parts.items():
            lengths[part].append(len(text))
    return replace(
        card,
        rows=number,
        tokens=total,
        unit=unit,
        slices=tuple(_slice_counts(counted, tokens)),
        splits=tuple(
            SplitCount(split=name, rows=counted["split", name], groups=len(groups[name]))
            for name in sorted(groups, key=_split_order)
        ),
        lengths=tuple(summarise_lengths(part, values) for part, values in lengths.items()),
        generation=tuple(_generation(made)),
    )


def with_terms(card: DataCard, report: TermsReport, assessment: TermsAssessment) -> DataCard:
    """Return the card with the verdicts on the terms and with what they oblige to."""
    terms = CardTerms(
        use=report.use,
        passed=assessment.passed,
        detail=assessment.detail,
        verdicts=report.verdicts,
        obligations=report.obligations,
    )
    return replace(card, terms=terms)


def with_sources(card: DataCard, rows: Iterable[Row], licenses: Mapping[str, str], config: TermsConfig) -> DataCard:
    """Return the card with every source that rows come from, under the terms that the recipe states for it."""
    numbers = Counter(source_of(row.key) for row in rows)
    sources = []
    for name in sorted(numbers):
        stated = config.sources.get(name, TermsStatement())
        license = stated.license.strip() or licenses.get(name, "").strip()
        known = find_license(license)
        sources.append(
            CardSource(
                name=name,
                license=license,
                url=stated.url or (known.url if known else ""),
                retrieved=stated.retrieved,
                sha256=stated.sha256,
                output_terms=stated.output_terms,
                rows=numbers[name],
            )
        )
    return replace(card, sources=tuple(sources))


def split_name(row: Row) -> str:
    """Return the split of a row; rows that were never split are for training."""
    return row.split or "train"


def _split_order(name: str) -> tuple[bool, str]:
    return name != "train", name


def texts_of(row: Row) -> dict[str, str]:
    """Return the texts of a row by part: `prompt`, then `answer`, or `chosen` and `rejected`."""
    prompt = "\n".join(message.text for message in row.prompt)
    if isinstance(row, PreferencePair):
        return {"prompt": prompt, "chosen": row.chosen, "rejected": row.rejected}
    return {"prompt": prompt, "answer": row.answer}


def _slices(row: Example | Row) -> tuple[str, ...]:
    return KINDS[type(row)], split_name(row), row.task, row.provenance.origin, source_of(row.key)


def _slice_counts(counted: Counter[tuple[str, str]], tokens: Counter[tuple[str, str]]) -> list[SliceCount]:
    ordered = sorted(counted.items(), key=lambda item: (DIMENSIONS.index(item[0][0]), -item[1], item[0][1]))
    return [SliceCount(dimension=key[0], name=key[1], rows=rows, tokens=tokens[key]) for key, rows in ordered]


def _generation(made: Counter[tuple[str, str, str, int]]) -> list[GenerationCount]:
    ordered = sorted(made.items(), key=lambda item: (-item[1], item[0]))
    return [
        GenerationCount(method=method, teacher=teacher, template=template, depth=depth, rows=rows)
        for (method, teacher, template, depth), rows in ordered
    ]


def summarise_lengths(part: str, values: Sequence[int], *, unit: str = "characters") -> LengthSummary:
    """Return minimum, median, 95th percentile, maximum and a histogram whose bins grow geometrically."""
    import numpy as np

    array = np.asarray(values, dtype=np.int64)
    low, high = max(1, int(array.min())), max(2, int(array.max()))
    edges = np.unique(np.round(np.geomspace(low, high + 1, NUM_BINS + 1)))
    edges[0] = min(edges[0], int(array.min()))
    counts, _ = np.histogram(array, bins=edges)
    return LengthSummary(
        part=part,
        unit=unit,
        minimum=float(array.min()),
        median=float(np.median(array)),
        p95=float(np.percentile(array, 95)),
        maximum=float(array.max()),
        edges=tuple(float(edge) for edge in edges),
        counts=tuple(int(count) for count in counts),
    )
