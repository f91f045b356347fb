"""The check that no row vanished compares what came in with what stands in the tables."""

import pytest

from assets.declare import describe, rows_check, rows_result
from assets.recipe import Recipe
from assets.stage import Outputs, run_stage
from curation.home import Home
from curation.ingest.config import SourceConfig
from curation.records import Rejection
from curation.synthesis.config import GenerateConfig
from curation.synthesis.methods.grounded_qa import GroundedQaConfig

RECIPE = Recipe(
    name="toy",
    owner="team:toys",
    sources=(SourceConfig(name="docs", kind="files", path="x"),),
    generate=GenerateConfig(grounded_qa=GroundedQaConfig()),
)


def rows(number: int) -> list[Rejection]:
    return [Rejection(key=str(index), stage="", reason="", detail="", record_hash="", excerpt="") for index in range(number)]


@pytest.mark.parametrize(
    ("values", "num_kept", "num_rejected", "passed"),
    [
        ({"rows_in": 5}, 3, 2, True),
        ({"rows_in": 0}, 0, 0, True),
        ({"rows_in": 6}, 3, 2, False),
        ({"rows_in": 4}, 3, 2, False),
        ({"rows_in": 6, "rows_out": 4, "rejected": 2}, 3, 2, False),
        ({}, 0, 0, False),
    ],
)
def test_rows_check(home: Home, values: dict[str, int], num_kept: int, num_rejected: int, passed: bool) -> None:
    tables = {"kept": (Rejection, rows(num_kept)), "rejections": (Rejection, rows(num_rejected))}
    result = rows_result(
        run_stage(home, asset="toy/x", inputs=[], code="c", make=lambda _: Outputs(tables=tables, values=values))
    )
    assert result.passed is passed
    assert result.check_name == rows_check(RECIPE, "x").name
    assert rows_check(RECIPE, "x").blocking


def test_code_version_follows_the_settings_that_an_asset_reads() -> None:
    def version(settings: object) -> str:
        described = describe(RECIPE, "x", group="curate", kinds=(), modules=("curation.ids",), settings=settings)
        return str(described["code_version"])

    assert version(GroundedQaConfig()) == version(GroundedQaConfig())
    assert version(GroundedQaConfig()) != version(GroundedQaConfig(questions_per_document=9))


def test_unknown_group_is_a_mistake() -> None:
    with pytest.raises(AssertionError):
        describe(RECIPE, "x", group="misc", kinds=(), modules=("curation.ids",))
