"""Where everything stands: hashes of models, data and results, versions, seeds, the teacher, reviews and the whole recipe.

section(inputs).values["blocks"][0]      ("Results", {"items": "9f...", "answers": "4c..."}, True)
"""

import json

from evaluation.report.inputs import ReportInputs
from evaluation.report.section import Section

STATISTICS = {"num_generated": "answers generated", "num_reused": "answers reused", "tokens_per_s": "tokens per second"}


def section(inputs: ReportInputs) -> Section:
    """Return the provenance; what is unknown is left out."""
    teacher = {
        **({"model": inputs.teacher} if inputs.teacher else {}),
        **(
            {"replies used": f"{inputs.teacher_calls:,}", "cost": f"${inputs.teacher_cost_usd:,.2f}"}
            if inputs.teacher_calls
            else {}
        ),
    }
    answering = {STATISTICS.get(name, name): f"{value:,}" for name, value in inputs.answer_statistics.items()}
    blocks = [
        ("Results", inputs.evidence, True),
        ("Models", _short(inputs.model_hashes), True),
        ("Data", _short(inputs.data_roots), True),
        ("Teacher", teacher, False),
        ("Review", {name.replace("_", " "): f"{count:,}" for name, count in inputs.review.items()}, False),
        ("Versions", inputs.versions, False),
        ("Seeds", inputs.seeds, False),
        ("Answering", answering, False),
    ]
    config = json.dumps(dict(inputs.config), indent=2, ensure_ascii=False, default=str) if inputs.config else ""
    values = {"blocks": [block for block in blocks if block[1]], "config": config}
    return Section("provenance", "Provenance", "provenance.html.j2", values)


def _short(values: object) -> dict[str, str]:
    found = dict(values)  # type: ignore[call-overload]
    return {str(name).rpartition("/")[2].replace("_", " "): str(value) for name, value in found.items()}
