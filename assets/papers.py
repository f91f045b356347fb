"""The papers of a model: card, bill of materials, results for the Hub, evidence for every number, and how it was made."""

import hashlib
import importlib.metadata
import json
import os
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from assets.audit import training_sets
from assets.curated import SHARDED, STAGES_THAT_REJECT, shard_snapshots
from assets.data_card import shown_card
from assets.declare import as_result, declared, describe
from assets.presentation import page_link
from assets.recipe import Recipe
from assets.stage import Outputs, run_stage
from curation.checksums import hash_file
from curation.files import write_atomically
from curation.home import Home
from curation.ids import content_hash
from curation.pages import PAGE
from curation.records import PrivacyFinding
from curation.store import NOT_IN_VERSION, Snapshot, Store
from curation.terms.licenses import find_license
from evaluation.papers.citations import pointer
from evaluation.papers.facts import (
    BaseFacts,
    CheckFacts,
    DataFacts,
    ForgettingRow,
    LineageFacts,
    ModelFacts,
    PaperFacts,
    PaperFile,
    RowCount,
    SourceFacts,
    StageFacts,
)
from evaluation.papers.openlineage import send_events
from evaluation.papers.write import EVENTS, write_papers
from training.config.training import BASE_MODEL

PACKAGES = ("dagster", "polars", "pyarrow", "great-expectations", "openai")
"""Software of the pipeline that no training manifest names."""
KEY_VARIABLE = "OPENLINEAGE_API_KEY"
SPDX = "https://spdx.org/licenses/"
PROBE = "forgetting"
USES = {"dapt_corpus": "pre-training"}


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_model_card(recipe)]


def _model_card(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "model_card",
        group="release",
        kinds={"markdown"},
        modules=("evaluation.papers.write",),
        settings=[recipe.papers, recipe.description, recipe.owner, recipe.sources],
        deps=["evaluation_report", "champion"],
        description="What the model is, what it was made from and how it was measured: card, bill of materials (CycloneDX), "
        "results for the Hugging Face Hub, and where every number comes from.",
    )

    @declared(arguments)
    def card(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        inputs = _inputs(recipe, home.store())
        run = run_stage(
            home,
            asset=recipe.asset("model_card"),
            inputs=inputs.values(),
            code=arguments["code_version"],
            make=lambda _: _write(recipe, home, inputs),
        )
        folder = home.store().get_folder(run.snapshot.folders["card"])
        sent = _send(recipe, home, folder, run.snapshot.version)
        return as_result(home, run, card=shown_card(folder), **_links(recipe, home), **sent)

    return card


def _links(recipe: Recipe, home: Home) -> dict[str, Any]:
    """Return where report and data card lie that belong to the model, as links and, for plain Dagster, as paths."""
    store = home.store()
    links: dict[str, Any] = {}
    for name, asset, folder in (("report", "evaluation_report", "report"), ("data_card", "dataset_card", "card")):
        found = store.find_snapshot(recipe.asset(asset))
        if found is not None:
            links[name] = page_link(found.asset, found.folders[folder])
            links[f"{name}_path"] = dg.MetadataValue.path(str(store.get_folder(found.folders[folder]) / PAGE))
    return links


def _inputs(recipe: Recipe, store: Store) -> dict[str, Snapshot]:
    probe = [PROBE] if recipe.forgetting is not None else []
    needed = ("comparison", "answers", "scores", "champion", "dataset_audit", *recipe.training.model_names, *probe)
    return {name: store.snapshot(recipe.asset(name)) for name in needed}


def _write(recipe: Recipe, home: Home, inputs: dict[str, Snapshot]) -> Outputs:
    facts = paper_facts(recipe, home.store(), inputs)
    written = write_papers(facts, home.path / "work" / recipe.name / "model_card")
    return Outputs(folders={"card": written.folder}, values={"numbers_with_evidence": written.num_citations})


def _send(recipe: Recipe, home: Home, card: Path, version: str) -> dict[str, Any]:
    """Send the events of these papers where the recipe says, once; a server that is away is asked again the next time."""
    address = recipe.papers.openlineage
    if address in ("", "file"):
        return {}
    sent = home.path / "work" / recipe.name / "openlineage" / content_hash([address, version])
    if sent.exists():
        return {"openlineage": "sent before"}
    events = [json.loads(line) for line in (card / EVENTS).read_text().splitlines()]
    problem = send_events(events, address, key=os.environ.get(KEY_VARIABLE, ""))
    if not problem:
        write_atomically(sent, b"")
    return {"openlineage": problem or f"{len(events)} events sent"}


def paper_facts(recipe: Recipe, store: Store, inputs: dict[str, Snapshot]) -> PaperFacts:
    """Collect what the papers say from stored snapshots. Raises MissingSnapshotError if a stage never ran."""
    folder, decided = inputs["comparison"].folders["comparison"], inputs["champion"].folders["decision"]
    model = inputs[recipe.training.answering_models[-1]].folders["model"]
    audit = inputs["dataset_audit"]
    findings, tables = _findings(recipe, store)
    return PaperFacts(
        recipe=recipe.name,
        description=recipe.description,
        owner=recipe.owner,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        stated=recipe.papers,
        model=_model(store, model),
        base=_base(recipe, inputs[BASE_MODEL].folders["model"]),
        stages=tuple(sorted(_stages(recipe, store, inputs), key=lambda stage: stage.folder == model)),
        data=tuple(_data(recipe, store, inputs)),
        sources=tuple(_sources(recipe)),
        teachers=tuple(teacher.label for teacher in recipe.all_teachers),
        comparison=json.loads((store.get_folder(folder) / "comparison.json").read_bytes()),
        comparison_folder=folder,
        scores_root=inputs["scores"].tables["scores"].root,
        decision=json.loads((store.get_folder(decided) / "decision.json").read_bytes()),
        decision_folder=decided,
        rows=tuple(_count_rows(recipe, store, name) for name in STAGES_THAT_REJECT),
        private_findings=findings,
        findings_tables=tables,
        contaminated_items=audit.values["contamination"]["contaminated_items"],
        audit_build=f"{audit.asset}/{audit.fingerprint}",
        forgetting=tuple(_forgetting(store, inputs[PROBE])) if PROBE in inputs else (),
        checks=tuple(_checks(recipe, inputs)),
        lineage=tuple(_lineage(store, recipe.name, [inputs["champion"], inputs["comparison"]])),
        versions={name: importlib.metadata.version(name) for name in PACKAGES},
        spdx=_spdx_names(recipe),
    )


def _model(store: Store, folder_hash: str) -> ModelFacts:
    folder = store.get_folder(folder_hash)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [
        PaperFile(path=path.relative_to(folder).as_posix(), sha256=hash_file(path), num_bytes=path.stat().st_size)
        for path in paths
    ]
    return ModelFacts(hash=folder_hash, config=json.loads((folder / "config.json").read_bytes()), files=tuple(files))


def _base(recipe: Recipe, folder_hash: str) -> BaseFacts:
    named, revision = recipe.training.base.model, recipe.training.base.revision or ""
    is_local = named is not None and (Path(named).is_dir() or named.startswith((".", "/", "~")) or named.count("/") > 1)
    return BaseFacts(hash=folder_hash, hub_id="" if is_local else named or "", revision=revision, is_built=named is None)


def _stages(recipe: Recipe, store: Store, inputs: dict[str, Snapshot]) -> list[StageFacts]:
    found = []
    for stage in recipe.training.stages:
        snapshot = inputs[stage.model_name]
        manifest = store.get_folder(snapshot.folders["model"]) / "manifest.json"
        found.append(
            StageFacts(
                name=stage.model_name,
                method=stage.method,
                folder=snapshot.folders["model"],
                build=f"{snapshot.asset}/{snapshot.fingerprint}",
                manifest=json.loads(manifest.read_bytes()),
                values=snapshot.values,
                data=(stage.data.dataset,),
            )
        )
    return found


def _data(recipe: Recipe, store: Store, inputs: dict[str, Snapshot]) -> Iterable[DataFacts]:
    for data in dict.fromkeys(recipe.training.data):
        table = store.snapshot(recipe.asset(data.dataset)).tables[data.table]
        yield _data_facts(store, data.dataset, USES.get(data.dataset, "training"), table.root, table.num_rows)
    items = inputs["answers"].tables["items"]
    yield _data_facts(store, "evaluation_items", "evaluation", items.root, items.num_rows)


def _data_facts(store: Store, name: str, role: Any, root: str, num_rows: int) -> DataFacts:
    listed = hashlib.sha256(store.files.read_bytes(f"tables/{root}.json")).hexdigest()
    return DataFacts(name=name, role=role, root=root, num_rows=num_rows, manifest_sha256=listed)


def _sources(recipe: Recipe) -> Iterable[SourceFacts]:
    for source in recipe.sources:
        hub_id = source.dataset if source.dataset.count("/") == 1 and not Path(source.dataset).exists() else ""
        yield SourceFacts(name=source.name, kind=source.kind, license=source.license, hub_id=hub_id)


def _count_rows(recipe: Recipe, store: Store, name: str) -> RowCount:
    is_sharded = name in SHARDED
    found = shard_snapshots(recipe, store, name) if is_sharded else [store.snapshot(recipe.asset(name))]
    uncounted = NOT_IN_VERSION if is_sharded else (*NOT_IN_VERSION, "documents")  # reviewed documents are no rows
    kept = [table for item in found for kind, table in item.tables.items() if kind not in uncounted]
    rejected = [item.tables["rejections"] for item in found]
    return RowCount(
        stage=name,
        kept=sum(table.num_rows for table in kept),
        rejected=sum(table.num_rows for table in rejected),
        kept_tables=tuple(table.root for table in kept),
        rejected_tables=tuple(table.root for table in rejected),
    )


def _findings(recipe: Recipe, store: Store) -> tuple[dict[str, int], tuple[str, ...]]:
    curated = store.snapshot(recipe.asset("curated_examples"))
    screened = [*shard_snapshots(recipe, store, *STAGES_THAT_REJECT[:2]), curated]
    roots = tuple(item.tables["findings"].root for item in screened)
    kinds = Counter(row.entity for root in roots for row in store.read_table(PrivacyFinding, root))
    return dict(sorted(kinds.items())), roots


def _forgetting(store: Store, probe: Snapshot) -> Iterable[ForgettingRow]:
    """Read what the last model has lost, area by area, with the place of each."""
    folder, file = probe.folders["report"], "forgetting.json"
    stages = json.loads((store.get_folder(folder) / file).read_bytes())["stages"]
    for index, area in enumerate(stages[-1]["areas"]):
        yield ForgettingRow(
            area=area["area"],
            measure=area["measure"],
            base=area[f"base_{area['measure']}"],
            candidate=area[area["measure"]],
            difference=area["difference"],
            low=area["low"],
            high=area["high"],
            verdict=area["verdict"],
            place={"folder": folder, "file": file, "pointer": pointer("stages", len(stages) - 1, "areas", index)},
        )


def _checks(recipe: Recipe, inputs: dict[str, Snapshot]) -> Iterable[CheckFacts]:
    for guard, found in inputs["dataset_audit"].values["judgements"].items():
        for name in (*training_sets(recipe), "eval_set"):
            yield CheckFacts(asset=recipe.asset(name), name=guard, passed=found["passed"], blocks=True, detail=found["detail"])
    compared = inputs["comparison"].values
    yield CheckFacts(
        asset=recipe.asset("comparison"),
        name="promotion",
        passed=compared["verdict"] == "pass",
        blocks=True,
        detail=compared["reason"],
        expected="pass",
        actual=compared["verdict"],
    )


def _lineage(store: Store, recipe: str, last: Iterable[Snapshot]) -> list[LineageFacts]:
    """Return the builds that some snapshots descend from, ancestors first; only of the very versions that went in."""
    known = {_named(item): item for item in store.list_snapshots(recipe)}
    ordered: dict[str, Snapshot] = {}

    def visit(snapshot: Snapshot) -> None:
        for name, version in sorted(snapshot.inputs.items()):
            parent = known.get(name)
            if parent is not None and parent.version == version and name not in ordered:
                visit(parent)
        ordered[_named(snapshot)] = snapshot

    for snapshot in last:
        visit(snapshot)
    return [
        LineageFacts(
            asset=item.asset,
            partition=item.partition,
            version=item.version,
            fingerprint=item.fingerprint,
            inputs=item.inputs,
            num_rows={name: table.num_rows for name, table in item.tables.items() if name not in NOT_IN_VERSION},
        )
        for item in ordered.values()
    ]


def _named(snapshot: Snapshot) -> str:
    return f"{snapshot.asset}[{snapshot.partition}]" if snapshot.partition else snapshot.asset


def _spdx_names(recipe: Recipe) -> dict[str, str]:
    found = {
        name: find_license(name) for name in (recipe.papers.license, *(source.license for source in recipe.sources)) if name
    }
    return {name: entry.name for name, entry in found.items() if entry is not None and entry.url.startswith(SPDX)}
