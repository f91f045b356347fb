"""Ratings are learnt only if they stand in the curated rows, or follow from the verdicts as they are now."""

from dataclasses import replace
from pathlib import Path

import pytest

from assets import review
from assets.stage import Outputs
from curation.errors import ReviewGateError
from curation.records import Message, Provenance, UnpairedPreference
from curation.store import Snapshot
from tests.pipelines.toy_recipe import toy_home, toy_recipe


def make_rating(number: int, is_desirable: bool = True) -> UnpairedPreference:
    return UnpairedPreference(
        key=f"docs/{number}",
        task="t",
        prompt=(Message(role="user", content=f"{number}?"),),
        answer="yes",
        is_desirable=is_desirable,
        group=str(number),
        provenance=Provenance(origin="human", method="demonstration"),
    )


def test_a_rating_that_nobody_gave_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, home = toy_recipe(tmp_path), toy_home(tmp_path)
    given, labelled = make_rating(1), make_rating(2, is_desirable=False)
    table = home.store().write_table(UnpairedPreference, [given])
    curated = Snapshot(asset="toy/curated_examples", partition="", version="v", tables={"unpaired": table})
    monkeypatch.setattr(review, "_curated_snapshot", lambda recipe, store: curated)
    outputs = Outputs(tables={"unpaired": (UnpairedPreference, [labelled])})
    monkeypatch.setattr(review, "_verify", lambda recipe, home: outputs)
    review._pass_ratings(recipe, home, [given, labelled])
    for forged in (make_rating(3), replace(labelled, is_desirable=True), replace(given, answer="no")):
        with pytest.raises(ReviewGateError, match=f"{forged.key} .*"):
            review._pass_ratings(recipe, home, [given, forged])
