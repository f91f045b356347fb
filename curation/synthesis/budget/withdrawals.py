"""Models that will be withdrawn soon: warned of 90 days before, refused 30 days before.

    check_withdrawals([TeacherConfig(kind="openai", model="gpt-4.1-mini")], date(2026, 11, 29))
        [Withdrawal(teacher='gpt-4.1-mini', model='gpt-4.1-mini', shutdown_date='2027-01-14', days_left=46, ...)]

A replaced model writes other rows, so a recipe should not find out on the day. A teacher that is only asked when others do
not answer (weight 0) is no failure: the recipe can do without it.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from curation.synthesis.budget.prices import find_entry, table_version
from curation.synthesis.teachers.config import TeacherConfig

WARNING_DAYS = 90
FAILURE_DAYS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdrawal:
    """A teacher whose model goes away, or has gone."""

    teacher: str
    model: str
    shutdown_date: str
    days_left: int
    """Negative once it has been withdrawn."""
    is_failure: bool
    """Whether that is too soon for the recipe to go on as it is."""
    source: str
    """Who says so: the recipe, or the table and the page that it cites."""

    def __str__(self) -> str:
        when = f"is withdrawn in {self.days_left} days" if self.days_left >= 0 else "has been withdrawn"
        return f"{self.teacher}: the model {self.model} {when} ({self.shutdown_date}; {self.source}). Choose another."


def check_withdrawals(configs: Sequence[TeacherConfig], today: datetime.date) -> list[Withdrawal]:
    """Return the teachers whose model goes away within 90 days, the first to go first."""
    found = [withdrawal for config in configs if (withdrawal := _check(config, today)) is not None]
    return sorted(found, key=lambda withdrawal: (withdrawal.shutdown_date, withdrawal.teacher))


def _check(config: TeacherConfig, today: datetime.date) -> Withdrawal | None:
    day, source = _find_day(config)
    days_left = (datetime.date.fromisoformat(day) - today).days if day else WARNING_DAYS + 1
    if days_left > WARNING_DAYS:
        return None
    return Withdrawal(
        teacher=config.label,
        model=config.model,
        shutdown_date=day,
        days_left=days_left,
        is_failure=days_left <= FAILURE_DAYS and config.weight > 0,
        source=source,
    )


def _find_day(config: TeacherConfig) -> tuple[str, str]:
    if config.shutdown_date:
        return config.shutdown_date, "says the recipe"
    entry = find_entry(config) if config.kind == "openai" else None
    if entry is None or "shutdown_date" not in entry:
        return "", ""
    return entry["shutdown_date"], f"says {table_version()}, see {entry['source']}"
