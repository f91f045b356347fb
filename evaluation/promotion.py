"""From evidence to champion: the verdict is recomputed from stored answers, recorded in the ledger, and made live.

    decision = decide_promotion(evidence, store, config, release)
    outcome = promote(decision, evidence, ledger=ledger, store=store, home=home.path, who="schedule")
    outcome.promoted, outcome.entry.reason

No stored verdict is believed. Whatever cannot be read, or differs from what the evidence says, refuses the promotion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.config import as_plain
from curation.errors import PromotionRefusedError
from curation.ids import canonical_json
from curation.store import Store
from evaluation.champion import sync_champion
from evaluation.comparison import Comparison, compare
from evaluation.config import EvaluationConfig, ReleaseConfig
from evaluation.evidence import Evidence, describe_failure, read_evidence
from evaluation.registry import GENESIS, LedgerEntry, ReleaseLedger
from evaluation.verdict import Verdict

__all__ = ["Evidence", "PromotionDecision", "PromotionOutcome", "decide_promotion", "promote", "rollback"]


@dataclass(frozen=True, kw_only=True)
class PromotionDecision:
    """The recomputed verdict. Only `pass` promotes; `fail` also stands for evidence that does not hold."""

    verdict: Verdict
    reason: str
    evidence_hash: str
    comparison: Comparison | None = None
    """None if the evidence could not be read or does not hold."""
    champion_hash: str = ""
    """Model hash of the champion that the candidate was compared with; empty if there was none."""
    needs_champion: bool = False
    """Whether the champion, if there is one, has to be the one compared with."""


@dataclass(frozen=True, kw_only=True)
class PromotionOutcome:
    """What happened, as the ledger has it."""

    promoted: bool
    """Whether this candidate is the champion now."""
    entry: LedgerEntry


def decide_promotion(evidence: Evidence, store: Store, config: EvaluationConfig, release: ReleaseConfig) -> PromotionDecision:
    """Recompute scores from answers and the verdict from scores.

    It fails closed and never raises: evidence that is missing, damaged or different gives the verdict `fail` and says why.
    """
    try:
        scores, champion_hash = read_evidence(evidence, store)
        comparison = compare(scores, config, release)
        if comparison.hash() != evidence.comparison_hash:
            return _refusal(evidence, "the comparison differs from what the stored answers give now.")
    except Exception as error:
        return _refusal(evidence, describe_failure(error))
    return PromotionDecision(
        verdict=comparison.verdict,
        reason=comparison.reason,
        evidence_hash=evidence.hash(),
        comparison=comparison,
        champion_hash=champion_hash,
        needs_champion=release.against_champion and "champion" in config.comparators,
    )


def _refusal(evidence: Evidence, reason: str) -> PromotionDecision:
    return PromotionDecision(verdict="fail", reason=f"The evidence does not hold: {reason}", evidence_hash=evidence.hash())


def promote(
    decision: PromotionDecision, evidence: Evidence, *, ledger: ReleaseLedger, store: Store, home: Path, who: str
) -> PromotionOutcome:
    """Record the decision and, if it is `pass`, make the candidate the champion. Calling it again changes nothing.

    Raises:
        LedgerTamperedError: if the ledger is not intact; nothing is promoted.
        StaleReleaseError: if the release history changed meanwhile; nothing is promoted.
        PromotionRefusedError: if the decision was not made on this evidence.
    """
    if decision.evidence_hash != evidence.hash():
        raise PromotionRefusedError(reason="the decision was made on other evidence.")
    ledger.verify()
    history = ledger.history(evidence.recipe)
    live = live_entries(history)
    if live and live[-1].model_hash == evidence.model_hash:
        sync_champion(evidence.recipe, ledger=ledger, home=home)
        return PromotionOutcome(promoted=True, entry=live[-1])
    obstacle = _obstacle(decision, evidence, history)
    last = history[-1] if history else None
    if obstacle and last and (last.action, last.evidence_hash, last.reason) == ("refuse", decision.evidence_hash, obstacle):
        return PromotionOutcome(promoted=False, entry=last)
    store.files.write_bytes(f"evidence/{decision.evidence_hash}.json", canonical_json(as_plain(evidence)).encode())
    entry = ledger.append(
        recipe=evidence.recipe,
        action="refuse" if obstacle else "promote",
        model_hash=evidence.model_hash,
        evidence_hash=decision.evidence_hash,
        who=who,
        reason=obstacle or decision.reason,
        expected_head=last.hash if last else GENESIS,
    )
    sync_champion(evidence.recipe, ledger=ledger, home=home)
    return PromotionOutcome(promoted=not obstacle, entry=entry)


def _obstacle(decision: PromotionDecision, evidence: Evidence, history: Sequence[LedgerEntry]) -> str:
    if decision.verdict != "pass":
        return decision.reason
    live = live_entries(history)
    champion = live[-1].model_hash if live else ""
    if decision.needs_champion and champion and decision.champion_hash != champion:
        return f"The candidate was not compared with the present champion {champion[:12]}. Materialize the answers again."
    withdrawn = withdrawal(history, evidence.model_hash)
    if withdrawn:
        return f"This model was rolled back by {withdrawn.who} on {withdrawn.created_at[:10]}: {withdrawn.reason}"
    return ""


def rollback(recipe: str, *, ledger: ReleaseLedger, store: Store, home: Path, who: str, reason: str) -> LedgerEntry:
    """Make the champion before the present one live again, and return the ledger entry.

    The model rolled back from is not promoted again.

    Raises:
        PromotionRefusedError: if there is no earlier champion, or its files are not in the store.
        LedgerTamperedError: if the ledger is not intact.
        StaleReleaseError: if the release history changed meanwhile.
    """
    ledger.verify()
    history = ledger.history(recipe)
    live = live_entries(history)
    if len(live) < 2:
        raise PromotionRefusedError(reason=f"'{recipe}' has no earlier champion to go back to.")
    target = live[-2]
    if not store.files.exists(f"folders/{target.model_hash}"):
        raise PromotionRefusedError(reason=f"the earlier champion {target.model_hash} is not in the store any more.")
    entry = ledger.append(
        recipe=recipe,
        action="rollback",
        model_hash=target.model_hash,
        evidence_hash=target.evidence_hash,
        who=who,
        reason=reason,
        expected_head=history[-1].hash,
    )
    sync_champion(recipe, ledger=ledger, home=home)
    return entry


def live_entries(history: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Return the promotions that stand, oldest first: each rollback takes the last one away."""
    live: list[LedgerEntry] = []
    for entry in history:
        if entry.action == "promote":
            live.append(entry)
        elif entry.action == "rollback" and live:
            live.pop()
    return live


def withdrawal(history: Sequence[LedgerEntry], model_hash: str) -> LedgerEntry | None:
    """Return the rollback that took a model away, or None if it was never rolled back."""
    found = None
    for index, entry in enumerate(history):
        if entry.action == "rollback":
            before = live_entries(history[:index])
            found = entry if before and before[-1].model_hash == model_hash else found
    return found
