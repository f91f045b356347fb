"""What training took: device hours as they were measured, and the energy that follows from a stated power.

estimate_energy(facts)      Energy(hours=6.5, kwh=2.6, grams_co2=988.0, hardware="NVIDIA H200")
"""

from dataclasses import dataclass

from evaluation.papers.facts import PaperFacts


@dataclass(frozen=True, kw_only=True)
class Energy:
    """An estimate: device hours times the power that was stated for a device."""

    hours: float
    kwh: float
    grams_co2: float | None
    """None if nobody said how the electricity is made."""
    hardware: str


def estimate_energy(facts: PaperFacts) -> Energy | None:
    """Return the energy of all trained stages, or None if the power is not stated or no hours were measured."""
    hours = sum(float(stage.values.get("device_hours") or 0) for stage in facts.stages)
    watts, grams = facts.stated.watts_per_device, facts.stated.grid_grams_per_kwh
    if watts is None or hours <= 0:
        return None
    kwh = hours * watts / 1000
    hardware = ", ".join(dict.fromkeys(str(stage.values["device"]) for stage in facts.stages if stage.values.get("device")))
    return Energy(hours=hours, kwh=kwh, grams_co2=None if grams is None else kwh * grams, hardware=hardware or "not recorded")
