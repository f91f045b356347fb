"""What a mirror is: a registry elsewhere that is told which model is live, and never asked.

MlflowRegistry("sqlite:///mlflow.db").publish(Announcement(...))     "models:/sdk_assistant/3"
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evaluation.release.registry import LedgerEntry

ALIAS = "champion"
"""The alias, or tag, under which a mirror knows the model that is live."""


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """What a mirror is told."""

    entry: LedgerEntry
    """The promotion, or the rollback to it."""
    folder: Path
    """The model's files on this machine."""
    address: str
    """Where the folder lies in the store: a path, or a URL such as s3://bucket/folders/9f..."""

    def facts(self) -> dict[str, str]:
        """Return what stands beside the model: enough to find its entry in the ledger."""
        entry = self.entry
        names = {"model_hash": entry.model_hash, "evidence_hash": entry.evidence_hash, "entry": entry.hash}
        return {**names, "action": entry.action, "who": entry.who, "since": entry.created_at, "reason": entry.reason}


class Mirror(Protocol):
    """A registry elsewhere."""

    name: str
    target: str
    """Which one, for people and to see that it was changed; no secret."""

    def publish(self, announcement: Announcement) -> str:
        """Make a model the champion there, and return under which name. Repeating it changes nothing. May raise anything."""
