"""What terms allow: one `Uses` a licence, each kind of use `yes`, `no` or `unknown`.

    Uses(redistribute_data="no")      # training is fine, handing the rows on is not

A verdict is one of four words, from mild to severe: allowed < unknown < conflicting < forbidden.
"""

from dataclasses import dataclass
from typing import Literal

Permission = Literal["yes", "no", "unknown"]
Verdict = Literal["allowed", "unknown", "conflicting", "forbidden"]

VERDICTS: tuple[Verdict, ...] = ("allowed", "unknown", "conflicting", "forbidden")
"""From mild to severe; only the first lets a row pass."""

SEVERITY: dict[str, int] = {verdict: index for index, verdict in enumerate(VERDICTS)}

KINDS: tuple[str, ...] = ("train", "commercial", "redistribute_data", "redistribute_model", "compete")
"""Kinds of use, in the order in which problems are told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Uses:
    """What one licence, or the terms of one teacher, allow."""

    train: Permission = "yes"
    """Train a model on the text."""
    commercial: Permission = "yes"
    """Use it for commercial advantage."""
    redistribute_data: Permission = "yes"
    """Hand on rows that were made from it, which is to share adaptations."""
    redistribute_model: Permission = "yes"
    """Hand on a model that was trained on it."""
    compete: Permission = "yes"
    """Train a model that competes with the one who gave the terms."""
    attribution: bool = False
    """The author or the licence has to be named where it is shared."""
    share_alike: tuple[str, ...] = ()
    """Licences under which adaptations may be shared; empty if the licence does not care."""
    note: str = ""
    """One sentence on what else it asks for."""

    def permission(self, kind: str) -> Permission:
        """Return the permission for one of `KINDS`."""
        value: Permission = getattr(self, kind)
        return value


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the most severe verdict; `allowed` for none."""
    return max(verdicts, key=lambda verdict: SEVERITY[verdict], default="allowed")
