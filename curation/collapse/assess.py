"""The collapse guard: is there enough real data, is it not copied from copies, and is it still as varied?

report = assess_collapse(rows, CollapseConfig(), seed_rows=human_rows)
report.status    "fail"

Models trained on what models wrote lose the tails of the distribution first (Shumailov et al., Nature 2024); keeping the
real data beside the synthetic prevents it (arXiv 2404.01413, 2410.16713). The guard looks before training.
"""

from collections.abc import Iterable, Mapping, Sequence

from curation.collapse.compare import compare_diversity
from curation.collapse.config import CollapseConfig
from curation.collapse.lineage import Descendant, Lineage, resolve_lineage
from curation.collapse.report import CollapseReport, Finding, SliceSize
from curation.collapse.slices import Slice, cut_slices, weigh
from curation.filters.text_view import RuleRow

_NUM_EXAMPLES = 5
_SAMPLED_IN_ALL = 20_000


def assess_collapse(
    rows: Iterable[RuleRow],
    config: CollapseConfig,
    seed_rows: Iterable[RuleRow] | None = None,
    weights: Mapping[str, float] | None = None,
    ancestors: Iterable[Descendant] = (),
) -> CollapseReport:
    """Assess a training set, slice by slice.

    Args:
        rows: the rows to train on, human and synthetic.
        config: limits.
        seed_rows: the real rows that the set started from; where a slice has none, its own human rows are compared with.
        weights: how much the rows of a source count in training (1 if nothing is said), for the share of real data.
        ancestors: more rows in which parents are looked up for the generation depth (rows that training does not read).

    Returns:
        Findings with pass, warn or fail; the same for the same rows in any order.
    """
    listed, seeds = list(rows), list(seed_rows or ())
    if not config.is_on:
        return CollapseReport(findings=(), slices=())
    slices = cut_slices(listed, config)
    seed_slices = {item.name: item for item in cut_slices(seeds, config)}
    lineage = resolve_lineage([*listed, *seeds, *ancestors])
    findings = [*_seed_findings(listed, seeds, slices, seed_slices, config)]
    per_slice = max(config.min_slice_rows, _SAMPLED_IN_ALL // max(1, len(slices)))
    for item in slices:
        findings.extend(_mix_findings(item, lineage, config, weights or {}))
        reference = seed_slices.get(item.name, item)
        findings.extend(compare_diversity(item, (*reference.real, *_seeds_only(reference, item)), config, per_slice))
    sizes = (_size(item, lineage, weights or {}) for item in slices)
    return CollapseReport(findings=tuple(findings), slices=tuple(sizes))


def _seeds_only(reference: Slice, item: Slice) -> tuple[RuleRow, ...]:
    """Seed rows count as the reference whoever wrote them; a slice's own synthetic rows do not."""
    return () if reference is item else reference.synthetic


def _seed_findings(
    rows: Sequence[RuleRow],
    seeds: Sequence[RuleRow],
    slices: Sequence[Slice],
    seed_slices: Mapping[str, Slice],
    config: CollapseConfig,
) -> Iterable[Finding]:
    if not seeds:
        return
    keys = {row.key for row in rows}
    lost = sorted(row.key for row in seeds if row.key not in keys)
    kept = 1 - len(lost) / len(seeds)
    yield Finding(
        slice="*",
        measure="seed_kept",
        status="warn" if kept < config.min_seed_kept else "pass",
        value=kept,
        reference=None,
        retained=None,
        limit=config.min_seed_kept,
        detail=f"{kept:.0%} of the {len(seeds):,} seed rows are among the rows; real data is to be added to, not replaced.",
        example_keys=tuple(lost[:_NUM_EXAMPLES]),
    )
    missing = sorted(seed_slices.keys() - {item.name for item in slices})
    share = 1 - len(missing) / len(seed_slices)
    first = [(*seed_slices[name].real, *seed_slices[name].synthetic)[0].key for name in missing]
    named = f"; missing: {', '.join(missing[:_NUM_EXAMPLES])}" if missing else ""
    yield Finding(
        slice="*",
        measure="slice_coverage",
        status="fail" if missing else "pass",
        value=share,
        reference=None,
        retained=None,
        limit=1.0,
        detail=f"{share:.0%} of the seed's {len(seed_slices):,} slices have rows{named}.",
        example_keys=tuple(first[:_NUM_EXAMPLES]),
    )


def _mix_findings(item: Slice, lineage: Lineage, config: CollapseConfig, weights: Mapping[str, float]) -> Iterable[Finding]:
    share = _real_share(item, weights)
    is_short = bool(item.real) and share < config.min_real_share
    words = f"{share:.0%} of the weight is real data" if item.real else "The slice has no real data to keep"
    yield Finding(
        slice=item.name,
        measure="real_share",
        status="fail" if is_short else "pass",
        value=share,
        reference=None,
        retained=None,
        limit=config.min_real_share,
        detail=f"{words} ({len(item.real):,} human, {len(item.synthetic):,} synthetic rows).",
        example_keys=tuple(row.key for row in item.synthetic[:_NUM_EXAMPLES]) if is_short else (),
    )
    yield _depth_finding(item, lineage, config)


def _depth_finding(item: Slice, lineage: Lineage, config: CollapseConfig) -> Finding:
    rows = (*item.real, *item.synthetic)
    circular = set(lineage.circular)
    ring = [row.key for row in rows if row.key in circular]
    deep = [row.key for row in rows if lineage.depths[row.key] > config.max_generation_depth]
    deepest = _max_depth(item, lineage)
    sentence = f"Rows are up to {deepest} generations away from what people wrote; {len(deep):,} are beyond the limit."
    if ring:
        sentence = f"{len(ring):,} rows descend from themselves, so their generation is unknown. {sentence}"
    return Finding(
        slice=item.name,
        measure="generation_depth",
        status="fail" if deep or ring else "pass",
        value=float(deepest),
        reference=None,
        retained=None,
        limit=float(config.max_generation_depth),
        detail=sentence,
        example_keys=tuple([*ring, *deep][:_NUM_EXAMPLES]),
    )


def _size(item: Slice, lineage: Lineage, weights: Mapping[str, float]) -> SliceSize:
    return SliceSize(
        slice=item.name,
        num_rows=len(item.real) + len(item.synthetic),
        num_real=len(item.real),
        real_share=_real_share(item, weights),
        max_depth=_max_depth(item, lineage),
    )


def _real_share(item: Slice, weights: Mapping[str, float]) -> float:
    real, synthetic = weigh(item.real, weights), weigh(item.synthetic, weights)
    return real / (real + synthetic) if real + synthetic else 0.0


def _max_depth(item: Slice, lineage: Lineage) -> int:
    return max((lineage.depths[row.key] for row in (*item.real, *item.synthetic)), default=0)
