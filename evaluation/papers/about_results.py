"""Sections of the model card about results: the verdict, every metric with its interval, comparisons, forgetting.

about_evaluation(facts, cite)      "Verdict: **pass**. The candidate is 67.2 points ahead of the base ..."
"""

from evaluation.gate.verdict import NAMES, format_p
from evaluation.papers.citations import Citations, pointer
from evaluation.papers.facts import PaperFacts
from evaluation.papers.markup import code, paragraphs, plain, table
from evaluation.papers.measured import (
    Compared,
    Result,
    read_differences,
    read_requirements,
    read_results,
)
from evaluation.tasks.metrics import METRICS


def about_evaluation(facts: PaperFacts, cite: Citations) -> str:
    """Tell the verdict, then every result with its interval, then every paired comparison."""
    comparison, folder = facts.comparison, facts.comparison_folder
    place = {"folder": folder, "file": "comparison.json"}
    sizes = [
        cite(f"{comparison[name]:,}", comparison[name], name=name, **place, pointer=pointer(name))
        for name in ("num_items", "num_groups")
    ]
    confidence = float(comparison["confidence"])
    results = [_result_row(facts, item, cite) for item in read_results(comparison)]
    differences = [_difference_row(facts, item, cite) for item in read_differences(comparison)]
    return paragraphs(
        f"Verdict: **{plain(comparison['verdict'])}**. {plain(comparison['reason'])}",
        f"{sizes[0]} held-out items in {sizes[1]} groups; means with {confidence:.0%} intervals.",
        table(("Answered by", "Task", "Metric", "Mean", "Interval"), results),
        "The candidate against the others, item by item:",
        table(("Against", "Task", "Metric", "Difference", "Interval", "p", "Result"), differences),
        _requirements(facts, cite),
        _leaks(facts, cite),
    )


def _requirements(facts: PaperFacts, cite: Citations) -> str:
    rows = []
    for item in read_requirements(facts.comparison):
        about = " ".join(part for part in (item.kind, item.task, item.metric, item.slice, item.opponent) if part)
        place = {"folder": facts.comparison_folder, "file": "comparison.json"}
        shown = [
            cite(f"{value:+.3f}", value, name=f"{about} {field}", **place, pointer=f"{item.place}/{field}")
            for field, value in (("difference", item.difference), ("low", item.low), ("high", item.high))
        ]
        where = ", ".join(part for part in (item.task, item.slice) if part)
        result = item.verdict if item.decisive else f"{item.verdict}, for information"
        spread = f"{shown[1]} to {shown[2]}"
        rows.append((item.kind, plain(where), code(item.metric), name_of(item.opponent), shown[0], spread, plain(result)))
    head = ("", "Where", "Metric", "Against", "Difference", "Interval", "Result")
    return paragraphs("What else had to hold:", table(head, rows)) if rows else ""


def _leaks(facts: PaperFacts, cite: Citations) -> str:
    if facts.contaminated_items is None:
        return "Nobody looked whether training rows give items away."
    place = {"build": facts.audit_build, "pointer": pointer("values", "contamination", "contaminated_items")}
    number = cite(f"{facts.contaminated_items:,}", facts.contaminated_items, name="contaminated items", **place)
    return f"Training rows give away {number} items of the held-out rows and benchmarks that they were compared with."


def _result_row(facts: PaperFacts, item: Result, cite: Citations) -> tuple[str, ...]:
    name = " ".join(part for part in (item.comparator, item.task, item.metric) if part)
    place = {"folder": facts.comparison_folder, "file": "comparison.json"}
    low, high = (
        cite(f"{value:.3f}", value, name=f"{name} {end}", **place, pointer=f"{item.place}/{end}")
        for end, value in (("low", item.low), ("high", item.high))
    )
    cite_rows(facts, item, name, cite)
    mean = cite(f"{item.mean:.3f}", item.mean, name=name, **place, pointer=f"{item.place}/mean")
    return name_of(item.comparator), plain(item.task or "held-out rows"), code(item.metric), mean, f"{low} to {high}"


def cite_rows(facts: PaperFacts, item: Result, name: str, cite: Citations) -> None:
    """Cite a mean a second time, by the scores that it is the mean of; macro F1 is none."""
    info = METRICS.get(item.metric)
    if facts.scores_root and info is not None and info.aggregate == "mean":
        where = {"comparator": item.comparator, "task": item.task or facts.comparison.get("task", ""), "metric": item.metric}
        rows = {"table": facts.scores_root, "record": "Score", "where": where, "mean": "value", "weight": "weight"}
        cite("", item.mean, name=f"{name}, from its scores", **rows)


def _difference_row(facts: PaperFacts, item: Compared, cite: Citations) -> tuple[str, ...]:
    name = " ".join(part for part in ("against", item.opponent, item.task, item.metric) if part)
    place = {"folder": facts.comparison_folder, "file": "comparison.json"}
    shown = {
        field: cite(f"{value:+.3f}", value, name=f"{name} {field}", **place, pointer=f"{item.place}/{field}")
        for field, value in (("difference", item.difference), ("low", item.low), ("high", item.high))
    }
    p_value = cite(
        format_p(item.p_value).removeprefix("= "), item.p_value, name=f"{name} p", **place, pointer=f"{item.place}/p_value"
    )
    result = item.verdict if item.decisive else f"{item.verdict}, for information"
    return (
        name_of(item.opponent),
        plain(item.task or "held-out rows"),
        code(item.metric),
        shown["difference"],
        f"{shown['low']} to {shown['high']}",
        p_value.replace("<", "below"),
        plain(result),
    )


def name_of(comparator: str) -> str:
    """Return what people read for a comparator."""
    return plain(NAMES.get(comparator, comparator))


def about_forgetting(facts: PaperFacts, cite: Citations) -> str:
    """Say what the model lost of what its base could do."""
    if not facts.forgetting:
        return (
            "Not measured: no results of a general suite are stored for this model. Do not assume that it kept what its base "
            "could do outside of the tasks above."
        )
    rows = []
    for row in facts.forgetting:
        shown = {}
        for field, stored in row.fields.items():
            value, place = getattr(row, field), {**row.place, "pointer": f"{row.place['pointer']}/{stored}"}
            shown[field] = cite(f"{value:.3f}", value, name=f"forgetting {row.area} {field}", **place)
        spread = f"{shown['low']} to {shown['high']}"
        cells = (shown["base"], shown["candidate"], shown["difference"], spread)
        rows.append((plain(row.area), code(row.measure), *cells, plain(row.verdict.replace("_", " "))))
    return table(("Area", "Measured by", "Base", "Candidate", "Difference", "Interval", "Result"), rows)
