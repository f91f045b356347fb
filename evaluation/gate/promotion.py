"""From evidence to champion: the verdict is recomputed from stored answers, recorded in the ledger, and made live.

    decision = decide_promotion(evidence, store, config, release)
    outcome = promote(decision, evidence, ledger=ledger, store=store, home=home.path, who="schedule")
    outcome.promoted, outcome.entry.reason

No stored verdict is believed. Whatever cannot be read, or differs from what the evidence says, refuses the promotion. A
candidate that passes is held while a person has to approve it: where the recipe asks for that, and where the same model was
refused on the same answers before, so that no threshold is lowered after the fact without somebody's name.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.config import as_plain
from curation.errors import PromotionRefusedError
from curation.ids import canonical_json, content_hash
from curation.store import Store
from evaluation.config import EvaluationConfig
from evaluation.gate.comparison import Comparison, compare
from evaluation.gate.evidence import Evidence, describe_failure, read_evidence
from evaluation.gate.limits import find_excess
from evaluation.gate.verdict import Verdict
from evaluation.release.champion import sync_champion
from evaluation.release.config import ReleaseConfig
from evaluation.release.history import find_approval, live_entries, withdrawal
from evaluation.release.registry import GENESIS, Action, LedgerEntry, ReleaseLedger
from evaluation.release.rollback import rollback

__all__ = [
    "Evidence",
    "PromotionDecision",
    "PromotionOutcome",
    "approve",
    "decide_promotion",
    "live_entries",
    "promote",
    "rollback",
]

UNSOUND = "The evidence does not hold: "
"""How a refusal begins that says nothing about the model."""
MACHINES = ("", "pipeline", "schedule", "sensor")
"""Names under which nothing is approved."""


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
    needs_approval: bool = False
    """Whether a person has to approve this very model on this very evidence."""


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
        found = read_evidence(evidence, store, config)
        comparison = compare(found.scores, config, release, items=found.items, answers=found.answers, timings=found.timings)
        if comparison.hash() != evidence.comparison_hash:
            return _refusal(evidence, "the comparison differs from what the stored answers give now.")
    except Exception as error:
        return _refusal(evidence, describe_failure(error))
    excess = find_excess(comparison, release) if comparison.verdict == "pass" else ""
    return PromotionDecision(
        verdict="fail" if excess else comparison.verdict,
        reason=excess or comparison.reason,
        evidence_hash=evidence.hash(),
        comparison=comparison,
        champion_hash=found.champion_hash,
        needs_champion=release.against_champion,
        needs_approval=release.approval == "required",
    )


def _refusal(evidence: Evidence, reason: str) -> PromotionDecision:
    return PromotionDecision(verdict="fail", reason=f"{UNSOUND}{reason}", evidence_hash=evidence.hash())


def promote(
    decision: PromotionDecision,
    evidence: Evidence,
    *,
    ledger: ReleaseLedger,
    store: Store,
    home: Path,
    who: str,
    obstacle: str = "",
) -> PromotionOutcome:
    """Record the decision and, if it is `pass`, make the candidate the champion. Calling it again changes nothing.

    Args:
        decision: of `decide_promotion`, on this evidence.
        evidence: what it rests on; kept in the store under its hash.
        ledger: takes the entry.
        store: holds the model.
        home: folder of the installation; its `champions` name the model that is live.
        who: goes into the ledger.
        obstacle: what else stands against the release, such as withdrawn data; empty if nothing does.

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
        sync_champion(evidence.recipe, ledger=ledger, home=home, store=store)
        return PromotionOutcome(promoted=True, entry=live[-1])
    action, why = _settle(decision, evidence, history, store, obstacle)
    last = history[-1] if history else None
    if last and action != "promote" and (last.action, last.evidence_hash, last.reason) == (action, decision.evidence_hash, why):
        return PromotionOutcome(promoted=False, entry=last)
    store.files.write_bytes(f"evidence/{decision.evidence_hash}.json", canonical_json(as_plain(evidence)).encode())
    entry = ledger.append(
        recipe=evidence.recipe,
        action=action,
        model_hash=evidence.model_hash,
        evidence_hash=decision.evidence_hash,
        who=who,
        reason=why,
        expected_head=last.hash if last else GENESIS,
    )
    sync_champion(evidence.recipe, ledger=ledger, home=home, store=store)
    return PromotionOutcome(promoted=action == "promote", entry=entry)


def _settle(
    decision: PromotionDecision, evidence: Evidence, history: Sequence[LedgerEntry], store: Store, obstacle: str
) -> tuple[Action, str]:
    if decision.verdict != "pass":
        return "refuse", decision.reason
    withdrawn = withdrawal(history, evidence.model_hash)
    if withdrawn:
        return "refuse", f"This model was rolled back by {withdrawn.who} on {withdrawn.created_at[:10]}: {withdrawn.reason}"
    if obstacle:
        return "hold", obstacle
    live = live_entries(history)
    champion = live[-1].model_hash if live else ""
    if decision.needs_champion and champion and decision.champion_hash != champion:
        problem = f"The candidate was not compared with the present champion {champion[:12]}. Materialize the answers again."
        return "hold", problem
    refused = _refused_before(evidence, history, store)
    approval = find_approval(history, evidence.model_hash, decision.evidence_hash)
    if approval is None and (refused or decision.needs_approval):
        return "hold", f"{refused or 'The candidate passes and waits for a person.'} {_how_to_approve(evidence)}"
    return "promote", f"{decision.reason} Approved by {approval.who}: {approval.reason}" if approval else decision.reason


def _how_to_approve(evidence: Evidence) -> str:
    return f"`tunewright release approve {evidence.recipe} --model {evidence.model_hash[:12]}` approves it."


def _refused_before(evidence: Evidence, history: Sequence[LedgerEntry], store: Store) -> str:
    """Return when this model was refused on these very answers, as a sentence; empty if it never was."""
    for entry in history:
        if entry.action != "refuse" or entry.model_hash != evidence.model_hash or entry.reason.startswith(UNSOUND):
            continue
        if entry.evidence_hash != evidence.hash() and _answers_of(entry, store) in (None, evidence.answers_root):
            day = entry.created_at[:10]
            return f"The same answers of this model were refused on {day} ({entry.reason}) and pass under other settings."
    return ""


def _answers_of(entry: LedgerEntry, store: Store) -> str | None:
    """Return the answers that an entry rests on; None if its evidence is gone or was changed."""
    try:
        found = json.loads(store.files.read_bytes(f"evidence/{entry.evidence_hash}.json"))
        return str(found["answers_root"]) if content_hash(found) == entry.evidence_hash else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def approve(
    decision: PromotionDecision, evidence: Evidence, *, ledger: ReleaseLedger, store: Store, who: str, reason: str
) -> LedgerEntry:
    """Record that a person wants this model released on this evidence, and return the entry. It promotes nothing by itself.

    The approval counts for this model on this evidence only: other answers, data, settings or code need another one.

    Raises:
        PromotionRefusedError: if the candidate does not pass, or no person or reason is named.
        LedgerTamperedError: if the ledger is not intact.
        StaleReleaseError: if the release history changed meanwhile.
    """
    if who.strip().casefold() in MACHINES or not reason.strip():
        raise PromotionRefusedError(reason="an approval names a person and a reason.")
    if decision.evidence_hash != evidence.hash():
        raise PromotionRefusedError(reason="the decision was made on other evidence.")
    if decision.verdict != "pass":
        raise PromotionRefusedError(reason=f"there is nothing to approve. {decision.reason}")
    ledger.verify()
    history = ledger.history(evidence.recipe)
    found = find_approval(history, evidence.model_hash, decision.evidence_hash)
    if found is not None:
        return found
    store.files.write_bytes(f"evidence/{decision.evidence_hash}.json", canonical_json(as_plain(evidence)).encode())
    return ledger.append(
        recipe=evidence.recipe,
        action="approve",
        model_hash=evidence.model_hash,
        evidence_hash=decision.evidence_hash,
        who=who.strip(),
        reason=reason.strip(),
        expected_head=history[-1].hash if history else GENESIS,
    )
