"""Settings that contradict each other, the model or the machine are refused before anything is started.

    find_conflicts(situation)       # (Conflict(field="scale.parallel", value="2 x 2 x 1 x 1", problem=..., fix=...),)
    refuse_conflicts(situation)     # ConflictError with all of them
    find_notes(situation)           # what works and is hardly meant, such as four-bit weights on a CPU

What a single value may be is checked where it is built (`training.config`); here stands what depends on others.
"""

from curation.errors import ConflictError
from training.scale.device_rules import DEVICE_RULES, HOST_RULES, LAUNCHER_RULES, NOTES
from training.scale.model_rules import ADAPTER_RULES, BATCH_RULES, MESH_RULES
from training.scale.situation import Conflict, Rule, Situation

RULES = (*DEVICE_RULES, *HOST_RULES, *LAUNCHER_RULES, *MESH_RULES, *BATCH_RULES, *ADAPTER_RULES)


def find_conflicts(situation: Situation) -> tuple[Conflict, ...]:
    """Return every broken rule, each with the field, its value, and what to change."""
    return _broken(RULES, situation)


def find_notes(situation: Situation) -> tuple[Conflict, ...]:
    """Return what is worth knowing about a situation that is not refused."""
    return _broken(NOTES, situation)


def _broken(rules: tuple[Rule, ...], situation: Situation) -> tuple[Conflict, ...]:
    broken = (rule for rule in rules if rule.breaks(situation))
    return tuple(
        Conflict(rule.name, f"training.{rule.field}", rule.value(situation), rule.problem, rule.fix) for rule in broken
    )


def refuse_conflicts(situation: Situation) -> None:
    """Raise ConflictError with all conflicts of a situation, if there are any."""
    found = find_conflicts(situation)
    if found:
        raise ConflictError(num_conflicts=len(found), conflicts=" | ".join(str(conflict) for conflict in found))
