"""PandaLM's three raters work through the API of a server, at the same time: claim, look, vote; then an adjudicator settles.

Agreement that is read over HTTP is the published one, and exactly the rows on which they differ wait for adjudication. The
same rows with their labels as a JSONL file come to the same.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from curation.home import Home
from curation.records import Decision
from curation.review.accounts.person import Person, Role
from curation.review.config import ReviewConfig
from curation.review.exchange.import_items import import_items
from curation.review.exchange.incoming import Reading
from curation.review.queue import ReviewQueue, open_queue
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson
from tests.curation.review.reviewers.test_realdata import DECISIONS, RATERS, build_item, pytestmark
from tests.curation.review.web.served import add_people, serving_home

__all__ = ["pytestmark"]
CONFIG = ReviewConfig(overlap=3)
AT_ONCE = 20
"""Items that a person may hold, and verdicts that are sent together."""
KAPPAS = {("annotator1", "annotator2"): 0.852, ("annotator1", "annotator3"): 0.879, ("annotator2", "annotator3"): 0.862}
PEOPLE: dict[str, Role] = {**dict.fromkeys(RATERS, "reviewer"), "Judith": "adjudicator", "Lea": "lead"}


def read_rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        (Path(os.environ["REALDATA_DIR"]) / "pandalm_testset/testset-v1.json").read_text("utf-8")
    )
    return rows


def majority(row: dict[str, Any]) -> Decision:
    return DECISIONS[Counter(row[rater] for rater in RATERS).most_common(1)[0][0]]


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, Any]]:
    """Key of the row's item -> row."""
    return {build_item(row, CONFIG).key: row for row in read_rows()}


@pytest.fixture(scope="module")
def clients(rows: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, httpx.Client]]:
    """A client of each person, with their token, of a server whose queue holds all rows."""
    folder = tmp_path_factory.mktemp("pandalm")
    home = Home(path=folder, store_url=str(folder / "store"), database_url="", review_url="http://127.0.0.1:3001")
    with open_queue(home, "pandalm") as queue:
        queue.sync_items([build_item(row, CONFIG) for row in rows.values()], CONFIG)
    tokens = add_people(home, {name: name for name in PEOPLE}, PEOPLE)
    with serving_home(home) as (address, log):
        base = f"{address}/api/recipes/pandalm/"
        opened = {
            name: httpx.Client(base_url=base, headers={"authorization": f"Bearer {token}"}, timeout=60)
            for name, token in tokens.items()
        }
        yield opened
        for client in opened.values():
            client.close()
        assert log.read_text() == ""


def claim(client: httpx.Client, **wanted: str) -> dict[str, Any]:
    claimed: dict[str, Any] = client.post("claim", json=wanted).raise_for_status().json()
    return claimed


def send(client: httpx.Client, said: list[dict[str, Any]]) -> int:
    """Send verdicts; return how many were recorded, which has to be all."""
    results = client.post("verdicts", json={"verdicts": said}).raise_for_status().json()["results"]
    assert [result["problem"] for result in results] == [None] * len(said)
    return len(results)


def rate(client: httpx.Client, rater: str, rows: dict[str, dict[str, Any]]) -> Counter[str]:
    """Decide whatever is served until nothing is left, as the rater did; return the items decided."""
    served: Counter[str] = Counter()
    held: list[dict[str, Any]] = []
    while True:
        claimed = claim(client)
        if claimed["lease"] is not None:
            lease, shown = claimed["lease"], claimed["item"]
            row = rows[lease["item_key"]]
            assert shown["verdicts"] is None, "a reviewer saw what others said before voting"
            assert (shown["item"]["answer"], shown["item"]["alternative"]) == (str(row["response1"]), str(row["response2"]))
            token = f"{rater}.{lease['item_key']}"
            vote = {"item_key": lease["item_key"], "decision": DECISIONS[row[rater]], "token": token}
            held.append(vote | {"generation": lease["generation"]})
        if held and (len(held) == AT_ONCE or claimed["lease"] is None):
            assert send(client, held) == len(held)
            served.update(vote["item_key"] for vote in held)
            held = []
        elif claimed["lease"] is None:
            return served


def settle(client: httpx.Client) -> int:
    """Decide every disputed item as most of its reviewers did; return how many there were."""
    num = 0
    while (claimed := claim(client, role="adjudication"))["lease"] is not None:
        lease, votes = claimed["lease"], claimed["item"]["verdicts"]
        assert (claimed["item"]["state"], len(votes)) == ("disputed", 3)
        said = Counter(vote["decision"] for vote in votes).most_common(1)[0][0]
        vote = {"item_key": lease["item_key"], "decision": said, "token": f"judith.{lease['item_key']}"}
        num += send(client, [vote | {"generation": lease["generation"], "role": "adjudication"}])
    return num


def test_raters_vote_over_http_and_an_adjudicator_settles(
    clients: dict[str, httpx.Client], rows: dict[str, dict[str, Any]]
) -> None:
    with ThreadPoolExecutor(len(RATERS)) as pool:
        served = list(pool.map(lambda rater: rate(clients[rater], rater, rows), RATERS))
    assert all(counted == Counter(rows.keys()) for counted in served), "each rater decides each of the 999 items once"

    lead = clients["Lea"]
    found = lead.get("agreement").raise_for_status().json()
    assert {(pair["one"], pair["two"]): round(pair["kappa"]["value"], 3) for pair in found["pairs"]} == KAPPAS
    assert (found["num_items"], found["num_disputed"], found["num_settled"]) == (999, 120, 0)
    own = clients[RATERS[0]].get("agreement").json()
    assert {(pair["one"], pair["two"]) for pair in own["pairs"]} == {pair for pair in KAPPAS if RATERS[0] in pair}
    counts = lead.get("counts").json()
    assert (counts["num_items"], counts["num_disputed"], counts["num_decided"]) == (999, 120, 879)

    disputed = {key for key, row in rows.items() if len({row[rater] for rater in RATERS}) > 1}
    waiting = [json.loads(line) for line in lead.get("export", params={"state": "disputed"}).text.splitlines()]
    assert {row["item"]["key"] for row in waiting} == disputed
    assert claim(clients[RATERS[0]]) == {"lease": None, "item": None}
    assert clients[RATERS[0]].post("claim", json={"role": "adjudication"}).status_code == 403

    assert settle(clients["Judith"]) == len(disputed) == 120
    counts = lead.get("counts").json()
    assert (counts["num_disputed"], counts["num_decided"]) == (0, 999)
    decided = [json.loads(line) for line in lead.get("export", params={"state": "decided", "shape": "flat"}).text.splitlines()]
    assert {row["id"]: row["decision"] for row in decided} == {key: majority(row) for key, row in rows.items()}
    pages, after = [], 0
    while page := lead.get("verdicts", params={"after": after, "limit": 1000}).json()["verdicts"]:
        pages += page
        after = page[-1]["sequence"]
    assert [verdict["sequence"] for verdict in pages] == list(range(1, 3 * 999 + 120 + 1))


def test_a_file_with_the_labels_of_the_raters_comes_to_the_same(queue: ReviewQueue, tmp_path: Path) -> None:
    file = tmp_path / "pandalm.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for row in read_rows():
            votes = [{"reviewer": rater, "decision": str(row[rater])} for rater in RATERS]
            prompt = f"{row['instruction']}\n{row['input']}\n(row {row['idx']})"  # 99 rows show the same texts as another one
            shown = {"prompt": prompt, "response_a": str(row["response1"]), "response_b": str(row["response2"])}
            out.write(json.dumps({"id": row["idx"], "kind": "pair", **shown, "votes": votes}) + "\n")  # 54 rows lack one answer
    meanings = {str(label): decision for label, decision in DECISIONS.items()}
    reading = Reading(rubric_version=CONFIG.rubric_version, meanings=meanings)
    report = import_items(queue, file, config=CONFIG, reading=reading)
    assert (report.first_refused, report.num_added, report.num_votes) == ([], 999, 3 * 999)

    app = create_app({queue.recipe: queue}, OnePerson(Person(name="Lea", role="lead")))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        found = client.get(f"/api/recipes/{queue.recipe}/agreement").json()
        counts = client.get(f"/api/recipes/{queue.recipe}/counts").json()
    kappas = {(pair["one"], pair["two"]): round(pair["kappa"]["value"], 3) for pair in found["pairs"]}
    assert kappas == {(f"import:{one}", f"import:{two}"): kappa for (one, two), kappa in KAPPAS.items()}
    assert (found["num_disputed"], counts["num_disputed"], counts["num_decided"]) == (120, 120, 879)
