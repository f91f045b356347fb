"""Sections of the model card about the model itself: what it is, what it is for, how it is used, where its numbers stand.

about_use(facts, cite)      a table of intended use, users and scope, then limits and risks
"""

from evaluation.papers.about_making import from_manifest
from evaluation.papers.citations import Citations
from evaluation.papers.facts import PaperFacts
from evaluation.papers.markup import ask_for, bullets, code, paragraphs, plain, table
from evaluation.papers.measured import (
    read_differences,
)


def about_model(facts: PaperFacts, cite: Citations) -> str:
    """Say what the model is: base, size, licence, owner, state."""
    rows = [
        ("Base", _base(facts)),
        ("Architecture", plain(", ".join(facts.model.config.get("architectures") or ()) or "not recorded")),
        ("Parameters", _parameters(facts, cite)),
        ("Trained by", plain(", then ".join(stage.method for stage in facts.stages))),
        ("Licence", _license(facts)),
        ("Languages", plain(", ".join(facts.stated.languages)) or ask_for("papers.languages")),
        ("Contact", plain(facts.contact) or ask_for("papers.contact")),
        ("State", {True: "champion of its recipe", False: "not promoted", None: "not decided yet"}[facts.promoted]),
        ("Model hash", code(facts.model.hash)),
    ]
    return table(("", ""), rows)


def _base(facts: PaperFacts) -> str:
    base = facts.base
    if base.is_built:
        return f"a small Llama built on the spot, {code(base.hash)}"
    revision = f" at {code(base.revision)}" if base.revision else ", revision not pinned (set `training.base.revision`)"
    return f"{code(base.hub_id)}{revision}" if base.hub_id else f"a model from a folder, {code(base.hash)}"


def _parameters(facts: PaperFacts, cite: Citations) -> str:
    if not facts.stages or "num_parameters" not in facts.stages[-1].manifest:
        return "not recorded"
    return from_manifest(facts.stages[-1], "num_parameters", cite)


def _license(facts: PaperFacts) -> str:
    found = sorted({source.license for source in facts.sources if source.license})
    sources = f"sources: {plain(', '.join(found))}" if found else "the sources state none"
    return f"{plain(facts.license)} ({sources})" if facts.license else f"{ask_for('papers.license')} ({sources})"


def about_use(facts: PaperFacts, cite: Citations) -> str:
    """Say what it is for and what not, and where it is weak, as stated by people and as measured."""
    stated = facts.stated
    rows = [
        ("Intended use", plain(facts.purpose) or ask_for("papers.intended_use")),
        ("Users", plain(", ".join(stated.users)) or ask_for("papers.users")),
        ("Out of scope", plain(stated.out_of_scope) or ask_for("papers.out_of_scope")),
    ]
    limits = [
        f"Measured on the tasks of the recipe {code(facts.recipe)} only; nothing is known about other tasks.",
        *(f"Measured: {plain(item.reason)}" for item in read_differences(facts.comparison) if item.verdict != "pass"),
        *(plain(limit) for limit in stated.limits),
        *([] if stated.limits else [f"Further limits: {ask_for('papers.limits')}."]),
    ]
    risks = [plain(risk) for risk in stated.risks] or [f"Risks: {ask_for('papers.risks')}."]
    return paragraphs(table(("", ""), rows), "Limits:", bullets(limits), "Risks to people:", bullets(risks))


def about_usage(facts: PaperFacts, cite: Citations) -> str:
    """Show how to ask it."""
    return (
        "```python\nfrom transformers import pipeline\n\n"
        'ask = pipeline("text-generation", model="PATH_TO_THIS_FOLDER")\n'
        'ask([{"role": "user", "content": "..."}], do_sample=False)\n```\n\n'
        "Check the files first: `sha256sum -c SHA256SUMS`."
    )


def about_evidence(facts: PaperFacts, cite: Citations) -> str:
    """Say where to look the numbers up."""
    rows = [
        ("Comparison", code(facts.comparison_folder)),
        ("Scores", code(facts.scores_root)),
        ("Decision", code(facts.decision_folder)),
        ("Evidence of the release", code(facts.decision.get("ledger_entry", ""))),
    ]
    return paragraphs(
        "`evidence.json` names for every number of these papers the folder, build or table (by hash) and the field or rows "
        "that it is read from. `model.cdx.json` is the bill of materials (CycloneDX 1.6).",
        table(("", "Hash"), [row for row in rows if row[1] != "-"]),
    )
