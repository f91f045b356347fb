"""The one automation condition that all assets share, and the one of checks.

It asks for a run when an asset is newly missing, when the data version of a dependency changed, or when its own code
version changed, since that was last handled; never while a dependency is missing or something is in progress. Unlike
`eager()` it stops where a version stops changing. What it can lose (an update that arrives while the asset runs, a failed
run) is repaired by the sweep in `pipelines.sensors`.
"""

from typing import Any

import dagster as dg


def rebuild_when_changed() -> dg.AutomationCondition[Any]:
    """Build the condition."""
    condition: Any = dg.AutomationCondition
    changed = (
        condition.newly_missing()
        | condition.any_deps_match(condition.data_version_changed())
        | condition.code_version_changed()
    )
    quiet = ~condition.any_deps_missing() & ~condition.any_deps_in_progress() & ~condition.in_progress()
    built: dg.AutomationCondition[Any] = (changed.since_last_handled() & quiet).with_label("rebuild_when_changed")
    return built


def check_when_made() -> dg.AutomationCondition[Any]:
    """Build the condition of checks that stand on their own: evaluate them in the run that makes their asset, or after it.

    Without it they would be evaluated in runs that people start, and never in those that the automation asks for.
    """
    condition: Any = dg.AutomationCondition
    quiet = ~condition.any_deps_missing() & ~condition.any_deps_in_progress() & ~condition.in_progress()
    built: dg.AutomationCondition[Any] = (condition.any_deps_updated().since_last_handled() & quiet).with_label(
        "check_when_made"
    )
    return built
