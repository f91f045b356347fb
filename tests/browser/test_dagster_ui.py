"""The Dagster UI behind our guard, in a real browser: the graph with its groups, an asset materialized by clicking, plots."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import WAIT
from tests.e2e.tiny_recipe import STEPS, Project, make_project
from tests.free_port import free_port

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TRAINING = {
    "base": {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "vocab_size": 400, "context_length": 256},
    "stages": [{"method": "sft", **STEPS}],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("ui"), training=TRAINING)
    project.run()
    return project


@pytest.fixture(scope="module")
def address(project: Project) -> Iterator[str]:
    port = free_port(3)
    command = [sys.executable, "-m", "pipelines.cli", "dev", "--port", str(port)]
    environment = {**project.environment(), "TUNEWRIGHT_RECIPES": str(project.folder)}
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=_heed_interrupts,
    )
    try:
        _wait_for(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=600)
    assert process.returncode == 0
    deadline = time.monotonic() + WAIT / 1000  # what was killed in the end takes a moment to be gone
    while _left_over(project) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _left_over(project), "one Ctrl-C has to stop all services"


def _heed_interrupts() -> None:
    """Undo what a shell does to jobs in the background: they, and what they start, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def page(chromium: Any) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1500, "height": 950})
    yield page
    page.close()


def test_graph_shows_the_groups_and_clicking_materializes(address: str, page: Page, project: Project) -> None:
    page.goto(f"{address}/locations/tunewright/asset-groups/datasets")
    page.get_by_text("dataset_audit", exact=False).first.wait_for()  # in the middle; what lies outside is not drawn
    _shoot(page, "graph_group")
    page.goto(f"{address}/locations/tunewright/asset-groups/datasets/list")
    for name in ("sft_dataset", "eval_set", "dataset_card"):
        page.get_by_text(name, exact=False).first.wait_for()

    page.goto(f"{address}/assets/tiny/eval_set")
    page.get_by_text("Held-out examples").first.wait_for()
    before = _num_materializations(project)
    page.get_by_role("button", name="Materialize").first.click()
    deadline = time.monotonic() + WAIT / 1000
    while _num_materializations(project) == before and time.monotonic() < deadline:
        time.sleep(1)
    assert _num_materializations(project) == before + 1
    _shoot(page, "materialized")


def test_loss_and_counts_are_plotted(address: str, page: Page) -> None:
    page.goto(f"{address}/assets/tiny/sft_model")
    page.get_by_text("Plots", exact=True).first.click()
    page.get_by_text("final_loss").first.wait_for()
    page.locator("canvas").first.wait_for()
    assert page.locator("canvas").count() > 0
    _shoot(page, "plots")


def test_the_link_of_the_report_opens_it(address: str, page: Page) -> None:
    page.goto(f"{address}/assets/tiny/evaluation_report")
    with page.expect_popup() as opened:
        page.locator("a[href^='/tunewright/pages/tiny/evaluation_report/']").first.click()
    opened.value.locator("#cards > .card").first.wait_for()
    assert opened.value.url.startswith(f"{address}/tunewright/pages/tiny/evaluation_report/")
    _shoot(opened.value, "report")


def test_guard_refuses_a_forged_event(address: str) -> None:
    request = urllib.request.Request(
        f"{address}/report_asset_check/tiny/verified_examples",
        data=b'{"check_name": "review_complete", "passed": true}',
        headers={"content-type": "application/json", "origin": "http://evil.example", "sec-fetch-site": "cross-site"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 403
    refused.value.close()


def test_review_app_answers_beside_it_and_asks_who_is_there(address: str) -> None:
    port = int(address.rpartition(":")[2]) + 1
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as response:
        assert response.read() == b'{"status":"ok","recipes":1}'
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/recipes/tiny") as response:
        assert response.url == f"http://127.0.0.1:{port}/login?back=%2Frecipes%2Ftiny"


def _num_materializations(project: Project) -> int:
    script = (
        "import dagster as dg\n"
        "with dg.DagsterInstance.get() as i:\n"
        "    print(len(i.fetch_materializations(dg.AssetKey(['tiny', 'eval_set']), limit=100).records))"
    )
    environment = {**project.environment(), "DAGSTER_HOME": str(project.home / "dagster")}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    return int(result.stdout)


def _shoot(page: Page, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.wait_for_timeout(2000)
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def _wait_for(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        try:
            for path in (f"{port}/server_info", f"{port + 1}/health"):
                urllib.request.urlopen(f"http://127.0.0.1:{path}", timeout=60).close()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(process.communicate()[0] if process.poll() is not None else "the UI did not start")


def _left_over(project: Project) -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                environment = (folder / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if f"TUNEWRIGHT_HOME={project.home}" in environment and int(folder.name) != os.getpid():
                found.append(folder.name)
    return found
