"""What the papers are made from: plain values out of stored snapshots, each with the hash that it is found by.

PaperFacts(recipe="sdk_assistant", model=ModelFacts(hash="9f...", files=(PaperFile(path="model.safetensors", ...),)),
           stages=(StageFacts(name="sft_model", method="sft", folder="9f...", build="sdk_assistant/sft_model/4c..."),), ...)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from evaluation.papers.config import PapersConfig

Role = Literal["training", "pre-training", "evaluation"]


@dataclass(frozen=True, kw_only=True)
class PaperFile:
    """One file of a model."""

    path: str
    sha256: str
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """The model that the papers are about."""

    hash: str
    """Folder hash in the store."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Its config.json."""
    files: tuple[PaperFile, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StageFacts:
    """One training stage: what its manifest says, and what its run took."""

    name: str
    method: str
    folder: str
    """Hash of the model folder that holds manifest.json."""
    build: str
    """`ASSET/FINGERPRINT` under which the store keeps the snapshot."""
    manifest: Mapping[str, Any]
    values: Mapping[str, Any]
    """Facts of the run: seconds, device, device_hours, training_cost_usd."""
    data: tuple[str, ...] = ()
    """Names of the data sets that it read."""


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """One table of rows that the model was trained on or measured with."""

    name: str
    role: Role
    root: str
    num_rows: int
    manifest_sha256: str = ""
    """SHA-256 of the list of its files, which the store keeps as tables/ROOT.json."""


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """One source of raw data."""

    name: str
    kind: str
    license: str = ""
    hub_id: str = ""
    """Name on the Hugging Face Hub, where it comes from there."""


@dataclass(frozen=True, kw_only=True)
class BaseFacts:
    """The model that training started from."""

    hash: str
    hub_id: str = ""
    """Name on the Hugging Face Hub; empty for one that was built on the spot or read from a folder."""
    revision: str = ""
    is_built: bool = False
    """Built on the spot, with random weights."""


@dataclass(frozen=True, kw_only=True)
class CheckFacts:
    """A check that was made on an asset."""

    asset: str
    name: str
    passed: bool
    blocks: bool
    detail: str = ""
    expected: str = ""
    actual: str = ""


@dataclass(frozen=True, kw_only=True)
class LineageFacts:
    """One build of one asset: what it was made from and what it gave."""

    asset: str
    partition: str
    version: str
    fingerprint: str
    inputs: Mapping[str, str]
    """Asset (and partition) -> version."""
    num_rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RowCount:
    """Rows that a stage of the data kept and rejected, with the tables that hold them."""

    stage: str
    kept: int
    rejected: int
    kept_tables: tuple[str, ...] = ()
    rejected_tables: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ForgettingRow:
    """How one area of general ability stands, base against candidate."""

    area: str
    measure: Literal["accuracy", "loss"]
    """Loss: nats a byte."""
    base: float
    candidate: float
    difference: float
    """Below 0 something was lost, whatever the measure."""
    low: float
    high: float
    verdict: str
    place: Mapping[str, Any]
    """Folder, file and the pointer of the object that holds these fields."""

    @property
    def fields(self) -> dict[str, str]:
        """How each value is called in that object."""
        same = {name: name for name in ("difference", "low", "high")}
        return {"base": f"base_{self.measure}", "candidate": self.measure, **same}


@dataclass(frozen=True, kw_only=True)
class PaperFacts:
    """Everything that the papers say."""

    recipe: str
    description: str = ""
    owner: str = ""
    created_at: str = ""
    """ISO 8601, UTC."""
    stated: PapersConfig = PapersConfig()
    model: ModelFacts
    base: BaseFacts
    stages: tuple[StageFacts, ...] = ()
    """The trained stages, in their order; the last is the model."""
    data: tuple[DataFacts, ...] = ()
    sources: tuple[SourceFacts, ...] = ()
    teachers: tuple[str, ...] = ()
    comparison: Mapping[str, Any]
    """comparison.json as it is stored."""
    comparison_folder: str
    scores_root: str = ""
    decision: Mapping[str, Any] = field(default_factory=dict)
    """decision.json of the champion; empty before there was one."""
    decision_folder: str = ""
    rows: tuple[RowCount, ...] = ()
    private_findings: Mapping[str, int] = field(default_factory=dict)
    """Kind of personal data -> findings, all of them treated before training."""
    findings_tables: tuple[str, ...] = ()
    """Tables of those findings."""
    contaminated_items: int | None = None
    """Items, held out or of a benchmark, that a training row gives away; None if nobody looked."""
    audit_build: str = ""
    """`ASSET/FINGERPRINT` of the audit that looked."""
    forgetting: tuple[ForgettingRow, ...] = ()
    checks: tuple[CheckFacts, ...] = ()
    lineage: tuple[LineageFacts, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    """Packages of the pipeline that are not in the manifests."""
    spdx: Mapping[str, str] = field(default_factory=dict)
    """Licence as written -> SPDX id, for those that have one."""

    @property
    def license(self) -> str:
        """The licence of the model: as stated, or of its sources if they agree and no other model is in it; else empty."""
        found = {source.license for source in self.sources}
        agreed = found.pop() if len(found) == 1 and self.base.is_built else ""
        return self.stated.license or agreed

    @property
    def promoted(self) -> bool | None:
        """Whether the model is the champion; None before that was decided of this very model."""
        is_own = self.decision.get("model", self.model.hash) == self.model.hash
        return bool(self.decision["promoted"]) if is_own and "promoted" in self.decision else None

    @property
    def contact(self) -> str:
        """Who answers questions; empty if nobody is named."""
        return self.stated.contact or self.owner

    @property
    def purpose(self) -> str:
        """What the model is for; empty if nobody said."""
        return self.stated.intended_use or self.description
