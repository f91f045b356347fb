"""Which experiment trackers are told of a training; none unless the recipe names one.

training:
  trackers: [mlflow]
"""

import typing
from typing import Literal

from curation.config import check

Tracker = Literal["mlflow", "wandb", "trackio"]
TRACKERS: tuple[str, ...] = typing.get_args(Tracker)


def check_trackers(names: tuple[str, ...]) -> None:
    """Refuse what is no tracker, or named twice. Raises ConfigError."""
    check(set(names) <= set(TRACKERS), "training.trackers", f"must be some of {', '.join(TRACKERS)}", names)
    check(len(set(names)) == len(names), "training.trackers", "names one twice", names)
