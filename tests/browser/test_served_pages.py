"""The report as the guarded webserver serves it, in a real browser: it works whole, and cannot speak to Dagster."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route

from curation.pages import page_address
from curation.store import Snapshot, Store
from evaluation.report.page import write_report
from pipelines.guard import OriginGuard
from pipelines.stored_pages import StoredPages
from tests.browser.conftest import serving
from tests.evaluation.report.made_report import make_report

pytestmark = pytest.mark.browser
ASSET = "toy/evaluation_report"
HOSTILE = """<!doctype html><title>waiting</title><script>
const tried = [];
try { localStorage.setItem("a", "b"); tried.push("stored"); } catch { tried.push("no storage"); }
fetch("/graphql", {method: "POST", headers: {"content-type": "application/json"}, body: "{}"})
  .then(() => tried.push("sent"), () => tried.push("not sent"))
  .then(() => { document.title = `${self.origin}, ${tried.join(", ")}`; });
</script>"""


class Site:
    """Stands for Dagster behind the guard, with stored pages before it."""

    def __init__(self, folder: Path) -> None:
        self.store, self.reached = Store(str(folder / "store")), list[str]()
        routes = [Route("/link/{path:path}", self._link), Route("/graphql", self._graphql, methods=["POST", "OPTIONS"])]
        self.app = OriginGuard(StoredPages(Starlette(routes=routes), self.store))

    async def _link(self, request: Request) -> HTMLResponse:
        return HTMLResponse(f'<link rel=icon href="data:,"><a href="/{request.path_params["path"]}" target="_blank">page</a>')

    async def _graphql(self, request: Request) -> PlainTextResponse:
        self.reached.append(request.method)
        return PlainTextResponse("changed", headers={"access-control-allow-origin": "*"})

    def put(self, page: Path) -> str:
        """Store a page as the newest report, and return its address."""
        folder = self.store.put_folder(page)
        self.store.put_snapshot(Snapshot(asset=ASSET, partition="", version="1", folders={"report": folder}))
        return page_address(ASSET, folder)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def origin(site: Site) -> Iterator[str]:
    with serving(site.app) as where:
        yield where


def test_a_click_opens_the_report_and_its_viewer_works(chromium: Any, site: Site, origin: str, tmp_path: Path) -> None:
    address = site.put(write_report(make_report(), tmp_path / "report").parent)
    page = chromium.new_page()
    complaints: list[str] = []
    page.context.on("console", lambda message: complaints.append(message.text))  # of the page that opens too, from its start
    page.context.on("weberror", lambda error: complaints.append(str(error.error)))
    page.goto(f"{origin}/link{address}")
    with page.expect_popup() as opened:
        page.get_by_text("page").click()
    report = opened.value
    report.locator("#cards > .card").first.wait_for()
    assert report.evaluate("getComputedStyle(document.body).margin") != "8px", "its own style sheet has to hold"
    with report.expect_download() as saved:
        report.locator("a[href='items.jsonl']").first.click()
    assert json.loads(Path(saved.value.path()).read_text().splitlines()[0])
    assert (saved.value.suggested_filename, complaints) == ("items.jsonl", [])
    report.close()
    page.close()


def test_a_script_in_a_page_has_no_origin_and_reaches_nothing(chromium: Any, site: Site, origin: str, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text(HOSTILE)
    page = chromium.new_page()
    page.goto(origin + site.put(tmp_path / "page"))
    page.wait_for_function("document.title !== 'waiting'")
    assert page.title() == "null, no storage, not sent"
    assert site.reached == []
    page.close()
