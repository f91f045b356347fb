"""MLflow's model registry: one version a model, and the alias `champion` on the one that is live.

release: {mirrors: {mlflow: "sqlite:///mlflow.db"}}      needs `pip install tunewright[mlflow]`

A version names the folder in the store and copies nothing. MLflow servers (http, https) take no folder of another machine, so
they need a store with a URL, such as TUNEWRIGHT_STORE=s3://bucket/prefix.
"""

import importlib
import importlib.util
import os

from curation.errors import MirrorError
from evaluation.release.mirrors.mirror import ALIAS, Announcement

LONGEST_TAG = 4000
"""MLflow refuses longer values."""


class MlflowRegistry:
    """The registry behind a tracking URI."""

    name = "mlflow"

    def __init__(self, uri: str) -> None:
        self.target = uri

    def publish(self, announcement: Announcement) -> str:
        """Point the alias at this model; a model that was there before keeps its version.

        Raises:
            MirrorError: if MLflow is not installed, or its server could not reach the folder.
            mlflow.exceptions.MlflowException: whatever the registry refuses.
        """
        if importlib.util.find_spec("mlflow") is None:
            raise MirrorError(mirror=self.name, reason="the package is not installed: pip install 'tunewright[mlflow]'")
        if self.target.startswith("http") and "://" not in announcement.address:
            problem = "a server takes models from a shared store only: set TUNEWRIGHT_STORE to a URL such as s3://bucket/prefix"
            raise MirrorError(mirror=self.name, reason=problem)
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when it is imported
        client = importlib.import_module("mlflow").MlflowClient(tracking_uri=self.target, registry_uri=self.target)
        recipe = announcement.entry.recipe
        if not client.search_registered_models(f"name = '{recipe}'"):
            client.create_registered_model(recipe)
        known = client.search_model_versions(f"name = '{recipe}'")
        model_hash = announcement.entry.model_hash
        version = next((item for item in known if item.tags.get("model_hash") == model_hash), None)
        if version is None:
            tags = {name: value[:LONGEST_TAG] for name, value in announcement.facts().items()}
            version = client.create_model_version(recipe, source=announcement.address, tags=tags)
        client.set_registered_model_alias(recipe, ALIAS, version.version)
        return f"models:/{recipe}/{version.version}"
