"""Schemathesis asks the review server whatever its OpenAPI description allows, and much that it does not.

The server is a process of its own; a lead, an adjudicator, a reviewer and a stranger ask. Every answer has to have a status, a
type and a shape that the description names; none may be a 500. SCHEMATHESIS_EXAMPLES=100 asks for longer, and
SCHEMATHESIS_SEED=7 for other things.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.curation.review.web.served import LOTS_RECIPE, RECIPE, Served, serving_review
from tests.postgres_server import find_binaries, temporary_postgres

EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "4")
SEED = os.environ.get("SCHEMATHESIS_SEED", "20261129")
CALLERS = ("lead", "adjudicator", "reviewer", "nobody")
LEADS_ONLY = {"list_verdicts", "export_items"}
NEEDS_LUCK = {"undo_verdict", "extend_lease", "release_lease", "show_item"}
"""What takes something of an earlier answer."""
HARMLESS = "WARNING:  Invalid HTTP request received."
"""What the server says of bytes that are no HTTP; they never reach the app."""


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with contextlib.ExitStack() as stack:
        if request.param == "postgres" and find_binaries() is None:
            pytest.skip("no PostgreSQL server binaries")
        url = stack.enter_context(temporary_postgres()) if request.param == "postgres" else ""
        yield stack.enter_context(serving_review(tmp_path_factory.mktemp("home"), url))


class Asked(NamedTuple):
    """What a run of Schemathesis came to."""

    exit_code: int
    said: str
    statuses: dict[str, Counter[int]]
    """Operation -> how many answers of each status."""

    @property
    def num_requests(self) -> int:
        return sum(sum(counted.values()) for counted in self.statuses.values())


def write_config(served: Served, path: Path) -> Path:
    """Name recipes and items that are there, mostly: made-up ones are only ever not found."""
    keys = json.dumps(served.keys)
    path.write_text(
        "\n".join(
            (
                "[dictionaries]",
                f"recipes = {{ values = {json.dumps([RECIPE, RECIPE, RECIPE, LOTS_RECIPE, 'none'])} }}",
                f"keys = {{ values = {keys} }}",
                "[parameters]",
                '"path.recipe" = { dictionary = "recipes" }',
                '"path.key" = { dictionary = "keys", probability = 0.8 }',
                '"body.item_key" = { dictionary = "keys", probability = 0.7 }',
                '"body.verdicts[*].item_key" = { dictionary = "keys", probability = 0.9 }',
                "[checks]",
                # Without a token a POST may as well be another site's form, and a body may be too large before it is wrong.
                "missing_required_header.expected-statuses = [401, 403]",
                "negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422]",
            )
        )
    )
    return path


def describe(served: Served) -> dict[str, Any]:
    answer = httpx.get(f"{served.address}/api/openapi.json", headers=bearer(served, "reviewer"))
    described: dict[str, Any] = answer.raise_for_status().json()
    return described


def bearer(served: Served, caller: str) -> dict[str, str]:
    return {"authorization": f"Bearer {served.tokens.get(caller, 'tw_of_nobody')}"}


def ask(served: Served, caller: str, folder: Path) -> Asked:
    """Let Schemathesis ask in the name of somebody, with all its checks."""
    described, report = folder / "openapi.json", folder / "report.ndjson"
    described.write_text(json.dumps(describe(served)))
    options = {
        "phases": "fuzzing,stateful" if served.is_postgres else "coverage,fuzzing,stateful",
        "seed": SEED,
        "request-timeout": "120",  # a busy machine decides nothing
        "suppress-health-check": "all",
        "max-examples": EXAMPLES,
        "generation-database": "none",
        "report": "ndjson",
        "report-ndjson-path": str(report),
        "url": served.address,
        "header": "Authorization: " + bearer(served, caller)["authorization"],
    }
    program = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(write_config(served, folder / "config.toml")),
    ]
    command = [*program, "run", str(described), "--no-color", *(f"--{name}={value}" for name, value in options.items())]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return Asked(ran.returncode, ran.stdout + ran.stderr, read_statuses(report, describe(served)))


def read_statuses(report: Path, described: dict[str, Any]) -> dict[str, Counter[int]]:
    """Return what was answered to each operation, from the report of a run."""
    names = {
        (method.upper(), path): operation["operationId"]
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    statuses: dict[str, Counter[int]] = {name: Counter() for name in names.values()}
    for event in map(json.loads, report.read_text("utf-8").splitlines()):
        recorder = event.get("ScenarioFinished", {}).get("recorder", {})
        for number, interaction in recorder.get("interactions", {}).items():
            case = recorder["cases"].get(number, {}).get("value", {})
            name = names.get((case.get("method"), case.get("path")))
            if name is not None and interaction["response"] is not None:
                statuses[name][interaction["response"]["status_code"]] += 1
    return statuses


@pytest.mark.parametrize("caller", CALLERS)
def test_every_answer_is_one_that_the_description_names(served: Served, caller: str, tmp_path: Path) -> None:
    asked = ask(served, caller, tmp_path)
    print(f"{caller}: {asked.num_requests:,} requests, {sum(map(Counter, asked.statuses.values()), Counter())}")
    assert asked.exit_code == 0, asked.said[-8_000:]
    assert not [name for name, counted in asked.statuses.items() if not counted or max(counted) >= 500]
    served_to = {name for name, counted in asked.statuses.items() if counted[200]}
    closed = set(asked.statuses) if caller == "nobody" else LEADS_ONLY if caller != "lead" else set()
    assert not served_to & closed
    assert set(asked.statuses) - served_to - closed <= NEEDS_LUCK, "the run did not get to what it is about"
    complaints = [line for line in served.log.read_text().splitlines() if line != HARMLESS]
    assert complaints == []
