import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from evaluation.papers.facts import PaperFacts
from evaluation.papers.openlineage import as_lines, lineage_events, send_events


def facet(facets: Any, name: str, values: dict[str, Any], **inner: Any) -> Any:
    """Build a facet of the OpenLineage client from ours: an unknown or missing field is a TypeError."""
    given = {key: value for key, value in values.items() if not key.startswith("_")}
    built = getattr(facets, name)(**given | inner)
    assert values["_schemaURL"] == built._schemaURL
    return built


def rebuild(event: dict[str, Any]) -> Any:
    """Build the event with the classes of the OpenLineage client, which check what is handed to them."""
    from openlineage.client import event_v2
    from openlineage.client import facet_v2 as facets

    def dataset(values: dict[str, Any], cls: Any) -> Any:
        inner = {"version": facet(facets.dataset_version_dataset, "DatasetVersionDatasetFacet", values["facets"]["version"])}
        more = {}
        for found in (values.get("inputFacets") or {}).values():
            checked = [facets.data_quality_assertions_dataset.Assertion(**item) for item in found["assertions"]]
            name = "DataQualityAssertionsDatasetFacet"
            built = facet(facets.data_quality_assertions_dataset, name, found, assertions=checked)
            more["inputFacets"] = {"dataQualityAssertions": built}
        for found in (values.get("outputFacets") or {}).values():
            built = facet(facets.output_statistics_output_dataset, "OutputStatisticsOutputDatasetFacet", found)
            more["outputFacets"] = {"outputStatistics": built}
        return cls(namespace=values["namespace"], name=values["name"], facets=inner, **more)

    tests = event["run"].get("facets", {}).get("test")
    executions = [facets.test_run.TestExecution(**item) for item in tests["tests"]] if tests else []
    run_facets = {"test": facet(facets.test_run, "TestRunFacet", tests, tests=executions)} if tests else {}
    built = event_v2.RunEvent(
        eventType=event_v2.RunState[event["eventType"]],
        eventTime=event["eventTime"],
        run=event_v2.Run(runId=event["run"]["runId"], facets=run_facets),
        job=event_v2.Job(**event["job"]),
        producer=event["producer"],
        inputs=[dataset(item, event_v2.InputDataset) for item in event["inputs"]],
        outputs=[dataset(item, event_v2.OutputDataset) for item in event["outputs"]],
    )
    assert event["schemaURL"] == built.schemaURL
    return built


def test_events_are_those_of_the_openlineage_client(make_facts: Callable[..., PaperFacts]) -> None:
    events = lineage_events(make_facts())
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"] * 2
    assert all(rebuild(event) for event in events)
    start, complete = events[2:]
    assert start["run"]["runId"] == complete["run"]["runId"] != events[0]["run"]["runId"]
    with pytest.raises((ValueError, TypeError)):
        rebuild(start | {"eventTime": "yesterday"})


def test_versions_checks_and_tests_are_told(make_facts: Callable[..., PaperFacts]) -> None:
    first, last = (event for event in lineage_events(make_facts()) if event["eventType"] == "COMPLETE")
    assert first["outputs"][0]["facets"]["version"]["datasetVersion"] == "1"
    assert first["inputs"][0]["name"] == "toy/documents[api-0]"
    asserted = last["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(item["assertion"], item["success"]) for item in asserted] == [("contamination", True)]
    tests = last["run"]["facets"]["test"]["tests"]
    assert tests == [{"name": "promotion", "status": "fail", "severity": "error", "expected": "pass", "actual": "fail"}]


class Server(http.server.BaseHTTPRequestHandler):
    taken: list[tuple[str, str, Any]] = []
    refuse_after = 100

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        code = 201 if len(self.taken) < self.refuse_after else 503
        if code == 201:
            self.taken.append((self.path, self.headers.get("Authorization", ""), body))
        self.send_response(code)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[tuple[str, type[Server]]]:
    handler = type("Fresh", (Server,), {"taken": []})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}", handler
        found.shutdown()


def test_events_are_posted_where_marquez_takes_them(make_facts: Callable[..., PaperFacts], server: tuple[str, Any]) -> None:
    address, handler = server
    events = lineage_events(make_facts())
    assert send_events(events, f"{address}/", key="secret") == ""
    assert [path for path, _, _ in handler.taken] == ["/api/v1/lineage"] * len(events)
    assert handler.taken[0][1] == "Bearer secret"
    assert [body for _, _, body in handler.taken] == events


def test_a_server_that_refuses_or_is_away_is_named(make_facts: Callable[..., PaperFacts], server: tuple[str, Any]) -> None:
    address, handler = server
    handler.refuse_after = 1
    assert send_events(lineage_events(make_facts()), address).startswith("1 events were taken")
    assert send_events(lineage_events(make_facts()), "http://127.0.0.1:9", timeout=2).startswith("0 events were taken")


def test_a_redirect_is_no_success_and_the_key_goes_nowhere_else(
    make_facts: Callable[..., PaperFacts], server: tuple[str, Any]
) -> None:
    address, handler = server
    asked: list[str] = []

    def redirect(self: Server) -> None:
        self.send_response(302)
        self.send_header("Location", f"{address}/login")
        self.end_headers()

    handler.do_POST = redirect
    handler.do_GET = lambda self: (asked.append(self.path), self.send_response(200), self.end_headers())
    told = send_events(lineage_events(make_facts()), address, key="secret")
    assert told == f"0 events were taken, then the OpenLineage server refused one (302 Found, and names {address}/login)"
    assert asked == []


def test_lines_hold_one_event_each_whatever_the_text(make_facts: Callable[..., PaperFacts]) -> None:
    events = lineage_events(make_facts(text="a\nb\u2028c\ud800"))
    lines = as_lines(events).splitlines()
    assert [json.loads(line) for line in lines] == events
