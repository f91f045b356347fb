"""The making of a model as OpenLineage run events: one START and one COMPLETE a build, data sets with their versions.

events = lineage_events(facts)
events[1]["outputs"][0]["facets"]["version"]["datasetVersion"]      the root that the store knows it by

Checks are reported twice, as the format has it: as tests of the run that made them, and as assertions on the data set that a
run reads. There is no facet for models: here a model is a data set, as every asset. All events have the time of the papers.
"""

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from evaluation.papers.facts import CheckFacts, LineageFacts, PaperFacts

PRODUCER = "urn:tunewright"
NAMESPACE = "tunewright"
RUN_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"
ENDPOINT = "/api/v1/lineage"
_RUNS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tunewright:run")


def lineage_events(facts: PaperFacts) -> list[dict[str, Any]]:
    """Return the events of every build that the model descends from or was judged by, in the order of the facts."""
    checks: dict[str, list[CheckFacts]] = {}
    for check in facts.checks:
        checks.setdefault(check.asset, []).append(check)
    events = []
    for build in facts.lineage:
        for kind in ("START", "COMPLETE"):
            events.append(_event(kind, facts, build, checks))
    return events


def _event(kind: str, facts: PaperFacts, build: LineageFacts, checks: Mapping[str, list[CheckFacts]]) -> dict[str, Any]:
    run_id = uuid.uuid5(_RUNS, f"{build.asset} {build.partition} {build.fingerprint or build.version}")
    run: dict[str, Any] = {"runId": str(run_id)}
    if kind == "COMPLETE" and build.asset in checks:
        run["facets"] = {"test": _facet("1-0-1", "TestRunFacet", tests=[_test(check) for check in checks[build.asset]])}
    outputs = [_dataset(build.asset, build.partition, build.version, rows=build.num_rows)] if kind == "COMPLETE" else []
    return {
        "eventType": kind,
        "eventTime": facts.created_at,
        "producer": PRODUCER,
        "schemaURL": RUN_EVENT,
        "run": run,
        "job": {"namespace": NAMESPACE, "name": _name(build.asset, build.partition)},
        "inputs": [_input(name, version, checks) for name, version in sorted(build.inputs.items())],
        "outputs": outputs,
    }


def _facet(version: str, name: str, **values: Any) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": f"{FACETS}/{version}/{name}.json#/$defs/{name}", **values}


def _test(check: CheckFacts) -> dict[str, Any]:
    found = {
        "name": check.name,
        "status": "pass" if check.passed else "fail",
        "severity": "error" if check.blocks else "warn",
        "description": check.detail,
        "expected": check.expected,
        "actual": check.actual,
    }
    return {name: value for name, value in found.items() if value}


def _assertion(check: CheckFacts) -> dict[str, Any]:
    found = {
        "assertion": check.name,
        "success": check.passed,
        "severity": "error" if check.blocks else "warn",
        "description": check.detail,
    }
    return {name: value for name, value in found.items() if value != ""}


def _input(name: str, version: str, checks: Mapping[str, list[CheckFacts]]) -> dict[str, Any]:
    asset, _, rest = name.partition("[")
    found = _dataset(asset, rest.removesuffix("]"), version)
    if asset in checks:
        assertions = [_assertion(check) for check in checks[asset]]
        facet = _facet("1-1-0", "DataQualityAssertionsDatasetFacet", assertions=assertions)
        found["inputFacets"] = {"dataQualityAssertions": facet}
    return found


def _dataset(asset: str, partition: str, version: str, rows: Mapping[str, int] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "namespace": NAMESPACE,
        "name": _name(asset, partition),
        "facets": {"version": _facet("1-0-1", "DatasetVersionDatasetFacet", datasetVersion=version)},
    }
    if rows:
        counted = _facet("1-0-2", "OutputStatisticsOutputDatasetFacet", rowCount=sum(rows.values()))
        found["outputFacets"] = {"outputStatistics": counted}
    return found


def _name(asset: str, partition: str) -> str:
    return f"{asset}[{partition}]" if partition else asset


def as_lines(events: Iterable[Mapping[str, Any]]) -> str:
    """Return the events as JSON lines."""
    return "".join(json.dumps(event, sort_keys=True, ensure_ascii=True) + "\n" for event in events)


def send_events(events: Iterable[Mapping[str, Any]], address: str, *, key: str = "", timeout: float = 10.0) -> str:
    """Post events one by one to a server that takes OpenLineage, and return why not all arrived; empty if they did.

    Args:
        events: what `lineage_events` returned.
        address: its base, `http://marquez:5000`; events go to /api/v1/lineage there.
        key: sent as a bearer token, if there is one.
        timeout: seconds a post may take.
    """
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    target = address.rstrip("/") + ENDPOINT
    assert target.startswith(("http://", "https://")), target
    opener, sent = urllib.request.build_opener(_NoRedirect), 0
    for event in events:
        body = json.dumps(event, ensure_ascii=True).encode()
        request = urllib.request.Request(target, data=body, headers=headers, method="POST")  # noqa: S310 - a web address
        try:
            with opener.open(request, timeout=timeout):
                sent += 1
        except urllib.error.HTTPError as error:
            error.close()
            moved = f", and names {error.headers['Location']}" if error.headers and error.headers["Location"] else ""
            return f"{sent} events were taken, then the OpenLineage server refused one ({error.code} {error.reason}{moved})"
        except (urllib.error.URLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            return f"{sent} events were taken, then the OpenLineage server was away ({reason})"
    return ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected post would arrive as a question without the event, and the key with another server."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""
