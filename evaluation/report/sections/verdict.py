"""The first section: the verdict in words, the three numbers that decide, and what to do next.

section(inputs).values["facts"][0]      Fact(title="Ahead of the base", value="+76.8", small="points, ...")
"""

from typing import NamedTuple

from evaluation.gate.comparison import Comparison, Difference
from evaluation.gate.guards import GuardResult
from evaluation.gate.verdict import format_p
from evaluation.report.inputs import ReportInputs
from evaluation.report.section import ItemLink, Section
from evaluation.report.wording import ahead, counted, shown, title_of, unit_of

FORGOTTEN = "Better at its task, but it has forgotten too much: do not promote"
UNHEARD = "Better by its scores, but the judges that a release needs do not say so"
BEYOND = "Better by its scores, but beyond a limit of the release: do not promote"
HEADLINES = {
    "pass": "Better than its base: ready to promote",
    "fail": "Not better: do not promote",
    "undecided": "Not decided: the evidence is too thin",
}
BADGES = {"pass": "Pass", "fail": "Fail", "undecided": "Undecided"}


class Fact(NamedTuple):
    """One of the numbers that decide."""

    title: str
    value: str
    small: str
    state: str = ""
    """`pass`, `fail` or `undecided`, shown by colour and word."""
    link: ItemLink | None = None


def section(inputs: ReportInputs) -> Section:
    """Return the verdict; every report has one."""
    comparison = inputs.comparison
    kind, headline = overall(inputs)
    facts = [_first(comparison), _second(comparison), _third(inputs)]
    return Section(
        anchor="verdict",
        title=headline,
        template="verdict.html.j2",
        values={
            "badge": BADGES[kind],
            "kind": kind,
            "plain": _in_words(inputs),
            "reason": " ".join([comparison.reason, *inputs.obstacles]),
            "facts": [fact for fact in facts if fact is not None],
            "next": _next(inputs),
        },
        short="Verdict",
    )


def overall(inputs: ReportInputs) -> tuple[str, str]:
    """Return verdict and headline: those of the comparison, unless something else keeps the candidate from release."""
    verdict = inputs.comparison.verdict
    if verdict != "pass":
        return verdict, HEADLINES[verdict]
    lost = inputs.forgetting.verdict if inputs.forgetting is not None and inputs.forgetting_blocks else "pass"
    if lost != "pass":
        return lost, FORGOTTEN if lost == "fail" else "Better at its task; what it has forgotten is not decided"
    if inputs.judges.get("gates") and inputs.judges.get("verdict") != "pass":
        return str(inputs.judges["verdict"]), UNHEARD
    if inputs.obstacles:
        return "fail", BEYOND
    return verdict, HEADLINES[verdict]


def _in_words(inputs: ReportInputs) -> str:
    comparison = inputs.comparison
    base = comparison.against("base")
    if base is None:
        return ""
    asked = f"{counted(comparison.num_items, 'question')} that training never saw"
    measured = title_of(comparison.metric).lower()
    ours, theirs = (shown(comparison.metric, value) for value in (base.candidate_mean, base.opponent_mean))
    return f"On {asked}, the candidate reaches {ours} ({measured}); the model that it was made from reaches {theirs}."


def _first(comparison: Comparison) -> Fact | None:
    base = comparison.against("base")
    return None if base is None else _difference(base, "Ahead of its base", comparison)


def _second(comparison: Comparison) -> Fact | None:
    champion = comparison.against("champion")
    if champion is not None:
        return _difference(champion, "Against the champion", comparison)
    base = comparison.against("base")
    if base is None:
        return None
    small = (
        f"{title_of(comparison.metric).lower()}; base {shown(comparison.metric, base.opponent_mean)}. There is no champion yet"
    )
    return Fact("Candidate", shown(comparison.metric, base.candidate_mean), small, link=ItemLink(outcome="right"))


def _difference(item: Difference, title: str, comparison: Comparison) -> Fact:
    metric = comparison.metric
    spread = f"{ahead(metric, item.low)} to {ahead(metric, item.high)}"
    small = f"{unit_of(metric)}, interval {spread}; the low end must lie above {ahead(metric, item.required)}"
    return Fact(title, ahead(metric, item.difference), small, item.verdict, ItemLink(against=item.opponent, outcome="worse"))


def _third(inputs: ReportInputs) -> Fact | None:
    """Return the worst of what must not become worse; where nothing is guarded, how likely the lead is chance."""
    comparison, lost = inputs.comparison, _worst_area(inputs)
    guard = min(comparison.guards, key=_room, default=None)
    if guard is not None and (lost is None or _room(guard) < 0):
        value = ahead(guard.metric, guard.difference)
        where = ", ".join(part for part in (title_of(guard.metric).lower(), guard.task, guard.slice) if part)
        small = f"{unit_of(guard.metric)}: {where}; {ahead(guard.metric, guard.required)} is the limit"
        return Fact("Worst of what is guarded", value, small, guard.verdict, ItemLink(task=guard.task, slice=guard.slice))
    if lost is not None:
        return lost
    base = comparison.against("base")
    if base is None:
        return None
    p_value = format_p(max(base.p_value, base.group_p_value)).removeprefix("= ")
    small = f"chance of such a lead without a difference; below {comparison.alpha:g} is required"
    return Fact("p-value", p_value, small, "pass" if max(base.p_value, base.group_p_value) < comparison.alpha else "undecided")


def _room(guard: GuardResult) -> float:
    return guard.low - guard.required


def _worst_area(inputs: ReportInputs) -> Fact | None:
    if inputs.forgetting is None:
        return None
    known = [area for area in inputs.forgetting.areas if area.verdict != "nothing_to_forget"]
    if not known:
        return None
    worst = min(known, key=lambda area: area.low + area.margin)
    is_points = worst.measure == "accuracy"
    value = f"{worst.difference * 100:+.1f}" if is_points else f"{worst.difference:+.3f}"
    unit = "points" if is_points else "nats a byte"
    small = (
        f"{unit} in the area {worst.area}, where most was forgotten; {worst.margin * (100 if is_points else 1):g} may be lost"
    )
    return Fact("Forgotten", value, small, worst.verdict)


def _next(inputs: ReportInputs) -> str:
    base = inputs.comparison.against("base")
    lost = counted(base.num_worse, "answer") if base else "answers"
    kind, headline = overall(inputs)
    if headline == FORGOTTEN:
        return "Keep what is live. Train gentler, or mix in replay rows, and look at the areas under Forgetting."
    if headline == BEYOND:
        return f"Keep what is live. {' '.join(inputs.obstacles)}"
    if inputs.comparison.verdict == "pass" and kind != "pass":
        return "Keep what is live until that is decided; the sections below say what is missing."
    return {
        "pass": f"Promote it with the release; the {lost} that got worse are worth a look before."
        if base and base.num_worse
        else "Promote it with the release; no answer got worse.",
        "fail": f"Keep what is live. Look at the {lost} that got worse, and at the training rows nearest to them.",
        "undecided": "Keep what is live, and measure on more held-out questions: the reason says about how many.",
    }[kind]
