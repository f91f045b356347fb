"""What the release rests on about forgetting, all of it by hash, and the reading of it that believes no verdict.

    forgetting_obstacle(evidence, store, config, model_hash="9f...", base_hash="3c...")      "" if nothing is in the way

The suite is loaded anew and has to be the one that was measured; answers are graded anew and verdicts computed anew from the
stored likelihoods. Whatever is missing, damaged or of another model is an obstacle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from curation.config import as_plain
from curation.errors import EvaluationError, TunewrightError
from curation.ids import content_hash
from curation.store import Store
from evaluation.forgetting.config import ForgettingConfig
from evaluation.forgetting.records import ProbeResult, SuiteItem
from evaluation.forgetting.spec import RowTables
from evaluation.forgetting.suite import load_suite, suite_of
from evaluation.forgetting.verdict import ForgettingResult, judge_forgetting
from evaluation.memorisation.canaries import find_secret
from evaluation.memorisation.config import MemorisationConfig
from evaluation.memorisation.probe import read_sides
from evaluation.memorisation.records import RowProbe
from evaluation.memorisation.summary import Memorisation, summarise_rows


@dataclass(frozen=True, kw_only=True)
class ForgettingEvidence:
    """The hashes of one probe."""

    items_root: str
    """Table of SuiteItem."""
    results_root: str
    """Table of ProbeResult."""
    rows_root: str
    """Table of RowProbe."""
    rows: RowTables
    """What the rows were chosen from."""
    base: str
    """Name of the base asset."""
    model: str
    """Name of the candidate's asset."""

    def hash(self) -> str:
        """Return the content hash, for the evidence of the release."""
        return content_hash(as_plain(self))


@dataclass(frozen=True, kw_only=True)
class Probes:
    """Everything computed anew from stored results."""

    stages: tuple[ForgettingResult, ...]
    """Every model after the base, in the order of training; the last one is the candidate."""
    memorisation: Memorisation | None

    @property
    def candidate(self) -> ForgettingResult:
        """The result that decides."""
        return self.stages[-1]


def compute_probes(
    evidence: ForgettingEvidence, store: Store, config: ForgettingConfig, *, stages: Sequence[str] = ()
) -> Probes:
    """Compute verdicts from what is stored.

    Args:
        evidence: the tables.
        store: where they are.
        config: the suite, the margins and the limits.
        stages: names of models between base and candidate that are judged as well, for people.

    Raises:
        EvaluationError: if the suite is another one, results are missing, or rows are not those that the recipe chooses.
        TunewrightError: if a table is missing or damaged.
    """
    items = sorted(store.read_table(SuiteItem, evidence.items_root, asset="forgetting"), key=lambda item: item.key)
    if suite_of(items).hash != load_suite(config).hash:
        raise EvaluationError(reason="the forgetting probe was made with other items than the recipe asks for.")
    results = list(store.read_table(ProbeResult, evidence.results_root, asset="forgetting"))
    judged = [
        judge_forgetting(items, results, base=evidence.base, model=name, config=config) for name in (*stages, evidence.model)
    ]
    return Probes(stages=tuple(judged), memorisation=_memorisation(evidence, store, config))


def _memorisation(evidence: ForgettingEvidence, store: Store, config: ForgettingConfig) -> Memorisation | None:
    limits = config.memorisation
    if limits is None:
        return None
    rows = list(store.read_table(RowProbe, evidence.rows_root, asset="forgetting"))
    tables = evidence.rows
    chosen = read_sides(
        store,
        training=tables.training,
        held_out=tables.held_out,
        documents=tables.documents,
        config=limits,
        seed=config.seed,
    )
    tried = sorted((row.side, row.row_hash) for row in rows if row.model == evidence.model)
    if tried != sorted((row.side, row.hash) for row in chosen):
        raise EvaluationError(reason="memorisation was not measured on the rows that the recipe chooses.")
    found = summarise_rows(rows, base=evidence.base, model=evidence.model, config=limits, seed=config.seed)
    ranked = {(row.side, row.row_hash) for row in rows if row.model == evidence.model and row.rank}
    canaries = [row for row in chosen if row.side == "training" and find_secret(row.prompt, row.text) is not None]
    return replace(found, unranked=tuple(row.key for row in canaries if (row.side, row.hash) not in ranked))


def forgetting_obstacle(
    evidence: ForgettingEvidence, store: Store, config: ForgettingConfig, *, model_hash: str, base_hash: str
) -> str:
    """Return why a model may not be released, or an empty text. It never raises: what cannot be read is in the way."""
    limits = config.memorisation
    if not config.blocks and (limits is None or not limits.blocks):
        return ""
    try:
        probes = compute_probes(evidence, store, config)
        found = probes.candidate
        if (found.model_hash, found.base_hash) != (model_hash, base_hash):
            return "The forgetting probe is not one of this candidate and its base. Materialize `forgetting` again."
        return obstacle_of(probes, config, limits)
    except Exception as error:
        reason = str(error) if isinstance(error, TunewrightError) else f"{type(error).__name__}: {error}"
        return f"The forgetting probe does not hold: {reason}"


def obstacle_of(probes: Probes, config: ForgettingConfig, limits: MemorisationConfig | None) -> str:
    """Return what the probes say against a release; empty if nothing."""
    found = probes.candidate
    if config.blocks and not found.is_allowed(config):
        what = "forgot what its base knew" if found.verdict == "fail" else "cannot be shown to know still what its base knew"
        return f"The candidate {what}. {found.reason}"
    if limits is not None and limits.blocks and probes.memorisation is not None:
        return " ".join(probes.memorisation.broken(limits))
    return ""
