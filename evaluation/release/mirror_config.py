"""Where else a champion is made known: off by default, one line each.

release: {mirrors: {mlflow: "http://mlflow:5000", hub: my-org/my-model}}
"""

import re

from curation.config import check, config


@config
class MirrorsConfig:
    """Registries that are told of the champion after the ledger; none by default. They never decide anything."""

    mlflow: str | None = None
    """Tracking URI of an MLflow with a registry, such as `http://mlflow:5000`: its alias `champion` follows the ledger."""
    hub: str | None = None
    """Repository of the Hugging Face Hub, such as `my-org/my-model`: champions are uploaded, its tag `champion` follows."""
    hub_private: bool = True
    """Make the repository private where it does not exist yet."""

    def __post_init__(self) -> None:
        check(self.mlflow is None or bool(self.mlflow.strip()), "release.mirrors.mlflow", "must be a tracking URI", self.mlflow)
        has_secret = self.mlflow is not None and "@" in self.mlflow.partition("://")[2].partition("/")[0]
        problem = "must hold no user or password: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        check(not has_secret, "release.mirrors.mlflow", problem, "an address with @")
        name = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"
        is_name = self.hub is None or bool(re.fullmatch(name, self.hub))
        check(is_name, "release.mirrors.hub", "must have the form OWNER/NAME", self.hub)
