"""`pytestmark = dagster_noise`: what Dagster warns of in its own code is no fault of ours."""

import pytest

dagster_noise = pytest.mark.filterwarnings(
    "ignore::dagster.BetaWarning",
    "ignore::dagster.PreviewWarning",
    "ignore:Property `OpDefinition.version`:DeprecationWarning",
    "ignore:The `__fields__` attribute:DeprecationWarning",
)
