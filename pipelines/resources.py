"""What assets are given at run time: the home of this installation, and the client that starts child processes."""

from typing import Any

import dagster as dg

from curation.home import Home


class HomeResource(dg.ConfigurableResource[Home]):
    """Hands assets the `Home` that the environment describes (TUNEWRIGHT_HOME and its companions)."""

    def create_resource(self, context: dg.InitResourceContext) -> Home:
        """Read the environment of the process that runs the asset."""
        return Home.from_environment()


def build_resources() -> dict[str, Any]:
    """Return the resources of the code location."""
    return {
        "home": HomeResource(),
        "pipes": dg.PipesSubprocessClient(forward_termination=True, termination_timeout_seconds=20),
    }
