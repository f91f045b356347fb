"""What the site prepares before people come."""

from collections.abc import Callable

import jinja2
import pytest
from starlette.testclient import TestClient

from curation.records import Example
from curation.review.accounts.person import Person
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson
from tests.curation.review.web.area_app import ORIGIN


@pytest.mark.slow
def test_what_reviewers_wait_for_first_is_compiled_before_they_come(
    queue: ReviewQueue, make_example: Callable[..., Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.sync_items(build_items([make_example(1)], [], lambda _: "", ReviewConfig()), ReviewConfig())
    identity = OnePerson(Person(name="Ada", role="lead"))
    app = create_app({"demo": queue}, identity, dagster_url="http://127.0.0.1:39999")  # templates that no other test has used
    compiled: list[str | None] = []
    compile_one = jinja2.Environment.compile

    def note(self: jinja2.Environment, source: str, name: str | None = None, *rest: object) -> object:
        compiled.append(name)
        return compile_one(self, source, name, *rest)  # type: ignore[call-overload]

    monkeypatch.setattr(jinja2.Environment, "compile", note)
    app.state.site.load_templates()
    assert {"queue.html", "item.html"} <= set(compiled)
    compiled.clear()
    client = TestClient(app, base_url=ORIGIN)
    assert client.get("/recipes/demo").status_code == 200
    assert "Where is function 1?" in client.get("/recipes/demo/next").text
    assert compiled == []
