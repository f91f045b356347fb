"""Who is at the page: Person(name="Ada", role="lead")."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["reviewer", "adjudicator", "lead"]
"""A reviewer decides items; an adjudicator also settles disputed ones; a lead also manages people, lots and settings."""

ROLES: tuple[Role, ...] = ("reviewer", "adjudicator", "lead")
"""From the fewest rights to all of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Somebody who is logged in."""

    name: str
    """What their verdicts are recorded under; unique, and never reused for somebody else."""
    role: Role
    scopes: frozenset[str] = frozenset({"read", "vote", "manage"})
    """What this request may do: all of it with a password, less with an API token."""

    def may(self, role: Role) -> bool:
        """Tell whether the person has the rights of a role."""
        return ROLES.index(self.role) >= ROLES.index(role)
