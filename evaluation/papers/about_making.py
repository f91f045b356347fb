"""Sections of the model card about the making: settings, losses, data sets, personal data, devices and cost.

about_training(facts, cite)      "### sft_model (sft)", then a table of rows, losses, settings, versions
"""

import json
from collections.abc import Mapping
from typing import Any

from evaluation.papers.about_results import name_of
from evaluation.papers.citations import Citations, pointer
from evaluation.papers.energy import estimate_energy
from evaluation.papers.facts import DataFacts, PaperFacts, StageFacts
from evaluation.papers.markup import ask_for, code, paragraphs, plain, table
from evaluation.papers.measured import (
    read_running,
)

SHOWN_SETTINGS = (
    "tuning", "learning_rate", "epochs", "max_steps", "batch_size", "gradient_accumulation", "max_length", "packing",
    "optimizer", "precision", "weight_decay", "warmup_ratio", "lora", "sft", "preference", "kto", "orpo", "rl",
)  # fmt: skip
"""Training settings of the card; what is null was chosen by the preset and is left to the manifest."""


def about_training(facts: PaperFacts, cite: Citations) -> str:
    """Give settings, rows, steps, losses and versions of every stage."""
    parts = []
    for stage in facts.stages:
        settings = _settings(stage.manifest.get("config") or {})
        rows = [
            ("Learnt from", _amounts(stage, cite)),
            ("Loss", _losses(stage, cite)),
            *((f"`{name}`", code(json.dumps(value))) for name, value in settings.items()),
            ("Seed", code(stage.manifest.get("seed", "not recorded"))),
            ("Data", ", ".join(code(name) for name in stage.data) or "not recorded"),
            ("Versions", plain(_versions(stage.manifest.get("versions") or {})) or "not recorded"),
            ("Model folder", code(stage.folder)),
        ]
        parts.append(f"### {plain(stage.name)} ({plain(stage.method)})\n\n{table(('', ''), rows)}")
    return paragraphs(*parts) or "No stage was trained."


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: config[name] for name in SHOWN_SETTINGS if config.get(name) not in (None, [], {}, "")}


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items() if number)


def from_manifest(stage: StageFacts, name: str, cite: Citations) -> str:
    """Return a number of a stage's manifest, cited."""
    value = stage.manifest[name]
    place = {"folder": stage.folder, "file": "manifest.json", "pointer": pointer(name)}
    return cite(f"{value:,}", value, name=f"{stage.name} {name}", **place)


def _amounts(stage: StageFacts, cite: Citations) -> str:
    units = {"num_rows": "rows", "num_steps": "steps", "trained_tokens": "tokens read"}
    known = {name: unit for name, unit in units.items() if name in stage.manifest}
    return ", ".join(f"{from_manifest(stage, name, cite)} {unit}" for name, unit in known.items()) or "not recorded"


def _losses(stage: StageFacts, cite: Citations) -> str:
    curve = stage.manifest.get("loss_curve") or []
    ends = {"first": 0, "last": len(curve) - 1} if curve else {}
    shown = []
    for name, index in ends.items():
        value = float(curve[index]["loss"])
        place = {"folder": stage.folder, "file": "manifest.json", "pointer": pointer("loss_curve", index, "loss")}
        shown.append(cite(f"{value:.3f}", value, name=f"{stage.name} {name} loss", **place))
    return f"{shown[0]} at first, {shown[1]} at last" if shown else "not recorded"


def about_data(facts: PaperFacts, cite: Citations) -> str:
    """List the data sets with their hashes, the sources with their licences, and what was dropped on the way."""
    data = [_data_row(item, cite) for item in facts.data]
    sources = [
        (
            plain(item.name),
            plain(item.kind),
            plain(item.hub_id),
            plain(item.license) or "not stated: set `license` of the source",
        )
        for item in facts.sources
    ]
    rows = [
        (
            plain(item.stage.replace("_", " ")),
            cite(f"{item.kept:,}", item.kept, name=f"{item.stage} kept", tables=list(item.kept_tables)),
            cite(f"{item.rejected:,}", item.rejected, name=f"{item.stage} rejected", tables=list(item.rejected_tables)),
        )
        for item in facts.rows
    ]
    teachers = ", ".join(plain(teacher) for teacher in facts.teachers)
    return paragraphs(
        table(("Data set", "Use", "Rows", "Root"), data) or "No data sets are recorded.",
        table(("Source", "Kind", "Hub", "Licence"), sources),
        f"Written by: {teachers}." if teachers else "",
        table(("Stage", "Rows kept", "Rows rejected"), rows),
        _privacy(facts, cite),
    )


def _privacy(facts: PaperFacts, cite: Citations) -> str:
    number = sum(facts.private_findings.values())
    tables = list(facts.findings_tables)
    shown = cite(f"{number:,}", number, name="personal data found", tables=tables)
    if not number:
        return f"Personal data found in the rows: {shown}."
    return f"Personal data found and treated before training: {shown} ({plain(', '.join(sorted(facts.private_findings)))})."


def _data_row(item: DataFacts, cite: Citations) -> tuple[str, ...]:
    rows = cite(f"{item.num_rows:,}", item.num_rows, name=f"{item.name} rows", tables=[item.root])
    return plain(item.name), item.role, rows, code(item.root)


def about_cost(facts: PaperFacts, cite: Citations) -> str:
    """Say how long training took on which devices, what it cost, and what energy that was."""
    rows = [
        (
            plain(stage.name),
            plain(stage.values.get("device") or "not recorded"),
            _from_values(stage, "num_devices", "{:,}", cite),
            _from_values(stage, "device_hours", "{:.4f}", cite),
            _from_values(stage, "training_cost_usd", "${:,.2f}", cite, missing="set `training.price_per_gpu_hour`"),
        )
        for stage in facts.stages
    ]
    energy = estimate_energy(facts)
    if energy is None:
        told = f"Energy: {ask_for('papers.watts_per_device')}."
    else:
        grid = ask_for("papers.grid_grams_per_kwh") if energy.grams_co2 is None else f"{energy.grams_co2:,.1f} g CO2 equivalent"
        told = (
            f"Energy, estimated from {energy.hours:.4f} device hours at {facts.stated.watts_per_device:g} W: "
            f"{energy.kwh:.4f} kWh; {grid}."
        )
    return paragraphs(table(("Stage", "Device", "Devices", "Device hours", "Cost"), rows), told, _running(facts, cite))


def _running(facts: PaperFacts, cite: Citations) -> str:
    units = {
        "latency_p50_s": "{:.3g} s",
        "latency_p95_s": "{:.3g} s",
        "prompt_tokens": "{:.1f}",
        "completion_tokens": "{:.1f}",
        "cost_per_1000_usd": "${:.4g}",
    }
    rows = []
    for item in read_running(facts.comparison):
        cells = [name_of(item.comparator)]
        for field, form in units.items():
            value, place = getattr(item, field), {"folder": facts.comparison_folder, "file": "comparison.json"}
            name = f"{item.comparator} {field}"
            shown = (
                "" if value is None else cite(form.format(value), value, name=name, **place, pointer=f"{item.place}/{field}")
            )
            cells.append(shown or ("set `evaluation.gpu_usd_per_hour`" if field == "cost_per_1000_usd" else "not measured"))
        rows.append(tuple(cells))
    head = ("Answered by", "Latency, median", "Latency, 95 %", "Tokens in", "Tokens out", "1,000 requests")
    return paragraphs("What an answer took in the evaluation:", table(head, rows)) if rows else ""


def _from_values(stage: StageFacts, name: str, form: str, cite: Citations, missing: str = "not recorded") -> str:
    value = stage.values.get(name)
    if value is None:
        return missing
    return cite(form.format(value), value, name=f"{stage.name} {name}", build=stage.build, pointer=pointer("values", name))
