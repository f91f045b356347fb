"""What assets are given at run time: the home of this installation, and the client that starts child processes."""

from typing import Any

import dagster as dg

from assets.launchers.messages import PatientMessageReader
from curation.home import Home
from pipelines.instance import process_tags


class HomeResource(dg.ConfigurableResource[Home]):
    """Hands assets the `Home` that the environment describes (TUNEWRIGHT_HOME and its companions)."""

    def create_resource(self, context: dg.InitResourceContext) -> Home:
        """Read the environment of the process that runs the assets, and note on the run which process that is.

        A run that was launched by the daemon would otherwise stay started for ever after a power cut; see `clear_dead_runs`.
        """
        if context.instance is not None and context.run is not None:
            context.instance.add_run_tags(context.run.run_id, process_tags())
        return Home.from_environment()


def build_resources() -> dict[str, Any]:
    """Return the resources of the code location."""
    return {"home": HomeResource(), "pipes": build_pipes()}


def build_pipes() -> dg.PipesSubprocessClient:
    """Return the client that starts processes on this machine; one that is interrupted has 20 s for its checkpoint."""
    reader = PatientMessageReader()
    return dg.PipesSubprocessClient(message_reader=reader, forward_termination=True, termination_timeout_seconds=20)
