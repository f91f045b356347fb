"""The data card is written anew when what it says changes, also where the rows do not."""

from pathlib import Path

from assets import data_card
from assets.reviewed_documents import finding_snapshots
from curation.home import Home
from curation.records import PrivacyFinding
from curation.store import Snapshot
from tests.pipelines.dagster_noise import dagster_noise
from tests.pipelines.toy_recipe import toy_recipe

pytestmark = dagster_noise


def code_of(folder: Path, extra: str) -> str:
    (card,) = data_card.build(toy_recipe(folder, extra))
    return str(card.code_versions_by_key[card.key])


def test_description_and_owner_count(tmp_path: Path) -> None:
    told = [code_of(tmp_path, extra) for extra in ("", "description: Answers of sailors.\n", "description: Answers.\n")]
    assert len(set(told)) == 3
    assert code_of(tmp_path, "schedule: '0 5 * * 1'\n") == told[0]


def test_what_was_found_in_the_same_rows_is_an_input_of_its_own(home: Home) -> None:
    store = home.store()
    rows = Snapshot(asset="toy/demonstrations", partition="s-0of1", version="1")
    found = [PrivacyFinding(key="a", record_key="r", field="text", entity="EMAIL", start=1, end=3, detector="d", action="keep")]
    before, after = (
        finding_snapshots([Snapshot(**{**vars(rows), "tables": {"findings": store.write_table(PrivacyFinding, listed)}})])
        for listed in ([], found)
    )
    assert [(item.asset, item.partition) for item in before] == [("toy/demonstrations/findings", "s-0of1")]
    assert before[0].version != after[0].version
    assert finding_snapshots([rows]) == []
