"""Back to the champion before: one entry in the ledger, and the files that say who is live.

rollback("sdk_assistant", ledger=ledger, store=store, home=home.path, who="grace", reason="wrong on Mondays")
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from curation.errors import PromotionRefusedError
from curation.store import Store, hash_folder
from evaluation.release.champion import is_in_sync, sync_champion
from evaluation.release.history import live_entries
from evaluation.release.registry import LedgerEntry, ReleaseLedger


def rollback(
    recipe: str,
    *,
    ledger: ReleaseLedger,
    store: Store,
    home: Path,
    who: str,
    reason: str,
    is_verified: bool = True,
    withdrawn: Mapping[str, str] = MappingProxyType({}),
) -> LedgerEntry:
    """Make the champion before the present one live again, and return the ledger entry.

    The model rolled back from is not promoted again. A rollback that was killed after its entry was written is ended, so that
    the same command, given again, does not go back twice. `is_verified=False` does not read the files first (about a
    second a GB). `withdrawn` says of models, by hash, why they may not be live any more.

    Raises:
        PromotionRefusedError: if nobody or no reason is named, there is no earlier champion, or its files are not in the store
            or were changed, or it learnt from what is withdrawn.
        LedgerTamperedError: if the ledger is not intact.
        StaleReleaseError: if the release history changed meanwhile.
    """
    if not who.strip() or not reason.strip():
        raise PromotionRefusedError(reason="a rollback names who does it, and why.")
    ledger.verify()
    begun = ledger.champion(recipe)
    if begun is not None and begun.action == "rollback" and not is_in_sync(begun, home=home, store=store):
        sync_champion(recipe, ledger=ledger, home=home, store=store)
        return begun
    history = ledger.history(recipe)
    live = live_entries(history)
    if len(live) < 2:
        raise PromotionRefusedError(reason=f"'{recipe}' has no earlier champion to go back to.")
    target = live[-2]
    if target.model_hash in withdrawn:
        problem = f"the earlier champion {target.model_hash} learnt from what is withdrawn ({withdrawn[target.model_hash]})."
        raise PromotionRefusedError(reason=problem)
    if not store.files.exists(f"folders/{target.model_hash}"):
        raise PromotionRefusedError(reason=f"the earlier champion {target.model_hash} is not in the store any more.")
    if is_verified and hash_folder(store.get_folder(target.model_hash)) != target.model_hash:
        raise PromotionRefusedError(reason=f"the files of the earlier champion {target.model_hash} were changed.")
    entry = ledger.append(
        recipe=recipe,
        action="rollback",
        model_hash=target.model_hash,
        evidence_hash=target.evidence_hash,
        who=who,
        reason=reason,
        expected_head=history[-1].hash,
    )
    sync_champion(recipe, ledger=ledger, home=home, store=store)
    return entry
